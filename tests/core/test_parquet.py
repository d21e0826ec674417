"""Parquet: shards that trainers stream, that load without us, and whose bytes are repeatable."""

import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Features, load_dataset
from makers import plain, png_bytes

from core import parquet
from core.parquet import RowIndex, write_piece
from core.pictures.media import encode
from core.shards import SHARD_IMAGE_BYTES, Piece, write_shards
from lego_arta import CONFIGS, FEATURES, SPLITS

PNG = png_bytes(plain((8, 6)))
LARGE = SHARD_IMAGE_BYTES


def _row(config: str, number: int, data: bytes = PNG) -> dict:
    """A row with every column filled."""
    target = {
        "label": "red brick", "count": 1, "box_norm100": [1, 2, 3, 4], "box_px": [1, 2, 3, 4],
        "instances_px": [[1, 2, 3, 4]],
    }  # fmt: skip
    row = {
        "id": hashlib.sha256(f"{config}{number}".encode()).hexdigest()[:20],
        "manual_id": "lego-60001-test-readscr",
        "session_id": "lego-60001-test-readscr/Car",
        "step_num": number,
        "image": {"bytes": data, "path": f"{number}.png"},
        "query": "[x] é ⅔ \u2028 query",
        "answer": "Yes.",
        "instruction": "Put it.",
        "previous_instruction": None,
        "entities": [{"tag": "verb", "text": "Put"}],
        "provenance": {
            "source_images": [{"path": "a.png", "sha256": "0" * 64}],
            "annotator": None,
        },
        "confidence": 1.0,
        "sample_weight": 1.0,
        "verdict": None,
    }
    if config == "object":
        row |= {"cell": 0, "targets": [target], "distractors": [{"cell": 1, **target}]}
    if config == "scene":
        row["eop_distance"] = 1
    if config == "mask":
        row["mask"] = {"bytes": PNG, "path": "mask.png"}
    if config == "state":
        row |= {
            "label": number % 2, "group_id": f"g{number // 4}", "negative_kind": None,
            "shift_fraction": 0.0, "difficulty": None,
            "part_box_px": [1, 2, 3, 4], "correct_box_px": [1, 2, 3, 4],
            "boundary_color": "#FF00FF",
        }  # fmt: skip
    return row


def _piece(folder, config: str, numbers, wanted=lambda number: True, data: bytes = PNG) -> Piece:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config}-{min(numbers, default=0)}.parquet"
    index = write_piece(path, config, (_row(config, number, data) for number in numbers))
    return Piece(path, index, [wanted(number) for number in numbers])


def _numbers(path) -> list[int]:
    return pq.read_table(path, columns=["step_num"]).column(0).to_pylist()


# Row groups ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "image_bytes", "expected"),
    [
        (250, 10, [100, 100, 50]),  # the number of rows is the limit
        (10, 10, [10]),  # all in one
        (7, 400, [2, 2, 2, 1]),  # the bytes are: two images fit
        (3, 5000, [1, 1, 1]),  # an image larger than the limit stands alone
        (0, 10, []),  # nothing
    ],
)
def test_row_groups_are_held_to_rows_and_bytes(tmp_path, monkeypatch, rows, image_bytes, expected):
    """A row group is read as a whole: one of gigabytes would stop a trainer."""
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1000)
    piece = _piece(tmp_path, "scene", range(rows), data=bytes(image_bytes))
    metadata = pq.ParquetFile(piece.path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == expected
    assert _numbers(piece.path) == list(range(rows))


def test_the_index_of_a_piece_is_that_of_its_rows(tmp_path):
    rows = [_row("state", number) for number in range(6)]
    index = write_piece(tmp_path / "x.parquet", "state", rows)
    assert index == [
        RowIndex(
            row["id"],
            row["group_id"],
            row["session_id"],
            len(PNG),
            row["step_num"],
            row["group_id"],
        )
        for row in rows
    ]
    scene = write_piece(tmp_path / "y.parquet", "scene", [_row("scene", 0)])
    assert scene[0].group == scene[0].id


# Shards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "pieces", "expected"),
    [
        (10**9, [range(5), range(5, 9)], [9]),  # everything in one
        (4 * len(PNG), [range(5), range(5, 9)], [4, 4, 1]),  # cut inside a piece and across them
        (1, [range(3)], [1, 1, 1]),  # a row larger than a shard stands alone
        (4 * len(PNG), [range(4)], [4]),  # filled exactly: no empty shard after it
        (10**9, [range(0), range(3)], [3]),  # a manual without rows
        (10**9, [], []),  # no manual at all
        (10**9, [range(0)], []),  # no rows at all
    ],
)
def test_the_shard_plan_and_names(tmp_path, limit, pieces, expected):
    made = [_piece(tmp_path / str(n), "scene", numbers) for n, numbers in enumerate(pieces)]
    paths = write_shards(tmp_path / "out", "scene", "train", made, limit)
    total = len(expected)
    assert [path.name for path in paths] == [
        f"train-{index:05d}-of-{total:05d}.parquet" for index in range(total)
    ]
    assert [len(_numbers(path)) for path in paths] == expected
    assert [n for path in paths for n in _numbers(path)] == [n for p in pieces for n in p]
    assert sorted(p.name for p in tmp_path.glob("out/*")) == [p.name for p in paths]


def test_train_and_test_share_every_row_once(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 4)
    found = {}
    for split, keep in (("train", lambda n: n % 3), ("test", lambda n: not n % 3)):
        pieces = [
            _piece(tmp_path / split / str(n), "scene", range(n, n + 15), lambda n: bool(keep(n)))  # noqa: B023
            for n in (0, 15)
        ]
        paths = write_shards(tmp_path / "out", "scene", split, pieces, 7 * len(PNG))
        found[split] = [n for path in paths for n in _numbers(path)]
    assert found["train"] == [n for n in range(30) if n % 3]
    assert found["test"] == [n for n in range(30) if not n % 3]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_same_rows_give_the_same_bytes(tmp_path, config):
    """A build is checked by its hashes."""
    data = []
    for name in ("a", "b"):
        piece = _piece(tmp_path / name, config, range(12))
        (path,) = write_shards(tmp_path / name / "out", config, "train", [piece], LARGE)
        data.append((piece.path.read_bytes(), path.read_bytes()))
    assert data[0] == data[1]


def test_bytes_do_not_depend_on_how_rows_lie_in_pieces(tmp_path):
    """Manuals' pieces are cut differently when rows before them change."""
    one = _piece(tmp_path / "one", "scene", range(12))
    two = [_piece(tmp_path / "two", "scene", n) for n in (range(5), range(5, 12))]
    (a,) = write_shards(tmp_path / "a", "scene", "train", [one], LARGE)
    (b,) = write_shards(tmp_path / "b", "scene", "train", two, LARGE)
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("config", CONFIGS)
def test_a_file_alone_tells_its_features_and_has_a_page_index(tmp_path, config):
    """The metadata says which column is an image and which a label; the index allows skipping."""
    piece = _piece(tmp_path, config, range(3))
    file = pq.ParquetFile(piece.path)
    assert Features.from_arrow_schema(file.schema_arrow) == FEATURES[config]
    group = file.metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    assert all(column.has_offset_index and column.has_column_index for column in columns)
    packed = {column.path_in_schema: column.compression for column in columns}
    assert packed["image.bytes"] == "UNCOMPRESSED"  # it is packed already
    assert packed["query"] == "ZSTD"


def _raw(number: int) -> bytes:
    """A picture that differs from the next in one corner, as steps do."""
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 255, (60, 80, 3), np.uint8)
    pixels[:4, :4] = number
    return encode(pixels, "bmp")


def test_raw_pictures_share_what_they_share_and_are_planned_by_what_they_take(tmp_path):
    folder, one = tmp_path / "p", len(_raw(0))
    folder.mkdir()
    rows = [_row("scene", n, _raw(n)) for n in range(40)]
    index = write_piece(folder / "x.parquet", "scene", rows)
    assert sum(row.size_bytes for row in index) < 3 * one, "noise, so only sharing can pack it"
    piece = Piece(folder / "x.parquet", index, [True] * 40)
    (path,) = write_shards(tmp_path / "out", "scene", "train", [piece], LARGE)
    assert path.stat().st_size < 3 * one
    assert pq.read_table(path).to_pylist() == rows
    again = write_shards(tmp_path / "b", "scene", "train", [piece], LARGE)[0]
    assert again.read_bytes() == path.read_bytes()


# Loading ------------------------------------------------------------------------------------


def _dataset(folder, config: str, counts: dict[str, int]) -> dict[str, str]:
    for split, count in counts.items():
        piece = _piece(folder / "pieces" / split, config, range(count))
        write_shards(folder / "data" / config, config, split, [piece], LARGE)
    return {split: str(folder / "data" / config / f"{split}-*.parquet") for split in counts}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
def test_shards_load_with_datasets(tmp_path, config, streaming):
    files = _dataset(tmp_path, config, {"train": 5, "test": 2})
    loaded = load_dataset(
        "parquet", data_files=files, streaming=streaming, cache_dir=str(tmp_path / "cache")
    )
    assert set(loaded) == set(SPLITS)
    rows = list(loaded["train"])
    assert [row["step_num"] for row in rows] == list(range(5))
    assert rows[0]["image"].size == (8, 6)
    assert rows[0]["query"] == _row(config, 0)["query"]
    assert loaded["train"].features == FEATURES[config]


def test_a_split_without_rows_has_no_file(tmp_path):
    """`datasets` refuses a config with an empty split, so a tiny build must not have one."""
    _dataset(tmp_path, "state", {"train": 2, "test": 0})
    assert not list(tmp_path.rglob("test-*"))

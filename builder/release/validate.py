"""Every invariant of a build, checked on the files themselves (`scripts/validate.py`)."""

import collections
import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from PIL import Image

from builder.release.formats import COLUMNS
from builder.release.formats import violations as format_violations
from builder.release.recipe import KIND, recipe_violations
from builder.release.validate_metadata import metadata_violations
from core.build import shards
from core.manifest import MANIFEST, file_sha256, manifest_of
from core.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS, SHARD_BYTES, item_of
from core.pictures.containers import ImageError
from core.pictures.media import check_shape
from core.queries import take_apart
from core.records import UserError, split_slug
from lego_arta import CONFIGS, SPLITS
from synthesis.negatives import KINDS
from synthesis.placement import SHIFT_FRACTION_MIN
from tasks.prompts import NO, YES

# float32 columns of a few thousand pixels are this exact at least.
EPSILON_PX = 0.01
NEGATIVES = 3
# What files say beside pixels: when, where and with what a picture was taken.
METADATA = {"exif", "icc_profile", "xmp"}
# As much as glibc can be brought to keep: its DEFAULT_MMAP_THRESHOLD_MAX is 32 MiB.
KEPT_BYTES = 31 * 2**20


def violations(out: Path) -> Iterator[str]:
    """Yield "where: rule, value found" for everything that is wrong; raises `UserError`
    when the folder is no build at all."""
    manifest = manifest_of(out)
    if manifest is None:
        raise UserError(f"{out}: no {MANIFEST} of lego-arta in it; give a build folder")
    if not {"terms", "split_exceptions"} <= manifest.keys():
        raise UserError(f"{out}: made by an earlier version of lego-arta; build it anew")
    _keep_freed_memory()
    yield from _files(out, manifest)
    if manifest.get("kind") == KIND:
        yield from recipe_violations(out, manifest)
        return
    yield from metadata_violations(out, manifest)
    yield from format_violations(out, manifest)
    words = manifest["options"].get("templates", "paper")
    imported = str(manifest["options"]["source"]).startswith("legacy:")
    pictures: dict[bytes, Picture] = {}
    ids: collections.Counter = collections.Counter()
    sets: dict[str, set[str]] = {split: set() for split in SPLITS}
    for config in CONFIGS:
        groups: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        group_splits: dict[str, set[str]] = collections.defaultdict(set)
        items: dict[str, set[str]] = {split: set() for split in SPLITS}
        for split in SPLITS:
            number = 0
            for row in _rows(out, config, split):
                number += 1
                ids[row["id"]] += 1
                sets[split].add(split_slug(row["manual_id"])[0])
                with contextlib.suppress(IndexError, TypeError):  # told as a fault of the row
                    items[split].add(item_of(row))
                if config == "state":
                    groups[row["group_id"]][row["label"]] += 1
                    group_splits[row["group_id"]].add(split)
                yield from _row(config, row, imported, pictures)
                if not imported and take_apart(row["query"], config).template != words:
                    yield f"{row['id']}: a query in {words} words, found {row['query']!r}"
            if number != manifest["rows"][config][split]:
                yield f"{config}/{split}: {manifest['rows'][config][split]} rows, found {number}"
        yield from _both_splits(config, items)
        for group, labels in groups.items():
            if labels != {1: 1, 0: NEGATIVES} or len(group_splits[group]) != 1:
                yield f"group {group}: 1 positive and {NEGATIVES} negatives, found {dict(labels)}"
    for row_id, number in ids.items():
        if number > 1:
            yield f"{row_id}: ids are unique, found {number} of it"
    divided = {name for own in manifest["split_exceptions"]["divided"].values() for name in own}
    shared = (sets["train"] & sets["test"]) - divided
    if manifest["options"]["split"] == "manual" and shared:
        yield f"split: no set in both train and test, found {sorted(shared)[:3]}"


def _both_splits(config: str, items: dict[str, set[str]]) -> Iterator[str]:
    """A config with rows has train; one with two items or more has test as well."""
    number = len(set().union(*items.values()))
    lacking = [split for split in SPLITS[:number] if not items[split]]
    if lacking:
        yield f"{config}: {number} items give rows of {SPLITS[:number]}, found no {lacking[0]}"


def _keep_freed_memory() -> None:
    """Let malloc use the memory of one picture for the next.

    glibc gives large blocks back to the system until one of their size has been freed; the page
    faults of getting them anew took longer than decoding. Elsewhere this does nothing.
    """
    bytearray(KEPT_BYTES)


def _files(out: Path, manifest: dict) -> Iterator[str]:
    """Hashes, shard sizes, row groups and features of the files."""
    for name, entry in manifest["files"].items():
        path = out / name
        if not path.is_file():
            yield f"{name}: listed in {MANIFEST}, missing"
            continue
        if file_sha256(path) != entry["sha256"]:
            yield f"{name}: its sha256 is not the one in {MANIFEST}"
        if path.suffix == ".parquet" and manifest.get("kind") != KIND:
            yield from _parquet_file(path, name)
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {MANIFEST}
    for name in sorted(present - set(manifest["files"])):
        yield f"{name}: not part of the build"


def _parquet_file(path: Path, name: str) -> Iterator[str]:
    if path.stat().st_size > SHARD_BYTES:
        yield f"{name}: shards of at most {SHARD_BYTES} bytes, found {path.stat().st_size}"
    with pq.ParquetFile(path) as file:
        columns = COLUMNS.get(Path(name).parent.name)
        if columns is None or file.schema_arrow != columns.arrow_schema:
            yield f"{name}: its columns are not those of lego_arta.FEATURES"
        for index in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(index)
            too_large = group.num_rows > 1 and group.total_byte_size > 1.25 * ROW_GROUP_BYTES
            if group.num_rows > ROW_GROUP_ROWS or too_large:
                yield f"{name}: row group {index} has {group.num_rows} rows"


def _rows(out: Path, config: str, split: str) -> Iterator[dict]:
    for path in shards(out, config, split):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=8):
                yield from batch.to_pylist()


class Picture(NamedTuple):
    """What decoding a file tells: its size, the metadata in it, or why it can't be decoded."""

    size_wh: tuple[int, int] | None
    metadata: tuple[str, ...]
    error: str = ""


def _decoded(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            return Picture(picture.size, tuple(sorted(METADATA & set(picture.info))))
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        return Picture(None, (), " ".join(str(error).split()) or type(error).__name__)


def _row(config: str, row: dict, imported: bool, pictures: dict[bytes, Picture]) -> Iterator[str]:
    """Everything that must hold for one row by itself. Of imported ones less is known.

    `pictures` has those that were decoded, by the hash of their bytes: rows share some.
    """
    row_id, image = row["id"], row["image"] or {}
    data = image.get("bytes") or b""
    digest = hashlib.sha256(data)
    if Path(image.get("path") or "").stem != digest.hexdigest()[:32]:
        yield f"{row_id}: the image's name is the hash of its bytes, found {image.get('path')}"
    picture = pictures.get(digest.digest())
    if picture is None:
        picture = pictures[digest.digest()] = _decoded(data)
    if picture.metadata:
        yield f"{row_id}: images carry no metadata, found {list(picture.metadata)}"
    if picture.size_wh is None:
        yield f"{row_id}: the image can be decoded, found {picture.error}"
        return
    size_wh = picture.size_wh
    try:
        check_shape(size_wh)
    except ImageError as error:
        yield f"{row_id}: the image has a shape that models take, found {error.detail}"
    for name in ("query", "answer", "instruction", "manual_id", "session_id"):
        if not row[name]:
            yield f"{row_id}: {name} is not empty, found {row[name]!r}"
    if not 0 <= row["confidence"] <= 1:
        yield f"{row_id}: confidence is in [0, 1], found {row['confidence']}"
    if config == "object":
        yield from _object_row(row, size_wh, imported)
    elif config == "state":
        yield from _state_row(row, size_wh, imported)


def _object_row(row: dict, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    if not row["targets"]:
        yield f"{row['id']}: at least one target, found none"
    cells = {row["cell"], *(entry["cell"] for entry in row["distractors"])}
    if cells != {0, 1, 2, 3} and not imported:
        yield f"{row['id']}: something in each of four cells, found {sorted(cells)}"
    for entry, cell in [
        *((target, row["cell"]) for target in row["targets"]),
        *((other, other["cell"]) for other in row["distractors"]),
    ]:
        width, height = size_wh
        left, top = cell % 2 * width / 2, cell // 2 * height / 2
        frame = (left, top, left + width / 2, top + height / 2)
        for box in [entry["box_px"], *entry["instances_px"]]:
            yield from _box(row["id"], box, frame)
        scaled = [v * s / 100 for v, s in zip(entry["box_norm100"], size_wh * 2, strict=True)]
        if max(abs(a - b) for a, b in zip(scaled, entry["box_px"], strict=True)) > EPSILON_PX * 10:
            yield f"{row['id']}: box_norm100 and box_px agree, found {scaled} and {entry['box_px']}"


def _state_row(row: dict, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    positive = row["label"] == 1
    if row["answer"] != (YES if positive else NO):
        yield f"{row['id']}: label {row['label']} and answer agree, found {row['answer']!r}"
    if not positive and row["negative_kind"] not in KINDS:
        yield f"{row['id']}: negative_kind is one of {KINDS}, found {row['negative_kind']!r}"
    if positive != (row["negative_kind"] is None):
        yield f"{row['id']}: negative_kind is null for positives only"
    if imported:
        return
    if positive != (row["correction"] is None):
        yield f"{row['id']}: correction is null for positives only, found {row['correction']!r}"
    kind = row["negative_kind"]
    if kind in ("shift", "extra") and row["shift_fraction"] < SHIFT_FRACTION_MIN:
        yield f"{row['id']}: moved by at least 0.05, found {row['shift_fraction']}"
    if kind not in ("shift", "extra") and row["shift_fraction"] != 0:
        yield f"{row['id']}: nothing moved in a {kind}, found {row['shift_fraction']}"
    if (kind == "missing") != (row["part_box_px"] is None):
        yield f"{row['id']}: part_box_px is null for a missing part only"
    for name in ("part_box_px", "correct_box_px"):
        if row[name] is not None:
            yield from _box(row["id"], row[name], (0, 0, *size_wh))


def _box(row_id: str, box: list[float], frame: tuple[float, ...]) -> Iterator[str]:
    x0, y0, x1, y1 = box
    e = EPSILON_PX
    inside = frame[0] - e <= x0 < x1 <= frame[2] + e and frame[1] - e <= y0 < y1 <= frame[3] + e
    if not inside:
        yield f"{row_id}: a box lies in its frame {frame}, found {box}"

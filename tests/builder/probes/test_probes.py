"""Shortcut probes catch what is planted, and nothing where nothing is; a leaking build fails."""

import functools
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import MAGENTA, crawled_manual, png_bytes
from outside import ROOT
from sklearn.metrics import roc_auc_score

from builder import probes
from builder.probes import command, looks, patches
from builder.probes.score import AUC_MAX, Score, auc, score
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions
from core.build import shards
from core.cli import pip_install
from core.errors import UserError
from core.names import opaque_id
from core.parquet import write_piece
from core.records import ManualStats, dump
from core.store import CRAWL, DONE, ROWS
from lego_arta import CONFIGS, FEATURES

MANUALS, GROUPS = 5, 12
FEW = 6  # groups of a manual: enough to see what is planted
SMALL = patches.Effort(2, 2)  # where it does not matter what is seen
FAST = ("names", "file", "text", "noise", "seam")

# A leak changes the pixels (H, W, 3), or the finished row, of the wrong examples.
Pixels = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Rows = Callable[[dict], dict]


def _picture(rng: np.random.Generator) -> np.ndarray:
    """(96, 96, 3): some bricks and one outline, at random."""
    picture = np.full((96, 96, 3), 240, np.uint8)
    for _ in range(8):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 10, 10), (80, 80, 40, 40)))
        color = tuple(int(v) for v in rng.integers(0, 200, 3))
        cv2.rectangle(picture, (x, y), (x + w, y + h), color, -1)
    x, y, w, h = (int(v) for v in rng.integers((8, 8, 15, 15), (45, 45, 40, 40)))
    cv2.rectangle(picture, (x, y), (x + w, y + h), MAGENTA, 3)
    return picture


def _outlined(rgb: np.ndarray) -> list[float]:
    x, y, width, height = cv2.boundingRect((rgb == MAGENTA).all(axis=2).astype(np.uint8))
    return [float(v) for v in (x, y, x + width, y + height)]


def _state_row(manual_id: str, group: int, label: int, rgb: np.ndarray, change: Rows) -> dict:
    data = png_bytes(rgb)
    row = {
        "id": opaque_id(manual_id, group, hashlib.sha256(data).hexdigest()),
        "manual_id": manual_id,
        "session_id": f"{manual_id}/Car",
        "step_num": group,
        "image": {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.png"},
        "query": f"[state] After I find part {group}. Did I do it correctly?",
        "answer": "Yes." if label else "No.",
        "instruction": f"Put part {group} on top.",
        "entities": [],
        "provenance": {"source_images": [], "annotator": "boundary"},
        "confidence": 1.0,
        "sample_weight": 1.0,
        "label": label,
        "group_id": opaque_id("group", manual_id, group),
        "part_box_px": _outlined(rgb),
        "boundary_color": "#FF00FF",
    }
    return row if label else change(row)


def _same(row: dict) -> dict:
    return row


def _rows(
    manual: int,
    groups: int = GROUPS,
    pixels: Pixels | None = None,
    change: Rows = _same,
    right_first: bool = False,
) -> list[dict]:
    """The state rows of one manual: all four pictures of a group are of one kind."""
    rng = np.random.default_rng(manual)
    made = []
    for group in range(groups):
        rows = []
        for label in (1, 0, 0, 0):
            rgb = _picture(rng)
            if pixels is not None and not label:
                rgb = pixels(rgb, rng)
            rows.append(_state_row(f"lego-{manual}-x-readscr", group, label, rgb, change))
        key = (lambda r: -r["label"]) if right_first else (lambda r: r["id"])
        made += sorted(rows, key=key)
    return made


def _build(folder: Path, manuals: int = MANUALS, **leak) -> Path:
    """A folder with state shards of the real schema."""
    shards = folder / "data" / "state"
    shards.mkdir(parents=True)
    rows = [row for manual in range(manuals) for row in _rows(manual, **leak)]
    half = len(rows) // 8 * 4
    write_piece(shards / "train-00000-of-00001.parquet", "state", rows[:half])
    write_piece(shards / "test-00000-of-00001.parquet", "state", rows[half:])
    return folder


def _run(folder: Path, *only: str, **kwargs) -> dict[str, Score]:
    return {r.probe: r.score for r in probes.run(folder, only=only, **kwargs)}


# Planted leaks ------------------------------------------------------------------------------


def _renamed(row: dict) -> dict:
    stem = row["image"]["path"].removesuffix(".png")
    return {**row, "image": {**row["image"], "path": f"{stem}_fake.png"}}


def _longer(row: dict) -> dict:
    return {**row, "image": {**row["image"], "bytes": row["image"]["bytes"] + bytes(40_000)}}


def _telling(row: dict) -> dict:
    return {**row, "query": row["query"] + " It was moved."}


def _darker(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rgb * 0.6).astype(np.uint8)


def _noisy(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(rgb + rng.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)


def _very_noisy(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(rgb + rng.normal(0, 40, rgb.shape), 0, 255).astype(np.uint8)


def _seamed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A faint halo around the outline, as a paste without mixing leaves."""
    outline = (rgb == MAGENTA).all(axis=2).astype(np.uint8)
    halo = (cv2.dilate(outline, np.ones((3, 3), np.uint8)) - outline)[..., None]
    return np.where(halo, rgb // 2 + np.uint8(60), rgb).astype(np.uint8)


@pytest.mark.parametrize(
    ("probe", "leak"),
    [
        ("names", {"change": _renamed}),  # as in the paper's release
        ("names", {"right_first": True}),  # the order of the rows
        ("file", {"change": _longer}),  # bytes on disk
        ("file", {"pixels": _darker}),  # mean colour
        ("text", {"change": _telling}),
        ("noise", {"pixels": _noisy}),
        ("seam", {"pixels": _seamed}),
    ],
    ids=["file names", "row order", "bytes", "mean colour", "text", "noise", "seam"],
)
def test_a_planted_leak_is_caught(probe, leak, tmp_path):
    found = _run(_build(tmp_path, groups=FEW, **leak), probe)[probe]
    # The names probe takes the higher of two ranks, which blurs each of them a little.
    assert found.auc >= 0.9
    assert found.leaks


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    return _build(tmp_path_factory.mktemp("clean"))


def test_without_a_leak_nothing_is_found_and_twice_the_same(clean):
    found = _run(clean, *FAST)
    assert list(found) == list(FAST)
    for name, one in found.items():
        assert one.auc <= 0.62, name
        assert one.low <= one.auc <= one.high
        assert not one.leaks, name
    assert _run(clean, "file", "text") == {name: found[name] for name in ("file", "text")}


def test_a_leak_of_one_thing_is_not_seen_in_others(tmp_path):
    found = _run(_build(tmp_path, groups=FEW, change=_renamed), "text", "noise")
    assert not any(one.leaks for one in found.values())


def _higher(row: dict) -> dict:
    x0, y0, x1, y1 = row["part_box_px"]
    return {**row, "part_box_px": [x0, y0 / 4, x1, y1 / 4]}


def test_where_the_part_lies_is_told_but_fails_no_build(tmp_path):
    (result,) = probes.run(_build(tmp_path, groups=FEW, change=_higher), only=["place"])
    assert result.score.auc >= 0.9
    assert probes.leaks([result]) == []
    described = result.describe()
    assert not described["leaks"]
    assert "told only" in probes.line(described)


def test_names_can_be_given_to_see_that_telling_ones_are_caught(clean):
    assert _run(clean, "names", rename=command.paper_name)["names"].auc >= 0.9


def test_the_little_network_sees_noise_and_nothing_where_nothing_is(tmp_path):
    pytest.importorskip("torch")
    noisy = _build(tmp_path / "noisy", 3, groups=4, pixels=_very_noisy)
    assert _run(noisy, "patches")["patches"].auc >= 0.9
    plain = _build(tmp_path / "plain", 3, groups=4)
    assert not _run(plain, "patches")["patches"].leaks
    first = _run(plain, "patches", effort=SMALL)["patches"]
    assert _run(plain, "patches", effort=SMALL)["patches"] == first


def test_traces_of_pasting_are_seen_without_shapes(tmp_path):
    pytest.importorskip("torch")
    noisy = _build(tmp_path / "noisy", 3, groups=4, pixels=_very_noisy)
    assert _run(noisy, "traces")["traces"].auc >= 0.9


def test_fine_detail_is_neither_shape_nor_colour():
    flat = np.full((2, 64, 64, 3), 90, np.uint8)
    edge = flat.copy()
    edge[:, :, 20:] = 200
    assert (patches.fine_detail(flat) == 128).all()
    assert (patches.fine_detail(edge) == 128).all()
    speck = edge.copy()
    speck[0, 30, 30] = 210
    fine = patches.fine_detail(speck)
    assert (np.argwhere(fine[0, ..., 0] != 128) == [[30, 30]]).all()
    assert fine[0, 30, 30, 0] == 128 + 10 * patches.DETAIL_GAIN
    assert (fine == patches.fine_detail(speck + 12)).all()  # as bright or dark as it may be


# How much is looked at ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manuals", "groups"),
    [
        (3, 3),  # nine groups
        (2, 12),  # enough groups, but of two manuals
    ],
)
def test_too_few_groups_tell_nothing(manuals, groups, tmp_path):
    assert probes.run(_build(tmp_path, manuals, groups=groups, change=_renamed)) == []


def test_no_state_rows_at_all_tell_nothing(tmp_path):
    assert probes.run(tmp_path) == []


def test_a_sample_takes_whole_groups_from_all_manuals(clean):
    (result,) = probes.run(clean, 20, only=["text"])
    assert result.rows == 80
    chosen = probes._chosen(shards(clean, "state"), "state", 20)
    table = pq.ParquetDataset(clean / "data" / "state").read(["manual_id", "group_id"])
    manuals = {r["manual_id"] for r in table.to_pylist() if r["group_id"] in chosen}
    assert len(manuals) == MANUALS


def test_of_many_manuals_and_shards_a_sample_is_taken_that_stays_the_same(clean, monkeypatch):
    few = probes._chosen(shards(clean, "state"), "state", 3)
    assert few == probes._chosen(shards(clean, "state"), "state", 3) and len(few) == 3
    monkeypatch.setattr(probes, "SHARDS_MOST", 1)
    (one,) = probes._some_shards(clean, "state", 3)
    assert [one] == probes._some_shards(clean, "state", 3)
    assert probes._some_shards(clean, "state", None) == shards(clean, "state") != [one]


def test_rows_are_the_same_whatever_the_row_groups(tmp_path, monkeypatch):
    """Where a file cuts its row groups says nothing about rows."""
    seen = []
    for size in (100, 6):
        monkeypatch.setattr("core.parquet.ROW_GROUP_ROWS", size)
        folder = _build(tmp_path / str(size), 3, groups=4)
        calls = list(probes._row_groups(shards(folder, "state")))
        wanted = frozenset(probes._chosen(shards(folder, "state"), "state", None))
        rows = [row for call in calls for row in probes.look_at_rows(*call, wanted)]
        places = probes._places_in_group(rows)
        seen.append([(r.row_id, r.position, p, r.label) for r, p in zip(rows, places, strict=True)])
    assert seen[0] == seen[1]
    assert [position for _, position, _, _ in seen[0]] == list(range(48))


# Numbers ------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn_also_with_ties(pairs):
    labels = np.array([label for label, _ in pairs])
    predicted = np.array([value / 6 for _, value in pairs])
    if labels.all() or not labels.any():
        assert np.isnan(auc(labels, predicted))
    else:
        assert auc(labels, predicted) == pytest.approx(roc_auc_score(labels, predicted))


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(0, 3))
def test_the_interval_holds_the_auc_and_is_the_same_again(seed, strength):
    rng = np.random.default_rng(seed)
    labels = np.tile([1, 0, 0, 0], 30)
    manuals = np.repeat(np.arange(10), 12)
    predicted = rng.normal(size=120) + strength * labels
    one = score(labels, predicted, manuals)
    assert one == score(labels, predicted, manuals)
    assert 0 <= one.low <= one.auc <= one.high <= 1
    assert one.auc == pytest.approx(roc_auc_score(labels, predicted), abs=1e-4)


def test_the_interval_is_by_manual():
    """Ten copies of every row of a manual are no more evidence than one."""
    rng = np.random.default_rng(3)
    labels = np.tile([1, 0, 0, 0], 12)
    manuals = np.repeat(np.arange(6), 8)
    predicted = rng.normal(size=48) + 0.5 * labels
    once = score(labels, predicted, manuals)
    copied = [np.repeat(a, 10) for a in (labels, predicted, manuals)]
    assert score(*copied) == once
    as_rows = score(copied[0], copied[1], np.arange(480))
    assert as_rows.high - as_rows.low < 0.6 * (once.high - once.low)


@pytest.mark.parametrize(
    ("low", "value", "leaks"),
    [
        (0.61, 0.66, True),
        (0.54, 0.70, False),  # high, but it may be chance
        (0.58, 0.60, False),  # sure, but not high
        (0.10, 0.20, False),
    ],
)
def test_a_leak_is_high_and_sure(low, value, leaks):
    assert AUC_MAX == 0.60
    assert Score(value, low, 0.99).leaks == leaks


def test_looks_are_shares_that_do_not_depend_on_the_size():
    picture = _picture(np.random.default_rng(0))
    numbers = looks.overall(picture, 1234)
    assert numbers[:3].tolist() == [1234, 96, 96]
    assert numbers[3:6] == pytest.approx(picture.reshape(-1, 3).mean(axis=0))
    left = looks.residuals(picture)
    noise = looks.noise(picture, left)
    assert noise.shape == (2 * (2 * looks.BINS + 1),)
    assert noise.sum() == pytest.approx(4, abs=2)
    assert looks.seam(picture, left, MAGENTA)[: looks.BINS].sum() == pytest.approx(1)
    black = np.zeros((20, 20, 3), np.uint8)
    nowhere = looks.seam(black, looks.residuals(black), MAGENTA)
    assert (nowhere == 0).all()


def test_patches_are_pieces_of_the_picture_and_always_the_same():
    picture = _picture(np.random.default_rng(0))
    first = patches.patches(picture, "an id")
    assert first.shape == (patches.QUICK.patches, 64, 64, 3)
    assert (first == patches.patches(picture, "an id")).all()
    assert not (first == patches.patches(picture, "another")).all()
    windows = np.lib.stride_tricks.sliding_window_view(picture, (64, 64, 3)).reshape(
        -1, 64 * 64 * 3
    )
    for patch in first[:3]:
        assert (windows == patch.ravel()).all(axis=1).any()
    with pytest.raises(ValueError, match="63 x 96"):
        patches.patches(np.zeros((96, 63, 3), np.uint8), "x")


# The gate -----------------------------------------------------------------------------------


def _worked(work: Path, change: Rows) -> list[str]:
    """What the stages leave of four manuals with nothing but state rows, in as few groups as will
    do."""
    ids = []
    for manual in range(4):
        rows = _rows(manual, 3, change=change)
        manual_id = rows[0]["manual_id"]
        folder, crawled = work / ROWS / manual_id, work / CRAWL / manual_id
        folder.mkdir(parents=True)
        crawled.mkdir(parents=True)
        index = {
            config: write_piece(
                folder / f"{config}.parquet", config, rows if config == "state" else []
            )
            for config in CONFIGS
        }
        (folder / "index.json").write_bytes(msgspec.json.encode(index))
        (folder / "stats.json").write_bytes(
            dump(ManualStats(manual_id, str(manual), 3, 3, 1, 1, [], {"rotate: looks_the_same": 2}))
        )
        (folder / DONE).write_text(f"{manual_id} {change.__name__}")
        (crawled / "crawl.json").write_bytes(dump(crawled_manual(manual_id=manual_id)))
        ids.append(manual_id)
    return ids


def test_a_leaking_build_fails_in_one_line_and_leaves_the_old_one(tmp_path, monkeypatch):
    run = functools.partial(probes.run, only=["names", "text"])  # the gate itself, but quick
    monkeypatch.setattr(probes, "run", run)
    out = tmp_path / "lego-arta"
    ids = _worked(tmp_path / "leaking", _renamed)
    build = BuildOptions(tmp_path / "leaking")
    assemble(ids, build, AssembleOptions(out, "demo", probe=False))
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match=r"can be read off.*probe names.*--no-probe") as caught:
        assemble(ids, build, AssembleOptions(out, "demo"))
    assert "\n" not in str(caught.value)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["leaking", "lego-arta"]
    with pytest.raises(UserError):
        assemble(ids, build, AssembleOptions(tmp_path / "new", "demo"))
    assert not (tmp_path / "new").exists()


def test_a_sound_build_says_what_was_probed_and_what_was_not(tmp_path, monkeypatch):
    """Without torch `patches` is named as not checked, and checked as soon as torch is there."""
    out = tmp_path / "lego-arta"
    ids = _worked(tmp_path / "work", _same)
    request = ids, BuildOptions(tmp_path / "work"), AssembleOptions(out, "demo")
    monkeypatch.setattr(patches, "torch_is_there", lambda: False)
    manifest = assemble(*request)
    (missed,) = (result for result in manifest["probes"] if "not_run" in result)
    assert missed["probe"] == "patches"
    assert missed["not_run"] == "not checked, torch is not installed"
    assert probes.line(missed).split() == (
        f"probe patches not checked, torch is not installed; {pip_install('annotate')}".split()
    )
    card = (out / "README.md").read_text()
    assert "not checked, torch is not installed" in card and "pip install -e '.[annotate]'" in card
    written = (out / "build.json").stat().st_mtime_ns
    assert assemble(*request) == manifest  # nothing has changed
    assert (out / "build.json").stat().st_mtime_ns == written
    monkeypatch.undo()
    pytest.importorskip("torch")
    manifest = assemble(*request)
    assert "not checked" not in (out / "README.md").read_text()
    assert [result["probe"] for result in manifest["probes"]] == list(probes.GATE_PROBES)
    for result in manifest["probes"]:
        assert not result["leaks"]
        assert result["low"] <= result["auc"] <= result["high"]
        assert f"{result['auc']:.2f}" in (out / "README.md").read_text()
    assert manifest["screened_counts"] == {"rotate: looks_the_same": 8}


def test_the_command_prints_a_line_a_probe_and_fails_on_a_leak(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error:") and "not a build" in told.err
    out = tmp_path / "lego-arta"
    ids = _worked(tmp_path / "work", _same)
    options = AssembleOptions(out, "demo", probe=False)
    assemble(ids, BuildOptions(tmp_path / "work"), options)
    quick = [str(out), "--only", "names", "text", "--workers", "1"]
    assert command.main(quick) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    script = [sys.executable, str(ROOT / "scripts" / "probe.py")]
    run = subprocess.run([*script, *quick, "--paper-names"], capture_output=True, text=True)
    assert run.returncode == 1
    assert "LEAKS" in run.stdout


def test_the_rows_here_have_all_columns():
    assert set(_rows(0, 1)[0]) <= set(FEATURES["state"])

"""Derived sets: made by the command, read by `load_dataset` and by what reads builds."""

import hashlib

import cv2
import numpy as np
import pytest
from datasets import load_dataset
from painted_build import painted_build
from scored import gold, row, score, write

from builder.export.run import export
from builder.export.units import Request
from builder.release.validate import violations
from core.build import manifest_of, picture_bytes, read_rows
from core.items import load_items
from derived.command import main
from derived.robust import targets_px
from derived.source import pixels_of
from review.gallery import write_gallery

ROBUST = ("--corruption", "perspective", "occlusion", "--severity", "1", "3")


def derive(build, out, kind, *options):
    assert main([str(build), kind, "--out", str(out), *options]) == 0
    return out


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}  # fmt: skip


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return painted_build(tmp_path_factory.mktemp("painted") / "lego-arta")


@pytest.fixture(scope="module")
def robust(painted, tmp_path_factory):
    return derive(painted, tmp_path_factory.mktemp("robust") / "set", "robust", *ROBUST)


def test_every_row_is_there_clean_and_corrupted(painted, robust):
    for config in ("object", "state", "mask"):
        before = {r.id: r for r in read_rows(painted, config, "test")}
        rows = list(read_rows(robust, config, "test"))
        assert len(rows) == 5 * len(before)
        clean = {r.id: r for r in rows if r.columns["severity"] == 0}
        assert clean.keys() == before.keys()
        for name, one in clean.items():
            assert picture_bytes(one.place) == picture_bytes(before[name].place)
            assert {k: one.columns[k] for k in before[name].columns} == before[name].columns
        assert all(r.columns["source_ids"][0] in clean for r in rows)


def test_boxes_in_columns_and_answers_lie_on_the_parts_after_a_warp(robust):
    seen = 0
    for one in read_rows(robust, "object", "test"):
        if one.columns["corruption"] == "perspective":
            # A painted rectangle is a quadrilateral now; a corner of the picture has a sign.
            picture, targets = pixels_of(one), one.columns["targets"]
            for part, target in enumerate(targets):
                x0, y0, x1, y1 = target["box_px"]
                inside = (picture[..., part] < 128).astype(np.uint8)
                _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
                ys, xs = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).nonzero()
                assert abs(xs.min() - x0) <= 2 and abs(xs.max() + 1 - x1) <= 2
                assert abs(ys.min() - y0) <= 2 and abs(ys.max() + 1 - y1) <= 2
                seen += 1
    assert seen


def test_a_set_loads_and_has_the_same_bytes_again(painted, robust, tmp_path, own_cache):
    again = derive(painted, tmp_path / "again", "robust", *ROBUST)
    assert digests(again) == digests(robust)
    loaded = load_dataset(str(robust), "object", split="test")
    assert set(loaded["corruption"]) == {"none", "perspective", "occlusion"}
    assert loaded[0]["image"].size
    assert manifest_of(robust)["derived"]["build"]["fingerprint"]


def test_scores_tell_what_corruption_costs(robust, tmp_path, capsys):
    """A run that is right on clean pictures alone loses all of it on the others, and it is told."""
    items = load_items(robust, "object", "test")
    answers = [(i.id, i.answer if i.derived["severity"] == 0 else "") for i in items]
    file = write(tmp_path / "a" / "m.object.jsonl", answers)
    scores = score(robust, tmp_path / "scores", file, "--no-report", "--workers", "1")
    assert row(scores, "m", "object")["values"]["iou"] == pytest.approx(20, abs=1)
    said = capsys.readouterr().out
    assert "corrupted pictures" in said and "-100.00" in said
    told = (tmp_path / "scores" / "object.robust.csv").read_text()
    assert told.count("perspective") == 2 and told.count("occlusion") == 2


def test_a_set_is_shown_and_exported(robust, tmp_path):
    held = write_gallery(robust, tmp_path / "gallery", None)
    assert held["rows"] > 0
    done = export(Request(robust, tmp_path / "llava", "llava", ("object",), ("test",)), 1)
    assert done["rows"] == len(gold(robust, "object"))


def test_slips_are_told(painted, robust, tmp_path, capsys):
    assert main([str(painted), "robust", "--out", str(tmp_path / "x"), "--corruption", "fog"]) == 1
    assert "fog: unknown" in capsys.readouterr().err
    assert main([str(robust), "robust", "--out", str(tmp_path / "x")]) == 1
    assert "made from a build itself" in capsys.readouterr().err
    assert main([str(painted), "robust", "--out", str(painted)]) == 1
    assert "no derived set" in capsys.readouterr().err
    assert main([str(painted), "robust", "--grid", "2", "--out", str(tmp_path / "x")]) == 1
    assert "no such option" in capsys.readouterr().err


def test_a_hand_says_nothing_of_where_a_part_belongs():
    """One picture with two instructions is right and wrong; what is covered must be the same."""
    seen, elsewhere = [1.0, 2.0, 5.0, 6.0], [20.0, 2.0, 24.0, 6.0]
    right = {"part_box_px": seen, "correct_box_px": seen}
    wrong = {"part_box_px": seen, "correct_box_px": elsewhere}
    assert targets_px(right) == targets_px(wrong) == [tuple(seen)]
    assert targets_px({"part_box_px": None, "correct_box_px": seen}) == [tuple(seen)]


@pytest.mark.parametrize(
    ("kind", "config"),
    [("reference", "state_reference"), ("languages", "object"), ("episode", "episode"),
     ("robust", "state_balanced"), ("robust", "object")],
)  # fmt: skip
def test_a_limit_is_of_each_split_and_cuts_no_group(kind, config, demo, tmp_path):
    few = ("--config", config, *ROBUST[:3], "--severity", "1") * (kind == "robust")
    options = ("--split", "train", "test", "--limit", "1", *few)
    built = derive(demo / "lego-arta", tmp_path / "set", kind, *options)
    assert list(violations(built)) == []
    for split in ("train", "test"):
        rows = [one.columns for one in read_rows(built, config, split)]
        assert rows
        if kind == "reference":
            assert [row["label"] for row in rows].count(1) == 1 and len(rows) == 4
        if kind == "robust":
            assert len(rows) == 4 * 3  # clean, and two corruptions
        if kind == "languages":
            assert len(rows) == 4 * 3

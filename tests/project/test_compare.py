"""Annotators measured side by side: on boxes known exactly, also in pictures made worse."""

import argparse
import json

import numpy as np
import pytest
from makers import Brick, crawl_folder, parts_picture, plain, tiny_manual

from benchmarks import compare, degrade, measure
from builder.annotate.models import ModelOptions
from builder.stages import parse_manual
from core.errors import UserError
from core.pictures.media import Picture

MANUAL = "lego-60001-test-readscr"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    crawl_folder(folder, tiny_manual().rows, MANUAL)
    parse_manual(MANUAL, folder)
    return folder


@pytest.fixture(scope="module")
def truth() -> dict:
    """Of every eop row of the tiny manual: its brick lies in the middle, as `tiny_manual` says."""
    from makers import SESSION_BRICKS, THEMES

    rows = []
    for index, (brick, theme) in enumerate(zip(SESSION_BRICKS, THEMES, strict=True)):
        x0, y0, x1, y1 = brick.box
        width, height = x1 - x0, y1 - y0
        left, top = 240 - width // 2, 180 - height // 2
        box = [left, top, left + 2 * (width // 2), top + 2 * (height // 2)]
        part = {"label": theme, "drawn": 1, "boxes": [box], "union": box}
        rows.append({"row": 2 * index, "eop": [part]})
    return {"manuals": [{"manual_page": f"{MANUAL}/", "rows": rows}]}


@pytest.mark.parametrize(("worse", "least"), [(False, 0.99), (True, 0.9)])
def test_foreground_is_measured_against_exact_boxes(work, truth, worse, least):
    cases = compare.cases_of(work, truth, worse)
    assert len(cases) == 6
    result = compare.compare(["foreground"], cases, ModelOptions())["foreground"]
    assert result["single_part_iou"] >= least and result["iou_over_0.5"] == 1
    assert (result["labels"], result["images"], result["instance_count_right"]) == (6, 6, 1)
    assert result["images_per_s"] > 0
    # A truth that is somewhere else is told: the numbers come from the boxes.
    moved = [case._replace(eop=[{**p, "union": [0, 0, 9, 9]} for p in case.eop]) for case in cases]
    assert compare.compare(["foreground"], moved, ModelOptions())["foreground"]["label_iou"] == 0


def test_the_table_has_a_line_for_each_and_json_the_numbers(work, truth, capsys):
    options = argparse.Namespace(
        work=work, degrade=False, limit=2, compare="foreground", json=False, model=[],
        batch_size=4, dtype="auto", devices="", minigpt_prompt="official",
    )  # fmt: skip
    compare.main(truth, options)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "2 pictures, 2 labels"
    assert shown[1].split() == " ".join(["annotator", *(t for t, _ in compare.COLUMNS)]).split()
    assert shown[2].startswith("foreground ")
    options.json = True
    compare.main(truth, options)
    assert set(json.loads(capsys.readouterr().out)["foreground"]) >= {k for _, k in compare.COLUMNS}


def test_unknown_names_and_foreign_truth_are_one_line(work, truth, tmp_path, capsys):
    cases = compare.cases_of(work, truth)
    with pytest.raises(UserError, match="nobody: unknown; give one of exact, foreground"):
        compare.compare(["foreground+nobody"], cases, ModelOptions())
    file = tmp_path / "truth.json"
    file.write_text(json.dumps({"manuals": []}))
    arguments = ["--work", str(work), "--truth", str(file), "--compare", "foreground"]
    assert measure.main(arguments) == 1
    assert "no picture there that the truth knows" in capsys.readouterr().err


def test_a_consensus_is_measured_with_its_members(work, truth, tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `annotate`")
    from tiny_detectors import make_owlv2

    place = make_owlv2(tmp_path / "owlv2")
    cases = compare.cases_of(work, truth)
    names = ["foreground", "owlv2", "foreground+owlv2"]
    options = ModelOptions((("owlv2", str(place)),), batch_size=4)
    result = compare.compare(names, cases, options)
    assert list(result) == names
    assert result["foreground"]["label_iou"] > 0.99 > result["owlv2"]["label_iou"]
    speed = {name: result[name]["images_per_s"] for name in names}
    assert 1 / speed["foreground+owlv2"] == pytest.approx(
        1 / speed["foreground"] + 1 / speed["owlv2"]
    )


# Degrading -----------------------------------------------------------------------------------

BOX = (160, 120, 300, 220)


def _degraded(rgb, seed="a", alpha=None):
    return degrade.degraded(Picture(rgb, alpha, False), [BOX], seed)


def test_a_picture_is_made_worse_in_all_five_ways():
    rgb = parts_picture([Brick(BOX, (200, 30, 30))], plain(color=(240, 240, 240)))
    worse = _degraded(rgb)
    height, width = rgb.shape[:2]
    assert worse.lossy and worse.alpha is None and worse.size_wh == (width // 2, height // 2)
    grey = worse.rgb.astype(float).mean(axis=2)
    middle, corner = grey[10:30, 110:130].mean(), grey[:8, :8].mean()
    assert corner < middle - 15  # vignette
    at_its_foot, apart = grey[101:106, 151:154].mean(), grey[101:106, 165:175].mean()
    assert at_its_foot < apart - 8  # shadow
    assert 0.5 < grey[20:60, 20:60].std()  # noise, less what JPEG takes away
    assert degrade.degraded_box(BOX) == (80, 60, 150, 110)


def test_it_is_always_the_same_and_differs_by_seed():
    rgb = parts_picture([Brick(BOX, (200, 30, 30))], plain())
    assert np.array_equal(_degraded(rgb).rgb, _degraded(rgb).rgb)
    assert not np.array_equal(_degraded(rgb).rgb, _degraded(rgb, "b").rgb)


def test_a_shadow_lies_beside_the_part_never_on_it():
    rgb = parts_picture([Brick(BOX, (250, 250, 250))], plain(color=(200, 200, 200)))
    shaded = degrade._with_shadows(Picture(rgb, None, False), [BOX])
    x0, y0, x1, y1 = BOX
    assert np.array_equal(shaded[y0:y1, x0:x1], rgb[y0:y1, x0:x1])
    assert shaded[y1 + 3, (x0 + x1) // 2].mean() < 190

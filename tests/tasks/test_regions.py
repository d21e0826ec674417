"""Regions of steps: what a scene says, and what is found where there is none."""

import numpy as np
import pytest
from built import context_of
from hypothesis import given
from hypothesis import strategies as st

from core import nouns
from core.records import Manual, load
from core.store import ROWS
from synthesis.boxes import iou
from synthesis.changes import changed_parts, has_moved
from synthesis.kinds import shades_of, split_by_shades
from tasks.regions import step_regions


@pytest.fixture(scope="module")
def manual_id(demo):
    """A manual of the demo."""
    return min(folder.name for folder in (demo / "w" / ROWS).iterdir())


def _context(demo, manual_id, flat=False):
    context = context_of(demo / "w", manual_id)
    if flat:
        context.__dict__["scene"] = None  # as if nobody knew what was drawn
    return context


def _steps(context):
    return [r for r in context.rows() if not r.is_eop and r.instruction.VLM.task_label]


def test_without_a_scene_regions_are_nearly_those_of_the_scene(demo, manual_id):
    exact, flat = _context(demo, manual_id), _context(demo, manual_id, flat=True)
    ious, boxes, masks, pairs = [], [], [], 0
    for row in _steps(exact):
        known, found = step_regions(exact, row), step_regions(flat, row)
        assert known.source == "exact"
        if isinstance(found, str):
            assert found in ("kinds_look_the_same", "view_changed")  # it is turned round once
            continue
        pairs += 1
        for one, other in zip(known.new, found.new, strict=True):
            assert (one.label, one.color, one.count) == (other.label, other.color, other.count)
            ious.append((one.mask & other.mask).sum() / (one.mask | other.mask).sum())
            boxes.append(iou(one.box_px, other.box_px))
        if known.assembly:
            masks.append(iou(known.assembly.box_px, found.assembly.box_px))
        names = {(r.label, r.color) for r in known.earlier}
        assert {(r.label, r.color) for r in found.earlier} <= names
    assert pairs >= 0.7 * len(_steps(exact))
    assert np.mean(ious) > 0.93 and np.mean(boxes) > 0.95 and np.mean(masks) > 0.98


def test_a_manual_keeps_the_bare_part_of_every_step_with_regions(demo, manual_id):
    context, folder = _context(demo, manual_id), demo / "w" / ROWS / manual_id
    kept = load(folder / "manual.json", Manual)
    by_id = {i.instruction_id: i.VLM for i in kept.instructions}
    for row in _steps(context):
        vlm = by_id[row.instruction.instruction_id]
        assert (folder / vlm.parts_img_path).is_file()
        assert (vlm.background_rect is None) == (step_regions(context, row).assembly is None)


def test_a_moved_view_is_seen_and_an_outline_that_goes_is_none():
    before = np.zeros((720, 960), bool)
    before[200:500, 300:700] = True
    ring = before.copy()
    ring[196:200, 300:700] = True  # the outline of the step before
    assert not has_moved(before, ring)
    assert has_moved(np.roll(before, 40, axis=1), before)


def test_a_part_in_the_colour_of_what_it_covers_is_found_by_its_edges():
    before = np.full((720, 960, 3), 200, np.uint8)
    now = before.copy()
    now[300:400, 300:500] = 120  # its edge lines ...
    now[303:397, 303:497] = 200  # ... its face like what is behind it
    now[10, 10] = 0  # a speck
    found = changed_parts(now, before)
    assert found[300:400, 300:500].all() and found.sum() == 100 * 200


@given(st.lists(st.integers(0, 2), min_size=3, max_size=6).filter(lambda k: len(set(k)) == 3))
def test_kinds_are_taken_apart_by_their_shades(order):
    colors = np.array([(200, 30, 20), (20, 60, 180), (240, 240, 235)], np.uint8)
    shades = [shades_of(np.repeat(color[None], 50, axis=0)) for color in colors]
    rgb = np.repeat(np.repeat(colors[order][None], 40, axis=0), 60, axis=1)
    found = split_by_shades(rgb, np.ones(rgb.shape[:2], bool), shades)
    assert np.add.reduce([one.astype(int) for one in found]).max() == 1
    for kind, mask in enumerate(found):
        truth = np.repeat(np.repeat((np.array(order) == kind)[None], 40, axis=0), 60, axis=1)
        assert (mask & truth).sum() >= 0.95 * truth.sum()


def test_a_kind_that_is_not_there_is_not_made_up():
    rgb = np.full((50, 50, 3), 30, np.uint8)
    shades = [shades_of(rgb.reshape(-1, 3)), shades_of(np.full((9, 3), 250, np.uint8))]
    assert split_by_shades(rgb, np.ones((50, 50), bool), shades) is None


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("roof tile 1x2x⅔", "roof tiles 1x2x⅔"),
        ("arch 1x4", "arches 1x4"),
        ("hose", "hoses"),
        ("leaf 2x2", "leaves 2x2"),
        ("canopy", "canopies"),
        ("glass", "glass"),
        ("flat tile 1x2 with grille", "flat tiles 1x2 with grille"),
        ("hinge control stick base", "hinge control stick bases"),
        ("bus", "bus"),
    ],
)
def test_numbers_of_names(one, several):
    assert nouns.singular(several) == one
    assert nouns.with_number(one, 2) in (several, f"{one}es")


@pytest.mark.parametrize(
    ("words", "article"),
    [("arch", "an"), ("brick", "a"), ("1x2 plate", "a"), ("8x8 plate", "an"), ("uniform", "a"),
     ("umbrella", "an"), ("80 studs", "a")],
)  # fmt: skip
def test_articles(words, article):
    assert nouns.article(words) == article

"""The new part's mask, and where the outline of the step before lies, against the truth (T13)."""

import itertools
import json

import cv2
import numpy as np
import pytest
from drawn import random_drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import (
    MAGENTA,
    RED,
    SESSION_BRICKS,
    YELLOW,
    Brick,
    as_jpeg,
    disc,
    plain,
    step_pictures,
)
from outside import MANUAL_SITE

from core.pictures.media import read_picture
from synthesis import boxes
from synthesis.boundary import LOSSY_TOLERANCE, TOLERANCE
from synthesis.segmentation import old_outline, segment

STEPS = step_pictures(SESSION_BRICKS)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


# Segmentation -------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(STEPS)))
def test_the_mask_is_the_drawn_part(index):
    before = STEPS[index - 1].rgb if index else None
    found = segment(STEPS[index].rgb, before, MAGENTA, TOLERANCE)
    assert found is not None
    assert _iou(found.part, STEPS[index].part) > 0.93
    assert boxes.iou(found.box_px, boxes.of_mask(STEPS[index].part)) > 0.93
    assert _iou(found.outline, STEPS[index].outline) > 0.85
    assert found.box_px == boxes.of_mask(found.part)


@pytest.mark.parametrize("quality", [95, 80])
def test_the_mask_survives_jpeg(quality):
    before, now = (as_jpeg(step.rgb, quality) for step in STEPS[1:3])
    found = segment(now, before, MAGENTA, LOSSY_TOLERANCE)
    assert found is not None
    assert _iou(found.part, STEPS[2].part) > 0.85


def _outlined(before: np.ndarray, part: np.ndarray, color=RED) -> np.ndarray:
    picture = before.copy()
    picture[part > 0] = color
    band = cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))
    picture[band > 0] = MAGENTA
    return picture


def test_what_is_seen_through_a_hole_is_no_part_of_it():
    """A wheel arch or a ring: pasting what is behind it elsewhere would be absurd."""
    before = step_pictures(SESSION_BRICKS[:1], None)[0].rgb
    ring = np.zeros(before.shape[:2], np.uint8)
    cv2.circle(ring, (240, 240), 60, 1, -1)
    cv2.circle(ring, (240, 240), 35, 0, -1)
    found = segment(_outlined(before, ring), before, MAGENTA, TOLERANCE)
    assert found is not None
    assert _iou(found.part, ring > 0) > 0.85
    assert not found.part[240, 240]


def test_several_new_parts_are_one_mask():
    before = step_pictures(SESSION_BRICKS[:1], None)[0].rgb
    several = np.zeros(before.shape[:2], np.uint8)
    several[180:235, 80:140] = several[180:235, 200:260] = several[150:235, 320:380] = 1
    found = segment(_outlined(before, several), before, MAGENTA, TOLERANCE)
    assert found is not None
    assert _iou(found.part, several > 0) > 0.93
    assert found.box_px == pytest.approx((80, 150, 380, 235), abs=1.5)


def test_a_brick_of_the_outlines_colour_that_was_there_before_is_not_cut_out():
    bricks = [
        SESSION_BRICKS[0],
        Brick((80, 150, 150, 245), MAGENTA),
        Brick((300, 160, 400, 245), YELLOW),
    ]
    before = step_pictures(bricks[:2], None)[-1].rgb
    now = step_pictures(bricks)[-1]
    found = segment(now.rgb, before, MAGENTA, TOLERANCE)
    assert found is not None
    assert _iou(found.part, now.part) > 0.93


def test_a_part_at_the_edge_of_the_picture_is_closed_by_the_edge_or_refused():
    """An outline cut off by the picture's edge encloses nothing: no mask is better than half."""
    before = plain()
    part = np.zeros(before.shape[:2], np.uint8)
    part[100:200, 0:80] = 1
    found = segment(_outlined(before, part), before, MAGENTA, TOLERANCE)
    assert found is None or _iou(found.part, part > 0) > 0.85


@pytest.mark.parametrize(
    "picture",
    [
        plain(),  # empty
        step_pictures(SESSION_BRICKS[:2], None)[-1].rgb,  # parts, but no outline
    ],
    ids=["empty", "no outline"],
)
def test_no_outline_gives_none(picture):
    assert segment(picture, plain(), MAGENTA, TOLERANCE) is None


# What the outline of the step before covers --------------------------------------------------


def _old(index: int) -> np.ndarray:
    before, now = STEPS[index - 1].rgb, STEPS[index].rgb
    found = segment(now, before, MAGENTA, TOLERANCE)
    assert found is not None
    return old_outline(now, before, found, MAGENTA, TOLERANCE)


@pytest.mark.parametrize("index", range(1, len(STEPS)))
def test_the_old_outline_is_the_drawn_one(index):
    assert _iou(_old(index), STEPS[index - 1].outline) > 0.85


def _with_magenta_brick(box: tuple[int, int, int, int]):
    """A brick of the outline's colour among the others; what comes after it, outlined."""
    bricks = [SESSION_BRICKS[0], Brick(box, MAGENTA), *SESSION_BRICKS[1:4]]
    steps = step_pictures(bricks)
    return steps[2:], step_pictures(bricks, None)[2:]


@pytest.mark.parametrize("box", [(200, 120, 300, 160), (60, 231, 130, 262), (400, 60, 470, 90)])
def test_bricks_of_the_outlines_colour_are_no_outline(box):
    """They stay on the canvas in all pictures; taken for an outline they would be smeared over."""
    steps, _ = _with_magenta_brick(box)
    before, now = steps[0], steps[1]
    found = segment(now.rgb, before.rgb, MAGENTA, TOLERANCE)
    assert found is not None
    old = old_outline(now.rgb, before.rgb, found, MAGENTA, TOLERANCE)
    assert _iou(old, before.outline) > 0.8
    x0, y0, x1, y1 = box
    brick = np.zeros(old.shape, bool)
    brick[y0:y1, x0:x1] = True
    near = cv2.dilate(before.outline.astype(np.uint8), disc(2)) > 0
    assert not (old & brick & ~near).any()


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_without_an_outline_before_there_is_no_old_one(seed):
    drawn = random_drawn(seed)
    # Widths of outlines go by the picture's: as a piece of one 960 px wide.
    picture, ground = (
        np.pad(p, ((0, 0), (0, 800), (0, 0)), mode="edge") for p in (drawn.picture(), drawn.ground)
    )
    found = segment(picture, ground, MAGENTA, TOLERANCE)
    assert found is not None
    # Of a part 12 px across, half of whose rim is taken for outline, 0.83.
    assert _iou(found.part[:, :160], drawn.segment.part) > 0.8
    assert _iou(found.outline[:, :160], drawn.segment.outline) > 0.75  # soft rims are left out
    assert not old_outline(picture, ground, found, MAGENTA, TOLERANCE).any()


# Rendered models ----------------------------------------------------------------------------


@pytest.mark.manual_site
@pytest.mark.parametrize(
    ("number", "least"),
    [("10156", 0.9), ("6716", 0.75)],  # transparent PNG, JPEG
)
def test_masks_of_rendered_parts(number, least):
    """The mean over a few steps: parts half hidden and parts with holes are among them."""
    manuals = json.loads((MANUAL_SITE / "truth.json").read_text(encoding="utf-8"))["manuals"]
    (manual,) = (m for m in manuals if m["id"] == number)
    steps = [row for row in manual["rows"] if row.get("step") and row["highlight"]]
    scores = []
    for before, now in list(itertools.pairwise(steps))[:8]:
        then, picture = (read_picture(MANUAL_SITE / "site" / r["image"]) for r in (before, now))
        if before["session"] != now["session"] or then.rgb.shape != picture.rgb.shape:
            continue
        color = tuple(bytes.fromhex(now["highlight"][1:]))
        tolerance = LOSSY_TOLERANCE if picture.lossy else TOLERANCE
        found = segment(picture.rgb, then.rgb, color, tolerance)
        truth = cv2.imread(str(MANUAL_SITE / now["step"]["mask"]), cv2.IMREAD_GRAYSCALE) > 0
        scores.append(_iou(found.part, truth) if found else 0.0)
    assert np.mean(scores) > least

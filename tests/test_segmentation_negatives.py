"""The new part's mask against the truth, and wrong states made from it (T13, T14)."""

import itertools
import json
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import (
    BLUE,
    GREY,
    MAGENTA,
    PAPER,
    RED,
    SESSION_BRICKS,
    YELLOW,
    Brick,
    as_jpeg,
    disc,
    plain,
    step_pictures,
)

from builder.media import read_picture
from synthesis import boxes
from synthesis.boundary import LOSSY_TOLERANCE, TOLERANCE, color_mask
from synthesis.foreground import foreground_mask
from synthesis.negatives import (
    NEGATIVES_PER_STEP,
    canvas_without_part,
    paste,
    place,
    shift_fraction,
    view_changed,
)
from synthesis.segmentation import Segment, segment

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
    assert not (found.part & ~found.cut).any()


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


# Negatives ----------------------------------------------------------------------------------


def _negatives(index: int, seed: object):
    before, now = STEPS[index - 1].rgb, STEPS[index].rgb
    found = segment(now, before, MAGENTA, TOLERANCE)
    assert found is not None
    old = color_mask(before, MAGENTA, TOLERANCE).astype(bool)
    canvas = canvas_without_part(now, before, found, old)
    assembly = foreground_mask(before)
    background = boxes.of_mask(assembly)
    assert background is not None
    return found, canvas, background, place(found, assembly, background, random.Random(str(seed)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, len(STEPS) - 1), st.integers(0, 10**9))
def test_three_different_wrong_places_and_every_pixel_accounted_for(index, seed):
    found, canvas, background, moves = _negatives(index, seed)
    now = STEPS[index].rgb
    height, width = now.shape[:2]
    assert len(moves) == NEGATIVES_PER_STEP
    results = set()
    for move in moves:
        dx, dy = move.shift_xy_px
        # The shift is what is stored, and at least 5 % of the background box.
        assert move.shift_fraction == shift_fraction((dx, dy), background) >= 0.05
        assert move.box_px == tuple(v + d for v, d in zip(found.box_px, (dx, dy) * 2, strict=True))
        # Clipped nowhere; inside the background box where it fits, else its middle is.
        moved_cut = np.zeros((height, width), bool)
        ys, xs = np.nonzero(found.cut)
        assert ys.min() + dy >= 0 and xs.min() + dx >= 0
        moved_cut[ys + dy, xs + dx] = True
        x0, y0, x1, y1 = boxes.of_mask(moved_cut)
        fits = all(
            high - low <= background[axis + 2] - background[axis]
            for axis, low, high in ((0, x0, x1), (1, y0, y1))
        )
        inner = (x0, y0, x1, y1) if fits else ((x0 + x1) / 2, (y0 + y1) / 2) * 2
        assert background[0] <= inner[0] and inner[2] <= background[2]
        assert background[1] <= inner[1] and inner[3] <= background[3]
        # The pasted pixels are the cut, all others the canvas.
        result = paste(canvas, now, found.cut, move.shift_xy_px)
        assert (result[ys + dy, xs + dx] == now[ys, xs]).all()
        assert (result[~moved_cut] == canvas[~moved_cut]).all()
        # Never on the right place.
        moved_part = np.zeros((height, width), bool)
        ys, xs = np.nonzero(found.part)
        moved_part[ys + dy, xs + dx] = True
        assert _iou(moved_part, found.part) <= 0.6
        results.add(result.tobytes())
    assert len(results) == NEGATIVES_PER_STEP
    for a, b in ((0, 1), (0, 2), (1, 2)):
        first, second = moves[a].shift_xy_px, moves[b].shift_xy_px
        apart = (first[0] - second[0], first[1] - second[1])
        assert shift_fraction(apart, background) >= 0.05


def test_the_same_generator_state_gives_the_same_places():
    assert _negatives(2, "a")[3] == _negatives(2, "a")[3] != _negatives(2, "b")[3]


@pytest.mark.parametrize("index", range(1, len(STEPS)))
def test_no_outline_is_left_in_the_canvas_and_one_is_in_a_negative(index):
    """Two outlines in wrong pictures and one in right ones would give the label away."""
    found, canvas, _, moves = _negatives(index, 0)
    now = STEPS[index].rgb
    left = int(color_mask(canvas, MAGENTA, 90).sum())
    assert left <= 4
    pasted = paste(canvas, now, found.cut, moves[0].shift_xy_px)
    right, wrong = (int(color_mask(p, MAGENTA, TOLERANCE).sum()) for p in (now, pasted))
    assert wrong == pytest.approx(right, rel=0.02)


def test_the_canvas_under_the_part_is_what_stood_there_before():
    """Behind a part that was taken away there must be the assembly, not a smear."""
    index = 2
    found, canvas, _, _ = _negatives(index, 0)
    without = step_pictures(SESSION_BRICKS[:index], None)[-1].rgb
    inner = cv2.erode(found.cut.astype(np.uint8), disc(2)).astype(bool)
    old_outline = cv2.dilate(STEPS[index - 1].outline.astype(np.uint8), disc(4)).astype(bool)
    assert (canvas == without)[inner & ~old_outline].all()


def test_a_part_larger_than_the_assembly_is_placed_by_its_middle_or_not_at_all():
    """A second plate under a single brick: there may be no three wrong places."""
    bricks = [Brick((220, 150, 260, 190), BLUE), Brick((100, 180, 380, 300), GREY)]
    before, now = (step.rgb for step in step_pictures(bricks))
    found = segment(now, before, MAGENTA, TOLERANCE)
    assembly = foreground_mask(before)
    background = boxes.of_mask(assembly)
    for move in place(found, assembly, background, random.Random(0)):
        x0, y0, x1, y1 = move.box_px
        assert 0 <= x0 and 0 <= y0 and x1 <= 480 and y1 <= 360
        assert move.shift_fraction >= 0.05


def _solid(box: tuple[int, int, int, int], part: np.ndarray | None = None) -> Segment:
    """A part in an 80 x 60 picture: all of the box, or its given pixels."""
    x0, y0, x1, y1 = box
    cut = np.zeros((60, 80), bool)
    cut[y0:y1, x0:x1] = True
    return Segment(cut if part is None else cut & part, cut, tuple(map(float, box)))


def _places(piece: Segment, assembly: np.ndarray) -> list:
    seeds = range(15)
    background = boxes.of_mask(assembly)
    return [m for seed in seeds for m in place(piece, assembly, background, random.Random(seed))]


def test_a_shift_below_five_percent_is_no_wrong_state():
    """Stripes: moved by 3 of 80 px they lie beside themselves, yet nobody would call it wrong."""
    stripes = np.arange(80) % 8 < 2
    piece = _solid((0, 0, 77, 58), np.broadcast_to(stripes, (60, 80)))
    assert _places(piece, np.ones((60, 80), bool)) == []


def test_a_large_part_that_still_covers_its_right_place_is_no_wrong_state():
    piece = _solid((5, 5, 65, 50))
    moves = _places(piece, np.ones((60, 80), bool))
    assert moves
    assert all(boxes.iou(move.box_px, piece.box_px) <= 0.6 for move in moves)


def test_a_wrong_place_lies_on_the_assembly_not_in_the_air():
    """The background box of an L holds much air."""
    assembly = np.zeros((60, 80), bool)
    assembly[:, :15] = assembly[50:] = True
    moves = _places(_solid((2, 2, 12, 12)), assembly)
    assert moves
    for move in moves:
        x0, y0, x1, y1 = (int(v) for v in move.box_px)
        assert assembly[y0:y1, x0:x1].mean() >= 0.25


def test_a_part_with_nowhere_to_go_gets_no_place():
    full = np.ones((60, 80), bool)
    everything = Segment(full, full, (0, 0, 80, 60))
    assert place(everything, full, (0.0, 0.0, 80.0, 60.0), random.Random(0)) == []


@pytest.mark.parametrize(
    "shift",
    [
        (-51, 0),  # off the left
        (0, -41),  # off the top
        (300, 0),  # off the right
        (0, 300),  # off the bottom
    ],
)
def test_a_paste_that_would_be_clipped_is_refused(shift):
    cut = np.zeros((360, 480), bool)
    cut[40:100, 50:200] = True
    with pytest.raises(ValueError, match="moves"):
        paste(plain(), plain(color=RED), cut, shift)


def test_a_paste_leaves_its_inputs_alone():
    canvas, picture = plain(), plain(color=RED)
    cut = np.zeros((360, 480), bool)
    cut[40:60, 50:70] = True
    paste(canvas, picture, cut, (5, 5))
    assert (canvas == PAPER).all()
    assert (picture == RED).all()


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ((10, 0), 0.1),  # 10 of 100 px wide
        ((0, -10), 0.2),  # 10 of 50 px high, either way
        ((4, 3), 0.06),  # the larger of the two shares (A16)
        ((0, 0), 0.0),  # not moved
    ],
)
def test_shift_fraction_golden(shift, expected):
    assert shift_fraction(shift, (20, 20, 120, 70)) == pytest.approx(expected)


# Rendered models ----------------------------------------------------------------------------

MANUAL_SITE = Path(__file__).resolve().parent.parent.parent / "shared" / "manual-site"


@pytest.mark.manual_site
@pytest.mark.skipif(not MANUAL_SITE.is_dir(), reason="the rendered manual site is not at hand")
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


def test_a_moved_view_is_told_from_a_new_part():
    """A canvas of two views would be torn, in negatives only."""
    rng = np.random.default_rng(1)
    before = cv2.resize(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8), (400, 300))
    mask = np.zeros((300, 400), bool)
    mask[100:140, 200:260] = True
    found = Segment(part=mask, cut=mask, box_px=(200.0, 100.0, 260.0, 140.0))
    nothing = np.zeros_like(mask)
    after = before.copy()
    after[mask] = (255, 0, 0)
    assert not view_changed(after, before, found, nothing)
    assert view_changed(np.roll(after, 30, axis=1), before, found, nothing)


def test_the_canvas_holds_no_color_that_neither_picture_has():
    """Colours of our own making would tell a negative from a positive."""
    before = np.full((120, 160, 3), 255, np.uint8)
    before[40:90, 30:120] = (0, 60, 160)
    after = before.copy()
    cv2.rectangle(before, (50, 50), (90, 80), (255, 0, 255), 3)  # the outline of the step before
    mask = np.zeros((120, 160), bool)
    mask[30:85, 60:110] = True
    after[mask] = (200, 0, 0)
    found = Segment(part=mask, cut=mask, box_px=(60.0, 30.0, 110.0, 85.0))
    outline = (before == (255, 0, 255)).all(axis=2)
    canvas = canvas_without_part(after, before, found, outline)
    colors = {tuple(pixel) for pixel in canvas.reshape(-1, 3).tolist()}
    assert colors <= {(255, 255, 255), (0, 60, 160)}

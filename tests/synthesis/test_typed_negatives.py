"""Wrong states of every kind against what they must show, and what screening turns down."""

import itertools
import random

import cv2
import numpy as np
import pytest
from drawn import all_kinds, corner, lies, scene_of
from makers import (
    BLUE,
    GREY,
    MAGENTA,
    RED,
    SESSION_BRICKS,
    Brick,
    disc,
    plain,
    step_pictures,
)

from synthesis import boxes
from synthesis.boundary import TOLERANCE, color_mask
from synthesis.cutout import Cutout, put_down
from synthesis.negatives import (
    NEGATIVES_PER_STEP,
    PART_PX_MIN_AT_960,
    Earlier,
    Scene,
    Supply,
    color_distance,
    make_scene,
    too_small,
    wrong_states,
)
from synthesis.pixels import difference
from synthesis.placement import SHIFT_FRACTION_MIN, shift_fraction
from synthesis.segmentation import Segment

STEPS = step_pictures(SESSION_BRICKS)
SCENES = [scene_of(a.rgb, b.rgb) for a, b in itertools.pairwise(STEPS)]
CORNER = corner()


# What every kind shows ----------------------------------------------------------------------


def test_a_turned_part_shows_the_same_pixels_turned_about_its_middle():
    cutout, turns = CORNER.cutout, set()
    for seed in range(16):
        typed, screened = all_kinds(CORNER, seed)
        wrong = typed["rotate"]
        turns.add(wrong.turn)
        assert (wrong.shift_xy_px, wrong.shift_fraction) == ((0, 0), 0.0)
        assert not any(key.startswith("rotate") for key in screened)
        turned = np.rot90(cutout.rgb, wrong.turn)
        solid = np.rot90(cutout.alpha == 1, wrong.turn)
        middle = [cutout.xy_px[a] + cutout.alpha.shape[1 - a] / 2 for a in (0, 1)]
        x, y = (
            int(np.floor(m - s / 2 + 0.25)) for m, s in zip(middle, solid.shape[::-1], strict=True)
        )
        seen = wrong.rgb[y : y + solid.shape[0], x : x + solid.shape[1]]
        assert (seen == turned)[solid].mean() > 0.98
        part = boxes.of_mask(np.rot90(cutout.part, wrong.turn))
        assert wrong.part_box_px == pytest.approx(
            (part[0] + x, part[1] + y, part[2] + x, part[3] + y), abs=1
        )
    assert turns == {1, 2, 3}


def test_a_mirrored_part_shows_left_and_right_exchanged_in_the_same_place():
    wrong, cutout = all_kinds(CORNER)[0]["mirror"], CORNER.cutout
    x, y = cutout.xy_px
    height, width = cutout.alpha.shape
    seen = wrong.rgb[y : y + height, x : x + width][:, ::-1]
    assert (seen == cutout.rgb)[cutout.alpha == 1].all()
    part = boxes.of_mask(cutout.part[:, ::-1])
    assert wrong.part_box_px == (part[0] + x, part[1] + y, part[2] + x, part[3] + y)


def test_a_wrong_colour_is_one_of_those_given_and_far_from_the_right_one():
    scene = SCENES[0]  # blue
    for seed in range(4):
        wrong = all_kinds(scene, seed, colors=(BLUE, (35, 95, 175), RED))[0]["wrong_color"]
        x0, y0, x1, _ = (int(v) for v in scene.cutout.box_px)
        face = np.median(wrong.rgb[y0 + 8 : y0 + 30, x0 + 10 : x1 - 10].reshape(-1, 3), axis=0)
        assert color_distance(tuple(face), RED) < 12
        assert wrong.part_box_px == scene.cutout.box_px
    typed, _ = all_kinds(scene, 0, colors=(BLUE, (35, 95, 175)))
    assert "wrong_color" not in typed
    assert "wrong_color" not in all_kinds(scene, 0)[0]


def test_another_part_lies_with_its_middle_where_the_right_ones_is():
    scene, other = SCENES[0], SCENES[4].cutout
    wrong = all_kinds(scene, 0, others=lambda: [other])[0]["wrong_part"]
    right, found = scene.cutout.box_px, wrong.part_box_px
    assert found[2] - found[0] == other.box_px[2] - other.box_px[0]
    assert found[3] - found[1] == other.box_px[3] - other.box_px[1]
    for axis in (0, 1):
        assert found[axis] + found[axis + 2] == pytest.approx(right[axis] + right[axis + 2], abs=1)
    dx, dy = (int(found[axis] - other.box_px[axis]) for axis in (0, 1))
    x, y = other.xy_px[0] + dx, other.xy_px[1] + dy
    height, width = other.alpha.shape
    solid = other.alpha == 1
    assert (wrong.rgb[y : y + height, x : x + width][solid] == other.rgb[solid]).all()
    # The right part is not there: outside the other one is what stood there before.
    there = np.zeros(wrong.rgb.shape[:2], bool)
    there[y : y + height, x : x + width] = other.alpha > 0
    assert (wrong.rgb == scene.canvas)[~there].all()


def test_a_part_that_could_be_taken_for_the_right_one_is_no_other_part():
    scene = SCENES[1]
    typed, screened = all_kinds(scene, 0, others=lambda: [scene.cutout, scene.cutout])
    assert "wrong_part" not in typed
    assert screened["wrong_part: looks_the_same"] == 2


@pytest.mark.parametrize("index", range(len(SCENES)))
def test_a_missing_part_looks_like_the_step_before(index):
    typed, screened = all_kinds(SCENES[index])
    if "missing" not in typed:
        assert screened["missing: change_too_small"] == 1
        return
    wrong, before = typed["missing"], STEPS[index].rgb
    assert wrong.part_box_px is None
    assert (wrong.shift_xy_px, wrong.shift_fraction) == ((0, 0), 0.0)
    # With the outline of then; its rim is mixed as those of all pictures are.
    error = difference(wrong.rgb, before)
    assert (error > 60).mean() < 0.004
    near = cv2.dilate(STEPS[index].outline.astype(np.uint8), disc(4)) > 0
    assert (wrong.rgb == before)[~near].all()


def test_one_too_many_shows_the_part_twice_and_one_outline():
    for index in (0, 1, 3):
        scene = SCENES[index]
        typed, _ = all_kinds(scene)
        wrong, cutout = typed["extra"], scene.cutout
        assert wrong.shift_fraction == shift_fraction(wrong.shift_xy_px, scene.background_px)
        assert wrong.shift_fraction >= SHIFT_FRACTION_MIN
        dx, dy = wrong.shift_xy_px
        assert wrong.part_box_px == tuple(
            v + d for v, d in zip(cutout.box_px, (dx, dy) * 2, strict=True)
        )
        # A whole one with its outline at the wrong place ...
        assert (put_down(wrong.rgb, cutout, (dx, dy)) == wrong.rgb).mean() > 0.999
        # ... and one without at the right place, where the first does not hide it.
        there = lies(cutout, (dx, dy), wrong.rgb)
        x, y = cutout.xy_px
        height, width = cutout.alpha.shape
        inner = np.zeros_like(there)
        inner[y : y + height, x : x + width] = cv2.erode(
            (cutout.part & ~cutout.outline).astype(np.uint8), disc(3)
        )
        assert (wrong.rgb == scene.right)[inner & ~there].all()
        wanted = int(color_mask(scene.right, MAGENTA, TOLERANCE).sum())
        assert color_mask(wrong.rgb, MAGENTA, TOLERANCE).sum() == pytest.approx(wanted, rel=0.02)


# Screening ----------------------------------------------------------------------------------


def _symmetric() -> Scene:
    """A round part of one colour, upright in the middle of a plate."""
    before = step_pictures([SESSION_BRICKS[0]], None)[0].rgb
    part = np.zeros(before.shape[:2], np.uint8)
    cv2.circle(part, (220, 250), 25, 1, -1)
    now = before.copy()
    now[part > 0] = RED
    now[(cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))) > 0] = MAGENTA
    return scene_of(before, now)


def test_a_symmetric_part_is_neither_turned_nor_mirrored():
    typed, screened = all_kinds(_symmetric())
    assert not {"rotate", "mirror"} & set(typed)
    assert screened["rotate: looks_the_same"] == 3
    assert screened["mirror: looks_the_same"] == 1


@pytest.mark.parametrize("index", range(len(SCENES)))
def test_a_brick_that_is_alike_left_and_right_is_not_mirrored(index):
    """Drawn bricks have a face above a darker side: turned they differ, mirrored they don't."""
    cutout = SCENES[index].cutout
    same = (difference(cutout.rgb, np.ascontiguousarray(cutout.rgb[:, ::-1])) < 32).mean()
    typed, screened = all_kinds(SCENES[index])
    if same > 0.97:
        assert "mirror" not in typed and screened["mirror: looks_the_same"] == 1


def test_nothing_is_left_hanging_in_the_air():
    """One part on a column, one on the low plate beside it: turned or mirrored as one, the first
    would hang over the plate."""
    standing = (Brick((100, 280, 400, 300), GREY), Brick((100, 120, 160, 282), GREY))
    before = step_pictures(standing, None)[-1].rgb
    part = np.zeros(before.shape[:2], np.uint8)
    part[96:124, 110:150] = part[256:284, 350:390] = 1
    now = before.copy()
    now[part > 0] = BLUE
    now[(cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))) > 0] = MAGENTA
    typed, screened = all_kinds(scene_of(before, now), colors=[RED])
    assert screened["mirror: hovers"] == 1 and screened["rotate: hovers"] >= 1
    assert not {"mirror", "rotate"} & typed.keys() and "wrong_color" in typed


def test_a_change_too_small_to_see_is_turned_down_and_counted():
    """A grey part on a grey plate: moved along it hardly anything changes."""
    before = plain(color=GREY)
    before[:6] = before[-6:] = 255
    before[:, :6] = before[:, -6:] = 255
    part = np.zeros(before.shape[:2], np.uint8)
    part[150:200, 200:270] = 1
    now = before.copy()
    now[part > 0] = tuple(v + 5 for v in GREY)
    now[(cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))) > 0] = MAGENTA
    found = Segment(
        part > 0,
        (cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))) > 0,
        boxes.of_mask(part),
    )
    nothing = np.zeros(part.shape, bool)
    assembly = np.zeros(part.shape, bool)
    assembly[6:-6, 6:-6] = True
    scene = make_scene(now, before, found, Earlier(nothing, nothing), assembly)
    supply = Supply()
    assert wrong_states(scene, False, random.Random(0), supply) == []
    assert supply.screened == {"shift: change_too_small": NEGATIVES_PER_STEP}


def test_a_part_of_which_hardly_anything_shows_is_too_small():
    part = np.zeros((40, 40), bool)
    part[10:20, 10:16] = True
    outline = np.zeros_like(part)
    cutout = Cutout(np.zeros((40, 40, 3), np.uint8), part.astype(np.float32), part, outline, (0, 0))
    assert part.sum() == PART_PX_MIN_AT_960
    assert not too_small(cutout, 960)
    assert too_small(cutout, 1000)
    outline[10, 10] = True
    assert too_small(cutout, 960)
    assert not too_small(cutout, 480)

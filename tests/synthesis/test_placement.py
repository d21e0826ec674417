"""Wrong places of a part: far enough, on the assembly, clipped nowhere, and like the right one."""

import random

import numpy as np
import pytest
from drawn import scene_of
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import BLUE, GREY, MAGENTA, SESSION_BRICKS, Brick, step_pictures

from synthesis import boxes
from synthesis.cutout import Cutout, put_down
from synthesis.negatives import NEGATIVES_PER_STEP
from synthesis.placement import (
    GRID_PX,
    LOSSY_GRID_PX,
    ON_ASSEMBLY_MIN,
    SHIFT_FRACTION_MIN,
    Place,
    shift_fraction,
    surroundings,
    wrong_places,
)

STEPS = step_pictures(SESSION_BRICKS)
few = settings(max_examples=10)


SCENES = {
    (index, lossy): scene_of(STEPS[index - 1].rgb, STEPS[index].rgb, lossy)
    for index in range(1, len(STEPS))
    for lossy in (False, True)
}


def _places(scene, seed: object, number: int = NEGATIVES_PER_STEP) -> list[Place]:
    return wrong_places(
        scene.cutout, scene.canvas, scene.assembly, scene.background_px,
        random.Random(str(seed)), number, scene.lossy,
    )  # fmt: skip


def _moved(mask: np.ndarray, cutout: Cutout, shift: tuple[int, int], like: np.ndarray):
    """A mask of the cut-out in the whole picture, at a shift."""
    whole = np.zeros(like.shape[:2], bool)
    x, y = cutout.xy_px[0] + shift[0], cutout.xy_px[1] + shift[1]
    assert x >= 0 and y >= 0
    height, width = mask.shape
    whole[y : y + height, x : x + width] = mask
    return whole


@few
@given(st.integers(1, len(STEPS) - 1), st.booleans(), st.integers(0, 10**9))
def test_three_wrong_places_of_a_step(index, lossy, seed):
    scene = SCENES[index, lossy]
    cutout, background = scene.cutout, scene.background_px
    places = _places(scene, seed)
    assert len(places) == NEGATIVES_PER_STEP
    part = _moved(cutout.part, cutout, (0, 0), scene.canvas)
    for place in places:
        dx, dy = place.shift_xy_px
        # A16: the shift is what is stored, and at least 5 % of the background box.
        assert place.shift_fraction == shift_fraction((dx, dy), background)
        assert place.shift_fraction >= SHIFT_FRACTION_MIN
        assert place.box_px == tuple(
            v + d for v, d in zip(cutout.box_px, (dx, dy) * 2, strict=True)
        )
        step = LOSSY_GRID_PX if lossy else GRID_PX
        assert (dx % step, dy % step) == (0, 0)  # lossy: the grid of blocks stays in place
        put_down(scene.canvas, cutout, (dx, dy))  # raises when clipped
        moved = _moved(cutout.part, cutout, (dx, dy), scene.canvas)
        assert moved.sum() == part.sum()
        assert (moved & part).sum() / (moved | part).sum() <= 0.45
        # The map is coarse; by exact count it may be a little less.
        assert (moved & scene.assembly).sum() >= 0.8 * ON_ASSEMBLY_MIN * moved.sum()
        _assert_in_background(cutout, (dx, dy), background)
    _assert_apart(places, background)


def _assert_in_background(cutout: Cutout, shift: tuple[int, int], background: boxes.Box) -> None:
    """Its middle is inside: one that is to stick out as at the right place can't be so wholly."""
    for axis in (0, 1):
        low, size = cutout.xy_px[axis] + shift[axis], cutout.alpha.shape[1 - axis]
        assert background[axis] <= low + size / 2 <= background[axis + 2]


def _assert_apart(places: list[Place], background: boxes.Box) -> None:
    for number, one in enumerate(places):
        for other in places[:number]:
            apart = [a - b for a, b in zip(one.shift_xy_px, other.shift_xy_px, strict=True)]
            assert shift_fraction((apart[0], apart[1]), background) >= SHIFT_FRACTION_MIN


def test_the_same_generator_state_gives_the_same_places():
    scene = SCENES[2, False]
    assert _places(scene, "a") == _places(scene, "a")
    assert len({tuple(_places(scene, seed)) for seed in range(5)}) > 1


def test_as_many_places_as_asked_for_and_none_twice():
    for number in (1, 2, 5):
        places = _places(SCENES[1, False], 0, number)
        assert len(places) == len({p.shift_xy_px for p in places}) == number
        _assert_apart(places, SCENES[1, False].background_px)


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


# Made-up parts ------------------------------------------------------------------------------


def _flat(box: tuple[int, int, int, int], part: np.ndarray | None = None) -> Cutout:
    """A part with a thin outline: all of the box, or given pixels (h, w) of it."""
    x0, y0, x1, y1 = box
    solid = np.ones((y1 - y0, x1 - x0), bool) if part is None else part
    outline = solid.copy()
    outline[2:-2, 2:-2] = False
    rgb = np.where(outline[..., None], MAGENTA, BLUE).astype(np.uint8)
    return Cutout(rgb, solid.astype(np.float32), solid, outline, (x0, y0))


def _all_places(cutout: Cutout, assembly: np.ndarray, seeds: int = 5) -> list[Place]:
    canvas = np.where(assembly[..., None], GREY, (242, 247, 252)).astype(np.uint8)
    background = boxes.of_mask(assembly)
    return [
        place
        for seed in range(seeds)
        for place in wrong_places(cutout, canvas, assembly, background, random.Random(seed), 3)
    ]


def _union(a: boxes.Box, b: boxes.Box) -> boxes.Box:
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


@pytest.mark.parametrize("top", [40, 72])
def test_a_wrong_place_sticks_out_no_further_than_the_right_one(top):
    """A part on top of a block, half of it above: a wrong place may stick out as far, not more."""
    assembly = np.zeros((240, 320), bool)
    assembly[60:200, 60:260] = True
    cutout = _flat((120, top, 160, top + 40))
    allowed = _union((60, 60, 260, 200), cutout.box_px)
    places = _all_places(cutout, assembly)
    assert places
    for place in places:
        assert _union(allowed, place.box_px) == allowed


def test_wrong_places_lie_about_the_right_one():
    """On a plain block all places look alike; the far ones would tell by where they are."""
    assembly = np.zeros((480, 640), bool)
    assembly[40:440, 40:600] = True
    places = _all_places(_flat((60, 60, 100, 90)), assembly, 8)
    assert np.median([place.shift_fraction for place in places]) < 0.25
    # Drawn from the whole block, the middle one of these would lie about 0.5 away.
    assert max(place.shift_fraction for place in places) > 0.1


def test_a_shift_below_five_percent_is_no_wrong_state():
    """Stripes: moved by 4 of 320 px they lie beside themselves, yet nobody would call it wrong."""
    stripes = np.broadcast_to(np.arange(308) % 8 < 4, (228, 308))
    assert _all_places(_flat((4, 4, 312, 232), stripes), np.ones((240, 320), bool)) == []


def test_a_large_part_that_still_covers_its_right_place_is_no_wrong_state():
    cutout = _flat((20, 20, 200, 160))
    places = _all_places(cutout, np.ones((240, 320), bool))
    assert places
    assert all(boxes.iou(place.box_px, cutout.box_px) <= 0.45 for place in places)


def test_a_wrong_place_lies_on_the_assembly_not_in_the_air():
    """The background box of an L holds much air."""
    assembly = np.zeros((240, 320), bool)
    assembly[:, :60] = assembly[200:] = True
    places = _all_places(_flat((8, 8, 48, 48)), assembly)
    assert places
    for place in places:
        x0, y0, x1, y1 = (int(v) for v in place.box_px)
        assert assembly[y0:y1, x0:x1].mean() >= 0.8 * ON_ASSEMBLY_MIN


def test_a_part_that_sticks_out_goes_where_it_sticks_out_too():
    """Else the ends of the outline in the air would say that all is right."""
    assembly = np.zeros((240, 320), bool)
    assembly[100:220, 20:300] = True
    cutout = _flat((60, 80, 110, 120))  # half above the upper edge
    places = _all_places(cutout, assembly)
    shares = []
    for place in places:
        x0, y0, x1, y1 = (int(v) for v in place.box_px)
        shares.append(assembly[y0:y1, x0:x1].mean())
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)


def test_a_part_that_lies_wholly_on_the_assembly_stays_wholly_inside_its_box():
    assembly = np.zeros((240, 320), bool)
    assembly[40:220, 20:300] = True
    cutout = _flat((60, 80, 110, 120))
    for place in _all_places(cutout, assembly):
        x0, y0, x1, y1 = place.box_px
        assert 20 <= x0 and 40 <= y0 and x1 <= 300 and y1 <= 220


def test_a_part_with_nowhere_to_go_gets_no_place():
    assert _all_places(_flat((0, 0, 320, 240)), np.ones((240, 320), bool)) == []


def test_a_part_larger_than_the_assembly_is_placed_by_its_middle_or_not_at_all():
    """A second plate under a single brick: there may be no three wrong places."""
    bricks = [Brick((200, 140, 280, 200), BLUE), Brick((140, 180, 340, 260), GREY)]
    before, now = (step.rgb for step in step_pictures(bricks))
    scene = scene_of(before, now)
    for place in _places(scene, 0):
        x0, y0, x1, y1 = place.box_px
        assert 0 <= x0 and 0 <= y0 and x1 <= 480 and y1 <= 360
        assert place.shift_fraction >= SHIFT_FRACTION_MIN
        _assert_in_background(scene.cutout, place.shift_xy_px, scene.background_px)


@few
@given(st.data())
def test_places_of_any_box_are_sound(data):
    """Also of thin parts and of ones at the picture's edge, where the coarse maps end."""
    width, height = data.draw(st.tuples(st.integers(6, 120), st.integers(6, 90)))
    x = data.draw(st.integers(0, 243 - width))
    y = data.draw(st.integers(0, 181 - height))
    assembly = np.zeros((181, 243), bool)
    a, b = data.draw(st.tuples(st.integers(0, 100), st.integers(0, 80)))
    assembly[b : b + 100, a : a + 140] = True
    cutout = _flat((x, y, x + width, y + height))
    background = boxes.of_mask(assembly)
    for place in _all_places(cutout, assembly, 1):
        assert place.shift_fraction >= SHIFT_FRACTION_MIN
        assert boxes.iou(place.box_px, cutout.box_px) <= 0.5
        x0, y0, x1, y1 = (int(v) for v in place.box_px)
        assert 0 <= x0 and 0 <= y0 and x1 <= 243 and y1 <= 181
        assert assembly[y0:y1, x0:x1].mean() >= 0.5 * ON_ASSEMBLY_MIN
        _assert_in_background(cutout, place.shift_xy_px, background)


# Likeness -----------------------------------------------------------------------------------


def test_surroundings_are_the_same_on_the_same_ground_and_differ_at_an_edge():
    canvas = np.full((200, 300, 3), GREY, np.uint8)
    canvas[:, 200:] = BLUE
    cutout = _flat((40, 60, 90, 110))
    here, there, edge = surroundings(canvas, cutout, [(0, 0), (50, 20), (130, 0)])
    assert (here == there).all()
    assert not (here == edge).all()
    assert (here >= 0).all() and here.sum() <= 1


def test_the_right_place_is_not_the_odd_one_out():
    """Over many draws: as often above as below its wrong places in what the outline lies on."""
    above = []
    for index in range(1, len(STEPS)):
        scene = SCENES[index, False]
        shifts = [(0, 0)]
        for seed in range(4):
            shifts += [place.shift_xy_px for place in _places(scene, seed)]
        outline = [
            scene.assembly[_moved(scene.cutout.outline, scene.cutout, s, scene.canvas)].mean()
            for s in shifts
        ]
        above.append(float(np.median(outline[1:])) - outline[0])
    assert abs(np.mean(above)) < 0.12

"""The drawing of bricks against tiny references: ray casting, brute force, counting."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.sources.demo import bricks, sprites
from builder.sources.demo.brick_parts import BOUNDARY_COLOURS, COLOURS, KINDS, Kind, Part
from builder.sources.demo.bricks import Canvas
from builder.sources.demo.sprites import Array, Camera
from builder.sources.drawn import marks

WHITE = (255, 255, 255)
GRID = 5


def _canvas(parts: list[Part], cam: Camera) -> Canvas:
    u0, v0, u1, v1 = bricks.bounds_uv(parts, cam)
    canvas = Canvas(cam, ((u1 - u0) // 2 + 20, (v1 - v0) // 2 + 20), WHITE, (20 - u0, 20 - v0))
    for part in parts:
        bricks.add(canvas, part)
    return canvas


def _cast(parts: list[Part], canvas: Canvas) -> Array:
    """IDs by intersecting every fine pixel's ray with every box: slow and obviously right."""
    cam = canvas.cam
    rows = np.array([cam.ex_uv, cam.ey_uv, (0, cam.ez_v)], float).T  # (2, 3)
    sight = np.cross(rows[0], rows[1])
    sight *= np.sign(sight @ np.array(cam.depth_xyz))
    v, u = np.indices(canvas.ids.shape, dtype=float)
    uv = np.stack([u - canvas.offset_uv[0], v - canvas.offset_uv[1]], -1)
    start = uv @ np.linalg.pinv(rows).T
    best, ids = np.full(u.shape, np.inf), np.zeros(u.shape, int)
    for number, part in enumerate(parts, 1):
        low, high = np.array(part.box_xyz[:3]), np.array(part.box_xyz[3:])
        with np.errstate(divide="ignore", invalid="ignore"):
            one, two = (low - start) / sight, (high - start) / sight
        enter = np.minimum(one, two).max(-1)
        leave = np.maximum(one, two).min(-1)
        nearer = (enter < leave) & (enter < best)
        best[nearer], ids[nearer] = enter[nearer], number
    return ids


def _far_from_borders(ids: Array) -> Array:
    picture = ids.astype(np.uint8)
    kernel = np.ones((7, 7), np.uint8)
    clear: Array = cv2.dilate(picture, kernel) == cv2.erode(picture, kernel)
    return clear


box = st.tuples(
    st.integers(0, GRID - 1),
    st.integers(0, GRID - 1),
    st.integers(0, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
)


def _meet(a: Part, b: Part) -> bool:
    pairs = list(zip(a.box_xyz, b.box_xyz, strict=True))
    return all(max(pairs[i]) < min(pairs[i + 3]) for i in range(3))


@settings(max_examples=40, derandomize=True)
@given(st.lists(box, min_size=2, max_size=7), st.sampled_from([30.0, -27.0, 34.0]), st.randoms())
def test_hidden_surfaces_equal_ray_casting(boxes, azimuth, random):
    parts: list[Part] = []
    for x, y, z, w, d, h in boxes:
        part = Part(Kind("box", "", w, d, h, "box", 0), "red", x, y, z)
        if not any(_meet(part, other) for other in parts):
            parts.append(part)
    random.shuffle(parts)  # whatever the order, what is nearer must win
    canvas = _canvas(parts, sprites.camera(azimuth, 32.0, 1.0))
    expected = _cast(parts, canvas)
    clear = _far_from_borders(expected)
    assert np.array_equal(canvas.ids[clear], expected[clear])


def test_three_bars_in_a_ring_have_no_painters_order_but_draw_right():
    bar = [Kind("bar", "", *size, "box", 0) for size in ((4, 1, 1), (1, 4, 1), (1, 1, 4))]
    parts = [
        Part(bar[0], "red", 0, 0, 1),
        Part(bar[1], "black", 3, 0, 2),
        Part(bar[2], "white", 2, 1, 0),
    ]
    for order in itertools.permutations(parts):
        canvas = _canvas(list(order), sprites.camera(30.0, 32.0, 2.0))
        expected = _cast(list(order), canvas)
        clear = _far_from_borders(expected)
        assert np.array_equal(canvas.ids[clear], expected[clear])


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.integers(0, 3), min_size=16, max_size=16))
def test_a_pixel_belongs_to_who_has_half_of_its_samples(samples):
    fine = np.array(samples, np.uint8).reshape(4, 4)
    found = marks.picture_ids(fine)
    for i, j in itertools.product(range(2), range(2)):
        four = fine[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel().tolist()
        owners = [value for value in set(four) if four.count(value) >= 2]
        assert found[i, j] == max(owners, default=0)


STUDDED = ["brick 2x4", "plate 6x8", "flat tile 2x4", "roof tile 2x3"]


@pytest.mark.parametrize(
    ("label", "turn"),
    [  # a slope that falls to the back is out of sight
        pair for pair in itertools.product(STUDDED, range(4)) if pair != ("roof tile 2x3", 2)
    ],
)
def test_every_stud_is_drawn_once(label, turn):
    kind = KINDS[label]
    shade = sprites.sprite(kind, turn, sprites.camera(30.0, 33.0, 6.0)).shade
    tops = (shade == shade[shade < sprites.EDGE_SHADE].max()).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(tops)
    stud_area = np.pi * (sprites.STUD_RADIUS_MM * 12) ** 2 * np.sin(np.radians(33))
    studs = [a for a in stats[1:, cv2.CC_STAT_AREA] if 0.5 * stud_area < a < 1.1 * stud_area]
    rows = kind.d if kind.stud_rows < 0 else kind.stud_rows
    assert len(studs) == kind.w * rows == len(Part(kind, "red", 0, 0, 0, turn).stud_cells())


def test_studs_of_a_roof_tile_stand_on_its_high_side():
    cells = {
        turn: Part(KINDS["roof tile 2x2"], "red", 0, 0, 0, turn).stud_cells() for turn in range(4)
    }
    assert {y for _, y in cells[0]} == {1}  # falls to the front
    assert {x for x, _ in cells[1]} == {0}  # right
    assert {y for _, y in cells[2]} == {0}  # back
    assert {x for x, _ in cells[3]} == {1}  # left


def test_proportions_are_those_of_real_bricks():
    cam = sprites.camera(30.0, 33.0, 8.0)
    stud_px = np.hypot(cam.ex_uv[0], cam.ey_uv[0])  # widths do not shrink with elevation
    assert stud_px == pytest.approx(8.0 * 16, rel=0.02)
    assert -3 * cam.ez_v == pytest.approx(9.6 * 16 * np.cos(np.radians(33)), rel=0.02)


def test_the_same_parts_give_the_same_bytes():
    parts = [Part(KINDS["plate 4x4"], "red", 0, 0, 0), Part(KINDS["brick 2x2"], "black", 1, 1, 1)]
    one, two = (bricks.render(_canvas(parts, sprites.camera(30, 33, 5))) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_boxes_are_tight_and_exclusive():
    mask = np.zeros((9, 12), bool)
    assert marks.box_xyxy_px(mask) is None
    mask[2:5, 3] = mask[4, 7] = True
    assert marks.box_xyxy_px(mask) == (3, 2, 8, 5)


def test_colours_stay_inside_the_parts_and_ids_follow_them():
    canvas = _canvas([Part(KINDS["brick 2x4"], "bright blue", 0, 0, 0)], sprites.camera(30, 33, 5))
    rgb, ids = bricks.render(canvas)
    painted = (rgb != 255).any(-1)
    assert painted[ids > 0].all()
    loose = painted & (ids == 0)  # rim pixels with one of four samples
    assert not (loose & (cv2.erode((ids == 0).astype(np.uint8), np.ones((3, 3))) > 0)).any()


def test_visible_fraction_is_what_is_left_of_a_part():
    cam = sprites.camera(30, 33, 3)
    front = Part(KINDS["brick 2x4"], "red", 0, 0, 0)
    behind = Part(KINDS["brick 1x1"], "red", 1, 2, 0)
    free, hidden = _canvas([behind, front], cam), _canvas([front, behind], cam)
    assert bricks.visible_fraction(free, 2) == pytest.approx(1.0, abs=0.002)
    assert 0 < bricks.visible_fraction(hidden, 2) < 0.8
    assert bricks.visible_fraction(free, 1) == pytest.approx(
        bricks.visible_fraction(hidden, 2), abs=0.002
    )


@pytest.mark.parametrize("colour", BOUNDARY_COLOURS)
def test_the_outline_reaches_as_far_as_it_says(colour):
    rgb, mask = np.full((720, 960, 3), 255, np.uint8), np.zeros((720, 960), bool)
    mask[200:400, 300:500] = True
    alpha = marks.outline(rgb, mask, colour)
    pure = (rgb == colour).all(-1)
    assert pure.any() and (alpha[pure] > 0.9).all()
    assert marks.box_xyxy_px(alpha > 0) == (296, 196, 504, 404)
    assert not (alpha[204:396, 304:496] > 0).any()
    assert (rgb[alpha == 0] == 255).all()


def test_see_through_parts_show_what_lies_behind():
    cam = sprites.camera(30, 33, 4)
    part = Part(KINDS["round brick 1x1"], "transparent red", 0, 0, 0)
    over_white = bricks.render(_canvas([part], cam))[0]
    mixed = over_white.reshape(-1, 3).astype(int)
    assert (mixed[:, 1] > COLOURS["transparent red"][1] + 20).any()

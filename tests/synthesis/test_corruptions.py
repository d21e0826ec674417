"""Corruptions: what moves is carried along exactly, what is hidden is told, 0 changes nothing."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.boxes import iou, of_mask, union
from synthesis.corruptions import (
    CORNER_SHARE,
    CORRUPTIONS,
    COVERED_MOST,
    SEVERITIES,
    corrupt,
    perspective_warp,
)

SIZES = st.tuples(st.integers(40, 400), st.integers(40, 400))
SEEDS = st.integers(0, 2**32)


def gray(size_wh=(160, 120)):
    return np.full((size_wh[1], size_wh[0], 3), 200, np.uint8)


def boxes_in(size_wh):
    width, height = size_wh
    return st.builds(
        lambda x, y, w, h: (x * width, y * height, x * width + max(1, w * (1 - x) * width),
                            y * height + max(1, h * (1 - y) * height)),
        *(st.floats(0, 0.9) for _ in range(4)),
    )  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_zero_changes_nothing(name):
    rgb = gray()
    assert corrupt(name, rgb, 0, random.Random(1)).rgb is rgb


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_severity_changes_more_and_the_same_seed_the_same(name):
    rgb = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    rgb[20:60, 30:90] = (200, 20, 20)
    target = [(30.0, 20.0, 90.0, 60.0)]
    made = [corrupt(name, rgb, s, random.Random(3), target).rgb for s in SEVERITIES]
    again = [corrupt(name, rgb, s, random.Random(3), target).rgb for s in SEVERITIES]
    assert all(np.array_equal(a, b) for a, b in zip(made, again, strict=True))
    far = [np.abs(one.astype(int) - rgb).mean() for one in made]
    assert all(one.shape == rgb.shape and one.dtype == np.uint8 for one in made)
    assert 0 < far[0] and far[0] <= far[2]


@given(SIZES, st.sampled_from(CORNER_SHARE), SEEDS, st.data())
def test_the_hull_of_projected_corners_is_the_box(size_wh, most, seed, data):
    warp = perspective_warp(size_wh, most, random.Random(seed))
    box = data.draw(boxes_in(size_wh))
    found = warp.to_crop(box)
    # Independently: points all along the outline, a straight line stays one.
    ts = np.linspace(0, 1, 101)[:, None]
    corners = np.array([(box[a], box[b]) for a, b in ((0, 1), (2, 1), (2, 3), (0, 3))])
    outline = np.vstack([a + ts * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0),
                                                            strict=True)])  # fmt: skip
    seen = warp.points(outline)
    independent = (*seen.min(axis=0), *seen.max(axis=0))
    assert iou(found, independent) > 1 - 1e-9
    width, height = size_wh
    x0, y0, x1, y1 = found
    assert -1e-3 <= x0 < x1 <= width + 1e-3 and -1e-3 <= y0 < y1 <= height + 1e-3


@given(SIZES, SEEDS, st.data())
def test_a_box_of_several_is_the_hull_of_theirs(size_wh, seed, data):
    single = (data.draw(boxes_in(size_wh)), data.draw(boxes_in(size_wh)))
    warp = perspective_warp(size_wh, 0.2, random.Random(seed))
    whole = warp._replace(instances_px=single).to_crop(union(single))
    assert iou(whole, union([warp.to_crop(one) for one in single])) > 1 - 1e-9


@given(SEEDS)
def test_pixels_go_where_boxes_go(seed):
    rgb, mask = gray((300, 200)), np.zeros((200, 300), bool)
    mask[60:140, 90:210] = True
    rgb[mask] = (255, 0, 0)
    warp = perspective_warp((300, 200), 0.2, random.Random(seed))
    seen = of_mask(warp.mask(mask))
    assert np.abs(np.subtract(seen, warp.to_crop(of_mask(mask)))).max() <= 1.01
    red = (warp.picture(rgb)[..., 1] < 100) & (warp.picture(rgb)[..., 0] > 200)
    assert np.abs(np.subtract(of_mask(red), seen)).max() <= 1


@given(SEEDS, st.sampled_from(SEVERITIES), st.data())
def test_a_hand_hides_no_more_than_it_may(seed, severity, data):
    rgb = gray((240, 180))
    targets = [data.draw(boxes_in((240, 180))) for _ in range(2)]
    done = corrupt("occlusion", rgb, severity, random.Random(seed), targets)
    assert done.visible_share >= 1 - COVERED_MOST[severity - 1]
    changed = (done.rgb != rgb).any(axis=2)
    for x0, y0, x1, y1 in targets:
        x, y = np.arange(240), np.arange(180)
        wide = np.clip(np.minimum(x1, x + 1) - np.maximum(x0, x), 0, 1)
        high = np.clip(np.minimum(y1, y + 1) - np.maximum(y0, y), 0, 1)
        hidden = high @ changed @ wide / ((x1 - x0) * (y1 - y0))
        # Soft edges, of two pixels, colour a little more.
        around = (2 * (x1 - x0 + y1 - y0) + 40) * 3 / ((x1 - x0) * (y1 - y0))
        assert hidden <= 1 - done.visible_share + around

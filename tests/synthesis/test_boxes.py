"""Box arithmetic: a box that moves by a pixel here is wrong in every row of the data set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis import boxes

NUMBER = st.floats(-2000, 2000, allow_nan=False)
SIDE = st.floats(0.5, 2000)
SIZE = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def any_box(draw) -> boxes.Box:
    x0, y0 = draw(NUMBER), draw(NUMBER)
    return (x0, y0, x0 + draw(SIDE), y0 + draw(SIDE))


@given(any_box(), SIZE)
def test_norm100_and_pixels_are_inverses(box, size_wh):
    there = boxes.px_to_norm100(box, size_wh)
    assert boxes.norm100_to_px(there, size_wh) == pytest.approx(box, rel=1e-9, abs=1e-6)


@given(any_box(), any_box())
def test_iou_is_symmetric_bounded_and_one_only_for_the_same_box(a, b):
    value = boxes.iou(a, b)
    assert value == boxes.iou(b, a)
    assert 0 <= value <= 1 + 1e-9
    assert boxes.iou(a, a) == pytest.approx(1)
    if boxes.intersection(a, b) == 0:
        assert value == 0


@given(any_box(), any_box(), st.floats(0.1, 10), st.tuples(NUMBER, NUMBER))
def test_iou_does_not_depend_on_the_frame(a, b, scale, offset):
    moved = [boxes.transform(box, (scale, scale), offset) for box in (a, b)]
    assert boxes.iou(*moved) == pytest.approx(boxes.iou(a, b), abs=1e-5)


@given(st.lists(any_box(), min_size=1, max_size=6))
def test_union_holds_every_box_and_touches_the_outermost(several):
    whole = boxes.union(several)
    for box in several:
        assert boxes.intersection(whole, box) == pytest.approx(boxes.area(box))
    assert whole[0] == min(box[0] for box in several)
    assert whole[3] == max(box[3] for box in several)


@given(any_box(), SIZE)
def test_clip_stays_in_the_picture_or_says_that_nothing_is_inside(box, size_wh):
    frame = (0, 0, *size_wh)
    if boxes.intersection(box, frame) == 0:
        with pytest.raises(ValueError, match="a box needs"):
            boxes.clip(box, size_wh)
        return
    clipped = boxes.clip(box, size_wh)
    assert boxes.intersection(clipped, frame) == pytest.approx(boxes.area(clipped))
    assert boxes.intersection(clipped, box) == pytest.approx(boxes.area(clipped))
    assert boxes.clip(clipped, size_wh) == clipped


@given(
    any_box(),
    st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)),
    st.tuples(NUMBER, NUMBER),
)
def test_a_transform_is_undone_by_its_inverse(box, scale, offset):
    there = boxes.transform(box, scale, offset)
    back = boxes.transform(
        there,
        (1 / scale[0], 1 / scale[1]),
        (-offset[0] / scale[0], -offset[1] / scale[1]),
    )
    assert back == pytest.approx(box, rel=1e-6, abs=1e-4)


@pytest.mark.parametrize(
    "values",
    [
        (5, 5, 5, 9),  # no width
        (5, 5, 9, 5),  # no height
        (9, 5, 5, 9),  # corners swapped
        (float("nan"), 0, 1, 1),  # a model's "nan"
        (0, 0, 1),  # a number missing
        (0, 0, 1, 1, 1),  # one too many
    ],
)
def test_what_is_no_box_is_refused(values):
    with pytest.raises(ValueError):
        boxes.as_box(values)


def test_the_union_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no boxes"):
        boxes.union([])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),  # a corner shared
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),  # touching is not overlapping: x1 is exclusive
        ((0, 0, 4, 4), (1, 1, 3, 3), 1 / 4),  # one inside the other
        ((3, 3, 1, 1), (0, 0, 4, 4), 0),  # a swapped box covers nothing
        ((1, 1, 1, 1), (1, 1, 1, 1), 0),  # both empty: no division by zero
    ],
)
def test_iou_golden(a, b, expected):
    assert boxes.iou(a, b) == pytest.approx(expected)


@given(st.integers(0, 30), st.integers(0, 20), st.integers(1, 10), st.integers(1, 10))
def test_the_box_of_a_mask_is_tight_and_exclusive(x, y, width, height):
    mask = np.zeros((40, 50), bool)
    mask[y : y + height, x : x + width] = True
    assert boxes.of_mask(mask) == (x, y, x + width, y + height)


def test_the_box_of_an_empty_mask_is_none():
    assert boxes.of_mask(np.zeros((4, 5), bool)) is None

"""Candidates of masks to one: instances matched, the medoid chosen, agreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mask.candidates import Candidate, agreement, combine, numbered, numbers_in_boxes

SIZE = (60, 80)


def _squares(*corners, side=10):
    """(60, 80) uint8 with a numbered square at every (x, y)."""
    numbers = np.zeros(SIZE, np.uint8)
    for number, (x, y) in enumerate(corners, 1):
        numbers[y : y + side, x : x + side] = number
    return numbers


def _candidate(name, numbers, score=1.0):
    return Candidate(name, numbers, score)


def test_instances_are_matched_whatever_their_numbers():
    one, other = _squares((5, 5), (40, 30)), _squares((40, 30), (5, 5))
    assert agreement(one, other) == 1.0


def test_agreement_is_the_mean_over_matched_instances():
    # One square is the same, the other half over: IoU 50 / 150.
    one, other = _squares((5, 5), (40, 30)), _squares((5, 5), (45, 30))
    assert agreement(one, other) == pytest.approx((1 + 1 / 3) / 2)


def test_masks_that_count_differently_agree_by_all_their_pixels():
    joined = (_squares((5, 5), (15, 5)) > 0).astype(np.uint8)
    assert agreement(_squares((5, 5), (15, 5)), joined) == 1.0
    assert agreement(_squares((5, 5), (40, 30)), _squares((5, 5))) == pytest.approx(0.5)


def test_an_empty_mask_agrees_with_nobody():
    assert agreement(_squares((5, 5)), np.zeros(SIZE, np.uint8)) == 0.0
    assert agreement(_squares((5, 5)), _squares((40, 30))) == 0.0


CORNERS = st.lists(st.tuples(st.integers(0, 65), st.integers(0, 45)), min_size=1, max_size=4)


@given(CORNERS, CORNERS)
def test_agreement_is_symmetric_and_a_share(one, other):
    a, b = _squares(*one), _squares(*other)
    assert agreement(a, b) == pytest.approx(agreement(b, a))
    assert 0 <= agreement(a, b) <= 1
    assert agreement(a, a) == 1.0


def test_the_medoid_is_chosen_and_never_a_mean():
    given_ = [
        _candidate("far", _squares((60, 40))),
        _candidate("middle", _squares((10, 10))),
        _candidate("near", _squares((13, 10))),
    ]
    found = combine(given_)
    # far agrees with nobody; the other two alike with each other: the first of them.
    assert found.chosen is given_[1]
    assert found.with_chosen == pytest.approx((0, 1, 7 / 13))
    assert found.agreement == pytest.approx(7 / 13 / 3)


def test_of_two_the_one_with_the_higher_score_is_chosen():
    low = _candidate("low", _squares((10, 10)), 0.4)
    high = _candidate("high", _squares((12, 10)), 0.9)
    assert combine([low, high]).chosen is high
    assert combine([high, low]).chosen is high


def test_one_alone_is_confirmed_by_nobody():
    found = combine([_candidate("only", _squares((10, 10)))])
    assert found.agreement is None
    assert found.columns["n_annotators"] == 1
    assert [one["annotator"] for one in found.columns["candidates"]] == ["only"]


def test_pieces_are_numbered_from_the_largest_without_specks():
    mask = np.zeros(SIZE, bool)
    mask[5:10, 5:10] = True
    mask[30:50, 30:60] = True
    mask[2, 70] = True
    numbers = numbered(mask)
    assert numbers[40, 40] == 1
    assert not numbers[2, 70]
    assert numbers[7, 7] == 0  # 25 pixels beside 600
    mask[5:15, 5:15] = True
    assert numbered(mask)[7, 7] == 2


def test_a_pixel_of_two_boxes_is_of_the_smaller_one():
    mask = np.ones(SIZE, bool)
    numbers = numbers_in_boxes(mask, [(20, 20, 30, 30), (10, 10, 50, 50)])
    assert numbers[25, 25] == 1
    assert numbers[12, 12] == 2
    assert numbers[5, 5] == 0

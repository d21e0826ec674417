"""Measures of masks, the formula over them, and weights."""

import dataclasses

import cv2
import numpy as np
import pytest

from core.pictures.media import Picture
from tasks.mask.annotators import machine_candidates
from tasks.mask.features import NAMES, UNKNOWN, features_of, vector
from tasks.mask.quality import (
    FORMULA,
    WEIGHT_MAX,
    WEIGHT_MIN,
    Discriminator,
    formula,
    quality_of,
    score,
    weight_of,
)
from tasks.mask.views import View

GROUND, RED, BLUE = (240, 240, 240), (180, 0, 0), (30, 90, 168)
MAGENTA = (255, 0, 255)


def _picture(*boxes_and_colors, lossy=False):
    rgb = np.full((360, 480, 3), GROUND, np.uint8)
    for (x0, y0, x1, y1), color in boxes_and_colors:
        rgb[y0:y1, x0:x1] = color
    return Picture(rgb, None, lossy)


PART = (100, 100, 200, 160)


def _find_view():
    return View(_picture((PART, RED)), False, color_names=("red",))


def _numbers(box=PART):
    numbers = np.zeros((360, 480), np.uint8)
    x0, y0, x1, y1 = box
    numbers[y0:y1, x0:x1] = 1
    return numbers


def test_a_perfect_mask_has_perfect_measures():
    found = features_of(_find_view(), _numbers(), [_numbers()])
    assert found.agreement == found.foreground == found.edges == 1
    assert found.color > 0.95
    assert found.border == found.lossy == 0
    assert found.compact == pytest.approx(np.pi * 100 * 60 / 160**2 / 1.0 * 4 / 4, rel=0.05)


@pytest.mark.parametrize(
    ("measure", "box"),
    [
        ("agreement", (130, 100, 230, 160)),
        ("foreground", (150, 100, 250, 160)),
        ("edges", (120, 110, 190, 150)),
        ("color", (300, 200, 400, 260)),
    ],
)
def test_each_measure_falls_for_a_mask_that_is_wrong_its_way(measure, box):
    view = _find_view()
    right = features_of(view, _numbers(), [_numbers()])
    wrong = features_of(view, _numbers(box), [_numbers()])
    assert getattr(wrong, measure) < getattr(right, measure) - 0.1


def test_a_mask_at_the_border_and_a_ragged_one_are_told():
    view = _find_view()
    assert features_of(view, _numbers((0, 0, 60, 60)), []).border == 0.5
    ragged = _numbers()
    ragged[100:160:2, 100:200] = 0
    assert features_of(view, ragged, []).compact < 0.5 * features_of(view, _numbers(), []).compact


def test_nothing_known_is_neither_for_nor_against():
    view = dataclasses.replace(_find_view(), color_names=("of no known colour",))
    found = features_of(view, _numbers(), [])
    assert found.agreement == found.color == UNKNOWN
    assert features_of(view, np.zeros((360, 480), np.uint8), []) is None


def test_a_vector_names_its_annotator():
    found = features_of(_find_view(), _numbers(), [])
    for annotator, names in (("edges", {"by_edges"}), ("prompted", set())):
        values = dict(zip(NAMES, vector(found, annotator), strict=True))
        assert {name for name in NAMES if name.startswith("by_") and values[name]} == names


def test_the_formula_is_the_published_one():
    names = dict.fromkeys(NAMES, 0.0) | dict.fromkeys(FORMULA, 1.0)
    assert formula(np.array([list(names.values())])) == pytest.approx([1.0])
    worse = names | {"border": 0.5, "lossy": 1.0, "agreement": 0.5}
    assert formula(np.array([list(worse.values())])) == pytest.approx([1 - 0.2 - 0.1 - 0.05])


def test_a_discriminator_s_quality_is_its_calibrated_probability():
    size = len(NAMES)
    model = Discriminator(list(NAMES), [0.5] * size, [2.0] * size, [1.0] + [0.0] * (size - 1),
                          0.25, 2.0, -0.5, 30, 30, 3, 0.9)  # fmt: skip
    values = np.zeros((2, size))
    values[1, 0] = 1.0
    assert score(values, model).tolist() == [0.0, 0.5]
    assert quality_of(values, model) == pytest.approx(1 / (1 + np.exp([0.5, -0.5])), abs=1e-4)
    assert quality_of([], model).shape == (0,)


def test_weights_are_quality_by_the_mean_within_bounds():
    assert weight_of(0.5, 0.5) == 1.0
    assert weight_of(0.001, 0.9) == WEIGHT_MIN
    assert weight_of(1.0, 0.1) == WEIGHT_MAX
    assert weight_of(0.3, 0.9, least=1.0) == 1.0


# Annotators --------------------------------------------------------------------------------------


def _outlined(box, color=BLUE):
    rgb = _picture((PART, RED), (box, color)).rgb
    x0, y0, x1, y1 = box
    cv2.rectangle(rgb, (x0 - 1, y0 - 1), (x1, y1), MAGENTA, 3)
    return Picture(rgb, None, False)


def _iou(numbers, box):
    wanted = _numbers(box) > 0
    return ((numbers > 0) & wanted).sum() / ((numbers > 0) | wanted).sum()


def test_annotators_find_the_parts_of_a_find_picture():
    view = dataclasses.replace(_find_view(), boxes_px={"exact": [PART], "owlv2": [PART]})
    found = {one.annotator: one.numbers for one in machine_candidates(view)}
    # What the source knows is no opinion of a machine.
    assert set(found) == {"foreground", "edges", "boxes:owlv2"}
    assert min(_iou(numbers, PART) for numbers in found.values()) > 0.95


def test_annotators_find_what_is_new_in_a_step_and_nothing_of_its_outline():
    new = (220, 100, 300, 160)
    before = _outlined((100, 100, 140, 160), RED)
    view = View(_outlined(new), True, before, (MAGENTA, 24), color_names=("blue",))
    found = {one.annotator: one.numbers for one in machine_candidates(view)}
    assert set(found) == {"outline", "difference", "foreground"}
    assert min(_iou(numbers, new) for numbers in found.values()) > 0.9


def test_foreground_says_nothing_of_a_part_before_the_assembly():
    new = (120, 110, 180, 150)
    view = View(_picture((PART, RED), (new, BLUE)), True, _picture((PART, RED)))
    found = {one.annotator: one.numbers for one in machine_candidates(view)}
    assert set(found) == {"difference"}
    assert _iou(found["difference"], new) == 1


def test_nobody_sees_anything_in_an_empty_picture():
    assert machine_candidates(View(_picture(), False)) == []
    assert machine_candidates(View(_picture(), True, _picture())) == []

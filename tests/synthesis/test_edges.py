"""Parts by their edges, rims of masks, outlines in lossy pictures, and pictures made worse."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from synthesis.boundary import LOSSY_TOLERANCE, color_mask, inked
from synthesis.edges import enclosed
from synthesis.pixels import filled
from synthesis.rims import half_covered
from synthesis.worse import Faults, drawn_faults, made_worse, smaller_mask

FINE = 4


def _drawn(shape=(240, 320)):
    """A red disc with soft edges on a light ground, and its mask: half covered pixels."""
    height, width = shape
    fine = np.zeros((height * FINE, width * FINE), np.float32)
    cv2.circle(fine, (width * FINE // 2, height * FINE // 2), 60 * FINE, 1.0, -1)
    covered = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    ground, part = np.array([238, 240, 242.0]), np.array([180, 20, 20.0])
    rgb = ground + covered[..., None] * (part - ground)
    return np.rint(rgb).astype(np.uint8), covered >= 0.5


def _iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_what_a_contour_encloses_is_found_whatever_the_light():
    rgb, mask = _drawn()
    shade = np.linspace(0.6, 1, rgb.shape[1])[None, :, None]
    assert _iou(enclosed(rgb), mask) > 0.98
    assert _iou(enclosed((rgb * shade).astype(np.uint8)), mask) > 0.98


def test_a_part_as_bright_as_the_ground_is_found_by_its_line():
    rgb = np.full((200, 300, 3), 240, np.uint8)
    cv2.rectangle(rgb, (80, 60), (180, 140), (60, 60, 60), 2)
    found = enclosed(rgb)
    assert found[100, 130]
    assert not found[20, 20]


def test_rim_pixels_stay_where_the_part_covers_half_of_them():
    rgb, mask = _drawn()
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert _iou(wide, mask) < 0.98
    assert _iou(half_covered(rgb, wide), mask) > 0.99


def test_an_empty_mask_and_a_thin_one_stay_as_they_are():
    rgb, mask = _drawn()
    empty = np.zeros_like(mask)
    assert not half_covered(rgb, empty).any()
    thin = empty.copy()
    thin[50, 50:80] = True
    assert (half_covered(rgb, thin) == thin).all()


def test_a_thin_line_keeps_its_colour_s_place_in_a_lossy_picture():
    color = (0, 255, 255)
    rgb = np.full((200, 300, 3), 236, np.uint8)
    cv2.circle(rgb, (150, 100), 60, color, 3)
    line = color_mask(rgb, color, 24) > 0
    faults = Faults(0.5, 0.3, 4.0, 0.2, (1.0, 0.0), 60)
    worse = made_worse(rgb, faults, np.random.default_rng(0))
    wanted = smaller_mask(line, (150, 100))
    plain = color_mask(worse, color, LOSSY_TOLERANCE) > 0
    found = color_mask(inked(worse, color), color, LOSSY_TOLERANCE) > 0
    assert (plain & wanted).sum() < 0.5 * wanted.sum()
    assert (found & wanted).sum() > 0.9 * wanted.sum()
    near = cv2.dilate(wanted.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert not (found & ~near).any()


def test_pictures_are_made_worse_the_same_way_twice():
    rgb, _ = _drawn()
    faults = drawn_faults(np.random.default_rng(3))
    assert faults == drawn_faults(np.random.default_rng(3))
    one, two, other = (made_worse(rgb, faults, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()
    assert one.shape[:2] == tuple(round(v * faults.scale) for v in rgb.shape[:2])


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_smaller_mask_has_the_pixels_that_are_half_covered(share):
    mask = np.zeros((8, 8), bool)
    mask[:2, : round(4 * share)] = True
    small = smaller_mask(mask, (2, 2))
    assert small.tolist() == [[False, False], [False, False]]
    mask[:4, : round(4 * share)] = True
    assert smaller_mask(mask, (2, 2))[0, 0] == (share >= 0.5)


@pytest.mark.parametrize("share", [0.3, 0.55, 0.65, 0.75, 1.0])
def test_holes_are_those_that_scipy_fills(share):
    mask = np.random.default_rng(7).random((90, 121)) < share
    assert (filled(mask) == binary_fill_holes(mask)).all()
    assert (filled(mask.astype(np.uint8)) == binary_fill_holes(mask)).all()

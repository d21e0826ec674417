"""Pictures seen through masks: what is asked for stays, boxes follow a crop and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import RED, plain

from synthesis import boxes, deploy

SIZE_WH = (96, 72)


def noise(size_wh: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)


def map_of(size_wh: tuple[int, int], box: tuple[int, int, int, int], value: float = 1.0):
    found = np.zeros((size_wh[1], size_wh[0]), np.float32)
    found[box[1] : box[3], box[0] : box[2]] = value
    return found


@st.composite
def boxed(draw):
    """A picture's size and a box of whole pixels in it."""
    width, height = draw(st.integers(20, 400)), draw(st.integers(20, 400))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    return (width, height), (x0, y0, x1, y1)


@pytest.mark.parametrize(("height", "side"), [(720, 73), (19, 1), (20, 3), (600, 61), (1080, 109)])
def test_the_kernel_grows_with_the_picture_as_released(height, side):
    assert deploy.kernel_px(height) == side


def test_the_softened_mask_is_one_dilation_and_one_gaussian_of_the_same_kernel():
    found = map_of((160, 120), (70, 50, 90, 60), 0.4)
    side = deploy.kernel_px(120)
    wide = cv2.dilate((found > 0.1).astype(np.float32), np.ones((side, side)), iterations=1)
    expected = cv2.GaussianBlur(wide, (side, side), 0)
    assert np.abs(deploy.soften(found) - expected).max() < 1e-6
    assert 0 < ((expected > 0) & (expected < 1)).mean() < 0.5  # it has an edge


@settings(max_examples=40, deadline=None)
@given(boxed(), st.sampled_from(sorted(deploy.METHODS)), st.floats(0.11, 1))
def test_what_is_asked_for_stays_to_the_pixel(drawn, method, value):
    """Whatever the method, every pixel above the threshold is shown, unchanged, in its place."""
    size_wh, (x0, y0, x1, y1) = drawn
    picture = noise(size_wh)
    shown = deploy.deploy(picture, map_of(size_wh, (x0, y0, x1, y1), value), method)
    left, top, right, bottom = shown.frame.crop_xyxy_px
    assert left <= x0 and top <= y0 and right >= x1 and bottom >= y1
    assert shown.picture.shape == (bottom - top, right - left, 3)
    inside = shown.picture[y0 - top : y1 - top, x0 - left : x1 - left]
    assert (inside == picture[y0:y1, x0:x1]).all()
    assert not shown.kept_whole


@pytest.mark.parametrize(
    ("method", "hidden"),
    [
        ("overlay", (255, 255, 255)),
        ("grayscale", (76, 76, 76)),  # the grey of pure red
        ("blur", (255, 0, 0)),  # blurred, a plain picture stays as it is
        ("overlay-crop", (255, 255, 255)),
    ],
)
def test_what_is_not_asked_for_is_hidden(method, hidden):
    picture = plain((400, 300), (255, 0, 0))
    shown = deploy.deploy(picture, map_of((400, 300), (180, 130, 220, 170)), method)
    corner = shown.picture[0, 0] if method != "overlay-crop" else None
    if corner is not None:
        assert tuple(corner) == hidden
    else:  # at the corner of the cut the mask is about 0.36
        assert shown.picture[0, 0, 1] > 100
    middle = shown.frame.to_crop((199, 149, 201, 151))
    assert tuple(shown.picture[int(middle[1]), int(middle[0])]) == (255, 0, 0)


def test_the_overlay_has_the_colour_that_is_given():
    shown = deploy.deploy(plain(SIZE_WH), map_of(SIZE_WH, (40, 30, 50, 40)), "overlay",
                          overlay_rgb=(1, 2, 3))  # fmt: skip
    assert tuple(shown.picture[0, 0]) == (1, 2, 3)


@pytest.mark.parametrize("size_wh", [(960, 720), (300, 257), (120, 90)])
def test_the_fast_blur_is_the_released_one(size_wh):
    picture = noise(size_wh)
    picture[: size_wh[1] // 2, : size_wh[0] // 3] = 255
    found = map_of(size_wh, (size_wh[0] - 20, size_wh[1] - 20, size_wh[0], size_wh[1]))
    exact = cv2.GaussianBlur(picture, (401, 401), 0)
    far = deploy.soften(found) == 0
    shown = deploy.deploy(picture, found, "blur").picture
    assert np.abs(shown[far].astype(int) - exact[far].astype(int)).max() <= 3


@pytest.mark.parametrize("method", sorted(deploy.METHODS))
@pytest.mark.parametrize("highest", [0.0, 0.05, 0.1])
def test_a_threshold_above_the_map_keeps_the_whole_picture(method, highest):
    picture = noise(SIZE_WH)
    shown = deploy.deploy(picture, map_of(SIZE_WH, (10, 10, 60, 60), highest), method)
    assert shown.kept_whole and shown.frame.is_whole and (shown.picture == picture).all()
    assert (deploy.soften(map_of(SIZE_WH, (10, 10, 60, 60), highest)) == 1).all()


@pytest.mark.parametrize("method", ["crop", "overlay-crop"])
def test_a_crop_that_shows_nothing_keeps_the_whole_picture(method):
    """Sixteen pixels are the least that a model takes."""
    size_wh = (400, 19)  # nothing is widened: the kernel has one pixel
    picture = noise(size_wh)
    small = deploy.deploy(picture, map_of(size_wh, (200, 4, 203, 7)), method)
    assert small.frame.is_whole and small.picture.shape == picture.shape
    enough = deploy.deploy(picture, map_of(size_wh, (200, 1, 216, 18)), method)
    assert enough.frame.crop_xyxy_px == (200, 1, 216, 18)


@settings(max_examples=60, deadline=None)
@given(boxed(), boxed())
def test_boxes_go_into_a_crop_and_back(cut, other):
    (width, height), crop = cut
    frame = deploy.Frame((width, height), crop)
    (w, h), box = other
    box = (box[0] * width / w, box[1] * height / h, box[2] * width / w, box[3] * height / h)
    found, percent = (
        frame.to_crop(box),
        frame.to_crop_norm100(boxes.px_to_norm100(box, frame.source_wh)),
    )
    inside = boxes.intersection(box, crop)
    if inside < 1e-6:
        assert found is None or boxes.area(found) < 1e-3
        return
    assert boxes.area(found) == pytest.approx(inside)
    cut_box = boxes.clip(box, frame.source_wh)
    expected = [max(cut_box[0], crop[0]), max(cut_box[1], crop[1]),
                min(cut_box[2], crop[2]), min(cut_box[3], crop[3])]  # fmt: skip
    assert frame.to_source(found) == pytest.approx(expected, abs=1e-6)
    assert percent == pytest.approx(boxes.px_to_norm100(found, frame.size_wh), abs=1e-6)
    back = frame.to_source_norm100(percent)
    assert back == pytest.approx(boxes.px_to_norm100(expected, frame.source_wh), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(boxed())
def test_a_box_lies_on_the_same_pixels_after_a_crop(drawn):
    size_wh, (x0, y0, x1, y1) = drawn
    picture = plain(size_wh, (255, 255, 255))
    picture[y0:y1, x0:x1] = RED
    shown = deploy.deploy(picture, map_of(size_wh, (x0, y0, x1, y1)), "overlay-crop")
    assert boxes.of_mask(shown.picture[..., 1] < 128) == shown.frame.to_crop((x0, y0, x1, y1))


def test_box_and_area_of_a_map_have_the_released_thresholds():
    found = map_of((100, 50), (10, 10, 60, 40), 0.5)
    found[20:30, 20:40] = 0.61
    assert deploy.bounding_box(found) == (20, 20, 40, 30)
    assert deploy.bounding_box(found, 0.4) == (10, 10, 60, 40)
    assert deploy.bounding_box(found, 0.9) is None
    assert deploy.area_ratio(found) == pytest.approx(0.3)
    assert deploy.area_ratio(found, 0.6) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (np.zeros((5, 6, 1)), "height and width"),
        (np.full((72, 96), np.nan), "from 0 to 1"),
        (np.full((72, 96), 255.0), "from 0 to 1"),
        (np.full((72, 96), -0.1), "from 0 to 1"),
        (np.zeros((96, 72)), "for a picture of"),
    ],
)
def test_what_is_no_map_of_the_picture_is_refused(found, said):
    with pytest.raises(ValueError, match=said):
        if found.ndim == 3:
            deploy.soften(found)
        deploy.deploy(plain(SIZE_WH), found, "overlay")


def test_an_unknown_method_names_the_known():
    with pytest.raises(ValueError, match="overlay, blur, grayscale, crop, overlay-crop"):
        deploy.deploy(plain(SIZE_WH), np.zeros((72, 96)), "pixelate")

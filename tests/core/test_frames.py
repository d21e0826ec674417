"""Frames of boxes against the code of those who resize and pad pictures."""

import random

import numpy as np
import pytest
from factory import llamafactory
from hypothesis import given
from hypothesis import strategies as st
from outside import READER_TEST
from PIL import Image

from core.errors import UserError
from core.frames import (
    RELEASED_PIXELS,
    RESIZES,
    extent_of,
    from_norm100,
    llamafactory_resize,
    vlm_r1_resize,
)

pytestmark = READER_TEST
BOUNDS = [(56 * 56, 2600 * 28 * 28), (32 * 32, 768 * 768), (56 * 56, 200_000), (60_000, 60_000)]


def sizes(number: int) -> list[tuple[int, int]]:
    """Small, large, thin and ordinary pictures; no side ratio that Qwen refuses."""
    rng = random.Random(7)
    kinds = [(16, 60), (200, 900), (900, 1700)]
    drawn = [tuple(rng.randint(*rng.choice(kinds)) for _ in range(2)) for _ in range(number)]
    return [size for size in drawn if max(size) <= 200 * min(size)]


def processor(min_pixels: int, max_pixels: int):
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    return module.Qwen2VLImageProcessorPil(min_pixels=min_pixels, max_pixels=max_pixels)


def seen_wh(image: Image.Image, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """The size in which Qwen's real processor hands a picture to the model."""
    made = processor(min_pixels, max_pixels)(images=[image], return_tensors="np")
    _, rows, columns = made["image_grid_thw"][0]
    return (int(columns) * 14, int(rows) * 14)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_llamafactory_s_two_steps_are_its_own(bounds):
    """Its plugin shrinks to its bounds, then Qwen's processor rounds within the released ones."""
    factory = llamafactory()
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    plugin = factory.plugin.get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
    least, most = bounds
    differ = 0
    for size in sizes(150):
        regular = plugin._preprocess_image(
            Image.new("1", size), image_max_pixels=most, image_min_pixels=least
        )
        height, width = module.smart_resize(regular.height, regular.width, 28, *RELEASED_PIXELS)
        assert llamafactory_resize(size, least, most) == (width, height), size
        differ += RESIZES["qwen"](size, least, most) != (width, height)
    assert differ  # it is not Qwen's rule alone


def test_the_model_s_real_input_has_the_size_that_boxes_are_made_for():
    plugin = llamafactory().plugin.get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
    for size in [(640, 480), (517, 389), (90, 700), (20, 300), (33, 17)]:
        image = Image.new("RGB", size)
        for least, most in BOUNDS[1:]:
            assert seen_wh(image, least, most) == RESIZES["qwen"](size, least, most)
            regular = plugin._preprocess_image(image, image_max_pixels=most, image_min_pixels=least)
            assert seen_wh(regular, *RELEASED_PIXELS) == llamafactory_resize(size, least, most)


def test_vlm_r1_brings_small_sides_to_28_first():
    """Its trainer's own rule, by hand: the smaller side becomes 28, then Qwen's processor."""
    for width, height in sizes(60):
        image = Image.new("RGB", (width, height))
        if width < 28 or height < 28:
            if width < height:
                image = image.resize((28, int(height * (28 / width))))
            else:
                image = image.resize((int(width * (28 / height)), 28))
        if max(image.size) > 200 * min(image.size):
            continue
        for least, most in BOUNDS[1:3]:
            assert vlm_r1_resize((width, height), least, most) == seen_wh(image, least, most)


def expand2square(picture: Image.Image) -> Image.Image:
    """LLaVA's padding, as its trainer has it."""
    width, height = picture.size
    if width == height:
        return picture
    side = max(width, height)
    result = Image.new(picture.mode, (side, side), (122, 116, 104))
    result.paste(picture, ((side - width) // 2, (side - height) // 2))
    return result


@given(st.tuples(st.integers(16, 300), st.integers(16, 300)), st.randoms(use_true_random=False))
def test_padded_boxes_are_those_of_llava_s_square(size, rng):
    width, height = size
    x0, y0 = rng.randrange(width), rng.randrange(height)
    x1, y1 = rng.randrange(x0, width) + 1, rng.randrange(y0, height) + 1
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y0:y1, x0:x1] = 255
    square = np.asarray(expand2square(Image.fromarray(picture)))
    rows, columns = np.nonzero((square == 255).all(axis=2))
    side = max(size)
    percent = (100 * x0 / width, 100 * y0 / height, 100 * x1 / width, 100 * y1 / height)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    box = from_norm100(percent, "padded_norm", size)
    assert np.multiply(box, side) == pytest.approx(expected)


def test_frames_that_need_a_size_say_so():
    for frame in ("px", "padded_norm", "resized_px"):
        with pytest.raises(UserError, match=frame):
            extent_of(frame, None)
    assert extent_of("padded_norm", (100, 50)) == (0, 0.25, 1, 0.5)

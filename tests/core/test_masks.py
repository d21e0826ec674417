"""Masks in and out: files, predicted maps with every fault, COCO's run lengths."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from core.masks import (
    area_ratio,
    encode_mask,
    encode_rle,
    mask_iou,
    read_map,
    read_mask,
)
from core.pictures.containers import ImageError

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@given(MASKS)
def test_files_give_masks_back(mask):
    assert (read_mask(encode_mask(mask), mask.shape[::-1]) == mask).all()


def test_a_mask_file_has_one_channel_of_0_and_255():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    with Image.open(io.BytesIO(encode_mask(mask))) as image:
        assert (image.mode, image.size) == ("L", (7, 5))
        assert (np.asarray(image) == mask * 255).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # their own
@given(MASKS)
def test_run_lengths_are_those_of_pycocotools(mask):
    coco = pytest.importorskip("pycocotools.mask", reason="needs pycocotools")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = encode_rle(mask)
    assert ours["counts"] == theirs["counts"].decode()
    assert tuple(theirs["size"]) == ours["size"]
    assert (coco.decode({**ours, "counts": ours["counts"].encode()}) == mask).all()


@given(MASKS, st.data())
def test_overlap_and_area(mask, data):
    other = data.draw(hnp.arrays(bool, mask.shape))
    both, either = (mask & other).sum(), (mask | other).sum()
    assert mask_iou(mask, other) == (both / either if either else 1.0)
    assert area_ratio(mask) == pytest.approx(mask.sum() / mask.size)


def _png(values: np.ndarray, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values, mode).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_png(np.full((3, 4), 7, np.uint8)), "mask_not_binary"),
        (_png(np.zeros((3, 4, 3), np.uint8)), "map_not_grey"),
        (_png(np.full((3, 4), 65535, np.uint16)), "mask_not_binary"),
        (_png(np.zeros((4, 4), np.uint8)), "map_of_other_size"),
        (b"", "broken_map"),
        (_png(np.zeros((3, 4), np.uint8))[:45], "broken_map"),
    ],
    ids=("grey", "colours", "16 bit", "other size", "nothing", "cut off"),
)
def test_a_file_that_is_no_mask_says_why(data, reason):
    with pytest.raises(ImageError) as error:
        read_mask(data, (4, 3))
    assert error.value.reason == reason


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_maps_of_both_depths_are_read_alike(tmp_path, bits):
    kind, most = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    (tmp_path / "a.png").write_bytes(_png(np.array([[0, most], [most, 0]], kind)))
    assert read_map(tmp_path / "a.png", (2, 2)).tolist() == [[0, 1], [1, 0]]


def test_arrays_are_read_as_they_are(tmp_path):
    values = np.linspace(0, 1, 6).reshape(2, 3)
    np.save(tmp_path / "a.npy", values)
    assert read_map(tmp_path / "a.npy", (3, 2)) == pytest.approx(values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((2, 3), np.nan), "map_not_finite"),
        (np.full((2, 3), np.inf), "map_not_finite"),
        (np.full((2, 3), -0.1), "map_out_of_range"),
        (np.full((2, 3), 2.0), "map_out_of_range"),
        (np.zeros((3, 2)), "map_of_other_size"),
        (np.zeros((2, 3, 3)), "map_not_grey"),
    ],
)
def test_a_map_that_is_none_says_why(tmp_path, values, reason):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ImageError) as error:
        read_map(tmp_path / "a.npy", (3, 2))
    assert error.value.reason == reason


def test_what_is_no_array_or_is_not_there_says_why(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"none")
    for name in ("a.npy", "b.npy", "b.png"):
        with pytest.raises(ImageError) as error:
            read_map(tmp_path / name, (3, 2))
        assert error.value.reason == "broken_map"

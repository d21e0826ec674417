"""Masks: which pixels of a picture something is about, as files, arrays and COCO's run lengths.

A mask is (H, W) bool, a map (H, W) float32 from 0 to 1. A row's mask is a PNG of one channel, 0 or
255, of its picture's size. Maps that a model predicted come as grey PNG (8 or 16 bit) or `.npy`.
"""

import io
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import PngImagePlugin

from core.pictures.containers import ImageError
from core.pictures.media import whole
from synthesis.boxes import Box, of_mask

GREY_MODES = {"1": 1.0, "L": 255.0, "I;16": 65535.0, "I;16B": 65535.0, "I": 65535.0}


class Rle(TypedDict):
    """COCO's run lengths, column by column from the left: the first run is of zeros."""

    size: tuple[int, int]  # height, width
    counts: str


def encode_mask(mask: np.ndarray) -> bytes:
    """PNG bytes of a mask: one channel, 0 and 255, no metadata.

    Without filters: of binary rows they make nothing smaller, and equal masks stay alike. Run
    lengths are within 15 % of the smallest, which takes six times as long.
    """
    import cv2

    how = (
        *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
        *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
    )
    return bytes(cv2.imencode(".png", mask.astype(np.uint8) * 255, how)[1])


def read_mask(data: bytes, size_wh: tuple[int, int] | None = None) -> np.ndarray:
    """The (H, W) bool mask of a row. Raises `ImageError` for a file that is no such mask, and for
    one of another size than the picture's, where that is given."""
    values = _grey(data)
    if values.dtype != np.uint8 or not ((values == 0) | (values == 255)).all():
        raise ImageError("mask_not_binary", "a mask has one channel with 0 and 255")
    _check_size(values, size_wh)
    return values > 0


def read_map(path: Path, size_wh: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 from 0 to 1 of a predicted map. Raises `ImageError` with what is wrong: a
    size other than the picture's, colours, numbers that are none, or that are not from 0 to 1."""
    if path.suffix == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ImageError("broken_map", f"{path.name}: {error}") from error
        scale = 1.0 if values.dtype.kind in "fb" else float(np.iinfo(values.dtype).max)
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ImageError("broken_map", f"{path.name}: {error.strerror}") from error
        values = _grey(data)
        scale = 255.0 if values.dtype == np.uint8 else 65535.0
    if values.ndim != 2:
        raise ImageError(
            "map_not_grey", f"{path.name}: one channel is needed, found {values.shape}"
        )
    _check_size(values, size_wh)
    found: np.ndarray = values.astype(np.float32) / np.float32(scale)
    if not np.isfinite(found).all():
        raise ImageError("map_not_finite", f"{path.name}: it holds NaN or infinity")
    if found.min() < 0 or found.max() > 1:
        said = f"{path.name}: from {found.min():g} to {found.max():g}, not from 0 to 1"
        raise ImageError("map_out_of_range", said)
    return found


def _grey(data: bytes) -> np.ndarray:
    """(H, W) uint8 or uint16 of a PNG with one channel. Raises `ImageError`."""
    try:
        with whole(), PngImagePlugin.PngImageFile(io.BytesIO(data)) as image:
            image.load()
            mode = image.mode
            if mode not in GREY_MODES:
                raise ImageError("map_not_grey", f"one channel is needed, found {mode}")
            values = np.asarray(image)
    except ImageError:
        raise
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        raise ImageError("broken_map", str(error) or type(error).__name__) from error
    if mode == "1":
        return values.astype(np.uint8) * 255
    return values if mode == "L" else values.astype(np.uint16)


def _check_size(values: np.ndarray, size_wh: tuple[int, int] | None) -> None:
    found = values.shape[1], values.shape[0]
    if size_wh is not None and found != tuple(size_wh):
        raise ImageError("map_of_other_size", f"{found} pixels, its picture has {tuple(size_wh)}")


def mask_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks of one size; 1 where both are empty."""
    total = int((one | other).sum())
    return int((one & other).sum()) / total if total else 1.0


def box_of(mask: np.ndarray) -> Box | None:
    """The box of a mask's pixels, x0, y0, x1, y1; None for an empty one."""
    return of_mask(mask)


def area_ratio(mask: np.ndarray) -> float:
    """The share of the picture."""
    return float(mask.mean())


# Run lengths -------------------------------------------------------------------------------------


def encode_rle(mask: np.ndarray) -> Rle:
    """A mask as COCO writes it: lengths of runs down the columns, each as its difference to the one
    two before, in characters of five bits with a sixth for more to come."""
    flat = np.asfortranarray(mask).ravel(order="F").astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size and flat[0]:
        runs.insert(0, 0)
    text = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr((bits | (0x20 if more else 0)) + 48))
    return {"size": (mask.shape[0], mask.shape[1]), "counts": "".join(text)}

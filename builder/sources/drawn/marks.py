"""Marks on drawn pictures: outlines, digits, boxes of masks; and how pictures are written."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from core.errors import UserError
from core.store import sha256, write_bytes

Array = NDArray[Any]
RGB = tuple[int, int, int]

SIZE_WH = (960, 720)
OUTSIDE_REACH_PX, INSIDE_REACH_PX = 3.5, 2.5  # of the boundary, at 960 px width
PRINT_RGB = (58, 60, 64)
FONT, FONT_PX = cv2.FONT_HERSHEY_SIMPLEX, 22  # and the height of its digits at scale 1
# Flat colours: the fastest level without a filter is both quicker and smaller than the default
# (OpenCV before 4.11 has no choice of filter, and its files are larger).
PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    PNG_OPTIONS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]


def picture_ids(ids: Array) -> Array:
    """(2h, 2w) fine IDs -> (h, w): the ID that at least two of a pixel's four samples have.

    When two parts have two samples each the newer one takes it; with none, the pixel is 0.
    """
    a, b = ids[0::2, 0::2], ids[0::2, 1::2]
    c, d = ids[1::2, 0::2], ids[1::2, 1::2]
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    low, high = np.maximum(a, c), np.maximum(b, d)
    least, b = np.minimum(a, c), np.minimum(b, d)
    second, third = np.minimum(low, b), np.maximum(low, b)
    rest = np.where(least == second, least, 0)
    chosen = np.where(third == high, high, np.where(second == third, third, rest))
    found: Array = chosen.astype(ids.dtype)
    return found


def box_xyxy_px(mask: Array) -> tuple[int, int, int, int] | None:
    """Tight box of a (h, w) mask: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; None if empty.

    It reads the mask only, so a box can never disagree with the pixels.
    """
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def seen_px(numbers: Array, count: int) -> list[tuple[int, tuple[int, int, int, int] | None]]:
    """Pixels and `box_xyxy_px` of each of the numbers 1..count in a (h, w) map, all in one go."""
    x, y, wide, high = cv2.boundingRect((numbers > 0).view(np.uint8))
    shown = np.ascontiguousarray(numbers[y : y + high, x : x + wide])  # most is background
    counts = np.bincount(shown.ravel(), minlength=count + 1).tolist()
    found: list[tuple[int, tuple[int, int, int, int] | None]] = []
    for number, at in enumerate(find_objects(shown, max(1, count))[:count], 1):
        box = at and (at[1].start + x, at[0].start + y, at[1].stop + x, at[0].stop + y)
        found.append((counts[number], box))
    return found


def outline(rgb: Array, mask: Array, colour: RGB) -> Array:
    """Draw the boundary of a (h, w) bool mask into `rgb` in place; returns its alpha (h, w).

    It runs along the mask's border, a little farther outside than inside, with soft rims.
    """
    alpha = np.zeros(mask.shape, np.float32)
    box = box_xyxy_px(mask)
    if box is None:
        return alpha
    pad, scale = 8, mask.shape[1] / 960
    y0, x0 = max(0, box[1] - pad), max(0, box[0] - pad)
    where = (slice(y0, box[3] + pad), slice(x0, box[2] + pad))
    inside = np.ascontiguousarray(mask[where]).view(np.uint8)
    out_px = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    in_px = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    reach = np.where(inside > 0, INSIDE_REACH_PX * scale - in_px, OUTSIDE_REACH_PX * scale - out_px)
    strength = np.clip(reach + 1.0, 0.0, 1.0)
    on = strength > 0
    weight = strength[on][:, None]
    spot = rgb[where]
    spot[on] = np.rint(spot[on] * (1 - weight) + np.array(colour, np.float32) * weight)
    alpha[where] = strength
    return alpha


def print_text(rgb: Array, text: str, at_xy_px: tuple[int, int], height_px: int) -> None:
    """Print `text` into a picture in place; `at_xy_px` is the top left corner of its digits."""
    scale = height_px / FONT_PX
    base = (at_xy_px[0], at_xy_px[1] + height_px)
    cv2.putText(rgb, text, base, FONT, scale, PRINT_RGB, max(1, round(2 * scale)), cv2.LINE_AA)


def write_png(path: Path, image: Array) -> str:
    """Write (h, w, 3) uint8 RGB, (h, w) uint8 or uint16 numbers, or a (h, w) bool mask as a 1-bit
    PNG; returns the file's sha256."""
    pixels, options = image, PNG_OPTIONS
    if image.ndim == 3:
        pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    elif image.dtype == bool:
        pixels, options = image.astype("uint8") * 255, [cv2.IMWRITE_PNG_BILEVEL, 1]
    done, data = cv2.imencode(".png", pixels, options)
    if not done:
        raise UserError(f"{path}: OpenCV could not encode a PNG; reinstall opencv-python-headless")
    encoded = data.tobytes()
    write_bytes(path, encoded)
    return sha256(encoded)

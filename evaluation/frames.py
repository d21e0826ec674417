"""Coordinate frames of predicted boxes: what 57 means in `[57, 15, 82, 35]`.

norm1, norm100 and norm1000 are shares of width and height; px are pixels of the row's picture;
resized_px are pixels of the picture as the model saw it (Qwen2.5-VL answers in those, R16).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evaluation.items import UserError

FRAMES = ("norm1", "norm100", "norm1000", "px", "resized_px")
# A model's few slips must not decide the frame of all its answers.
FIT_SHARE_MIN = 0.98

# Qwen2-VL's bounds on a picture's area: its own least, LEGO-R1's most (A26).
MIN_PIXELS, MAX_PIXELS = 56 * 56, 2600 * 28 * 28

Box = tuple[float, float, float, float]
Size = tuple[int, int]


def scale_of(
    frame: str, size_wh: Size | None, resized_wh: Size | None = None
) -> tuple[float, float]:
    """Full width and height in the units of a frame; raises `UserError` for an unknown size.

    Where it was not recorded what the model saw, Qwen2.5-VL's own rule tells.
    """
    if frame in ("norm1", "norm100", "norm1000"):
        side = float(frame.removeprefix("norm"))
        return (side, side)
    size = size_wh
    if frame == "resized_px":
        size = resized_wh or (smart_resize(size_wh) if size_wh else None)
    if frame not in FRAMES or size is None:
        raise UserError(
            f"--frame {frame}: the size of the picture in that frame is not known; "
            f"give another of {', '.join(FRAMES)}"
        )
    return (float(size[0]), float(size[1]))


def to_norm100(
    box: Sequence[float], frame: str, size_wh: Size | None, resized_wh: Size | None = None
) -> Box:
    """A box of any frame in percent of width and height; not clipped."""
    width, height = scale_of(frame, size_wh, resized_wh)
    x0, y0, x1, y1 = box
    return (100 * x0 / width, 100 * y0 / height, 100 * x1 / width, 100 * y1 / height)


def from_norm100(
    box: Sequence[float], frame: str, size_wh: Size | None, resized_wh: Size | None = None
) -> Box:
    """The inverse of `to_norm100`."""
    width, height = scale_of(frame, size_wh, resized_wh)
    x0, y0, x1, y1 = box
    return (x0 * width / 100, y0 * height / 100, x1 * width / 100, y1 * height / 100)


def whole(box: Sequence[float]) -> Box:
    """A box in whole units, halves upwards; one that would lose its area is widened outwards."""
    sides = [_whole_side(box[axis], box[axis + 2]) for axis in (0, 1)]
    return (sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def _whole_side(low: float, high: float) -> tuple[int, int]:
    near = (math.floor(low + 0.5), math.floor(high + 0.5))
    return near if near[0] < near[1] else (math.floor(low), math.ceil(high))


def smart_resize(
    size_wh: Size,
    factor: int = 28,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
) -> Size:
    """Size of a picture as Qwen2-VL and Qwen2.5-VL see it: multiples of `factor`, bounded area."""
    width, height = size_wh
    w, h = (round(side / factor) * factor for side in (width, height))
    if w * h > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        w, h = (
            max(factor, math.floor(side / shrink / factor) * factor) for side in (width, height)
        )
    elif w * h < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        w, h = (math.ceil(side * grow / factor) * factor for side in (width, height))
    return (w, h)


class Seen(NamedTuple):
    """Boxes of one answer with the sizes of its picture, as far as known."""

    boxes: Sequence[Sequence[float]]
    size_wh: Size | None
    resized_wh: Size | None = None


def infer_frame(answers: Iterable[Seen]) -> str:
    """The frame that a model's boxes are in, told by their range alone, never by the gold.

    The smallest range that holds nearly all coordinates wins; between pixels and 0-1000, where
    both hold them, the one whose range the boxes fill better. norm100 for no boxes at all.
    """
    seen = [answer for answer in answers if answer.boxes]
    values = [abs(value) for answer in seen for box in answer.boxes for value in box]
    if not values:
        return "norm100"
    for frame, limit in (("norm1", 1.0), ("norm100", 100.0)):
        if _share(value <= limit for value in values) >= FIT_SHARE_MIN:
            return frame
    pixels = "resized_px" if all(answer.resized_wh for answer in seen) else "px"
    if not all(answer.size_wh for answer in seen):
        return "norm1000"
    filled = [
        abs(value) / side
        for answer in seen
        for box in answer.boxes
        for value, side in zip(
            box, scale_of(pixels, answer.size_wh, answer.resized_wh) * 2, strict=True
        )
    ]
    fits_px = _share(share <= 1 for share in filled) >= FIT_SHARE_MIN
    fits_1000 = _share(value <= 1000 for value in values) >= FIT_SHARE_MIN
    if fits_px and fits_1000:
        return pixels if max(filled) >= max(values) / 1000 else "norm1000"
    return "norm1000" if fits_1000 else pixels


def _share(flags: Iterable[bool]) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)

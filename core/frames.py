"""Coordinate frames of boxes: what 57 means in `[57, 15, 82, 35]`.

    norm1, norm100, norm1000   shares of the picture's width and height (norm1024: PaliGemma's form)
    px                         pixels of the row's picture
    resized_px                 pixels of the picture as a Qwen2-VL or Qwen2.5-VL model saw it (R16)
    padded_norm                shares, 0 to 1, of the picture padded to a square (LLaVA-1.5)

What a Qwen model sees depends on who hands it the picture: `RESIZES` holds the rules.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from core.errors import UserError

FRAMES = ("norm1", "norm100", "norm1000", "px", "resized_px", "padded_norm")
# Frames of shares from 0 to 1: their boxes are no whole numbers.
SHARES = ("norm1", "padded_norm")
# A model's few slips must not decide the frame of all its answers.
FIT_SHARE_MIN = 0.98
# So many boxes reach further than a tenth of the picture.
SURE_BOXES = 8

# Qwen2-VL's bounds on a picture's area: its own least, LEGO-R1's most (A26).
MIN_PIXELS, MAX_PIXELS = 56 * 56, 2600 * 28 * 28
# The bounds that Qwen2-VL's and Qwen2.5-VL's processors are released with.
RELEASED_PIXELS = (56 * 56, 16384 * 28 * 28)

Box = tuple[float, float, float, float]
Size = tuple[int, int]


class Extent(NamedTuple):
    """Where a whole picture lies in a frame, in the frame's units."""

    left: float
    top: float
    width: float
    height: float


def extent_of(frame: str, size_wh: Size | None, resized_wh: Size | None = None) -> Extent:
    """Where a picture of `size_wh` pixels lies in a frame; raises `UserError` for an unknown size.

    Where it was not recorded what the model saw, Qwen2.5-VL's own rule tells.
    """
    if re.fullmatch(r"norm\d+", frame):
        side = float(frame.removeprefix("norm"))
        return Extent(0.0, 0.0, side, side)
    size = size_wh
    if frame == "resized_px":
        size = resized_wh or (smart_resize(size_wh) if size_wh else None)
    if frame not in FRAMES or size is None:
        raise UserError(
            f"--frame {frame}: the size of the picture in that frame is not known; "
            f"give another of {', '.join(FRAMES)}"
        )
    width, height = size
    if frame == "padded_norm":  # LLaVA's expand2square: the picture in the middle, whole pixels
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        return Extent(left / side, top / side, width / side, height / side)
    return Extent(0.0, 0.0, float(width), float(height))


def to_norm100(
    box: Sequence[float], frame: str, size_wh: Size | None, resized_wh: Size | None = None
) -> Box:
    """A box of any frame in percent of width and height; not clipped."""
    left, top, width, height = extent_of(frame, size_wh, resized_wh)
    x0, y0, x1, y1 = box
    return (
        100 * (x0 - left) / width,
        100 * (y0 - top) / height,
        100 * (x1 - left) / width,
        100 * (y1 - top) / height,
    )


def from_norm100(
    box: Sequence[float], frame: str, size_wh: Size | None, resized_wh: Size | None = None
) -> Box:
    """The inverse of `to_norm100`."""
    left, top, width, height = extent_of(frame, size_wh, resized_wh)
    x0, y0, x1, y1 = box
    return (
        left + x0 * width / 100,
        top + y0 * height / 100,
        left + x1 * width / 100,
        top + y1 * height / 100,
    )


def every_frame(
    box_norm100: Sequence[float], size_wh: Size, resized_wh: Size | None = None
) -> dict[str, Box]:
    """A box of a row in every frame of `FRAMES`, unrounded, and as COCO has it (`coco_px`: x, y,
    width, height). Without `resized_wh`, resized_px are pixels after Qwen2.5-VL's own resize.

    >>> every_frame((25, 0, 50, 100), (640, 480))["px"]
    (160.0, 0.0, 320.0, 480.0)
    """
    found = {frame: from_norm100(box_norm100, frame, size_wh, resized_wh) for frame in FRAMES}
    x0, y0, x1, y1 = found["px"]
    return {**found, "coco_px": (x0, y0, x1 - x0, y1 - y0)}


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


def vlm_r1_resize(size_wh: Size, min_pixels: int, max_pixels: int) -> Size:
    """What Qwen sees in VLM-R1: sides under 28 are brought there first, then Qwen's own rule."""
    width, height = size_wh
    if width < 28 or height < 28:
        if width < height:
            width, height = 28, int(height * (28 / width))
        else:
            width, height = int(width * (28 / height)), 28
    return smart_resize((width, height), min_pixels=min_pixels, max_pixels=max_pixels)


def llamafactory_resize(size_wh: Size, min_pixels: int, max_pixels: int) -> Size:
    """What Qwen sees in LLaMA-Factory: first its own bounds, in sides that are no multiples of
    anything, then Qwen's rule within the bounds of the released processor.
    """
    width, height = _bounded(size_wh, min_pixels, max_pixels)
    if min(width, height) < 28:
        width, height = max(width, 28), max(height, 28)
    if width / height > 200:
        width = height * 180
    if height / width > 200:
        height = width * 180
    least, most = RELEASED_PIXELS
    return smart_resize((width, height), min_pixels=least, max_pixels=most)


def easyr1_resize(size_wh: Size, min_pixels: int, max_pixels: int) -> Size:
    """What Qwen sees in EasyR1: first its own bounds, then Qwen's rule within the released ones."""
    least, most = RELEASED_PIXELS
    bounded = _bounded(size_wh, min_pixels, max_pixels)
    return smart_resize(bounded, min_pixels=least, max_pixels=most)


def _bounded(size_wh: Size, min_pixels: int, max_pixels: int) -> Size:
    """A size shrunk, then enlarged to the bounds, sides cut to whole pixels."""
    width, height = size_wh
    if width * height > max_pixels:
        width, height = _scaled(width, height, max_pixels)
    if width * height < min_pixels:
        width, height = _scaled(width, height, min_pixels)
    return (width, height)


def _scaled(width: int, height: int, pixels: int) -> Size:
    factor = math.sqrt(pixels / (width * height))
    return (int(width * factor), int(height * factor))


def qwen_resize(size_wh: Size, min_pixels: int, max_pixels: int) -> Size:
    """What Qwen sees where its processor alone decides, as in TRL and in the benchmark."""
    return smart_resize(size_wh, min_pixels=min_pixels, max_pixels=max_pixels)


# (size_wh, least and most area in pixels) -> size_wh that the model sees, by who resizes.
RESIZES: Mapping[str, Callable[[Size, int, int], Size]] = {
    "qwen": qwen_resize,
    "llamafactory": llamafactory_resize,
    "vlm-r1": vlm_r1_resize,
    "easyr1": easyr1_resize,
}


class Seen(NamedTuple):
    """Boxes of one answer with the sizes of its picture, as far as known."""

    boxes: Sequence[Sequence[float]]
    size_wh: Size | None
    resized_wh: Size | None = None


def infer_frame(answers: Iterable[Seen]) -> str:
    """The frame that a model's boxes are most likely in; norm100 for no boxes at all."""
    return fitting_frames(answers)[0]


def fitting_frames(answers: Iterable[Seen]) -> list[str]:
    """The frames that a model's boxes may be in, told by their range alone, never by the gold.

    The smallest range that holds nearly all coordinates comes first; between pixels and 0-1000,
    where both hold them, the one whose range the boxes fill better. The second is left out where
    so many boxes would not keep to a corner.
    """
    seen = [answer for answer in answers if answer.boxes]
    values = [abs(value) for answer in seen for box in answer.boxes for value in box]
    if not values:
        return ["norm100"]
    for frame, limit in (("norm1", 1.0), ("norm100", 100.0)):
        if _share(value <= limit for value in values) >= FIT_SHARE_MIN:
            few = sum(len(answer.boxes) for answer in seen) < SURE_BOXES
            return [frame, "norm1000"] if few and frame == "norm100" else [frame]
    pixels = "resized_px" if all(answer.resized_wh for answer in seen) else "px"
    if not all(answer.size_wh for answer in seen):
        return ["norm1000"]
    filled = [
        abs(value) / side
        for answer in seen
        for box in answer.boxes
        for value, side in zip(
            box, extent_of(pixels, answer.size_wh, answer.resized_wh)[2:] * 2, strict=True
        )
    ]
    fits_px = _share(share <= 1 for share in filled) >= FIT_SHARE_MIN
    fits_1000 = _share(value <= 1000 for value in values) >= FIT_SHARE_MIN
    if fits_px and fits_1000:
        both = [pixels, "norm1000"]
        return both if max(filled) >= max(values) / 1000 else both[::-1]
    return ["norm1000" if fits_1000 else pixels]


def _share(flags: Iterable[bool]) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)

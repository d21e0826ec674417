"""A picture seen through a mask: what an instruction is not about is hidden before a model looks.

Instruction-Guided Visual Masking (arXiv:2405.19783), figure 11, with the numbers of its released
code: a map of what matters is cut at a threshold, widened by one rectangular dilation and softened
by a Gaussian of the same kernel; what is left outside is painted over, blurred, made grey or cut
off. Where nothing is above the threshold, and where nothing can be cut out, the picture stays
whole.

A crop moves the frame of boxes: `Frame` says how far, and the way back. Pictures are (H, W, 3)
uint8, maps (H, W) float in 0..1, boxes (x0, y0, x1, y1). Pure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from synthesis import boxes
from synthesis.boxes import Box

# The released defaults; its demonstrations choose 0.7 to 0.99.
MAP_THRESHOLD, BOX_THRESHOLD, RATIO_THRESHOLD = 0.1, 0.6, 0.1
KERNEL_SHARE = 0.05  # of the picture's height, to each side
OVERLAY_RGB = (255, 255, 255)
BLUR_KERNEL_PX = 401  # of the blur that hides, as released for a single picture
# Large pictures are blurred at a quarter of their size: fifty times as fast, two levels off.
BLUR_SHRINK, BLUR_SHRUNK_FROM_PX = 4, 256
# Less than this shows nothing, and models refuse it: such a crop has failed.
MIN_CROP_PX, MAX_CROP_RATIO = 16, 200


class Frame(NamedTuple):
    """Where in its source a picture was cut from: `crop_xyxy_px`, whole pixels of a source of
    `source_wh`. That of a whole picture changes nothing.
    """

    source_wh: tuple[int, int]
    crop_xyxy_px: tuple[int, int, int, int]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of what was cut out."""
        x0, y0, x1, y1 = self.crop_xyxy_px
        return x1 - x0, y1 - y0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was cut off."""
        return self.size_wh == self.source_wh

    def to_crop(self, box_px: Sequence[float]) -> Box | None:
        """A box of the source in pixels of the crop, cut at its edges; None if it lies outside."""
        x0, y0, _, _ = self.crop_xyxy_px
        try:
            return boxes.clip(boxes.transform(box_px, (1, 1), (-x0, -y0)), self.size_wh)
        except ValueError:
            return None

    def to_source(self, box_px: Sequence[float]) -> Box:
        """A box of the crop in pixels of the source."""
        x0, y0, _, _ = self.crop_xyxy_px
        return boxes.transform(box_px, (1, 1), (x0, y0))

    def to_crop_norm100(self, box_norm100: Sequence[float]) -> Box | None:
        """The same in percent: of the source's sides before, of the crop's after."""
        found = self.to_crop(boxes.norm100_to_px(box_norm100, self.source_wh))
        return found and boxes.px_to_norm100(found, self.size_wh)

    def to_source_norm100(self, box_norm100: Sequence[float]) -> Box:
        """Percent of the crop's sides as percent of the source's."""
        found = self.to_source(boxes.norm100_to_px(box_norm100, self.size_wh))
        return boxes.px_to_norm100(found, self.source_wh)


class Deployed(NamedTuple):
    """A picture as it is shown, and its place in the source; `kept_whole` says that the mask hid
    nothing because nothing was above the threshold.
    """

    picture: np.ndarray
    frame: Frame
    kept_whole: bool = False


def kernel_px(height_px: int) -> int:
    """Side of the dilation and of the Gaussian, odd: 73 at a height of 720."""
    return int(height_px * KERNEL_SHARE) * 2 + 1


def soften(found: np.ndarray, threshold: float = MAP_THRESHOLD) -> np.ndarray:
    """(H, W) float32 in 0..1 of a map: cut at the threshold, widened, softened. All 1 where nothing
    is above the threshold. What is above stays 1.
    """
    mask = _checked(found) > threshold
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    side = kernel_px(mask.shape[0])
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    wide = cv2.dilate(mask.astype(np.uint8), kernel, iterations=1).astype(np.float32)
    soft = cv2.GaussianBlur(wide, (side, side), 0)
    clipped: np.ndarray = np.clip(soft, 0, 1)
    return clipped


def bounding_box(found: np.ndarray, threshold: float = BOX_THRESHOLD) -> Box | None:
    """The box, in pixels, of what a map has above the threshold; None where that is nothing."""
    return boxes.of_mask(_checked(found) > threshold)


def area_ratio(found: np.ndarray, threshold: float = RATIO_THRESHOLD) -> float:
    """The share of a picture that its map has above the threshold."""
    return float((_checked(found) > threshold).mean())


def deploy(
    picture: np.ndarray,
    found: np.ndarray,
    method: str,
    threshold: float = MAP_THRESHOLD,
    overlay_rgb: tuple[int, int, int] = OVERLAY_RGB,
) -> Deployed:
    """A picture (H, W, 3) uint8 with what its map (H, W) leaves out hidden by one of METHODS.

    Raises `ValueError` for an unknown method, a map of another size, or one with values outside of
    0..1.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r}: choose one of {', '.join(METHODS)}")
    if picture.shape[:2] != found.shape:
        raise ValueError(f"a map of {found.shape} for a picture of {picture.shape[:2]} (H, W)")
    height, width = found.shape
    whole = Frame((width, height), (0, 0, width, height))
    if not (_checked(found) > threshold).any():
        return Deployed(picture, whole, kept_whole=True)
    soft = soften(found, threshold)
    hide, crops = METHODS[method]
    frame = _crop_of(soft, whole) if crops else whole
    x0, y0, x1, y1 = frame.crop_xyxy_px
    part = np.s_[y0:y1, x0:x1]
    shown = picture[part]
    if hide is not None:
        shown = _mixed(shown, hide(picture, overlay_rgb)[part], soft[part])
    return Deployed(np.ascontiguousarray(shown), frame)


def _checked(found: np.ndarray) -> np.ndarray:
    """The map as it is; raises `ValueError` for what is none."""
    if found.ndim != 2 or not found.size:
        raise ValueError(f"a map has height and width, not the shape {found.shape}")
    low, high = float(found.min()), float(found.max())  # NaN if any value is
    if not (low >= 0 and high <= 1):
        raise ValueError(f"a map has values from 0 to 1, found {low:g} to {high:g}")
    return found


def _crop_of(soft: np.ndarray, whole: Frame) -> Frame:
    """What to cut out: the box of the softened mask; the whole picture where that shows nothing."""
    box = bounding_box(soft)
    if box is None:
        return whole
    x0, y0, x1, y1 = (int(value) for value in box)
    short, long = sorted((x1 - x0, y1 - y0))
    if short < MIN_CROP_PX or long > MAX_CROP_RATIO * short:
        return whole
    return whole._replace(crop_xyxy_px=(x0, y0, x1, y1))


def _mixed(picture: np.ndarray, hidden: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """The picture where the mask is 1, what hides it where it is 0; (H, W, 3) uint8."""
    x, y, width, height = cv2.boundingRect((soft > 0).view(np.uint8))
    part = np.s_[y : y + height, x : x + width]  # elsewhere nothing of the picture is left
    share = soft[part][..., None]
    mixed = share * picture[part].astype(np.float32)
    mixed += (1 - share) * hidden[part].astype(np.float32)
    shown: np.ndarray = hidden.copy()
    shown[part] = np.rint(mixed)
    return shown


def _painted(picture: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    shown = np.empty_like(picture)
    shown[0] = rgb
    shown[1:] = shown[0]  # whole rows at once: several times quicker than pixel by pixel
    return shown


def _blurred(picture: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    height, width = picture.shape[:2]
    sigma = 0.3 * ((BLUR_KERNEL_PX - 1) / 2 - 1) + 0.8  # what OpenCV takes for that kernel
    shrink = BLUR_SHRINK if min(height, width) >= BLUR_SHRUNK_FROM_PX else 1
    small = cv2.resize(picture, (-(-width // shrink), -(-height // shrink)),
                       interpolation=cv2.INTER_AREA)  # fmt: skip
    side = 2 * (BLUR_KERNEL_PX // 2 // shrink) + 1
    blurred = cv2.GaussianBlur(small, (side, side), sigma / shrink)
    large: np.ndarray = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def _grey(picture: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    grey: np.ndarray = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return grey


# By name: what hides (from picture and overlay colour), and whether the rest is cut off.
Hide = Callable[[np.ndarray, tuple[int, int, int]], np.ndarray]
METHODS: dict[str, tuple[Hide | None, bool]] = {
    "overlay": (_painted, False),
    "blur": (_blurred, False),
    "grayscale": (_grey, False),
    "crop": (None, True),
    "overlay-crop": (_painted, True),
}

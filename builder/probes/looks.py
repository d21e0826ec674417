"""What a shortcut could be read from in one picture: its size and colour, noise, seams, places.

Nothing here knows where the part belongs: a classifier on these numbers must not be able to tell
right from wrong (features.md B3); `place` alone is told where the part is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from synthesis.boxes import of_mask
from synthesis.foreground import LOSSY_DIFFERENCE_MIN, foreground_mask
from synthesis.pixels import channel_max, difference
from synthesis.printed import printed_marks

# The bin of every high-pass residual 0-255: fine near zero, where tampering shows.
BIN = np.digitize(np.arange(256), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]).astype(
    np.uint8
)
BINS = int(BIN[-1]) + 1
EDGE_MIN = 24
OUTLINE_TOLERANCE = 24
# How far around the outline its surroundings are looked at.
NEAR_OUTLINE_PX = 4
# What is shown is found in every second pixel each way: its box is all that is asked for.
SHOWN_STEP_PX = 2
# A colour is rare in a picture when at most this many of its pixels have it.
RARE_PIXELS = 2


def overall(rgb: np.ndarray, file_bytes: int) -> np.ndarray:
    """(9,) float: bytes on disk, width, height, mean and standard deviation of each channel."""
    mean, deviation = cv2.meanStdDev(rgb)
    height, width = rgb.shape[:2]
    return np.array([file_bytes, width, height, *mean.ravel(), *deviation.ravel()])


class Residuals(NamedTuple):
    """What is left of a picture without its shapes, (H, W) each: the bins of two high-pass
    residuals, and whether a colour is rare. Made once a picture: it is most of the work."""

    median_bin: np.ndarray
    laplacian_bin: np.ndarray
    rare: np.ndarray


def residuals(rgb: np.ndarray) -> Residuals:
    """High-pass residuals of (H, W, 3) uint8 by bin, and the pixels of rare colours."""
    median = difference(rgb, cv2.medianBlur(rgb, 3))
    laplacian = channel_max(cv2.convertScaleAbs(cv2.Laplacian(rgb, cv2.CV_16S)))
    return Residuals(cv2.LUT(median, BIN), cv2.LUT(laplacian, BIN), _rare(rgb))


def noise(rgb: np.ndarray, left: Residuals) -> np.ndarray:
    """Histograms of the residuals `left` of a picture and shares of rare colours, on edges and
    away from them.

    `rgb` is (H, W, 3) uint8. Every histogram adds up to 1, so the size of the picture and the
    length of its edges are not in them.
    """
    gradient = channel_max(cv2.morphologyEx(rgb, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    edges = cv2.dilate((gradient >= EDGE_MIN).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.concatenate([_histograms(left, region) for region in (edges, 1 - edges)])


def seam(rgb: np.ndarray, left: Residuals, outline_rgb: tuple[int, int, int]) -> np.ndarray:
    """The same numbers for the few pixels on both sides of the outline in the boundary colour."""
    low = np.clip(np.array(outline_rgb) - OUTLINE_TOLERANCE, 0, 255).astype(float)
    high = np.clip(np.array(outline_rgb) + OUTLINE_TOLERANCE, 0, 255).astype(float)
    outline = cv2.inRange(rgb, low, high) // 255
    size = 2 * NEAR_OUTLINE_PX + 1
    return _histograms(left, cv2.dilate(outline, np.ones((size, size), np.uint8)) - outline)


def place(rgb: np.ndarray, part_box_px: Sequence[float] | None) -> np.ndarray:
    """(12,) float: middle, size and room above and below the part, as shares of the picture and
    of what is shown in it; nan when no part is shown or nothing stands before the background."""
    height, width = rgb.shape[:2]
    small = np.ascontiguousarray(rgb[::SHOWN_STEP_PX, ::SHOWN_STEP_PX])
    mask = foreground_mask(small, None, LOSSY_DIFFERENCE_MIN)
    shown = of_mask(mask & ~printed_marks(small, mask))
    if part_box_px is None or shown is None:
        return np.full(12, np.nan)
    frames = ((0, 0, width, height), tuple(SHOWN_STEP_PX * end for end in shown))
    return np.concatenate([_within(part_box_px, frame) for frame in frames])


def _within(box: Sequence[float], frame: Sequence[float]) -> np.ndarray:
    low, high = np.reshape(frame, (2, 2)).astype(float)
    first, last = (np.reshape(box, (2, 2)) - low) / (high - low)
    return np.concatenate([(first + last) / 2, last - first, [first[1], 1 - last[1]]])


def _histograms(left: Residuals, region: np.ndarray) -> np.ndarray:
    """(2 BINS + 1,) shares of the pixels where `region` (H, W) uint8 is not 0."""
    total = max(1, cv2.countNonZero(region))
    shares = [
        cv2.calcHist([bins], [0], region, [BINS], [0, BINS]).ravel() / total
        for bins in (left.median_bin, left.laplacian_bin)
    ]
    rare = cv2.countNonZero(cv2.bitwise_and(left.rare, left.rare, mask=region))
    return np.array([*np.concatenate(shares), rare / total])


def _rare(rgb: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 1 for a colour that hardly any other pixel of the picture has."""
    packed = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0]
    found: np.ndarray = (packed != packed[0, 0]).astype(np.uint8)  # most of a plain background
    # 24 bits hashed to 20: counting all colours apart would take 16 million counters.
    slot = (packed[found > 0] * np.uint32(2654435761) >> np.uint32(12)).astype(np.intp)
    counts = np.bincount(slot, minlength=1 << 20)
    found[found > 0] = counts[slot] <= RARE_PIXELS
    return found

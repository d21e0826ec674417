"""What a shortcut could be read from in one picture: its size and colour, its noise and seams.

Nothing here knows where the part is or belongs: a classifier on these numbers must not be able to
tell right from wrong (features.md B3).
"""

import cv2
import numpy as np

from synthesis.pixels import channel_max, difference

# The bin of every high-pass residual 0-255: fine near zero, where tampering shows.
BIN = np.digitize(np.arange(256), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]).astype(
    np.uint8
)
BINS = int(BIN[-1]) + 1
EDGE_MIN = 24
OUTLINE_TOLERANCE = 24
# How far around the outline its surroundings are looked at.
NEAR_OUTLINE_PX = 4
# A colour is rare in a picture when at most this many of its pixels have it.
RARE_PIXELS = 2


def overall(rgb: np.ndarray, file_bytes: int) -> np.ndarray:
    """(9,) float: bytes on disk, width, height, mean and standard deviation of each channel."""
    mean, deviation = cv2.meanStdDev(rgb)
    height, width = rgb.shape[:2]
    return np.array([file_bytes, width, height, *mean.ravel(), *deviation.ravel()])


def noise(rgb: np.ndarray) -> np.ndarray:
    """Histograms of two high-pass residuals and shares of rare colours, on edges and away from
    them.

    `rgb` is (H, W, 3) uint8. Every histogram adds up to 1, so the size of the picture and the
    length of its edges are not in them.
    """
    gradient = channel_max(cv2.morphologyEx(rgb, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    edges = cv2.dilate((gradient >= EDGE_MIN).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.concatenate([_histograms(rgb, region) for region in (edges, 1 - edges)])


def seam(rgb: np.ndarray, outline_rgb: tuple[int, int, int]) -> np.ndarray:
    """The same numbers for the few pixels on both sides of the outline in the boundary colour."""
    low = np.clip(np.array(outline_rgb) - OUTLINE_TOLERANCE, 0, 255).astype(float)
    high = np.clip(np.array(outline_rgb) + OUTLINE_TOLERANCE, 0, 255).astype(float)
    outline = cv2.inRange(rgb, low, high) // 255
    size = 2 * NEAR_OUTLINE_PX + 1
    return _histograms(rgb, cv2.dilate(outline, np.ones((size, size), np.uint8)) - outline)


def _histograms(rgb: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(2 BINS + 1,) shares of the pixels where `region` (H, W) uint8 is not 0."""
    where = np.flatnonzero(region)
    total = max(1, len(where))
    median = difference(rgb, cv2.medianBlur(rgb, 3))
    laplacian = channel_max(cv2.convertScaleAbs(cv2.Laplacian(rgb, cv2.CV_16S)))
    shares = [
        np.bincount(BIN[residual.ravel()[where]], minlength=BINS) / total
        for residual in (median, laplacian)
    ]
    return np.array([*np.concatenate(shares), _rare(rgb).ravel()[where].sum() / total])


def _rare(rgb: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of a colour that hardly any other pixel of the picture has."""
    channels = rgb.astype(np.uint32)
    packed = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    # 24 bits hashed to 20: counting all colours apart would take 16 million counters.
    slot = (packed * np.uint32(2654435761)) >> np.uint32(12)
    counts = np.bincount(slot.ravel(), minlength=1 << 20)
    return (counts <= RARE_PIXELS)[slot]

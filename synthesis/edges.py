"""Parts by their edges alone: what closed contours enclose. Pure.

A second opinion on a plain background: it knows nothing of the background's colour, so shade and
vignettes, which deceive a model of the background, have no edge and do not count.
"""

import cv2
import numpy as np

from synthesis.pixels import channel_max, filled

# An edge rises by so many levels within a 3 x 3 window; ringing and noise of lossy pictures too.
EDGE_MIN, LOSSY_EDGE_MIN = 12, 36
# Gaps of contours that are closed, in a picture 960 px wide.
GAP_PX_AT_960 = 5
SMOOTHING_PX = 0.8


def edge_strength(rgb: np.ndarray, lossy: bool = False) -> np.ndarray:
    """(H, W) uint8: how much a channel rises or falls around each pixel of (H, W, 3) uint8."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), SMOOTHING_PX) if lossy else rgb
    return channel_max(cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))


def enclosed(rgb: np.ndarray, lossy: bool = False) -> np.ndarray:
    """(H, W) bool: what closed contours of (H, W, 3) uint8 pixels enclose, without thin lines."""
    strong = (edge_strength(rgb, lossy) >= (LOSSY_EDGE_MIN if lossy else EDGE_MIN)).astype(np.uint8)
    size = max(3, round(GAP_PX_AT_960 * rgb.shape[1] / 960)) | 1
    closed = cv2.morphologyEx(strong, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    inside = filled(closed).astype(np.uint8)
    # An edge is as wide as its window: one pixel of it lies outside the part.
    found: np.ndarray = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0
    return found

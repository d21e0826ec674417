"""Taking an outline off a picture: what it hid is filled in from what lies beside it. Pure."""

import cv2
import numpy as np

from synthesis.boxes import of_mask

# An outline's rim is blended with what it runs over, so a little more than it is filled.
RIM_PX = 2
# Removes the streaks that copying from the nearest pixel leaves, and keeps edges sharp.
MEDIAN_PX = 7


def without_outline(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with the `outline` pixels (H, W) bool and their rim filled.

    Every filled pixel is first a copy of the nearest one outside, then the median around it: the
    border between a part and what is behind it stays sharp. The thin dark line along it is lost.
    """
    box = of_mask(outline)
    result = picture.copy()
    if box is None:
        return result
    margin = RIM_PX + MEDIAN_PX
    x0, y0, x1, y1 = (int(value) for value in box)
    window = np.s_[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin]
    size = 2 * RIM_PX + 1
    hole = cv2.dilate(outline[window].astype(np.uint8), np.ones((size, size), np.uint8))
    if not hole.all():
        result[window] = fill(picture[window], hole)
    return result


def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 with the pixels of `hole` (h, w) uint8 0/1 made up from around it."""
    _, nearest = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    outside = np.flatnonzero(hole.ravel() == 0)
    source = np.zeros(int(nearest.max()) + 1, np.int64)
    source[nearest.ravel()[outside]] = outside
    copied = np.ascontiguousarray(picture.reshape(-1, 3)[source[nearest]])
    smooth = cv2.medianBlur(copied, MEDIAN_PX)
    return np.where(hole[..., None] > 0, smooth, copied)

"""Numbers that a manual prints into its pictures ("4x", the number of a step). Pure.

They stand before the background like parts, but are none: strokes of one dark grey, as thick
everywhere, about as high as a line of text. A part of that colour has faces, edges and studs of
other shades, and is thicker somewhere.
"""

import cv2
import numpy as np

# Height of a mark as a share of the picture's, thickness of its strokes as a share of its own.
HEIGHT_MIN, HEIGHT_MAX = 0.015, 0.09
THICKNESS_MAX = 0.42
# Width over height of one character: "1" is narrow, "x" and "0" nearly square.
ASPECT_MIN, ASPECT_MAX = 0.15, 1.3
# Darker than this, in all channels nearly alike, and of one shade where no edge is near.
BRIGHTNESS_MAX, SATURATION_MAX, SPREAD_MAX = 110, 24, 6.0


def printed_marks(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of `mask` that are printed characters.

    `rgb` is (H, W, 3) uint8, `mask` (H, W) bool what stands before the background.
    """
    found = np.zeros(mask.shape, bool)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    height = mask.shape[0]
    for label in range(1, count):
        x, y, w, h = (int(v) for v in stats[label, :4])
        if not HEIGHT_MIN * height <= h <= HEIGHT_MAX * height:
            continue
        window = np.s_[y : y + h, x : x + w]
        own = labels[window] == label
        if ASPECT_MIN <= w / h <= ASPECT_MAX and _is_stroke(rgb[window], own):
            found[window] |= own
    return found


def _is_stroke(rgb: np.ndarray, own: np.ndarray) -> bool:
    """Whether the pixels `own` (h, w) of a cut-out (h, w, 3) are thin strokes of one dark grey."""
    padded = cv2.copyMakeBorder(own.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth_px = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    rim = int(((depth_px > 0) & (depth_px < 1.5)).sum())  # a stroke has two rims
    if 2 * int(own.sum()) / max(1, rim) > THICKNESS_MAX * len(own):
        return False
    middle = rgb[depth_px > 1.5].astype(np.int16)
    if not len(middle):
        return False
    shade = np.median(middle, axis=0)
    return bool(
        shade.max() <= BRIGHTNESS_MAX
        and shade.max() - shade.min() <= SATURATION_MAX
        and np.abs(middle - shade).mean() <= SPREAD_MAX
    )

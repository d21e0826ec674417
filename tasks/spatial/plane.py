"""Relations between two regions of a picture, from the picture alone (frame "image").

Only what a flat picture can show: never in front of or behind, and never in, for what is set into a
frame and what is put on a plate look alike from above.
"""

import cv2
import numpy as np

from synthesis.boxes import Box

# Middles must be so far apart, in half sizes of the larger of the two, to be on a side of it.
DEAD_ZONE = 0.5
NEXT_SHARE = 0.25  # of the smaller one's size: nearer than this is next to
TOUCH_PX_AT_960 = 8  # an outline may run between two that touch


def relations_in_plane(
    one_px: Box, other_px: Box, one: np.ndarray | None, other: np.ndarray | None
) -> list[str]:
    """What holds of two things by their boxes and masks (H, W) bool; a mask is None for a thing
    without pixels of its own."""
    found = []
    dx, dy = _apart(one_px, other_px, 0), _apart(one_px, other_px, 1)
    touching = one is not None and other is not None and _touch(one, other)
    across = _share(one_px, other_px, 0) > 0
    if touching and across and dy < 0:
        found.append("on")
    elif touching and across and dy > DEAD_ZONE:
        found.append("under")
    elif not touching and across and abs(dy) > 2 * DEAD_ZONE:
        found.append("above" if dy < 0 else "under")
    if abs(dx) > 2 * DEAD_ZONE:
        found.append("left" if dx < 0 else "right")
    sizes = (one_px[2] - one_px[0], other_px[2] - other_px[0])
    gap = max(one_px[0], other_px[0]) - min(one_px[2], other_px[2])
    if -1 <= gap <= NEXT_SHARE * min(sizes) and _share(one_px, other_px, 1) > 0:
        found.append("next")
    return found


def place_in_plane(one_px: Box, whole_px: Box) -> list[str]:
    """On which side of the middle of the whole a thing lies, as far as a picture shows it: a view
    from above and the side puts the back higher and says nothing sure of it."""
    dx = (one_px[0] + one_px[2] - whole_px[0] - whole_px[2]) / (whole_px[2] - whole_px[0])
    return [] if abs(dx) < DEAD_ZONE / 2 else ["left" if dx < 0 else "right"]


def _apart(one: Box, other: Box, axis: int) -> float:
    """From middle to middle, in halves of the larger size along the axis."""
    half = max(one[axis + 2] - one[axis], other[axis + 2] - other[axis]) / 2
    return (one[axis] + one[axis + 2] - other[axis] - other[axis + 2]) / 2 / half


def _share(one: Box, other: Box, axis: int) -> float:
    return min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])


def _touch(one: np.ndarray, other: np.ndarray) -> bool:
    size = 2 * max(1, round(TOUCH_PX_AT_960 * one.shape[1] / 960)) + 1
    grown = cv2.dilate(one.astype(np.uint8), np.ones((size, size), np.uint8))
    return bool((grown.astype(bool) & other).any())

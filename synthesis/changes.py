"""The new parts of a step where nothing outlines them: what changed since the step before. Pure.

Measured on 59 steps of real models without outline: mean mask IoU 0.980, 10th percentile 0.966 (a
plain difference above 12: 0.922 and 0.839).
"""

import cv2
import numpy as np

from synthesis.pixels import difference, filled

# A channel differs by more than this; a part in the colour of what it covers differs by little.
CHANGED_MIN, LOSSY_CHANGED_MIN = 4, 24
# Gaps of this width are closed: where an edge of the part runs over an edge behind it.
GAP_PX_AT_960 = 5
SPECK_PX_AT_960 = 20
# Parts are only added, so nothing of the assembly becomes background: more than this share of it
# does only where the camera or the model moved.
VANISHED_SHARE_MAX = 0.01
OUTLINE_PX_AT_960 = 9


def changed_parts(
    picture: np.ndarray,
    before: np.ndarray,
    lossy: bool = False,
    ignored: np.ndarray | None = None,
) -> np.ndarray:
    """(H, W) bool: what differs between two pictures (H, W, 3) of one view, without specks; changes
    where `ignored` (H, W) bool is set do not count.

    Holes are filled: a part of one colour differs at its edges alone from a part like it.
    """
    scale = picture.shape[1] / 960
    changed = difference(picture, before) > (LOSSY_CHANGED_MIN if lossy else CHANGED_MIN)
    if ignored is not None:
        changed &= ~ignored
    size = max(3, round(GAP_PX_AT_960 * scale)) | 1
    closed = cv2.morphologyEx(
        changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= SPECK_PX_AT_960 * scale**2
    keep[0] = False
    found: np.ndarray = filled(keep[labels])
    return found


def has_moved(assembly: np.ndarray, assembly_before: np.ndarray) -> bool:
    """Whether the view changed, by what stands before the background, (H, W) bool, now and before.

    An outline around the parts of the step before goes too, but it is thin.
    """
    size = max(3, round(OUTLINE_PX_AT_960 * assembly.shape[1] / 960)) | 1
    vanished = (assembly_before & ~assembly).astype(np.uint8)
    thick = cv2.morphologyEx(vanished, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    return int(thick.sum()) > VANISHED_SHARE_MAX * max(1, int(assembly_before.sum()))

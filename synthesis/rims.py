"""Rims of masks: which half-covered pixels belong to a part. Pure."""

import cv2
import numpy as np

from synthesis.boxes import of_mask

REACH_PX = 2  # how far from a rim its own side and the other are looked at
HALF = 0.5


def half_covered(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: a mask without rim pixels that look more like what lies outside it.

    `rgb` is (H, W, 3) uint8, `mask` (H, W) bool. A pixel on the rim is a mix of both sides; it
    stays when its colour is at least half the way from the outside's to the inside's. Thin things,
    all rim, stay as they are.
    """
    box = of_mask(mask)
    if box is None:
        return mask
    x0, y0, x1, y1 = (int(v) for v in box)
    margin = REACH_PX + 1
    window = np.s_[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin]
    picture, own = rgb[window].astype(np.float32), mask[window].astype(np.uint8)
    inner = cv2.erode(own, np.ones((3, 3), np.uint8))
    outer = 1 - cv2.dilate(own, np.ones((3, 3), np.uint8))
    # The pixels just outside are mixed as well, where the rim is soft: look beyond them.
    ys, xs = np.nonzero((own == 1) & (inner == 0))
    inside, has_inside = _mean_around(picture, inner, ys, xs)
    outside, has_outside = _mean_around(picture, outer, ys, xs)
    way = inside - outside
    along = ((picture[ys, xs] - outside) * way).sum(axis=1)
    far = has_inside & has_outside & (along < HALF * (way * way).sum(axis=1))
    found = mask.copy()
    found[window][ys[far], xs[far]] = False
    return found


def _mean_around(
    picture: np.ndarray, where: np.ndarray, ys: np.ndarray, xs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) mean colour of the pixels `where` is 1 around n places, and whether there are any."""
    size = (2 * REACH_PX + 1,) * 2
    weights = where.astype(np.float32)
    total = cv2.boxFilter(weights, -1, size, normalize=False)[ys, xs]
    sums = cv2.boxFilter(picture * weights[..., None], -1, size, normalize=False)[ys, xs]
    return sums / np.maximum(total, 1)[:, None], total > 0.5

"""Parts of several kinds in one mask, taken apart by how each kind looks where it is shown alone.

Colours are compared shade by shade, not by one mean: a part shows its faces, studs and edges in
shades of its own, and the pictures of one manual are lit alike. Pure.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

BINS = 24  # a channel; a shade and its neighbours are one bin
SMOOTHING_BINS = 0.8
# A kind that fewer pixels than this share of the mask would fall to was not found.
KIND_SHARE_MIN = 0.01
# Edges that fit another kind are no pieces of it.
SPECK_SHARE = 0.1
# Two kinds look the same when their shades overlap by so much (0 none, 1 all).
SAME_SHADES = 0.5


def shades_of(pixels: np.ndarray) -> np.ndarray:
    """(BINS, BINS, BINS) how often each shade is among (N, 3) uint8 pixels, smoothed; sum 1."""
    bins = [(0, 256)] * 3
    counts, _ = np.histogramdd(pixels.astype(float), bins=(BINS,) * 3, range=bins)
    smooth = gaussian_filter(counts, SMOOTHING_BINS)
    found: np.ndarray = smooth / max(smooth.sum(), 1e-9)
    return found


def look_the_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two kinds can't be told apart by their shades."""
    return float(np.minimum(one, other).sum()) >= SAME_SHADES


def split_by_shades(
    rgb: np.ndarray, mask: np.ndarray, shades: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """(H, W) bool masks, one a kind, that add up to `mask`; None when a kind is not in it.

    `rgb` is (H, W, 3) uint8. Edges and highlights that fit no kind go with what is around them.
    """
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return None
    index = (rgb[ys, xs].astype(int) * BINS) // 256
    likely = np.array([one[index[:, 0], index[:, 1], index[:, 2]] for one in shades])
    known = likely.max(axis=0) > 1e-5
    votes = []
    radius = max(1, round(4 * rgb.shape[1] / 960))
    for number in range(len(shades)):
        plane = np.zeros(mask.shape, np.float32)
        plane[ys[known], xs[known]] = (likely.argmax(axis=0) == number)[known]
        votes.append(cv2.blur(plane, (2 * radius + 1,) * 2)[ys, xs])
    chosen = np.argmax(np.array(votes), axis=0)
    kinds = []
    for number in range(len(shades)):
        own = np.zeros(mask.shape, bool)
        own[ys[chosen == number], xs[chosen == number]] = True
        kinds.append(own)
    kinds = [without_specks(own) for own in kinds]
    least = KIND_SHARE_MIN * len(ys)
    return kinds if all(int(kind.sum()) >= least for kind in kinds) else None


def without_specks(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool without pieces of less than `SPECK_SHARE` of the largest."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= SPECK_SHARE * max(1, int(areas[1:].max(initial=0)))
    keep[0] = False
    found: np.ndarray = keep[labels]
    return found

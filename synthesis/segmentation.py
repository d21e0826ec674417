"""Segmentation of the newly placed part: what the boundary colour encloses (T13).

The outline is a band that follows the part's visible pixels. Its holes are the part, unless
nothing changed in them since the step before: then they are holes of the part itself. Pure.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from synthesis.boundary import CHANGE_MIN, OUTLINE_OPENING_PX_AT_960, Rgb, color_mask
from synthesis.boxes import Box, of_mask
from synthesis.pixels import difference

# The band covers about this much of the part along its rim, in a 960 px picture.
INNER_BAND_PX_AT_960 = 2.4
# A hole of the band belongs to the part when at least this share of it changed since the step
# before; what is seen through a ring did not.
CHANGED_SHARE_MIN = 0.05
# Outline pieces smaller than this are colour noise, not an outline.
MIN_BAND_PX_AT_960 = 30
# The widest break (lossy pictures, anti-aliasing) that is closed.
CLOSING_PX_AT_960 = 3


@dataclass(frozen=True)
class Segment:
    """The new part in one picture: (H, W) bool masks and the part's tight box.

    `part` are its own visible pixels, `outline` those of the boundary colour around them; the
    outline covers the part's own rim, so the two overlap.
    """

    part: np.ndarray
    outline: np.ndarray
    box_px: Box


def segment(
    picture: np.ndarray, before: np.ndarray | None, color: Rgb, tolerance: int
) -> Segment | None:
    """Segment the outlined part of a step picture (H, W, 3), or None when nothing is outlined.

    `before` is the previous step's picture of the same size, None if there is none.
    """
    scale = picture.shape[1] / 960
    radius = max(1, round(INNER_BAND_PX_AT_960 * scale))
    # Everything happens near the outline: work in that window only.
    around = of_mask(color_mask(picture, color, tolerance))
    if around is None:
        return None
    margin = radius + 2
    x0, y0, x1, y1 = (int(value) for value in around)
    window = np.s_[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin]
    same_size = before is not None and before.shape == picture.shape
    inner = _segment_window(
        np.ascontiguousarray(picture[window]),
        np.ascontiguousarray(before[window]) if before is not None and same_size else None,
        color, tolerance, scale, radius,
    )  # fmt: skip
    if inner is None:
        return None
    part, outline = (np.zeros(picture.shape[:2], bool) for _ in range(2))
    part[window], outline[window] = inner
    box = of_mask(part)
    return None if box is None else Segment(part, outline, box)


def old_outline(
    picture: np.ndarray, before: np.ndarray, found: Segment, color: Rgb, tolerance: int
) -> np.ndarray:
    """(H, W) bool: pixels of the step before that its own outline covers.

    Bricks may have the outline's colour: an outline is gone in `picture`, or, where the new part
    hides that, it is thin.
    """
    mask = color_mask(before, color, tolerance)
    gone = difference(picture, before) >= CHANGE_MIN
    size = max(3, round(OUTLINE_OPENING_PX_AT_960 * picture.shape[1] / 960)) | 1
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    hidden = cv2.dilate((found.part | found.outline).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.where(hidden > 0, mask & (1 - thick), mask & gone) > 0


def _segment_window(
    picture: np.ndarray,
    before: np.ndarray | None,
    color: Rgb,
    tolerance: int,
    scale: float,
    radius: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Part and outline masks (h, w) bool of a window that holds the whole outline."""
    band = _band(picture, before, color, tolerance, scale)
    if not band.any():
        return None
    inside = _inside(band, _changed(picture, before), scale)
    if not inside.any():
        return None
    part = cv2.dilate(inside, _disc(radius)) & (inside | band)
    return part.astype(bool), band.astype(bool)


def _disc(radius_px: int) -> np.ndarray:
    """Round structuring element."""
    found: np.ndarray = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1)
    )
    return found


def _changed(picture: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """(H, W) bool: what differs from the step before; everything when there is none."""
    if before is None:
        return np.ones(picture.shape[:2], bool)
    return difference(picture, before) >= CHANGE_MIN


def _band(
    picture: np.ndarray, before: np.ndarray | None, color: Rgb, tolerance: int, scale: float
) -> np.ndarray:
    """(H, W) uint8 0/1: pixels of the outline, without specks and without bricks of its colour."""
    mask = color_mask(picture, color, tolerance)
    if before is not None:
        # What had the colour already is a brick or the old outline seen again, unless the outline
        # runs over it: keep pieces of which something is new.
        old = color_mask(before, color, tolerance)
        fresh = mask & (1 - old)
    else:
        fresh = mask
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    least = MIN_BAND_PX_AT_960 * scale
    new_pixels = np.bincount(labels.ravel(), weights=fresh.ravel(), minlength=count)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = (areas >= least) & (new_pixels >= 0.5 * areas)
    keep[0] = False
    found: np.ndarray = keep[labels].astype(np.uint8)
    return found


def _inside(band: np.ndarray, changed: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) uint8 0/1: the holes of the band in which something changed."""
    size = max(3, round(CLOSING_PX_AT_960 * scale)) | 1
    closed = cv2.morphologyEx(band, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    padded = cv2.copyMakeBorder(1 - closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    count, labels = cv2.connectedComponents(padded, connectivity=4)
    labels = labels[1:-1, 1:-1]
    areas = np.bincount(labels.ravel(), minlength=count)
    shares = np.bincount(labels.ravel(), weights=changed.ravel(), minlength=count) / np.maximum(
        areas, 1
    )
    keep = shares >= CHANGED_SHARE_MIN
    keep[labels[0, 0]] = False  # the padding makes everything outside one region
    keep[labels[closed > 0]] = False  # the band itself is label 0 of the components
    return keep[labels].astype(np.uint8)

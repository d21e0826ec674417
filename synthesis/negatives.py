"""Wrong states from right ones: the new part moved elsewhere on the picture of two steps before.

Thesis 4.4 (T14): cut the part at T, paste it on the T-2 picture inside its background box, moved by
at least 5 %. Pure: pixels, masks and boxes in and out; randomness comes from the given generator.
"""

import random
from dataclasses import dataclass

import cv2
import numpy as np

from synthesis.boxes import Box, of_mask
from synthesis.pixels import difference
from synthesis.segmentation import Segment

NEGATIVES_PER_STEP = 3
# A16: the shift is max(|dx| / W, |dy| / H) of the background box.
SHIFT_FRACTION_MIN = 0.05
# A moved part may cover at most this share of its right place, or it would look right.
RIGHT_PLACE_IOU_MAX = 0.6
# It must lie on the assembly, not beside it, with at least this share of its pixels.
ON_ASSEMBLY_MIN = 0.25
TRIES = 400
# A pixel has changed when a channel differs by this much; more such pixels than this share of the
# new part's own, away from it and the outlines, mean that the view changed.
VIEW_CHANGE_MIN, VIEW_CHANGED_SHARE = 40, 0.5


@dataclass(frozen=True)
class Moved:
    """One placement: pixel shift, its fraction of the background box, and the part's new box."""

    shift_xy_px: tuple[int, int]
    shift_fraction: float
    box_px: Box


def shift_fraction(shift_xy_px: tuple[int, int], background_px: Box) -> float:
    """A16: the larger of |dx| / W and |dy| / H of the background box."""
    width, height = background_px[2] - background_px[0], background_px[3] - background_px[1]
    return max(abs(shift_xy_px[0]) / width, abs(shift_xy_px[1]) / height)


def view_changed(
    picture: np.ndarray, before: np.ndarray, segment: Segment, old_outline: np.ndarray
) -> bool:
    """Whether the camera or the model moved between T-2 and T.

    With a fixed view nothing differs but the new part and the two outlines; a canvas made of two
    views would be torn.
    """
    explained = cv2.dilate(
        (segment.cut | old_outline).astype(np.uint8), np.ones((9, 9), np.uint8)
    ).astype(bool)
    changed = (difference(picture, before) >= VIEW_CHANGE_MIN) & ~explained
    return int(changed.sum()) > VIEW_CHANGED_SHARE * max(1, int(segment.part.sum()))


def canvas_without_part(
    picture: np.ndarray, before: np.ndarray, segment: Segment, old_outline: np.ndarray
) -> np.ndarray:
    """The T-2 state (H, W, 3) without the highlight of its own step.

    What T and T-2 both show is taken from T, where the old outline is gone already; only under the
    new part T-2 shows through, with the old outline's pixels (`old_outline`, (H, W) bool) filled
    from their nearest surroundings. Two outlines in a negative and one in a positive would give the
    label away.
    """
    canvas = picture.copy()
    x0, y0, x1, y1 = _int_box(segment.cut)
    window = np.s_[max(0, y0 - 8) : y1 + 8, max(0, x0 - 8) : x1 + 8]
    # Two pixels more than what was found: an outline's rim is blended with what it runs over.
    rim = np.ones((5, 5), np.uint8)
    under = cv2.dilate(segment.cut[window].astype(np.uint8), rim)
    np.copyto(canvas[window], before[window], where=under[..., None] > 0)
    leftover = cv2.dilate(old_outline[window].astype(np.uint8), rim) & under
    if leftover.any() and not leftover.all():
        canvas[window] = _fill_from_nearest(canvas[window], leftover)
    return canvas


def _fill_from_nearest(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """(h, w, 3) with every pixel of the hole (h, w) uint8 0/1 copied from the nearest outside it.

    Smooth inpainting would mix colours that no positive holds.
    """
    _, nearest = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    outside = np.flatnonzero(hole.ravel() == 0)
    source = np.zeros(int(nearest.max()) + 1, np.int64)
    source[nearest.ravel()[outside]] = outside
    return picture.reshape(-1, 3)[source[nearest]]


def paste(canvas: np.ndarray, picture: np.ndarray, cut: np.ndarray, shift_xy_px: tuple[int, int]):
    """`canvas` with the cut-out pixels of `picture` put down `shift_xy_px` away.

    Raises ValueError when the shifted cut-out would leave the canvas.
    """
    x0, y0, x1, y1 = _int_box(cut)
    dx, dy = shift_xy_px
    height, width = canvas.shape[:2]
    if not (0 <= x0 + dx and x1 + dx <= width and 0 <= y0 + dy and y1 + dy <= height):
        raise ValueError(f"shift {shift_xy_px} moves {(x0, y0, x1, y1)} off {(width, height)}")
    result = canvas.copy()
    target = result[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    inside = cut[y0:y1, x0:x1]
    np.copyto(target, picture[y0:y1, x0:x1], where=inside[..., None])
    return result


def place(
    segment: Segment, assembly: np.ndarray, background_px: Box, rng: random.Random
) -> list[Moved]:
    """Choose up to three different wrong places for the part.

    `assembly` is the (H, W) bool foreground of the canvas and `background_px` its box. The cut-out
    lies wholly inside that box; when it can't (the part is larger than what was built before), its
    middle does. It stays inside the picture, on the assembly, off its right place, and two
    placements differ by as much as a wrong one from the right one.
    """
    found: list[Moved] = []
    strict = _shift_ranges(segment, background_px, assembly.shape, whole=True)
    loose = _shift_ranges(segment, background_px, assembly.shape, whole=False)
    for ranges in (strict, loose):
        for _ in range(TRIES if ranges else 0):
            if len(found) == NEGATIVES_PER_STEP:
                return found
            shift = (rng.randint(*ranges[0]), rng.randint(*ranges[1]))  # type: ignore[index]
            if _acceptable(shift, segment, assembly, background_px, found):
                dx, dy = shift
                x0, y0, x1, y1 = segment.box_px
                found.append(
                    Moved(
                        shift,
                        shift_fraction(shift, background_px),
                        (x0 + dx, y0 + dy, x1 + dx, y1 + dy),
                    )
                )
    return found


def _int_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    box = of_mask(mask)
    if box is None:
        raise ValueError("the mask of a part is empty")
    return (int(box[0]), int(box[1]), int(box[2]), int(box[3]))


def _shift_ranges(
    segment: Segment, background_px: Box, shape: tuple[int, ...], whole: bool
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Allowed (dx range, dy range), inclusive, or None when there is none."""
    cut = _int_box(segment.cut)
    ranges = []
    for axis, limit in ((0, shape[1]), (1, shape[0])):
        low, high = cut[axis], cut[axis + 2]
        start, stop = background_px[axis], background_px[axis + 2]
        if whole:
            first, last = start - low, stop - high
        else:
            middle = (low + high) / 2
            first, last = start - middle, stop - middle
        first, last = max(int(np.ceil(first)), -low), min(int(np.floor(last)), limit - high)
        if first > last:
            return None
        ranges.append((first, last))
    return ranges[0], ranges[1]


def _acceptable(
    shift: tuple[int, int],
    segment: Segment,
    assembly: np.ndarray,
    background_px: Box,
    found: list[Moved],
) -> bool:
    if shift_fraction(shift, background_px) < SHIFT_FRACTION_MIN:
        return False
    for other in found:
        between = (shift[0] - other.shift_xy_px[0], shift[1] - other.shift_xy_px[1])
        if shift_fraction(between, background_px) < SHIFT_FRACTION_MIN:
            return False
    x0, y0, x1, y1 = (int(v) for v in segment.box_px)
    dx, dy = shift
    part = segment.part[y0:y1, x0:x1]
    total = int(part.sum())
    under = assembly[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    there = segment.part[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    if under.shape != part.shape or int((under & part).sum()) < ON_ASSEMBLY_MIN * total:
        return False
    overlap = int((there & part).sum())
    return overlap / (2 * total - overlap) <= RIGHT_PLACE_IOU_MAX

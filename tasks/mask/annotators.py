"""The annotators of masks: functions of a `View` that give a numbered mask, or None.

Each looks at the picture in a way of its own, so where they agree they are likely right. None
knows the truth; what the source knows is `exact`, and stands beside them in `rows.py`.
"""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np

from synthesis.edges import enclosed
from synthesis.foreground import DIFFERENCE_MIN, LOSSY_DIFFERENCE_MIN, find_foreground
from synthesis.pixels import filled
from synthesis.rims import half_covered
from synthesis.segmentation import INNER_BAND_PX_AT_960, segment
from tasks.mask.candidates import Candidate, numbered, numbers_in_boxes
from tasks.mask.views import RIM_PX_AT_960, View

EXACT = "exact"
BOXES = "boxes"  # before the name of an annotator of boxes: "boxes:owlv2"
# A mask of fewer pixels than this in a picture 960 px wide is none.
LEAST_PX_AT_960 = 60
# Foreground has nothing to say of a step where it sees less than this share of what changed.
GAINED_SHARE_MIN = 0.9
# As wide as what an outline leaves out, and what it fades into.
OLD_OUTLINE_PX_AT_960 = 15

Annotator = Callable[[View], np.ndarray | None]
Asking = Callable[[View, Sequence[Candidate]], Iterable[Candidate]]


def by_foreground(view: View) -> np.ndarray | None:
    """What stands before the background and is no shadow; in a step, what does now and did not
    before. A part that lies before the assembly is not seen that way, so where most of what changed
    does, there is no mask."""
    if not view.is_step:
        found = find_foreground(view.picture.rgb, view.picture.alpha, _difference_min(view))
        sure = found.mask if found.core is None else found.core
        # The bright face of a part on a bright ground differs by its edges alone.
        return half_covered(view.picture.rgb, filled(sure & ~view.now[1]))
    standing, _ = view.now
    gained = standing if view.then is None else standing & ~view.then[0]
    opened = cv2.morphologyEx(gained.astype(np.uint8), cv2.MORPH_OPEN, view.square(RIM_PX_AT_960))
    mask = _with_rim(view, opened & (1 - view.outlines))
    if view.before is not None and mask.sum() < GAINED_SHARE_MIN * view.changed.sum():
        return None
    return mask


def by_outline(view: View) -> np.ndarray | None:
    """What the outline around a step's new parts encloses."""
    if not view.is_step or view.outline is None:
        return None
    found = segment(*view.inked, *view.outline)
    return None if found is None else found.part


def by_difference(view: View) -> np.ndarray | None:
    """What changed since the step before, besides the outlines of both."""
    if not view.is_step or view.before is None:
        return None
    inside = view.changed.astype(np.uint8)
    if view.band_before is not None:
        # Where the new part hides an outline of before nothing counted: that is inside as well.
        old = cv2.dilate(view.band_before, view.square(RIM_PX_AT_960))
        closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, view.square(OLD_OUTLINE_PX_AT_960))
        inside |= closed & old & (1 - view.band)
    return _with_rim(view, inside)


def _difference_min(view: View) -> float:
    return LOSSY_DIFFERENCE_MIN if view.picture.lossy else DIFFERENCE_MIN


def _with_rim(view: View, inside: np.ndarray) -> np.ndarray:
    """(H, W) bool: what is new, (H, W) uint8 0/1 without outlines, with the rim that the outline of
    the step covers."""
    if view.outline is None:
        return inside > 0
    band = cv2.dilate(view.band, view.square(RIM_PX_AT_960))
    reach = RIM_PX_AT_960 // 2 + INNER_BAND_PX_AT_960
    radius = max(1, round(reach * view.picture.size_wh[0] / 960))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, view.square(RIM_PX_AT_960))
    found: np.ndarray = (opened | (cv2.dilate(opened, disc) & band)) > 0
    return found


def by_edges(view: View) -> np.ndarray | None:
    """What closed contours enclose, in a find picture."""
    if view.is_step:
        return None
    return enclosed(view.picture.rgb, view.lossy) & ~view.now[1]


# In the order of preference, where two agree alike with the others.
ANNOTATORS: dict[str, Annotator] = {
    "outline": by_outline,
    "difference": by_difference,
    "foreground": by_foreground,
    "edges": by_edges,
}


def machine_candidates(view: View, more: Iterable[Asking] = ()) -> list[Candidate]:
    """What every annotator gives, those without a mask left out. `more` are annotators that start
    from what the others found, as a model does that is prompted with boxes."""
    found = [
        Candidate(name, numbered(mask), 1.0)
        for name, annotate in ANNOTATORS.items()
        if (mask := annotate(view)) is not None
    ]
    for name, boxes in view.boxes_px.items():
        if name != EXACT and boxes:
            found.append(Candidate(f"{BOXES}:{name}", numbers_in_boxes(view.now[0], boxes), 1.0))
    least = LEAST_PX_AT_960 * (view.picture.size_wh[0] / 960) ** 2
    found = [one for one in found if int((one.numbers > 0).sum()) >= least]
    asked = [one for annotate in more for one in annotate(view, found)]
    return found + [one for one in asked if int((one.numbers > 0).sum()) >= least]

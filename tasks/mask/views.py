"""What annotators of masks look at: a picture, the one before it, and what is said of it.

A view of a manual's row takes pictures and foregrounds from the manual's context, so nothing is
looked for twice; a view of a picture made worse finds its own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.part_names import part_labels
from core.pictures.media import Picture
from synthesis.boundary import color_mask, inked
from synthesis.boxes import Box
from synthesis.changes import changed_parts
from tasks.flat_regions import new_labels, standing_masks, standing_of

if TYPE_CHECKING:
    from core.records import Annotation, PartLabel
    from tasks.context import Context
    from tasks.sessions import ManualRow

# A rim of a mask, or of an outline, at 960 px.
RIM_PX_AT_960 = 3

Masks = tuple[np.ndarray, np.ndarray]  # (H, W) bool what stands there, and the printed marks


@dataclass(frozen=True)
class View:
    """A picture in which parts are looked for: all that stands there in a find picture, what is new
    in a step. `before` is the picture of the step before, `outline` the boundary colour and the
    tolerance it needs, `boxes_px` are what annotators of boxes gave, by name.
    """

    picture: Picture
    is_step: bool
    before: Picture | None = None
    outline: tuple[tuple[int, int, int], int] | None = None
    boxes_px: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    color_names: tuple[str, ...] = ()
    known: Masks | None = None
    known_before: Masks | None = None

    @functools.cached_property
    def now(self) -> Masks:
        """What stands in the picture, and its marks."""
        return self.known or standing_of(self.picture)

    @functools.cached_property
    def then(self) -> Masks | None:
        """The same of the step before."""
        return self.known_before or (standing_of(self.before) if self.before else None)

    def square(self, px_at_960: float) -> np.ndarray:
        """A square structuring element of that width in a picture 960 px wide, odd, at least 3."""
        size = max(3, round(px_at_960 * self.picture.size_wh[0] / 960)) | 1
        return np.ones((size, size), np.uint8)

    @functools.cached_property
    def outlines(self) -> np.ndarray:
        """(H, W) uint8 0/1: outlines of the step and of the one before, and what they fade into."""
        if self.outline is None:
            return np.zeros(self.picture.rgb.shape[:2], np.uint8)
        found = self.band | (0 if self.band_before is None else self.band_before)
        grown: np.ndarray = cv2.dilate(found, self.square(RIM_PX_AT_960))
        return grown

    @functools.cached_property
    def inked(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Both pictures with outlines in their very colour, (H, W, 3) uint8."""
        color = None if self.outline is None else self.outline[0]

        def pixels(one: Picture) -> np.ndarray:
            return inked(one.rgb, color) if color is not None and one.lossy else one.rgb

        return pixels(self.picture), None if self.before is None else pixels(self.before)

    @functools.cached_property
    def band(self) -> np.ndarray:
        """(H, W) uint8 0/1: pixels of the outline's colour."""
        if self.outline is None:
            return np.zeros(self.picture.rgb.shape[:2], np.uint8)
        return color_mask(self.inked[0], *self.outline)

    @functools.cached_property
    def band_before(self) -> np.ndarray | None:
        """The same of the step before; None without one."""
        then = self.inked[1]
        return None if then is None or self.outline is None else color_mask(then, *self.outline)

    @functools.cached_property
    def changed(self) -> np.ndarray:
        """(H, W) bool: what changed since the step before, besides outlines and marks."""
        if self.before is None:
            return np.zeros(self.picture.rgb.shape[:2], bool)
        ignored = (self.outlines > 0) | self.now[1] | (self.then[1] if self.then else False)
        return changed_parts(self.picture.rgb, self.before.rgb, self.lossy, ignored)

    @property
    def lossy(self) -> bool:
        """Whether either picture went through a lossy codec."""
        return self.picture.lossy or (self.before is not None and self.before.lossy)


def view_of(context: Context, row: ManualRow) -> View | str:
    """The view of a find or step row, or the reason why there is none. Raises `ImageError`."""
    picture = context.picture(row.instruction)
    if picture is None:
        return "no_picture"
    labels = part_labels(row.instruction) if row.is_eop else new_labels(row)
    if row.is_eop:
        annotation = context.annotations.get(row.instruction.instruction_id)
        return View(
            picture,
            False,
            boxes_px=_boxes(annotation),
            color_names=_colors(labels),
            known=standing_masks(context, row.instruction),
        )
    before = context.picture(row.step_before) if row.step_before else None
    if row.step_before is not None and before is None:
        return "no_picture_of_step_before"
    if before is not None and before.rgb.shape != picture.rgb.shape:
        return "picture_size_changed"
    color = context.colors[row.session_id]
    return View(
        picture,
        True,
        before,
        None if color.vote.color is None else (color.vote.color, color.tolerance),
        color_names=_colors(labels),
        known=standing_masks(context, row.instruction),
        known_before=standing_masks(context, row.step_before) if row.step_before else None,
    )


def _boxes(annotation: Annotation | None) -> dict[str, list[Box]]:
    """All boxes of a find picture by annotator; of one that is a consensus, those of each."""
    if annotation is None or annotation.error:
        return {}
    found: dict[str, list[Box]] = {}
    for label in annotation.labels:
        for one in label.candidates:
            found.setdefault(one.annotator, []).extend(one.instances_px)
        if not label.candidates:
            found.setdefault(annotation.annotator, []).extend(label.instances_px)
    return found


def _colors(labels: Sequence[PartLabel]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.color for label in labels if label.color))

"""Rows whose pixels nobody drew: the mixture of annotators, the mask it chooses and how good it is.

Annotators are asked once a picture, whichever rows show it. A find picture's kinds are told apart
by the boxes of its annotation, a step's by its regions; which pixels are parts at all is decided
here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synthesis.boxes import Box
from tasks.mask.annotators import machine_candidates
from tasks.mask.candidates import Candidate, Consensus, boxes_of, combine, numbers_in_boxes
from tasks.mask.features import features_of, vector
from tasks.mask.prompted import annotators
from tasks.mask.quality import quality_of
from tasks.mask.views import View, view_of
from tasks.regions import EXACT, Region, StepRegions, region

if TYPE_CHECKING:
    from tasks.context import Context
    from tasks.sessions import ManualRow

# Boxes of one annotator may be a rim too small for the mask of another.
BOX_MARGIN_PX_AT_960 = 3
# Of several kinds each keeps its own part of the chosen mask, where that is most of it.
KEPT_SHARE_MIN = 0.5


class Judged(NamedTuple):
    """What the annotators come to for one picture, and the measures of the chosen mask."""

    consensus: Consensus
    features: list[float]

    @property
    def quality(self) -> float:
        """By the fixed formula, which holds until a build knows better."""
        return float(quality_of([self.features], None)[0])

    def columns(self, box_of: Callable[[np.ndarray], Box | None], own: Box) -> dict[str, Any]:
        """The columns of a row that shows the chosen mask. `box_of` gives the box of what the row
        would show with a candidate's (H, W) bool mask; its own where that is nothing."""
        found = self.consensus.columns
        for column, one in zip(found["candidates"], self.consensus.candidates, strict=True):
            column["box_px"] = list(box_of(one.mask) or own)
        return {**found, "quality": self.quality}


def judged(context: Context, row: ManualRow) -> Judged | None:
    """What annotators say of a row's picture, found once; None where nobody sees anything. Raises
    `ImageError`."""
    number = row.instruction.instruction_id
    if number not in context.judged:
        view = view_of(context, row)
        more = annotators(context.options)
        candidates = [] if isinstance(view, str) else machine_candidates(view, more)
        context.judged[number] = None if isinstance(view, str) else _judged(view, candidates)
    found: Judged | None = context.judged[number]
    return found


def _judged(view: View, candidates: Sequence[Candidate]) -> Judged | None:
    if not candidates:
        return None
    consensus = combine(candidates)
    others = [one.numbers for one in candidates if one is not consensus.chosen]
    features = features_of(view, consensus.chosen.numbers, others)
    if features is None:
        return None
    return Judged(consensus, vector(features, consensus.chosen.annotator))


def within(chosen: np.ndarray, boxes_px: Sequence[Box]) -> np.ndarray:
    """(H, W) bool: what lies of a mask in the boxes of one kind of part."""
    margin = max(1, round(BOX_MARGIN_PX_AT_960 * chosen.shape[1] / 960))
    grown = [(x0 - margin, y0 - margin, x1 + margin, y1 + margin) for x0, y0, x1, y1 in boxes_px]
    return numbers_in_boxes(chosen, grown) > 0


def with_chosen(regions: StepRegions, said: Judged | None) -> StepRegions:
    """Regions of a step with the pixels of the new parts that annotators agree on best."""
    if said is None or regions.source == EXACT:
        return regions
    chosen = said.consensus.chosen
    if len(regions.new) == 1:
        new = [_replaced(regions.new[0], chosen)]
    else:
        new = [_narrowed(one, chosen.mask) for one in regions.new]
    return dataclasses.replace(regions, source=chosen.annotator, new=new)


def _replaced(one: Region, chosen: Candidate) -> Region:
    """The only region of new parts with the chosen mask; a box a part where it has as many."""
    if (chosen.mask & one.mask).sum() < KEPT_SHARE_MIN * one.mask.sum():
        return one
    boxes = boxes_of(chosen.numbers)
    boxes = boxes if len(boxes) == one.count else []
    return region(chosen.mask, (one.label, one.color), one.count, boxes, one.part_ids) or one


def _narrowed(one: Region, chosen: np.ndarray) -> Region:
    """One of several regions with its part of the chosen mask; as it was where that is little."""
    own = one.mask
    kept = chosen & own
    if kept.sum() < KEPT_SHARE_MIN * own.sum():
        return one
    name, boxes = (one.label, one.color), one.instances_px if len(one.instances_px) > 1 else ()
    return region(kept, name, one.count, boxes, one.part_ids) or one

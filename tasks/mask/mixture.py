"""Rows whose pixels nobody drew: the mixture of annotators, the mask it chooses and how good it is.

A find picture's kinds are told apart by the boxes of its annotation, a step's by its regions; which
pixels are parts at all is decided here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synthesis.boxes import Box
from tasks.mask.annotators import machine_candidates
from tasks.mask.candidates import Consensus, boxes_of, combine
from tasks.mask.features import features_of, vector
from tasks.mask.prompted import annotators
from tasks.mask.quality import quality_of
from tasks.mask.views import view_of
from tasks.regions import EXACT, StepRegions, region

if TYPE_CHECKING:
    from tasks.context import Context
    from tasks.sessions import ManualRow

# Of a region the chosen mask has at least this share, or nobody knows which of the two is right.
KEPT_SHARE_MIN = 0.5
DISAGREE = "annotators_disagree"


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
    """What annotators say of a row's picture; None where nobody sees anything. Raises
    `ImageError`."""
    view = view_of(context, row)
    if isinstance(view, str):
        return None
    candidates = machine_candidates(view, annotators(context.options))
    if not candidates:
        return None
    consensus = combine(candidates)
    others = [one.numbers for one in candidates if one is not consensus.chosen]
    features = features_of(view, consensus.chosen.numbers, others)
    if features is None:
        return None
    return Judged(consensus, vector(features, consensus.chosen.annotator))


def with_chosen(regions: StepRegions, said: Judged | None) -> StepRegions | str:
    """Regions of a step with the pixels of the new parts that annotators agree on best; the reason
    where these are not those of the regions."""
    if said is None or regions.source == EXACT:
        return regions
    chosen, new = said.consensus.chosen, []
    for one in regions.new:
        own = one.mask
        kept = chosen.mask & own
        if kept.sum() < KEPT_SHARE_MIN * own.sum():
            return DISAGREE
        name = (one.label, one.color)
        if len(regions.new) == 1:  # a box a part where the mask has as many
            boxes = boxes_of(chosen.numbers)
            kept, boxes = chosen.mask, boxes if len(boxes) == one.count else []
        else:
            boxes = list(one.instances_px) if len(one.instances_px) > 1 else []
        found = region(kept, name, one.count, boxes, one.part_ids)
        if found is None:
            return DISAGREE
        new.append(found)
    return dataclasses.replace(regions, source=chosen.annotator, new=new)

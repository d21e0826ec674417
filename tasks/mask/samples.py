"""Samples for the discriminator: pictures that the source drew, with the true mask and those that
annotators give without knowing it.

Annotators are nearly right on clean drawings, and what they are asked about elsewhere is not clean;
so all but one of a manual are made worse first (`synthesis/worse.py`), and the truth with them. The
true mask is taken from the clean picture, as rows have it; it stands in the place of the chosen
annotator's, so it is compared with the same others. A machine's mask that nobody could tell from
the true one is as good.
"""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np

from core.masks import mask_iou
from core.pictures.containers import ImageError
from core.pictures.media import Picture
from synthesis.boundary import LOSSY_TOLERANCE
from synthesis.boxes import transform
from synthesis.worse import Faults, drawn_faults, made_worse, smaller_mask
from tasks.context import Context
from tasks.mask.annotators import machine_candidates
from tasks.mask.candidates import Candidate, combine, numbered
from tasks.mask.features import features_of, vector
from tasks.mask.notes import MaskSample
from tasks.mask.prompted import annotators
from tasks.mask.views import View, view_of
from tasks.regions import exact_scene
from tasks.sessions import ManualRow

# Of a manual at most, of find pictures and of steps: what costs less than a second.
AT_MOST = 3
# A mask that overlaps the true one by so much differs from it by a rim at most.
GOOD_IOU_MIN = 0.9


def samples(context: Context) -> Iterator[MaskSample]:
    """Samples of a manual's pictures; none where nobody drew them."""
    if context.scene is None:
        return
    rows = [row for row in context.rows() if row.instruction.VLM.task_label is not None]
    clean = _seed(context, "clean") % 2 > 0  # which kind has it
    for is_eop in (True, False):
        own = [row for row in rows if row.is_eop == is_eop]
        rng = np.random.default_rng(_seed(context, f"samples {is_eop}"))
        for place, index in enumerate(rng.permutation(len(own))[:AT_MOST]):
            try:
                yield from _of_row(context, own[index], place > 0 or is_eop != clean)
            except ImageError:  # a drop where rows are made of it
                continue


def _of_row(context: Context, row: ManualRow, worse: bool) -> Iterator[MaskSample]:
    truth, view = true_mask(context, row), view_of(context, row)
    if truth is None or isinstance(view, str):
        return
    if worse:
        rng = np.random.default_rng(_seed(context, context.item(row.instruction)))
        view = worse_view(view, drawn_faults(rng), rng)
        truth = smaller_mask(truth, view.picture.size_wh)
    candidates = machine_candidates(view, annotators(context.options))
    if not candidates or not truth.any():
        return
    for one, others in rated(candidates, None if worse else truth):
        found = features_of(view, one.numbers, others)
        if found is not None:
            iou = mask_iou(one.mask, truth)
            yield MaskSample(iou >= GOOD_IOU_MIN, vector(found, one.annotator), round(iou, 4))


def rated(
    candidates: list[Candidate], truth: np.ndarray | None
) -> Iterator[tuple[Candidate, list[np.ndarray]]]:
    """(mask, the others' masks) of every candidate, and of a true mask in the place of the chosen
    one."""
    chosen = combine(candidates).chosen
    for one in candidates:
        others = [other.numbers for other in candidates if other is not one]
        yield one, others
        if truth is not None and one is chosen:
            yield Candidate(one.annotator, numbered(truth), 1.0), others


def true_mask(context: Context, row: ManualRow) -> np.ndarray | None:
    """(H, W) bool of all parts of a find picture, or the new parts of a step; None without a
    scene."""
    if row.is_eop:
        picture = context.scene_picture(row.instruction)
        return None if picture is None else context.part_numbers(picture) > 0
    drawn = exact_scene(context, row)
    if drawn is None:
        return None
    step, picture = drawn
    new = [n for n, shown in enumerate(picture.shown, 1) if shown.part_id in set(step.new_ids)]
    return np.isin(context.part_numbers(picture), new)


def worse_view(view: View, faults: Faults, rng: np.random.Generator) -> View:
    """The view with both pictures made worse alike; foregrounds are found anew."""

    def worse(picture: Picture) -> Picture:
        return Picture(made_worse(picture.rgb, faults, rng), None, lossy=True)

    scale = (faults.scale, faults.scale)
    return dataclasses.replace(
        view,
        picture=worse(view.picture),
        before=None if view.before is None else worse(view.before),
        outline=None if view.outline is None else (view.outline[0], LOSSY_TOLERANCE),
        boxes_px={
            name: [transform(box, scale, (0, 0)) for box in boxes]
            for name, boxes in view.boxes_px.items()
        },
        known=None,
        known_before=None,
    )


def _seed(context: Context, name: str) -> int:
    """A seed of this item's own: order, workers and other manuals change nothing."""
    text = f"{context.options.seed}:mask:{context.manual.manual_id}:{name}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

"""Rows of masks: pictures of the other tasks, an instruction, and the pixels it is about.

A find picture gives a row a kind of part and one of a collage; a step one each for what to do
(`scene`), for whether it was done (`state`) and for a pair of things (`spatial`).
"""

import functools
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.boxtext import box_answer
from core.masks import area_ratio, encode_mask
from core.part_names import part_kind, part_labels, phrases
from core.pictures.containers import ImageError
from core.records import Instruction, PartLabel
from synthesis.boxes import Box, of_mask, px_to_norm100, union
from synthesis.collage import compose
from tasks import queries
from tasks.context import Context, EncodedImage, base_row
from tasks.mask import instructions, pairs
from tasks.mask.candidates import numbers_in_boxes
from tasks.mask.instructions import Refused, Variant
from tasks.mask.mixture import Judged, judged, with_chosen
from tasks.mask.notes import MaskNote, Seen
from tasks.mask.targets import (
    Target,
    boxes_in_collage,
    connected_boxes,
    found_parts,
    mask_in_collage,
    step_target,
)
from tasks.object.rows import Collage, fitted_cell
from tasks.prompts import found_text, instruction_text
from tasks.regions import EXACT, Region, StepRegions, step_regions
from tasks.sessions import ManualRow
from tasks.spatial.reading import Placing, read_placing
from tasks.task import Row, Rows

CONFIG = "mask"
ORIGINS = ("scene", "object", "state", "spatial")
# Of which a mask shows what the benchmark of that task asks for: boxes, or where the part belongs.
TELLS_ANSWER = ("object", "state")


class Asked(NamedTuple):
    """One row to be: where it comes from, its picture, its pixels and its instructions."""

    origin: str
    row: ManualRow
    image: EncodedImage
    sources: list[Instruction]
    target: Target
    variants: list[Variant]
    seen: list[Seen]
    # Of a target that is not exact: what annotators come to, and the box of what the row would show
    # with the (H, W) bool mask of one of them.
    judged: Judged | None = None
    box_of: Callable[[np.ndarray], Box | None] = of_mask
    place: int = 0  # among rows of this origin about this picture, in the order of the text


def make(context: Context) -> Iterator[Row]:
    """The rows of a manual; find pictures and steps whose pixels are not known are drops."""
    first = _first_asked(context)
    for row in context.rows():
        if row.instruction.VLM.task_label is None:
            continue
        try:
            asked = list(_of_find(context, row, first) if row.is_eop else _of_step(context, row))
        except ImageError as error:
            context.unusable(CONFIG, row.instruction, error)
            continue
        for one in asked:
            made = _row(context, one)
            context.mask_notes.append(_note(made, one))
            yield made


# Find pictures -----------------------------------------------------------------------------------


def _first_asked(context: Context) -> dict[str, int]:
    """When the manual asks for each kind of part first, by the number of the row."""
    first: dict[str, int] = {}
    for number, row in enumerate(context.rows()):
        for label in part_labels(row.instruction) if row.is_eop else ():
            first.setdefault(part_kind(label), number)
    return first


def _of_find(context: Context, row: ManualRow, first: Mapping[str, int]) -> Iterator[Asked]:
    step = row.instruction
    annotation = context.annotations.get(step.instruction_id)
    if annotation is None or annotation.error:
        reason = annotation.error if annotation and annotation.error else "not_annotated"
        context.drop(CONFIG, step, reason)
        return
    labels, found_by, said = part_labels(step), EXACT, None
    if len(set(map(part_kind, labels))) < len(labels):
        context.drop(CONFIG, step, "kinds_look_the_same")
        return
    if context.scene_picture(step) is None:
        found_by, said = annotation.annotator, judged(context, row)
    regions = found_parts(context, row, annotation, said and said.consensus.chosen.mask)
    if isinstance(regions, str):
        context.drop(CONFIG, step, regions)
        return
    names = phrases(labels)
    rng, placing = context.rng(CONFIG, step), _next_placing(context, row)
    for index, region in enumerate(regions):
        variants = instructions.of_label(labels, index, placing, rng)
        if len(labels) == 1:
            variants.insert(1, Variant("manual", found_text(step.text)))
        target = Target(
            region.mask, [(names[index], union(region.instances_px))], list(region.instances_px),
            found_by, annotation.confidence,
        )  # fmt: skip
        box_of = functools.partial(_box_within, target.instances_px)
        image = context.source_image(step)
        seen = _of_labels(labels, [labels[index]])
        yield Asked("object", row, image, [step], target, variants, seen, said, box_of, index)
    collage = context.collages.get(step.instruction_id)
    if collage is not None:
        masks = [region.mask for region in regions]
        boxes = [list(region.instances_px) for region in regions]
        rank = _rank(first, [found.labels for found in collage.order], collage.cell)
        made = _of_collage(context, row, collage, (masks, boxes), found_by, rank, rng)
        yield made._replace(judged=said)


def _next_placing(context: Context, row: ManualRow) -> Placing | None:
    """What the step right after a find row says of where all its parts go."""
    session = context.sessions[row.session_id]
    after = [other for other in session
             if not other.is_eop and other.directly and other.eop is row.instruction]  # fmt: skip
    if len(after) != 1 or len(after[0].instruction.text) != 1:
        return None
    themes = [label.theme for label in part_labels(row.instruction)]
    return read_placing(after[0].instruction.text[0], themes)


def _of_collage(
    context: Context,
    row: ManualRow,
    collage: Collage,
    parts: tuple[list[np.ndarray], list[list[Box]]],
    found_by: str,
    rank: int | None,
    rng: random.Random,
) -> Asked:
    cell, cell_wh = collage.cell, collage.cell_wh
    own = fitted_cell(context, collage.order[cell], cell_wh)
    masks, boxes = parts
    there = [boxes_in_collage(several, own, cell, cell_wh) for several in boxes]
    mask = np.logical_or.reduce([mask_in_collage(one, own, cell, cell_wh) for one in masks])
    labels = collage.order[cell].labels
    others = [label for place, found in enumerate(collage.order) if place != cell
              for label in found.labels]  # fmt: skip
    variants = instructions.of_collage(labels, others, rank, rng)
    variants.insert(1, Variant("manual", found_text(row.instruction.text)))
    annotation = collage.order[cell].annotation
    target = Target(
        mask, list(zip(phrases(labels), map(union, there), strict=True)),
        [box for several in there for box in several], found_by, annotation.confidence,
    )  # fmt: skip
    image = context.collage_image(
        row.instruction,
        lambda: compose([fitted_cell(context, found, cell_wh).cell for found in collage.order]),
    )
    sources = [row.instruction]
    sources += [f.row.instruction for f in collage.order if f.row.instruction is not sources[0]]

    def box_of(mask: np.ndarray) -> Box | None:
        box = of_mask(mask)
        return None if box is None else boxes_in_collage([box], own, cell, cell_wh)[0]

    seen = _of_labels([*labels, *others], labels)
    return Asked("object", row, image, sources, target, variants, seen, box_of=box_of)


def _of_labels(labels: Sequence[PartLabel], meant: Sequence[PartLabel]) -> list[Seen]:
    return [
        Seen(one.color, one.theme, one.number, any(one is other for other in meant))
        for one in labels
    ]


def _box_within(boxes_px: Sequence[Box], mask: np.ndarray) -> Box | None:
    """The box of what lies of a mask in the boxes of one kind of part."""
    return of_mask(numbers_in_boxes(mask, boxes_px) > 0)


def _rank(first: Mapping[str, int], cells: Sequence[Sequence[PartLabel]], cell: int) -> int | None:
    """When the parts of a cell are asked for first in the manual, among those of all cells."""
    when = [min(first.get(part_kind(label), -1) for label in labels) for labels in cells]
    return sorted(when).index(when[cell]) if len(set(when)) == len(when) else None


# Steps -------------------------------------------------------------------------------------------


def _of_step(context: Context, row: ManualRow) -> Iterator[Asked]:
    step = row.instruction
    regions = step_regions(context, row)
    if isinstance(regions, str):
        context.drop(CONFIG, step, regions)
        return
    flat = regions
    said = judged(context, row) if regions.source != EXACT else None
    regions = with_chosen(regions, said)
    if isinstance(regions, str):
        context.drop(CONFIG, step, regions)
        return
    placing = None
    if len(regions.new) == 1 and len(step.text) == 1:
        themes = [entity["theme"] for entity in step.entities if "theme" in entity]
        placing = read_placing(step.text[0], themes)
    image, rng = context.source_image(step), context.rng(CONFIG, step)
    told = step_target(context, row, regions, placing)
    if isinstance(told, str):
        context.drop(CONFIG, step, told)
    else:
        for origin in ("scene", "state"):
            if origin == "state" and step.instruction_id not in context.states_of:
                continue
            variants, refused = instructions.of_step(
                told, regions.earlier, step.text, rng, origin == "state"
            )
            _count(context, step, refused)
            if not variants:
                context.drop(CONFIG, step, "no_unique_instruction", origin)
                continue
            box_of = functools.partial(_box_beside, told.target, said)
            seen = _of_regions(regions, [*told.new, *told.anchors])
            yield Asked(origin, row, image, [step], told.target, variants, seen, said, box_of)
    pair = pairs.of_step(context, row, (flat, regions), rng)
    if pair is not None:
        target, meant, variants, refused = pair
        _count(context, step, refused)
        if variants:
            box_of = functools.partial(_box_beside, target, said)
            seen = _of_regions(regions, meant)
            yield Asked("spatial", row, image, [step], target, variants, seen, said, box_of)


def _of_regions(regions: StepRegions, meant: Sequence[Region]) -> list[Seen]:
    """All parts that a step shows, by their names. Anchors may be earlier parts taken together."""
    own = {i for one in meant for i in one.part_ids}
    others = [
        one
        for one in (*regions.new, *regions.earlier)
        if not any(one is other for other in meant) and not (own and own >= set(one.part_ids))
    ]
    return [Seen(one.color, one.label, one.count, False) for one in others] + [
        Seen(one.color, one.label, one.count, True) for one in meant
    ]


def _box_beside(target: Target, said: Judged | None, mask: np.ndarray) -> Box | None:
    """The box of a mask of new parts and of what the target shows besides, without the new parts
    that it does not show."""
    if said is None:
        return of_mask(target.mask)
    new = said.consensus.chosen.mask
    return of_mask((mask & ~(new & ~target.mask)) | (target.mask & ~new))


def _count(context: Context, step: Instruction, refused: Sequence[Refused]) -> None:
    """Instructions that fit another region as well are told, though their rows may have others."""
    for one in refused:
        context.drop(CONFIG, step, "instruction_not_unique", one.text)


# Columns -----------------------------------------------------------------------------------------


def _row(context: Context, asked: Asked) -> Row:
    target, step = asked.target, asked.row.instruction
    rng = random.Random(f"{context.options.seed}:{context.item(step)}:{asked.variants}")
    chosen = rng.choice(asked.variants)
    answer = box_answer(
        [(name, px_to_norm100(box, asked.image.size_wh)) for name, box in target.names]
    )
    png = encode_mask(target.mask)
    base = base_row(
        context, CONFIG, asked.row, asked.image,
        {
            "query": queries.query(context.options.templates, CONFIG, asked=chosen.text),
            "answer": answer,
            "previous_instruction": (
                instruction_text(asked.row.eop.text) if asked.row.eop else None
            ),
        },
        sources=asked.sources,
        annotator=target.found_by,
        confidence=target.confidence,
        words=f"{asked.origin} {asked.place}",
    )  # fmt: skip
    box = union([box for _, box in target.names])
    said = asked.judged
    found = _alone(target, box) if said is None else said.columns(asked.box_of, box)
    return {
        **base,
        "mask": {"bytes": png, "path": f"{hashlib.sha256(png).hexdigest()[:32]}.png"},
        "boxes_px": [list(box) for box in target.instances_px or connected_boxes(target.mask)],
        "area_ratio": area_ratio(target.mask),
        "instruction_variants": [variant.column for variant in asked.variants],
        "origin": ORIGINS.index(asked.origin),
        "source": 0 if target.is_exact else 2,
        **found,
        "uses_gold_mask": asked.origin in TELLS_ANSWER,
        "failure": None,
        "diversified": False,
    }


def _note(row: Row, asked: Asked) -> MaskNote:
    return MaskNote(
        row["id"], asked.origin, row["session_id"], row["step_num"], asked.target.is_exact,
        None if asked.judged is None else asked.judged.features, asked.seen,
    )  # fmt: skip


def _alone(target: Target, box: Box) -> dict[str, Any]:
    """What is known of a mask that nobody else confirms."""
    only = {"annotator": target.found_by, "box_px": list(box), "mask_iou_with_chosen": 1.0,
            "score": target.confidence}  # fmt: skip
    return {"candidates": [only], "agreement": None, "n_annotators": 1,
            "quality": target.confidence}  # fmt: skip


def _edit(row: Row) -> str:
    return "collage" if len(row["provenance"]["source_images"]) > 1 else "copy"


ROWS = Rows(make, judged_alone=True, edit=_edit)

"""Object detection (T10, T11): a part among three others of its manual, in each of four cells."""

import functools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from cachetools import LRUCache

from core.boxtext import box_answer
from core.part_names import part_kind, part_labels, phrases
from core.pictures.containers import ImageError
from core.records import Annotation, PartLabel
from synthesis.boxes import px_to_norm100, union
from synthesis.collage import CELLS, Fitted, box_in_collage, cell_size, compose, fit
from tasks.context import PICTURE_CACHE_BYTES, Context, base_row
from tasks.prompts import instruction_text, object_query
from tasks.sessions import ManualRow
from tasks.task import Row, Rows

DISTRACTORS = CELLS - 1


class Found(NamedTuple):
    """An eop row with its boxes: what collages are made of."""

    row: ManualRow
    annotation: Annotation
    labels: list[PartLabel]

    @property
    def kinds(self) -> frozenset[str]:
        """Which parts it shows, whatever their number."""
        return frozenset(part_kind(label) for label in self.labels)


class Collage(NamedTuple):
    """One of an eop's four collages: the rows in the cells, and the cell of the one asked for."""

    order: list[Found]
    cell: int

    @property
    def cell_wh(self) -> tuple[int, int]:
        """Width and height of a cell in pixels."""
        return cell_size(self.order[self.cell].annotation.size_wh)


def make(context: Context) -> Iterator[Row]:
    """Four rows an eop whose parts have boxes and that has three other parts to stand among."""
    found = list(_found(context))
    cells: LRUCache[Any, Any] = LRUCache(
        PICTURE_CACHE_BYTES // 2, getsizeof=lambda f: f.cell.nbytes
    )
    for target in found:
        step = target.row.instruction
        rng = context.rng("object", step)
        others = _distractors(target, found, rng)
        if len(others) < DISTRACTORS:
            context.drop("object", step, "too_few_other_parts", f"{len(others)} of {DISTRACTORS}")
            continue
        made, chosen = [], None
        shared = context.rng("collage", step).randrange(CELLS)  # with masks
        try:
            for cell in range(CELLS):
                rng.shuffle(others)
                order = [*others[:cell], target, *others[cell:]]
                kept = Collage(order, cell) if cell == shared else None
                made.append(_collage_row(context, order, cell, cells, kept is not None))
                chosen = kept or chosen
        except ImageError as error:
            context.unusable("object", step, error)
            continue
        context.collages[step.instruction_id] = chosen
        yield from sorted(made, key=lambda row: row["id"])


def _found(context: Context) -> Iterator[Found]:
    """The eop rows with boxes; the others are recorded as drops."""
    for row in context.rows():
        if not row.is_eop or row.instruction.VLM.task_label is None:
            continue
        annotation = context.annotations.get(row.instruction.instruction_id)
        if annotation is None or annotation.error:
            reason = annotation.error if annotation and annotation.error else "not_annotated"
            context.drop("object", row.instruction, reason)
            continue
        yield Found(row, annotation, part_labels(row.instruction))


def _distractors(target: Found, found: list[Found], rng: random.Random) -> list[Found]:
    """Up to three rows that show none of the target's parts, and if possible none twice."""
    others = [other for other in found if not other.kinds & target.kinds]
    rng.shuffle(others)
    chosen: list[Found] = []
    for distinct in (True, False):
        for other in others:
            seen = frozenset[str]().union(*(c.kinds for c in chosen))
            fresh = other not in chosen and not (distinct and other.kinds & seen)
            if len(chosen) < DISTRACTORS and fresh:
                chosen.append(other)
    return chosen


def _fitted(
    context: Context, found: Found, cell_wh: tuple[int, int], cells: LRUCache[Any, Any]
) -> Fitted:
    key = (found.row.instruction.VLM.img_path, cell_wh)
    fitted = cells.get(key)
    if fitted is None:
        fitted = cells[key] = fitted_cell(context, found, cell_wh)
    return fitted


def fitted_cell(context: Context, found: Found, cell_wh: tuple[int, int]) -> Fitted:
    """A find picture as a cell of that size. Raises `ImageError`."""
    picture = context.picture(found.row.instruction)
    if picture is None:
        raise ValueError(f"{context.item(found.row.instruction)}: annotated without a picture")
    return fit(picture.rgb, cell_wh)


def _collage_row(
    context: Context, order: list[Found], cell: int, cells: LRUCache[Any, Any], shared: bool
) -> Row:
    """The row of one collage: `order` fills the cells, the target is in `cell`. A `shared` one is
    shown by masks, too."""
    target = order[cell]
    cell_wh = cell_size(target.annotation.size_wh)
    collage_wh = (2 * cell_wh[0], 2 * cell_wh[1])
    fitted = [_fitted(context, found, cell_wh, cells) for found in order]
    entries = [
        _entries(found, fit_, index, cell_wh, collage_wh)
        for index, (found, fit_) in enumerate(zip(order, fitted, strict=True))
    ]
    targets = entries[cell]
    boxes = [tuple(entry["box_norm100"]) for entry in targets]
    pixels = functools.partial(compose, [one.cell for one in fitted])
    row = base_row(
        context,
        "object",
        target.row,
        context.collage_image(target.row.instruction, pixels)
        if shared
        else context.new_image(pixels()),
        {
            "query": object_query(target.row.instruction.text, context.options.templates),
            "answer": box_answer(list(zip(phrases(target.labels), boxes, strict=True))),
            "previous_instruction": _before(target.row),
        },
        sources=[found.row.instruction for found in order],
        annotator=target.annotation.annotator,
        confidence=target.annotation.confidence,
    )
    distractors = [
        {"cell": index, **entry}
        for index, several in enumerate(entries)
        if index != cell
        for entry in several
    ]
    return {**row, "cell": cell, "targets": targets, "distractors": distractors}


def _before(row: ManualRow) -> str | None:
    """The text of the step before an eop row, if its session has one."""
    return instruction_text(row.step_before.text) if row.step_before else None


def _entries(
    found: Found,
    fitted: Fitted,
    cell: int,
    cell_wh: tuple[int, int],
    collage_wh: tuple[int, int],
) -> list[dict[str, Any]]:
    """Label, count and boxes of everything in one cell, in the collage's frame."""
    entries = []
    for label in found.annotation.labels:
        instances = [box_in_collage(box, fitted, cell, cell_wh) for box in label.instances_px]
        box = union(instances)
        entries.append(
            {
                "label": label.label,
                "count": label.count,
                "box_norm100": list(px_to_norm100(box, collage_wh)),
                "box_px": list(box),
                "instances_px": [list(instance) for instance in instances],
            }
        )
    return entries


ROWS = Rows(make, an_item=CELLS, same_boxes=True, edit=lambda row: "collage")

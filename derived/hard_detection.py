"""`hard-detection`: grids of find pictures that are alike, some without what is asked for.

The find pictures are the cells of the build's collages, with their boxes. A grid's other pictures
show, where the split has such, the same part in another colour and another part in the same colour,
half of each; the rest is drawn at random. Every find picture of one kind of part gives a row a grid
and question: `one` (its parts, or equal ones of another cell), `all` (every single equal part, a
box each) and `absent` (it is not in the grid).
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from datasets import Features, Value
from datasets import Sequence as ListOf

from core.boxtext import box_answer
from core.build import BuildRow
from core.colors import split_color
from core.names import Row, opaque_id
from core.part_names import part_kind, phrase_words
from core.records import PartLabel
from derived.source import SOURCE_IDS, Made, Source, least_of, pixels_of
from lego_arta import FEATURES
from synthesis.boxes import Box, px_to_norm100, transform, union
from synthesis.collage import Fitted, fit
from tasks.hard_detection.text import NONE, QUESTIONS, RELATIONS, wanted
from tasks.queries import query

NAME = "hard_detection"
CELL_LONG_SIDE_PX = {2: 480, 3: 400, 4: 320}  # by pictures a side of the grid
EQUAL, SAME_PART, SAME_COLOR, OTHER = RELATIONS
_OBJECT = FEATURES["object"]
# An entry of the collages' distractors: a cell, a label, boxes.
_ENTRY = _OBJECT["distractors"]
_SHARED = [name for name in _OBJECT if name not in ("cell", "targets", "distractors")]


def configs(source: Source) -> tuple[str, ...]:
    """What it makes."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns: those that all tasks share, what is right, what else is there."""
    return Features(
        {
            **{name: _OBJECT[name] for name in _SHARED},
            "grid": Value("int8"),
            "question": Value("string"),
            "targets": _ENTRY,
            "equal_parts": _ENTRY,
            "distractors": _ENTRY,
            "relations": ListOf(Value("string")),
            **SOURCE_IDS,
        }
    )


class Kind(NamedTuple):
    """A part by its shape and colour, whatever its number."""

    part: str
    color: str


class Shown(NamedTuple):
    """Some equal parts in a picture: their label and boxes, pixels of that picture."""

    label: str
    kind: Kind
    instances_px: list[Box]


class Single(NamedTuple):
    """A find picture: the row that is about it, and what it shows."""

    row: BuildRow
    rgb: np.ndarray
    shown: list[Shown]


def make(source: Source) -> Iterator[Made]:
    """The rows of each split, of the find pictures in the order of the build."""
    for split in source.splits:
        singles = list(_singles(source, split))
        asked = [single for single in singles if len(single.shown) == 1]
        jobs = [(s, g, q) for s in asked for g in source.grids for q in QUESTIONS]
        if source.limit is not None:
            source.rng(NAME, split).shuffle(jobs)
        number = 0
        for single, grid, question in jobs:
            row = _row(source, single, singles, grid, question)
            if row is None:
                source.drop(NAME, f"too_few_pictures_for_{grid}x{grid}")
                continue
            yield Made(NAME, split, row)
            number += 1
            if number == source.limit:
                break


def _singles(source: Source, split: str) -> Iterator[Single]:
    """Each find picture once, from the collage in which it is asked for."""
    seen = set[str]()
    for row in source.rows("object", split):
        told = row.columns
        picture = told["provenance"]["source_images"][told["cell"]]
        name = str(picture["sha256"] or picture["path"])
        if name in seen:
            continue
        seen.add(name)
        rgb = pixels_of(row)
        height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
        left, top = told["cell"] % 2 * width, told["cell"] // 2 * height
        shown = [
            Shown(
                target["label"],
                kind_of(target["label"]),
                [transform(box, (1, 1), (-left, -top)) for box in target["instances_px"]],
            )
            for target in told["targets"]
        ]
        yield Single(row, rgb[top : top + height, left : left + width], shown)


def kind_of(label: str) -> Kind:
    """A label of a part as its kind.

    >>> kind_of("bright green bricks 1x1") == kind_of("bright green brick 1×1")
    True
    """
    color, theme = split_color(label)
    return Kind(part_kind(PartLabel(1, "", theme)), color.casefold())


def relation(single: Single, kind: Kind) -> str:
    """What a find picture has to do with a kind of part."""
    kinds = [shown.kind for shown in single.shown]
    if kind in kinds:
        return EQUAL
    if any(one.part == kind.part for one in kinds):
        return SAME_PART
    return SAME_COLOR if any(one.color == kind.color for one in kinds) else OTHER


def _row(
    source: Source, target: Single, singles: Sequence[Single], grid: int, question: str
) -> Row | None:
    """A row; None where the split has too few other find pictures."""
    kind = target.shown[0].kind
    rng = source.rng(NAME, target.row.id, grid, question)
    chosen = _chosen(target, kind, singles, grid, question, rng)
    if chosen is None:
        return None
    rng.shuffle(chosen)
    cell_wh = _cell_wh(target.rgb, grid)
    fitted = [fit(single.rgb, cell_wh) for single in chosen]
    entries = [
        [_entry(shown, one, cell, cell_wh, grid) for shown in single.shown]
        for cell, (single, one) in enumerate(zip(chosen, fitted, strict=True))
    ]
    kinds = [[shown.kind for shown in single.shown] for single in chosen]
    flat = [(e, k == kind, chosen[c] is target) for c, (es, ks) in
            enumerate(zip(entries, kinds, strict=True)) for e, k in
            zip(es, ks, strict=True)]  # fmt: skip
    targets = [e for e, equal, own in flat if (own if question == "one" else equal)]
    if question == "all":
        targets = [one for entry in targets for one in _each(entry)]
    equal_parts = [e for e, equal, own in flat if question == "one" and equal and not own]
    return {
        **_shared(source, target, chosen, question),
        "id": opaque_id(NAME, target.row.id, grid, question),
        "image": source.picture(_composed(fitted, grid)),
        "answer": _answer(target, targets, question),
        "grid": grid,
        "question": question,
        "targets": targets,
        "equal_parts": equal_parts,
        "distractors": [e for e, equal, _ in flat if not equal],
        "relations": [relation(single, kind) for single in chosen],
    }


def _chosen(
    target: Single, kind: Kind, singles: Sequence[Single], grid: int, question: str,
    rng: random.Random,
) -> list[Single] | None:  # fmt: skip
    """The pictures of a grid."""
    by_relation: dict[str, list[Single]] = {name: [] for name in RELATIONS}
    for single in singles:
        if single is not target:
            by_relation[relation(single, kind)].append(single)
    for several in by_relation.values():
        rng.shuffle(several)
    # Only pictures of that part alone: what else is in one would be asked for by nobody.
    equal = [single for single in by_relation[EQUAL] if len(single.shown) == 1]
    chosen = []
    if question == "one":
        chosen = [target, *equal[:1]]
    elif question == "all":
        # Where no other picture shows equal parts, this one is there twice.
        chosen = [target, *(equal[:2] or [target])]
    wanted_number = grid**2 - len(chosen)
    pairs = [by_relation[SAME_PART], by_relation[SAME_COLOR]]
    half = (wanted_number + 1) // 2
    hard = [one for several in pairs for one in several[:half]]
    rng.shuffle(hard)
    rest = [one for several in pairs for one in several[half:]]
    others = [*hard, *by_relation[OTHER], *rest][:wanted_number]
    if len(chosen) > 1 and chosen[0] is chosen[1] and len(others) > 1:
        others[-1] = others[0]  # else what is there twice would be the answer
    return [*chosen, *others] if len(others) == wanted_number else None


def _cell_wh(rgb: np.ndarray, grid: int) -> tuple[int, int]:
    scale = CELL_LONG_SIDE_PX[grid] / max(rgb.shape[:2])
    return max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))


def _composed(fitted: Sequence[Fitted], grid: int) -> np.ndarray:
    rows = [np.hstack([one.cell for one in fitted[at : at + grid]])
            for at in range(0, grid**2, grid)]  # fmt: skip
    return np.vstack(rows)


def _entry(
    shown: Shown, fitted: Fitted, cell: int, cell_wh: tuple[int, int], grid: int
) -> dict[str, Any]:
    """Label, count and boxes of equal parts in a cell, in the grid's frame."""
    offset = (cell % grid * cell_wh[0], cell // grid * cell_wh[1])
    instances = [
        transform(transform(box, fitted.scale_xy, fitted.offset_xy), (1, 1), offset)
        for box in shown.instances_px
    ]
    grid_wh = (grid * cell_wh[0], grid * cell_wh[1])
    box = union(instances)
    return {
        "cell": cell,
        "label": shown.label,
        "count": len(instances),
        "box_norm100": list(px_to_norm100(box, grid_wh)),
        "box_px": list(box),
        "instances_px": [list(one) for one in instances],
    }


def _each(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """An entry as one of each of its parts."""
    scale = [n / p for n, p in zip(entry["box_norm100"][2:], entry["box_px"][2:], strict=True)]
    return [
        {
            **entry,
            "count": 1,
            "box_px": box,
            "box_norm100": list(transform(box, (scale[0], scale[1]), (0, 0))),
            "instances_px": [box],
        }
        for box in entry["instances_px"]
    ]


def _answer(target: Single, targets: Sequence[dict[str, Any]], question: str) -> str:
    if question == "absent":
        return NONE
    phrase = phrase_words(PartLabel(1, *split_color(target.shown[0].label)))
    return box_answer(
        [(f"{entry['count']} {phrase}", tuple(entry["box_norm100"])) for entry in targets]
    )


def _shared(
    source: Source, target: Single, chosen: Sequence[Single], question: str
) -> dict[str, Any]:
    """The columns that all tasks have."""
    told = target.row.columns
    shown = target.shown[0]
    asked = wanted(shown.label, len(shown.instances_px), question)
    rows = list({single.row.id: single.row for single in [target, *chosen]}.values())
    own = [row.columns["provenance"]["source_images"][row.columns["cell"]] for row in rows]
    return {
        **{name: told[name] for name in _SHARED if name != "image"},
        "query": query(source.template, NAME, wanted=asked),
        "provenance": {"source_images": own, "annotator": told["provenance"]["annotator"]},
        "confidence": least_of([row.columns for row in rows], "confidence"),
        "sample_weight": least_of([row.columns for row in rows], "sample_weight"),
        "source_ids": [row.id for row in rows],
    }

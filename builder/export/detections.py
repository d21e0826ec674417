"""Boxes of rows for detectors, which COCO, YOLO and VOC share: in pixels, one an instance.

object: every part in the collage, asked for (`role` target) or not (distractor). state: the new
part where it is in the picture. Numbers of categories are the same in every file of a build.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from builder.export.job import Dropped, Part
from builder.export.units import Request, Row, Unit, size_of
from core.build import read_rows
from core.part_names import part_kind
from core.records import PartLabel

if TYPE_CHECKING:
    import supervision as sv

CONFIGS = ("object", "state")
NEW_PART = "new part"
LABELS = [f"{column}.list.element.label" for column in ("targets", "distractors")]
UNREAD = ("entities", "provenance")  # columns that are not needed


class Found(NamedTuple):
    """What is in a row's picture: (box x0, y0, x1, y1 in pixels, kind, what else is known)."""

    size_wh: tuple[int, int]
    boxes: list[tuple[list[float], str, dict[str, str]]]


def categories(request: Request) -> dict[str, tuple[int, str]]:
    """(id, name) by kind of part over the whole build: singular and plural are one kind."""
    names: dict[str, str] = {}
    for row in read_rows(request.build, "object", columns=LABELS):
        for entry in (*row.columns["targets"], *row.columns["distractors"]):
            kind, label = kind_of(entry["label"]), entry["label"]
            names[kind] = min(names.get(kind, label), label)
    kinds = [NEW_PART, *sorted(names)]
    return {kind: (number, names.get(kind, kind)) for number, kind in enumerate(kinds, 1)}


@functools.cache
def kind_of(label: str) -> str:
    """The kind of part that a label names, one for singular and plural."""
    return part_kind(PartLabel(1, "", label))


def folder_of(request: Request, unit: Unit) -> str:
    """Where a task's dataset lies, "object/"; with --merge it is the whole export, ""."""
    return "" if request.merge else f"{unit.config}/"


def of_supervision(seen: Found, ids: Mapping[str, tuple[int, str]]) -> "sv.Detections":
    """The boxes of a row as supervision holds them; classes are numbered from 0."""
    import supervision as sv

    if not seen.boxes:
        return sv.Detections.empty()
    return sv.Detections(
        xyxy=np.array([box for box, _, _ in seen.boxes], float),
        class_id=np.array([ids[kind][0] - 1 for _, kind, _ in seen.boxes]),
    )


def every_found(part: Part, unit: Unit) -> Iterator[tuple[Row, Found]]:
    """The rows of a unit with their boxes; those that can't be said are dropped."""
    for row in part.rows(unit, UNREAD):
        try:
            yield row, found(unit, row)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)


def found(unit: Unit, row: Row) -> Found:
    """The boxes of a row; raises `Dropped` for what is no box, and an id that is no file name."""
    width, height = size_checked(row)
    boxes = _boxes(unit.config, row.columns)
    for (x0, y0, x1, y1), _, _ in boxes:
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise Dropped("box_outside_picture", x0, y0, x1, y1)
    return Found((width, height), boxes)


def size_checked(row: Row) -> tuple[int, int]:
    """Width and height of a row's picture; raises `Dropped` for an id that is no file name."""
    if not row.item.id.isalnum():
        raise Dropped("id_is_no_file_name", "letters and digits only")
    return row.item.size_wh or size_of(row.picture)


def _boxes(config: str, row: dict[str, Any]) -> list[tuple[list[float], str, dict[str, str]]]:
    if config == "state":
        box = row["part_box_px"]  # null for a part that is missing: a picture without it
        if box is None and row["negative_kind"] != "missing":
            raise Dropped("box_not_known")
        return [] if box is None else [(box, NEW_PART, {})]
    entries = [("target", entry) for entry in row["targets"]]
    entries += [("distractor", entry) for entry in row["distractors"]]
    return [
        (box, kind_of(entry["label"]), {"role": role})
        for role, entry in entries
        for box in entry["instances_px"]
    ]

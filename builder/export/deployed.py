"""Rows whose pictures are seen through masks (`--deploy`): pictures, boxes and answers changed.

What was done to each row stands in `masks.jsonl`: whose mask it was (`uses_gold_mask`: the build's
own, which may give the answer away), where the picture was cut, and whether it stayed whole because
nothing in its map was above the threshold.
"""

import json
from typing import NamedTuple

from builder.export.units import Request, Row, Unit, name_of, of_columns, size_of
from core.pictures.containers import ImageError
from tasks.deployed import Outside, follow, seen
from tasks.looks import Look
from tasks.row_masks import map_of

MASKS = "masks.jsonl"


class Changed(NamedTuple):
    """A row as it is exported, and a line of MASKS about it."""

    row: Row
    line: str


def deployed(request: Request, look: Look, unit: Unit, row: Row) -> Changed:
    """A row with its picture seen through its mask. Raises `ImageError` for a mask that is none,
    `Outside` where the crop lacks what the row is about.
    """
    size_wh = size_of(row.picture)
    found = map_of(look, request.build, unit.config, unit.split, row.item.id, size_wh)
    shown = seen(look, bytes(row.picture), found)
    columns = follow(row.columns, unit.config, shown.frame)
    data = memoryview(shown.data)
    told = {
        "id": row.item.id,
        "config": unit.config,
        "split": unit.split,
        "method": look.method,
        "uses_gold_mask": look.is_gold,
        "kept_whole": shown.kept_whole,
        "source_wh": list(shown.frame.source_wh),
        "crop_xyxy_px": None if shown.frame.is_whole else list(shown.frame.crop_xyxy_px),
    }
    name = row.picture_name if shown.kept_whole else name_of(data)
    changed = of_columns(columns, unit, row.item.place, name, data)
    if not shown.frame.is_whole:
        crop = shown.frame.crop_xyxy_px
        changed = changed._replace(crop_xyxy_px=crop, whole_wh=shown.frame.source_wh)
    return Changed(changed, json.dumps(told))


def why(error: ImageError | Outside) -> tuple[str, str]:
    """Reason and detail of a row that can't be shown through a mask."""
    if isinstance(error, ImageError):
        return error.reason, error.detail
    return str(error.args[0]), " ".join(map(str, error.args[1:]))


def told(look: Look) -> str:
    """How pictures are shown, for the README of an export."""
    whose = "the build's own masks" if look.is_gold else "predicted masks"
    marked = ", which may give answers away: not for scores" if look.is_gold else ""
    return (
        f"seen through {whose} ({look.method}, threshold {look.threshold:g}{marked}), encoded anew "
        f"without loss; `{MASKS}` says what was done to each"
    )

"""What must hold for mask rows: a binary mask of the picture's size, boxes around its pixels."""

from collections.abc import Iterator

import numpy as np

from core.masks import area_ratio, read_mask
from core.pictures.containers import ImageError
from synthesis.boxes import clip
from tasks.invariants import box_violations
from tasks.mask.text import LEVELS
from tasks.queries import take_apart
from tasks.task import Check, Row

EPSILON = 1e-4  # float32 of a share
# Pixels that may lie beside the boxes: those of a collage are no whole numbers.
BESIDE_PX = 1.5
FAILURES = ("missing_target", "misguided_target", "insufficient_reasoning")


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name = row["id"]
    try:
        mask = read_mask((row["mask"] or {}).get("bytes") or b"", size_wh)
    except ImageError as error:
        yield f"{name}: its mask is one of its picture, found {error.reason}: {error.detail}"
        return
    if not mask.any():
        yield f"{name}: its mask shows something"
        return
    if abs(area_ratio(mask) - row["area_ratio"]) > EPSILON:
        yield f"{name}: area_ratio {row['area_ratio']}, the mask's is {area_ratio(mask)}"
    for box in row["boxes_px"]:
        yield from box_violations(name, box, (0, 0, *size_wh))
    beside = _outside(mask, row["boxes_px"], size_wh)
    if beside:
        yield f"{name}: the boxes hold the mask, found {beside} pixels outside"
    variants = [(one["level"], one["text"]) for one in row["instruction_variants"]]
    asked = take_apart(row["query"], "mask").instruction
    if asked not in [text for _, text in variants] and not imported:
        yield f"{name}: the query is one of the instructions, found {row['query']!r}"
    if not all(level in LEVELS and text for level, text in variants):
        yield f"{name}: levels are some of {LEVELS}, found {variants}"
    for column in ("quality", "agreement", "area_ratio"):
        value = row[column]
        if value is not None and not 0 <= value <= 1 + EPSILON:
            yield f"{name}: {column} is from 0 to 1, found {value}"
    if row["failure"] not in (None, *FAILURES):
        yield f"{name}: failure is null or one of {FAILURES}, found {row['failure']!r}"


def _outside(mask: np.ndarray, boxes_px: list[list[float]], size_wh: tuple[int, int]) -> int:
    """Pixels of a mask that no box holds."""
    left = mask.copy()
    for x0, y0, x1, y1 in boxes_px:
        grown = (x0 - BESIDE_PX, y0 - BESIDE_PX, x1 + BESIDE_PX, y1 + BESIDE_PX)
        a, b, c, d = clip(grown, size_wh)
        left[int(np.floor(b)) : int(np.ceil(d)), int(np.floor(a)) : int(np.ceil(c))] = False
    return int(left.sum())


CHECK = Check(violations)

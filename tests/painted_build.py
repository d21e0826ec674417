"""A build whose pictures show where its boxes are: every part is painted in a colour of its own.

Parts lie at whole percent of pictures whose sides are whole hundreds, so that boxes in percent are
exact too, and `measured` finds them again in whatever a trainer makes of the picture.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
from export_build import export_build
from PIL import Image

from core.answers import parse_boxes
from core.boxtext import box_answer

SIZES = [(600, 400), (300, 800), (1100, 700), (500, 500), (900, 300)]
# Percent of the picture; the first part lacks red, the second green.
BOXES = [(12, 20, 47, 74), (55, 31, 88, 90)]


def painted_build(folder: Path, **sizes) -> Path:
    """Write it."""
    return export_build(folder, _painted, **{"manuals": 2, "test_manuals": 1, "steps": 2, **sizes})


def _painted(config: str, row: dict) -> dict:
    size = SIZES[int(row["id"][:6], 16) % len(SIZES)]
    number = len(row["targets"]) if config == "object" else 1
    px = [_px(box, size) for box in BOXES[:number]]
    row = {**row, "image": _picture(row["id"], size, px)}
    if config == "state":
        return {**row, "part_box_px": px[0], "correct_box_px": px[0]}
    if config == "object":
        labels = [box.label for box in parse_boxes(row["answer"]).boxes]
        targets = [
            {**target, "box_px": box, "box_norm100": [float(v) for v in percent],
             "instances_px": [box]}
            for target, box, percent in zip(row["targets"], px, BOXES, strict=False)
        ]  # fmt: skip
        answer = box_answer(list(zip(labels, BOXES, strict=False)))
        return {**row, "targets": targets, "distractors": [], "answer": answer}
    return row


def _px(box: tuple[int, ...], size_wh: tuple[int, int]) -> list[float]:
    return [float(value * side // 100) for value, side in zip(box, size_wh * 2, strict=True)]


def _picture(row_id: str, size_wh: tuple[int, int], boxes: list[list[float]]) -> dict:
    array = np.full((size_wh[1], size_wh[0], 3), 255, np.uint8)
    array[:2, :2] = tuple(bytes.fromhex(row_id[:6]))  # no two pictures are the same
    for channel, box in enumerate(boxes):
        x0, y0, x1, y1 = map(int, box)
        array[y0:y1, x0:x1, channel] = 0
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "WEBP", lossless=True, quality=0, method=0)
    data = buffer.getvalue()
    return {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.webp"}


def measured(picture: np.ndarray, part: int) -> tuple[float, float, float, float]:
    """Where a part is in a picture (H, W, 3), 0 to 255: x0, y0, x1, y1, to parts of a pixel."""
    missing = 1 - picture[..., part].astype(float) / 255
    row, column = (int(np.median(np.nonzero(missing > 0.9)[axis])) for axis in (0, 1))
    x0, x1 = _edges(missing[row], column)
    y0, y1 = _edges(missing[:, column], row)
    return (x0, y0, x1, y1)


def _edges(profile: np.ndarray, inside: int) -> tuple[float, float]:
    """Where a profile, known at the middles of pixels, falls below one half on both sides."""
    after = inside + int(np.argmax(profile[inside:] < 0.5))
    before = inside - int(np.argmax(profile[inside::-1] < 0.5))
    return (
        before + 0.5 + (0.5 - profile[before]) / (profile[before + 1] - profile[before]),
        after + 0.5 - (0.5 - profile[after]) / (profile[after - 1] - profile[after]),
    )


def iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    wide, high = (min(one[a + 2], other[a + 2]) - max(one[a], other[a]) for a in (0, 1))
    shared = max(wide, 0) * max(high, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)

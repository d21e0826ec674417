"""A build whose pictures show where its boxes are: every part is painted in a colour of its own.

Parts lie at whole percent of pictures whose sides are whole hundreds, so that boxes in percent are
exact too, and `measured` finds them again in whatever a trainer makes of the picture.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from export_build import export_build
from PIL import Image

from core.answers import parse_boxes
from core.boxtext import box_answer
from core.frames import to_norm100

SIZES = [(600, 400), (300, 800), (1100, 700), (500, 500), (900, 300)]
# Percent of the picture; the first part lacks red, the second green.
BOXES = [(12, 20, 47, 74), (55, 31, 88, 90)]


def painted_build(folder: Path, **sizes) -> Path:
    """Write it."""
    return export_build(folder, _painted, **{"manuals": 2, "test_manuals": 1, "steps": 2, **sizes})


def _painted(config: str, row: dict) -> dict:
    if config == "mask":
        return row  # made of a collage that is painted already
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


LEAST_IOU = 0.98


def enclosed(picture: np.ndarray, answer: str, row: dict, unit: float = 1.0) -> None:
    """The answer's boxes, times `unit`, lie on the painted parts of what the model gets."""
    boxes = parse_boxes(answer).boxes
    assert len(boxes) == len(row["targets"])
    for part, (said, target) in enumerate(zip(boxes, row["targets"], strict=True)):
        there = measured(picture, part)
        box = tuple(value * unit for value in said.box)
        assert iou(box, there) >= LEAST_IOU, (box, there)
        x0, y0, x1, y1 = (round(value) for value in box)
        crop = picture[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2, part]
        assert crop.size and crop.max() < 40  # the part, and nothing else
        assert target["box_norm100"]


def same_share(answer: str, row: dict, frame: str, resized: tuple[int, int] | None = None) -> None:
    """The answer's boxes are the source's, seen from the row's own picture."""
    with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
        size = picture.size
    for said, target in zip(parse_boxes(answer).boxes, row["targets"], strict=True):
        back = to_norm100(said.box, frame, size, resized)
        assert iou(back, tuple(target["box_norm100"])) >= LEAST_IOU


def qwen_picture(inputs: dict, number: int = 0) -> np.ndarray:
    """The picture in a Qwen processor's `pixel_values`, (H, W, 3) from 0 to 255."""
    grids = np.asarray(inputs["image_grid_thw"])
    start = int(sum(np.prod(grid) for grid in grids[:number]))
    _, high, wide = (int(value) for value in grids[number])
    values = np.asarray(inputs["pixel_values"])[start : start + high * wide]
    # By blocks of 2 x 2 patches; a patch is colour, two moments in time, 14 x 14.
    values = values.reshape(high // 2, wide // 2, 2, 2, 3, 2, 14, 14)[:, :, :, :, :, 0]
    picture = values.transpose(0, 2, 5, 1, 3, 6, 4).reshape(high * 14, wide * 14, 3)
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return np.clip((picture * std + mean) * 255, 0, 255)


def qwen_processor(bounds: tuple[int, int]):
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    return module.Qwen2VLImageProcessorPil(min_pixels=bounds[0], max_pixels=bounds[1])


def llava_picture(path: Path) -> np.ndarray:
    """expand2square in the mean colour, then CLIP's own processor, as LLaVA's trainer has it."""
    module = pytest.importorskip("transformers.models.clip.image_processing_pil_clip")
    processor = module.CLIPImageProcessorPil(
        size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
    )
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    side = max(width, height)
    square = Image.new("RGB", (side, side), tuple(int(x * 255) for x in processor.image_mean))
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    values = processor(images=[square], return_tensors="np")["pixel_values"][0]
    picture = values.transpose(1, 2, 0) * processor.image_std + processor.image_mean
    return np.clip(picture * 255, 0, 255)

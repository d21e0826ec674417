"""What the card shows of a build's own rows: one picture of each config, and how sure we are.

The pictures lie in `assets/` of the build. They are made from the first rows of the first shard by
the same encoder as the rows, so the same rows give the same bytes.
"""

import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from core.build import shards
from core.pictures.media import encode
from lego_arta import CONFIGS, SPLITS

ASSETS = "assets"
RIGHT_RGB, WRONG_RGB, OTHER_RGB = (0, 150, 60), (220, 30, 30), (120, 130, 140)
LINE_PX, GAP_PX, LONG_SIDE_PX = 3, 12, 4096
TITLES = {
    "scene": "scene: what do I do now?",
    "object": "object: where are these parts?",
    "state": "state: did I do it correctly? Left yes, right no.",
}
# Edges of the confidence table; the last bin holds 1.0 alone, for that is what sure rows have.
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


class Sample(NamedTuple):
    """A picture for the card: its path in the build, what was asked, what is answered."""

    config: str
    path: str
    caption: str
    query: str
    answer: str


def write_samples(folder: Path) -> list[Sample]:
    """Draw one sample of every config that has rows into `folder`/assets."""
    samples = []
    for config in CONFIGS:
        rows = _first_rows(folder, config)
        if not rows:
            continue
        rgb, caption, row = _DRAW[config](rows)
        path = f"{ASSETS}/{config}.webp"
        (folder / ASSETS).mkdir(exist_ok=True)
        (folder / path).write_bytes(encode(_shrunk(rgb), "webp"))
        samples.append(Sample(config, path, caption, row["query"], row["answer"]))
    return samples


def _first_rows(folder: Path, config: str) -> list[dict]:
    """The row to show first and what belongs to it: of states the first group, of the others a row
    from the middle of the first sub-assembly, where something has been built already."""
    for path in _shards(folder, config):
        with pq.ParquetFile(path) as file:
            rows = next(file.iter_batches(batch_size=12)).to_pylist()
        if "group_id" in rows[0]:
            return [row for row in rows if row["group_id"] == rows[0]["group_id"]]
        session = [row for row in rows if row["session_id"] == rows[0]["session_id"]]
        return session[len(session) // 2 :]
    return []


def _shards(folder: Path, config: str) -> Iterator[Path]:
    for split in SPLITS:
        yield from shards(folder, config, split)


def _pixels(row: Mapping[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return np.array(image.convert("RGB"))


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    """The picture no larger than a card needs: two rows' side by side may be too wide for WebP."""
    scale = LONG_SIDE_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def _draw_box(rgb: np.ndarray, box_px: list[float] | None, color: tuple[int, int, int]) -> None:
    """Outline a box (x1 and y1 exclusive) in place."""
    if box_px is not None:
        x0, y0, x1, y1 = (round(value) for value in box_px)
        cv2.rectangle(rgb, (x0, y0), (x1 - 1, y1 - 1), color, LINE_PX)


def _scene(rows: list[dict]) -> tuple[np.ndarray, str, dict]:
    return _pixels(rows[0]), "the picture of a step", rows[0]


def _object(rows: list[dict]) -> tuple[np.ndarray, str, dict]:
    row = rows[0]
    rgb = _pixels(row)
    for entries, color in ((row["distractors"], OTHER_RGB), (row["targets"], RIGHT_RGB)):
        for box in (box for entry in entries for box in entry["instances_px"]):
            _draw_box(rgb, box, color)
    return rgb, "boxes drawn here only: green what is asked for, grey the others", row


def _state(rows: list[dict]) -> tuple[np.ndarray, str, dict]:
    """The positive of the first group beside the first of its negatives."""
    right = next((row for row in rows if row["label"] == 1), rows[0])
    wrong = next((row for row in rows if row["label"] == 0), right)
    pictures = []
    for row, color in ((right, RIGHT_RGB), (wrong, WRONG_RGB)):
        pictures.append(_pixels(row))
        _draw_box(pictures[-1], row["part_box_px"], color)
    height = max(picture.shape[0] for picture in pictures)
    gap = np.full((height, GAP_PX, 3), 255, np.uint8)
    padded = [
        np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=255) for p in pictures
    ]
    caption = "left done right (Yes), right done wrong (No); boxes drawn here only"
    return np.hstack([padded[0], gap, padded[1]]), caption, right


_DRAW = {"scene": _scene, "object": _object, "state": _state}


def draw_overview(folder: Path, height_px: int = 270) -> Image.Image:
    """One picture of all configs of a build, side by side under their names, each `height_px`
    high: for a page that introduces the dataset."""
    tiles = [
        (config, Image.fromarray(_DRAW[config](rows)[0]))
        for config in CONFIGS
        if (rows := _first_rows(folder, config))
    ]
    widths = [round(picture.width * height_px / picture.height) for _, picture in tiles]
    gap, title_px = 2 * GAP_PX, 30
    size = (sum(widths) + gap * (len(tiles) - 1), height_px + title_px)
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen, font, left = ImageDraw.Draw(sheet), ImageFont.load_default(18), 0
    for (config, picture), width in zip(tiles, widths, strict=True):
        pen.text((left + 4, 4), TITLES.get(config, config), fill=(40, 44, 52), font=font)
        small = picture.resize((width, height_px), Image.Resampling.LANCZOS)
        sheet.paste(small, (left, title_px))
        edge = (left, title_px, left + width - 1, title_px + height_px - 1)
        pen.rectangle(edge, outline=OTHER_RGB)
        left += width + gap
    return sheet


def confidence_table(folder: Path) -> list[tuple[str, ...]]:
    """Rows by confidence: (range, number of rows of each config), from the shards themselves."""
    counts = {config: np.zeros(len(EDGES), int) for config in CONFIGS}
    for config in CONFIGS:
        for path in _shards(folder, config):
            column = pq.read_table(path, columns=["confidence"])["confidence"]
            values = np.asarray(column.to_pylist(), float)
            counts[config] += np.bincount(
                np.digitize(values, EDGES[1:]), minlength=len(EDGES)
            )  # fmt: skip
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(EDGES)] + ["1"]
    return [
        (name, *(f"{counts[config][index]:,}" for config in CONFIGS))
        for index, name in enumerate(names)
    ]


def box_counts(folder: Path) -> tuple[int, int]:
    """(labels with as many boxes as the text counts, labels) over all objects, each taken once."""
    agreeing = labels = 0
    for path in _shards(folder, "object"):
        for row in pq.read_table(path, columns=["cell", "targets"]).to_pylist():
            if row["cell"] == 0:  # the other three cells show the same object
                labels += len(row["targets"])
                agreeing += sum(len(t["instances_px"]) == t["count"] for t in row["targets"])
    return agreeing, labels

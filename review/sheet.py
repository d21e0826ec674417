"""A sheet of state groups to look at: the right picture and its wrong ones side by side."""

import io
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from core.errors import UserError
from review.rows import read_manifest

WIDTH_PX, LINE_PX, LINE_CHARACTERS = 320, 16, 54
# Below a picture: what it is, then the correction.
CORRECTION_LINES = 3
TEXT_PX = LINE_PX * (1 + CORRECTION_LINES) + 4


def groups(build: Path, number: int) -> list[list[dict]]:
    """`number` groups spread over a build, each the right one first; raises `UserError`."""
    read_manifest(build)
    found: dict[str, list[tuple[Path, int, int]]] = {}
    shards = sorted(build.glob("data/state/*.parquet"))
    for path in shards:
        with pq.ParquetFile(path) as file:
            for index in range(file.num_row_groups):
                ids = file.read_row_group(index, columns=["group_id"]).column(0).to_pylist()
                for offset, group in enumerate(ids):
                    found.setdefault(group, []).append((path, index, offset))
    ids = sorted(found)[:number]  # ids are hashes: the first are a random choice
    if not ids:
        raise UserError(f"{build}: it has no state rows")
    return [sorted(map(_row, *zip(*found[i], strict=True)), key=lambda r: -r["label"]) for i in ids]


def _row(path: Path, index: int, offset: int) -> dict:
    with pq.ParquetFile(path) as file:
        return file.read_row_group(index).slice(offset, 1).to_pylist()[0]


def draw(chosen: list[list[dict]], boxes: bool) -> Image.Image:
    """One row of pictures a group, each with what is wrong in it below."""
    cells = [[_cell(row, boxes) for row in group] for group in chosen]
    width = max(len(group) for group in cells) * WIDTH_PX
    heights = [max(cell.height for cell in group) for group in cells]
    sheet = Image.new("RGB", (width, sum(heights)), "white")
    top = 0
    for group, height in zip(cells, heights, strict=True):
        for column, cell in enumerate(group):
            sheet.paste(cell, (column * WIDTH_PX, top))
        top += height
    return sheet


def _cell(row: dict, boxes: bool) -> Image.Image:
    image = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    if boxes:
        pen = ImageDraw.Draw(image)
        for name, color in (("correct_box_px", "green"), ("part_box_px", "red")):
            if row[name] is not None:
                pen.rectangle(row[name], outline=color, width=3)
    height = round(image.height * (WIDTH_PX - 4) / image.width)
    small = image.resize((WIDTH_PX - 4, height), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (WIDTH_PX, height + TEXT_PX), "white")
    cell.paste(small, (2, 2))
    pen = ImageDraw.Draw(cell)
    pen.text((4, height + 2), row["negative_kind"] or f"right  {row['manual_id']}", fill="black")
    lines = textwrap.wrap(row["correction"] or "", LINE_CHARACTERS, max_lines=CORRECTION_LINES)
    pen.text((4, height + 2 + LINE_PX), "\n".join(lines), fill="dimgray")
    return cell

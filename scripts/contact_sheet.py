"""A sheet of state groups to look at: the right picture and its wrong ones side by side.

python scripts/contact_sheet.py lego-arta --groups 50 --out sheet.png
"""

import argparse
import io
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from builder.folders import writing
from builder.manifest import manifest_of
from builder.records import UserError

WIDTH_PX, LINE_PX, LINE_CHARACTERS = 320, 16, 54
# Below a picture: what it is, then the correction.
CORRECTION_LINES = 3
TEXT_PX = LINE_PX * (1 + CORRECTION_LINES) + 4


def groups(build: Path, number: int) -> list[list[dict]]:
    """`number` groups spread over a build, each the right one first; raises `UserError`."""
    if manifest_of(build) is None:
        raise UserError(f"{build}: not a build; make one with builder/make.py")
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


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=Path, help="folder of a build")
    parser.add_argument("--groups", type=int, default=50, metavar="N", help="(%(default)s)")
    parser.add_argument("--boxes", action="store_true", help="draw where the part is and belongs")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), help="(%(default)s)")
    options = parser.parse_args(argv)
    try:
        sheet = draw(groups(options.build, options.groups), options.boxes)
        with writing(options.out) as temporary:
            sheet.save(temporary, "PNG")
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {sheet.width} x {sheet.height}, the right picture of each group first")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A sheet of state groups to look at: the right picture and its wrong ones side by side.

Above each group stands what was to be done, and what was found before.
"""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.build import BuildRow, Row, picture_bytes, read_manifest, read_rows
from core.errors import UserError

WIDTH_PX, LINE_PX, PAD_PX = 320, 16, 6


def groups(build: Path, number: int) -> list[list[Row]]:
    """`number` groups spread over a build, each the right one first; raises `UserError`."""
    read_manifest(build)
    found: dict[str, list[BuildRow]] = {}
    for entry in read_rows(build, "state"):
        found.setdefault(entry.columns["group_id"], []).append(entry)
    ids = sorted(found)[:number]  # ids are hashes: the first are a random choice
    if not ids:
        raise UserError(f"{build}: it has no state rows")
    return [sorted(map(_with_picture, found[i]), key=lambda row: -row["label"]) for i in ids]


def _with_picture(entry: BuildRow) -> Row:
    return {**entry.columns, "image": {"bytes": picture_bytes(entry.place)}}


def draw(chosen: list[list[Row]], boxes: bool) -> Image.Image:
    """One row of pictures a group: its texts above, what is wrong below each picture."""
    width = max(len(group) for group in chosen) * WIDTH_PX
    bands = [_band(group, boxes, width) for group in chosen]
    sheet = Image.new("RGB", (width, sum(band.height for band in bands)), "white")
    top = 0
    for band in bands:
        sheet.paste(band, (0, top))
        top += band.height
    return sheet


def _band(group: list[Row], boxes: bool, width: int) -> Image.Image:
    """A group: its texts, wrapped to `width` pixels and never cut, and its pictures below."""
    cells = [_cell(row, boxes) for row in group]
    lines = heading(group[0], width)
    top = len(lines) * LINE_PX + 2 * PAD_PX
    band = Image.new("RGB", (width, top + max(cell.height for cell in cells)), "white")
    pen = ImageDraw.Draw(band)
    pen.line([(0, 0), (width, 0)], fill="silver")
    for number, (line, color) in enumerate(lines):
        pen.text((4, PAD_PX + number * LINE_PX), line, fill=color)
    for column, cell in enumerate(cells):
        band.paste(cell, (column * WIDTH_PX, top))
    return band


def heading(row: Row, width_px: int) -> list[tuple[str, str]]:
    """The lines above a group and their colours: what was found before, what was to be done."""
    before = row["previous_instruction"] or "nothing"
    texts = ((f"before: {before}", "dimgray"), (row["instruction"], "black"))
    return [(line, color) for text, color in texts for line in _wrapped(text, width_px - 8)]


def _wrapped(text: str, width_px: int) -> list[str]:
    """Lines of at most `width_px` in the font that pictures are written in; nothing is cut."""
    font = ImageFont.load_default()
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:  # a word wider than the sheet goes on in the next line
            if font.getlength(lines[-1] + letter) > width_px:
                lines.append("")
            lines[-1] += letter
    return lines


def _cell(row: Row, boxes: bool) -> Image.Image:
    image = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    if boxes:
        pen = ImageDraw.Draw(image)
        for name, color in (("correct_box_px", "green"), ("part_box_px", "red")):
            if row[name] is not None:
                pen.rectangle(row[name], outline=color, width=3)
    height = round(image.height * (WIDTH_PX - 4) / image.width)
    small = image.resize((WIDTH_PX - 4, height), Image.Resampling.LANCZOS)
    what = row["negative_kind"] or f"right  {row['manual_id']}"
    texts = ((what, "black"), (row["correction"] or "", "dimgray"))
    lines = [(line, color) for text, color in texts for line in _wrapped(text, WIDTH_PX - 8)]
    cell = Image.new("RGB", (WIDTH_PX, height + len(lines) * LINE_PX + 4), "white")
    cell.paste(small, (2, 2))
    pen = ImageDraw.Draw(cell)
    for number, (line, color) in enumerate(lines):
        pen.text((4, height + 2 + number * LINE_PX), line, fill=color)
    return cell

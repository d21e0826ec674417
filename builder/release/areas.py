"""What the card says of masks: how many by origin, source and level, and how much of the picture
they cover (arXiv 2405.19783, Figure 5)."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from builder.release import stats
from core.build import Row
from core.pictures.media import encode
from lego_arta import FEATURES
from tasks.drawing import OTHER_RGB, RIGHT_RGB
from tasks.mask.text import LEVELS
from tasks.queries import take_apart

CONFIG = "mask"
COLUMNS = ("query", "area_ratio", "instruction_variants", "origin", "source")
ORIGINS: list[str] = FEATURES[CONFIG]["origin"].names
SOURCES: list[str] = FEATURES[CONFIG]["source"].names
# Shares of the picture, as far as bins go; most masks are small.
EDGES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
PICTURE = "assets/mask-areas.webp"
BAR_WH, TEXT_PX, FONT_PX = (64, 180), 26, 15
INK = (40, 44, 52)


class Kind(NamedTuple):
    """What mask rows are counted by: the task that the picture is from, who says which pixels, the
    level of the instruction that is asked, and the bin of `EDGES` of the area."""

    origin: str
    source: str
    level: str
    bin: int


Counts = Mapping[Kind, int]


def kind_of(row: Row) -> Kind:
    """The kind of a row, from `COLUMNS`."""
    asked = take_apart(row["query"], CONFIG).instruction
    levels = {one["text"]: one["level"] for one in row["instruction_variants"]}
    place = int(np.digitize(row["area_ratio"], EDGES[1:-1]))
    return Kind(_name(ORIGINS, row["origin"]), _name(SOURCES, row["source"]),
                levels.get(asked, LEVELS[-1]), place)  # fmt: skip


def _name(names: list[str], value: int | str) -> str:
    return names[value] if isinstance(value, int) else value


def numbers(counts: Counts) -> dict[str, dict[str, int]]:
    """Rows by origin, source, level and area, for the manifest."""
    return {
        "origin": {name: _sum(counts, origin=name) for name in ORIGINS},
        "source": {name: _sum(counts, source=name) for name in SOURCES},
        "level": {name: _sum(counts, level=name) for name in LEVELS},
        "area": {title: _sum(counts, bin=place) for place, title in enumerate(_titles())},
    }


def _sum(counts: Counts, **wanted: str | int) -> int:
    return sum(
        rows for kind, rows in counts.items()
        if all(getattr(kind, name) == value for name, value in wanted.items())
    )  # fmt: skip


def _titles() -> list[str]:
    """ "0 to 0.5 %", ..."""
    return [f"{100 * low:g} to {100 * high:g} %" for low, high in itertools.pairwise(EDGES)]


def section(folder: Path, counts: Counts) -> str:
    """The card's section, with its plot drawn into `folder`; empty for a build without masks."""
    if not counts:
        return ""
    lines = [
        (name, *(f"{_sum(counts, origin=name, level=level):,}" for level in LEVELS),
         *(f"{_sum(counts, origin=name, source=source):,}" for source in SOURCES))
        for name in ORIGINS
    ]  # fmt: skip
    head = ("Picture from", *(f"{level} instruction" for level in LEVELS),
            *(f"mask: {source}" for source in SOURCES))  # fmt: skip
    (folder / PICTURE).parent.mkdir(exist_ok=True)
    (folder / PICTURE).write_bytes(encode(np.asarray(draw_areas(counts)), "webp"))
    areas = numbers(counts)["area"]
    told = "; ".join(f"{title}: {number:,}" for title, number in areas.items() if number)
    return (
        "\n## Masks\n\nRows by the task that their picture is from, how the instruction is put, "
        f"and who says which pixels.\n\n{stats.markdown(head, lines)}\n\n"
        f"![number of masks by the share of the picture that they cover]({PICTURE})\n\n"
        f"How much of the picture a mask covers: {told}.\n"
    )


def draw_areas(counts: Counts) -> Image.Image:
    """Bars: how many masks cover how much of their picture."""
    heights = [_sum(counts, bin=place) for place in range(len(EDGES) - 1)]
    width, height = BAR_WH
    sheet = Image.new("RGB", (width * len(heights) + 24, height + 3 * TEXT_PX + 8), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    for place, number in enumerate(heights):
        left, bottom = 12 + place * width, height + TEXT_PX
        top = bottom - round(height * number / max(max(heights), 1))
        pen.rectangle((left + 5, top, left + width - 6, bottom), fill=RIGHT_RGB)
        pen.text((left + width / 2, top - 3), f"{number:,}", INK, font, anchor="ms")
        edge = f"{100 * EDGES[place]:g}"
        pen.text((left, bottom + 4), edge, INK, font, anchor="ma")
    bottom = height + TEXT_PX
    pen.line((12, bottom, sheet.width - 12, bottom), fill=OTHER_RGB)
    pen.text((sheet.width - 12, bottom + 4), "100", INK, font, anchor="ra")
    pen.text((sheet.width / 2, bottom + TEXT_PX), "share of the picture, percent", INK, font,
             anchor="ma")  # fmt: skip
    return sheet

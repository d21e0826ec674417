"""What the card shows of a build's own rows: one picture of each config.

The pictures lie in `assets/` of the build. They are made from the first rows of the first shard by
the same encoder as the rows, so the same rows give the same bytes.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.build import Row, configs_of, every_shard, read_rows, shard_rows
from core.errors import UserError
from core.pictures.media import encode
from core.storage import column_names, make_folder
from lego_arta import FEATURES
from tasks import EVERY_TASK, TASKS
from tasks.drawing import GAP_PX, OTHER_RGB, pixels, side_by_side

ASSETS = "assets"
LONG_SIDE_PX = 4096
CORRECTION_CHARACTERS = 90  # that fit above a pair of pictures
ROWS_LOOKED_AT = 300  # at most, for one of each kind
FIRST_ROWS = 12  # of which a sample is taken
TILE_CHARACTERS = 42  # that fit above a picture of 210 pixels


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
    for config in TASKS:
        rows = _first_rows(folder, config)
        if not rows:
            continue
        rgb, caption, row = TASKS[config].show.draw(rows)
        path = f"{ASSETS}/{config}.webp"
        make_folder(folder / ASSETS)
        (folder / path).write_bytes(encode(_shrunk(rgb), "webp"))
        samples.append(Sample(config, path, caption, row["query"], row["answer"]))
    return samples


def _first_rows(folder: Path, config: str) -> list[Row]:
    """The row to show first and what belongs to it: of states the first group, of the others a row
    from the middle of the first sub-assembly, where something has been built already."""
    every = read_rows(folder, config, columns=list(FEATURES[config]))
    rows = [row.columns for row in itertools.islice(every, FIRST_ROWS)]
    if rows and "group_id" in rows[0]:
        return [row for row in rows if row["group_id"] == rows[0]["group_id"]]
    session = [row for row in rows if row["session_id"] == rows[0]["session_id"]]
    return session[len(session) // 2 :]


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    """The picture no larger than a card needs: two rows' side by side may be too wide for WebP."""
    scale = LONG_SIDE_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
    found: np.ndarray = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return found


def draw_overview(folder: Path, height_px: int = 270, width_px: int = 1500) -> Image.Image:
    """One picture of all configs of a build, side by side under their names, each `height_px`
    high, in rows of at most `width_px`: for a page that introduces the dataset."""
    tiles = [
        (config, Image.fromarray(TASKS[config].show.draw(rows).rgb))
        for config in TASKS
        if (rows := _first_rows(folder, config))
    ]
    gap, title_px = 2 * GAP_PX, 30
    places, left, top = [], 0, 0
    for _, picture in tiles:
        width = round(picture.width * height_px / picture.height)
        if left and left + width > width_px:
            left, top = 0, top + height_px + title_px
        places.append((left, top, width))
        left += width + gap
    size = (max(x + width for x, _, width in places), top + height_px + title_px)
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for (config, picture), (x, y, width) in zip(tiles, places, strict=True):
        title = f"{config}: {TASKS[config].text.asks}"
        pen.text((x + 4, y + 4), title, fill=(40, 44, 52), font=font)
        small = picture.resize((width, height_px), Image.Resampling.LANCZOS)
        sheet.paste(small, (x, y + title_px))
        edge = (x, y + title_px, x + width - 1, y + title_px + height_px - 1)
        pen.rectangle(edge, outline=OTHER_RGB)
    return sheet


def draw_kinds(folder: Path, height_px: int = 230, columns: int = 2) -> Image.Image:
    """One picture of every kind of wrong state in a build: the step done right beside it done
    wrong, and under them the sentence that puts it right."""
    groups: dict[str, list[Row]] = {}
    pairs: dict[str, tuple[Row, Row]] = {}
    for entry in read_rows(folder, "state", columns=list(FEATURES["state"])):
        groups.setdefault(entry.columns["group_id"], []).append(entry.columns)
    for rows in groups.values():
        right = next(row for row in rows if row["label"])
        for row in rows:
            if row["negative_kind"] and len(row["correction"]) < CORRECTION_CHARACTERS:
                pairs.setdefault(row["negative_kind"], (right, row))
    tiles = [_captioned(pair, kind, height_px) for kind, pair in sorted(pairs.items())]
    return _grid(tiles, columns)


def draw_derived(folder: Path, height_px: int = 210, columns: int = 3) -> Image.Image:
    """One picture of a set that was made from a build: a row of each of its kinds, or the first row
    under each corruption, or the turns of an episode, with what is answered."""
    config = configs_of(folder)[0]
    tiles = []
    for title, row in _of_each_kind(folder, config):
        rgb = EVERY_TASK[config].show.draw([row]).rgb
        said = row.get("correction") or row["answer"]
        text = title if "corruption" in row else f"{title}: {said}"
        tiles.append(_tile(rgb, text[:TILE_CHARACTERS], height_px))
    return _grid(tiles, min(columns, len(tiles)))


def _of_each_kind(folder: Path, config: str) -> list[tuple[str, Row]]:
    """(title, row), each title once."""
    path = every_shard(folder)[0]
    names = [name for name in column_names(path) if name != "images"]
    every = shard_rows(path, config, names)
    rows = [one.columns for one in itertools.islice(every, ROWS_LOOKED_AT)]
    if not rows:
        raise UserError(f"{path}: it has no rows to draw")
    if "corruption" in rows[0]:  # the last of each is that of the highest severity
        first = rows[len(rows) // 2]["source_ids"]
        told = {r["corruption"]: r for r in rows if r["source_ids"] == first}
    elif "episode_id" in rows[0]:
        turns = Counter(row["episode_id"] for row in rows)
        longest = turns.most_common(1)[0][0]
        told = {r["turn"]: r for r in rows if r["episode_id"] == longest}
    else:
        told = {str(EVERY_TASK[config].show.kind(r)): r for r in reversed(rows)}
    return list(told.items())


def _grid(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Tiles in lines of so many, on white."""
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    lines = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (width + GAP_PX), lines * (height + GAP_PX)), "white")
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * (width + GAP_PX), i // columns * (height + GAP_PX)))
    return sheet


def _captioned(pair: tuple[Row, Row], kind: str, height_px: int) -> Image.Image:
    rgb = side_by_side([pixels(row) for row in pair])
    return _tile(rgb, f"{kind}: {pair[1]['correction']}", height_px)


def _tile(rgb: np.ndarray, title: str, height_px: int) -> Image.Image:
    """A picture so high, under a line of text."""
    picture = Image.fromarray(rgb)
    small = picture.resize(
        (round(picture.width * height_px / picture.height), height_px), Image.Resampling.LANCZOS
    )
    tile = Image.new("RGB", (small.width, height_px + 24), "white")
    tile.paste(small, (0, 24))
    font = ImageFont.load_default(15)
    ImageDraw.Draw(tile).text((2, 3), title, (40, 44, 52), font)
    return tile

"""What the card says of spatial rows: how many by relation, conversation and source of truth, and a
picture of each relation."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from builder.release import stats
from core.build import BuildRow, Row, picture_bytes, read_rows
from core.pictures.media import encode
from core.relations import CONVERSATIONS, MIDDLE, MODEL, RELATIONS, TABLE, WORDS
from tasks import TASKS
from tasks.drawing import GAP_PX, OTHER_RGB
from tasks.spatial.pairs import gold_of

CONFIG = "spatial"
# Where gold comes from: `pairs.gold_of` names them so.
SOURCES = {
    "scene": "scene",
    "agree": "text and picture agree",
    "text": "text alone",
    "image": "picture alone",
    "contradiction": "text against picture",
}
# What a count needs to know of a row.
COLUMNS = ("conversation_type", "relations", "relations_text", "relations_image",
           "relations_scene")  # fmt: skip
PICTURE = "assets/relations.webp"
NO_PARTS = (MIDDLE, MODEL, TABLE)
SEARCHED_ROWS = 5000  # for a picture of every relation
TILE_WH, TILES_A_LINE, TITLE_PX = (320, 240), 3, 42


class Kind(NamedTuple):
    """What spatial rows are counted by: the relation that they say, where it is known from, and how
    they ask."""

    relation: str
    source: str
    conversation: str


Counts = Mapping[Kind, int]


def kind_of(row: Row) -> Kind:
    """The kind of a row, from `COLUMNS`."""
    scene = row["relations_scene"] or None
    gold = gold_of(row["relations_text"], row["relations_image"], scene)
    asked = row["conversation_type"]
    conversation = CONVERSATIONS[asked] if isinstance(asked, int) else asked
    return Kind(row["relations"][0], gold.source, conversation)


def nested(counts: Counts) -> dict[str, dict[str, dict[str, int]]]:
    """Numbers of rows by relation, source of truth and conversation, for the manifest; zeros are
    left out."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for kind in sorted(counts, key=_place):
        by_source = found.setdefault(kind.relation, {})
        by_source.setdefault(kind.source, {})[kind.conversation] = counts[kind]
    return found


def _place(kind: Kind) -> tuple[int, int, int]:
    return (
        RELATIONS.index(kind.relation),
        list(SOURCES).index(kind.source),
        CONVERSATIONS.index(kind.conversation),
    )


def section(folder: Path, counts: Counts) -> str:
    """The card's section, with its picture drawn into `folder`; empty for a build without spatial
    rows."""
    if not counts:
        return ""
    lines = [*((WORDS[name], name) for name in RELATIONS), ("all", None)]
    head = ("Relation", *(f"{name} rows" for name in CONVERSATIONS),
            *(f"pairs: {title}" for title in SOURCES.values()))  # fmt: skip
    table = stats.markdown(
        head,
        [
            (
                title,
                *(_sum(counts, relation, conversation=name) for name in CONVERSATIONS),
                *(_sum(counts, relation, source, CONVERSATIONS[0]) for source in SOURCES),
            )
            for title, relation in lines
        ],
    )
    drawn = draw_relations(folder)
    picture = ""
    if drawn is not None:
        (folder / PICTURE).parent.mkdir(exist_ok=True)
        (folder / PICTURE).write_bytes(encode(np.asarray(drawn), "webp"))
        picture = (
            f"\n\n![a pair of each relation, the subject in green]({PICTURE})\n\nThe subject is in "
            "the green box, the object in the grey one; rows have no boxes in their pictures."
        )
    return (
        "\n## Spatial relations\n\nRows by the relation that they say, which of those that hold "
        "tells most, and by how they ask;\npairs (one classification row each) by where the "
        "relation is known from. Pairs whose text and picture\nsay opposite things have "
        f"`confidence` 0.2 and are for training only.\n\n{table}{picture}\n"
    )


def _sum(counts: Counts, relation: str | None, source: str = "", conversation: str = "") -> str:
    """Rows of a relation (None: of all), a source and a conversation (empty: of all)."""
    number = sum(
        rows
        for kind, rows in counts.items()
        if relation in (None, kind.relation)
        and source in ("", kind.source)
        and conversation in ("", kind.conversation)
    )
    return f"{number:,}"


def draw_relations(folder: Path) -> Image.Image | None:
    """The first pair of every relation that the first rows have, preferably of two parts, with its
    boxes and what is said of it; None without rows."""
    tiles = [_tile(row) for row in _examples(folder)]
    if not tiles:
        return None
    width, height = TILE_WH[0] + GAP_PX, TILE_WH[1] + TITLE_PX + GAP_PX
    across = min(TILES_A_LINE, len(tiles))
    sheet = Image.new("RGB", (across * width, -(-len(tiles) // across) * height), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % across * width, index // across * height))
    return sheet


def _examples(folder: Path) -> Iterable[BuildRow]:
    """A row of each relation, in the order of relations."""
    found: dict[str, tuple[bool, BuildRow]] = {}
    names = ["id", "subject", "object", *COLUMNS]
    for row in itertools.islice(read_rows(folder, CONFIG, columns=names), SEARCHED_ROWS):
        kind = kind_of(row.columns)
        if kind.source == "contradiction":
            continue
        of_parts = row.columns["object"]["label"] not in NO_PARTS
        if kind.relation not in found or (of_parts and not found[kind.relation][0]):
            found[kind.relation] = (of_parts, row)
    return [found[name][1] for name in RELATIONS if name in found]


def _tile(row: BuildRow) -> Image.Image:
    columns = {**row.columns, "image": {"bytes": picture_bytes(row.place)}}
    rgb = TASKS[CONFIG].show.draw([columns]).rgb
    scale = min(TILE_WH[0] / rgb.shape[1], TILE_WH[1] / rgb.shape[0])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    tile = Image.new("RGB", (TILE_WH[0], TILE_WH[1] + TITLE_PX), "white")
    tile.paste(Image.fromarray(small), ((TILE_WH[0] - size[0]) // 2, TITLE_PX))
    pen = ImageDraw.Draw(tile)
    subject, other = columns["subject"]["label"], columns["object"]["label"]
    words = WORDS[columns["relations"][0]]
    pen.text((3, 2), subject, fill=(40, 44, 52), font=ImageFont.load_default(14))
    pen.text((3, 21), f"{words} {other}", fill=(40, 44, 52), font=ImageFont.load_default(14))
    pen.rectangle((0, TITLE_PX, TILE_WH[0] - 1, TILE_WH[1] + TITLE_PX - 1), outline=OTHER_RGB)
    return tile

"""The mask of a row: which pixels its question is about, from the build or from a model's maps.

gold: a mask row's own mask; a row of another task has that of the mask row that is about the same
picture and region. predicted: a file a row, `ID.png` (grey, 8 or 16 bit) or `ID.npy`.
"""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.build import MANIFEST, Place, Row, Version, read_rows, version_of
from core.errors import UserError
from core.masks import read_map, read_mask
from core.names import SPLITS
from core.parquet import schema
from core.pictures.containers import ImageError
from core.storage import parquet
from synthesis.boxes import Box, iou, union
from tasks.looks import SUFFIXES, Look

CONFIG = "mask"
# Whose regions are those of another task.
ORIGIN_OF = {"state_balanced": "state"}
# Pairs of one picture are told apart by the boxes of both things together.
SAME_REGION_IOU = 0.95
_TOLD = ("id", "image.path", "provenance")
_ASKED = ("targets", "cell", "subject", "object")


class MaskRow(NamedTuple):
    """A mask row as other rows find it: its picture's name, a content hash, the box of its region,
    and how many pictures of the manual its picture was made of.
    """

    place: Place
    picture_name: str
    box_px: Box | None
    sources: int


class Gold(NamedTuple):
    """Where the build has the mask of a row: in mask rows of the very picture, or in those of the
    find picture that fills a `cell` of the row's collage, one a kind of part.
    """

    places: tuple[Place, ...]
    cell: int | None = None


def map_of(
    look: Look, build: Path, config: str, split: str, row_id: str, size_wh: tuple[int, int]
) -> np.ndarray:
    """(H, W) float32 from 0 to 1 for a row's picture of `size_wh`. Raises `ImageError`, with what
    is wrong, where the row has none that fits.
    """
    if look.folder is not None:
        return read_map(_predicted(look.folder, row_id), size_wh)
    gold = gold_masks(build, config, split).get(row_id)
    if gold is None:
        raise ImageError("no_gold_mask", "no mask row is about this picture and region")
    if gold.cell is None:
        return read_mask(mask_bytes(gold.places[0]), size_wh).astype(np.float32)
    mask = np.logical_or.reduce([read_mask(mask_bytes(place)) for place in gold.places])
    return _in_collage(mask, gold.cell, size_wh).astype(np.float32)


def _in_collage(mask: np.ndarray, cell: int, collage_wh: tuple[int, int]) -> np.ndarray:
    """A find picture's mask where the picture is in a collage of `collage_wh` pixels."""
    from synthesis.collage import fit
    from tasks.mask.targets import mask_in_collage

    cell_wh = (collage_wh[0] // 2, collage_wh[1] // 2)
    fitted = fit(np.zeros((*mask.shape, 3), np.uint8), cell_wh)
    return mask_in_collage(mask, fitted, cell, cell_wh)


def _predicted(folder: Path, row_id: str) -> Path:
    paths = [folder / f"{row_id}{suffix}" for suffix in SUFFIXES]
    here = [path for path in paths if path.is_file()]
    if len(here) != 1:
        names = " and ".join(path.name for path in paths)
        raise ImageError("two_maps" if here else "no_map", f"{names}; one of them is needed")
    return here[0]


def has_map(look: Look, build: Path, config: str, split: str, row_id: str) -> bool:
    """Whether a row has a mask at all; it may still be one that can't be used."""
    if look.folder is not None:
        return any((look.folder / f"{row_id}{suffix}").is_file() for suffix in SUFFIXES)
    return row_id in gold_masks(build, config, split)


def mask_bytes(place: Place) -> bytes:
    """The mask of a mask row, as it is in the build."""
    return _masks(version_of(place.path), place.row_group)[place.row]


@functools.lru_cache(4)
def _masks(shard: Version, row_group: int) -> list[bytes]:
    with parquet(shard.path) as file:
        column = file.read_row_group(row_group, columns=[CONFIG]).column(CONFIG)
    return [mask["bytes"] for mask in column.to_pylist()]


# Gold masks of rows ------------------------------------------------------------------------------


def gold_masks(build: Path, config: str, split: str) -> Mapping[str, Gold]:
    """Where the masks of a split's rows lie, by id; rows without one are not among them."""
    made = build / MANIFEST
    if not made.is_file():
        raise UserError(f"{build}: no {MANIFEST} in it, so nobody knows whose masks these are")
    return _gold_masks(build, config, split, version_of(made))


@functools.lru_cache(4)
def _gold_masks(build: Path, config: str, split: str, made: Version) -> dict[str, Gold]:
    if config == CONFIG:
        every = read_rows(build, config, split, ["id"])
        return {row.id: Gold((row.place,)) for row in every}
    known = _mask_rows(build, ORIGIN_OF.get(config, config), made)
    columns = [*_TOLD, *(name for name in _ASKED if name in schema(config).names)]
    found = {}
    for row in read_rows(build, config, split, columns):
        gold = _gold_of(row.columns, known.get(_own_source(row.columns), ()))
        if gold is not None:
            found[row.id] = gold
    return found


@functools.lru_cache(2)
def _mask_rows(build: Path, origin: str, made: Version) -> dict[str, list[MaskRow]]:
    """The mask rows of an origin by the picture of the manual that they are about."""
    found: dict[str, list[MaskRow]] = defaultdict(list)
    from tasks.mask.rows import ORIGINS

    columns = [*_TOLD, "origin", "boxes_px"]
    for split in SPLITS:
        for row in read_rows(build, CONFIG, split, columns):
            told = row.columns
            if ORIGINS[told["origin"]] == origin:
                boxes = told["boxes_px"]
                one = MaskRow(
                    row.place,
                    told["image"]["path"] or "",
                    union(boxes) if boxes else None,
                    len(told["provenance"]["source_images"]),
                )
                found[_own_source(told)].append(one)
    return dict(found)


def _own_source(row: Row) -> str:
    """What tells the picture of the manual that a row is about from every other."""
    source = row["provenance"]["source_images"][row.get("cell") or 0]
    return str(source["sha256"] or source["path"])


def _gold_of(row: Row, same: Sequence[MaskRow]) -> Gold | None:
    """The mask of a row's own region, of the mask rows about the row's source picture.

    Steps have one region; pairs are told apart by their boxes. A collage has its own mask row, or
    the find picture in its cell has one a kind of part, and all of them are asked for.
    """
    if "cell" in row:
        here = [one for one in same if one.picture_name == row["image"]["path"]]
        if here:
            return Gold((here[0].place,))
        alone = [one.place for one in same if one.sources == 1]
        whole = alone and len(alone) == len(row["targets"])
        return Gold(tuple(alone), row["cell"]) if whole else None
    if "subject" in row:
        boxes = [row[name]["box_px"] for name in ("subject", "object")]
        pair = None if None in boxes else union(boxes)
        same = [one for one in same if pair and one.box_px
                and iou(pair, one.box_px) >= SAME_REGION_IOU]  # fmt: skip
    return Gold((same[0].place,)) if len(same) == 1 else None

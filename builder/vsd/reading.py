"""The released files of VSD v1 and v2: a picture's name, triples with boxes, captions.

A file is a JSON list of `{"img_id", "triple_list": [{"s", "p", "o", "s_bbox", "o_bbox"}],
"captions": [...]}`, boxes [y0, y1, x0, x1] in pixels. Both versions hold the same items in one
order; v2 keeps only the first triple of most.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import UserError
from core.records import Drop
from core.relations import label_of
from synthesis.boxes import Box, as_box


class Triple(NamedTuple):
    """Two named things with their boxes in pixels, and the label of their relation."""

    subject: str
    object: str
    relation: str
    subject_xyxy_px: Box
    object_xyxy_px: Box


class VsdItem(NamedTuple):
    """A picture with its triples; `short` and `richer` are the captions of v1 and v2, each once."""

    number: int
    image: str
    triples: tuple[Triple, ...]
    short: tuple[str, ...]
    richer: tuple[str, ...]


def read_vsd(v1: Path, v2: Path | None) -> tuple[list[VsdItem], list[Drop]]:
    """Items of a file of v1 with the captions of v2, and what could not be used. Raises
    `UserError` for files of another form."""
    items, drops = [], []
    richer = _captions_by_image(v2) if v2 else {}
    for number, entry in enumerate(_list_of(v1)):
        name = f"item {number}"
        try:
            image = str(entry["img_id"])
            triples, wrong = _triples(entry["triple_list"])
            short = _distinct(entry["captions"])
        except (KeyError, TypeError) as error:
            drops.append(Drop("vsd", "spatial", name, "key_missing", str(error)))
            continue
        drops += [Drop("vsd", "spatial", name, reason, detail) for reason, detail in wrong]
        if not triples or not short:
            reason = "no_usable_triple" if not triples else "no_caption"
            drops.append(Drop("vsd", "spatial", name, reason, image))
            continue
        items.append(VsdItem(number, image, triples, short, richer.get(image, ())))
    return items, drops


def _list_of(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; VSD's lie at https://github.com/zhaoyucs/VSD")
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a JSON file of VSD ({error})") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UserError(f"{path}: not a list of items; give a file such as VSDv1's train.json")
    return found


def _captions_by_image(path: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in _list_of(path):
        image = str(entry.get("img_id"))
        captions = entry.get("captions")
        if isinstance(captions, list):
            found[image] = (*found.get(image, ()), *_distinct(captions))
    return found


def _triples(entries: Sequence[dict[str, Any]]) -> tuple[tuple[Triple, ...], list[tuple[str, str]]]:
    """The usable triples of an item, and (reason, detail) of the others."""
    found, wrong = [], []
    for entry in entries:
        label = label_of(str(entry["p"]))
        if label is None:
            wrong.append(("relation_not_known", str(entry["p"])))
            continue
        try:
            boxes = [_box(entry[name]) for name in ("s_bbox", "o_bbox")]
        except ValueError as error:
            wrong.append(("box_without_area", str(error)))
            continue
        found.append(Triple(_clean(entry["s"]), _clean(entry["o"]), label, boxes[0], boxes[1]))
    return tuple(found), wrong


def _box(bbox: Sequence[float]) -> Box:
    """[y0, y1, x0, x1] as x0, y0, x1, y1; ValueError where it is none, ends reversed too."""
    if len(bbox) != 4:
        raise ValueError(f"{bbox}: four numbers are wanted")
    y0, y1, x0, x1 = bbox
    return as_box((x0, y0, x1, y1))


def _distinct(captions: Sequence[str]) -> tuple[str, ...]:
    """Captions with single spaces, each once, in their order."""
    return tuple(dict.fromkeys(filter(None, map(_clean, captions))))


def _clean(text: str) -> str:
    return " ".join(str(text).split())

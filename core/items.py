"""The rows of a build as benchmark items, without their pictures."""

import dataclasses
import functools
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagesize

from core import build as builds
from core.boxtext import read_boxes, unrounded
from core.build import Place, Row, read_rows, shards
from core.cli import command
from core.errors import UserError
from core.relations import CONVERSATIONS


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a build. `boxes_norm100` are those of the `answer` text, in its order, unrounded.

    `group` holds what an in-context example must not share with this item: the state group and the
    hashes of the picture that the item is about. `instances_norm100` are the single parts.
    """

    id: str
    config: str
    split: str
    manual_id: str
    session_id: str
    step_num: int | None
    query: str
    answer: str
    instruction: str
    previous_instruction: str | None
    entities: tuple[tuple[str, str], ...]
    group: frozenset[str]
    place: Place
    is_yes: bool | None = None
    labels: tuple[str, ...] = ()
    boxes_norm100: tuple[tuple[float, ...], ...] = ()
    instances_norm100: tuple[tuple[float, ...], ...] = ()
    size_wh: tuple[int, int] | None = None
    # State: which four belong together, and where the part lies in this one's picture.
    group_id: str | None = None
    part_box_px: tuple[float, ...] | None = None
    # Spatial: what is asked for, what holds of the two things, and true descriptions of it.
    conversation: str | None = None
    relations: tuple[str, ...] = ()
    relations_image: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    # All columns of a row that was made from others, for what only its own scorer asks.
    derived: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)
    # What is shown in place of the build's own picture.
    shown: Callable[[], bytes] | None = field(default=None, compare=False, repr=False)


def load_items(build: Path, config: str, split: str) -> list[Item]:
    """All items of a split in file order; raises `UserError` when the build has none."""
    if not shards(build, config, split):
        made = (build / "data").is_dir()
        cure = (
            "build more manuals, or choose another --config or --split"
            if made
            else f"make one with: {command('build')}"
        )
        raise UserError(f"{build}: no data/{config}/{split}-*.parquet in it; {cure}")
    rows = read_rows(build, config, split)
    return [item_of(row.columns, config, split, row.place) for row in rows]


def item_of(row: Row, config: str, split: str, place: Place) -> Item:
    """A row of a build, its picture left out, as an item."""
    targets = row.get("targets") or []
    sources = row["provenance"]["source_images"]
    own = sources[row.get("cell") or 0]
    measured = [*targets, *(row.get("distractors") or ())][:1]
    size_wh = _size_of(measured[0]) if measured else None
    told: dict[str, Any] = {
        "labels": tuple(target["label"] for target in targets),
        "boxes_norm100": tuple(tuple(target["box_norm100"]) for target in targets),
        "instances_norm100": tuple(
            _norm100(box, size_wh) for target in targets for box in target["instances_px"]
        ),
        "size_wh": size_wh,
    }
    return Item(
        id=row["id"],
        config=config,
        split=split,
        manual_id=row["manual_id"],
        session_id=row["session_id"],
        step_num=row["step_num"],
        query=row["query"],
        answer=row["answer"],
        instruction=row["instruction"],
        previous_instruction=row["previous_instruction"],
        entities=tuple((entity["tag"], entity["text"]) for entity in row["entities"]),
        group=frozenset(
            filter(None, (row.get("group_id") or row.get("pair_id"), own["sha256"] or own["path"]))
        ),
        place=place,
        is_yes=bool(row["label"]) if "label" in row else None,
        group_id=row.get("group_id"),
        part_box_px=tuple(row["part_box_px"]) if row.get("part_box_px") else None,
        derived=row if "source_ids" in row else {},
        **_spatial(row),
        **(_mask(row) or told),
    )


def _spatial(row: Row) -> dict[str, Any]:
    """What only spatial rows have."""
    if "conversation_type" not in row:
        return {}
    kind = row["conversation_type"]
    return {
        "conversation": CONVERSATIONS[kind] if isinstance(kind, int) else kind,
        "relations": tuple(row["relations"]),
        "relations_image": tuple(row["relations_image"]),
        "names": (row["subject"]["label"], row["object"]["label"]),
        "references": (*row["descriptions_v1"], *row["descriptions_v2"]),
    }


def _mask(row: Row) -> dict[str, Any]:
    """Of mask rows: the picture's size, which is the mask's, the single boxes, and those of the
    answer, which they make up."""
    mask = row.get("mask")
    if not mask:
        return {}
    size_wh = mask.size if hasattr(mask, "size") else imagesize.get(io.BytesIO(mask["bytes"]))
    instances = tuple(_norm100(box, size_wh) for box in row["boxes_px"])
    said = read_boxes(row["answer"]).boxes
    return {
        "labels": tuple(phrase for phrase, _ in said),
        "boxes_norm100": tuple(unrounded(box, instances) for _, box in said),
        "size_wh": tuple(size_wh),
        "instances_norm100": instances,
    }


def _size_of(target: dict[str, Any]) -> tuple[int, int]:
    """Width and height of the picture, from a box known both in pixels and in percent."""
    px, norm = target["box_px"], target["box_norm100"]
    return (round(100 * px[2] / norm[2]), round(100 * px[3] / norm[3]))


def _norm100(box_px: list[float], size_wh: tuple[int, int] | None) -> tuple[float, ...]:
    width, height = size_wh or (100, 100)
    return tuple(
        100 * value / side for value, side in zip(box_px, (width, height) * 2, strict=True)
    )


def picture_bytes(item: Item) -> bytes:
    """The encoded picture of an item."""
    if item.shown is not None:
        return item.shown()
    return builds.picture_bytes(item.place)


def several(item: Item) -> list[Item]:
    """An item once for each of the pictures that its row has beside `image`, shown by itself."""
    number = len(item.derived.get("labels") or ()) or 1 + max(
        (turn["picture"] or 0 for turn in item.derived.get("history") or ()), default=-1
    )

    @functools.cache
    def pictures() -> list[bytes]:
        return builds.several_bytes(item.place)

    def shown(index: int) -> bytes:
        return pictures()[index]

    return [
        dataclasses.replace(item, shown=functools.partial(shown, index)) for index in range(number)
    ]


def picture_size(item: Item) -> tuple[int, int]:
    """Width and height of an item's picture; its pixels are not decoded."""
    from PIL import Image

    with Image.open(io.BytesIO(picture_bytes(item))) as image:
        return image.size


def items_hash(items: Iterable[Item]) -> str:
    """Hash of what is asked and expected: predictions of another build must not be mixed in."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.id}\n{item.query}\n{item.answer}\n".encode())
    return digest.hexdigest()[:16]


def commonest_answer(item: Item, alike: Sequence[Item]) -> str:
    """What most of the rows that ask the same are answered; the first of those as common."""
    return Counter(one.answer for one in alike).most_common(1)[0][0]

"""One screen of a page: pictures, boxes, text, and, for a check question, the known answers."""

from collections.abc import Mapping
from typing import NamedTuple

from core.build import BuildRow, picture_bytes
from review.rows import as_webp

BoxPx = tuple[float, float, float, float]


class NamedBox(NamedTuple):
    """A box in pixels of the first picture (x0, y0, x1, y1; x1, y1 exclusive) and its name."""

    name: str
    box_px: BoxPx


class Question(NamedTuple):
    """What a rater sees. `row` is None for a check question, which has `known` scores instead.

    `pictures` are lossless WebP: the one to judge first, then the reference of a state.
    """

    row: str | None
    manual_id: str
    text: str
    pictures: tuple[bytes, ...]
    sizes_wh: tuple[tuple[int, int], ...]
    boxes: tuple[NamedBox, ...] = ()
    known: Mapping[str, int] = {}


def object_question(entry: BuildRow) -> Question:
    """The collage with the boxes of the answer."""
    data, size_wh = as_webp(picture_bytes(entry.place))
    boxes = tuple(NamedBox(t["label"], tuple(t["box_px"])) for t in entry.columns["targets"])
    return Question(
        entry.id,
        entry.columns["manual_id"],
        entry.columns["instruction"],
        (data,),
        (size_wh,),
        boxes,
    )


def state_question(entry: BuildRow, reference: BuildRow) -> Question:
    """A wrong state beside the right one of its group: left and right, as in the thesis (5.2.3)."""
    files = [as_webp(picture_bytes(one.place)) for one in (entry, reference)]
    return Question(
        entry.id,
        entry.columns["manual_id"],
        reference.columns["instruction"],
        tuple(data for data, _ in files),
        tuple(size for _, size in files),
    )

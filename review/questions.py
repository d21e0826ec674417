"""One screen of a page: pictures, boxes, text, and, for a check question, the known answers."""

import io
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.build import BuildRow, picture_bytes
from core.masks import read_mask
from review.rows import WEBP_METHOD, as_webp

BoxPx = tuple[float, float, float, float]


class NamedBox(NamedTuple):
    """A box in pixels of the first picture (x0, y0, x1, y1; x1, y1 exclusive) and its name."""

    name: str
    box_px: BoxPx


class Question(NamedTuple):
    """What a rater sees. `row` is None for a check question, which has `known` scores instead.

    A row that has an answer of its own has that as `known`.

    `pictures` are lossless WebP: the one to judge first, then the reference of a state, or the
    picture of a mask as it is.
    """

    row: str | None
    manual_id: str
    text: str
    pictures: tuple[bytes, ...]
    sizes_wh: tuple[tuple[int, int], ...]
    boxes: tuple[NamedBox, ...] = ()
    known: Mapping[str, int] = {}
    relation: str = ""  # of a pair: the one that its rows say


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


def balanced_question(entry: BuildRow) -> Question:
    """A picture and what is said of it, true or not: the row's own answer."""
    data, size_wh = as_webp(picture_bytes(entry.place))
    said = " ".join(filter(None, (entry.columns["previous_instruction"],
                                  entry.columns["instruction"])))  # fmt: skip
    known = {"fits": entry.columns["label"] + 1}
    return Question(entry.id, entry.columns["manual_id"], said, (data,), (size_wh,), known=known)


def mask_question(entry: BuildRow, mask: np.ndarray | None = None) -> Question:
    """The picture with all but the mask greyed out, beside the picture as it is. `mask`, (H, W)
    bool, stands for the row's own."""
    from tasks.mask.show import faded  # it takes half a second to import

    whole, size_wh = as_webp(picture_bytes(entry.place))
    own = read_mask(entry.columns["mask"]["bytes"]) if mask is None else mask
    with Image.open(io.BytesIO(whole)) as image:
        shown = Image.fromarray(faded(np.asarray(image.convert("RGB")), own))
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", lossless=True, method=WEBP_METHOD)
    return Question(
        entry.id, entry.columns["manual_id"], entry.columns["query"], (buffer.getvalue(), whole),
        (size_wh, size_wh),
    )  # fmt: skip


# Of the page's first two boxes, as page.css draws them.
BOX_COLORS = ("blue", "pink")


def spatial_question(entry: BuildRow) -> Question:
    """A pair in its picture, subject first. The step's own words are not told: they say the
    relation."""
    data, size_wh = as_webp(picture_bytes(entry.place))
    things = [entry.columns[name] for name in ("subject", "object")]
    boxes = tuple(NamedBox(thing["label"], tuple(thing["box_px"])) for thing in things)
    return Question(
        entry.id,
        entry.columns["manual_id"],
        sentence_to_complete(*boxes),
        (data,),
        (size_wh,),
        boxes,
        relation=entry.columns["relations"][0],
    )


def sentence_to_complete(subject: NamedBox, other: NamedBox) -> str:
    """ "The red plate 1x2 (box 1, blue) is ... the table (box 2, pink)." """
    verb = "are" if re.match(r"\d+ ", subject.name) else "is"
    one, two = (f"box {n}, {color}" for n, color in enumerate(BOX_COLORS, 1))
    return f"The {subject.name} ({one}) {verb} … the {other.name} ({two})."

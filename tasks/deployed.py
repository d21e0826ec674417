"""A row's picture seen through its mask, and the row's boxes where the picture was cut.

Boxes follow a crop in every column that holds some and in the texts of query and answer; what the
crop cuts off is cut off. A row whose things are not in the crop any more can't be asked.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from core.answers import parse_boxes
from core.boxtext import box_answer, unrounded
from core.masks import area_ratio, encode_mask, read_mask
from core.pictures.media import encode
from synthesis.boxes import Box, px_to_norm100
from synthesis.deploy import Frame, deploy
from tasks import EVERY_TASK
from tasks.looks import Look

# A column, or a field of one, by the end of its name.
_PX, _NORM100, _SEVERAL_PX = "box_px", "box_norm100", ("instances_px", "boxes_px")
# Boxes in texts: in angle brackets they are percent, behind bbox_2d pixels.
_ANGLE = re.compile(r"\{?<(\d{1,3})><(\d{1,3})><(\d{1,3})><(\d{1,3})>\}?")
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_PIXELS = re.compile(rf'("bbox_2d"\s*:\s*)\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]')


class Outside(Exception):
    """What a row is about does not lie in its crop: (reason, detail)."""


class Moves(Protocol):
    """Where boxes of a picture are after it was cut or warped: a `Frame`, or `corruptions.Warp`."""

    @property
    def source_wh(self) -> tuple[int, int]:
        """Width and height before."""

    @property
    def crop_xyxy_px(self) -> tuple[int, int, int, int]:
        """What was cut out before anything else was done."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing changes."""

    def to_crop(self, box_px: Sequence[float]) -> Box | None:
        """A box after, None where nothing of it is left."""

    def to_crop_norm100(self, box_norm100: Sequence[float]) -> Box | None:
        """The same in percent."""


class Seen(NamedTuple):
    """A picture as it is shown: file bytes in the format they had, and its place in the whole."""

    data: bytes
    frame: Frame
    kept_whole: bool


def seen(look: Look, data: bytes, found: np.ndarray) -> Seen:
    """The encoded picture seen through its map (H, W). What hides nothing keeps the bytes."""
    with Image.open(io.BytesIO(data)) as image:
        image_format, rgb = (image.format or "").lower(), np.asarray(image.convert("RGB"))
    shown = deploy(rgb, found, look.method, look.threshold)
    if shown.kept_whole:
        return Seen(data, shown.frame, True)
    return Seen(encode(shown.picture, image_format), shown.frame, False)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded picture."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def follow(row: Mapping[str, Any], config: str, frame: Moves) -> dict[str, Any]:
    """The columns of a row of which some picture is cut to a frame. Raises `Outside`."""
    if frame.is_whole:
        return dict(row)
    moved = {name: _followed(name, value, frame) for name, value in row.items()}
    for name in ("targets", "boxes_px"):
        if len(moved.get(name) or ()) < len(row.get(name) or ()) and not (
            name == "boxes_px" and moved[name]
        ):
            raise Outside("target_outside_crop", name)
    for name in ("subject", "object"):
        if row.get(name) and row[name].get(_PX) and not moved[name].get(_PX):
            raise Outside("target_outside_crop", name)
    if row.get("mask"):
        mask = read_mask(row["mask"]["bytes"], frame.source_wh)
        x0, y0, x1, y1 = frame.crop_xyxy_px
        cut = mask[y0:y1, x0:x1]
        moved["mask"] = {**row["mask"], "bytes": encode_mask(cut)}
        moved["area_ratio"] = area_ratio(cut)
    if "query" in row:
        moved["query"] = follow_text(row["query"], frame)
    if "answer" in row:
        moved["answer"] = _answer(row, moved, config, frame)
    return moved


def _followed(name: str, value: Any, frame: Moves) -> Any:
    """A value, and whatever lies in it, in the crop's frame; a box that is not there is None, an
    entry of a list that had one is left out."""
    if value is None:
        return None
    if name.endswith(_PX):
        return _listed(frame.to_crop(value))
    if name.endswith(_NORM100):
        return _listed(frame.to_crop_norm100(value))
    if name in _SEVERAL_PX:
        return [list(box) for box in map(frame.to_crop, value) if box is not None]
    if isinstance(value, Mapping) and "bytes" not in value:
        return {key: _followed(key, one, frame) for key, one in value.items()}
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        pairs = [(one, _followed("", one, frame)) for one in value]
        return [moved for one, moved in pairs if one.get(_PX) is None or moved[_PX] is not None]
    return value


def _listed(box: Box | None) -> list[float] | None:
    return None if box is None else list(box)


def _answer(row: Mapping[str, Any], moved: Mapping[str, Any], config: str, frame: Moves) -> str:
    """The answer in the crop's frame, from unrounded boxes where the row has them."""
    answer = str(row["answer"])
    if not EVERY_TASK[config].text.in_boxes:
        return follow_text(answer, frame)
    said = parse_boxes(answer).boxes
    exact = [target[_NORM100] for target in row.get("targets") or ()]
    if len(exact) != len(said):
        single = [px_to_norm100(box, frame.source_wh) for box in row.get("boxes_px") or ()]
        exact = [unrounded(box.box, single) for box in said]
    boxes = [_inside(frame.to_crop_norm100(box), answer) for box in exact]
    return box_answer([(one.label, box) for one, box in zip(said, boxes, strict=True)])


def follow_text(text: str, frame: Moves) -> str:
    """A text whose boxes, percent in angle brackets or pixels as `bbox_2d`, follow a crop. Raises
    `Outside`.

    >>> half = Frame((200, 100), (100, 0, 200, 100))
    >>> follow_text("the one at {<60><20><80><40>}", half)
    'the one at {<20><20><60><40>}'
    """
    text = _ANGLE.sub(lambda found: _moved_angle(found, frame), text)
    return _PIXELS.sub(lambda found: _moved_pixels(found, frame), text)


def _moved_angle(found: re.Match[str], frame: Moves) -> str:
    box = _of_text(found, 0, frame.to_crop_norm100)
    moved = box_answer([("", box)]).partition(" ")[2]
    braced = found[0].startswith("{")
    return moved if braced else moved.strip("{}")


def _moved_pixels(found: re.Match[str], frame: Moves) -> str:
    box = _of_text(found, 1, frame.to_crop)
    return f"{found[1]}[{', '.join(f'{value:g}' for value in box)}]"


def _of_text(found: re.Match[str], before: int, move: Callable[[Box], Box | None]) -> Box:
    numbers = [float(value) for value in found.groups()[before:]]
    x0, y0, x1, y1 = numbers
    if not (x0 < x1 and y0 < y1):
        raise Outside("box_without_area", found[0])
    return _inside(move((x0, y0, x1, y1)), found[0])


def _inside(box: Box | None, said: str) -> Box:
    if box is None:
        raise Outside("target_outside_crop", said)
    return box

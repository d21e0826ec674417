"""Boxes out of values: four numbers, texts of them, and dicts that name what each number is."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from synthesis.boxes import Box

NUMBER = r"[-+]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][-+]?\d{1,2})?"
_NUMBER = re.compile(rf"({NUMBER})(?:\s?(%|px))?")
_UNITS = {"%": "norm100", "px": "px", None: None}
_APART = re.compile(r"[\s,;]+")
# Zero-padded to three digits: CogVLM's and GLM's way of writing thousandths.
_PADDED = re.compile(r"\d{3}")
DEPTH = 6

# The four numbers of a box by what they are called, spaces and marks left out.
_ROLES = {
    "x0": "x0 xleft left leftx xmin minx topleftx xtl startx xstart",
    "y0": "y0 ytop top topy ymin miny toplefty ytl starty ystart",
    "x1": "xright right rightx xmax maxx bottomrightx xbr endx xend",
    "y1": "ybottom bottom bottomy ymax maxy bottomrighty ybr endy yend",
    "x": "x", "y": "y", "x1?": "x1", "y1?": "y1", "x2": "x2", "y2": "y2",
    "w": "w width", "h": "h height",
    "cx": "cx xcenter centerx xcentre centrex", "cy": "cy ycenter centery ycentre centrey",
}  # fmt: skip
ROLES = {name: role for role, names in _ROLES.items() for name in names.split()}
_CORNERS = {"topleft", "lefttop", "tl", "min"}, {"bottomright", "rightbottom", "br", "max"}

BOX_KEY = re.compile(r"box|rect|xyxy|xywh")
# May hold a box, or something else ("position": "left").
MAYBE_BOX_KEY = re.compile(r"coord|position|location|region|bounds")
NO_BOX_KEY = re.compile(
    r"3d|point|poly|mask|segment|quad|center|centre|size|colou?r|rgb|score|index"
)
_LABELS = (
    "label", "labels", "name", "names", "object", "text", "class", "category", "phrase", "part",
    "item", "objectname", "labelname", "caption", "title", "description", "boxlabel", "bboxlabels",
    "boxlabels", "classname",
)  # fmt: skip
# Keys that hold lists of boxes and name nothing.
_CONTAINERS = {"objects", "results", "result", "detections", "predictions", "annotations", "items",
               "parts", "answer", "answers", "output", "data", "response", "pieces", "instances",
               "targets", "shapes", "elements", "od"}  # fmt: skip


class Found(NamedTuple):
    """A box as x0, y0, x1, y1 with the frame that its form says, None for none."""

    label: str
    box: Box
    frame: str | None = None


class Pairs(list[Any]):
    """The (key, value) pairs of a JSON object: a key may stand there twice."""


class Broken(Exception):
    """Something that should be a box and is none."""


def numbers_in(text: str) -> tuple[list[float], str | None] | None:
    """The numbers of a text that holds nothing else, with the frame of their units or padding."""
    parts = [part for part in _APART.split(re.sub(r"\s+(?=%|px)", "", text.strip())) if part]
    matches = [_NUMBER.fullmatch(part) for part in parts]
    if not matches or not all(matches):
        return None
    said = [match for match in matches if match]
    units = {match[2] for match in said}
    if len(units) > 1:
        return None
    frame = _UNITS[units.pop()]
    if all(_PADDED.fullmatch(part) for part in parts) and any(part[0] == "0" for part in parts):
        frame = "norm1000"
    return [float(match[1]) for match in said], frame


def as_number(value: object) -> float | None:
    """A finite number, also one written as a text; None for anything else."""
    if isinstance(value, str):
        value = float(value) if re.fullmatch(NUMBER, value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def box_of(values: Sequence[object]) -> Box:
    """Four finite numbers as a box; raises `Broken`."""
    numbers = [number for value in values if (number := as_number(value)) is not None]
    if len(numbers) != len(values) or len(numbers) != 4:
        raise Broken
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def frame_of(box: Box, frame: str | None) -> str | None:
    """The frame said, else norm1 for shares of 1: no part is smaller than a percent."""
    if frame in (None, "norm1000") and all(0 <= value <= 1 for value in box):
        return "norm1" if any(value % 1 for value in box) else frame
    return frame


def from_roles(named: Mapping[str, float]) -> Box | None:
    """A box of numbers by role (`ROLES`); None where they do not make one."""
    kinds = set(named)
    if kinds == {"x1?", "y1?", "x2", "y2"}:
        return (named["x1?"], named["y1?"], named["x2"], named["y2"])
    if kinds == {"x0", "y0", "x1?", "y1?"}:
        return (named["x0"], named["y0"], named["x1?"], named["y1?"])
    if kinds == {"x0", "y0", "x1", "y1"}:
        return (named["x0"], named["y0"], named["x1"], named["y1"])
    if kinds in ({"x", "y", "w", "h"}, {"x0", "y0", "w", "h"}):
        x, y = (named.get("x0", named.get("x", 0.0)), named.get("y0", named.get("y", 0.0)))
        return (x, y, x + named["w"], y + named["h"])
    if kinds == {"cx", "cy", "w", "h"}:
        half_w, half_h = named["w"] / 2, named["h"] / 2
        x, y = named["cx"], named["cy"]
        return (x - half_w, y - half_h, x + half_w, y + half_h)
    return None


def plain_key(key: str) -> str:
    """Lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", key.casefold())


def boxes_in(value: object, label: str = "", depth: int = DEPTH) -> Iterator[Found | Broken]:
    """Every box of a JSON value; what should be one and is not comes as `Broken`."""
    if not depth:
        return
    if isinstance(value, Pairs):
        yield from _in_object(value, label, depth)
    elif isinstance(value, list):
        if len(value) == 4 and all(as_number(part) is not None for part in value):
            yield from _boxes_of(value, "box", label)
            return
        for part in value:
            yield from boxes_in(part, label, depth - 1)


def _in_object(pairs: Pairs, label: str, depth: int) -> Iterator[Found | Broken]:
    keyed = [(plain_key(key), key, value) for key, value in pairs]
    named = _labels(keyed) or label
    whole = _named_box(pairs)
    if whole is not None:
        yield Found(named if isinstance(named, str) else "", whole, frame_of(whole, None))
        return
    for plain, key, value in keyed:
        if NO_BOX_KEY.search(plain):
            if re.search("3d|poly|quad", plain):
                yield Broken()
        elif plain in ROLES or plain in _LABELS:
            continue
        elif BOX_KEY.search(plain):
            yield from _boxes_of(value, plain, named)
        elif MAYBE_BOX_KEY.search(plain):
            yield from (f for f in _boxes_of(value, plain, named) if isinstance(f, Found))
        elif plain in _CONTAINERS or (isinstance(value, list) and _are_objects(value)):
            yield from boxes_in(value, label, depth - 1)
        else:  # {"red brick": [..]}: the key is the name
            yield from boxes_in(value, " ".join(key.split()), depth - 1)


def _are_objects(value: list[Any]) -> bool:
    return any(isinstance(part, Pairs) for part in value)


def _labels(keyed: Sequence[tuple[str, str, object]]) -> str | list[str] | None:
    """The label of an object, or one for each of its boxes."""
    for wanted in _LABELS:
        for plain, _, value in keyed:
            if plain != wanted:
                continue
            if isinstance(value, str):
                return " ".join(value.split())
            if isinstance(value, list) and all(isinstance(part, str) for part in value):
                return [" ".join(part.split()) for part in value]
    return None


def _boxes_of(value: object, key: str, label: str | list[str]) -> Iterator[Found | Broken]:
    """The box or boxes under a key that says so: in a list, a text or an object."""
    if value is None or isinstance(value, int | float):  # none, or a number of boxes
        return
    several = _several(value)
    labels = label if isinstance(label, list) else [label] * len(several)
    if len(labels) != len(several):
        labels = [""] * len(several)
    for one, name in zip(several, labels, strict=True):
        try:
            yield _one_box(one, key, name)
        except Broken as broken:
            yield broken
        except _Inside as inside:
            yield from boxes_in(inside.args[0], name, DEPTH - 1)


class _Inside(Exception):
    """An object under a box's key that holds boxes rather than being one."""


def _several(value: object) -> list[object]:
    if isinstance(value, list) and not isinstance(value, Pairs):
        numbers = [as_number(part) is not None for part in value]
        if not any(numbers) and not _is_corners(value):
            return value
    return [value]


def _is_corners(value: object) -> bool:
    """`[[x0, y0], [x1, y1]]`."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(part, list) and len(part) == 2 for part in value)
    )


def _one_box(value: object, key: str, label: str) -> Found:
    frame = None
    if isinstance(value, str):
        found = numbers_in(re.sub(r"[()\[\]<>{}]", " ", value))
        if found is None:
            raise Broken
        value, frame = found
    if isinstance(value, Pairs):
        box = _named_box(value)
        if box is None:
            raise _Inside(value) if any(isinstance(v, list | Pairs) for _, v in value) else Broken
        return Found(label, box, frame_of(box, frame))
    if isinstance(value, list) and _is_corners(value):
        value = [*value[0], *value[1]]
    if not isinstance(value, list):
        raise Broken
    return _ordered(box_of(value), key, label, frame)


def _ordered(box: Box, key: str, label: str, frame: str | None) -> Found:
    """A box with its numbers in the order that its key stands for."""
    a, b, c, d = box
    if key == "box2d":  # Gemini: y first, in thousandths
        return Found(label, (b, a, d, c), frame or "norm1000")
    if "cxcywh" in key:
        box = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    elif "xywh" in key:
        box = (a, b, a + c, b + d)
    return Found(label, box, frame_of(box, frame))


def _named_box(pairs: Pairs) -> Box | None:
    """The box of an object whose keys say what each number is; None if it is no such object."""
    named: dict[str, float] = {}
    for key, value in pairs:
        plain = plain_key(key)
        if plain in _CORNERS[0] | _CORNERS[1]:
            ends = ("x0", "y0") if plain in _CORNERS[0] else ("x1", "y1")
            named.update(zip(ends, _point(value), strict=False))
            continue
        number = as_number(value)
        role = ROLES.get(plain)
        if role is None or number is None:
            continue
        if role in named:
            return None
        named[role] = number
    return from_roles(named)


def _point(value: object) -> list[float]:
    """x and y of `[x, y]` or `{"x": x, "y": y}`; [] for anything else."""
    if isinstance(value, Pairs):
        value = [dict(value).get("x"), dict(value).get("y")]
    if not isinstance(value, list) or len(value) != 2:
        return []
    numbers = [number for part in value if (number := as_number(part)) is not None]
    return numbers if len(numbers) == 2 else []

"""Boxes as models write them into text: a reader for each form, and the labels before them.

A reader yields `Group`s in the order of the text: what stands at one place, as boxes x0, y0, x1, y1
with the frame that the form itself says, or as None where it should be a box and is none.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from core.answers.box_values import (
    NUMBER,
    ROLES,
    Broken,
    Found,
    box_of,
    frame_of,
    from_roles,
    numbers_in,
    plain_key,
)
from synthesis.boxes import Box

_N = rf"\s{{0,20}}({NUMBER})\s{{0,20}}"
_ANGLE = re.compile(rf"<{_N}>")
_ANGLES = re.compile(rf"<{_N}>(?:[\s,;]{{0,20}}<{_N}>)*")
_LOC_Y_FIRST = re.compile(r"(?:<loc\d{4}>\s?)+")
_LOC_X_FIRST = re.compile(r"(?:<loc_\d{1,4}>\s?)+")
_PATCHES = re.compile(r"(?:<patch_index_\d{4}>\s?)+")
_PATCHES_A_SIDE = 32
_TAG = re.compile(r"<(box|bbox|det|bounding_box|quad)>", re.IGNORECASE)
_TAG_FRAMES = {"box": "norm1000", "bbox": "norm1000"}
_POINT_TAG = re.compile(r"<points?\b[^<>]{0,4000}>", re.IGNORECASE)
_POINTS = r"\((\d{1,4}),(\d{1,4})\),\((\d{1,4}),(\d{1,4})\)"
_CORNERS = re.compile(rf"(?<!\),){_POINTS}(?!,\()")
_POINT_RUN = re.compile(rf"\({_N},{_N}\)(?:\s{{0,9}},?\s{{0,9}}\({_N},{_N}\))+")
_TOP_LEFT = re.compile(
    rf"top[- ]?left[^()\d]{{0,40}}\({_N},{_N}\)[^()\d]{{0,60}}bottom[- ]?right[^()\d]{{0,40}}"
    rf"\({_N},{_N}\)",
    re.IGNORECASE,
)
_ROLE_NAME = (
    r"[xy][ _-]?(?:left|right|top|bottom|min|max|cent(?:er|re)|[012])"
    r"|(?:left|right|top|bottom|min|max|cent(?:er|re))[ _-]?[xy]"
    r"|left|right|top|bottom|width|height|c[xy]|[xywh]"
)
_NAMED = re.compile(
    rf"(?<![a-z0-9_-])({_ROLE_NAME})[\"'*`]{{0,3}}\s{{0,9}}[:=>]\s{{0,9}}[\"'*`<]{{0,3}}({NUMBER})"
    r"(?![-/\u2013,]?\.?\d|\.?\w|%)",
    re.IGNORECASE,
)
# What stands between the four numbers of one box.
_BETWEEN = re.compile(r"[\W_]{0,30}(?:(?:px|pixels|and|the)\b[\W_]{0,9}){0,3}")
_PAIRS = {"[": "]", "(": ")", "{": "}", "<": ">"}
_LIST = re.compile(r"([\[({<])([^\[\](){}<>]{5,160})([\])}>])")
_FIELD = re.compile(
    rf"\b(bbox(?:_2d)?|box_2d|bounding[_ ]box|(?<=[\"'])box(?=[\"']))[\"']?\s{{0,9}}[:=]\s{{0,9}}"
    rf"[\[(]{_N},{_N},{_N},{_N}[\])]",
    re.IGNORECASE,
)
_LABEL_FIELD = re.compile(r"\blabel[\"']?\s{0,9}[:=]\s{0,9}[\"']([^\"'\n]{0,200})[\"']", re.I)

_TAGGED_LABEL = re.compile(r"<(?:p|ref|phrase)>([^<]*)", re.IGNORECASE)
_SEGMENTS = re.compile(r"<seg\d{3}>")
_NO_WORD = " \t\r\n,;:.!?-*#\"'`[]{}<>|/=("
_VERB = re.compile(
    r"\s+(?:is|are|was|were|can be|located|found|at|has the|with the coordinates|from)\b.*$", re.I
)
# What stands before a verb and names no part.
_NO_LABELS = {"here", "there", "it", "they", "this", "these", "those", "which", "object", "box",
              "bounding box", "coordinates", "answer", "position", "positions"}  # fmt: skip
_BULLET = re.compile(r"^(?:[-*\u2022]|\d{1,3}[.)])\s+")


class Group(NamedTuple):
    """Boxes at `said[start:end]`; None: no box though it looks like one. `label` None: before."""

    start: int
    end: int
    boxes: Sequence[Box] | None
    frame: str | None = None
    label: str | None = None


def _fours(numbers: Sequence[float]) -> list[Box] | None:
    """Every four numbers as a box; None when some are left."""
    if not numbers or len(numbers) % 4:
        return None
    return [box_of(numbers[start : start + 4]) for start in range(0, len(numbers), 4)]


def _group(start: int, end: int, numbers: Sequence[float], frame: str | None, most: float) -> Group:
    """A group whose numbers must lie within 0 and `most`."""
    fits = all(0 <= number <= most for number in numbers)
    return Group(start, end, _fours(numbers) if fits else None, frame)


def angles(said: str) -> Iterator[Group]:
    """`<x0><y0><x1><y1>`."""
    for run in _ANGLES.finditer(said):
        yield Group(*run.span(), _fours([float(n) for n in _ANGLE.findall(run[0])]))


def tokens(said: str) -> Iterator[Group]:
    """`<loc_...>`, `<locNNNN>`, `<patch_index_NNNN>`: numbers that are words of a vocabulary."""
    for run in _LOC_X_FIRST.finditer(said):
        yield _group(*run.span(), [float(n) for n in re.findall(r"\d+", run[0])], "norm1000", 999)
    for run in _LOC_Y_FIRST.finditer(said):
        numbers = [float(n) for n in re.findall(r"\d+", run[0])]
        group = _group(*run.span(), numbers, "norm1024", 1023)
        boxes = group.boxes and [(x0, y0, x1, y1) for y0, x0, y1, x1 in group.boxes]
        after = _SEGMENTS.sub("", said[run.end() : run.end() + 300]).partition("<loc")[0]
        label = " ".join(after.partition(";")[0].strip(_NO_WORD).split())
        yield group._replace(boxes=boxes, label=label)
    for run in _PATCHES.finditer(said):
        indexes = [int(n) for n in re.findall(r"\d+", run[0])]
        fits = len(indexes) % 2 == 0 and max(indexes) < _PATCHES_A_SIDE**2
        boxes = (
            [_of_patches(*indexes[i : i + 2]) for i in range(0, len(indexes), 2)] if fits else None
        )
        yield Group(*run.span(), boxes, "norm1")


def _of_patches(first: int, last: int) -> Box:
    """Kosmos-2's rule: from the middle of a patch to that of another, whole where they touch."""
    side = _PATCHES_A_SIDE
    (y0, x0), (y1, x1) = divmod(first, side), divmod(last, side)
    if x0 == x1 or y0 == y1:
        return (x0 / side, y0 / side, (x1 + 1) / side, (y1 + 1) / side)
    return ((x0 + 0.5) / side, (y0 + 0.5) / side, (x1 + 0.5) / side, (y1 + 0.5) / side)


def tagged(said: str) -> Iterator[Group]:
    """What stands in `<box>`, `<bbox>`, `<det>`."""
    tags = list(_TAG.finditer(said))
    for tag, after in zip(tags, [*(tag.start() for tag in tags[1:]), len(said)], strict=False):
        close = said.find("</", tag.end(), after)
        end = close if close >= 0 else after
        inside = said[tag.end() : end]
        whole = close >= 0 or inside.rstrip()[-1:] in ("]", ")", ">")
        name = tag[1].casefold()
        read = _inside_tags(inside) if whole and name != "quad" else None
        if read is None:
            yield Group(tag.start(), end, None)
            continue
        numbers, unit = read
        frame = unit or _TAG_FRAMES.get(name)
        yield _group(tag.start(), end, numbers, frame, 1000 if frame == "norm1000" else 1e12)


def _inside_tags(inside: str) -> tuple[list[float], str | None] | None:
    """Lists of four, one pair of corners, or four single numbers a box."""
    parts = [numbers_in(part) for part in re.findall(r"[^\[\]()<>]+", inside)
             if part.strip(" \t\r\n,;")]  # fmt: skip
    if not parts or None in parts:
        return None
    known = [part for part in parts if part is not None]
    sizes, units = {len(numbers) for numbers, _ in known}, {unit for _, unit in known}
    if sizes not in ({1}, {2}, {4}) or (sizes == {2} and len(known) != 2) or len(units) != 1:
        return None
    return [number for numbers, _ in known for number in numbers], units.pop()


def points(said: str) -> Iterator[Group]:
    """Molmo's `<point x="..">` and `<points x1="..">`: places, no boxes."""
    for match in _POINT_TAG.finditer(said):
        yield Group(*match.span(), None)


def named(said: str) -> Iterator[Group]:
    """`Xleft = 0, Ytop = 25, Xright = 30, Ybottom = 50` and other names, in any order."""
    held: dict[str, float] = {}
    start = end = 0
    for match in _NAMED.finditer(said):
        role = ROLES.get(plain_key(match[1]))
        if role is None:
            continue
        between = re.sub(r"</?\w{1,30}>", "", said[end : match.start()]) if held else ""
        between = between.removesuffix("<")
        if held and (role in held or not _BETWEEN.fullmatch(between)):
            yield Group(start, end, None)
            held = {}
        start = start if held else match.start()
        end = match.end()
        held[role] = float(match[2])
        if len(held) == 4:
            box = from_roles(held)
            yield Group(start, end, None if box is None else [box])
            held = {}
    if len(held) > 1:
        yield Group(start, end, None)


def corners(said: str) -> Iterator[Group]:
    """Qwen2-VL's `(x0,y0),(x1,y1)` when its tokens are left out; other points are no boxes."""
    taken = []
    for match in _CORNERS.finditer(said):
        taken.append(match.span())
        yield _group(*match.span(), [float(n) for n in match.groups()], "norm1000", 1000)
    for match in _TOP_LEFT.finditer(said):
        taken.append(match.span())
        yield Group(*match.span(), _fours([float(n) for n in match.groups()]))
    for run in _POINT_RUN.finditer(said):
        if not any(start < run.end() and run.start() < end for start, end in taken):
            yield Group(*run.span(), None)


def lists(said: str) -> Iterator[Group]:
    """`[x0, y0, x1, y1]`, several with semicolons between, in any brackets."""
    for match in _LIST.finditer(said):
        read = [numbers_in(part) for part in match[2].split(";")]
        if _PAIRS[match[1]] != match[3] or None in read:
            continue
        known = [part for part in read if part is not None]
        frames = {frame for _, frame in known}
        fours = all(len(numbers) == 4 for numbers, _ in known) and len(frames) == 1
        if fours:
            boxes = [box_of(numbers) for numbers, _ in known]
            yield Group(*match.span(), boxes, frames.pop())
        elif sum(len(numbers) for numbers, _ in known) > 2:  # two are a point
            yield Group(*match.span(), None)


def fields(said: str) -> Iterator[Group]:
    """`'bbox_2d': [..], 'label': '..'`: JSON in all but its brackets and quotes."""
    found = list(_FIELD.finditer(said))
    labels = list(_LABEL_FIELD.finditer(said))
    label_first = bool(found and labels and labels[0].start() < found[0].start())
    for index, match in enumerate(found):
        before = found[index - 1].end() if index else 0
        after = found[index + 1].start() if index + 1 < len(found) else len(said)
        low, high = (before, match.start()) if label_first else (match.end(), after)
        own = [label[1] for label in labels if low <= label.start() < high]
        box = box_of([float(number) for number in match.groups()[1:]])
        a, b, c, d = box
        gemini = match[1].casefold() == "box_2d"
        yield Group(
            *match.span(),
            [(b, a, d, c) if gemini else box],
            "norm1000" if gemini else None,
            " ".join(own[0].split()) if own else "",
        )


def with_labels(said: str, groups: Sequence[Group]) -> Iterator[Found | Broken]:
    """The boxes of groups, each with the label before it; one without shares the one before."""
    last, label = 0, ""
    for group in groups:
        before = said[last : group.start]
        last = group.end
        own = group.label if group.label is not None else _label_in(before)
        label = own or ("" if re.search(r"\band\b", before) else label)
        if group.boxes is None:
            yield Broken()
            continue
        for box in group.boxes:
            name = label if group.label is None else group.label
            yield Found(name, box, frame_of(box, group.frame))


def _label_in(before: str) -> str:
    """`<p>label</p>`, else the words since the last sentence or box."""
    tagged_texts = [text.strip() for text in _TAGGED_LABEL.findall(before)]
    tagged_texts = [text for text in tagged_texts if text.casefold() not in ("", "and")]
    if tagged_texts:
        return " ".join(tagged_texts[-1].split())
    words = re.sub(r"</?\w{1,30}/?>", " ", before)
    words = re.split(r"[.:;!?\n{}\[\]]\s", words.rstrip(" {:[(<*`\"'") + " ")[-1]
    words = _VERB.sub("", _BULLET.sub("", words.strip()))
    kept = words.strip(_NO_WORD).split()
    while kept and kept[0].strip(_NO_WORD).casefold() in ("", "and", "the"):
        kept.pop(0)
    text = " ".join(kept)
    if text.casefold() in _NO_LABELS or re.search(r"[{}\[\]<>|\"\\]", text):
        return ""
    return text.rstrip(")") if text.count(")") > text.count("(") else text


# In order of trust: a form hides what looks like another inside of it.
READERS: tuple[tuple[str, Callable[[str], Iterator[Group]]], ...] = (
    ("fields", fields),
    ("tokens", tokens),
    ("tagged", tagged),
    ("angle", angles),
    ("points", points),
    ("named", named),
    ("corners", corners),
    ("list", lists),
)

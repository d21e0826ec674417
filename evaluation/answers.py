"""Reading what models answer: one tolerant parser a task. None of them ever raises.

Each gives a value, a status and, for boxes, the form they were written in:

    ok        read
    partial   boxes: some of them have no area
    empty     an answer that says nothing (`[]`, "")
    ambiguous Yes and No both
    unparsed  not in any known form
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from synthesis.boxes import Box

# What a runaway generation may cost: no honest answer is longer.
MAX_CHARS = 20_000
MAX_BOXES = 200
MAX_JSON_STARTS = 200

_N = r"\s*([-+]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][-+]?\d{1,2})?)\s*"
_ANGLE = re.compile(rf"<{_N}>[\s,;]*<{_N}>[\s,;]*<{_N}>[\s,;]*<{_N}>")
_LIST = re.compile(rf"[\[(]{_N},{_N},{_N},{_N}[\])]")
_FIELD = re.compile(rf"\bbbox(?:_2d)?[\"']?\s*[:=]\s*[\[(]{_N},{_N},{_N},{_N}[\])]")
_CORNERS = re.compile(rf"\({_N},{_N}\)\s*,?\s*\({_N},{_N}\)")
_NAMED = re.compile(
    rf"x\s*left\W{{1,9}}{_N}\W{{1,9}}y\s*top\W{{1,9}}{_N}"
    rf"\W{{1,9}}x\s*right\W{{1,9}}{_N}\W{{1,9}}y\s*bottom\W{{1,9}}{_N}",
    re.IGNORECASE,
)
_LABEL_FIELD = re.compile(r"\blabel[\"']?\s*[:=]\s*[\"']([^\"'\n]{0,200})[\"']")
_TAGGED_LABEL = re.compile(r"<(?:p|ref)>([^<]*)")
_SPECIAL = re.compile(r"</?s>|<\|[a-z_]{1,40}\|>|<unk>|<pad>", re.IGNORECASE)
_QUOTES = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
_NO_WORD = " \t\r\n,;:.!?-*#\"'`(){}[]<>|/="
_BOX_KEYS = ("bbox_2d", "bbox", "box", "coordinates")
_LABEL_KEYS = ("label", "name", "object", "text")
_TEXT_KEYS = ("answer", "instruction", "text", "content")


class PredictedBox(NamedTuple):
    """A box as written: coordinates in whatever frame, "" for no label."""

    label: str
    box: Box

    @property
    def has_area(self) -> bool:
        """x0 < x1 and y0 < y1."""
        return self.box[0] < self.box[2] and self.box[1] < self.box[3]


class BoxAnswer(NamedTuple):
    """Boxes in the order written. `frame` is what the form itself says, None when it says none."""

    boxes: tuple[PredictedBox, ...]
    status: str
    form: str | None = None
    frame: str | None = None


class YesNoAnswer(NamedTuple):
    """`value` is True for Yes, False for No, None when it can't be told."""

    value: bool | None
    status: str


class TextAnswer(NamedTuple):
    """An instruction; "" when there is none."""

    value: str
    status: str


def final_text(text: str) -> str:
    """The answer without thinking, tags, code fences and a model's special tokens."""
    text = _SPECIAL.sub(" ", str(text)[:MAX_CHARS])
    tagged = [part.split("</answer>")[0] for part in re.split(r"<answer>", text)[1:]]
    said = [part for part in tagged if part.strip()]
    if tagged:
        text = said[-1] if said else ""
    else:
        text = re.sub(r"<think>.*?</think>", " ", text, flags=re.DOTALL)
        text = text.split("</think>")[-1].split("<think>")[0].replace("</answer>", " ")
    fenced = re.split(r"```[\w-]*", text)[1::2]
    inside = " ".join(fenced).strip()
    return inside or text.replace("```", " ").strip()


def parse_text(text: str) -> TextAnswer:
    """Scene: an instruction, also as a JSON string, object or list of strings."""
    said = final_text(text)
    if said[:1] in ('"', "{", "["):
        value = _whole_json(said)
        if isinstance(value, dict):
            named = [value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)]
            value = named[:1] or [part for part in value.values() if isinstance(part, str)]
        if isinstance(value, list):
            value = " ".join(part for part in value if isinstance(part, str)) or None
        said = value if isinstance(value, str) else said
    said = " ".join(said.split())
    return TextAnswer(said, "ok" if said else "empty")


def parse_yes_no(text: str) -> YesNoAnswer:
    """State: Yes or No, alone or in a sentence.

    The first word decides. Else a yes or no that ends a clause does, and the last of these when
    the answer is announced ("the answer is: no"); "no" before a noun ("no gap") says nothing.
    """
    said = parse_text(text).value.casefold().translate(_QUOTES)
    said = re.sub(r"\byes\s*(?:or|/|\|)\s*no\b", " ", said)  # the question, said again
    said = re.sub(r"[*_`#\"']+", " ", said)
    first = re.match(r"\W*(yes|no)\b(?!\s*[.)]\s*\d)", said)
    if first:
        return YesNoAnswer(first[1] == "yes", "ok")
    announced = re.findall(r"\b(?:answer|verdict|conclusion)\b[^.!?]{0,20}?\b(yes|no)\b", said)
    if announced:
        return YesNoAnswer(announced[-1] == "yes", "ok")
    found = set(re.findall(r"\b(yes|no)\b(?=\s*(?:[.,;:!?)\]}]|$))", said))
    if len(found) == 1:
        return YesNoAnswer(found == {"yes"}, "ok")
    if found:
        return YesNoAnswer(None, "ambiguous")
    return YesNoAnswer(None, "unparsed" if said.strip() else "empty")


@lru_cache(4096)  # one answer is read for several metrics
def parse_boxes(text: str) -> BoxAnswer:
    """Object: boxes with labels, in any of the forms models use (Table 9.2, R1, T8)."""
    said = final_text(text).translate(_QUOTES)
    for form, frame, read in _FORMS:
        boxes = tuple(read(said))[:MAX_BOXES]
        if boxes:
            usable = sum(box.has_area for box in boxes)
            status = "ok" if usable == len(boxes) else "partial" if usable else "unparsed"
            return BoxAnswer(boxes, status, form, frame)
    nothing = not said or _whole_json(said) in ([], {})
    return BoxAnswer((), "empty" if nothing else "unparsed")


def format_boxes(boxes: Sequence[tuple[str, Sequence[float]]], form: str, digits: int = 2) -> str:
    """Answer text of (label, box) pairs in the `angle` (T8) form, in JSON (`json`, R1), or in JSON
    in a code block (`fenced`); coordinates have at most `digits` decimals.
    """
    if form == "angle":
        return " and ".join(
            f"<p>{label}</p> {{{''.join(f'<{_plain(value, digits)}>' for value in box)}}}"
            for label, box in boxes
        )
    text = json.dumps(
        [
            {"bbox_2d": [_plain(value, digits) for value in box], "label": label}
            for label, box in boxes
        ],
        ensure_ascii=False,
    )
    return f"```json\n{text}\n```" if form == "fenced" else text


def _plain(value: float, digits: int) -> int | float:
    """12 for 12.0, and no more digits than anyone means."""
    value = round(value, digits)
    return int(value) if value == int(value) else value


def _json_objects(said: str) -> Iterator[PredictedBox]:
    """Every JSON object with a box, also in a list that was cut short."""
    decoder, at, tries = json.JSONDecoder(), 0, 0
    while tries < MAX_JSON_STARTS and (at := said.find("{", at)) >= 0:
        tries += 1
        try:
            value, end = decoder.raw_decode(said, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield from _boxes_in(value)
        at = end


def _boxes_in(value: object, depth: int = 4) -> Iterator[PredictedBox]:
    if isinstance(value, list) and depth:
        for part in value:
            yield from _boxes_in(part, depth - 1)
    if not isinstance(value, dict):
        return
    box = next((_as_box(value[key]) for key in _BOX_KEYS if key in value), None)
    if box is not None:
        label = next((value[key] for key in _LABEL_KEYS if isinstance(value.get(key), str)), "")
        yield PredictedBox(" ".join(label.split()), box)
    elif depth:
        yield from _boxes_in(list(value.values()), depth - 1)


def _as_box(value: object) -> Box | None:
    """Four finite numbers, else None."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    try:
        x0, y0, x1, y1 = (float(part) for part in value if not isinstance(part, bool))
    except (TypeError, ValueError, OverflowError):
        return None
    return (x0, y0, x1, y1) if all(map(math.isfinite, (x0, y0, x1, y1))) else None


def _fields(said: str) -> Iterator[PredictedBox]:
    """`'bbox_2d': [..], 'label': '..'`: JSON in all but its brackets and quotes (A27)."""
    matches = list(_FIELD.finditer(said))
    for index, match in enumerate(matches):
        end = matches[index + 1].start() if index + 1 < len(matches) else len(said)
        label = _LABEL_FIELD.search(said, match.end(), end)
        box = _as_box(match.groups())
        if box:
            yield PredictedBox(" ".join(label[1].split()) if label else "", box)


def _with_label_before(said: str, pattern: re.Pattern) -> Iterator[PredictedBox]:
    """Boxes whose label stands before them; one without a label shares the one before."""
    last, label = 0, ""
    for match in pattern.finditer(said):
        before = said[last : match.start()]
        last = match.end()
        label = _label_in(before) or ("" if "and" in before else label)
        box = _as_box(match.groups())
        if box:
            yield PredictedBox(label, box)


def _label_in(before: str) -> str:
    """`<p>label</p>`, else the words since the last sentence or box."""
    tagged = [text.strip() for text in _TAGGED_LABEL.findall(before)]
    tagged = [text for text in tagged if text.casefold() not in ("", "and")]
    if tagged:
        return " ".join(tagged[-1].split())
    words = re.sub(r"</?\w{1,10}>", " ", before)
    words = re.split(r"[.:;\n{}\[\]]\s", words.rstrip(" {:[(") + " ")[-1]
    kept = words.strip(_NO_WORD).split()
    while kept and kept[0].strip(_NO_WORD).casefold() in ("", "and"):
        kept.pop(0)
    return " ".join(kept)


def _angle(said: str) -> Iterator[PredictedBox]:
    return _with_label_before(said, _ANGLE)


def _corners(said: str) -> Iterator[PredictedBox]:
    return _with_label_before(said, _CORNERS) if "<box>" in said else iter(())


def _named(said: str) -> Iterator[PredictedBox]:
    for match in _NAMED.finditer(said):
        box = _as_box(match.groups())
        if box:
            yield PredictedBox("", box)


def _lists(said: str) -> Iterator[PredictedBox]:
    return _with_label_before(said, _LIST)


# Form, the frame it implies (angle and named: the directive asks for percent), reader.
_FORMS = (
    ("json", None, _json_objects),
    ("fields", None, _fields),
    ("angle", None, _angle),
    ("qwen", "norm1000", _corners),
    ("named", None, _named),
    ("list", None, _lists),
)


def _whole_json(text: str) -> object:
    """The value of a text that is JSON and nothing else, else None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

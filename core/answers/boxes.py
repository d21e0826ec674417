"""Object: labelled boxes, in the forms that models are known to write.

    form     written as                                         by                     frame
    json     {"bbox_2d": [x0, y0, x1, y1], "label": ".."}       LEGO-R1, Qwen2.5/3-VL  None
             {"box_2d": [y0, x0, y1, x1], ..}: y first          Gemini                 norm1000
             bbox, box, bounding_box, coordinates, ..; {"name": [..]}; texts of numbers; bboxes and
             labels side by side; *_xywh, *_cxcywh; corners; x_min/xmin/left/x1/Xleft/x, width, ..
    fields   'bbox_2d': [..], 'label': '..'                     broken JSON, YAML      as above
    tokens   label<loc_x0><loc_y0><loc_x1><loc_y1>              Florence-2             norm1000
             <locY0><locX0><locY1><locX1> label: y first        PaliGemma              norm1024
             <phrase>..</phrase><object><patch_index_N>..       Kosmos-2               norm1
    tagged   <ref>..</ref><box>(x0,y0),(x1,y1)</box>            Qwen-VL, Qwen2-VL      norm1000
             <box>[[x0, y0, x1, y1]]</box>                      InternVL               norm1000
             <box>x0 y0 x1 y1</box>, <bbox>..</bbox>            MiniCPM-V, Seed        norm1000
             <|box_start|><x0><y0><x1><y1><|box_end|>           Rex-Omni               norm1000
             <|det|>[[x0, y0, x1, y1]]<|/det|>                  DeepSeek-VL2           None
    angle    <p>label</p> {<x0><y0><x1><y1><delim>..}           MiniGPT-v2, lego-arta  None
    named    Xleft = .., Ytop = .., Xright = .., Ybottom = ..   LLaVA, asked in prose  None
    corners  label(x0,y0),(x1,y1)                               Qwen2-VL, tokens cut   norm1000
             top-left (x0, y0), bottom-right (x1, y1)           GPT                    None
    list     [x0, y0, x1, y1]; [[x0, y0, x1, y1;..]]            LLaVA, CogVLM, GLM     None
             [012, 034, ..]: zero-padded                        CogVLM, GLM            norm1000

Frame None: the form does not say; the whole run of a model tells (`frames`). Shares of one
(Shikra, LLaVA, Moondream) are norm1 wherever they stand, `%` and `px` behind numbers are believed.
Points (Molmo), polygons, an order that the answer itself calls another (`[ymin, xmin, ..]`), two
forms with different boxes, and boxes that are taken back ("no, wait") are not read.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from core.answers.box_forms import READERS, with_labels
from core.answers.box_values import Broken, Found, Pairs, boxes_in
from core.answers.final import TEXT_KEYS, answer_part, unfenced, whole_json
from core.places import place_of
from synthesis.boxes import Box

MAX_BOXES = 200
MAX_JSON_STARTS = 200

_QUOTES = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
# Quotes of Python's dicts: those next to what only stands outside of a text.
_SINGLE_QUOTE = re.compile(r"(?<=[{\[,:])(\s{0,9})'|'(?=\s{0,9}[:,}\]])")
_Y_FIRST = r"y[ _]?(?:min|top|0|1)\W{1,5}x[ _]?(?:min|left|0|1)\W{1,5}y|top\W{1,3}left\W{1,3}bottom"
_WITH_SIZE = r"(?:x\w*|left)\W{1,5}(?:y\w*|top)\W{1,5}(?:w|width)\b"
_OTHER_ORDER = re.compile(
    rf"(?:[\[(][\s\"'<]{{0,3}}|[{{<][\s<]{{0,3}})(?:{_Y_FIRST}|{_WITH_SIZE}|c_?x|x[ _]?cent)",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|actually|on second thought|scratch that|correction|corrected|i mean|hold on"
    r"|instead of|rather than|not (?:at|in)|no longer)\b",
    re.IGNORECASE,
)
_TAGGED_LABEL = re.compile(r"<(p|ref|phrase)>[^<]*</\1>", re.IGNORECASE)


class PredictedBox(NamedTuple):
    """A box as written, x first, in whatever frame; "" for no label."""

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


@lru_cache(4096)  # one answer is read for several metrics
def parse_boxes(text: str) -> BoxAnswer:
    """Object: boxes with labels, in any of the forms above."""
    whole = answer_part(text).translate(_QUOTES)
    said = _text_of_json(unfenced(whole))
    every = list(_written(said))
    forms = [(form, found) for form, found in every if _boxes(found)]
    if not forms:
        nothing = not said or _says_nothing(whole_json(said))
        return BoxAnswer((), "empty" if nothing else "unparsed")
    form, found = forms[0]
    boxes = _boxes(found)
    frames = {each.frame for each in boxes}
    one_meaning = len(frames) == 1 and all(_same(boxes, _boxes(other)) for _, other in forms[1:])
    ordered = frames != {None} or not _OTHER_ORDER.search(whole)
    if not one_meaning or not ordered or _taken_back(whole, len(boxes)):
        return BoxAnswer((), "unparsed")
    predicted = tuple(PredictedBox(each.label, each.box) for each in boxes)[:MAX_BOXES]
    usable = sum(box.has_area for box in predicted)
    clean = usable == len(predicted) and not any(isinstance(e, Broken) for _, f in every for e in f)
    status = "ok" if clean else "partial" if usable else "unparsed"
    return BoxAnswer(predicted, status, form, frames.pop())


def format_boxes(boxes: Sequence[tuple[str, Sequence[float]]], form: str, digits: int = 2) -> str:
    """Answer text of (label, box) pairs in the dataset's form (`angle`), in JSON (`json`, LEGO-R1),
    in JSON in a code block (`fenced`), in InternVL's tags (`tagged`) or Qwen-VL's, or as places in
    words (`words`: "2 red tiles: upper left", for people; nothing reads it as boxes); coordinates
    have at most `digits` decimals.
    """
    if form == "angle":
        return " and ".join(
            f"<p>{label}</p> {{{''.join(f'<{_plain(value, digits)}>' for value in box)}}}"
            for label, box in boxes
        )
    if form == "words":  # of boxes in percent
        return "; ".join(f"{label}: {place_of(box)}" for label, box in boxes)
    if form == "tagged":
        return "\n".join(
            f"<ref>{label}</ref><box>{[[_plain(value, digits) for value in box]]}</box>"
            for label, box in boxes
        )
    if form == "qwen-vl":
        return "".join(
            "<ref>{}</ref><box>({},{}),({},{})</box>".format(
                label, *(_plain(value, digits) for value in box)
            )
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


def _boxes(found: Sequence[Found | Broken]) -> list[Found]:
    return [each for each in found if isinstance(each, Found)]


def _written(said: str) -> Iterator[tuple[str, list[Found | Broken]]]:
    """(form, what it holds) for every form in a text, in order of trust.

    What one form has read is hidden from the next ones.
    """
    found, spans = _objects(said)
    if not _boxes(found) and "'" in said:
        said = _SINGLE_QUOTE.sub(r'\1"', said)
        found, spans = _objects(said)
    said = _hide(said, spans)
    for form, read in READERS:
        groups = sorted(read(said), key=lambda group: (group.start, group.end))
        inside = list(with_labels(said, groups))
        said = _hide(said, [(group.start, group.end) for group in groups])
        if form == "fields":  # objects that do not end
            form, inside = ("json" if found else form), [*found, *inside]
        if inside:
            yield form, inside


def _hide(said: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [said[at:start], " " * (end - max(at, start))]
        at = max(at, end)
    return "".join([*parts, said[at:]])


def _objects(said: str) -> tuple[list[Found | Broken], list[tuple[int, int]]]:
    """What JSON objects hold, also in a list that was cut short, and where they stand."""
    decoder = json.JSONDecoder(object_pairs_hook=Pairs, strict=False)
    found: list[Found | Broken] = []
    spans: list[tuple[int, int]] = []
    at = tries = 0
    while tries < MAX_JSON_STARTS and (at := said.find("{", at)) >= 0:
        tries += 1
        try:
            value, end = decoder.raw_decode(said, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        found += boxes_in(value)
        spans.append((at, end))
        at = end
    return found, spans


def _same(one: Sequence[Found], other: Sequence[Found]) -> bool:
    """Whether two forms hold the same boxes."""
    return {each.box for each in one} == {each.box for each in other}


def _taken_back(said: str, boxes: int) -> bool:
    """Whether words between several boxes say that some of them do not count."""
    return boxes > 1 and _TAKEN_BACK.search(_TAGGED_LABEL.sub(" ", said)) is not None


def _text_of_json(said: str) -> str:
    """The text of `{"answer": "..."}`; the whole where it is no such object."""
    value = whole_json(said) if said[:1] == "{" else None
    if not isinstance(value, dict):
        return said
    texts = [value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)]
    return said if not texts or _boxes(_objects(said)[0]) else texts[0]


def _says_nothing(value: object) -> bool:
    """`[]`, `{}`, and objects that hold no more."""
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and all(_says_nothing(part) for part in value)

"""Scoring of sets: equal parts are interchangeable, and what is not there must be called absent.

A part is found by a box with an IoU of one half. Where one picture of equal parts is asked for, any
of them is right, by one box around its parts or by a box each (set accuracy, as in BC-Bench).
"""

import re
import zlib
from collections.abc import Sequence

from core.answers import final_text, parse_boxes
from core.boxtext import box_answer
from core.items import Item
from core.matching import match, mean_over_all
from core.metrics import PARSED, READ, Metric, Said, boxes_norm100, mean, share
from synthesis.boxes import Box, iou, union
from tasks.hard_detection.text import NONE
from tasks.object.score import HIT_IOU, copies, from_alike
from tasks.task import Answered, Score

_SAYS_NONE = re.compile(
    r"\b(?:none|no|not|nothing|absent|missing|neither|nowhere)\b|n['’]t\b", re.IGNORECASE
)


def answered(item: Item, said: Said) -> Answered:
    """Whether the set is right, and how well the boxes fit."""
    question = item.derived.get("question", "one")
    answer = parse_boxes(said.answer or "")
    boxes = boxes_norm100(answer, said, item.size_wh) if answer.status in READ else []
    text = final_text(said.answer or "")
    says_none = not answer.boxes and (text == "[]" or _is_none(text))
    absent = question == "absent"
    right, overlap, counted = absent and says_none, 0.0, absent and says_none
    if not absent:
        groups = _groups(item)
        single = [one for group in groups for one in group]
        number = len(single) if question == "all" else len(groups[0])
        right, overlap = _as_parts(single, boxes, number)
        counted = len(boxes) == number
        if question == "one" and len(boxes) == 1:
            same = [union(group) for group in groups if len(group) == number]
            best = max(iou(box, boxes[0]) for box in same)
            right, overlap, counted = right or best >= HIT_IOU, max(overlap, best), True
    counts = {
        "set_right": float(right),
        "set_right_one": float(right and question == "one"),
        "set_right_all": float(right and question == "all"),
        "absent_right": float(right and absent),
        "count_right": float(counted and question == "all"),
        "none_of_present": float(says_none and not absent),
        "iou": overlap,
        "one": float(question == "one"),
        "all": float(question == "all"),
        "absent": float(absent),
        "present": float(not absent),
    }
    status = "ok" if says_none else answer.status
    # `[]` says that there is nothing; saying nothing does not.
    return Answered(counts, float(right), "unparsed" if not text else status)


def _is_none(text: str) -> bool:
    """Whether the first sentence denies; a query said back speaks of it later on."""
    return _SAYS_NONE.search(re.split(r"[.!?\n]", text, maxsplit=1)[0]) is not None


def _groups(item: Item) -> list[list[Box]]:
    """The single parts of what may be answered, by picture; that which is asked for is first."""
    equal = [
        [_norm100(box, entry) for box in entry["instances_px"]]
        for entry in item.derived.get("equal_parts") or ()
    ]
    return [[(b[0], b[1], b[2], b[3]) for b in item.instances_norm100], *equal]


def _norm100(box_px: Sequence[float], entry: dict[str, list[float]]) -> Box:
    """A box in percent, by an entry that has one both in pixels and in percent."""
    px, norm = entry["box_px"], entry["box_norm100"]
    wide, high = norm[2] / px[2], norm[3] / px[3]
    return (box_px[0] * wide, box_px[1] * high, box_px[2] * wide, box_px[3] * high)


def _as_parts(single: Sequence[Box], boxes: Sequence[Box], number: int) -> tuple[bool, float]:
    """Boxes as those of `number` single parts: all found and no more, and their mean IoU."""
    pairs = match(single, boxes)
    hits = sum(pair.iou >= HIT_IOU for pair in pairs)
    return hits == number == len(boxes), mean_over_all(pairs, number, len(boxes))


def a_picture(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """All of one picture of the grid, drawn by the row's id."""
    said: list[str | None] = []
    for item in items:
        grid = item.derived["grid"]
        cell, side = zlib.crc32(item.id.encode()) % grid**2, 100 / grid
        x, y = cell % grid * side, cell // grid * side
        said.append(box_answer([("part", (x, y, x + side, y + side))]))
    return said


SCORE = Score(
    answered,
    metrics=(
        Metric("set_acc", "set", mean("set_right"), main=True),
        Metric("set_acc_one", "one", share("set_right_one", "one"), parsed=True),
        Metric("set_acc_all", "all", share("set_right_all", "all"), parsed=True),
        Metric("absent_acc", "absent", share("absent_right", "absent"), main=True),
        Metric("false_absent", "false absent", share("none_of_present", "present"), up=False),
        Metric("iou", "IoU", share("iou", "present"), parsed=True, main=True),
        Metric("count_acc", "count", share("count_right", "all"), parsed=True),
        PARSED,
    ),
    about="set: answers whose boxes are the parts asked for and no others, equal parts being "
    "interchangeable, or that say none where there is none; one, all, absent: the same by "
    "question; IoU, count: of parts that are there. a-picture boxes one picture at random.",
    from_alike=from_alike,
    columns=("set_acc_one", "set_acc_all", "false_absent", "parse_rate"),
    one_sided=("absent_acc",),
    baselines={
        "always-none": lambda items, train: [NONE] * len(items),
        "a-picture": a_picture,
    },
    copies=copies,
    measure="set",
)

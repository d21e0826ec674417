"""Scoring of mistakes: the kind, both boxes, and the facts of the correction."""

import re
from collections.abc import Mapping

import numpy as np

from core.answers import final_text, parse_boxes
from core.items import Item, commonest_answer
from core.metrics import PARSED, Metric, Said, Sums, boxes_norm100, mean, percent, share
from core.scenes import KINDS
from synthesis.boxes import iou
from tasks.mistake.text import FIELDS, facts
from tasks.task import Answered, Confused, Score

HIT_IOU = 0.5
BOXES = {"Is at": "error_box_norm100", "Belongs at": "correct_box_norm100"}
_FIELD = re.compile(
    "|".join(rf"(?P<f{i}>\b{name.replace(' ', '[ _]')}\b[\"*]*\s*:)" for i, name in
             enumerate(FIELDS)),
    re.IGNORECASE,
)  # fmt: skip
_KIND = re.compile(
    rf"\b(?:{'|'.join(kind.replace('_', '[ _]') for kind in KINDS)})\b".replace("color", "colou?r")
)


def fields_of(text: str) -> Mapping[str, str]:
    """What an answer says by field; a field that is said twice has the last."""
    matches = list(_FIELD.finditer(text))
    ends = [*(match.start() for match in matches), len(text)][1:]
    return {
        FIELDS[int(str(match.lastgroup)[1:])]: text[match.end() : end].strip()
        for match, end in zip(matches, ends, strict=True)
    }


def kind_said(said: str) -> str | None:
    """The kind that a text names, None for none and for several."""
    found = {
        name.replace(" ", "_").replace("colour", "color") for name in _KIND.findall(said.lower())
    }
    return found.pop() if len(found) == 1 else None


def answered(item: Item, said: Said) -> Answered:
    """Counts of an answer, each of its fields by itself."""
    told, gold = fields_of(final_text(said.answer or "")), item.derived
    kind = kind_said(told.get("Kind", ""))
    counts = {"kind_right": float(kind == gold["negative_kind"])}
    hits = []
    for field, column in BOXES.items():
        overlap, wanted = 0.0, gold[column]
        answer = parse_boxes(told.get(field, ""))
        boxes = boxes_norm100(answer, said, item.size_wh)
        if wanted is not None:
            overlap = iou(wanted, boxes[0]) if len(boxes) == 1 else 0.0
            hits.append(overlap >= HIT_IOU)
        elif boxes:
            hits.append(False)
        name = column.removesuffix("_norm100")
        counts |= {f"{name}_iou": overlap, f"with_{name}": float(wanted is not None)}
    right, claimed = facts(gold["correction"]), facts(told.get("Fix", ""))
    counts |= {
        "facts_found": float(len(right & claimed)),
        "facts": float(len(right)),
        "facts_said": float(len(claimed)),
        "solved": float(counts["kind_right"] and all(hits) and right <= claimed),
    }
    good = np.mean([counts["kind_right"], *hits, len(right & claimed) / max(len(right), 1)])
    status = "ok" if len(told) == len(FIELDS) and kind else "partial" if told else "unparsed"
    return Answered(counts, float(good), status)


def _facts_f1(s: Sums) -> np.ndarray:
    return percent(2 * s["facts_found"], s["facts"] + s["facts_said"])


def answer_text(kind: str, error_box: str, correct_box: str, correction: str) -> str:
    """The four lines of an answer."""
    values = (kind.replace("_", " "), error_box, correct_box, correction)
    return "\n".join(f"{field}: {value}" for field, value in zip(FIELDS, values, strict=True))


WHOLE = "{<0><0><100><100>}"


def _pair(item: Item, said: Said) -> tuple[str, str | None] | None:
    told = fields_of(final_text(said.answer or ""))
    return item.derived["negative_kind"], kind_said(told.get("Kind", ""))


SCORE = Score(
    answered,
    metrics=(
        Metric("kind_acc", "kind", mean("kind_right"), parsed=True, main=True),
        Metric("error_iou", "IoU is at", share("error_box_iou", "with_error_box"), main=True),
        Metric(
            "correct_iou", "IoU belongs at", share("correct_box_iou", "with_correct_box"), main=True
        ),
        Metric("facts_f1", "facts F1", _facts_f1, main=True),
        Metric("solved", "solved", mean("solved"), main=True),
        PARSED,
    ),
    about="facts F1: what the correction says (what to do, how far which way, colours, parts); "
    "solved: the kind, both boxes at IoU .5 and all facts. always-shift says shift, the whole "
    "picture for both boxes, and nothing else.",
    from_alike=commonest_answer,
    columns=("parse_rate",),
    baselines={
        "always-shift": lambda items, train: [
            answer_text("shift", WHOLE, WHOLE, "Move it.") for _ in items
        ],
    },
    confused=Confused({kind: kind.replace("_", " ") for kind in KINDS}, _pair),
)

"""Scoring of boxes: keywords, overlap and number (thesis, chapter 7), LEGO-R1's variants."""

import re
from collections.abc import Sequence

import numpy as np

from core import text_scores
from core.answers import final_text, format_boxes, parse_boxes
from core.items import Item
from core.matching import Pair, match, mean_over_all, whole_percents
from core.metrics import (
    COPIED,
    PARSED,
    READ,
    Metric,
    Said,
    boxes_norm100,
    keyword_counts,
    keyword_metrics,
    mean,
)
from core.places import center_of, quadrant_of, quadrants_said
from synthesis.boxes import Box
from tasks.queries import read
from tasks.task import Answered, Score

HIT_IOU = 0.5  # a hit, in the metric IoU@.5


def keywords(item: Item) -> list[str]:
    """Colour and theme words of the gold `<p>` names, without their counts (E_ACC)."""
    colors = [text for tag, text in item.entities if tag == "colorinfo" and text.strip()]
    found = []
    for box in parse_boxes(item.answer).boxes:
        name = re.sub(r"^\d+\s+", "", text_scores.normalise(box.label))
        named = (c for c in map(text_scores.normalise, colors) if text_scores.contains(name, c))
        color = next(named, "")
        theme = " ".join(name.replace(color, " ", 1).split()) if color else name
        found += [word for word in (color, theme) if word]
    return found


def answered(item: Item, said: Said) -> Answered:
    """Counts of an answer's boxes; what is no box earns nothing, not even a right count."""
    gold = [box.box for box in parse_boxes(item.answer).boxes]
    answer = parse_boxes(said.answer or "")
    if answer.status not in READ:
        answer = answer._replace(boxes=())
    exact = boxes_norm100(answer, said, item.size_wh)
    predicted = [whole_percents(box) for box in exact]
    pairs = match(gold, predicted)
    total = max(len(gold), len(predicted), 1)
    overlap = mean_over_all(pairs, len(gold), len(predicted))
    # Equal parts may as well be boxed one by one.
    parts = mean_over_all(
        match(item.instances_norm100, exact), len(item.instances_norm100), len(exact)
    )
    raw = match(gold, [found.box for found in answer.boxes])
    names = " ".join(box.label for box in parse_boxes(item.answer).boxes)
    said_names = " ".join(box.label for box in answer.boxes)
    counts = {
        **keyword_counts(keywords(item), item, final_text(said.answer or "")),
        "iou": overlap,
        "hit_50": sum(pair.iou >= HIT_IOU for pair in pairs) / total,
        **_places(gold, predicted, pairs, final_text(said.answer or "")),
        "count_right": float(len(gold) == len(predicted)),
        "iou_parts": max(overlap, parts),
        "iou_matched": sum(pair.iou for pair in pairs) / max(len(pairs), 1),
        "iou_sum_r1": sum(pair.iou for pair in raw),
        "overlap_r1": text_scores.token_overlap_f1(names, said_names),
    }
    # `[]` says that there is nothing; saying nothing does not.
    silent = answer.status == "empty" and not final_text(said.answer or "")
    return Answered(counts, overlap, "unparsed" if silent else answer.status)


def _places(
    gold: Sequence[Box], predicted: Sequence[Box], pairs: Sequence[Pair], text: str
) -> dict[str, float]:
    """How often the place is right, where boxes need not be exact: the middle of the predicted box
    lies in the gold one, in its quarter of the picture. Corners in words count for quarters."""
    total = max(len(gold), len(predicted), 1)
    hits = sum(_holds(gold[pair.gold], predicted[pair.predicted]) for pair in pairs)
    same = [quadrant_of(gold[p.gold]) == quadrant_of(predicted[p.predicted]) for p in pairs]
    if not predicted:
        said = quadrants_said(text)
        total = max(len(gold), len(said), 1)
        same = [quadrant_of(box) == one for box, one in zip(gold, said, strict=False)]
    return {"center_hits": hits / total, "quadrants": sum(same) / total}


def _holds(box: Box, other: Box) -> bool:
    """Whether the middle of the other box lies in a box."""
    x, y = center_of(other)
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def copies(answer: str, shown: Sequence[str]) -> bool:
    """Whether a box of an answer is one of a shown answer."""
    known = {box.box for one in shown for box in parse_boxes(one).boxes}
    return any(found.box in known for found in parse_boxes(answer).boxes)


def from_alike(item: Item, alike: Sequence[Item]) -> str:
    """Names from the query, boxes that the most similar train rows have on average."""
    wanted = text_scores.normalise(read(item.query, item.config).get("wanted", ""))
    names = [part.strip(" .") for part in wanted.partition(":")[2].split(", and ")]
    names = names if names != [""] else [wanted.strip(" .")]
    found = [[box.box for box in parse_boxes(other.answer).boxes] for other in alike]
    same_number = [boxes for boxes in found if len(boxes) == len(names)] or [
        [boxes[0]] * len(names) for boxes in found if boxes
    ]
    if not same_number:
        return ", ".join(names)
    middle = np.median(np.array(same_number, float), axis=0).round()
    pairs = [(name, box) for name, box in zip(names, middle.tolist(), strict=True)]
    return format_boxes(pairs, "angle")


# Of boxes around what is asked for, whatever asks.
BOX_METRICS = (
    Metric("iou", "IoU", mean("iou"), parsed=True, main=True),
    Metric("iou_at_50", "IoU@.5", mean("hit_50"), parsed=True),
    Metric("center_hit", "center hit", mean("center_hits"), parsed=True),
    Metric("quadrant", "quadrant", mean("quadrants")),
    Metric("count_acc", "count", mean("count_right"), parsed=True),
    Metric("iou_parts", "IoU parts", mean("iou_parts"), parsed=True),
)
SCORE = Score(
    answered,
    metrics=(
        *keyword_metrics("e_acc", "E_ACC"),
        *BOX_METRICS,
        Metric("iou_matched_mean", "IoU matched", mean("iou_matched"), parsed=True),
        Metric("iou_sum_r1", "IoU sum R1", mean("iou_sum_r1"), parsed=True),
        Metric("f1_object_r1", "F1-Object R1", mean("overlap_r1")),
        PARSED,
        COPIED,
    ),
    about="E_ACC: the share of the asked-for colours and part names that the answer names, "
    "wherever its boxes are; saying the question back (copy-query) has nearly all of them.",
    from_alike=from_alike,
    columns=("parse_rate",),
    harness=("iou", "iou_at_50", "count_acc", "e_acc", "parse_rate"),
    setting_columns=("e_acc", "iou"),
    copies=copies,
    verdict=lambda answered: answered.counts["hit_50"],
    measure="IoU",
)

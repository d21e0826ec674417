"""Scoring of answers in boxes; maps of pixels are scored by `lego-arta evaluate masks`."""

from core.metrics import COPIED, PARSED, Metric, mean
from tasks.object.score import answered, copies
from tasks.object.score import from_alike as boxes_from_alike
from tasks.task import Score

SCORE = Score(
    answered,
    metrics=(
        Metric("iou", "IoU", mean("iou"), parsed=True, main=True),
        Metric("iou_at_50", "IoU@.5", mean("hit_50"), parsed=True),
        Metric("center_hit", "center hit", mean("center_hits"), parsed=True),
        Metric("count_acc", "count", mean("count_right"), parsed=True),
        Metric("iou_parts", "IoU parts", mean("iou_parts"), parsed=True),
        PARSED,
        COPIED,
    ),
    about="Boxes around what the instruction is about, one a thing that it names; pixels are "
    "scored by evaluate masks.",
    from_alike=boxes_from_alike,
    columns=("parse_rate",),
    harness=("iou", "iou_at_50", "count_acc", "parse_rate"),
    setting_columns=("iou",),
    copies=copies,
    verdict=lambda answered: answered.counts["hit_50"],
    measure="IoU",
)

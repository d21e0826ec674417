"""Scoring of answers in boxes; maps of pixels are scored by `lego-arta evaluate masks`."""

from core.metrics import COPIED, PARSED
from tasks.object.score import BOX_METRICS, answered, copies, from_alike
from tasks.task import Score

SCORE = Score(
    answered,
    metrics=(*BOX_METRICS, PARSED, COPIED),
    about="Boxes around what the instruction is about, one a thing that it names; pixels are "
    "scored by evaluate masks.",
    from_alike=from_alike,
    columns=("parse_rate",),
    harness=("iou", "iou_at_50", "count_acc", "parse_rate"),
    setting_columns=("iou",),
    copies=copies,
    verdict=lambda answered: answered.counts["hit_50"],
    measure="IoU",
)

"""Predicted boxes against gold ones: an optimal assignment and what comes of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from synthesis.boxes import iou


class Pair(NamedTuple):
    """Gold and predicted box that belong together."""

    gold: int
    predicted: int
    iou: float


def match(gold: Sequence[Sequence[float]], predicted: Sequence[Sequence[float]]) -> list[Pair]:
    """The one-to-one pairs with the greatest sum of IoU; min(len) of them, also with IoU 0."""
    if not gold or not predicted:
        return []
    if len(gold) == len(predicted) == 1:
        return [Pair(0, 0, iou(gold[0], predicted[0]))]
    overlaps = np.array([[iou(g, p) for p in predicted] for g in gold])
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return [Pair(int(g), int(p), float(overlaps[g, p])) for g, p in zip(rows, columns, strict=True)]


def mean_over_all(pairs: Sequence[Pair], gold: int, predicted: int) -> float:
    """Sum of IoU over max(gold, predicted): a missing and an invented box both cost."""
    return sum(pair.iou for pair in pairs) / max(gold, predicted, 1)


def whole_percents(box_norm100: Sequence[float]) -> tuple[float, float, float, float]:
    """The precision that queries ask for and answers have: gold and predictions both get it."""
    x0, y0, x1, y1 = (float(np.floor(value + 0.5)) for value in box_norm100)
    if _has_area(box_norm100):  # one thinner than a percent stays a box, as in the answers
        x0, y0 = (99.0 if value == 100 else value for value in (x0, y0))
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    return (x0, y0, x1, y1)


def _has_area(box: Sequence[float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]

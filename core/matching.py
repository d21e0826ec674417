"""Predicted boxes against gold ones: an optimal assignment and what comes of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.boxtext import round_half_up, rounded
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
    return [
        Pair(int(g), int(p), float(overlaps[g, p])) for g, p in zip(*assign(overlaps), strict=True)
    ]


def assign(fits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the one-to-one pairs with the greatest sum of `fits` (rows, columns)."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and only workers need it

    found: tuple[np.ndarray, np.ndarray] = linear_sum_assignment(fits, maximize=True)
    return found


def mean_over_all(pairs: Sequence[Pair], gold: int, predicted: int) -> float:
    """Sum of IoU over max(gold, predicted): a missing and an invented box both cost."""
    return sum(pair.iou for pair in pairs) / max(gold, predicted, 1)


def whole_percents(box_norm100: Sequence[float]) -> tuple[float, float, float, float]:
    """The precision that queries ask for and answers have: gold and predictions both get it."""
    x0, y0, x1, y1 = box_norm100
    if x0 < x1 and y0 < y1:
        return rounded((x0, y0, x1, y1))
    return (round_half_up(x0), round_half_up(y0), round_half_up(x1), round_half_up(y1))

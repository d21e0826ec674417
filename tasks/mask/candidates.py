"""Several annotators' masks of one region to one: who is chosen, and how far they agree.

Two annotators agree by the mean IoU of their instances, matched by one assignment (Hungarian);
where they count differently, by the IoU of the whole masks. `agreement` is the mean over all pairs.
Chosen is the medoid, the mask that agrees best with the others; on a tie the one with the higher
score, then the one named first. So a mask is always one that somebody gave, never a mean of two.
`builder/annotate/consensus.py` does the same with boxes.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.matching import assign
from synthesis.boxes import Box, of_mask
from synthesis.kinds import SPECK_SHARE

INSTANCES_MAX = 254  # numbers are bytes


@dataclass(frozen=True)
class Candidate:
    """A mask that one annotator gave. `numbers` is (H, W) uint8: 0 elsewhere, else the number of
    the instance, from 1; `score` is the annotator's own word, 0 to 1."""

    annotator: str
    numbers: np.ndarray
    score: float

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool of all instances."""
        found: np.ndarray = self.numbers > 0
        return found


@dataclass(frozen=True)
class Consensus:
    """What candidates come to. `with_chosen` has a candidate's agreement with the chosen one;
    `agreement` is null for one candidate: nobody confirms it."""

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    with_chosen: tuple[float, ...]
    agreement: float | None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a row that say how its mask was found."""
        return {
            "candidates": [
                {
                    "annotator": one.annotator,
                    "box_px": [],  # depends on what else a row shows
                    "mask_iou_with_chosen": round(same, 4),
                    "score": round(one.score, 4),
                }
                for one, same in zip(self.candidates, self.with_chosen, strict=True)
            ],
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "n_annotators": len(self.candidates),
        }


def numbered(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the connected pieces of a (H, W) bool mask, the largest first; what is small
    beside the largest is a speck and left out."""
    binary = mask.astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas[1:], kind="stable")[:INSTANCES_MAX] + 1
    order = order[areas[order] >= SPECK_SHARE * areas[1:].max(initial=1)]
    names = np.zeros(count, np.uint8)
    names[order] = np.arange(1, len(order) + 1)
    found: np.ndarray = names[labels]
    return found


def numbers_in_boxes(mask: np.ndarray, boxes_px: Sequence[Sequence[float]]) -> np.ndarray:
    """(H, W) uint8: the pixels of a (H, W) bool mask in each box; a pixel of several belongs to the
    smallest box."""
    found = np.zeros(mask.shape, np.uint8)
    boxes = [tuple(round(v) for v in box) for box in boxes_px][:INSTANCES_MAX]
    largest_first = sorted(
        range(len(boxes)),
        key=lambda i: -(boxes[i][2] - boxes[i][0]) * (boxes[i][3] - boxes[i][1]),
    )
    for number in largest_first:
        x0, y0, x1, y1 = (max(0, v) for v in boxes[number])
        found[y0:y1, x0:x1][mask[y0:y1, x0:x1]] = number + 1
    return found


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """How well two numbered masks (H, W) agree, in [0, 1]; symmetric."""
    window = _window(a, b)
    if window is None:
        return 0.0
    a, b = a[window], b[window]
    numbers_a, numbers_b = int(a.max()), int(b.max())
    shape = (numbers_a + 1, numbers_b + 1)
    shared = np.bincount(
        (a.astype(np.int32) * shape[1] + b).ravel(), minlength=shape[0] * shape[1]
    ).reshape(shape)
    own_a, own_b = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:]
    both = shared[1:, 1:]
    if (own_a > 0).sum() != (own_b > 0).sum():
        return float(both.sum() / (own_a.sum() + own_b.sum() - both.sum()))
    own_a, own_b, both = own_a[own_a > 0], own_b[own_b > 0], both[own_a > 0][:, own_b > 0]
    ious = both / (own_a[:, None] + own_b[None, :] - both)
    return float(ious[assign(ious)].mean())


def _window(a: np.ndarray, b: np.ndarray) -> tuple[slice, slice] | None:
    """Where either has pixels; None where one of them has none."""
    box_a, box_b = of_mask(a > 0), of_mask(b > 0)
    if box_a is None or box_b is None:
        return None
    x0, y0 = (int(min(box_a[i], box_b[i])) for i in (0, 1))
    x1, y1 = (int(max(box_a[i], box_b[i])) for i in (2, 3))
    return slice(y0, y1), slice(x0, x1)


def combine(candidates: Sequence[Candidate]) -> Consensus:
    """The consensus of at least one candidate, in the order of preference."""
    size = len(candidates)
    pairs = np.eye(size)
    for a, b in itertools.combinations(range(size), 2):
        pairs[a, b] = pairs[b, a] = agreement(candidates[a].numbers, candidates[b].numbers)
    chosen = max(
        range(size), key=lambda k: (round(float(pairs[k].sum()), 6), candidates[k].score, -k)
    )
    mean = None if size == 1 else float((pairs.sum() - size) / (size * (size - 1)))
    return Consensus(tuple(candidates), candidates[chosen], tuple(map(float, pairs[chosen])), mean)


def boxes_of(numbers: np.ndarray) -> list[Box]:
    """The box of every instance of a numbered mask, by number."""
    found = (of_mask(numbers == number) for number in range(1, int(numbers.max(initial=0)) + 1))
    return [box for box in found if box is not None]

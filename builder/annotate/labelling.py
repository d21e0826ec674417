"""A model's boxes to the labels of a row: which box is whose, and how many a label gets.

Boxes that say the same are one; then one assignment gives every label a box, and what is left goes
to the label it fits best while that one still lacks copies.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from builder.annotate.models import Answer, Detection, Question, Reading
from core.boxtext import box_answer
from core.matching import assign
from core.part_names import phrases
from core.records import Annotation, LabelBox, PartLabel
from synthesis.boxes import Box, clip, iou, px_to_norm100, union

# Boxes of one model that overlap by more are one part.
SAME_IOU_MIN = 0.6
# A further copy of a label has at least this share of the score of its best box.
COPY_SCORE_SHARE = 0.5
# Manuals draw at most three copies of a kind.
COPIES_DRAWN_MAX = 3
# How well a phrase fits a label when no word of it does: better than no box at all.
NO_WORD_FITS = 0.05


def annotation_of(question: Question, answer: Answer, reading: Reading, name: str) -> Annotation:
    """The annotation that a model's boxes make of a row.

    Labels without a box have no instances and confidence 0; `error` is set when all have none.
    A model without scores says 1 of every box.
    """
    dropped = Counter(reading.dropped)
    inside = []
    for detection in reading.detections:
        try:
            box = clip(detection.box_px, answer.size_wh)
        except ValueError:
            dropped["box_outside_or_without_area"] += 1
            continue
        inside.append(detection._replace(box_px=box))
    chosen = _chosen(inside, question.labels)
    labels = [
        LabelBox(
            label.text,
            label.number,
            _reading_order([box for box, _ in mine]),
            round(min((score for _, score in mine), default=0.0), 3),
        )
        for label, mine in zip(question.labels, chosen, strict=True)
    ]
    missing = not all(label.instances_px for label in labels)
    error = None if any(label.instances_px for label in labels) else "no_box_in_answer"
    return Annotation(
        question.image_sha256,
        name,
        answer.size_wh,
        labels if error is None else [],
        "" if missing else answer_text(question.labels, labels, answer.size_wh),
        0.0 if missing else min(label.confidence for label in labels),
        error,
        dropped=dict(sorted(dropped.items())),
    )


def answer_text(
    asked: Sequence[PartLabel], found: Sequence[LabelBox], size_wh: tuple[int, int]
) -> str:
    """The answer (T8) that boxes of every label make."""
    boxes = [px_to_norm100(union(label.instances_px), size_wh) for label in found]
    return box_answer(list(zip(phrases(list(asked)), boxes, strict=True)))


def _reading_order(boxes: Sequence[Box]) -> list[Box]:
    return sorted(boxes, key=lambda box: (round(box[1] / 50), box[0], box[1]))


def _chosen(
    detections: Sequence[Detection], labels: Sequence[PartLabel]
) -> list[list[tuple[Box, float]]]:
    """(box, score) pairs of each label."""
    parts = _parts(detections, labels)
    result: list[list[tuple[Box, float]]] = [[] for _ in labels]
    if not parts:
        return result
    fits = np.array([fit for _, fit in parts])
    taken = set()
    for part, label in zip(*assign(fits), strict=True):
        if fits[part, label] > 0:
            result[label].append((parts[part][0], float(fits[part, label])))
            taken.add(int(part))
    for part in sorted(set(range(len(parts))) - taken, key=lambda k: -fits[k].max()):
        label = int(fits[part].argmax())
        mine, fit = result[label], float(fits[part, label])
        wanted = min(labels[label].number, COPIES_DRAWN_MAX)
        if mine and len(mine) < wanted and fit >= COPY_SCORE_SHARE * mine[0][1]:
            mine.append((parts[part][0], fit))
    return result


def _parts(
    detections: Sequence[Detection], labels: Sequence[PartLabel]
) -> list[tuple[Box, np.ndarray]]:
    """Distinct boxes with how well each fits every label (labels,), best first."""
    rated = []
    for detection in detections:
        fit = np.zeros(len(labels))
        score = 1.0 if detection.score is None else detection.score
        if detection.label is None:
            fit[:] = [score * fitting(detection.phrase, label) for label in labels]
        elif detection.label < len(labels):
            fit[detection.label] = score
        rated.append((detection.box_px, fit))
    parts: list[tuple[Box, np.ndarray]] = []
    for box, fit in sorted(rated, key=lambda pair: -pair[1].max()):
        same = next((p for p in parts if iou(p[0], box) > SAME_IOU_MIN), None)
        if same is None:
            parts.append((box, fit))
        else:
            np.maximum(same[1], fit, out=same[1])
    return parts


def fitting(phrase: str, label: PartLabel) -> float:
    """How well a model's words name a label: shared words over all of the label's, 0.05 to 1.

    >>> fitting("2 red tiles", PartLabel(2, "red", "flat tile 1x2"))
    0.5
    """
    said, meant = _words(phrase), _words(label.text)
    return max(NO_WORD_FITS, len(said & meant) / len(meant)) if meant else NO_WORD_FITS


def _words(text: str) -> set[str]:
    """Words without plural endings; sizes with x, not ×."""
    return {
        re.sub(r"[es]+$", "", word)
        for word in re.findall(r"[^\s,;.()]+", text.casefold().replace("×", "x"))
    }

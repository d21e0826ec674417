"""What a Qwen-VL model answered, as boxes."""

from collections import Counter
from typing import Any

from builder.annotate.models import Answer, Detection, Question, Reading
from core.answers import parse_boxes


def read(question: Question, answer: Answer) -> Reading:
    """Boxes in pixels of the picture; their words say whose they are.

    The frame is the model's own, whatever form it answers in: Qwen2.5-VL keeps to pixels.
    """
    detections: list[Detection] = []
    dropped: Counter[Any] = Counter()
    seen = answer.seen_wh or answer.size_wh
    sx, sy = (full / units for full, units in zip(answer.size_wh, seen, strict=True))
    for text in answer.texts:
        found = parse_boxes(text)
        dropped["answer_not_read"] += found.status == "unparsed"
        for label, (x0, y0, x1, y1) in found.boxes:
            detections.append(Detection(None, label, (x0 * sx, y0 * sy, x1 * sx, y1 * sy), None))
    return Reading(detections, +dropped)

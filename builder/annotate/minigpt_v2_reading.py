"""What MiniGPT-v2 answered, as boxes."""

from collections import Counter
from typing import Any

from builder.annotate.models import Answer, Detection, Question, Reading
from core.boxtext import read_boxes
from synthesis.boxes import norm100_to_px


def read(question: Question, answer: Answer) -> Reading:
    """Boxes of the texts; each belongs to the label that was asked for, whatever it is called."""
    detections: list[Detection] = []
    dropped: Counter[Any] = Counter()
    for index, text in enumerate(answer.texts):
        found = read_boxes(text)
        dropped += found.dropped
        detections += [
            Detection(index, phrase, norm100_to_px(box, answer.size_wh), None)
            for phrase, box in found.boxes
        ]
    return Reading(detections, dropped)

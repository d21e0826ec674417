"""What zero-shot detectors share: boxes of phrases, each with a score for every label.

A detector is asked for all labels of a row at once. Of what it finds, the best boxes of each label
are kept raw; `labelling` decides later which box is whose.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.annotate.models import (
    LOADING_ERRORS,
    Answer,
    Detection,
    ModelOptions,
    Question,
    Reading,
    cannot_load,
    import_torch,
    place_identity,
)
from core.part_names import phrase_words

# Kept of a label: its best boxes, down to a score far below what is trusted later.
KEPT, SCORE_MIN = 20, 0.02


def labels_asked(question: Question) -> list[str]:
    """One phrase a label: colour and kind, with its size only where it would be ambiguous."""
    short = [phrase_words(label).replace(".", " ") for label in question.labels]
    return [
        words.lower() if short.count(words) == 1 else label.text.lower().replace(".", " ")
        for words, label in zip(short, question.labels, strict=True)
    ]


def identity(name: str, place: str, options: ModelOptions) -> str:
    """What answers depend on besides the question."""
    return repr((name, place_identity(place), options.dtype, KEPT, SCORE_MIN))


def load(name: str, place: str, options: ModelOptions, device: str) -> tuple[Any, Any, Any]:
    """(model, image processor, tokenizer); raises `UserError`.

    Pictures go through Pillow, which needs no torchvision and gives the same everywhere.
    """
    import_torch(name)
    from transformers import (
        AutoImageProcessor,
        AutoModelForZeroShotObjectDetection,
        AutoTokenizer,
    )

    # Small models, and half precision would move a box by pixels.
    dtype = "float32" if options.dtype == "auto" else options.dtype
    try:
        pictures = AutoImageProcessor.from_pretrained(place, backend="pil")
        tokenizer = AutoTokenizer.from_pretrained(place)
        model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(place, dtype=dtype)
    except LOADING_ERRORS as error:
        raise cannot_load(name, place, error) from error
    return model.to(device).eval(), pictures, tokenizer


def best_boxes(scores: np.ndarray, boxes_px: np.ndarray, size_wh: tuple[int, int]) -> Answer:
    """The best boxes of every label: scores (boxes, labels) in [0, 1], boxes (boxes, 4) px."""
    found = []
    for label in range(scores.shape[1]):
        for index in np.argsort(-scores[:, label], kind="stable")[:KEPT]:
            score = float(scores[index, label])
            if score >= SCORE_MIN:
                x0, y0, x1, y1 = (round(float(v), 2) for v in boxes_px[index])
                found.append((label, x0, y0, x1, y1, round(score, 4)))
    return Answer(size_wh, boxes=found)


def corners(centred: np.ndarray, scale_xy: Sequence[float]) -> np.ndarray:
    """(n, 4) boxes as centre and size in shares -> x0, y0, x1, y1 times the scale."""
    middle, half = centred[:, :2], centred[:, 2:] / 2
    found: np.ndarray = np.concatenate([middle - half, middle + half], axis=1) * np.tile(
        scale_xy, 2
    )
    return found


def read(question: Question, answer: Answer) -> Reading:
    """The kept boxes; those of labels the row does not have can't be."""
    detections = [
        Detection(label, "", (x0, y0, x1, y1), score)
        for label, x0, y0, x1, y1, score in answer.boxes
    ]
    return Reading(detections, Counter())

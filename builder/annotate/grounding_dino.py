"""Grounding DINO: one caption of all labels of a row; a box's score for a label is that of the
label's best token."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from builder.annotate import open_vocabulary
from builder.annotate.models import Answer, Model, ModelOptions, Question
from builder.annotate.open_vocabulary import best_boxes, corners, labels_asked, read
from core.pictures.media import Picture

__all__ = ["identity", "open_model", "read"]

NAME = "grounding-dino"
PLACE = "IDEA-Research/grounding-dino-base"


class Prepared(NamedTuple):
    """One row: the picture as the model takes it, its phrases, its size."""

    pixels: Any
    phrases: list[str]
    size_wh: tuple[int, int]


def identity(options: ModelOptions) -> str:
    """What answers depend on besides the question."""
    return open_vocabulary.identity(NAME, options.place(NAME, PLACE), options)


def caption(phrases: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The caption of some phrases, and where each stands in it.

    >>> caption(["red tile", "hose"])
    ('red tile. hose.', [(0, 8), (10, 14)])
    """
    spans, start = [], 0
    for phrase in phrases:
        spans.append((start, start + len(phrase)))
        start += len(phrase) + 2
    return " ".join(f"{phrase}." for phrase in phrases), spans


def open_model(options: ModelOptions, device: str) -> Model:
    """Load the model; raises `UserError`."""
    place = options.place(NAME, PLACE)
    model, pictures, tokenizer = open_vocabulary.load(NAME, place, options, device)

    def prepare(picture: Picture, question: Question) -> Prepared:
        pixels = pictures(images=picture.rgb, do_pad=False, return_tensors="pt")["pixel_values"][0]
        return Prepared(pixels, labels_asked(question), picture.size_wh)

    def answer(rows: Sequence[Prepared]) -> list[Answer]:
        # Padding pictures to the largest of a batch would let them change each other's boxes.
        alike: dict[tuple[Any, ...], list[int]] = {}
        for index, row in enumerate(rows):
            alike.setdefault(tuple(row.pixels.shape), []).append(index)
        answers: dict[int, Answer] = {}
        for indices in alike.values():
            some = [rows[index] for index in indices]
            answers |= dict(zip(indices, _detect(some, model, tokenizer), strict=True))
        return [answers[index] for index in range(len(rows))]

    return Model(prepare, answer)


def _detect(rows: Sequence[Prepared], model: Any, tokenizer: Any) -> list[Answer]:
    """Answers about pictures of one size."""
    import torch

    captions = [caption(row.phrases) for row in rows]
    tokens = tokenizer(
        [text for text, _ in captions],
        padding=True,
        truncation=True,
        max_length=model.config.max_text_len,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = tokens.pop("offset_mapping").numpy()
    pixels = torch.stack([row.pixels for row in rows])
    with torch.inference_mode():
        output = model(
            pixel_values=pixels.to(model.device, model.dtype),
            pixel_mask=torch.ones(pixels[:, 0].shape, dtype=torch.long, device=model.device),
            **tokens.to(model.device),
        )
    scores = output.logits.float().sigmoid().cpu().numpy()
    centred = output.pred_boxes.float().cpu().numpy()
    return [
        best_boxes(
            label_scores(scores[k], offsets[k], captions[k][1]),
            corners(centred[k], row.size_wh),
            row.size_wh,
        )
        for k, row in enumerate(rows)
    ]


def label_scores(
    scores: np.ndarray, offsets: np.ndarray, spans: Sequence[tuple[int, int]]
) -> np.ndarray:
    """(boxes, labels): the best score among each label's tokens.

    `scores` is (boxes, tokens), `offsets` (tokens, 2) where tokens stand in the caption.
    """
    columns = []
    for start, end in spans:
        inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
        mine = scores[:, : len(offsets)][:, inside]
        columns.append(mine.max(axis=1) if mine.shape[1] else np.zeros(len(scores)))
    return np.stack(columns, axis=1)

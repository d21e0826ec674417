"""OWLv2: every label of a row is a query, every patch of the picture a candidate box."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from builder.annotate import open_vocabulary
from builder.annotate.models import Answer, Model, ModelOptions, Question
from builder.annotate.open_vocabulary import best_boxes, corners, labels_asked, read
from core.pictures.media import Picture

__all__ = ["identity", "open_model", "read"]

NAME = "owlv2"
PLACE = "google/owlv2-base-patch16-ensemble"
TEMPLATE = "a photo of a {}"


class Prepared(NamedTuple):
    """One row: the picture as the model takes it, its queries, its size."""

    pixels: Any
    queries: list[str]
    size_wh: tuple[int, int]


def identity(options: ModelOptions) -> str:
    """What answers depend on besides the question."""
    return open_vocabulary.identity(NAME, options.place(NAME, PLACE), options)


def open_model(options: ModelOptions, device: str) -> Model:
    """Load the model; raises `UserError`."""
    place = options.place(NAME, PLACE)
    model, pictures, tokenizer = open_vocabulary.load(NAME, place, options, device)
    length = model.config.text_config.max_position_embeddings

    def prepare(picture: Picture, question: Question) -> Prepared:
        pixels = pictures(images=picture.rgb, return_tensors="pt")["pixel_values"][0]
        queries = [TEMPLATE.format(phrase) for phrase in labels_asked(question)]
        return Prepared(pixels, queries, picture.size_wh)

    def answer(rows: Sequence[Prepared]) -> list[Answer]:
        import torch

        most = max(len(row.queries) for row in rows)
        texts = [
            q for row in rows for q in row.queries + [row.queries[-1]] * (most - len(row.queries))
        ]
        tokens = tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).to(model.device)
        with torch.inference_mode():
            output = model(
                input_ids=tokens["input_ids"],
                attention_mask=tokens["attention_mask"],
                pixel_values=torch.stack([r.pixels for r in rows]).to(model.device, model.dtype),
            )
        scores = output.logits.float().sigmoid().cpu().numpy()
        centred = output.pred_boxes.float().cpu().numpy()
        return [
            # Boxes are shares of the picture padded to a square at the right and the bottom.
            best_boxes(
                scores[k][:, : len(row.queries)],
                corners(centred[k], [max(row.size_wh)] * 2),
                row.size_wh,
            )
            for k, row in enumerate(rows)
        ]

    return Model(prepare, answer)

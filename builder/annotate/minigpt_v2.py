"""MiniGPT-v2, the annotator of the paper (T8): `[detection]` and a text in, `<p>..</p> {box}` out.

Three places make the model: `--model minigpt-v2=` its checkpoint, `--model eva-vit=` the vision
tower, `--model llama=` the language model. Answers are greedy, so they can be repeated.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from builder.annotate.models import (
    Answer,
    Model,
    ModelOptions,
    Question,
    file_at,
    import_torch,
    place_identity,
    torch_dtype,
)
from core.pictures.media import Picture

NAME = "minigpt-v2"
NEEDS = ("sentencepiece",)  # besides torch and transformers
LLAMA = "meta-llama/Llama-2-7b-chat-hf"
MAX_NEW_TOKENS = 100
IMAGE_PX = 448
# Before the whole prompt in the script that made the paper's boxes (T9).
PAPER_SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. "
    "You will be able to see the image once I provide it to you, Please answer my questions."
)


class Prepared(NamedTuple):
    """One row: its picture resized to (S, S, 3) uint8, and what is asked about it."""

    question: Question
    pixels: np.ndarray
    size_wh: tuple[int, int]


def identity(options: ModelOptions) -> str:
    """What answers depend on besides the question."""
    places = (options.place(NAME), options.place("eva-vit"), options.place("llama", LLAMA))
    named = [place_identity(place) for place in places]
    return repr((NAME, named, options.dtype, options.prompt, MAX_NEW_TOKENS))


def texts(question: Question) -> list[str]:
    """What is asked about a row: its whole text, as in the paper; each label where it has several.

    >>> from core.part_names import PartLabel
    >>> label = PartLabel(2, "red", "plates 1x2")
    >>> texts(Question("", ("Find 2 red plates 1x2.",), (label,)))
    ['Find 2 red plates 1x2.']
    """
    if len(question.labels) == 1:
        return [" ".join(question.lines)]
    return [f"{label.number} {label.text}" for label in question.labels]


def prompt_texts(text: str, prompt: str = "official") -> tuple[str, str, str]:
    """(before the picture, after it, system text) of one detection prompt."""
    if prompt == "paper":
        return "[INST] <Img>", f"</Img> [detection]{text} [/INST]", PAPER_SYSTEM
    return "[INST] <Img>", f"</Img> [detection] {text} [/INST]", ""


def prepare(picture: Picture, question: Question) -> Prepared:
    """The picture squashed to a square, as the model was trained (its aspect is not kept)."""
    square = Image.fromarray(picture.rgb).resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC)
    return Prepared(question, np.asarray(square), picture.size_wh)


def open_model(options: ModelOptions, device: str) -> Model:
    """Load the model; raises `UserError`."""
    import_torch(NAME)
    from builder.annotate import minigpt_v2_files

    llama = options.place("llama", LLAMA)
    tokenizer = minigpt_v2_files.Tokenizer(llama)
    model = minigpt_v2_files.load_model(
        file_at(NAME, options.place(NAME)),
        file_at("eva-vit", options.place("eva-vit")),
        llama,
        torch_dtype(options, device),
        device,
    )
    return Model(prepare, _Answering(model, tokenizer, options.prompt))


class _Answering:
    """Answers batches. Keeps the last batch's embedded pictures, so that none is embedded twice:
    rows about one picture come one after the other."""

    def __init__(self, model: Any, tokenizer: Any, prompt: str):
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt
        self.embedded: dict[str, Any] = {}

    def __call__(self, rows: Sequence[Prepared]) -> list[Answer]:
        import torch

        with torch.inference_mode():
            self._embed(rows)
            asked = [(row, text) for row in rows for text in texts(row.question)]
            # Prompts of one length need no padding.
            order = sorted(range(len(asked)), key=lambda k: len(asked[k][1]))
            said: dict[int, str] = {}
            for start in range(0, len(asked), len(rows)):
                chunk = order[start : start + len(rows)]
                pictures = [self.embedded[asked[k][0].question.image_sha256] for k in chunk]
                prompts = [
                    self.tokenizer.prompt(*prompt_texts(asked[k][1], self.prompt)) for k in chunk
                ]
                ids = self.model.generate(pictures, prompts, MAX_NEW_TOKENS)
                said |= dict(zip(chunk, map(self.tokenizer.text, ids), strict=True))
        answers, at = [], 0
        for row in rows:
            end = at + len(texts(row.question))
            answers.append(Answer(row.size_wh, [said[k] for k in range(at, end)]))
            at = end
        return answers

    def _embed(self, rows: Sequence[Prepared]) -> None:
        import torch

        new = {row.question.image_sha256: row.pixels for row in rows}
        kept = {sha: self.embedded[sha] for sha in new if sha in self.embedded}
        pixels = [value for sha, value in new.items() if sha not in kept]
        if pixels:
            tokens = self.model.embed_pictures(torch.from_numpy(np.stack(pixels)))
            kept |= dict(zip([sha for sha in new if sha not in kept], tokens, strict=True))
        self.embedded = kept

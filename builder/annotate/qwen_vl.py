"""A Qwen-VL-style chat model that answers with JSON boxes.

Mind the frame: Qwen2-VL and Qwen3-VL write 0-1000 of width and height, Qwen2.5-VL pixels of the
picture as it was resized for the model. The prompt is written out here and pictures go through
Pillow, so neither a processor's video half nor torchvision is needed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from builder.annotate.models import (
    LOADING_ERRORS,
    Answer,
    Model,
    ModelOptions,
    Question,
    cannot_load,
    import_torch,
    place_identity,
    torch_dtype,
)
from core.pictures.media import Picture

NAME = "qwen-vl"
PLACE = "Qwen/Qwen2.5-VL-7B-Instruct"
MAX_NEW_TOKENS = 512
PIXELS_MAX = 1280 * 28 * 28
# Frame of coordinates by model type; None: pixels of the picture as the model saw it.
FULL_SCALE = {"qwen2_vl": 1000, "qwen2_5_vl": None, "qwen3_vl": 1000, "qwen3_vl_moe": 1000}
SYSTEM = {"qwen2_vl": "You are a helpful assistant.", "qwen2_5_vl": "You are a helpful assistant."}
TASK = (
    "The picture shows parts of a building kit. Locate every one of these: {labels}. Answer with "
    'a JSON list of {{"bbox_2d": [x1, y1, x2, y2], "label": "..."}}, one entry for each single '
    "part, the label as written here."
)


class Prepared(NamedTuple):
    """One row: patches and their grid as the model takes them, the task, the picture's size."""

    pixels: Any
    grid: Any
    task: str
    size_wh: tuple[int, int]


def identity(options: ModelOptions) -> str:
    """What answers depend on besides the question."""
    place = place_identity(options.place(NAME, PLACE))
    return repr((NAME, place, options.dtype, MAX_NEW_TOKENS, PIXELS_MAX))


def task(question: Question) -> str:
    """What the model is told to do."""
    labels = "; ".join(f"{label.number} {label.text}" for label in question.labels)
    return TASK.format(labels=labels)


def open_model(options: ModelOptions, device: str) -> Model:
    """Load the model; raises `UserError`."""
    import_torch(NAME)
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    place = options.place(NAME, PLACE)
    try:
        pictures: Any = AutoImageProcessor.from_pretrained(place, backend="pil")
        tokenizer = AutoTokenizer.from_pretrained(place)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            place, dtype=torch_dtype(options, device)
        )
    except LOADING_ERRORS as error:
        raise cannot_load(NAME, place, error) from error
    if model.config.model_type not in FULL_SCALE:
        raise cannot_load(NAME, place, ValueError(f"its type is {model.config.model_type}"))
    tokenizer.padding_side = "left"
    pictures.size = {
        "shortest_edge": min(pictures.size["shortest_edge"], PIXELS_MAX),  # areas, for all the name
        "longest_edge": min(pictures.size["longest_edge"], PIXELS_MAX),
    }
    model.to(device).eval()

    def prepare(picture: Picture, question: Question) -> Prepared:
        made = pictures(images=picture.rgb, return_tensors="pt")
        return Prepared(
            made["pixel_values"], made["image_grid_thw"], task(question), picture.size_wh
        )

    return Model(prepare, lambda rows: _answers(rows, model, pictures, tokenizer))


def prompt(text: str, image_tokens: int, system: str | None) -> str:
    """A chat of one picture and one question, up to where the answer begins."""
    first = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    picture = f"<|vision_start|>{'<|image_pad|>' * image_tokens}<|vision_end|>"
    return f"{first}<|im_start|>user\n{picture}{text}<|im_end|>\n<|im_start|>assistant\n"


def _answers(rows: Sequence[Prepared], model: Any, pictures: Any, tokenizer: Any) -> list[Answer]:
    import torch

    kind, merged = model.config.model_type, pictures.merge_size**2
    texts = [prompt(row.task, int(row.grid.prod()) // merged, SYSTEM.get(kind)) for row in rows]
    tokens = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)
    ids = tokens["input_ids"]
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=tokens["attention_mask"],
            pixel_values=torch.cat([row.pixels for row in rows]).to(model.device, model.dtype),
            image_grid_thw=torch.cat([row.grid for row in rows]).to(model.device),
            mm_token_type_ids=(ids == model.config.image_token_id).int(),
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=tokenizer.pad_token_id,
        )
    said = tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
    return [
        Answer(row.size_wh, [text.strip()], seen_wh=_full_scale(row, kind, pictures.patch_size))
        for row, text in zip(rows, said, strict=True)
    ]


def _full_scale(row: Prepared, kind: str, patch_px: int) -> tuple[int, int]:
    """Full width and height in the units the model writes."""
    scale = FULL_SCALE[kind]
    _, high, wide = (int(n) for n in row.grid[0])
    return (scale, scale) if scale else (wide * patch_px, high * patch_px)

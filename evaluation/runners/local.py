"""Image-text-to-text models of `transformers`, run in this process: any Hub id or folder."""

import importlib.util
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from core.cli import pip_install
from core.errors import UserError
from core.items import Item, picture_bytes
from evaluation.families import FAMILIES, family_of, prompt_text
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions

# AttributeError: what transformers says of a processor whose video half lacks torchvision.
LOADING_ERRORS = (OSError, ValueError, ImportError, AttributeError, KeyError)


def runner(options: RunnerOptions) -> Answering:
    """Load the model once; answers come in the prompts' order, a batch at a time."""
    model, processor = load_model(options)

    def answering(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        for start in range(0, len(prompts), options.batch_size):
            yield from _batch(
                prompts[start : start + options.batch_size], model, processor, options
            )

    return answering


def load_model(options: RunnerOptions) -> tuple[Any, Any]:
    """(model, processor), on the device asked for; raises `UserError` when they can't be had."""
    try:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor
    except ImportError as error:
        raise UserError(
            f"--model {options.model}: {error.name} is not installed; {pip_install('train')}"
        ) from error
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    attention = attention_of(options.attention)
    try:
        processor = AutoProcessor.from_pretrained(options.model)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            options.model, dtype=_dtype(options.dtype, device), **attention
        )
        if options.adapter:
            model = _with_adapter(model, options.adapter)
    except LOADING_ERRORS as error:
        raise UserError(cannot_load(options.model, error)) from error
    if options.max_pixels and not limit_pixels(processor, options.max_pixels):
        raise UserError(
            f"--max-pixels: {options.model} sees pictures of a fixed size; leave it out"
        )
    tokenizer = getattr(processor, "tokenizer", processor)
    tokenizer.padding_side = "left"  # generation goes on at the right end
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.to(device)
    return model.eval(), processor


def cannot_load(model: str, error: Exception) -> str:
    """One line: why, and what to do about it."""
    cure = "give a Hub id or a folder of an image-text-to-text model"
    if not isinstance(error, OSError) and importlib.util.find_spec("torchvision") is None:
        cure = "it may need torchvision (Qwen's does): install the one that fits your torch"
    return f"--model {model}: can't be loaded ({' '.join(str(error).split())[:300]}); {cure}"


def attention_of(name: str | None) -> dict[str, str]:
    """What `from_pretrained` is told of attention; raises `UserError` for what is not installed."""
    if name == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
        raise UserError(
            f"--attention {name}: flash-attn is not installed; install the one that fits your "
            "torch, or give --attention sdpa"
        )
    return {"attn_implementation": name} if name else {}


def limit_pixels(processor: Any, max_pixels: int, min_pixels: int | None = None) -> bool:
    """Bound the area of pictures; False where the processor knows no such bound (not Qwen's).

    Without `min_pixels` the processor's own stays.
    """
    pictures: Any = getattr(processor, "image_processor", None)
    size = getattr(pictures, "size", None)
    if not hasattr(pictures, "merge_size") or not size or "longest_edge" not in size:
        return False
    # Both are areas here, whatever their names.
    least = min(size["shortest_edge"] if min_pixels is None else min_pixels, max_pixels)
    pictures.size = {"shortest_edge": least, "longest_edge": max_pixels}
    return True


def _dtype(name: str, device: str) -> str:
    if name == "auto":
        return "auto" if device != "cpu" else "float32"
    return name


def _with_adapter(model: Any, adapter: str) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise UserError(f"--adapter {adapter}: needs peft; {pip_install('train')}") from error
    if not Path(adapter).is_dir() and adapter.count("/") != 1:
        raise UserError(f"--adapter {adapter}: no such folder, and not a Hub repository (ORG/NAME)")
    return PeftModel.from_pretrained(model, adapter).merge_and_unload()


def _picture(item: Item) -> Image.Image:
    return Image.open(io.BytesIO(picture_bytes(item))).convert("RGB")


def chat_text(prompt: Prompt, processor: Any, family: str | None = None) -> str:
    """The prompt as the model's own chat template writes it, else its family's, up to where the
    answer begins.
    """
    messages = [
        {
            "role": turn.role,
            "content": [{"type": "image"}] * len(turn.images)
            + [{"type": "text", "text": turn.text}],
        }
        for turn in prompt.turns
    ]
    if getattr(processor, "chat_template", None):
        return str(processor.apply_chat_template(messages, add_generation_prompt=True))
    template = FAMILIES[family].template if family else None
    if template:
        return prompt_text(prompt.turns, template)
    # A base model without a template: plain lines.
    sign = getattr(processor, "image_token", "<image>")
    lines = [
        f"{turn.role.upper()}: {(sign + chr(10)) * len(turn.images)}{turn.text}"
        for turn in prompt.turns
    ]
    return "\n".join([*lines, "ASSISTANT:"])


def _batch(
    prompts: Sequence[Prompt], model: Any, processor: Any, options: RunnerOptions
) -> Iterator[Reply]:
    import torch

    started = time.monotonic()
    family = family_of(model.config.model_type)
    pictures = [[_picture(one) for t in p.turns for one in t.images] for p in prompts]
    if family and not FAMILIES[family].shows_examples and max(map(len, pictures)) > 1:
        raise UserError(
            f"--model {options.model}: {family} sees one picture, so examples have none; give "
            "--example-pictures no"
        )
    inputs = processor(
        text=[chat_text(prompt, processor, family) for prompt in prompts],
        images=[several for several in pictures if several] or None,
        padding=True,
        return_tensors="pt",
    ).to(model.device)
    for name, value in inputs.items():
        if torch.is_floating_point(value):
            inputs[name] = value.to(model.dtype)
    sampling: dict[str, Any] = {"do_sample": options.temperature > 0}
    if options.temperature > 0:
        sampling["temperature"] = options.temperature
    try:
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=options.max_new_tokens, **sampling)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"--batch-size {options.batch_size}: not enough memory on {model.device}; "
            "give a smaller one, or --max-pixels"
        ) from error
    # An encoder reads the prompt apart (BLIP-2 with T5): the output is the answer alone.
    apart = not getattr(model.config, "use_decoder_only_language_model", True)
    new = output if apart else output[:, inputs["input_ids"].shape[1] :]
    tokenizer = getattr(processor, "tokenizer", processor)
    texts = tokenizer.batch_decode(new, skip_special_tokens=True)
    seconds = (time.monotonic() - started) / len(prompts)
    shown = _resized(inputs, processor)
    at = 0
    for index, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        at += len(pictures[index])
        last = pictures[index][-1].size if pictures[index] else None
        yield Reply(
            prompt,
            text.strip(),
            round(seconds, 3),
            int(inputs["attention_mask"][index].sum()),
            int((new[index] != tokenizer.pad_token_id).sum()),
            size_wh=last,
            resized_wh=shown[at - 1] if shown and pictures[index] else None,
        )


def _resized(inputs: Any, processor: Any) -> list[tuple[int, int]] | None:
    """Sizes of the pictures as the model sees them, where the processor tells (Qwen's patches)."""
    grid = inputs.get("image_grid_thw")
    side = getattr(getattr(processor, "image_processor", None), "patch_size", None)
    if grid is None or not isinstance(side, int):
        return None
    return [(int(w) * side, int(h) * side) for _, h, w in grid.tolist()]

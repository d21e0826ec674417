"""Speed and memory of MiniGPT-v2 at full size, with random weights: nothing to fetch.

Random weights cost what trained ones do: every answer is made to have the same number of tokens.
"""

import argparse
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from builder.annotate.minigpt_v2 import IMAGE_PX
from builder.annotate.models import import_torch
from core.errors import UserError

PROMPT_TOKENS = (8, 36)  # before and after the picture
WARM_UP = 1


class Size(NamedTuple):
    """Shape of the vision tower and of LLaMA."""

    eva: Any
    llama: dict[str, int]


def sizes(tiny: bool) -> Size:
    """ViT-g and LLaMA-2-7b, or a toy of the same build."""
    from builder.annotate.minigpt_v2_model import EVA_VIT_G, EvaShape

    full = {
        "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "max_position_embeddings": 4096,
    }  # fmt: skip
    if not tiny:
        return Size(EVA_VIT_G, full)
    small = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 4}  # fmt: skip
    return Size(EvaShape(width=64, heads=4, depth=2, hidden=128), full | small)


def random_model(size: Size, dtype: Any, device: str) -> Any:
    """The model with random weights, made where it will run."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from builder.annotate.minigpt_v2_model import MiniGptV2, cast

    config = LlamaConfig(**size.llama, attn_implementation="sdpa")
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # 14 GB instead of 27 while it is made
    try:
        with torch.device(device):
            model = MiniGptV2(size.eva, LlamaForCausalLM(config))
    finally:
        torch.set_default_dtype(before)
    torch.manual_seed(0)
    for parameter in model.visual_encoder.parameters():
        parameter.data.normal_(0, 0.02)
    return cast(model, dtype).eval().requires_grad_(False)


def timed(model: Any, batch: int, pictures: int, new_tokens: int) -> tuple[float, float]:
    """(images/s, peak bytes on the GPU, nan elsewhere) of whole answers, the picture included."""
    import torch

    cuda = model.device.type == "cuda"
    pixels = torch.randint(0, 256, (batch, IMAGE_PX, IMAGE_PX, 3), dtype=torch.uint8)
    prompt = tuple([7] * number for number in PROMPT_TOKENS)
    rounds = max(1, pictures // batch)
    started = 0.0
    with torch.inference_mode():
        for number in range(WARM_UP + rounds):
            if number == WARM_UP:
                if cuda:
                    torch.cuda.synchronize()
                    torch.cuda.reset_peak_memory_stats()
                started = time.perf_counter()
            tokens = list(model.embed_pictures(pixels))
            model.generate(tokens, [prompt] * batch, new_tokens, min_new_tokens=new_tokens)
        if cuda:
            torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    peak = float(torch.cuda.max_memory_allocated()) if cuda else float("nan")
    return rounds * batch / seconds, peak


def bench_annotate(options: argparse.Namespace) -> None:
    """Images/s and peak memory of MiniGPT-v2 (full-size shapes, random weights) by batch size."""
    torch = import_torch("minigpt-v2")
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu" and not options.tiny:
        raise UserError("no GPU here: run this on a machine with one, or give --tiny")
    dtype = torch.float32 if device == "cpu" else getattr(torch, options.dtype)
    model = random_model(sizes(options.tiny), dtype, device)
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    weights = sum(p.numel() for p in model.parameters())
    print(f"{name}, {dtype}, {weights / 1e9:.2f} G weights, {options.new_tokens} tokens an answer")
    report(model, [int(text) for text in options.batches.split(",")], options)


def report(model: Any, batches: Sequence[int], options: argparse.Namespace) -> None:
    """One line a batch size; the first is what the others are compared with."""
    import torch

    first = 0.0
    for batch in batches:
        try:
            rate, peak = timed(model, batch, options.pictures, options.new_tokens)
        except torch.OutOfMemoryError:
            print(f"batch {batch:4d}: out of memory")
            torch.cuda.empty_cache()
            continue
        first = first or rate
        memory = "" if math.isnan(peak) else f"   peak {peak / 2**30:.1f} GiB"
        print(f"batch {batch:4d}: {rate:8.2f} images/s   {rate / first:6.1f} x the first{memory}")

"""MiniGPT-v2's released files, read as they are: weights with their keys, LoRA, tokenizer.

`eva_vit_g.pth` (keys as the modules of `EvaVit`), the MiniGPT-v2 checkpoint (`llama_proj.*` and
`llama_model...lora_{A,B}`) and the LLaMA-2-7b-chat folder. Imports torch; import it late.
"""

import logging
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from builder.annotate import minigpt_v2_model
from builder.annotate.minigpt_v2_model import BOS, EvaShape, EvaVit, MiniGptV2, cast
from core.errors import UserError

log = logging.getLogger("lego_arta")

LORA_RANK, LORA_ALPHA = 64, 16
LORA_TARGETS = ("q_proj", "v_proj")
FIRST_PLAIN_ID = 3  # ids below are unk, bos, eos
_LORA_RE = re.compile(r"(?:^|\.)(layers\.\d+\.self_attn\.\w+)\.lora_([AB])(?:\.default)?\.weight$")
_IGNORED_RE = re.compile(r"rotary_emb\.inv_freq$|lora_dropout|^llama_model\..*\.base_layer\.")


def load_model(
    checkpoint: Path,
    eva_vit: Path,
    llama: str,
    dtype: torch.dtype,
    device: str,
    shape: EvaShape | None = None,
) -> MiniGptV2:
    """The model from its three files; raises `UserError` naming the key and shape that is wrong."""
    shape = shape or minigpt_v2_model.EVA_VIT_G
    weights = read_tensors(checkpoint, "minigpt-v2")
    tower = read_tensors(eva_vit, "eva-vit")
    # A tower that was tuned comes with the checkpoint and counts.
    tower |= {
        key.removeprefix("visual_encoder."): value
        for key, value in weights.items()
        if key.startswith("visual_encoder.")
    }
    language = load_llama(llama)
    with torch.device("meta"):
        model = MiniGptV2(shape, language)
    _load_tower(model.visual_encoder, tower, eva_vit, shape)
    _load_projection(model, weights, checkpoint)
    merge_lora(language, weights, checkpoint, dtype)
    strange = [k for k in weights if not _known(k)]
    if strange:
        log.warning(
            "%s: %d weights not used, the first is %s", checkpoint, len(strange), strange[0]
        )
    found: MiniGptV2 = cast(model, dtype).to(device).eval().requires_grad_(False)
    return found


def read_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a .pth file by key, with or without a `model` level around them."""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"--model {name}={path}: not a checkpoint of tensors ({_first_line(error)}); "
            "give the released .pth file"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"--model {name}={path}: can't be read, it may be cut short "
            f"({path.stat().st_size:,} bytes; {_first_line(error)}); fetch it again"
        ) from error
    if isinstance(data, Mapping) and isinstance(data.get("model"), Mapping):
        data = data["model"]
    if not isinstance(data, Mapping):
        raise UserError(f"--model {name}={path}: holds a {type(data).__name__}, not named tensors")
    return {key: value for key, value in data.items() if isinstance(value, Tensor)}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _checked(
    weights: Mapping[str, Tensor], key: str, shape: Sequence[int], path: Path, name: str
) -> Tensor:
    """A weight by its key; raises `UserError` when it is missing or of another shape."""
    if key not in weights:
        raise UserError(
            f"--model {name}={path}: {key} {tuple(shape)} is missing "
            f"({len(weights)} other tensors are there); is it the released file, and whole?"
        )
    if tuple(weights[key].shape) != tuple(shape):
        raise UserError(
            f"--model {name}={path}: {key} has shape {tuple(weights[key].shape)}, "
            f"expected {tuple(shape)}; is it the file of this model?"
        )
    return weights[key]


def _load_tower(tower: EvaVit, weights: dict[str, Tensor], path: Path, shape: EvaShape) -> None:
    position = weights.get("pos_embed")
    if position is not None and position.ndim == 3:
        weights = {**weights, "pos_embed": resized_positions(position, shape.grid)}
    state = {
        key: _checked(weights, key, value.shape, path, "eva-vit").float()
        for key, value in tower.state_dict().items()
    }
    tower.load_state_dict(state, assign=True)


def resized_positions(position: Tensor, grid: int) -> Tensor:
    """(1, 1 + n*n, width) position embeddings for grid x grid patches, the first row kept.

    Bicubic without antialiasing, as released; antialiasing changes values by 0.15.
    """
    side = math.isqrt(position.shape[1] - 1)
    if side == grid or side * side != position.shape[1] - 1:
        return position
    rest = position[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    rest = F.interpolate(rest, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([position[:, :1].float(), rest.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def _load_projection(model: MiniGptV2, weights: Mapping[str, Tensor], path: Path) -> None:
    projection = {
        key: _checked(weights, f"llama_proj.{key}", value.shape, path, "minigpt-v2").float()
        for key, value in model.llama_proj.state_dict().items()
    }
    model.llama_proj.load_state_dict(projection, assign=True)
    width = model.shape.width
    # Frozen at one and zero when it was trained; no released file holds it.
    norm = {"weight": torch.ones(width), "bias": torch.zeros(width)}
    for key in norm:
        if f"ln_vision.{key}" in weights:
            norm[key] = _checked(weights, f"ln_vision.{key}", (width,), path, "minigpt-v2").float()
    model.ln_vision.load_state_dict(norm, assign=True)


def merge_lora(llama: Any, weights: Mapping[str, Tensor], path: Path, dtype: torch.dtype) -> None:
    """Add every LoRA pair to its weight: W + B A alpha / r, in float32, rounded to `dtype` once.

    Rounded to the half precision of the language model's files as well, logits in float32 would
    be off by 1e-3. Raises `UserError` unless each target of each layer has its pair, whichever
    peft named it.
    """
    found: dict[tuple[str, str], tuple[str, Tensor]] = {}
    for key, value in weights.items():
        if match := _LORA_RE.search(key):
            found[match[1], match[2]] = (key, value)
    targets = [
        f"layers.{index}.self_attn.{target}"
        for index in range(len(llama.model.layers))
        for target in LORA_TARGETS
    ]
    extra = sorted({name for name, _ in found} - set(targets))
    if extra:
        raise UserError(
            f"--model minigpt-v2={path}: LoRA weights of {extra[0]}, which the language model "
            f"of {len(llama.model.layers)} layers does not take; do the two files belong together?"
        )
    for name in targets:
        module = llama.model.get_submodule(name)
        out_width, in_width = module.weight.shape
        (key_a, a), (key_b, b) = (
            found.get((name, half), (_official_lora_key(name, half), None)) for half in "AB"
        )
        rank = len(a) if a is not None else b.shape[-1] if b is not None else LORA_RANK
        here = {key: value for key, value in ((key_a, a), (key_b, b)) if value is not None}
        a = _checked(here, key_a, (rank, in_width), path, "minigpt-v2").float()
        b = _checked(here, key_b, (out_width, rank), path, "minigpt-v2").float()
        merged = module.weight.data.float() + b @ a * (LORA_ALPHA / rank)
        module.weight.data = merged.to(dtype)


def _official_lora_key(name: str, half: str) -> str:
    return f"llama_model.base_model.model.model.{name}.lora_{half}.weight"


def _known(key: str) -> bool:
    return bool(
        key.startswith(("llama_proj.", "ln_vision.", "visual_encoder."))
        or _LORA_RE.search(key)
        or _IGNORED_RE.search(key)
    )


def load_llama(place: str) -> Any:
    """LLaMA from a folder or a Hub id, on the CPU in the dtype of its files."""
    from transformers import LlamaForCausalLM

    try:
        llama, info = LlamaForCausalLM.from_pretrained(
            place, dtype="auto", attn_implementation="sdpa", output_loading_info=True
        )
    except Exception as error:  # safetensors, pickle, config and Hub each have errors of their own
        raise UserError(
            f"--model llama={place}: can't be loaded ({_first_line(error)}); "
            "give the Llama-2-7b-chat-hf folder, whole, or its Hub id"
        ) from error
    missing = [key for key in info["missing_keys"] if not key.endswith("inv_freq")]
    if missing:
        raise UserError(
            f"--model llama={place}: {sorted(missing)[0]} is missing ({len(missing)} weights are); "
            "give the Llama-2-7b-chat-hf folder, whole"
        )
    return llama


class Tokenizer:
    """LLaMA's own sentencepiece model, without the library code that changed its ids over time."""

    def __init__(self, llama: str):
        import sentencepiece

        folder = Path(llama).expanduser()
        try:
            if folder.is_dir():
                file = str(folder / "tokenizer.model")
            else:
                from huggingface_hub import hf_hub_download

                file = hf_hub_download(llama, "tokenizer.model")
            self._pieces = sentencepiece.SentencePieceProcessor(model_file=file)
        except Exception as error:
            raise UserError(
                f"--model llama={llama}: its tokenizer.model can't be read "
                f"({_first_line(error)}); fetch that file too"
            ) from error

    def prompt(self, before: str, after: str, system: str = "") -> tuple[list[int], list[int]]:
        """Ids before and after the picture.

        Two BOS: released code adds one to a text that holds a literal `<s>` after `system`.
        """
        start = [BOS, *self._pieces.encode(system)] if system else [BOS]
        return [*start, BOS, *self._pieces.encode(before)], self._pieces.encode(after)

    def text(self, ids: Sequence[int]) -> str:
        """Decoded ids without specials."""
        size = self._pieces.get_piece_size()
        return str(self._pieces.decode([i for i in ids if FIRST_PLAIN_ID <= i < size]).strip())

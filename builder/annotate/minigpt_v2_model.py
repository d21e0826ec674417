"""MiniGPT-v2 for inference: EVA ViT-g, one linear layer, LLaMA-2 with its LoRA merged in.

Reads the released files as they are: `eva_vit_g.pth` (keys as in `EvaVit`), the MiniGPT-v2
checkpoint (`llama_proj.*` and `llama_model...lora_{A,B}`) and the LLaMA-2-7b-chat folder.
Facts: MiniGPT-v2's own code; EVA's LayerNorms, embeddings and residual stream stay float32, as
under its autocast, products are done in the dtype of the weights. Imports torch; import it late.
"""

import logging
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder.records import UserError

log = logging.getLogger("lego_arta")

LORA_RANK, LORA_ALPHA = 64, 16
LORA_TARGETS = ("q_proj", "v_proj")
MERGED_TOKENS = 4  # neighbours in a row, joined to one token of the language model
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)
BOS, EOS, PAD = 1, 2, 0
FIRST_PLAIN_ID = 3  # ids below are unk, bos, eos
_LORA_RE = re.compile(r"(?:^|\.)(layers\.\d+\.self_attn\.\w+)\.lora_([AB])(?:\.default)?\.weight$")
_IGNORED_RE = re.compile(r"rotary_emb\.inv_freq$|lora_dropout|^llama_model\..*\.base_layer\.")


class EvaShape(NamedTuple):
    """Sizes of the vision tower; the released file holds one block more, which is not used."""

    width: int = 1408
    heads: int = 16
    depth: int = 39
    hidden: int = 6144
    patch_px: int = 14
    image_px: int = 448

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_px // self.patch_px


EVA_VIT_G = EvaShape()


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias.to(x.dtype))
        q, k, v = qkv.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _Block(nn.Module):
    def __init__(self, shape: EvaShape):
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=1e-6)
        self.attn = _Attention(shape.width, shape.heads)
        self.norm2 = nn.LayerNorm(shape.width, eps=1e-6)
        self.mlp = _Mlp(shape.width, shape.hidden)

    def forward(self, x: Tensor) -> Tensor:
        dtype = self.mlp.fc1.weight.dtype
        x = x + self.attn(self.norm1(x).to(dtype))
        return x + self.mlp(self.norm2(x).to(dtype))


class EvaVit(nn.Module):
    """The vision tower. Module names are the keys of `eva_vit_g.pth`."""

    def __init__(self, shape: EvaShape):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + shape.grid**2, shape.width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, shape.width, shape.patch_px, shape.patch_px)
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.depth))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised pixels -> (B, 1 + patches, width) float32."""
        projection: Any = self.patch_embed.proj
        patches = projection(pixels.to(projection.weight.dtype)).flatten(2).transpose(1, 2)
        cls = self.cls_token.expand(len(pixels), -1, -1)
        x = torch.cat([cls, patches.float()], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x


class MiniGptV2(nn.Module):
    """The three parts together; `embed` gives pictures as tokens of the language model."""

    def __init__(self, shape: EvaShape, llama: Any):
        super().__init__()
        self.shape = shape
        self.visual_encoder = EvaVit(shape)
        self.ln_vision = nn.LayerNorm(shape.width, eps=1e-5)
        self.llama_proj = nn.Linear(MERGED_TOKENS * shape.width, llama.config.hidden_size)
        self.llama_model = llama

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.llama_proj.weight.device

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, patches / 4, hidden size of the language model)."""
        pixels = pictures.to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (pixels.new_tensor(v)[:, None, None] for v in (PIXEL_MEAN, PIXEL_STD))
        tokens = self.ln_vision(self.visual_encoder((pixels - mean) / std))[:, 1:]
        joined = tokens.reshape(len(tokens), -1, MERGED_TOKENS * tokens.shape[2])
        return self.llama_proj(joined.to(self.llama_proj.weight.dtype))

    def inputs(
        self, pictures: Sequence[Tensor], prompts: Sequence[tuple[list[int], list[int]]]
    ) -> tuple[Tensor, Tensor]:
        """Embeddings (B, T, hidden) and mask (B, T) of prompts, padded on the left.

        `pictures` are embedded pictures (P, hidden), `prompts` the ids before and after them.
        """
        table = self.llama_model.get_input_embeddings()
        rows = [
            torch.cat([table(self._ids(before)), picture.to(self.device), table(self._ids(after))])
            for picture, (before, after) in zip(pictures, prompts, strict=True)
        ]
        longest = max(len(row) for row in rows)
        embeddings = torch.stack([F.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
        mask = torch.stack(
            [F.pad(torch.ones(len(row), dtype=torch.long), (longest - len(row), 0)) for row in rows]
        )
        return embeddings, mask.to(self.device)

    def _ids(self, ids: list[int]) -> Tensor:
        return torch.tensor(ids, device=self.device)

    def generate(
        self,
        pictures: Sequence[Tensor],
        prompts: Sequence[tuple[list[int], list[int]]],
        max_new_tokens: int,
        min_new_tokens: int = 0,
    ) -> list[list[int]]:
        """Greedy ids of every answer, without the ones that end and pad it."""
        embeddings, mask = self.inputs(pictures, prompts)
        output = self.llama_model.generate(
            inputs_embeds=embeddings,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            min_new_tokens=min_new_tokens or None,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=EOS,
            pad_token_id=PAD,
            bos_token_id=BOS,
        )
        return [_until_end(row) for row in output.tolist()]


def _until_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(EOS)] if EOS in ids else ids


# Files ---------------------------------------------------------------------------------------


def load_model(
    checkpoint: Path,
    eva_vit: Path,
    llama: str,
    dtype: torch.dtype,
    device: str,
    shape: EvaShape | None = None,
) -> MiniGptV2:
    """The model from its three files; raises `UserError` naming the key and shape that is wrong."""
    shape = shape or EVA_VIT_G
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
    merge_lora(language, weights, checkpoint)
    strange = [k for k in weights if not _known(k)]
    if strange:
        log.warning(
            "%s: %d weights not used, the first is %s", checkpoint, len(strange), strange[0]
        )
    return cast(model, dtype).to(device).eval().requires_grad_(False)


def cast(model: MiniGptV2, dtype: torch.dtype) -> MiniGptV2:
    """Weights of products in `dtype`; the tower's LayerNorms and embeddings in float32."""
    model.llama_model.to(dtype)
    model.llama_proj.to(dtype)
    model.ln_vision.float()
    for module in model.visual_encoder.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
        else:
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.float()
    return model


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


def merge_lora(llama: Any, weights: Mapping[str, Tensor], path: Path) -> None:
    """Add every LoRA pair to its weight: W + B A alpha / r, in float32.

    Raises `UserError` unless each target of each layer has its pair, whichever peft named it.
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
        module.weight.data = merged.to(module.weight.dtype)


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
        return self._pieces.decode([i for i in ids if FIRST_PLAIN_ID <= i < size]).strip()

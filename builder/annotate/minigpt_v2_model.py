"""MiniGPT-v2 for inference: EVA ViT-g, one linear layer, LLaMA-2.

Facts: MiniGPT-v2's own code; EVA's LayerNorms, embeddings and residual stream stay float32, as
under its autocast, products are done in the dtype of the weights. Imports torch; import it late.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MERGED_TOKENS = 4  # neighbours in a row, joined to one token of the language model
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)
BOS, EOS, PAD = 1, 2, 0


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


def cast(model: MiniGptV2, dtype: torch.dtype) -> MiniGptV2:
    """Weights of products in `dtype`; the tower's LayerNorms and embeddings in float32.

    One weight after the other, so that memory holds the model once. Buffers stay as they are: the
    rotary frequencies in half precision would turn far positions by half a radian.
    """
    for name, child in model.named_children():
        for module in child.modules():
            exact = name == "ln_vision" or (
                name == "visual_encoder" and not isinstance(module, nn.Linear | nn.Conv2d)
            )
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(torch.float32 if exact else dtype)
    return model

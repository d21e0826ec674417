"""A random MiniGPT-v2 of a few thousand weights in the layout of the released files, and a plain
reference of its arithmetic: float32, one question at a time, nothing cached, LoRA not merged."""

import io
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece
import torch
from PIL import Image
from transformers import LlamaConfig, LlamaForCausalLM

from builder.annotate.minigpt_v2_model import EvaShape

SHAPE = EvaShape(width=32, heads=4, depth=3, hidden=48, patch_px=56, image_px=448)
FILE_GRID, RANK, ALPHA = 4, 4, 16
SENTENCES = [
    "[INST] <Img></Img> [detection] Find 2 transparent red flat tiles 1x2. [/INST]",
    "<p>2 red tiles</p> {<28><17><73><50>}<delim>{<1><40><96><85>}",
    "Collect 1 black brick 2x4, and 3 yellow plates 1x6. 0 1 2 3 4 5 6 7 8 9",
]


class Files(NamedTuple):
    """Where the three parts of a tiny model lie."""

    checkpoint: Path
    eva_vit: Path
    llama: Path

    @property
    def options(self) -> list[str]:
        """`--model` options that name them."""
        names = zip(("minigpt-v2", "eva-vit", "llama"), self, strict=True)
        return [text for name, path in names for text in ("--model", f"{name}={path}")]


def write(folder: Path, dtype: torch.dtype = torch.float32) -> Files:
    """All files, as released: the tower has one block more than is used, the checkpoint holds a
    `model` level, an optimizer and stray buffers. Tower and language model are in `dtype` (half
    precision in the released ones); what was trained is in float32."""
    random = torch.Generator().manual_seed(7)

    def weights(*shape: int, scale: float = 0.2) -> torch.Tensor:
        return torch.randn(shape, generator=random) * scale

    width, hidden, patch = SHAPE.width, SHAPE.hidden, SHAPE.patch_px
    tower = {
        "cls_token": weights(1, 1, width),
        "pos_embed": weights(1, 1 + FILE_GRID**2, width),
        "patch_embed.proj.weight": weights(width, 3, patch, patch, scale=0.02),
        "patch_embed.proj.bias": weights(width),
    }
    for n in range(SHAPE.depth + 1):
        for norm in ("norm1", "norm2"):
            tower[f"blocks.{n}.{norm}.weight"] = 1 + weights(width)
            tower[f"blocks.{n}.{norm}.bias"] = weights(width)
        tower |= {
            f"blocks.{n}.attn.q_bias": weights(width),
            f"blocks.{n}.attn.v_bias": weights(width),
            f"blocks.{n}.attn.qkv.weight": weights(3 * width, width),
            f"blocks.{n}.attn.proj.weight": weights(width, width),
            f"blocks.{n}.attn.proj.bias": weights(width),
            f"blocks.{n}.mlp.fc1.weight": weights(hidden, width),
            f"blocks.{n}.mlp.fc1.bias": weights(hidden),
            f"blocks.{n}.mlp.fc2.weight": weights(width, hidden),
            f"blocks.{n}.mlp.fc2.bias": weights(width),
        }
    tower |= {"norm.weight": weights(width), "norm.bias": weights(width)}
    tower |= {"head.weight": weights(10, width), "head.bias": weights(10)}
    llama = folder / "llama"
    pieces = write_tokenizer(llama)
    config = LlamaConfig(
        vocab_size=pieces.get_piece_size(),
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        rms_norm_eps=1e-6,
        initializer_range=0.3,
    )
    torch.manual_seed(3)
    LlamaForCausalLM(config).to(dtype).save_pretrained(llama)
    # What the released folder asks of sampling must not count.
    (llama / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.6, "top_p": 0.9, "bos_token_id": 1})
    )
    size = config.hidden_size
    trained = {
        "llama_proj.weight": weights(size, 4 * width),
        "llama_proj.bias": weights(size),
    }
    for n in range(config.num_hidden_layers):
        base = f"llama_model.base_model.model.model.layers.{n}.self_attn"
        trained[f"{base}.rotary_emb.inv_freq"] = weights(size // 8)
        for target in ("q_proj", "v_proj"):
            trained[f"{base}.{target}.lora_A.weight"] = weights(RANK, size)
            trained[f"{base}.{target}.lora_B.weight"] = weights(size, RANK)
    files = Files(folder / "minigptv2_checkpoint.pth", folder / "eva_vit_g.pth", llama)
    torch.save({key: value.to(dtype) for key, value in tower.items()}, files.eva_vit)
    checkpoint = {"model": trained, "optimizer": {"state": {}}, "config": {"model": {"arch": "x"}}}
    torch.save(checkpoint | {"scaler": {}, "epoch": 3}, files.checkpoint)
    return files


def write_tokenizer(folder: Path) -> sentencepiece.SentencePieceProcessor:
    """A sentencepiece model with LLaMA's special ids and byte fallback."""
    folder.mkdir(parents=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=380,
        byte_fallback=True,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


class Reference:
    """The model once more, from its files, written out step by step."""

    def __init__(self, files: Files):
        self.tower = {key: w.float() for key, w in torch.load(files.eva_vit).items()}
        self.trained = torch.load(files.checkpoint)["model"]
        llama = LlamaForCausalLM.from_pretrained(files.llama, dtype=torch.float32)
        self.llama, self.config = llama.state_dict(), llama.config
        self.pieces = sentencepiece.SentencePieceProcessor(str(files.llama / "tokenizer.model"))

    def picture(self, rgb: np.ndarray) -> torch.Tensor:
        """(H, W, 3) uint8 -> (tokens, hidden size)."""
        image = Image.fromarray(rgb).convert("RGB").resize((448, 448), Image.Resampling.BICUBIC)
        mean = np.array([0.48145466, 0.4578275, 0.40821073])
        std = np.array([0.26862954, 0.26130258, 0.27577711])
        values = torch.tensor(((np.asarray(image) / 255 - mean) / std).astype(np.float32))
        side = 448 // SHAPE.patch_px
        kernel, bias = self.tower["patch_embed.proj.weight"], self.tower["patch_embed.proj.bias"]
        rows = []
        for y in range(side):
            for x in range(side):
                p = SHAPE.patch_px
                patch = values[y * p : y * p + p, x * p : x * p + p].permute(2, 0, 1)
                rows.append((kernel * patch).sum(dim=(1, 2, 3)) + bias)
        x = torch.cat([self.tower["cls_token"][0], torch.stack(rows)]) + self.positions(side)
        for n in range(SHAPE.depth):
            x = x + self.attention(n, self.norm(f"blocks.{n}.norm1", x, 1e-6))
            x = x + self.mlp(n, self.norm(f"blocks.{n}.norm2", x, 1e-6))
        centred = x - x.mean(dim=1, keepdim=True)
        x = centred / torch.sqrt((centred**2).mean(dim=1, keepdim=True) + 1e-5)  # ln_vision: 1, 0
        patches = list(x[1:])
        joined = torch.stack([torch.cat(patches[k : k + 4]) for k in range(0, len(patches), 4)])
        return joined @ self.trained["llama_proj.weight"].T + self.trained["llama_proj.bias"]

    def positions(self, side: int) -> torch.Tensor:
        table = self.tower["pos_embed"][0]
        grid = table[1:].reshape(FILE_GRID, FILE_GRID, -1).permute(2, 0, 1)[None]
        grown = torch.nn.functional.interpolate(
            grid, (side, side), mode="bicubic", align_corners=False
        )
        return torch.cat([table[:1], grown[0].permute(1, 2, 0).reshape(side * side, -1)])

    def norm(self, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
        centred = x - x.mean(dim=1, keepdim=True)
        x = centred / torch.sqrt((centred**2).mean(dim=1, keepdim=True) + eps)
        return x * self.tower[f"{name}.weight"] + self.tower[f"{name}.bias"]

    def attention(self, n: int, x: torch.Tensor) -> torch.Tensor:
        name, width = f"blocks.{n}.attn", SHAPE.width
        weight = self.tower[f"{name}.qkv.weight"]
        q = x @ weight[:width].T + self.tower[f"{name}.q_bias"]
        k = x @ weight[width : 2 * width].T
        v = x @ weight[2 * width :].T + self.tower[f"{name}.v_bias"]
        size = width // SHAPE.heads
        out = []
        for head in range(SHAPE.heads):
            part = slice(head * size, (head + 1) * size)
            scores = (q[:, part] * size**-0.5) @ k[:, part].T
            out.append(torch.softmax(scores, dim=1) @ v[:, part])
        mixed = torch.cat(out, dim=1)
        return mixed @ self.tower[f"{name}.proj.weight"].T + self.tower[f"{name}.proj.bias"]

    def mlp(self, n: int, x: torch.Tensor) -> torch.Tensor:
        name = f"blocks.{n}.mlp"
        x = x @ self.tower[f"{name}.fc1.weight"].T + self.tower[f"{name}.fc1.bias"]
        x = 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
        return x @ self.tower[f"{name}.fc2.weight"].T + self.tower[f"{name}.fc2.bias"]

    def embeddings(self, rgb: np.ndarray, text: str) -> torch.Tensor:
        """The whole prompt as vectors (T, hidden size)."""
        table = self.llama["model.embed_tokens.weight"]
        before = [1, 1, *self.pieces.encode("[INST] <Img>")]
        after = self.pieces.encode(f"</Img> [detection] {text} [/INST]")
        return torch.cat([table[before], self.picture(rgb), table[after]])

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(T, hidden size) -> logits (T, vocabulary)."""
        config = self.config
        for n in range(config.num_hidden_layers):
            layer = f"model.layers.{n}"
            normed = self.rms(x, f"{layer}.input_layernorm.weight")
            x = x + self.causal_attention(n, normed)
            normed = self.rms(x, f"{layer}.post_attention_layernorm.weight")
            gate = normed @ self.llama[f"{layer}.mlp.gate_proj.weight"].T
            up = normed @ self.llama[f"{layer}.mlp.up_proj.weight"].T
            swish = gate / (1 + torch.exp(-gate))
            x = x + (swish * up) @ self.llama[f"{layer}.mlp.down_proj.weight"].T
        return self.rms(x, "model.norm.weight") @ self.llama["lm_head.weight"].T

    def rms(self, x: torch.Tensor, name: str) -> torch.Tensor:
        scale = torch.sqrt((x**2).mean(dim=1, keepdim=True) + self.config.rms_norm_eps)
        return x / scale * self.llama[name]

    def with_lora(self, n: int, target: str, x: torch.Tensor) -> torch.Tensor:
        y = x @ self.llama[f"model.layers.{n}.self_attn.{target}.weight"].T
        if target in ("q_proj", "v_proj"):
            name = f"llama_model.base_model.model.model.layers.{n}.self_attn.{target}"
            a, b = (self.trained[f"{name}.lora_{half}.weight"] for half in "AB")
            y = y + (x @ a.T @ b.T) * (ALPHA / RANK)
        return y

    def causal_attention(self, n: int, x: torch.Tensor) -> torch.Tensor:
        heads = self.config.num_attention_heads
        size = self.config.hidden_size // heads
        q, k, v = (self.with_lora(n, f"{name}_proj", x) for name in "qkv")
        frequency = 10000.0 ** (-torch.arange(0, size, 2) / size)
        angle = torch.arange(len(x))[:, None] * frequency
        cos, sin = torch.cos(angle), torch.sin(angle)

        def turned(part: torch.Tensor) -> torch.Tensor:
            first, second = part[:, : size // 2], part[:, size // 2 :]
            return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=1)

        out = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = turned(q[:, part]) @ turned(k[:, part]).T / math.sqrt(size)
            scores = scores + torch.full((len(x), len(x)), -math.inf).triu(1)
            out.append(torch.softmax(scores, dim=1) @ v[:, part])
        weight = self.llama[f"model.layers.{n}.self_attn.o_proj.weight"]
        return torch.cat(out, dim=1) @ weight.T

    def greedy(self, rgb: np.ndarray, text: str, new_tokens: int) -> list[int]:
        """Ids of the answer, the prompt computed anew for every one of them."""
        x, ids = self.embeddings(rgb, text), []
        for _ in range(new_tokens):
            best = int(self.logits(x)[-1].argmax())
            if best == 2:
                break
            ids.append(best)
            x = torch.cat([x, self.llama["model.embed_tokens.weight"][[best]]])
        return ids

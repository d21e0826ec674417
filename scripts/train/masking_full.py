"""The large model of masks, as in Instruction-Guided Visual Masking (arXiv 2405.19783, Figure 6).

SAM's vision tower, frozen, sees the pixels; LLaVA, with LoRA, sees the picture and reads the
instruction; a head turns what both found into a map. The paper: LLaVA-1.5-7B and SAM's largest
tower (SAM-H), 64M trained weights, 1M iterations, BCE + dice weighted by a
discriminator; pictures are resized to SAM's square, the map back to the picture. What the page
leaves open is chosen here: rank 8, learning rate 1e-4, the layers of the head.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from core.build import picture_bytes
from core.errors import UserError
from core.store import sha256, writing
from scripts.train import common
from scripts.train.masking_data import Rows, Sample, rows_of
from scripts.train.masking_small import CLIP_NORM, loss_of

HEAD_FILE, RECIPE_FILE, ADAPTER = "head.safetensors", "recipe.json", "adapter"
CHECKPOINT = "checkpoint.pt"
# What must be the same for a training to go on.
SAME = (
    "model", "vision", "seed", "accumulate", "learning_rate", "sources", "max_samples", "unweighted"
)  # fmt: skip
RANK, ALPHA, LEARNING_RATE = 8, 16, 1e-4
LAYERS, HEADS = 2, 8
# Of ImageNet, which SAM's pictures are normalised with.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEMPLATE = "USER: {sign}\n{text} ASSISTANT:"
# Pictures of rows are only kept this small: the models see the originals.
KEPT_SIDE = 256


class Head(nn.Module):
    """Places of SAM's map attend to all that the language model holds; then two steps up."""

    def __init__(self, width: int, language: int):
        super().__init__()
        heads = next(number for number in range(min(HEADS, width), 0, -1) if width % number == 0)
        self.words = nn.Linear(language, width)
        self.attention = nn.ModuleList(
            nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(LAYERS)
        )
        self.mixed = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                nn.Linear(4 * width, width),
            )
            for _ in range(LAYERS)
        )  # fmt: skip
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(LAYERS))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 2, 2), nn.GELU(),
            nn.ConvTranspose2d(width // 2, width // 4, 2, 2), nn.GELU(),
            nn.Conv2d(width // 4, 1, 1),
        )  # fmt: skip

    def forward(self, seen: Tensor, told: Tensor, empty: Tensor) -> Tensor:
        """Logits (n, 4h, 4w) of what SAM saw (n, width, h, w) and the language model's states
        (n, tokens, language); `empty` (n, tokens) are those that are no token."""
        words = self.words(told)
        x = seen.flatten(2).transpose(1, 2)
        for attention, norm, mixed in zip(self.attention, self.norms, self.mixed, strict=True):
            x = x + attention(norm(x), words, words, key_padding_mask=empty, need_weights=False)[0]
            x = x + mixed(x)
        logits: Tensor = self.up(x.transpose(1, 2).reshape(seen.shape)).squeeze(1)
        return logits


class FullMasker(nn.Module):
    """Both models and the head; only LoRA's weights and the head's are trained."""

    def __init__(self, vision: Any, language: Any, processor: Any, head: Head | None = None):
        super().__init__()
        self.vision, self.language, self.processor = vision, language, processor
        vision.requires_grad_(False)
        text = language.config.get_text_config()
        self.head = head or Head(vision.config.output_channels, text.hidden_size)

    @property
    def trained(self) -> list[nn.Parameter]:
        """The weights that are trained."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def forward(self, rgbs: Sequence[np.ndarray], texts: Sequence[str]) -> Tensor:
        """Logits (n, h, w) of pictures (H, W, 3) uint8 and instructions about them."""
        device = self.head.words.weight.device
        side = self.vision.config.image_size
        squares = np.stack([cv2.resize(rgb, (side, side)) for rgb in rgbs])
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).float().div(255)
        pixels = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[
            :, None, None
        ]
        with torch.no_grad():
            told = self.vision(pixels.to(device, self.vision.dtype))
        seen = told.last_hidden_state.to(self.head.words.weight.dtype)
        inputs = self.processor(
            text=[self._asked(text) for text in texts],
            images=[Image.fromarray(rgb) for rgb in rgbs],
            padding=True,
            return_tensors="pt",
        ).to(device)
        for name, value in inputs.items():
            if torch.is_floating_point(value):
                inputs[name] = value.to(self.language.dtype)
        states = self.language(**inputs, output_hidden_states=True).hidden_states[-1]
        result: Tensor = self.head(seen, states.to(seen.dtype), inputs["attention_mask"] == 0)
        return result

    def _asked(self, text: str) -> str:
        content = [{"type": "image"}, {"type": "text", "text": text}]
        if getattr(self.processor, "chat_template", None):
            messages = [{"role": "user", "content": content}]
            return str(self.processor.apply_chat_template(messages, add_generation_prompt=True))
        return TEMPLATE.format(sign=getattr(self.processor, "image_token", "<image>"), text=text)


def work(options: argparse.Namespace) -> float | None:
    """Train and save, or load; predict if asked to. Returns the last loss, if there was one."""
    torch.manual_seed(options.seed)
    if options.load:
        network, last = _loaded(options), None
    else:
        network = _new(options)
        rows = rows_of(options.build, "train", KEPT_SIDE, options.sources, options.max_samples)
        last = fit(network, rows, options)
        _save(network, options)
    if options.predict:
        from scripts.train.masking import rows_to_ask, texts_of, write_maps

        asked = rows_to_ask(options, KEPT_SIDE)
        write_maps(options, predict(network, asked.samples, texts_of(asked.samples, options)))
    return last


def fit(network: FullMasker, rows: Rows, options: argparse.Namespace) -> float:
    """Train for --max-steps, each of --accumulate rows; returns the mean loss of the last tenth.
    After every epoch all that is needed to go on is written to --out, which --resume does to the
    same weights. Raises `UserError` when the loss is no number."""
    rng = np.random.default_rng(options.seed)
    rate = options.learning_rate or LEARNING_RATE
    optimizer = torch.optim.AdamW(network.trained, rate)
    count = sum(weight.numel() for weight in network.trained)
    print(f"{len(rows.samples):,} rows, {count / 1e6:.2f}M trained weights", flush=True)
    network.train()
    network.vision.eval()
    losses: list[float] = []
    weights = np.array([1.0 if options.unweighted else s.weight for s in rows.samples])
    relative = weights / weights.mean()  # a step has one row: their weights are told by its size
    order: list[int] = []
    ids = sha256("\n".join(sample.id for sample in rows.samples).encode())
    if options.resume:
        losses, order = _resumed(network, optimizer, rng, options, ids)
    for step in range(len(losses), options.max_steps):
        total, epoch_ends = 0.0, False
        for _ in range(options.accumulate):
            order = order or rng.permutation(len(rows.samples)).tolist()
            number = order.pop()
            epoch_ends |= not order
            sample = rows.samples[number]
            logits = network([picture_of(sample)], [str(rng.choice(sample.texts))])
            target = _target(rows, sample, logits.shape[1:]).to(logits)
            alone = torch.ones(1, device=logits.device)
            loss = loss_of(logits, target[None], alone) * float(relative[number])
            (loss / options.accumulate).backward()
            total += float(loss.detach())
        nn.utils.clip_grad_norm_(network.trained, CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total / options.accumulate)
        if not np.isfinite(losses[-1]):
            raise UserError("the loss is not a number; try a lower --learning-rate")
        if epoch_ends:
            _write_checkpoint(network, optimizer, rng, losses, order, options, ids)
        if step == 0 or (step + 1) % max(1, options.max_steps // 100) == 0:
            print(f"step {step + 1:,} of {options.max_steps:,}: loss {losses[-1]:.4f}", flush=True)
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def _target(rows: Rows, sample: Sample, shape: Sequence[int]) -> Tensor:
    """A row's target, (h, w), at the size of the network's map."""
    width, height = rows.pictures[sample.picture].inner_wh
    inner = sample.target[:height, :width]
    size_wh = (int(shape[1]), int(shape[0]))
    return torch.from_numpy(cv2.resize(inner, size_wh, interpolation=cv2.INTER_AREA))


def picture_of(sample: Sample) -> np.ndarray:
    """A row's picture, (H, W, 3) uint8."""
    data = np.frombuffer(picture_bytes(sample.place), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def predict(
    network: FullMasker, samples: Sequence[Sample], texts: Sequence[str]
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Every row with its map, (H, W) float32 of its picture's size, by the instruction given."""
    network.eval()
    with torch.inference_mode():
        for sample, text in zip(samples, texts, strict=True):
            rgb = picture_of(sample)
            chance = torch.sigmoid(network([rgb], [text]).float())[:, None]
            large = functional.interpolate(chance, rgb.shape[:2], mode="bilinear")
            yield sample, large[0, 0].clip(0, 1).cpu().numpy()


# Models and files --------------------------------------------------------------------------------


def _vision(name: str) -> Any:
    from transformers import SamVisionModel

    from evaluation.runners.local import LOADING_ERRORS

    try:
        return SamVisionModel.from_pretrained(name)
    except LOADING_ERRORS as error:
        said = " ".join(str(error).split())[:300]
        raise UserError(
            f"--vision {name}: can't be loaded ({said}); give a Hub id or a folder of a SAM"
        ) from error


def _new(options: argparse.Namespace) -> FullMasker:
    from peft import LoraConfig, get_peft_model

    options.configs, options.max_pixels = [], None  # what `common.load` asks of other recipes
    language, processor, _ = common.load(options)
    lora = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules="all-linear", exclude_modules=common.VISION
    )
    network = FullMasker(_vision(options.vision), get_peft_model(language, lora), processor)
    return network.to(_device())


def _loaded(options: argparse.Namespace) -> FullMasker:
    from peft import PeftModel
    from safetensors.torch import load_file

    path = options.load / RECIPE_FILE
    if not path.is_file():
        raise UserError(f"--load {options.load}: no {RECIPE_FILE} in it; give an --out of full")
    told = json.loads(path.read_text())
    options.model, options.vision = told["model"], told["vision"]
    options.configs, options.max_pixels = [], None
    language, processor, _ = common.load(options)
    adapted = PeftModel.from_pretrained(language, str(options.load / ADAPTER))
    network = FullMasker(_vision(options.vision), adapted, processor)
    network.head.load_state_dict(load_file(options.load / HEAD_FILE))
    return network.to(_device())


def _save(network: FullMasker, options: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    network.language.save_pretrained(str(options.out / ADAPTER))
    weights = {name: value.contiguous() for name, value in network.head.state_dict().items()}
    with writing(options.out / HEAD_FILE) as temporary:
        save_file(weights, temporary)
    told = {"model": str(Path(options.model)), "vision": str(Path(options.vision))}
    with writing(options.out / RECIPE_FILE) as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n")
    (options.out / CHECKPOINT).unlink(missing_ok=True)
    print(f"{options.out}: {ADAPTER}, {HEAD_FILE}")


def _write_checkpoint(
    network: FullMasker, optimizer: torch.optim.Optimizer, rng: np.random.Generator,
    losses: list[float], order: list[int], options: argparse.Namespace, ids: str,
) -> None:  # fmt: skip
    told = {
        "weights": {k: v.detach() for k, v in network.named_parameters() if v.requires_grad},
        "optimizer": optimizer.state_dict(),
        "random": json.dumps(rng.bit_generator.state),
        "torch_random": torch.get_rng_state(),
        "losses": losses,
        "order": order,
        "options": {name: _plain(getattr(options, name)) for name in SAME},
        "ids": ids,
    }
    with writing(options.out / CHECKPOINT) as temporary:
        torch.save(told, temporary)


def _resumed(
    network: FullMasker, optimizer: torch.optim.Optimizer, rng: np.random.Generator,
    options: argparse.Namespace, ids: str,
) -> tuple[list[float], list[int]]:  # fmt: skip
    """Losses so far and what is left of the epoch; raises `UserError` where nothing can go on."""
    path = options.out / CHECKPOINT
    if not path.is_file():
        raise UserError(f"--resume: no {CHECKPOINT} in {options.out}; train without --resume")
    told = torch.load(path, map_location="cpu", weights_only=True)
    for name, value in told["options"].items():
        if value != _plain(getattr(options, name)):
            raise UserError(f"--resume: {path} was made with {name} {value}; give the same")
    if told["ids"] != ids:  # its order is numbers of rows
        raise UserError(f"--resume: {path} was made with other rows; give the same build")
    network.load_state_dict(told["weights"], strict=False)
    optimizer.load_state_dict(told["optimizer"])
    rng.bit_generator.state = json.loads(told["random"])
    torch.set_rng_state(told["torch_random"])
    print(f"going on after step {len(told['losses']):,}", flush=True)
    return told["losses"], told["order"]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"

"""A small network of masks: it looks at a picture, reads an instruction, and marks what is meant.

A convolutional encoder halves the picture four times; words are read by a recurrent network; a
decoder goes back up, steered by the words twice: each place attends to them (at the two smallest
sizes), and every layer is scaled and shifted by their sum (FiLM, arXiv 1709.07871). What the words
name a colour of comes with how much each pixel looks like it, by the published colour values, so
that colours need not have been seen in training.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import UserError
from core.places import seen_in_a_mirror
from core.store import writing
from scripts.train.masking_data import (
    PADDING,
    Rows,
    Sample,
    Shown,
    batches,
    colors_of,
    full_map,
    likeness,
    to_lab,
    word_numbers,
)

WIDTHS = (16, 32, 64, 96)  # channels at a half, a quarter, an eighth, a sixteenth of the picture
WORD, TEXT, HEADS = 48, 64, 4
LIKENESS, PLACE = 2, 2  # channels beside colours: like a named colour; where it is
SHIFT_PX = 6  # pictures are moved by up to this in training
CLIP_NORM = 1.0
FILE = "masking.pt"


@dataclass(frozen=True)
class Recipe:
    """How the small network is trained; what it takes to do the same again."""

    side: int = 96
    epochs: int = 28
    batch: int = 24
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    weighted: bool = True
    seed: int = 42


class Block(nn.Module):
    """Convolution, normalisation, and scale and shift by the text, if there is one."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, text: bool = False):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(min(8, outputs // 2), outputs)
        self.film = nn.Linear(TEXT, 2 * outputs) if text else None

    def forward(self, x: Tensor, said: Tensor | None = None) -> Tensor:
        """(n, inputs, h, w) and a text (n, TEXT) to (n, outputs, h', w')."""
        x = self.norm(self.convolution(x))
        if self.film is not None and said is not None:
            scale, shift = self.film(said)[:, :, None, None].chunk(2, 1)
            x = x * (1 + scale) + shift
        return functional.silu(x)


class Reader(nn.Module):
    """Words in both directions: a vector each, and one of the whole."""

    def __init__(self, words: int):
        super().__init__()
        self.embedding = nn.Embedding(words, WORD, padding_idx=PADDING)
        self.dropout = nn.Dropout(0.1)
        self.recurrent = nn.GRU(WORD, TEXT // 2, batch_first=True, bidirectional=True)

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, words) to (n, words, TEXT), (n, TEXT), and where there is no word, (n, words)."""
        empty = numbers == PADDING
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embedding(numbers)), (~empty).sum(1).cpu(), True, False
        )
        states, last = self.recurrent(packed)
        each, _ = nn.utils.rnn.pad_packed_sequence(
            states, batch_first=True, total_length=numbers.shape[1]
        )
        return each, torch.cat([last[0], last[1]], 1), empty


class Attend(nn.Module):
    """Every place of a picture asks all words."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, HEADS, kdim=TEXT, vdim=TEXT, batch_first=True)

    def forward(self, x: Tensor, words: Tensor, empty: Tensor) -> Tensor:
        """(n, width, h, w), asked and added to."""
        places = x.flatten(2).transpose(1, 2)
        told, _ = self.attention(
            self.norm(places), words, words, key_padding_mask=empty, need_weights=False
        )
        return x + told.transpose(1, 2).reshape(x.shape)


class Masker(nn.Module):
    """The network; `words` is how many numbers of words there are.

    Squares of 2 x 2 pixels are taken together on the way in and apart on the way out: layers at
    full size would cost more than all others.
    """

    def __init__(self, words: int):
        super().__init__()
        self.reader = Reader(words)
        self.stem = Block(4 * (3 + PLACE), WIDTHS[0])
        self.down = nn.ModuleList(
            nn.Sequential(Block(a, b, 2), Block(b, b)) for a, b in itertools.pairwise(WIDTHS)
        )
        self.attend = nn.ModuleList(Attend(width) for width in WIDTHS[:1:-1])
        self.deepest = Block(WIDTHS[-1] + LIKENESS, WIDTHS[-1], text=True)
        upwards = list(itertools.pairwise(WIDTHS[::-1]))
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in upwards)
        likeness = [LIKENESS] * (len(upwards) - 1) + [4 * LIKENESS]
        self.up = nn.ModuleList(
            Block(width + near, width, text=True)
            for (_, width), near in zip(upwards, likeness, strict=True)
        )
        self.last = nn.Conv2d(WIDTHS[0], 4, 1)

    def forward(self, rgb: Tensor, which: Tensor, words: Tensor, like: Tensor) -> Tensor:
        """Logits (n, h, w) of n instructions (n, words) about pictures (p, 3, h, w) from 0 to 1;
        `which` (n,) is the picture of each, `like` (n, 2, h, w) its likeness to named colours."""
        each, said, empty = self.reader(words)
        x = self.stem(functional.pixel_unshuffle(torch.cat([rgb - 0.5, _places(rgb)], 1), 2))
        seen = []
        for down in self.down:  # pictures once, whatever is asked about them
            seen.append(x)
            x = down(x)
        near = [functional.pixel_unshuffle(like, 2), functional.avg_pool2d(like, 4)]
        for _ in self.down[1:]:
            near.append(functional.avg_pool2d(near[-1], 2))
        x = self.attend[0](x[which], each, empty)
        x = self.deepest(torch.cat([x, near[-1]], 1), said)
        for level, (narrow, up) in enumerate(zip(self.narrow, self.up, strict=True)):
            x = functional.interpolate(narrow(x), scale_factor=2.0, mode="bilinear")
            x = up(torch.cat([x + seen[-1 - level][which], near[-2 - level]], 1), said)
            if level == 0:
                x = self.attend[1](x, each, empty)
        logits: Tensor = functional.pixel_shuffle(self.last(x), 2).squeeze(1)
        return logits


def _places(rgb: Tensor) -> Tensor:
    count, _, height, width = rgb.shape
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack([x, y]).expand(count, -1, -1, -1).to(rgb)


def loss_of(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """BCE and dice of (n, h, w) logits and targets, each sample by its weight (n,): the sum that
    the paper's second stage weighs (arXiv 2405.19783)."""
    cross = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    chance = torch.sigmoid(logits)
    shared = 2 * (chance * target).sum((1, 2)) + 1
    dice = 1 - shared / (chance.sum((1, 2)) + target.sum((1, 2)) + 1)
    return ((cross.mean((1, 2)) + dice) * weight).sum() / weight.sum()


# Training ----------------------------------------------------------------------------------------


def train(
    rows: Rows,
    words: dict[str, int],
    recipe: Recipe,
    tell: Callable[[int, float], None] = lambda epoch, loss: None,
) -> tuple[Masker, list[float]]:
    """A trained network and the mean loss of every epoch. The same rows and recipe give the same
    weights. Raises `UserError` when the loss is no number."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = Masker(len(words) + 2)
    steps = recipe.epochs * sum(1 for _ in batches(rows.samples, rows.pictures, recipe.batch))
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.15
    )
    losses = []
    for epoch in range(recipe.epochs):
        total = 0.0
        for numbers in _mixed(rows, recipe.batch, rng):
            chosen = [rows.samples[number] for number in numbers]
            texts = [str(rng.choice(sample.texts)) for sample in chosen]
            batch = _batch(rows.pictures, chosen, texts, words, rng)
            weight = torch.tensor([one.weight if recipe.weighted else 1.0 for one in chosen])
            optimizer.zero_grad()
            loss = loss_of(network(*batch[:4]), batch[4], weight)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(numbers)
        losses.append(total / len(rows.samples))
        if not np.isfinite(losses[-1]):
            raise UserError("the loss is not a number; try a lower --learning-rate")
        tell(epoch + 1, losses[-1])
    return network.eval(), losses


def _mixed(rows: Rows, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """All rows in another order, rows of one picture together: the picture is looked at once, and
    only the words tell its masks apart."""
    pictures = rng.permutation(len(rows.pictures))
    rank = {int(picture): place for place, picture in enumerate(pictures)}
    order = sorted(range(len(rows.samples)), key=lambda n: (rank[rows.samples[n].picture], n))
    samples = [rows.samples[number] for number in order]
    made = [[order[n] for n in few] for few in batches(samples, rows.pictures, size)]
    for place in rng.permutation(len(made)):
        yield made[place]


def _batch(
    pictures: Sequence[Shown],
    samples: Sequence[Sample],
    texts: Sequence[str],
    words: dict[str, int],
    rng: np.random.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What the network takes and the targets; with `rng` mirrored, moved and lit otherwise."""
    numbers = list(dict.fromkeys(sample.picture for sample in samples))
    rgb = np.stack([pictures[number].rgb for number in numbers])
    targets = np.stack([sample.target for sample in samples])
    if rng is not None:
        dy, dx = (int(v) for v in rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2))
        rgb, targets = _moved(rgb, dy, dx), _moved(targets, dy, dx)
        if rng.random() < 0.5:
            rgb, targets = rgb[:, :, ::-1], targets[:, :, ::-1]
            texts = [seen_in_a_mirror(text) for text in texts]
    place = {number: index for index, number in enumerate(numbers)}
    which = [place[sample.picture] for sample in samples]
    labs = [to_lab(one) for one in rgb]
    like = np.stack(
        [likeness(labs[w], colors_of(text)) for w, text in zip(which, texts, strict=True)]
    )
    inputs = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float() / 255
    if rng is not None:
        inputs = (inputs * float(rng.uniform(0.85, 1.1)) + float(rng.normal(0, 0.03))).clip(0, 1)
    read = [torch.tensor(word_numbers(text, words)) for text in texts]
    return (
        inputs,
        torch.tensor(which),
        nn.utils.rnn.pad_sequence(read, batch_first=True, padding_value=PADDING),
        torch.from_numpy(like),
        torch.from_numpy(np.ascontiguousarray(targets)),
    )


def _moved(pixels: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """(n, h, w, ...) moved, its rim repeated."""
    height, width = pixels.shape[1:3]
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    moved: np.ndarray = pixels[:, rows][:, :, columns]
    return moved


# Prediction and files ----------------------------------------------------------------------------


def predict(
    network: Masker, rows: Rows, texts: Sequence[str], words: dict[str, int], size: int = 16
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Every row with its map, (H, W) float32 of its picture's size, by the instruction given."""
    network.eval()
    with torch.inference_mode():
        for numbers in batches(rows.samples, rows.pictures, size):
            chosen = [rows.samples[number] for number in numbers]
            said = [texts[number] for number in numbers]
            logits = network(*_batch(rows.pictures, chosen, said, words)[:4]).numpy()
            for sample, one in zip(chosen, logits, strict=True):
                yield sample, full_map(one, rows.pictures[sample.picture])


def save(folder: Path, network: Masker, words: dict[str, int], recipe: Recipe) -> Path:
    """Weights, words and recipe in one file."""
    path = folder / FILE
    told = {"weights": network.state_dict(), "words": words, "recipe": asdict(recipe)}
    with writing(path) as temporary:
        torch.save(told, temporary)
    return path


def load(folder: Path) -> tuple[Masker, dict[str, int], Recipe]:
    """What `save` wrote; raises `UserError` for anything else."""
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"--load {folder}: no {FILE} in it; give the --out of a training")
    try:
        told: dict[str, Any] = torch.load(path, weights_only=True)
        network = Masker(len(told["words"]) + 2)
        network.load_state_dict(told["weights"])
        return network.eval(), told["words"], Recipe(**told["recipe"])
    except Exception as error:  # files of others raise nearly anything
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not weights of this network ({first}); train anew") from error

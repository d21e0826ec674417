"""Can `state_balanced` be learnt by one who looks and reads? A small network, minutes on a CPU.

It is given the piece of the picture around the new part, where that lies, and the words of the
instruction as a bag of words and pairs of words. Pictures and words each get a vector; their
product says how well they fit. It learns from whole groups: the two pairs that fit must score
higher than the two that do not. Cross-validated by manual, beside controls that lack one or other.
"""

import re
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.model_selection import GroupKFold

from benchmarks.sighted import COARSE_PX, FOLDS, MARGIN, SIDE_PX, piece_of
from builder.probes.looks import place
from builder.probes.score import Score, score
from core.build import manifest_of, picture_bytes, read_rows
from core.cli import no_build
from core.errors import UserError

CONFIG = "state_balanced"
WORDS, VECTOR = 1024, 96  # size of the bag of words; of the vectors that are compared
EPOCHS, BATCH_GROUPS = 60, 32


class Group(NamedTuple):
    """Two pictures and two texts that fit in order: (2, 96, 96, 3), (2, numbers), (2, WORDS)."""

    pictures: np.ndarray
    places: np.ndarray
    words: np.ndarray
    manual_id: str


def bag_of_words(text: str) -> np.ndarray:
    """(WORDS,) float32 of unit length: words and neighbouring words, by a hash."""
    found = re.findall(r"[a-z0-9⅓⅔×]+", text.lower())
    bag = np.zeros(WORDS, np.float32)
    for term in [*found, *(" ".join(pair) for pair in pairwise(found))]:
        bag[zlib.crc32(term.encode()) % WORDS] += 1
    norm = float(np.linalg.norm(bag))
    return bag / norm if norm else bag


def groups(build: Path) -> list[Group]:
    """All groups of the build, each by its two right rows."""
    import io

    by_id: dict[str, list] = {}
    columns = ["group_id", "manual_id", "label", "part_box_px", "instruction",
               "previous_instruction"]  # fmt: skip
    for row in read_rows(build, CONFIG, None, columns):
        if row.columns["label"]:
            by_id.setdefault(row.columns["group_id"], []).append(row)
    found = []
    for rows in by_id.values():
        pictures, places, words = [], [], []
        for row in rows:
            rgb = np.asarray(Image.open(io.BytesIO(picture_bytes(row.place))).convert("RGB"))
            x0, y0, x1, y1 = box = row.columns["part_box_px"]
            x, y = (round(v / COARSE_PX) * COARSE_PX for v in ((x0 + x1) / 2, (y0 + y1) / 2))
            side = max(SIDE_PX, round(MARGIN * max(x1 - x0, y1 - y0) / COARSE_PX) * COARSE_PX)
            pictures.append(piece_of(rgb, x, y, side))
            places.append(place(rgb, box))
            words.append(bag_of_words(
                f"{row.columns['previous_instruction']} {row.columns['instruction']}"
            ))  # fmt: skip
        manual = rows[0].columns["manual_id"]
        found.append(Group(np.stack(pictures), np.stack(places), np.stack(words), manual))
    return found


def fits(
    groups: list[Group], manuals: np.ndarray, looks: bool = True, reads: bool = True
) -> np.ndarray:
    """(n, 2, 2) how well each picture of a group (rows) fits each text, by networks that saw other
    manuals. Who does not look sees grey pieces at one place; who does not read, no words."""
    predicted = np.zeros((len(groups), 2, 2))
    folds = GroupKFold(min(FOLDS, len(np.unique(manuals))))
    for number, (train, test) in enumerate(folds.split(manuals, manuals, manuals), 1):
        print(f"  fold {number} of {folds.get_n_splits()}", file=sys.stderr)
        predicted[test] = _train(
            [groups[i] for i in train], [groups[i] for i in test], looks, reads
        )
    return predicted


def _train(seen: list[Group], unseen: list[Group], looks: bool, reads: bool) -> np.ndarray:
    import torch
    from torch import nn

    torch.manual_seed(0)
    numbers = seen[0].places.shape[1]

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs),
                nn.ReLU()]  # fmt: skip

    eye = nn.Sequential(
        *block(3, 24), *block(24, 48), *block(48, 96), *block(96, 96),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(384, VECTOR),
    )  # fmt: skip
    where = nn.Sequential(nn.Linear(numbers, 64), nn.ReLU(), nn.Linear(64, VECTOR))
    reader = nn.Sequential(nn.Linear(WORDS, 128), nn.ReLU(), nn.Dropout(0.2),
                           nn.Linear(128, VECTOR))  # fmt: skip
    network = nn.ModuleList([eye, where, reader])

    def tensors(rows: list[Group]) -> tuple:
        pictures = torch.from_numpy(np.stack([g.pictures for g in rows])).permute(0, 1, 4, 2, 3)
        places, words = (
            torch.from_numpy(np.stack([getattr(g, name) for g in rows]).astype(np.float32))
            for name in ("places", "words")
        )
        return pictures * looks, places * looks, words * reads

    def scores(pictures, places, words):
        n = len(pictures)
        flat = pictures.reshape(2 * n, 3, SIDE_PX, SIDE_PX).float().div(127.5).sub(1)
        shown = (eye(flat) + where(places.reshape(2 * n, numbers))).reshape(n, 2, VECTOR)
        return torch.einsum("npv,ntv->npt", shown, reader(words)) / VECTOR**0.5

    data = tensors(seen)
    steps = EPOCHS * -(-len(seen) // BATCH_GROUPS)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(seen)).split(BATCH_GROUPS):
            optimizer.zero_grad()
            fit = scores(*(part[chosen] for part in data))
            right = fit[:, 0, 0] + fit[:, 1, 1] - fit[:, 0, 1] - fit[:, 1, 0]
            nn.functional.softplus(-right).mean().backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        fit = torch.cat([scores(*tensors(unseen[i : i + 64])) for i in range(0, len(unseen), 64)])
    return fit.numpy()


def report(build: Path) -> None:
    """Train, cross-validate and print; raises `UserError` for a build that is too small."""
    if manifest_of(build) is None:
        raise no_build(build)
    found = groups(build)
    manuals = np.array([group.manual_id for group in found])
    if len(np.unique(manuals)) < FOLDS:
        raise UserError(f"{build}: {CONFIG} rows of fewer than {FOLDS} manuals; build more")
    print(f"{len(found)} groups of {len(np.unique(manuals))} manuals")
    labels = np.tile(np.eye(2, dtype=int).ravel(), len(found))
    for name, looks, reads in (
        ("picture and words", True, True),
        ("words alone", False, True),
        ("picture alone", True, False),
    ):
        fit = fits(found, manuals, looks, reads)
        got: Score = score(labels, fit.ravel(), np.repeat(manuals, 4))
        paired = fit[:, 0, 0] + fit[:, 1, 1] - fit[:, 0, 1] - fit[:, 1, 0]
        right = float(np.mean(np.where(paired == 0, 0.5, paired > 0)))
        print(
            f"{name:<20} AUC {got.auc:.2f} ({got.low:.2f}-{got.high:.2f})  "
            f"right pairing {right:.2f} (chance 0.50)"
        )

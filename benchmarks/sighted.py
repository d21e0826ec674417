"""Is the state task learnable from pictures? A small model that looks, trained in minutes on a CPU.

It is given what the probes are not: the picture around the part's coarse position, and the same
piece of the picture of the step before (from the scene config). Cross-validated by manual, beside
two controls: the position alone, and the picture without the step before.
"""

import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from sklearn.model_selection import GroupKFold

from builder.probes.score import Score, cross_validated, numbers_model, score
from core.build import manifest_of, shards
from core.cli import no_build
from core.errors import UserError

# The part fills about half of the piece that is looked at; its middle is known this coarsely.
SIDE_PX, MARGIN, COARSE_PX = 96, 1.8, 24
EPOCHS, FOLDS, BATCH = 14, 4, 48


class Sample(NamedTuple):
    """One state row: (96, 96, 3) pieces of the picture and of the step before, and the position."""

    now: np.ndarray
    before: np.ndarray
    position: np.ndarray
    label: int
    manual_id: str
    group_id: str


def samples(build: Path) -> list[Sample]:
    """All state rows whose step before is in the scene config and whose part is somewhere."""
    wanted = {
        row["provenance"]["source_images"][1]["sha256"]
        for row in _rows(build, "state", ["provenance"])
    }
    before: dict[str, bytes] = {}
    for row in _rows(build, "scene", ["provenance", "image"]):
        sha = row["provenance"]["source_images"][0]["sha256"]
        if sha in wanted:
            before[sha] = row["image"]["bytes"]
    columns = ["provenance", "image", "part_box_px", "label", "manual_id", "group_id"]
    found = []
    for row in _rows(build, "state", columns):
        sha = row["provenance"]["source_images"][1]["sha256"]
        if sha in before and row["part_box_px"] is not None:
            found.append(_sample(row, before[sha]))
    return found


def _rows(build: Path, config: str, columns: list[str]) -> Iterator[dict]:
    for path in shards(build, config):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=20, columns=columns):
                yield from batch.to_pylist()


def _sample(row: dict, before: bytes) -> Sample:
    now, then = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        for data in (row["image"]["bytes"], before)
    )
    x0, y0, x1, y1 = row["part_box_px"]
    # Coarse: the middle is known to the grid only, so nothing can be read off an exact position.
    x, y = (round(v / COARSE_PX) * COARSE_PX for v in ((x0 + x1) / 2, (y0 + y1) / 2))
    side = max(SIDE_PX, round(MARGIN * max(x1 - x0, y1 - y0) / COARSE_PX) * COARSE_PX)
    height, width = now.shape[:2]
    position = np.array([x / width, y / height, side / width])
    return Sample(
        piece_of(now, x, y, side),
        piece_of(then, x, y, side),
        position,
        row["label"],
        row["manual_id"],
        row["group_id"],
    )


def piece_of(rgb: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    """The square of `side` pixels around (x, y), (96, 96, 3); its rim repeats the picture."""
    half = side // 2
    padded = cv2.copyMakeBorder(rgb, half, half, half, half, cv2.BORDER_REPLICATE)
    piece = padded[y : y + side, x : x + side]
    return cv2.resize(piece, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)


def learn(pixels: np.ndarray, labels: np.ndarray, manuals: np.ndarray) -> np.ndarray:
    """(n,) scores of pictures (n, 96, 96, channels) uint8 by networks that saw other manuals."""
    predicted = np.zeros(len(labels))
    folds = GroupKFold(min(FOLDS, len(np.unique(manuals))))
    for number, (train, test) in enumerate(folds.split(pixels, labels, manuals), 1):
        print(f"  fold {number} of {folds.get_n_splits()}", file=sys.stderr)
        predicted[test] = _train(pixels[train], labels[train], pixels[test])
    return predicted


def _train(seen: np.ndarray, labels: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    import torch
    from torch import nn

    torch.manual_seed(0)
    widths = [seen.shape[-1], 24, 48, 96, 128]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 1)
    )
    images = torch.from_numpy(seen).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels.astype(np.float32))
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            batch = images[chosen].float().div(127.5).sub(1)
            # Small moves of the piece: the position is coarse, and there are few pictures.
            dx, dy = torch.randint(-6, 7, (2,)).tolist()
            optimizer.zero_grad()
            output = network(torch.roll(batch, (dy, dx), (2, 3))).squeeze(1)
            loss_of(output, truth[chosen]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        test = torch.from_numpy(unseen).permute(0, 3, 1, 2)
        parts = [network(part.float().div(127.5).sub(1)).squeeze(1) for part in test.split(256)]
    return torch.cat(parts).numpy()


def right_of_four(predicted: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Share of whole groups whose right picture scores highest; 0.25 is chance."""
    hits = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if len(rows) == 4:
            hits.append(labels[rows[np.argmax(predicted[rows])]] == 1)
    return float(np.mean(hits)) if hits else float("nan")


def report(build: Path) -> None:
    """Train, cross-validate and print; raises `UserError` for a build that is too small."""
    if manifest_of(build) is None:
        raise no_build(build)
    rows = samples(build)
    if len({row.manual_id for row in rows}) < FOLDS:
        raise UserError(f"{build}: state rows of fewer than {FOLDS} manuals; build more")
    labels = np.array([row.label for row in rows])
    manuals = np.array([row.manual_id for row in rows])
    groups = np.array([row.group_id for row in rows])
    now, before = (np.stack([getattr(row, name) for row in rows]) for name in ("now", "before"))
    position = np.stack([row.position for row in rows])
    print(f"{len(rows)} rows of {len(np.unique(manuals))} manuals")
    for name, predict in (
        ("position alone", lambda: cross_validated(numbers_model(), position, labels, manuals)),
        ("picture alone", lambda: learn(now, labels, manuals)),
        ("picture and step before", lambda: learn(
            np.concatenate([now, before], axis=-1), labels, manuals)),
    ):  # fmt: skip
        predicted = predict()
        got: Score = score(labels, predicted, manuals)
        print(
            f"{name:<24} AUC {got.auc:.2f} ({got.low:.2f}-{got.high:.2f})  "
            f"right one of four {right_of_four(predicted, labels, groups):.2f}"
        )

"""A small network that sees 64 x 64 pixels at a time: seams and textures, never the whole (B3)."""

import importlib.util
from typing import Any, NamedTuple

import cv2
import numpy as np

SIDE_PX = 64
FOLDS, BATCH = 3, 64
# Patches flatter than this show nothing.
DEVIATION_MIN = 6.0
DETAIL_GAIN = 4


def torch_is_there() -> bool:
    """Whether the network can be trained at all."""
    return importlib.util.find_spec("torch") is not None


class Effort(NamedTuple):
    """Patches looked at in every picture, and how often the network sees each."""

    patches: int
    epochs: int


# For a build's own gate, and for who wants to know: the second takes ten times as long.
QUICK, THOROUGH = Effort(8, 4), Effort(32, 12)


def patches(rgb: np.ndarray, seed: str, number: int = QUICK.patches) -> np.ndarray:
    """(number, 64, 64, 3) uint8 from random places of (H, W, 3), flat ones tried again.

    Raises ValueError when the picture is smaller than a patch.
    """
    height, width = rgb.shape[:2]
    if height < SIDE_PX or width < SIDE_PX:
        raise ValueError(f"a picture of {width} x {height} has no patch of {SIDE_PX}")
    rng = np.random.default_rng(list(seed.encode()))
    chosen = []
    for _ in range(number):
        for _ in range(20):
            y, x = rng.integers(height - SIDE_PX + 1), rng.integers(width - SIDE_PX + 1)
            patch = rgb[y : y + SIDE_PX, x : x + SIDE_PX]
            if patch.std() >= DEVIATION_MIN:
                break
        chosen.append(patch)
    return np.stack(chosen)


def fine_detail(seen: np.ndarray) -> np.ndarray:
    """Patches (..., 64, 64, 3) uint8 less their median of 3 x 3, magnified around mid-grey: shapes
    and colours are gone, what pasting and encoders leave at seams stays."""
    fine = [
        cv2.addWeighted(patch, DETAIL_GAIN, cv2.medianBlur(patch, 3), -DETAIL_GAIN, 128)
        for patch in seen.reshape(-1, SIDE_PX, SIDE_PX, 3)
    ]
    return np.stack(fine).reshape(seen.shape)


def number_of_folds(manuals: np.ndarray) -> int:
    """Into how many parts the manuals (n,) are divided."""
    return min(FOLDS, len(np.unique(manuals)))


def predict_fold(
    seen: np.ndarray, labels: np.ndarray, manuals: np.ndarray, epochs: int, fold: int
) -> np.ndarray:
    """(n,) mean score of every picture's patches (n, k, 64, 64, 3) uint8 in one fold of the
    manuals, by a network trained on the others; 0 elsewhere, so folds add up.

    Raises ImportError without torch.
    """
    import torch
    from sklearn.model_selection import GroupKFold

    predicted = np.zeros(len(labels))
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums then don't depend on the number of cores
    try:
        folds = list(GroupKFold(number_of_folds(manuals)).split(seen, labels, manuals))
        train, test = folds[fold]
        predicted[test] = _train_and_predict(seen[train], labels[train], seen[test], epochs)
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)
    return predicted


def _network() -> Any:
    from torch import nn

    def block(inputs: int, outputs: int) -> list[Any]:
        return [
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *block(3, 24), *block(24, 48), *block(48, 64), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(64, 1),
    )  # fmt: skip


def _train_and_predict(
    seen: np.ndarray, labels: np.ndarray, unseen: np.ndarray, epochs: int
) -> np.ndarray:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _network()
        per_picture = seen.shape[1]
        pixels = torch.from_numpy(seen).flatten(0, 1).permute(0, 3, 1, 2)
        truth = torch.from_numpy(labels.astype(np.float32)).repeat_interleave(per_picture)
        weight = torch.tensor(float((labels == 0).sum() / max(1, (labels == 1).sum())))
        loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=weight)
        steps = epochs * -(-len(pixels) // BATCH)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
        for _ in range(epochs):
            for chosen in torch.randperm(len(pixels)).split(BATCH):
                optimizer.zero_grad()
                output = network(_floats(pixels[chosen])).squeeze(1)
                loss_of(output, truth[chosen]).backward()
                optimizer.step()
                schedule.step()
        network.eval()
        with torch.inference_mode():
            pixels = torch.from_numpy(unseen).flatten(0, 1).permute(0, 3, 1, 2)
            output = torch.cat([network(_floats(part)).squeeze(1) for part in pixels.split(512)])
    found: np.ndarray = output.reshape(len(unseen), -1).mean(dim=1).numpy()
    return found


def _floats(pixels: Any) -> Any:
    return pixels.float().div(127.5).sub(1)

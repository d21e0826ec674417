"""How good a mask is likely to be: a fixed formula, or a discriminator that was fitted to a build.

Both take the numbers of `features.NAMES` and know no truth. The discriminator is a logistic
regression; `builder/release/discriminator.py` fits it. Weights follow discriminator-weighted
supervised learning (DWSL): what looks like a careful person's label counts more.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from tasks.mask.features import NAMES

# The formula: a weighted mean of measures that are 1 for a mask as it should be.
FORMULA = {"agreement": 0.4, "edges": 0.2, "foreground": 0.15, "color": 0.15, "compact": 0.1}
# A mask that reaches the picture's border, and a lossy picture, cost this much.
BORDER_COST, LOSSY_COST = 0.2, 0.05
WEIGHT_MIN, WEIGHT_MAX = 0.1, 3.0
DIGITS = 4


class Bin(msgspec.Struct, frozen=True):
    """Masks whose quality lies in an interval: how many, their mean quality, and the share of them
    that are as good as those of people or of the source."""

    low: float
    high: float
    masks: int
    quality: float
    share: float


class Discriminator(msgspec.Struct, frozen=True):
    """A fitted discriminator, by feature: quality = sigmoid(slope * score + offset), where
    score = bias + sum of weights * (value - mean) / scale."""

    features: list[str]
    means: list[float]
    scales: list[float]
    weights: list[float]
    bias: float
    slope: float
    offset: float
    good: int
    bad: int
    manuals: int
    auc: float
    reliability: list[Bin] = []


def formula(values: np.ndarray) -> np.ndarray:
    """(n,) quality of (n, features) values by the fixed formula."""
    column = {name: values[:, index] for index, name in enumerate(NAMES)}
    total = sum(weight * column[name] for name, weight in FORMULA.items())
    cost = BORDER_COST * column["border"] + LOSSY_COST * column["lossy"]
    return np.round(np.clip(total - cost, 0, 1), DIGITS)


def score(values: np.ndarray, model: Discriminator) -> np.ndarray:
    """(n,) what a discriminator says of (n, features) values, before calibration."""
    scaled = (values - np.array(model.means)) / np.array(model.scales)
    found: np.ndarray = model.bias + scaled @ np.array(model.weights)
    return found


def quality_of(values: Sequence[Sequence[float]], model: Discriminator | None) -> np.ndarray:
    """(n,) quality of masks by the model, or by the formula where there is none."""
    array = np.asarray(values, float).reshape(-1, len(NAMES))
    if model is None:
        return formula(array)
    said = model.slope * score(array, model) + model.offset
    return np.round(1 / (1 + np.exp(-np.clip(said, -50, 50))), DIGITS)


def weight_of(quality: float, mean: float, least: float = WEIGHT_MIN) -> float:
    """`sample_weight` of a mask: its quality by the mean of the build's, within bounds; `least` is
    1 for what people or the source made."""
    return round(max(least, float(np.clip(quality / mean, WEIGHT_MIN, WEIGHT_MAX))), DIGITS)

"""Confidence intervals: whole manuals are drawn again, because the rows of one are alike (B4)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
# With fewer manuals than this an interval is only a rough guide.
FEW_CLUSTERS = 10


class Interval(NamedTuple):
    """Percentile interval in the units of the metric."""

    low: float
    high: float


def cluster_sums(values: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """(samples, counts) summed by cluster, clusters in sorted order: (clusters, counts)."""
    names, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, index, values)
    return sums


def weights(clusters: int, resamples: int = RESAMPLES, seed: int = 42) -> np.ndarray:
    """How often each cluster is drawn in each resample: (resamples, clusters)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)


def interval(draws: np.ndarray) -> Interval | None:
    """The middle 95 % of the resampled values; None when none of them is a number."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return None
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def difference(a: np.ndarray, b: np.ndarray) -> Interval | None:
    """Interval of a - b where both were computed on the same resamples."""
    return interval(a - b)

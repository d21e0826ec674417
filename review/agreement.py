"""How far raters agree, and how each of them differs from the others (features.md T21, B16).

Scores come as a matrix (samples, raters), NaN where a rater could not tell. Kappas are
statsmodels'; intervals resample samples.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import linregress
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from evaluation.bootstrap import RESAMPLES, interval, weights

# Standard errors that a 95 % interval reaches to each side.
Z95 = 1.96


class Estimate(NamedTuple):
    """A value with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float
    n: int


NOTHING = Estimate(np.nan, np.nan, np.nan, 0)


def mean(values: np.ndarray, seed: int = 42) -> Estimate:
    """Mean of all scores, samples resampled; 0 for the lowest label as in the paper."""
    points = values - 1
    each = np.stack([np.nansum(points, axis=1), np.isfinite(points).sum(axis=1)])
    total, number = each.sum(axis=1)
    if not number:
        return NOTHING
    drawn = weights(len(values), RESAMPLES, seed) @ each.T
    return _estimate(total / number, drawn[:, 0] / np.maximum(drawn[:, 1], 1), int(number))


def fleiss(values: np.ndarray, labels: int, seed: int = 42) -> Estimate:
    """Fleiss' kappa over the samples that every rater could judge."""
    complete = values[np.isfinite(values).all(axis=1)].astype(int)
    if len(complete) < 2 or values.shape[1] < 2:
        return NOTHING
    table = (complete[:, :, None] == np.arange(1, labels + 1)).sum(axis=1)
    return _resampled(lambda index: _fleiss(table[index]), len(table), seed)


def fleiss_of_several(values: np.ndarray, seed: int = 42) -> Estimate:
    """Fleiss' kappa of yes-or-no questions (samples, questions, raters) that are asked of every
    sample; whole samples are resampled, for their questions hang together."""
    complete = values[np.isfinite(values).all(axis=(1, 2))].astype(int)
    if len(complete) < 2 or values.shape[2] < 2:
        return NOTHING
    table = (complete[..., None] == np.array([1, 2])).sum(axis=2)
    return _resampled(lambda index: _fleiss(table[index].reshape(-1, 2)), len(table), seed)


def _fleiss(table: np.ndarray) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = fleiss_kappa(table)
    return float(value) if len(np.flatnonzero(table.sum(axis=0))) > 1 else np.nan


def cohen(values: np.ndarray, labels: int, weighted: bool) -> np.ndarray:
    """Cohen's kappa of every pair of raters, (raters, raters), NaN where not defined.

    `weighted` counts a disagreement by its distance (linear weights), for labels in order.
    """
    raters = values.shape[1]
    result = np.full((raters, raters), np.nan)
    for a, b in itertools.combinations(range(raters), 2):
        result[a, b] = result[b, a] = _cohen(_tables(values[:, [a, b]], labels).sum(0), weighted)
    return result


def mean_cohen(values: np.ndarray, labels: int, weighted: bool, seed: int = 42) -> Estimate:
    """Mean of Cohen's kappa over all pairs of raters."""
    pairs = list(itertools.combinations(range(values.shape[1]), 2))
    if not pairs or len(values) < 2:
        return NOTHING
    tables = [_tables(values[:, pair], labels) for pair in pairs]

    def statistic(index: np.ndarray) -> float:
        found = [_cohen(table[index].sum(0), weighted) for table in tables]
        known = [value for value in found if np.isfinite(value)]
        return float(np.mean(known)) if known else np.nan

    return _resampled(statistic, len(values), seed)


def _tables(pair: np.ndarray, labels: int) -> np.ndarray:
    """(samples, labels, labels): a one where the two raters' scores meet."""
    result = np.zeros((len(pair), labels, labels), np.int32)
    known = np.flatnonzero(np.isfinite(pair).all(axis=1))
    a, b = pair[known].astype(int).T - 1
    result[known, a, b] = 1
    return result


def _cohen(table: np.ndarray, weighted: bool) -> float:
    """NaN when both raters gave one and the same label throughout."""
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    if len(used) < 2:
        return np.nan
    return float(cohens_kappa(table, wt="linear" if weighted else None, return_results=False))


def agreeing(values: np.ndarray) -> float:
    """Share of pairs of ratings of a sample that are the same; NaN for none."""
    same = total = 0
    for a, b in itertools.combinations(range(values.shape[1]), 2):
        both = np.isfinite(values[:, a]) & np.isfinite(values[:, b])
        same += int((values[both, a] == values[both, b]).sum())
        total += int(both.sum())
    return same / total if total else np.nan


def from_others(values: np.ndarray, rater: int) -> np.ndarray:
    """(samples,) how far a rater is above the mean of the others; NaN where either is missing."""
    others = np.delete(values, rater, axis=1)
    number = np.isfinite(others).sum(axis=1)
    total = np.nansum(others, axis=1)
    means = np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)
    return values[:, rater] - means


def bias(values: np.ndarray, rater: int, seed: int = 42) -> Estimate:
    """Mean of `from_others`: above 0 the rater is milder than the rest."""
    apart = from_others(values, rater)
    apart = apart[np.isfinite(apart)]
    if len(apart) < 2:
        return NOTHING
    return _estimate(
        float(apart.mean()), weights(len(apart), RESAMPLES, seed) @ apart / len(apart), len(apart)
    )


def drift(values: np.ndarray, rater: int, positions: np.ndarray) -> Estimate:
    """Change of `from_others` from the rater's first sample to the last, by a straight line.

    `positions` (samples,) say when the rater saw each, 0 for the first, 1 for the last.
    """
    apart = from_others(values, rater)
    known = np.isfinite(apart)
    if known.sum() < 3 or np.ptp(positions[known]) == 0:
        return NOTHING
    line = linregress(positions[known], apart[known])
    reach = Z95 * line.stderr
    slope = float(line.slope)
    return Estimate(slope, slope - float(reach), slope + float(reach), int(known.sum()))


def _resampled(statistic: Callable[[np.ndarray], float], number: int, seed: int) -> Estimate:
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, number, (RESAMPLES, number))
    value = statistic(np.arange(number))
    return _estimate(value, np.array([statistic(draw) for draw in draws]), number)


def _estimate(value: float, draws: np.ndarray, number: int) -> Estimate:
    found = interval(draws)
    if not np.isfinite(value) or found is None:
        return NOTHING._replace(n=number)
    return Estimate(float(value), found.low, found.high, number)

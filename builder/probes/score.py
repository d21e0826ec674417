"""How well a classifier tells right from wrong: cross-validated AUC with an honest interval.

scikit-learn takes two seconds to import, so only what uses it does.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

FOLDS = 5
BOOTSTRAPS = 1000
# A leak is an AUC whose whole 95 % interval lies above this: few rows can't tell.
AUC_MAX = 0.60


class Score(NamedTuple):
    """AUC over rows of manuals the classifier never saw, and its 95 % interval by manual."""

    auc: float
    low: float
    high: float

    @property
    def leaks(self) -> bool:
        """Whether the answer can be read off what the probe saw, beyond doubt."""
        return self.low > AUC_MAX


def numbers_model() -> "ClassifierMixin":
    """For columns of numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_depth=3, max_iter=100, random_state=0)


def text_model() -> "ClassifierMixin":
    """For strings: short runs of characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), max_features=20_000)
    return make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000))


def cross_validated(
    model: "ClassifierMixin", features: np.ndarray, labels: np.ndarray, manuals: np.ndarray
) -> np.ndarray:
    """(n,) score of every row, given by a model trained on other manuals only."""
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = GroupKFold(min(FOLDS, len(np.unique(manuals))))
    found: np.ndarray = cross_val_predict(
        model, features, labels, groups=manuals, cv=folds, method="predict_proba"
    )[:, 1]
    return found


def score(labels: np.ndarray, predicted: np.ndarray, manuals: np.ndarray, seed: int = 0) -> Score:
    """AUC and the interval of its bootstrap by manual: rows of one manual are not independent."""
    rng = np.random.default_rng(seed)
    names, owner = np.unique(manuals, return_inverse=True)
    draws = (rng.integers(len(names), size=len(names)) for _ in range(BOOTSTRAPS))
    drawn = (np.bincount(draw, minlength=len(names))[owner] for draw in draws)
    low, high = np.nanpercentile(_aucs(labels, predicted, drawn), [2.5, 97.5])
    return Score(round(auc(labels, predicted), 4), round(float(low), 4), round(float(high), 4))


def auc(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Area under the ROC curve; nan when one class is missing."""
    return _aucs(labels, predicted, [np.ones(len(labels), int)])[0]


def _aucs(
    labels: np.ndarray, predicted: np.ndarray, several_times: Iterable[np.ndarray]
) -> list[float]:
    """The AUC with every row taken as often as each of `several_times` says, (n,) whole numbers.

    It is the share of pairs of a right and a wrong row that are in order, ties a half (Mann and
    Whitney's U): rows are sorted once, and a sample only counts.
    """
    order = np.argsort(predicted)
    ordered, right = predicted[order], labels[order].astype(bool)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # of rows that tie
    found = []
    for times in several_times:
        taken = times[order]
        n, m = (np.add.reduceat(taken * kind, starts) for kind in (right, ~right))
        pairs = int(n.sum()) * int(m.sum())
        below = np.cumsum(m) - m / 2
        found.append(float((n * below).sum() / pairs) if pairs else float("nan"))
    return found

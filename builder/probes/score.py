"""How well a classifier tells right from wrong: cross-validated AUC with an honest interval.

scikit-learn and scipy take two seconds to import, so only what uses them does.
"""

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
    rows = [np.flatnonzero(manuals == manual) for manual in np.unique(manuals)]
    drawn = []
    for _ in range(BOOTSTRAPS):
        some = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        drawn.append(auc(labels[some], predicted[some]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Score(round(auc(labels, predicted), 4), round(float(low), 4), round(float(high), 4))


def auc(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Area under the ROC curve; nan when one class is missing."""
    from scipy.stats import rankdata

    positives = labels.astype(bool)
    n, m = int(positives.sum()), int((~positives).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(predicted)[positives].sum() - n * (n + 1) / 2) / (n * m))

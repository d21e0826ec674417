"""The discriminator of masks: which look like a careful person's, fitted to what a build knows.

A logistic regression tells masks that are as good as the source's, or that people accepted, from
the others that programs gave. It is cross-fitted: the score of every sample comes from a model that
never saw its manual; a sigmoid fitted to these scores calibrates it, and what it says of unseen
manuals is its reliability.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tasks.mask.features import NAMES
from tasks.mask.quality import Bin, Discriminator

# Samples that are kept, whatever the size of a build; of each kind at least so many are needed, of
# at least so many manuals.
KEPT, NEEDED, MANUALS_NEEDED = 20_000, 10, 2
FOLDS = 5
# Inverse of the penalty: bad masks are few, and weak measures must not be learnt by heart. On nine
# demo manuals, each judged without itself, quality follows true IoU by 0.66 with 1, 0.69 with 0.1.
STRENGTH = 0.1
BINS = 10
DIGITS = 6  # of coefficients: more would differ between processors


class Sample(NamedTuple):
    """Measures of a mask, whether it is as good as the source's or people's, and its manual."""

    good: bool
    features: Sequence[float]
    manual_id: str


class Reservoir:
    """A sample of samples that depends on nothing but their names: those with the least hashes."""

    def __init__(self, seed: int, most: int = KEPT) -> None:
        self._seed, self._most = seed, most
        self._heap: list[tuple[int, str, Sample]] = []

    def add(self, name: str, sample: Sample) -> None:
        """Take a sample, if its hash is among the least so far; names are unique."""
        digest = hashlib.sha256(f"{self._seed}:{name}".encode()).digest()[:8]
        entry = (-int.from_bytes(digest, "big"), name, sample)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def samples(self) -> list[Sample]:
        """The samples, by name."""
        return [sample for _, name, sample in sorted(self._heap, key=lambda entry: entry[1])]


def fitted(samples: Sequence[Sample]) -> Discriminator | None:
    """The discriminator that samples make; None of too few, or of one manual."""
    labels = np.array([sample.good for sample in samples], bool)
    manuals = np.array([sample.manual_id for sample in samples])
    good, bad = int(labels.sum()), int((~labels).sum())
    by_kind = [set(manuals[labels]), set(manuals[~labels])]
    if min(good, bad) < NEEDED or min(map(len, by_kind)) < MANUALS_NEEDED:
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    values = np.array([sample.features for sample in samples], float)

    def regression() -> LogisticRegression:
        return LogisticRegression(C=STRENGTH, max_iter=1000)

    with threadpool_limits(1):  # small tables, and sums in one order
        model = make_pipeline(StandardScaler(), regression()).fit(values, labels)
        folds = GroupKFold(min(FOLDS, *map(len, by_kind)))
        unseen = cross_val_predict(
            make_pipeline(StandardScaler(), regression()),
            values, labels, groups=manuals, cv=folds, method="decision_function",
        )  # fmt: skip
        sigmoid = LogisticRegression().fit(unseen[:, None], labels)
        said = sigmoid.predict_proba(unseen[:, None])[:, 1]
    scaler, last = model[0], model[-1]

    def rounded(numbers: Iterable[float]) -> list[float]:
        return [round(float(number), DIGITS) for number in numbers]

    bias, slope, offset = rounded([last.intercept_[0], sigmoid.coef_[0, 0], sigmoid.intercept_[0]])
    return Discriminator(
        list(NAMES),
        rounded(scaler.mean_),
        rounded(scaler.scale_),
        rounded(last.coef_[0]),
        bias,
        slope,
        offset,
        good,
        bad,
        len(set(manuals)),
        round(float(roc_auc_score(labels, unseen)), 4),
        reliability(said, labels),
    )


def reliability(said: np.ndarray, labels: np.ndarray) -> list[Bin]:
    """Said and found shares of good masks of (n,) samples, by what was said."""
    places = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        Bin(
            float(place / BINS),
            float((place + 1) / BINS),
            int((places == place).sum()),
            round(float(said[places == place].mean()), 4),
            round(float(labels[places == place].mean()), 4),
        )
        for place in np.unique(places)
    ]

"""Simulated raters: they know the truth and err at known rates, so their agreement is known."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from review.criteria import RATINGS
from review.results import KEY_FORMAT, RESULT_FORMAT, Answer, Key, KeyItem, Result

PAGE_ID = "ab" * 16


def key_of(task: str, samples: int, seed: int = 0) -> Key:
    """A key with the task's check questions spread among the samples."""
    checks = {
        "object": [{"precision": 1, "clearness": 1}, {"precision": 2, "clearness": 3},
                   {"precision": 3, "clearness": 1}],
        "state": [{"relevance": 2, "similarity": 2}, {"relevance": 1, "similarity": 1}] * 2
        + [{"relevance": 2, "similarity": 1}],
        "screening": [],
    }[task]  # fmt: skip
    items: list[KeyItem] = [KeyItem(f"row{n:05d}", f"manual{n % 7}") for n in range(samples)]
    order = np.random.default_rng(seed).permutation(samples)
    for place, known in zip(order, checks, strict=False):
        items.insert(int(place), KeyItem(None, "manual0", known))
    return Key(KEY_FORMAT, PAGE_ID, task, "build", {f"q{n:04d}": i for n, i in enumerate(items)})


def truth_of(key: Key, shares: Mapping[str, Sequence[float]], seed: int = 1) -> dict[str, dict]:
    """True scores by question: the known ones of checks, else drawn with the shares of labels."""
    rng = np.random.default_rng(seed)
    return {
        name: dict(item.known)
        if item.row is None
        else {c: int(rng.choice(len(p), p=p)) + 1 for c, p in shares.items()}
        for name, item in key.items.items()
    }


def ratings(
    key: Key, truth: Mapping[str, Mapping[str, int]], error: float | None, number: int, **changes
) -> Result:
    """A rater that errs at a rate, each other label alike; None clicks at random.

    Check questions are answered as well as the rest; `changes` replace fields of the result.
    """
    task = RATINGS[key.task]
    rng = np.random.default_rng(1000 + number)
    answers = {}
    for index, (name, true) in enumerate(truth.items()):
        scores: dict[str, int | None] = {}
        for criterion in task.criteria:
            labels = range(1, criterion.best + 1)
            right = true[criterion.name]
            if error is None:
                scores[criterion.name] = int(rng.choice(labels))
            elif rng.random() < error:
                scores[criterion.name] = int(rng.choice([s for s in labels if s != right]))
            else:
                scores[criterion.name] = right
        minute, second = divmod(index * 10 % 3600, 60)
        at = f"2026-01-01T{10 + index // 360:02d}:{minute:02d}:{second:02d}.000Z"
        answers[name] = Answer(scores, "", float(rng.gamma(9, 1200)), at)
    fields = {
        "format": RESULT_FORMAT,
        "page_id": key.page_id,
        "task": key.task,
        "rater": f"Rater {number}",
        "rater_id": f"{number:032x}",
        "offset": 0,
        "position": len(answers),
        "started_at": "2026-01-01T09:59:00.000Z",
        "answers": answers,
        "saved_at": "2026-01-01T20:00:00.000Z",
        "answered": len(answers),
        "complete": True,
    }
    return Result(**{**fields, **changes})


def careful(key: Key, result: Result) -> Result:
    """The same ratings with every check question right: a study of agreement, not of the gate."""
    answers = {
        name: Answer({**a.scores, **key.items[name].known}, a.comment, a.ms, a.at)
        for name, a in result.answers.items()
    }
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    return Result(**{**fields, "answers": answers})


def true_kappa(shares: Sequence[float], errors: Sequence[float]) -> float:
    """Fleiss' kappa of such raters over endlessly many samples, from the model itself."""
    labels = len(shares)
    said = [np.full((labels, labels), e / (labels - 1)) for e in errors]  # said[r][true, label]
    for matrix, error in zip(said, errors, strict=True):
        np.fill_diagonal(matrix, 1 - error)
    pairs = list(itertools.combinations(said, 2))
    observed = np.mean([np.einsum("t,tl,tl->", shares, a, b) for a, b in pairs])
    marginal = np.mean([np.asarray(shares) @ matrix for matrix in said], axis=0)
    expected = float((marginal**2).sum())
    return float((observed - expected) / (1 - expected))

"""From result files to one verdict: means, agreement, raters, disputed samples, judgements.

Everything is plain data, so that the report and the JSON say the same; `judgements` are what
`lego-arta build --reviews` reads.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from review import agreement
from review.criteria import HOLDS, Criterion, Rating
from review.results import Answer, Key, Rater

FORMAT = "lego-arta review 1"
# The paper's rule: kappa above this, and the quality "acceptable" or better. Acceptable is read as
# a mean at the middle of the scale or above, for the thesis gives no number.
KAPPA_ABOVE = 0.6
DISPUTED = 12
TOGETHER = "all words together"
PARTS = 5  # of a session, to see whether raters slow down or drift


def summary(key: Key, task: Rating, raters: Sequence[Rater], seed: int = 42) -> dict[str, Any]:
    """All that can be said of a page's results, as JSON values (null where not defined)."""
    counted = [rater for rater in raters if rater.counted]
    samples = [name for name, item in key.items.items() if item.row is not None]
    matrices = {c.name: matrix(counted, samples, c) for c in task.criteria}
    criteria = {c.name: _criterion(c, matrices[c.name], seed, task) for c in task.criteria}
    confirmed = _confirmed(key, samples, matrices, seed)
    holds = _holds(key, task, samples, matrices, seed) if task.several else None
    return _plain(
        {
            "format": FORMAT,
            "task": task.name,
            "page_id": key.page_id,
            "build": key.build,
            "samples": len(samples),
            "acceptance": acceptance(task, criteria, len(counted), holds, confirmed),
            "criteria": criteria,
            "holds": holds,
            "confirmed": confirmed,
            "raters": [_rater(r, counted, key, task, samples, matrices, seed) for r in raters],
            "disputed": _disputed(task, counted, samples, matrices),
            "judgements": _judgements(key, task, counted),
        }
    )


def matrix(raters: Sequence[Rater], samples: Sequence[str], criterion: Criterion) -> np.ndarray:
    """(samples, raters) scores, NaN where there is none."""
    result = np.full((len(samples), len(raters)), np.nan)
    for column, rater in enumerate(raters):
        for row, name in enumerate(samples):
            answer = rater.result.answers.get(name)
            score = answer.scores.get(criterion.name) if answer else None
            if score is not None:
                result[row, column] = score
    return result


def graded(values: np.ndarray, criterion: Criterion) -> np.ndarray:
    """Scores as steps of quality, from 1: what kind of failure it is says nothing of how bad."""
    if not criterion.failures:
        return values
    return np.where(np.isnan(values), np.nan, np.where(values == criterion.best, 2.0, 1.0))


def _holds(
    key: Key, task: Rating, samples: Sequence[str], matrices: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Of words of which several may hold: agreement on all of them together, and how often people
    confirm the one that the rows say."""
    every = np.stack([matrices[c.name] for c in task.criteria], axis=1)
    own = [matrices[key.items[name].relation][row] for row, name in enumerate(samples)]
    confirmed = agreement.mean(np.array(own).reshape(every.shape[0], every.shape[2]), seed)
    return {"fleiss": agreement.fleiss_of_several(every, seed), "confirmed": confirmed}


def _confirmed(
    key: Key, samples: Sequence[str], matrices: Mapping[str, np.ndarray], seed: int
) -> agreement.Estimate | None:
    """How often people say what the rows say; None where rows say nothing."""
    said = [
        np.where(np.isnan(values := matrices[c][row]), np.nan, np.where(values == score, 2.0, 1.0))
        for row, name in enumerate(samples)
        for c, score in key.items[name].known.items()
    ]
    return agreement.mean(np.array(said), seed) if said else None


def _criterion(criterion: Criterion, values: np.ndarray, seed: int, task: Rating) -> dict[str, Any]:
    """Statistics of one question. Of nine that are one, Cohen's kappas of each tell little."""
    ordinal = criterion.grades > 2
    pairs = agreement.cohen(values, criterion.best, weighted=False)
    weighted = agreement.cohen(values, criterion.best, weighted=True) if ordinal else None
    return {
        "title": criterion.title,
        "labels": list(criterion.labels),
        "scale": [0, criterion.grades - 1],
        "mean": agreement.mean(graded(values, criterion), seed),
        "counts": _counts(values, criterion),
        "cant_tell": int(np.isnan(values).sum()),
        "same": agreement.agreeing(values),
        "fleiss": agreement.fleiss(values, criterion.best, seed),
        "cohen": (
            None if task.several else agreement.mean_cohen(values, criterion.best, False, seed)
        ),
        "cohen_weighted": (
            agreement.mean_cohen(values, criterion.best, True, seed) if ordinal else None
        ),
        "cohen_pairs": pairs.tolist(),
        "cohen_weighted_pairs": weighted.tolist() if weighted is not None else None,
    }


def _counts(values: np.ndarray, criterion: Criterion) -> list[int]:
    return [int((values == score).sum()) for score in range(1, criterion.best + 1)]


def acceptance(
    task: Rating,
    criteria: Mapping[str, Any],
    raters: int,
    holds: Mapping[str, Any] | None = None,
    confirmed: agreement.Estimate | None = None,
) -> dict[str, Any] | None:
    """The paper's rule on every criterion; None where it does not apply (one rater, screening).

    Where the criteria are words of which several may hold, it is one on all of them together, and
    the quality is the share of rows whose own word is confirmed; so it is where rows have an answer
    of their own, No as often as Yes.
    """
    if task.name == "screening" or raters < 2:
        return None
    judged = [(c.name, c.grades - 1, criteria[c.name]["fleiss"], criteria[c.name]["mean"])
              for c in task.criteria]  # fmt: skip
    if holds:
        judged = [(TOGETHER, 1, holds["fleiss"], holds["confirmed"])]
    if confirmed is not None:
        judged = [(name, 1, kappa, confirmed) for name, _, kappa, _ in judged]
    rules = []
    for name, best, kappa, mean in judged:
        value, middle = mean.value, best / 2
        if math.isnan(kappa.value):
            told = "Fleiss’ kappa is not defined: everybody gave the same score"
        else:
            told = f"Fleiss’ kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
        rules += [
            {
                "criterion": name,
                "rule": f"kappa above {KAPPA_ABOVE}",
                "found": told,
                "passed": bool(kappa.value > KAPPA_ABOVE),
            },
            {
                "criterion": name,
                "rule": f"acceptable: mean {middle:g} or more of {best}",
                "found": f"mean {value:.2f}",
                "passed": bool(value >= middle),
            },
        ]
    return {"passed": all(rule["passed"] for rule in rules), "rules": rules}


def _rater(
    rater: Rater,
    counted: Sequence[Rater],
    key: Key,
    task: Rating,
    samples: Sequence[str],
    matrices: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": rater.name,
        "rater_id": rater.result.rater_id,
        "counted": rater.counted,
        "problems": list(rater.problems),
        "notes": list(rater.notes),
        "checks_right": rater.checks_right,
        "checks_all": rater.checks_all,
        "median_s": round(rater.median_s, 2),
        "minutes": round(sum(a.ms for a in rater.result.answers.values()) / 60000, 1),
        "cant_tell": sum(
            score is None for a in rater.result.answers.values() for score in a.scores.values()
        ),
    }
    if not rater.counted:
        return said
    column = counted.index(rater)
    place = {name: index for index, name in enumerate(key.items)}
    number = len(key.items)
    seen = np.array([(place[name] - rater.result.offset) % number for name in samples])
    positions = seen / max(1, number - 1)
    seconds = [
        rater.result.answers[name].ms / 1000 if name in rater.result.answers else np.nan
        for name in samples
    ]
    said["seconds_by_part"] = _by_part(np.array(seconds), positions, np.nanmedian)
    said["criteria"] = {
        c.name: {
            "counts": _counts(matrices[c.name][:, column], c),
            "mean": agreement.mean(steps[:, [column]], seed),
            "bias": agreement.bias(steps, column, seed),
            "drift": agreement.drift(steps, column, positions),
            "apart_by_part": _by_part(agreement.from_others(steps, column), positions, np.nanmean),
        }
        for c in task.criteria
        for steps in [graded(matrices[c.name], c)]
    }
    return said


def _by_part(values: np.ndarray, positions: np.ndarray, of) -> list[float]:
    """`of` the values in each fifth of the session, NaN where there are none."""
    part = np.minimum((positions * PARTS).astype(int), PARTS - 1)
    parts = [values[(part == index) & np.isfinite(values)] for index in range(PARTS)]
    return [float(of(one)) if len(one) else math.nan for one in parts]


def _disputed(
    task: Rating,
    counted: Sequence[Rater],
    samples: Sequence[str],
    matrices: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Samples with the largest spread of scores, each criterion on a scale of 0 to 1."""
    if len(counted) < 2:
        return []
    spread = np.zeros(len(samples))
    for c in task.criteria:
        points = (graded(matrices[c.name], c) - 1) / (c.grades - 1)
        known = np.isfinite(points)
        number = np.maximum(known.sum(axis=1), 1)
        filled = np.where(known, points, 0)
        mean = filled.sum(axis=1) / number
        spread += np.where(known, (points - mean[:, None]) ** 2, 0).sum(axis=1) / number
    order = sorted(
        np.flatnonzero(spread > 0).tolist(), key=lambda i: (-round(float(spread[i]), 9), i)
    )
    return [
        {
            "sample": samples[i],
            "spread": float(spread[i]),
            "scores": {
                c.name: {r.name: _score(r, samples[i], c.name) for r in counted}
                for c in task.criteria
            },
            "comments": _comments(counted, samples[i]),
        }
        for i in order[:DISPUTED]
    ]


def _answer(rater: Rater, sample: str) -> Answer:
    return rater.result.answers.get(sample) or Answer({})


def _score(rater: Rater, sample: str, criterion: str) -> int | None:
    return _answer(rater, sample).scores.get(criterion)


def _comments(raters: Sequence[Rater], sample: str) -> dict[str, str]:
    said = {rater.name: _answer(rater, sample).comment.strip() for rater in raters}
    return {name: comment for name, comment in said.items() if comment}


def _judgements(key: Key, task: Rating, counted: Sequence[Rater]) -> list[dict[str, Any]]:
    """One entry a row and rater: points of 0 to 1 and whether the rater rejects the row. A row
    that says a relation is rejected by who does not choose it, whatever else may hold; one with an
    answer of its own by who gives another."""
    found = []
    for name, item in key.items.items():
        for rater in counted if item.row is not None else ():
            scores = {
                c: score for c, score in _answer(rater, name).scores.items() if score is not None
            }
            own = item.known or ({item.relation: HOLDS} if item.relation else {})
            if own and own.keys() <= scores.keys():
                denied = any(scores[c] != score for c, score in own.items())
                found.append(
                    {
                        "row": item.row,
                        "rater": rater.result.rater_id,
                        "points": float(not denied),
                        "rejects": denied,
                    }
                )
            elif scores:
                points = [task.criterion(c).points(s) for c, s in scores.items()]
                failed = [f for c, s in scores.items() if (f := task.criterion(c).failure(s))]
                found.append(
                    {
                        **({"failure": failed[0]} if failed else {}),
                        "row": item.row,
                        "rater": rater.result.rater_id,
                        "points": round(sum(points) / len(points), 6),
                        "rejects": any(
                            task.criterion(c).rejects and s == 1 for c, s in scores.items()
                        ),
                    }
                )
    return found


def comments(key: Key, raters: Sequence[Rater]) -> list[tuple[str, str, str]]:
    """(sample, rater, comment) of everything that raters wrote, in page order."""
    return [
        (name, rater, text) for name in key.items for rater, text in _comments(raters, name).items()
    ]


def _plain(value: Any) -> Any:
    """JSON values: estimates as objects, NaN as null."""
    if isinstance(value, agreement.Estimate):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value

"""Result files of raters: is this a whole, honest answer to this page?

A file that is damaged or of another page is a `UserError`. One that is whole but can't be counted
(unfinished, too fast, check questions wrong) stays out of the statistics and says why.
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from core.errors import UserError
from review.criteria import Rating

KEY_FORMAT = "lego-arta review key 1"
RESULT_FORMAT = "lego-arta review result 1"
# Wrong scores on check questions that are let through: one slip is human.
WRONG_MAX = 1
MAX_BYTES = 20_000_000
# Of the paper's time a question, what is worth a remark.
SLOW, FAST = 3.0, 0.5


class KeyItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question of a page: its row, and the scores that it says; or (row null) scores that are
    known to be right."""

    row: str | None
    manual_id: str
    known: dict[str, int] = {}
    relation: str = ""  # of a pair: the one that its rows say


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key file of a page: what its questions are. `build` is the build's fingerprint."""

    format: str
    page_id: str
    task: str
    build: str
    items: dict[str, KeyItem]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sample: scores by criterion (null: can't tell), and how it was answered."""

    scores: dict[str, int | None]
    comment: str = ""
    ms: float = 0
    at: str = ""
    visits: int = 1


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page saves. `offset` is the sample that the rater began with."""

    format: str
    page_id: str
    task: str
    rater: str
    rater_id: str
    offset: int
    position: int
    started_at: str | None
    answers: dict[str, Answer]
    saved_at: str
    answered: int
    complete: bool


class Rater(NamedTuple):
    """A result file against its key. `problems` keep it out of the statistics, `notes` don't."""

    name: str
    result: Result
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    checks_right: int
    checks_all: int
    median_s: float

    @property
    def counted(self) -> bool:
        """Whether the ratings count."""
        return not self.problems


def read_key(path: Path) -> Key:
    """A key file; raises `UserError`."""
    key = _read(path, Key, "a key file; make writes it beside the page")
    if key.format != KEY_FORMAT:
        raise UserError(f"{path}: format {key.format!r}, this version reads {KEY_FORMAT!r}")
    return key


def find_key(result: Path) -> Path:
    """The key of a result's page among the key files beside it and here; raises `UserError`."""
    page_id = _read(result, Result, "a result file; a page saves them").page_id
    for path in sorted({*result.parent.glob("*.key.json"), *Path().glob("*.key.json")}):
        try:
            if read_key(path).page_id == page_id:
                return path
        except UserError:
            continue  # of another kind; not ours to judge
    raise UserError(
        f"{result}: no *.key.json of page {page_id[:8]} beside it or here; give it with --key"
    )


def read_result(path: Path, key: Key, task: Rating) -> Result:
    """A result file of the page of `key`; raises `UserError` for any other or a damaged one."""
    result = _read(path, Result, "a result file; a page saves them")
    if result.format != RESULT_FORMAT:
        raise UserError(f"{path}: format {result.format!r}, this version reads {RESULT_FORMAT!r}")
    if result.page_id != key.page_id or result.task != key.task:
        raise UserError(
            f"{path}: of page {result.page_id[:8]} ({result.task}), the key is of "
            f"{key.page_id[:8]} ({key.task}); give --key of its page"
        )
    if not result.rater_id or not 0 <= result.offset < len(key.items):
        raise UserError(f"{path}: no rater id, or offset {result.offset} out of range; not saved")
    for name, answer in result.answers.items():
        if name not in key.items:
            raise UserError(f"{path}: question {name} is not on the page; the file was changed")
        if not (math.isfinite(answer.ms) and answer.ms >= 0):
            raise UserError(f"{path}: {name} took {answer.ms} ms; the file was changed")
        _check_scores(path, name, answer, task)
    return result


def _check_scores(path: Path, name: str, answer: Answer, task: Rating) -> None:
    for criterion, score in answer.scores.items():
        known = {c.name: c.best for c in task.criteria}
        if criterion not in known or not (score is None or 1 <= score <= known[criterion]):
            raise UserError(f"{path}: {name} has {criterion} = {score}; the file was changed")


def _read(path: Path, record_type, what: str):
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES:,} bytes; not {what}")
        return msgspec.json.decode(path.read_bytes(), type=record_type)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{path}: not {what} ({error})") from None


def newest(results: Sequence[Result]) -> list[Result]:
    """One result a rater: of several files from one browser the one saved last."""
    best: dict[str, Result] = {}
    for result in results:
        old = best.get(result.rater_id)
        if old is None or (result.answered, result.saved_at) > (old.answered, old.saved_at):
            best[result.rater_id] = result
    return list(best.values())


def checked(
    results: Sequence[Result],
    key: Key,
    task: Rating,
    wrong_max: int = WRONG_MAX,
    partial: bool = False,
) -> list[Rater]:
    """Raters with what is wrong with their files, in order of their names.

    `wrong_max` scores on check questions may be wrong; `partial` lets unfinished files count.
    """
    named = sorted(newest(results), key=lambda r: (r.rater.casefold(), r.rater_id))
    names = _names(named)
    return [
        _rater(name, result, key, task, wrong_max, partial)
        for name, result in zip(names, named, strict=True)
    ]


def _names(results: Sequence[Result]) -> list[str]:
    """Names to tell raters apart by, in the order given."""
    names = [" ".join(result.rater.split())[:40] or "nameless" for result in results]
    return [
        name if names.count(name) == 1 else f"{name} ({result.rater_id[:4]})"
        for name, result in zip(names, results, strict=True)
    ]


def _rater(
    name: str, result: Result, key: Key, task: Rating, wrong_max: int, partial: bool
) -> Rater:
    problems: list[str] = []
    notes: list[str] = []
    wanted = {criterion.name for criterion in task.criteria}
    done = {q: a for q, a in result.answers.items() if wanted <= a.scores.keys()}
    if len(done) < len(key.items):
        (notes if partial else problems).append(f"{len(done)} of {len(key.items)} samples answered")
    known = {q: item.known for q, item in key.items.items() if item.row is None}
    right = sum(
        result.answers[q].scores.get(c) == score
        for q, scores in known.items()
        if q in done
        for c, score in scores.items()
    )
    asked = sum(len(scores) for q, scores in known.items() if q in done)
    if asked - right > wrong_max:
        problems.append(f"{right} of {asked} scores right on the check questions")
    seconds = median([answer.ms / 1000 for answer in done.values()]) if done else 0.0
    if done and seconds < task.least_median_s:
        problems.append(
            f"{seconds:.1f} s a sample: too fast to have looked (at least {task.least_median_s:g})"
        )
    low, high = (60 * minutes / 100 for minutes in task.minutes)
    if not problems and not FAST * low <= seconds <= SLOW * high:
        notes.append(f"{seconds:.1f} s a sample; expected are {low:.0f} to {high:.0f}")
    notes += _oddities(result, done, task)
    return Rater(name, result, tuple(problems), tuple(notes), right, asked, seconds)


def _oddities(result: Result, done: Mapping[str, Answer], task: Rating) -> list[str]:
    """What is worth a second look without being wrong."""
    notes = []
    rules = task.against.rules if task.against else ()
    against = sum(
        any(all(a.scores.get(name) == score for name, score in rule) for rule in rules)
        for a in done.values()
    )
    if against and task.against:
        notes.append(f"{against} {task.against.note}")
    times = [_time(answer.at) for answer in done.values()]
    if any(time is None for time in times):
        notes.append("answers without a time")
    elif times and result.started_at and (began := _time(result.started_at)):
        span = (max(t for t in times if t) - began).total_seconds()
        if span < 0.5 * sum(answer.ms for answer in done.values()) / 1000:
            notes.append("more time on samples than passed; the clock was changed")
    return notes


def _time(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None

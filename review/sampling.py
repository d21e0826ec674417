"""Which rows raters see, in which order, with check questions among them (features.md T18).

Choices rank ids by a hash with the seed: the order of files changes nothing, and a build with a few
more rows gives almost the same sample.
"""

import collections
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from core.build import BuildRow
from core.errors import UserError
from review import checks
from review.criteria import Rating
from review.questions import Question, object_question, state_question
from review.rows import entries_of, group_of, rank

CHECKS = ("mixed", "first", "none")
# Check questions come no earlier than this when they are mixed in.
UNCHECKED_START = 2


class Sample(NamedTuple):
    """The questions of a page in order, and how many rows could have been asked about."""

    questions: list[Question]
    candidates: int


def sample(
    build: Path, task: Rating, number: int, seed: int, where: str, skip: Collection[str] = ()
) -> Sample:
    """Draw `number` rows and the task's check questions; fewer rows when the build has fewer.

    Raises `UserError` when there is nothing to ask.
    """
    rows = entries_of(build, task.config)
    wanted = [r for r in rows if (task.config == "object" or r.columns["label"] == 0)]
    candidates = [row for row in wanted if row.id not in skip]
    if not candidates:
        seen = f"; all {len(wanted)} are in --skip" if wanted else ""
        raise UserError(f"{build}: no {task.config} rows to ask about{seen}; build more manuals")
    chosen = spread(candidates, number, f"{seed}:{task.name}")
    if task.config == "object":
        questions = [object_question(row) for row in chosen]
    else:
        right = {group_of(row): row for row in rows if row.columns["label"] == 1}
        questions = [state_question(row, right[group_of(row)]) for row in chosen]
    if where == "none" or not task.checks:
        return Sample(questions, len(candidates))
    known = checks.questions(task, build, rows, {group_of(row) for row in chosen}, seed)
    return Sample(arranged(questions, known, where, seed), len(candidates))


def spread(rows: Sequence[BuildRow], number: int, seed: str) -> list[BuildRow]:
    """`number` rows at random, no group a second time before every group has been taken once."""
    turns: collections.Counter = collections.Counter()
    ranked = []
    for row in sorted(rows, key=lambda row: rank(seed, row.id)):
        ranked.append((turns[group_of(row)], rank(seed, row.id), row))
        turns[group_of(row)] += 1
    taken = sorted(ranked, key=lambda item: item[:2])[:number]
    return sorted((row for _, _, row in taken), key=lambda row: rank(f"{seed}:order", row.id))


def arranged(
    questions: Sequence[Question], known: Sequence[Question], where: str, seed: int
) -> list[Question]:
    """Check questions first, as in the paper, or one somewhere in each of as many equal parts."""
    if where == "first":
        return [*known, *questions]
    result = list(questions)
    start = min(UNCHECKED_START, len(questions))
    size = (len(questions) - start) / len(known)
    shuffled = sorted(enumerate(known), key=lambda item: rank(seed, f"check {item[0]}"))
    for part, (_, question) in reversed(list(enumerate(shuffled))):
        offset = int(rank(seed, f"place {part}")[:8], 16) / 16**8
        result.insert(start + int((part + offset) * size), question)
    return result

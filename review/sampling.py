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
from review.questions import (
    Question,
    balanced_question,
    mask_question,
    object_question,
    spatial_question,
    state_question,
)
from review.rows import entries_of, group_of, is_choice, rank
from tasks import TASKS

CHECKS = ("mixed", "first", "none")
# Check questions come no earlier than this when they are mixed in.
UNCHECKED_START = 2


class Sample(NamedTuple):
    """The questions of a page in order, and how many rows (of pairs: pairs) could have been asked
    about. The first `unsure` ones are those that need people most."""

    questions: list[Question]
    candidates: int
    unsure: int = 0


def sample(
    build: Path, task: Rating, number: int, seed: int, where: str, skip: Collection[str] = ()
) -> Sample:
    """Draw `number` rows and the task's check questions; fewer rows when the build has fewer.

    Rows that nobody is sure of (text and picture say opposite things) come first, as many as there
    is room for. Raises `UserError` when there is nothing to ask.
    """
    rows = entries_of(build, task.config)
    wanted = [row for row in rows if _is_asked_about(row)]
    candidates = [row for row in wanted if row.id not in skip]
    if not candidates:
        seen = f"; all {len(wanted)} are in --skip" if wanted else ""
        raise UserError(f"{build}: no {task.config} rows to ask about{seen}; build more manuals")
    unsure = {row.id for row in candidates if TASKS[row.config].rows.trains_only(row.columns)}
    seeded = f"{seed}:{task.name}"
    chosen = spread([row for row in candidates if row.id in unsure], number, seeded)
    first = len(chosen)
    others = [row for row in candidates if row.id not in unsure]
    chosen += spread(others, number - first, seeded)
    if task.config == "object":
        questions = [object_question(row) for row in chosen]
    elif task.config == "state_balanced":
        questions = [balanced_question(row) for row in chosen]
    elif task.config == "mask":
        questions = [mask_question(row) for row in chosen]
    elif task.config == "spatial":
        questions = [spatial_question(row) for row in chosen]
    else:
        right = {group_of(row): row for row in rows if row.columns["label"] == 1}
        questions = [state_question(row, right[group_of(row)]) for row in chosen]
    if where == "none" or not task.checks:
        return Sample(questions, len(candidates), first)
    known = checks.questions(task, build, rows, {group_of(row) for row in chosen}, seed)
    return Sample(arranged(questions, known, where, seed), len(candidates), first)


def _is_asked_about(row: BuildRow) -> bool:
    """Objects, masks, balanced and wrong states, and of every pair of things one row: all say one
    relation."""
    if row.config == "spatial":
        return is_choice(row)
    return row.config in ("object", "mask", "state_balanced") or row.columns["label"] == 0


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

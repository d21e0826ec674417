"""Answers that a model has put into other words: in the rows of a build, and on its card."""

from pathlib import Path
from typing import Any, NamedTuple

from core.records import load
from core.shards import Values
from core.store import rewritten_file

CONFIG = "spatial"  # whose answers may come in other words


class Rewritten(NamedTuple):
    """Who was asked, and how many lines were kept and refused, by reason."""

    model: str
    base_url: str
    counts: dict[str, int]

    @property
    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return self._asdict()


def other_words(work: Path, manual_id: str) -> Values:
    """What shards say of a manual's spatial rows whose answers are others now, by row id."""
    answers = load(rewritten_file(work, manual_id), dict[str, str])
    return {"answer": answers, "diversified": dict.fromkeys(answers, True)}


def diversified(by_rules: bool, rewritten: Rewritten | None) -> str:
    """Where other words for answers come from, as the command line says it."""
    if rewritten:
        return "endpoint"
    return "rules" if by_rules else "none"


def card_text(rewritten: Rewritten | None) -> str:
    """What the card says of it, under the counts of spatial rows; empty without a model."""
    if rewritten is None:
        return ""
    counts = dict(rewritten.counts)
    lines, kept = counts.pop("lines"), counts.pop("kept")
    others = ", ".join(f"{number:,} {why}" for why, number in counts.items() if number)
    return (
        f"\n`{rewritten.model}` was asked to put {lines:,} answers into other words. {kept:,} are "
        "in the rows (`diversified`), for they\nname the same things and say the same relations"
        f"{'; the rest stayed as it was: ' + others if others else ''}.\n"
    )

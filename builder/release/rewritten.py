"""What a model has put into other words: in the rows of a build, and on its card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from core.records import load
from core.shards import Values
from core.store import rewritten_file

# Whose words may be others, and what of them.
CONFIGS = {"spatial": "answers", "mask": "instructions"}


class Rewritten(NamedTuple):
    """Who was asked, and by config how many lines were kept and refused, by reason."""

    model: str
    base_url: str
    counts: dict[str, dict[str, int]]

    @property
    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return self._asdict()


def other_words(
    work: Path, manual_id: str, config: str, besides: Callable[[], Values] | None = None
) -> Values:
    """What shards say of a manual's rows of a config whose words are others now, by column and row
    id; `besides` works out other columns."""
    told = load(rewritten_file(work, manual_id), dict[str, dict[str, dict[str, Any]]])
    return {**(besides() if besides else {}), **told[config]}


def diversified(by_rules: bool, rewritten: Rewritten | None) -> str:
    """Where other words for answers come from, as the command line says it."""
    if rewritten:
        return "endpoint"
    return "rules" if by_rules else "none"


def card_text(rewritten: Rewritten | None, config: str) -> str:
    """What the card says of it, beside the numbers of a config; empty without a model."""
    if rewritten is None:
        return ""
    counts = dict(rewritten.counts[config])
    lines, kept = counts.pop("lines"), counts.pop("kept")
    others = ", ".join(f"{number:,} {why}" for why, number in counts.items() if number)
    return (
        f"\n`{rewritten.model}` was asked to put {lines:,} {CONFIGS[config]} into other words. "
        f"{kept:,} are in the rows (`diversified`), for they\nname the same things and say the "
        f"same relations{'; the rest stayed as it was: ' + others if others else ''}.\n"
    )

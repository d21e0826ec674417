"""Scoring of Yes and No beside a reference: as without, with what comparing pixels would answer."""

from collections.abc import Sequence
from dataclasses import replace

from core.items import Item
from tasks.state.score import SCORE as STATE
from tasks.state.text import NO, YES


def least_different(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """Yes to the attempt of each group whose pixels differ least from the reference."""
    least: dict[str | None, tuple[float, str]] = {}
    for item in items:
        found = (float(item.derived["difference"]), item.id)
        least[item.group_id] = min(found, least.get(item.group_id, found))
    return [YES if least[item.group_id][1] == item.id else NO for item in items]


SCORE = replace(
    STATE,
    about="balanced: mean of TPR and TNR, 50 is chance; least-different says Yes to the attempt of "
    "a group whose pixels differ least from the reference.",
    baselines={
        **{name: one for name, one in STATE.baselines.items() if name != "place"},
        "least-different": least_different,
    },
)

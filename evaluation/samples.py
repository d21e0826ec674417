"""One answer against its gold: the additive counts that metrics are formulas over."""

import numpy as np

from core.items import Item
from core.metrics import READ, Metric, Said, Sums
from tasks import EVERY_TASK
from tasks.task import Answered


def score_sample(item: Item, said: Said) -> Answered:
    """Counts of one answer; no answer (None) is an answer that can't be read."""
    score = EVERY_TASK[item.config].score
    found = score.answered(item, said)
    read = said.answer is not None and found.status in READ
    copied = said.answer is not None and bool(said.shown) and score.copies(said.answer, said.shown)
    counts = {
        **found.counts,
        "n": 1.0,
        "parsed": float(read),
        "demo_shown": float(bool(said.shown)),
        "demo_copied": float(copied),
    }
    return found._replace(counts=counts, status="missing" if said.answer is None else found.status)


def metric(config: str, name: str) -> Metric:
    """A metric of a task by its name; raises KeyError for an unknown one."""
    return {each.name: each for each in EVERY_TASK[config].score.metrics}[name]


def evaluate(config: str, sums: Sums) -> dict[str, np.ndarray]:
    """Every metric of a task over (arrays of) sums."""
    return {each.name: each.of(sums) for each in EVERY_TASK[config].score.metrics}

"""What runs answer instead of what holds: a table of counts a run, where answers are labels."""

from collections import Counter
from collections.abc import Sequence

from core.items import Item
from core.metrics import Said
from evaluation.tables import Cell, Table
from tasks import EVERY_TASK

OTHER = "other"
ABOUT = (
    "Rows: what holds; columns: what was answered, as often as the numbers say. Of several labels "
    "that hold an answer counts in the row of the one that it says, else in that of the first. "
    "Other: no label could be read, or several were."
)


def confusion_table(
    config: str, title: str, items: Sequence[Item], saids: Sequence[Said]
) -> Table | None:
    """Right labels by answered ones, and other answers; None for tasks that answer no labels."""
    confused = EVERY_TASK[config].score.confused
    if confused is None:
        return None
    pairs = [confused.pair(item, said) for item, said in zip(items, saids, strict=True)]
    counts = Counter(pair for pair in pairs if pair is not None)
    if not counts:
        return None
    names = list(confused.labels)
    columns: list[str | None] = [*names, None]
    rows = [
        [Cell(confused.labels[gold])]
        + [Cell(f"{counts[gold, said]:,}", bold=gold == said) for said in columns]
        + [Cell(f"{sum(counts[gold, said] for said in columns):,}")]
        for gold in names
    ]
    every = [sum(counts[gold, said] for gold in names) for said in columns]
    rows.append([Cell("all"), *(Cell(f"{number:,}") for number in [*every, sum(every)])])
    head = ["holds", *confused.labels.values(), OTHER, "all"]
    return Table(title, head, rows, rules=[len(names)], about=ABOUT)

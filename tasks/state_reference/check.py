"""What must hold for states with a reference: two pictures, the answer that the label says."""

from collections.abc import Iterator

from tasks.state.text import NO, YES
from tasks.state_reference.text import LABELS
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    if tuple(row["labels"]) != LABELS:
        yield f"{row['id']}: the pictures are {LABELS}, found {row['labels']}"
    if row["answer"] != (YES if row["label"] == 1 else NO):
        yield f"{row['id']}: label {row['label']} and answer {row['answer']!r} differ"
    if bool(row["negative_kind"]) == (row["label"] == 1):
        yield f"{row['id']}: only a wrong state has a kind, found {row['negative_kind']!r}"


CHECK = Check(violations)

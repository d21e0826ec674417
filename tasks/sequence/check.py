"""What must hold for sequences: letters that are options, as many pictures as labels."""

from collections.abc import Iterator

from tasks.sequence.text import FORMS, LETTERS
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name, letters = row["id"], row["answer"].split(", ")
    if row["form"] not in FORMS:
        yield f"{name}: form is one of {tuple(FORMS)}, found {row['form']!r}"
    if not set(letters) <= set(LETTERS) or len(letters) != (4 if row["form"] == "order" else 1):
        yield f"{name}: the answer is a letter, or all of them, found {row['answer']!r}"
    if tuple(row["labels"][-len(LETTERS) :]) != tuple(LETTERS):
        yield f"{name}: the options are {LETTERS}, found {row['labels']}"


CHECK = Check(violations)

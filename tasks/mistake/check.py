"""What must hold for mistakes: a kind, a correction, boxes in the picture, a level where moved."""

from collections.abc import Iterator

from core.scenes import KINDS
from tasks.invariants import box_violations
from tasks.state.difficulty import LEVELS
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name, kind = row["id"], row["negative_kind"]
    if kind not in KINDS or not row["correction"]:
        yield f"{name}: one of {KINDS} and a correction, found {kind!r}, {row['correction']!r}"
    if (row["difficulty"] in LEVELS) != (kind == "shift"):
        yield f"{name}: a level where a part was moved, found {row['difficulty']!r} of {kind}"
    for column in ("error_box_px", "correct_box_px"):
        if row[column] is not None:
            yield from box_violations(name, row[column], (0, 0, *size_wh))


CHECK = Check(violations)

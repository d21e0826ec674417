"""What must hold for object rows: a part in each cell, and boxes that lie in it."""

from collections.abc import Iterator

from tasks.invariants import EPSILON_PX, box_violations
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row. Of imported ones the other cells are not known."""
    if not row["targets"]:
        yield f"{row['id']}: at least one target, found none"
    cells = {row["cell"], *(entry["cell"] for entry in row["distractors"])}
    if cells != {0, 1, 2, 3} and not imported:
        yield f"{row['id']}: something in each of four cells, found {sorted(cells)}"
    for entry, cell in [
        *((target, row["cell"]) for target in row["targets"]),
        *((other, other["cell"]) for other in row["distractors"]),
    ]:
        width, height = size_wh
        left, top = cell % 2 * width / 2, cell // 2 * height / 2
        frame = (left, top, left + width / 2, top + height / 2)
        if row.get("corruption") == "perspective":  # a copy that is seen from another side
            frame = (0, 0, width, height)
        for box in [entry["box_px"], *entry["instances_px"]]:
            yield from box_violations(row["id"], box, frame)
        scaled = [v * s / 100 for v, s in zip(entry["box_norm100"], size_wh * 2, strict=True)]
        if max(abs(a - b) for a, b in zip(scaled, entry["box_px"], strict=True)) > EPSILON_PX * 10:
            yield f"{row['id']}: box_norm100 and box_px agree, found {scaled} and {entry['box_px']}"


CHECK = Check(violations)

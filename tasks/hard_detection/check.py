"""What must hold: boxes in their cells of the grid, equal parts nowhere but where it is said."""

from collections.abc import Iterator

from tasks.hard_detection.text import QUESTIONS, RELATIONS
from tasks.invariants import box_violations
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name, grid, question = row["id"], row["grid"], row["question"]
    if question not in QUESTIONS:
        yield f"{name}: question is one of {QUESTIONS}, found {question!r}"
    if (question == "absent") != (not row["targets"]):
        yield f"{name}: targets, but for an absent part, found {len(row['targets'])}"
    if question != "one" and row["equal_parts"]:
        yield f"{name}: equal parts beside those of the answer only where one is asked for"
    if sorted(row["relations"]) != sorted(r for r in row["relations"] if r in RELATIONS):
        yield f"{name}: relations are some of {RELATIONS}, found {row['relations']}"
    if len(row["relations"]) != grid**2:
        yield f"{name}: {grid**2} pictures in the grid, found {len(row['relations'])}"
    side_wh = (size_wh[0] / grid, size_wh[1] / grid)
    for entry in (*row["targets"], *row["equal_parts"], *row["distractors"]):
        left, top = entry["cell"] % grid * side_wh[0], entry["cell"] // grid * side_wh[1]
        for box in [entry["box_px"], *entry["instances_px"]]:
            frame = (left, top, left + side_wh[0], top + side_wh[1])
            yield from box_violations(name, box, frame)


CHECK = Check(violations)

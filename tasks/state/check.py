"""What must hold for state rows: labels, kinds and boxes agree; three wrong to a right one."""

import collections
from collections.abc import Iterator, Sequence

from core.scenes import KINDS
from synthesis.negatives import NEGATIVES_PER_STEP
from synthesis.placement import SHIFT_FRACTION_MIN
from tasks.invariants import box_violations
from tasks.state.text import EXACT, NO, YES
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row. Of imported ones nobody knows what was done to them."""
    positive, kind = row["label"] == 1, row["negative_kind"]
    if row["answer"] != (YES if positive else NO):
        yield f"{row['id']}: label {row['label']} and answer agree, found {row['answer']!r}"
    if not positive and kind not in KINDS:
        yield f"{row['id']}: negative_kind is one of {KINDS}, found {kind!r}"
    if positive != (kind is None):
        yield f"{row['id']}: negative_kind is null for positives only"
    if imported:
        return
    if positive != (row["correction"] is None):
        yield f"{row['id']}: correction is null for positives only, found {row['correction']!r}"
    # What was built another way was moved by whole studs; only pictures are moved by pixels.
    rendered = row["provenance"]["annotator"] == EXACT
    moved, least = (("shift",), 0.0) if rendered else (("shift", "extra"), SHIFT_FRACTION_MIN)
    if kind in moved and row["shift_fraction"] < least:
        yield f"{row['id']}: moved by at least {least}, found {row['shift_fraction']}"
    if kind not in moved and row["shift_fraction"] != 0:
        yield f"{row['id']}: nothing moved in a {kind}, found {row['shift_fraction']}"
    if positive and row["false_facts"]:
        yield f"{row['id']}: all is true of a right state, found {row['false_facts']}"
    if rendered and not positive and not row["false_facts"]:
        yield f"{row['id']}: a wrong state says which facts are false, found none"
    if (kind == "missing" and not rendered) != (row["part_box_px"] is None):
        yield f"{row['id']}: part_box_px is null for a missing part only"
    for name in ("part_box_px", "correct_box_px"):
        if row[name] is not None:
            yield from box_violations(row["id"], row[name], (0, 0, *size_wh))


def group_violation(labels: Sequence[int]) -> str:
    """What is wrong with the labels of the rows of one step; empty for nothing."""
    found = dict(collections.Counter(labels))
    if found == {1: 1, 0: NEGATIVES_PER_STEP}:
        return ""
    return f"1 positive and {NEGATIVES_PER_STEP} negatives, found {found}"


CHECK = Check(violations, group_violation)

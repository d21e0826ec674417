"""What must hold for groups of four: each picture and each instruction is right once."""

import collections
from collections.abc import Sequence

from tasks.state.check import violations
from tasks.task import Check


def group_violation(labels: Sequence[int]) -> str:
    """What is wrong with the labels of the rows of one step; empty for nothing."""
    found = dict(collections.Counter(labels))
    return "" if found == {1: 2, 0: 2} else f"2 positives and 2 negatives, found {found}"


CHECK = Check(violations, group_violation)

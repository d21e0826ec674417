"""Train and test (features.md R11, B1): by whole sets, or the paper's random 25 %."""

import hashlib
import math
import random
from collections.abc import Iterable, Mapping

from core.names import CONFIGS

TEST_SHARE = 0.25
MODES = ("manual", "paper")


def unit_fraction(unit: str) -> float:
    """A number in [0, 1) that depends on the unit alone: below TEST_SHARE means test."""
    return int(hashlib.sha256(f"lego-arta:{unit}".encode()).hexdigest()[:12], 16) / 16**12


def units_in_test(rows_by_unit: Mapping[str, Mapping[str, int]]) -> set[str]:
    """The units (sets) that go to test, given each one's number of rows by config.

    A unit is in test when its fraction is below TEST_SHARE, so adding manuals moves none. A tiny
    build could leave a config without one of the splits; only then, for that config, the unit with
    the lowest fraction goes to test, or the one with the highest to train, if it has two units.
    Configs may want opposite things of one unit: then the later in this order wins: state, object,
    scene.
    """
    chosen = {unit for unit in rows_by_unit if unit_fraction(unit) < TEST_SHARE}
    for config in reversed(tuple(CONFIGS)):
        having = sorted(
            (unit for unit, rows in rows_by_unit.items() if rows.get(config)), key=unit_fraction
        )
        if len(having) < 2:
            continue
        if not chosen & set(having):
            chosen.add(having[0])
        elif set(having) <= chosen:
            chosen.discard(having[-1])
    return chosen


def groups_in_test(groups: Iterable[str], seed: int) -> set[str]:
    """The paper's way: TEST_SHARE of the groups of one config at random; a group stays whole."""
    distinct = sorted(set(groups))
    count = min(len(distinct) - 1, math.ceil(TEST_SHARE * len(distinct)))
    return set(random.Random(seed).sample(distinct, max(count, 0)))

"""Train and test: by whole sets, or the paper's random 25 % of pairs.

By sets, a hash says where a set goes, so adding manuals moves none. Only where that leaves a config
without one of the splits, sets are moved, or divided for that config, as few as will do: a set into
its sessions, a session into its steps, a step into its items. An item is what is never parted: a
state group, the collages of one object, one scene.
"""

import functools
import hashlib
import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks import TASKS

if TYPE_CHECKING:  # the command line asks for MODES alone, and Parquet takes long to import
    from core.parquet import Index, RowIndex

TEST_SHARE = 0.25
MODES = ("manual", "paper")
Unit = tuple[str, ...]  # the first names of a row's path: (set, session, step, item)
LEVELS = 4
InTest = dict[str, set[tuple[str, str]]]  # (manual id, row id) by config


class Split(NamedTuple):
    """The units in test, those that had to be divided by config, and those that are not where their
    hash says."""

    test: frozenset[Unit] = frozenset()
    divided: Mapping[str, frozenset[Unit]] = {}
    moved: frozenset[Unit] = frozenset()

    def has(self, config: str, path: Unit) -> bool:
        """Whether a row of a config is in test."""
        return unit_of(path, self.divided.get(config, ())) in self.test

    def exceptions(self) -> dict[str, Any]:
        """What the manifest tells of units that were divided or moved, by name."""
        names = {config: sorted(unit[-1] for unit in own) for config, own in self.divided.items()}
        return {"divided": names, "moved": sorted(unit[-1] for unit in self.moved)}


def in_test(
    mode: str,
    index: Mapping[str, "Index"],
    set_of: Mapping[str, str],
    left_out: Collection[str],
    seed: int,
) -> tuple[InTest, dict[str, Any]]:
    """The rows in test, and the exceptions from the rule (`Split.exceptions`).

    `index` is by manual id, as is `set_of`, the set numbers; ids `left_out` are of rows that the
    build will not have.
    """
    if mode == "paper":
        return {c: _by_pairs(c, index, left_out, seed) for c in TASKS}, Split().exceptions()
    paths = {
        config: {
            (manual, row.id): _path(config, set_of[manual], row)
            for manual, rows in index.items()
            for row in rows[config]
            if row.id not in left_out
        }
        for config in TASKS
    }
    split = split_units({config: set(own.values()) for config, own in paths.items()})
    chosen = {
        config: {key for key, path in own.items() if split.has(config, path)}
        for config, own in paths.items()
    }
    return chosen, split.exceptions()


def _path(config: str, set_number: str, row: "RowIndex") -> Unit:
    """Where a row lies: set, session, step, item."""
    item = f"{config}:{row.item or row.group}"
    step = item if row.step_num is None else f"{row.session_id}#{row.step_num}"
    return set_number, row.session_id, step, item


def _by_pairs(
    config: str, index: Mapping[str, "Index"], left_out: Collection[str], seed: int
) -> set[tuple[str, str]]:
    """The rows of a config in test the paper's way. Rows that are left out move no others, unless
    one side would have none."""
    rows = [(manual, row) for manual, own in index.items() for row in own[config]]
    left = {row.group for _, row in rows if row.id not in left_out}
    chosen = groups_in_test((row.group for _, row in rows), seed)
    if left <= chosen or (len(left) > 1 and not left & chosen):
        chosen = groups_in_test(left, seed)
    return {(manual, row.id) for manual, row in rows if row.group in chosen}


@functools.cache
def unit_fraction(unit: str) -> float:
    """A number in [0, 1) that depends on the unit's name alone: below TEST_SHARE means test."""
    return int(hashlib.sha256(f"lego-arta:{unit}".encode()).hexdigest()[:12], 16) / 16**12


def unit_of(path: Unit, divided: Collection[Unit]) -> Unit:
    """The largest unit that a row lies in and that is not divided."""
    length = 1
    while path[:length] in divided:
        length += 1
    return path[:length]


def split_units(paths: Mapping[str, Collection[Unit]]) -> Split:
    """Train and test by sets. `paths` are those of all items of every config, each LEVELS names
    long; an item's last name is its own among all configs.

    A config with two items or more gets both splits, one with a single item train. A unit is in
    test when its fraction is below TEST_SHARE. Where a config would lack a split, the unit nearest
    to it moves, for all configs. Where no moves give every config its splits, a unit is divided for
    one config, and stays whole for the others: that with the fewest units, and of these the unit
    that most configs share.
    """
    divided: dict[str, set[Unit]] = {}
    both = [config for config, own in paths.items() if len(set(own)) > 1]
    while True:
        units = {
            config: {unit_of(path, divided.get(config, ())) for path in own}
            for config, own in paths.items()
        }
        by_hash = frozenset(u for own in units.values() for u in own if _fraction(u) < TEST_SHARE)
        test = None
        if all(len(units[config]) > 1 for config in both):
            test = _settled(by_hash, units, both, frozenset())
        if test is not None:
            parted = {config: frozenset(own) for config, own in sorted(divided.items())}
            return Split(test, parted, test ^ by_hash)
        config, unit = _to_divide(units, both)
        divided.setdefault(config, set()).add(unit)


def _fraction(unit: Unit) -> float:
    return unit_fraction(unit[-1])


def _settled(
    test: frozenset[Unit],
    units: Mapping[str, set[Unit]],
    both: Collection[str],
    moved: frozenset[Unit],
) -> frozenset[Unit] | None:
    """The units in test after moving some, each at most once, so that every config has a train
    split and those in `both` a test split; None where no moves do.
    """
    for config in reversed(list(units)):
        own = units[config]
        if not own or (own - test and (own & test or config not in both)):
            continue
        for unit in sorted(own - moved, key=lambda u: (_fraction(u), u), reverse=own <= test):
            settled = _settled(test ^ {unit}, units, both, moved | {unit})
            if settled is not None:
                return settled
        return None
    return test


def _to_divide(units: Mapping[str, set[Unit]], both: Collection[str]) -> tuple[str, Unit]:
    """(config, unit) to divide next."""
    shared = Counter(unit for own in units.values() for unit in own)
    divisible = {c: [u for u in units[c] if len(u) < LEVELS] for c in both}
    config = min((c for c in both if divisible[c]), key=lambda c: len(units[c]))
    return config, min(divisible[config], key=lambda u: (-shared[u], _fraction(u), u))


def groups_in_test(groups: Iterable[str], seed: int) -> set[str]:
    """The paper's way: TEST_SHARE of the groups of one config at random; a group stays whole. Of
    two groups or more at least one goes to each side, a single one to train."""
    distinct = sorted(set(groups))
    count = min(len(distinct) - 1, math.ceil(TEST_SHARE * len(distinct)))
    return set(random.Random(seed).sample(distinct, max(count, 0)))

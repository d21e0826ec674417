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


class Manual(NamedTuple):
    """What the split needs to know of a manual; ids `left_out` are of rows the build won't have."""

    manual_id: str
    set_number: str
    rows: "Index"
    left_out: Collection[str] = ()


class Rule(NamedTuple):
    """Which rows are in test: by a split of units, or by the names of `groups`, by config."""

    split: Split = Split()
    groups: Mapping[str, frozenset[str]] | None = None

    def in_test(self, config: str, set_number: str, row: "RowIndex") -> bool:
        """Whether a row is in test."""
        if self.groups is not None:
            return row.group in self.groups[config]
        return self.split.has(config, _path(config, set_number, row))


def rule_of(mode: str, manuals: Iterable[Manual], seed: int) -> Rule:
    """The rule that parts the rows of manuals, which are gone through more than once.

    By sets, memory holds the names of sets alone, unless some must be divided; the paper's way it
    holds the names of all groups.
    """
    if mode == "paper":
        return Rule(groups={config: _by_pairs(config, manuals, seed) for config in TASKS})
    sets: dict[str, set[Unit]] = {config: set() for config in TASKS}
    items: dict[str, set[str]] = {config: set() for config in TASKS}  # at most two of each
    for manual in manuals:
        for config in TASKS:
            for row in manual.rows[config]:
                if row.id not in manual.left_out:
                    sets[config].add((manual.set_number,))
                    if len(items[config]) < 2:
                        items[config].add(_path(config, manual.set_number, row)[-1])
    both = [config for config in TASKS if len(items[config]) > 1]
    by_sets = _split(sets, both, {})
    return Rule(by_sets or split_units(_paths(manuals)))


def _paths(manuals: Iterable[Manual]) -> dict[str, set[Unit]]:
    """Where all items lie, by config."""
    paths: dict[str, set[Unit]] = {config: set() for config in TASKS}
    for manual in manuals:
        for config, own in paths.items():
            own |= {
                _path(config, manual.set_number, row)
                for row in manual.rows[config]
                if row.id not in manual.left_out
            }
    return paths


def _path(config: str, set_number: str, row: "RowIndex") -> Unit:
    """Where a row lies: set, session, step, item."""
    item = f"{config}:{row.item or row.group}"
    step = item if row.step_num is None else f"{row.session_id}#{row.step_num}"
    return set_number, row.session_id, step, item


def _by_pairs(config: str, manuals: Iterable[Manual], seed: int) -> frozenset[str]:
    """The groups of a config in test the paper's way. Rows that are left out move no others, unless
    one side would have none."""
    every: set[str] = set()
    left: set[str] = set()
    for manual in manuals:
        for row in manual.rows[config]:
            every.add(row.group)
            if row.id not in manual.left_out:
                left.add(row.group)
    chosen = groups_in_test(every, seed)
    if left <= chosen or (len(left) > 1 and not left & chosen):
        chosen = groups_in_test(left, seed)
    return frozenset(chosen)


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
        if split := _split(units, both, divided):
            return split
        config, unit = _to_divide(units, both)
        divided.setdefault(config, set()).add(unit)


def _split(
    units: Mapping[str, set[Unit]], both: Collection[str], divided: Mapping[str, set[Unit]]
) -> Split | None:
    """The split of these units, moved where need be; None where one has to be divided."""
    if any(len(units[config]) < 2 for config in both):
        return None
    by_hash = frozenset(u for own in units.values() for u in own if _fraction(u) < TEST_SHARE)
    test = _settled(by_hash, units, both, frozenset())
    if test is None:
        return None
    parted = {config: frozenset(own) for config, own in sorted(divided.items())}
    return Split(test, parted, test ^ by_hash)


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

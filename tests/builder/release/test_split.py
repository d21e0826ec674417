"""Train and test: a set on both sides, or a set that changes sides, spoils every comparison."""

import random

import pytest
from built import build
from datasets import load_dataset
from export_build import all_rows, export_build
from hypothesis import assume, given
from hypothesis import strategies as st
from makers import tiny_manual

from builder.release.assemble import AssembleOptions, assemble
from builder.release.split import (
    LEVELS,
    TEST_SHARE,
    Manual,
    Split,
    Unit,
    groups_in_test,
    rule_of,
    split_units,
    unit_fraction,
    unit_of,
)
from builder.release.validate import violations
from builder.stages import BuildOptions
from core.parquet import RowIndex, write_piece
from core.records import split_slug
from core.store import ROWS
from lego_arta import CONFIGS

SETS = st.sets(st.integers(1, 99999).map(str), min_size=2, max_size=40)


def items_of(sets, per_session: int = 2) -> dict[str, set[Unit]]:
    """Paths of the items of sets, alike in all configs: two sessions of two steps each."""
    return {
        config: {
            (
                name,
                f"{name}/s{session}",
                f"{name}/s{session}#{step}",
                f"{config}{name}{session}{step}",
            )
            for name in sets
            for session in range(2)
            for step in range(per_session)
        }
        for config in CONFIGS
    }


def sides(split: Split, paths: dict[str, set[Unit]]) -> dict[str, tuple[int, int]]:
    """(items in train, items in test) by config."""
    return {
        config: (
            sum(not split.has(config, path) for path in own),
            sum(split.has(config, path) for path in own),
        )
        for config, own in paths.items()
    }


@given(SETS)
def test_every_build_with_two_sets_has_both_splits_and_parts_no_set(sets):
    paths = items_of(sets)
    split = split_units(paths)
    assert all(train and test for train, test in sides(split, paths).values())
    assert not split.divided


@given(SETS, SETS)
def test_adding_sets_moves_none(sets, more):
    """Old test sets must stay unseen when the site grows; only a tiny build's rule may yield."""
    by_fraction = {(name,) for name in sets if unit_fraction(name) < TEST_SHARE}
    assume(by_fraction and len(by_fraction) < len(sets))
    before, after = split_units(items_of(sets)), split_units(items_of(sets | more))
    assert before == Split(frozenset(by_fraction))
    assert {unit for unit in after.test if unit[0] in sets} == before.test
    assert not after.moved and not after.divided


def test_about_a_quarter_of_many_sets_is_test():
    sets = [str(number) for number in range(10_000, 14_000)]
    assert len(split_units(items_of(sets, 1)).test) / len(sets) == pytest.approx(
        TEST_SHARE, abs=0.03
    )


# Any few items anywhere: names are drawn from few, so that configs share units at every level.
@st.composite
def builds(draw) -> dict[str, set[Unit]]:
    names = st.integers(0, draw(st.integers(0, 3)))
    seed = draw(st.integers(0, 2**16))

    def path(config: str, numbers: tuple[int, int, int, int]) -> Unit:
        a, b, c, d = numbers
        return f"{seed}-{a}", f"{seed}-{a}/{b}", f"{seed}-{a}/{b}#{c}", f"{config}:{a}.{b}.{c}.{d}"

    return {
        config: {
            path(config, numbers)
            for numbers in draw(st.lists(st.tuples(names, names, names, names), max_size=6))
        }
        for config in CONFIGS
    }


@given(builds())
def test_a_config_with_two_items_has_both_splits_and_one_item_is_in_train(paths):
    """Whatever the sizes and hashes: nobody's load_dataset(...)["train"] may fail."""
    split = split_units(paths)
    for config, (train, test) in sides(split, paths).items():
        assert (train > 0, test > 0) == (len(paths[config]) > 0, len(paths[config]) > 1)
    every = [path for own in paths.values() for path in own]
    for config, own in split.divided.items():
        assert all(len(unit_of(path, own)) <= LEVELS for path in every)
        assert all(len(unit) < LEVELS for unit in own) and len(paths[config]) > 1
    # No config is at fault: sets stay whole where sets will do.
    sets = {config: {path[0] for path in own} for config, own in paths.items()}
    if len(set.union(*sets.values())) > 3 and all(len(own) > 3 for own in sets.values()):
        assert not split.divided


@given(builds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_split(paths, shuffling):
    def shuffled(own: set[Unit]) -> list[Unit]:
        return shuffling.sample(sorted(own), len(own))

    assert split_units({config: shuffled(own) for config, own in paths.items()}) == split_units(
        paths
    )


def test_a_config_that_few_sets_have_still_gets_both_splits():
    """State rows need outlines: often only some sets have any."""
    names = sorted((str(number) for number in range(100, 140)), key=unit_fraction)
    train_only = [name for name in names if unit_fraction(name) >= TEST_SHARE][:2]
    paths = items_of(names) | {"state": items_of(train_only)["state"]}
    split = split_units(paths)
    assert sides(split, paths)["state"] == (4, 4)
    assert split.moved == {(train_only[0],)} and not split.divided
    alone = items_of(names) | {"state": items_of(train_only[:1])["state"]}
    split = split_units(alone)
    assert split.divided == {"state": {(train_only[0],)}}
    assert min(sides(split, alone)["state"]) > 0
    assert split.exceptions()["divided"] == {"state": [train_only[0]]}
    for config in ("scene", "object"):  # those are as they would be without
        assert all(
            split.has(config, p) == (unit_fraction(p[0]) < TEST_SHARE) for p in paths[config]
        )


def test_what_configs_want_of_one_set_is_weighed_together():
    """Three sets, each pair of them the only ones of a config: no way to keep all of them whole."""
    one = items_of("abc", 1)
    pairs = {"scene": "bc", "object": "ac", "state": "ab"}
    paths = {c: {path for path in one[c] if path[0] in sets} for c, sets in pairs.items()}
    split = split_units(paths)
    assert all(train and test for train, test in sides(split, paths).values())
    ((_, divided),) = split.divided.items()  # one set for one config, into sessions
    assert len(divided) == 1 and {len(unit) for unit in divided} == {1}


def test_a_single_item_of_a_test_set_is_in_train():
    names = sorted((str(number) for number in range(100, 140)), key=unit_fraction)
    (item,) = list(items_of(names[:1])["state"])[:1]
    paths = items_of(names) | {"state": {item}}
    split = split_units(paths)
    assert unit_fraction(names[0]) < TEST_SHARE and not split.has("state", item)
    assert split.moved == {(names[0],)} and not split.divided


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        ("lego-60292-town-center-readscr", ("60292", "")),
        ("lego-31130-a-sunken-treasure-mission-readscr", ("31130", "a")),  # the a manual
        ("lego-31130-b-sunken-treasure-mission-readscr", ("31130", "b")),  # and the b manual
        ("lego-75265-t-16-skyhopper-readscr", None),  # "t-16" is a name; whatever, one set
        ("some-other-page", ("some-other-page", "")),  # another shape is a set of its own
    ],
)
def test_set_numbers(slug, expected):
    found = split_slug(slug)
    assert found[0] == ("75265" if expected is None else expected[0])
    assert expected is None or found == expected


def _index(sizes: dict[str, int], groups: int = 1) -> dict:
    """manual id -> config -> rows; `groups` rows share a group."""
    return {
        manual: {
            config: [
                RowIndex(
                    f"{manual}{config}{number}", f"{manual}{config}g{number // groups}",
                    f"{manual}/s{number % 3}", 10,
                )
                for number in range(count)
            ]
            for config in CONFIGS
        }
        for manual, count in sizes.items()
    }  # fmt: skip


def _chosen(index: dict, set_of: dict[str, str], mode: str = "manual", left_out=()) -> dict:
    manuals = [Manual(name, set_of[name], rows, left_out) for name, rows in index.items()]
    rule = rule_of(mode, manuals, 42)
    return {
        config: {
            (m.manual_id, row.id)
            for m in manuals
            for row in m.rows[config]
            if rule.in_test(config, m.set_number, row)
        }
        for config in CONFIGS
    }


@given(st.integers(0, 300))
def test_the_a_and_b_manuals_of_a_set_are_never_parted(seed):
    manuals = {f"lego-{seed + n}-{part}-x": 8 for n in range(4) for part in "ab"}
    sets = {manual: split_slug(manual)[0] for manual in manuals}
    chosen = _chosen(_index(manuals), sets)
    for config in CONFIGS:
        test_sets = {sets[manual] for manual, _ in chosen[config]}
        assert len(chosen[config]) == 16 * len(test_sets)
        assert 0 < len(test_sets) < 4


def test_a_build_of_one_set_is_split_by_its_sessions():
    manuals = {"lego-1-a-x": 9, "lego-1-b-x": 9}
    chosen = _chosen(_index(manuals), dict.fromkeys(manuals, "1"))
    sessions = {(m, int(row[-1]) % 3) for m, row in chosen["scene"]}
    assert 0 < len(chosen["scene"]) < 18
    assert len(chosen["scene"]) == 3 * len(sessions)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_session_is_split_by_steps_and_what_shows_one_thing_stays_together(steps, tmp_path):
    """Real rows of a build of a single session: state groups and collages of one object."""
    build = export_build(tmp_path / "b", manuals=1, test_manuals=0, steps=steps)
    rows = list(all_rows(build).values())
    index = {"m": {c: write_piece(tmp_path / c, c, [_bare(c, row) for row in rows
                                                   if row["config"] == c])
                   for c in CONFIGS}}  # fmt: skip
    assert len({row.session_id for own in index["m"].values() for row in own}) == 1
    chosen = _chosen(index, {"m": "60001"})
    for config in (c for c in CONFIGS if index["m"][c]):
        by_step: dict[int, set[bool]] = {}
        for row in index["m"][config]:
            by_step.setdefault(row.step_num, set()).add(("m", row.id) in chosen[config])
        assert len(by_step) == steps
        assert all(len(both) == 1 for both in by_step.values())
        assert set.union(*by_step.values()) == ({False} if steps == 1 else {False, True})


@pytest.mark.parametrize("mode", ["manual", "paper"])
def test_a_build_of_one_session_loads_with_both_splits(mode, tmp_path):
    out, options = tmp_path / "lego-arta", BuildOptions(tmp_path / "w")
    build(options.work, tiny_manual().rows[:8])
    (manual_id,) = (path.name for path in (options.work / ROWS).iterdir())
    manifest = assemble([manual_id], options, AssembleOptions(out, "demo", mode, probe=False))
    assert list(violations(out)) == []
    there = {c: splits for c, splits in manifest["rows"].items() if any(splits.values())}
    for config, splits in there.items():
        loaded = load_dataset(str(out), config, cache_dir=str(tmp_path / "cache"))
        assert {name: len(rows) for name, rows in loaded.items()} == splits
        assert min(splits.values()) > 0
    told, parts = manifest["split_exceptions"]["divided"], ["60001", f"{manual_id}/Car"]
    assert told == ({} if mode == "paper" else dict.fromkeys(sorted(there), parts))
    if mode == "manual":
        assert "on both sides: `60001`" in (out / "README.md").read_text()


def _bare(config: str, row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("config", "split")}


@pytest.mark.parametrize("mode", ["manual", "paper"])
def test_rows_that_raters_rejected_leave_no_split_empty(mode):
    index = _index({"lego-1-x": 40, "lego-2-x": 40, "lego-3-x": 40}, groups=4)
    sets = {m: m for m in index}
    before = _chosen(index, sets, mode)
    rejected = {
        row.id for m in index for row in index[m]["state"] if (m, row.id) in before["state"]
    }
    after = _chosen(index, sets, mode, rejected)
    left = {(m, row.id) for m in index for row in index[m]["state"]}
    left = {key for key in left if key[1] not in rejected}
    assert 0 < len(after["state"] & left) < len(left)
    if mode == "paper":  # where a side has rows left, no other row changes sides
        one = set(random.Random(1).sample(sorted(rejected), 4))
        assert _chosen(index, sets, mode, one) == before


@given(st.integers(2, 400), st.integers(0, 5))
def test_the_papers_split_takes_a_quarter_and_leaves_something_to_train(count, seed):
    groups = [f"g{number}" for number in range(count)]
    chosen = groups_in_test(groups, seed)
    assert 0 < len(chosen) < count
    assert abs(len(chosen) - TEST_SHARE * count) < 1
    assert chosen == groups_in_test(reversed(groups * 2), seed)


def test_the_papers_split_keeps_groups_whole():
    """A right picture in train and its wrong ones in test would be a give-away."""
    index = _index({"m1": 40, "m2": 24}, groups=4)
    chosen = _chosen(index, {"m1": "1", "m2": "2"}, "paper")
    rows = [(m, row) for m in index for row in index[m]["state"]]
    inside = {row.group for m, row in rows if (m, row.id) in chosen["state"]}
    outside = {row.group for m, row in rows if (m, row.id) not in chosen["state"]}
    assert not inside & outside
    assert len(inside) == 4  # a quarter of 16


@pytest.mark.parametrize(("groups", "expected"), [([], 0), (["one"], 0), (["one", "two"], 1)])
def test_the_papers_split_of_next_to_nothing(groups, expected):
    assert len(groups_in_test(groups, 42)) == expected

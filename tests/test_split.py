"""Train and test: a set on both sides, or a set that changes sides, spoils every comparison."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from builder.assemble import AssembleOptions, _in_test
from builder.export.parquet import RowIndex
from builder.records import split_slug
from builder.split import TEST_SHARE, groups_in_test, unit_fraction, units_in_test
from lego_arta import CONFIGS

FULL = dict.fromkeys(CONFIGS, 4)
UNITS = st.sets(st.integers(1, 99999).map(str), min_size=2, max_size=40)


def _of(units) -> dict:
    return dict.fromkeys(units, FULL)


@given(UNITS)
def test_every_build_with_two_sets_has_both_splits(units):
    chosen = units_in_test(_of(units))
    assert chosen and chosen < units


@given(UNITS, UNITS)
def test_adding_sets_moves_none(units, more):
    """Old test sets must stay unseen when the site grows; only a tiny build's rule may yield."""
    by_fraction = {unit for unit in units if unit_fraction(unit) < TEST_SHARE}
    assume(by_fraction and by_fraction < units)
    before, after = units_in_test(_of(units)), units_in_test(_of(units | more))
    assert before == by_fraction
    assert after & units == before


def test_about_a_quarter_of_many_sets_is_test():
    units = [str(number) for number in range(10_000, 14_000)]
    assert len(units_in_test(_of(units))) / len(units) == pytest.approx(TEST_SHARE, abs=0.03)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({}, 0),  # an empty build
        ({"60001": FULL}, None),  # a single set: either side, no error
    ],
)
def test_builds_too_small_to_split(rows, expected):
    chosen = units_in_test(rows)
    assert expected is None or len(chosen) == expected


def test_a_config_that_few_sets_have_still_gets_both_splits():
    """State rows need outlines: often only some sets have any."""
    units = sorted((str(number) for number in range(100, 140)), key=unit_fraction)
    train_only = [unit for unit in units if unit_fraction(unit) >= TEST_SHARE][:2]
    rows = {u: {"scene": 5, "object": 4, "state": 4 * (u in train_only)} for u in units}
    assert len(units_in_test(rows) & set(train_only)) == 1


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


@given(st.integers(0, 300))
def test_the_a_and_b_manuals_of_a_set_are_never_parted(seed):
    manuals = {f"lego-{seed + n}-{part}-x": 8 for n in range(4) for part in "ab"}
    sets = {manual: split_slug(manual)[0] for manual in manuals}
    in_test = _in_test(_index(manuals), sets, AssembleOptions(out=None, source="", split="manual"))
    for config in CONFIGS:
        test_sets = {sets[manual] for manual, _ in in_test[config]}
        assert len(in_test[config]) == 16 * len(test_sets)
        assert 0 < len(test_sets) < 4


def test_a_build_of_one_set_is_split_by_its_sessions():
    manuals = {"lego-1-a-x": 9, "lego-1-b-x": 9}
    in_test = _in_test(
        _index(manuals), dict.fromkeys(manuals, "1"), AssembleOptions(None, "", "manual")
    )
    sessions = {(m, int(row[-1]) % 3) for m, row in in_test["scene"]}
    assert 0 < len(in_test["scene"]) < 18
    assert len(in_test["scene"]) == 3 * len(sessions)


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
    in_test = _in_test(index, {"m1": "1", "m2": "2"}, AssembleOptions(None, "", "paper", 42))
    rows = [(m, row) for m in index for row in index[m]["state"]]
    inside = {row.group for m, row in rows if (m, row.id) in in_test["state"]}
    outside = {row.group for m, row in rows if (m, row.id) not in in_test["state"]}
    assert not inside & outside
    assert len(inside) == 4  # a quarter of 16


@pytest.mark.parametrize(("groups", "expected"), [([], 0), (["one"], 0), (["one", "two"], 1)])
def test_the_papers_split_of_next_to_nothing(groups, expected):
    assert len(groups_in_test(groups, 42)) == expected

"""Statistics over manuals: what several have counts once."""

from builder.release.stats import Totals, statistics, table_4_3
from core.records import ManualStats
from tasks import TASKS


def manual(name: str, parts: list[str], colors: list[str], after: int) -> ManualStats:
    return ManualStats(name, name, 4, 5, 2, 1, [], parts=parts, boundary_colors=colors,
                       steps_after_eop=after)  # fmt: skip


def added(manuals: list[ManualStats]) -> Totals:
    totals = Totals()
    for one in manuals:
        totals.add(one)
    return totals


def test_parts_and_outline_colours_are_distinct_over_manuals():
    manuals = [
        manual("a", ["red brick 2x2", "blue til 1x2"], ["#FF00FF"], 3),
        manual("b", ["red brick 2x2"], ["#FF00FF", "#00FF00"], 4),
    ]
    numbers = statistics(added(manuals), dict.fromkeys(TASKS, 0))
    found = {item: count for _, item, count in table_4_3(numbers)}
    assert (found["Distinct parts"], found["Boundary colours"]) == ("2", "2")
    assert found["Steps directly after ObjectfindingStep"] == "7"
    assert found["AssemblyStep"] == "10"


def test_what_nobody_counted_is_not_told():
    numbers = statistics(added([manual("a", [], [], 0)]), dict.fromkeys(TASKS, 0))
    assert "Distinct parts" not in {item for _, item, _ in table_4_3(numbers)}

"""Corrupted pictures against their clean ones: pairs alone count, intervals are of manuals."""

from core.items import Item
from core.metrics import Said
from evaluation.robust import TOLD, pairs_of, robust_tables
from evaluation.samples import score_sample
from evaluation.score import Results, Score


def item(name, manual, yes, severity=0, source=None):
    told = {"severity": severity, "corruption": "jpeg" if severity else "none",
            "source_ids": [source or name]}  # fmt: skip
    return Item(name, "state", "test", manual, "s", 0, "q", "Yes." if yes else "No.", "", None, (),
                frozenset(), None, is_yes=yes, derived=told)  # fmt: skip


def results(answers, items):
    row = Score("m", "state", "full", False, False, len(items), len(items), "norm100", {}, {}, {})
    row.samples = [score_sample(one, Said(said)) for one, said in zip(items, answers, strict=True)]
    return Results([row], {"state": items}, [], [], {"resamples": 200, "seed": 1})


def pairs(number=6):
    """A right and a wrong state of each manual, clean and as a copy of severity 2."""
    clean = [item(f"{m}{yes}", f"m{m}", yes) for m in range(number) for yes in (True, False)]
    copies = [item(f"c{one.id}", one.manual_id, one.is_yes, 2, one.id) for one in clean]
    return clean, copies


def test_only_copies_of_rows_that_are_there_count():
    clean, copies = pairs(2)
    alone = item("alone", "m0", True, 1, "gone")
    found = pairs_of([*clean, *copies, alone])
    assert found == {("jpeg", 2): [(index, 4 + index) for index in range(4)]}
    assert robust_tables(results(["Yes."] * 4, clean)) == {}


def test_a_drop_is_told_with_an_interval_of_manuals():
    clean, copies = pairs()
    right = [one.answer for one in clean]
    (table,) = robust_tables(results(right + ["Yes."] * len(copies), [*clean, *copies])).values()
    (cells,) = table.rows
    by_head = dict(zip(table.head, cells, strict=False))
    assert (by_head["pairs"].text, by_head["severity"].text) == ("12", "2")
    at = table.head.index("F1 ↑")
    assert cells[at].text == "66.67"  # always Yes
    assert cells[at + 1].text == "-33.33 [-33.33, -33.33]" and cells[at + 1].mark == TOLD


def test_no_difference_is_no_drop():
    clean, copies = pairs()
    # Right on one half of the manuals, clean and corrupted alike.
    said = [one.answer if index < 6 else "No." for index, one in enumerate(clean)]
    (table,) = robust_tables(results(said * 2, [*clean, *copies])).values()
    at = table.head.index("F1 ↑")
    assert table.rows[0][at + 1].text.startswith("+0.00") and table.rows[0][at + 1].mark == ""

"""The table renderer, on the numbers that the papers report (fixtures, never targets)."""

import csv
import io

import pytest

from evaluation.samples import metric
from evaluation.tables import (
    Cell,
    Entry,
    Table,
    Value,
    full_table,
    markdown,
    paper_table,
    setting_table,
    terminal,
    to_csv,
)
from tasks import TASKS

# Thesis Tables 8.1-8.3: without -> with tuning; None: not tunable, "/": a meaningless zero.
REPORTED = {
    "MiniGPTv2": ("12.94 34.72 9.81 57.02 26.98 36.76 39.58 60.42",
                  "10.98 32.56 10.28 54.68 25.94 38.64 19.28 80.72"),
    "LLaVA": ("12.81 13.63 0.99 14.03 / 25.04 0.00 99.41",
              "12.68 42.97 17.73 81.10 60.98 30.00 20.00 50.00"),
    "MiniGPT-4": ("12.68 15.05 1.88 45.34 30.20 37.19 32.63 67.37", None),
    "GPT-4o": ("12.50 18.67 2.00 25.00 21.68 40.54 56.94 43.06", None),
    "Qwen-VL": ("11.90 29.57 5.19 32.41 25.60 39.77 2.01 97.99",
                "13.46 39.08 13.13 57.91 30.08 39.53 3.18 96.82"),
    "InstructBLIP": ("9.28 29.20 4.91 86.66 / 0.00 98.78 1.22",
                     "10.07 36.87 11.52 69.71 47.20 0.02 100.00 0.00"),
    "mPLUG-OWL2": ("9.28 25.23 3.04 55.98 14.23 36.82 36.59 63.41",
                   "6.93 32.75 8.46 71.70 34.88 15.00 25.00 35.00"),
    "BLIP2": ("8.50 29.55 6.40 72.26 34.25 24.71 0.00 100.00",
              "9.17 40.35 12.50 71.40 40.57 28.50 5.13 94.87"),
    "Otter": ("3.79 12.12 1.28 36.89 / 35.33 24.12 75.88", None),
}  # fmt: skip
COLUMNS = (
    ("scene", "t_acc"), ("scene", "rouge1"), ("scene", "bleu"), ("object", "e_acc"),
    ("object", "iou"), ("state", "f1"), ("state", "tnr"), ("state", "fpr"),
)  # fmt: skip


def values(text):
    if text is None:
        return None
    return {
        name: Value(0.0, meaningless=True) if part == "/" else Value(float(part))
        for (_, name), part in zip(COLUMNS, text.split(), strict=True)
    }


def reported(config):
    metrics = [metric(config, name) for where, name in COLUMNS if where == config]
    entries = [Entry(n, values(a) or {}, values(b)) for n, (a, b) in REPORTED.items()]
    return paper_table(config, metrics, entries)


def bold(table, column):
    return [row[0].text for row in table.rows if row[column].bold]


def test_the_best_are_bold_by_computation():
    """A25: the thesis leaves 34.72 plain and makes 26.98 bold."""
    scene, found, state = reported("scene"), reported("object"), reported("state")
    assert [bold(scene, c) for c in range(1, 7)] == [
        ["MiniGPTv2"], ["Qwen-VL"], ["MiniGPTv2"], ["LLaVA"], ["MiniGPTv2"], ["LLaVA"],
    ]  # fmt: skip
    assert [bold(found, c) for c in range(1, 5)] == [
        ["InstructBLIP"], ["LLaVA"], ["BLIP2"], ["LLaVA"],
    ]  # fmt: skip
    # FPR: lower is better
    assert [bold(state, c) for c in range(1, 7)] == [
        ["GPT-4o"], ["Qwen-VL"], *[["InstructBLIP"]] * 4,
    ]  # fmt: skip


def test_missing_meaningless_and_changes_are_marked():
    rows = {row[0].text: row for row in reported("object").rows}
    assert [cell.text + cell.mark for cell in rows["LLaVA"]] == [
        "LLaVA", "14.03", "81.10▲", "/", "60.98▲",  # LEGO-R1 marks the last one down
    ]  # fmt: skip
    assert [cell.text for cell in rows["Otter"]] == ["Otter", "36.89", "-", "/", "-"]
    state = {row[0].text: row for row in reported("state").rows}
    assert [cell.text + cell.mark for cell in state["mPLUG-OWL2"]][5:] == ["63.41", "35.00▲"]
    assert [cell.mark for cell in state["MiniGPTv2"]][2::2] == ["▲", "▼", "▼"]
    scene = {row[0].text: row for row in reported("scene").rows}
    assert scene["InstructBLIP"][2].mark == "▲"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [(60.82, 65.49, 7.7), (60.82, 14.16, -76.7), (59.35, 81.14, 36.7), (31.55, 57.16, 81.2),
     (31.55, 22.21, -29.6), (4.94, 24.35, 392.9), (30.19, 36.18, 19.8)],
)  # fmt: skip
def test_lego_r1_s_percent_changes(before, after, change):
    """The renderer's arrows agree with the changes the paper tells (section 2, checks)."""
    assert 100 * (after - before) / before == pytest.approx(change, abs=0.05)
    name = "fpr" if before == 30.19 else "iou"
    each = metric("state" if name == "fpr" else "object", name)
    entry = Entry("Qwen2.5-VL", {name: Value(before)}, {name: Value(after)})
    mark = paper_table("t", [each], [entry]).rows[0][2].mark
    assert mark == ("▲" if (change > 0) == each.up else "▼")


def test_table_8_4():
    numbers = {
        (True, True): "11.90 29.57 5.19 32.41 25.60 39.77 2.01 97.99",
        (False, True): "6.84 24.63 4.58 5.56 22.01 34.00 4.15 97.50",
        (True, False): "10.43 23.00 4.24 26.37 15.55 34.50 2.80 97.20",
        (False, False): "5.27 11.02 1.30 3.70 0.10 25.50 1.58 98.40",
    }
    table = setting_table(
        "Query settings, Qwen-VL",
        [(config, metric(config, name)) for config, name in COLUMNS],
        [
            (*switches, {c: Value(float(v)) for c, v in zip(COLUMNS, text.split(), strict=True)})
            for switches, text in numbers.items()
        ],
    )
    assert [[c.text for c in row[:2]] for row in table.rows] == [
        ["✓", "✓"], ["✗", "✓"], ["✓", "✗"], ["✗", "✗"],
    ]  # fmt: skip
    best = [[index for index, row in enumerate(table.rows) if row[c].bold] for c in range(2, 10)]
    assert best == [[0]] * 6 + [[1], [2]]
    assert markdown(table).splitlines()[4] == (
        "| ✓ | ✓ | **11.90** | **29.57** | **5.19** | **32.41** | **25.60** | **39.77** | 2.01 "
        "| 97.99 |"
    )


def test_ties_are_all_bold_and_near_ones_marked():
    each = metric("object", "iou")
    table = paper_table("t", [each], [
        Entry("a", {"iou": Value(50.001)}), Entry("b", {"iou": Value(50.004, like_best=True)}),
        Entry("c", {"iou": Value(49.0, like_best=True)}), Entry("d", {"iou": Value(10.0)}),
        Entry("always", {"iou": Value(99.0)}, baseline=True),
    ])  # fmt: skip
    assert bold(table, 1) == ["a", "b"]
    assert [row[1].mark for row in table.rows] == ["", "", "≈", "", ""]
    assert table.rules == [4]


def test_no_run_can_be_best_of_nothing():
    table = paper_table("t", [metric("object", "iou")], [Entry("a", {"iou": Value(None)})])
    assert table.rows[0][1] == Cell("-") and not bold(table, 1)


def test_csv_reads_back():
    table = reported("object")
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[0] == table.head and len(rows) == 10
    assert rows[1] == ["MiniGPTv2", "57.02", "54.68", "26.98", "25.94"]
    assert to_csv(Table("t", ["m"], [[Cell("=cmd()")]])).splitlines()[1] == "'=cmd()"


def test_names_can_t_break_a_table():
    wild = Table("t", ["model"], [[Cell("a|b*c\n<img src=x>")]])
    line = markdown(wild).splitlines()[4]
    assert line == "| a\\|b\\*c \\<img src=x\\> |"


def test_terminal_columns_stand_in_line():
    text = terminal(reported("state"))
    lines = text.splitlines()
    assert lines[2].split() == ["w/o", "w/"] * 3
    assert len({len(line) for line in lines[4:]} - {len(lines[3])}) <= 3
    ends = [line.index("40.54*") + 6 for line in lines if "40.54*" in line]
    assert ends == [lines[2].index("w/o") + 3]
    assert "\x1b[1m" in terminal(reported("state"), color=True)


def test_intervals_stand_in_the_full_table():
    values = {"f1": Value(40.0, interval=(38.5, 41.25)), "fpr": Value(100.0)}
    worse = {"f1": Value(39.0), "fpr": Value(100.0)}
    runs = [("m", values, False), ("n", worse, False), ("always-yes", values, True)]
    table = full_table("state", runs)
    assert len(table.head) == 1 + len(TASKS["state"].score.metrics)
    assert table.rows[0][1].text == "40.00 [38.50, 41.25]" and table.rows[0][1].bold
    assert not table.rows[2][1].bold and table.rules == [2]
    assert not any(row[3].bold for row in table.rows)  # FPR: all alike

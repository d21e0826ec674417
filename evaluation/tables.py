"""Score tables in the papers' form, as Markdown, CSV and terminal text.

Rows are models, columns metrics without and with tuning (thesis Tables 8.1-8.3), or the four query
settings of a model (Table 8.4). "-": there is no such run. "/": a zero that means nothing, because
no answer could be read. Bold: the best of its column, by computation, ties included. "≈": can't be
told from the best within the bootstrap interval. ▲ ▼: tuning made it better, worse.
"""

import csv
import io
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.metrics import Metric
from tasks import EVERY_TASK

# A parse rate (percent) under which a score of answers that must be read means nothing.
READ_MIN = 1.0
MISSING, MEANINGLESS = "-", "/"
LEGEND = (
    "↑ higher is better, ↓ lower is better, bold or *: best of the column, "
    "≈: not told from the best, -: no such run, "
    "/: a zero that means nothing (no answer could be read), ▲▼: tuning helped, hurt"
)


class Value(NamedTuple):
    """A number to be shown: percent, or None for a run that is not there."""

    value: float | None
    meaningless: bool = False
    like_best: bool = False
    interval: tuple[float, float] | None = None


@dataclass
class Cell:
    """A printed cell."""

    text: str
    bold: bool = False
    mark: str = ""


@dataclass
class Table:
    """Head and rows of equal length; `rules` are rows before which a line is drawn.

    `note` explains the marks, `about` the columns.
    """

    title: str
    head: list[str]
    rows: list[list[Cell]]
    rules: list[int] = field(default_factory=list)
    note: str = ""
    about: str = ""


class Entry(NamedTuple):
    """One model: its values by metric without and with tuning."""

    name: str
    plain: Mapping[str, Value]
    tuned: Mapping[str, Value] | None = None
    baseline: bool = False


def arrow(metric: Metric) -> str:
    """Which way is better."""
    return "↑" if metric.up else "↓"


def shown(value: float) -> str:
    """Two digits, as in the papers."""
    return f"{value:.2f}"


def paper_table(title: str, metrics: Sequence[Metric], entries: Sequence[Entry]) -> Table:
    """Rows models, a column w/o and one w/ tuning for each metric; baselines under a rule."""
    tuned = any(entry.tuned is not None for entry in entries)
    head = ["model"]
    for each in metrics:
        name = f"{each.title} {arrow(each)}"
        head += [f"{name} w/o", f"{name} w/"] if tuned else [name]
    models = [entry for entry in entries if not entry.baseline]
    others = [entry for entry in entries if entry.baseline]
    rows = []
    for entry in [*models, *others]:
        row = [Cell(entry.name)]
        for each in metrics:
            plain = entry.plain.get(each.name, Value(None))
            row.append(_cell(plain, each))
            if tuned:
                after = (entry.tuned or {}).get(each.name, Value(None))
                row.append(_cell(after, each, _change(plain, after, each)))
        rows.append(row)
    width = 2 if tuned else 1
    for index, each in enumerate(metrics):
        for offset in range(width):
            sides = [e.plain if not offset else (e.tuned or {}) for e in models]
            _embolden(rows, 1 + width * index + offset, [s.get(each.name) for s in sides], each)
    return Table(title, head, rows, [len(models)] if others and models else [], LEGEND)


def setting_table(
    title: str,
    columns: Sequence[tuple[str, Metric]],
    rows_of: Sequence[tuple[bool, bool, Mapping[tuple[str, str], Value]]],
) -> Table:
    """Table 8.4: `rows_of` are (instruction, examples, {(config, metric name): Value})."""
    head = ["instr.", "ex.", *(f"{each.title} {arrow(each)}" for _, each in columns)]
    rows = [
        [Cell("✓" if instruction else "✗"), Cell("✓" if examples else "✗")]
        + [_cell(values.get((config, each.name), Value(None)), each) for config, each in columns]
        for instruction, examples, values in rows_of
    ]
    for index, (config, each) in enumerate(columns):
        _embolden(rows, 2 + index, [v.get((config, each.name)) for _, _, v in rows_of], each)
    return Table(title, head, rows, note=LEGEND)


def full_table(config: str, entries: Sequence[tuple[str, Mapping[str, Value], bool]]) -> Table:
    """Every metric of a task with its interval, one row a run."""
    metrics = EVERY_TASK[config].score.metrics
    head = ["run", *(f"{each.title} {arrow(each)}" for each in metrics)]
    rows = [
        [Cell(name)] + [_cell(values.get(m.name, Value(None)), m, interval=True) for m in metrics]
        for name, values, _ in entries
    ]
    models = sum(not baseline for _, _, baseline in entries)
    for index, each in enumerate(metrics):
        found = [values.get(each.name) for _, values, baseline in entries if not baseline]
        _embolden(rows, 1 + index, found, each)
    rules = [models] if 0 < models < len(rows) else []
    return Table(f"{EVERY_TASK[config].text.title}: all metrics", head, rows, rules, LEGEND)


def _cell(value: Value, metric: Metric, mark: str = "", interval: bool = False) -> Cell:
    if value.value is None or not math.isfinite(value.value):
        return Cell(MISSING)
    if value.meaningless:
        return Cell(MEANINGLESS)
    text = shown(value.value)
    if interval and value.interval:
        text += f" [{shown(value.interval[0])}, {shown(value.interval[1])}]"
    return Cell(text, mark=mark + ("≈" if value.like_best else ""))


def _change(before: Value, after: Value, metric: Metric) -> str:
    """▲ or ▼; nothing where one of the two is missing or they print alike (A25: by code).

    From a meaningless zero every read answer is a gain: LEGO-R1 marks 0 -> 60.98 down.
    """
    if before.value is None or after.value is None or after.meaningless:
        return ""
    if before.meaningless:
        return "▲"
    if shown(before.value) == shown(after.value):
        return ""
    return "▲" if (after.value > before.value) == metric.up else "▼"


def _embolden(
    rows: list[list[Cell]], column: int, values: Sequence[Value | None], metric: Metric
) -> None:
    """Mark the best printed numbers of the first len(values) rows of a column."""
    numbers = [
        float(shown(v.value)) if v and v.value is not None and not v.meaningless else None
        for v in values
    ]
    known = [number for number in numbers if number is not None and math.isfinite(number)]
    if not known or (len(known) == len(numbers) and len(set(known)) == 1):
        return  # nothing, or all alike
    best = max(known) if metric.up else min(known)
    for row, number in zip(rows, numbers, strict=False):
        if number == best:
            row[column].bold = True
            row[column].mark = row[column].mark.replace("≈", "")


def markdown(table: Table) -> str:
    """A GitHub table."""
    lines = [f"## {table.title}", "", _md_row(table.head), "|---" * len(table.head) + "|"]
    for row in table.rows:
        lines.append(
            _md_row([(f"**{_md(c.text)}**" if c.bold else _md(c.text)) + c.mark for c in row])
        )
    told = [part for text in (table.about, table.note) if text for part in ("", text)]
    return "\n".join([*lines, *told, ""])


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _md(text: str) -> str:
    """A text that can't break out of its cell."""
    text = " ".join(text.split())
    return "".join("\\" + c if c in "|*_`<>[]\\" else c for c in text) if text != "-" else text


def to_csv(table: Table) -> str:
    """Plain cells; bold and marks in a column of their own would help nobody."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows([_no_formula(cell.text) for cell in row] for row in table.rows)
    return buffer.getvalue()


def _no_formula(text: str) -> str:
    """A model's name must not run as a formula in a spreadsheet."""
    return "'" + text if text[:1] in "=+@\t" else text


def terminal(table: Table, color: bool = False) -> str:
    """Columns in line; bold as escape codes on terminals, else as a star."""
    heads = [_two_lines(part) for part in table.head]
    marks = [
        max((_width(_mark(row[i], color)) for row in table.rows), default=0)
        for i in range(len(heads))
    ]
    texts = [
        [c.text + _mark(c, color).ljust(marks[i]) for i, c in enumerate(row)] for row in table.rows
    ]
    widths = [
        max(_width(part) for part in [*heads[i], *(row[i] for row in texts)])
        for i in range(len(heads))
    ]
    lines = [table.title, _line([h[0] for h in heads], widths)]
    if any(low for _, low in heads):
        lines.append(_line([h[1] for h in heads], widths))
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines.append(rule)
    for index, (row, cells) in enumerate(zip(texts, table.rows, strict=True)):
        if index in table.rules:
            lines.append(rule)
        lines.append(_line(row, widths, [cell.bold and color for cell in cells]))
    if table.about:
        lines.append(table.about)
    return "\n".join(lines)


def _two_lines(head: str) -> tuple[str, str]:
    """The w/o and w/ of a column go under its name."""
    name, _, tail = head.rpartition(" ")
    return (name, tail) if tail in ("w/o", "w/") else (head, "")


def _mark(cell: Cell, color: bool) -> str:
    return cell.mark + ("*" if cell.bold and not color else "")


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _line(cells: Sequence[str], widths: Sequence[int], bold: Sequence[bool] = ()) -> str:
    parts = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - _width(cell))
        text = cell + space if index == 0 else space + cell
        heavy = bool(bold) and bold[index]
        parts.append(f"\x1b[1m{text}\x1b[0m" if heavy else text)
    return "  ".join(parts).rstrip()

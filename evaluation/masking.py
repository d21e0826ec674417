"""A model with and without masks: the same items, a line a way of hiding, paired differences.

As in the tables of Instruction-Guided Visual Masking (arXiv:2405.19783): the model alone first,
then the same model on what masks leave. All lines are of the items that have a mask; differences
are to the first line, with intervals from whole manuals drawn again, the same ones for both.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.items import load_items
from core.store import write_text
from evaluation import bootstrap
from evaluation.deployed import with_maps
from evaluation.run import Asked, items_of
from evaluation.score import GOLD_WARNING, Score, ScoreOptions, score
from evaluation.tables import MISSING, Cell, Table, arrow, markdown, shown, to_csv
from tasks import EVERY_TASK
from tasks.looks import Look

NONE = "none"
FOLDER = "masking"  # in the folder of answers
# What the table says itself.
TOLD_ANYWAY = ("can't be told apart", GOLD_WARNING)
GOLD_NOTE = (
    "The masks are the build's own and may give answers away: these lines say what perfect masks "
    "are worth, they stand in no other table."
)
ABOUT = (
    "{items:,} items that have a mask, manuals: {manuals:,}. Differences to the first line, 95 % "
    "intervals from manuals drawn again, the same for both."
)


class Compared(NamedTuple):
    """The table of one task, its numbers, and what a reader should know."""

    config: str
    table: Table
    lines: list[dict[str, Any]]
    warnings: list[str]


def runs_of(asked: Asked, looks: Sequence[Look]) -> list[Asked]:
    """The run without masks and one a look, all of the items that have a mask."""
    every = load_items(asked.build, asked.config, asked.split)
    found = with_maps(looks[0], asked.build, items_of(asked, every))
    # Answers of a part of the items lie apart: `score` would count the rest as wrong.
    plain = dataclasses.replace(
        asked, only=frozenset(item.id for item in found), out=asked.out / FOLDER
    )
    return [plain, *(dataclasses.replace(plain, look=look) for look in looks)]


def compare(runs: Sequence[Asked], resamples: int = bootstrap.RESAMPLES) -> Compared:
    """The table of runs of one task, the first of which is the one without masks."""
    first = runs[0]
    options = ScoreOptions(
        first.split, resamples=resamples, ids=first.only, baselines=False, workers=1
    )
    results = score(first.build, [run.path for run in runs], options)
    by_setting = {row.setting: row for row in results.scores}
    rows = [(run.look.method if run.look else NONE, by_setting[run.setting_name]) for run in runs
            if run.setting_name in by_setting]  # fmt: skip
    items = results.items[first.config]
    lines = [_line(name, row, rows[0][1]) for name, row in rows]
    masks = next((row.masks for _, row in rows if row.masks), "")
    about = ABOUT.format(items=len(items), manuals=len({item.manual_id for item in items}))
    if any(row.uses_gold_mask for _, row in rows):
        about += " " + GOLD_NOTE
    title = f"{EVERY_TASK[first.config].text.title}: {first.label}, masks {masks}"
    told = [w for w in results.warnings if not any(known in w for known in TOLD_ANYWAY)]
    return Compared(first.config, _table(title, first.config, lines, about), lines, told)


def _line(name: str, row: Score, plain: Score) -> dict[str, Any]:
    """A way of hiding: every main metric, and its difference to the run without masks."""
    metrics = {}
    for each in EVERY_TASK[row.config].score.metrics:
        if not each.main:
            continue
        value, before = row.values[each.name], plain.values[each.name]
        between = None
        if row is not plain and row.draws and plain.draws:
            between = bootstrap.difference(row.draws[each.name], plain.draws[each.name])
        known = row is not plain and value is not None and before is not None
        metrics[each.name] = {
            "value": value,
            "difference": round(value - before, 4) if known else None,  # type: ignore[operator]
            "interval": [round(v, 4) for v in between] if known and between else None,
        }
    return {
        "method": name,
        "setting": row.setting,
        "masks": row.masks,
        "uses_gold_mask": row.uses_gold_mask,
        "answered": row.answered,
        "items": row.total,
        "metrics": metrics,
    }


def _table(title: str, config: str, lines: Sequence[dict[str, Any]], about: str) -> Table:
    metrics = [each for each in EVERY_TASK[config].score.metrics if each.main]
    head = ["masks", *(text for each in metrics
                       for text in (f"{each.title} {arrow(each)}", "to none"))]  # fmt: skip
    rows = []
    for line in lines:
        cells = [Cell(line["method"])]
        for each in metrics:
            told = line["metrics"][each.name]
            cells += [Cell(MISSING if told["value"] is None else shown(told["value"]))]
            cells += [Cell(_difference(told))]
        rows.append(cells)
    return Table(title, head, rows, [1] if len(rows) > 1 else [], about=about)


def _difference(told: dict[str, Any]) -> str:
    if told["difference"] is None:
        return ""
    text = f"{told['difference']:+.2f}"
    if told["interval"]:
        low, high = told["interval"]
        text += f" [{low:+.2f}, {high:+.2f}]"
    return text


def write(out: Path, several: Sequence[Compared]) -> None:
    """masking.json, masking.md and a CSV a task."""
    told = {one.config: {"lines": one.lines, "warnings": one.warnings} for one in several}
    write_text(out / "masking.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    parts = ["# With and without masks\n", *(markdown(one.table) for one in several)]
    warnings = [warning for one in several for warning in one.warnings]
    if warnings:
        parts.append("## Mind\n\n" + "".join(f"- {warning}\n" for warning in warnings))
    write_text(out / "masking.md", "\n".join(parts))
    for one in several:
        write_text(out / f"{one.config}.csv", to_csv(one.table))

"""From scores to tables: which run stands in which cell."""

import json
from collections.abc import Mapping
from pathlib import Path

from core.items import Item
from core.metrics import Metric
from core.store import write_text
from evaluation.confusion import confusion_table
from evaluation.failures import KINDS
from evaluation.prompts import PAPER_SETTINGS
from evaluation.robust import robust_tables
from evaluation.samples import metric
from evaluation.score import Results, Score
from evaluation.tables import (
    READ_MIN,
    Cell,
    Entry,
    Table,
    Value,
    full_table,
    markdown,
    paper_table,
    setting_table,
    to_csv,
)
from tasks import EVERY_TASK

CONFUSION = "confusion"  # in the file stems of tables that a terminal is too narrow for


def tables_of(results: Results) -> dict[str, Table]:
    """All tables by file stem: the papers' form, every metric, the query settings."""
    made: dict[str, Table] = {}
    for config in results.items:
        rows = [score for score in honest(results) if score.config == config]
        settings = sorted({row.setting for row in rows if not row.baseline})
        for setting in settings:
            shown = [row for row in rows if row.baseline or row.setting == setting]
            several = len(settings) > 1
            stem = f"{config}.{setting}" if several else config
            title = EVERY_TASK[config].text.title + (f", setting {setting}" if several else "")
            entries = _entries(shown, results)
            made[stem] = paper_table(title, _main_columns(config), entries)
            made[stem].about = EVERY_TASK[config].score.about
        every = [(full_name(row, len(settings) > 1), _values(row), row.baseline) for row in rows]
        made[f"{config}.all"] = full_table(config, every)
        models = [row for row in rows if not row.baseline]
        made |= _failure_table(config, models) | _confusion_tables(results.items[config], models)
    made.update(_setting_tables(results))
    made.update(robust_tables(results))
    return made | _cost_table([row for row in honest(results) if not row.baseline])


def honest(results: Results) -> list[Score]:
    """The scores that may stand in a table beside others: none of a run that saw gold masks."""
    return [row for row in results.scores if not row.uses_gold_mask]


def _failure_table(config: str, rows: list[Score]) -> dict[str, Table]:
    """How answers fail, a column a kind that any run has."""
    kinds = [kind for kind in KINDS if any(kind in row.failures for row in rows)]
    if not kinds:
        return {}
    several = len({row.setting for row in rows}) > 1
    lines = [
        [Cell(full_name(row, several)), Cell(f"{sum(row.failures.values()):,} of {row.total:,}")]
        + [Cell(f"{row.failures.get(kind, 0):,}") for kind in kinds]
        for row in rows
    ]
    title = f"{EVERY_TASK[config].text.title}: how answers fail"
    return {f"{config}.failures": Table(title, ["run", "failed", *kinds], lines, about=FAILING)}


def _confusion_tables(items: list[Item], rows: list[Score]) -> dict[str, Table]:
    """What each run answers instead of what holds, where answers are labels."""
    several = len({row.setting for row in rows}) > 1
    made = {}
    for row in rows:
        name = full_name(row, several)
        title = f"{EVERY_TASK[row.config].text.title}: answers of {name} by what holds"
        table = confusion_table(row.config, title, items, row.saids)
        if table is not None:
            made[f"{row.config}.{CONFUSION}.{name}"] = table
    return made


FAILING = "Answers that are more wrong than right, each under the first kind that fits it."
COSTS = {"seconds": "s/answer", "seconds_p95": "s, 95 %", "tokens_in": "tokens in",
         "tokens_out": "tokens out"}  # fmt: skip


def _cost_table(rows: list[Score]) -> dict[str, Table]:
    """Time and tokens of an answer, for runs that recorded any."""
    told = [row for row in rows if any(getattr(row, name) is not None for name in COSTS)]
    if not told:
        return {}
    lines = []
    for row in told:
        values = [getattr(row, name) for name in COSTS]
        cells = [Cell("-" if value is None else f"{value:,g}") for value in values]
        lines.append([Cell(full_name(row, True)), Cell(row.config), *cells])
    head = ["run", "task", *COSTS.values()]
    return {"cost": Table("Time and tokens", head, lines, about="Means over answers.")}


def _main_columns(config: str) -> list[Metric]:
    score = EVERY_TASK[config].score
    return [each for each in score.metrics if each.main or each.name in score.columns]


def full_name(row: Score, several: bool) -> str:
    return row.label + (f" [{row.setting}]" if several and row.setting else "")


def _values(row: Score, like_best: Mapping[str, bool] | None = None) -> dict[str, Value]:
    read = row.values.get("parse_rate") or 0.0
    values = {}
    for each in EVERY_TASK[row.config].score.metrics:
        found = row.intervals.get(each.name)
        values[each.name] = Value(
            row.values[each.name],
            meaningless=each.parsed and read < READ_MIN,
            like_best=bool(like_best and like_best.get(each.name)),
            interval=(found[0], found[1]) if found else None,
        )
    return values


def _entries(rows: list[Score], results: Results) -> list[Entry]:
    """One entry a model name, in the order the files were given; baselines last."""
    entries: dict[tuple[str, bool], Entry] = {}
    for row in rows:
        key = (row.name, row.baseline)
        values = _values(row, None if row.baseline else _like_best(row, rows, results))
        before = entries.get(key, Entry(row.name, {}, None, row.baseline))
        entries[key] = before._replace(tuned=values) if row.tuned else before._replace(plain=values)
    return list(entries.values())


def _like_best(row: Score, rows: list[Score], results: Results) -> dict[str, bool]:
    """Metrics on which a run is not the best of its column and can't be told from it."""
    rivals = [r for r in rows if not r.baseline and r.tuned == row.tuned]
    like: dict[str, bool] = {}
    for each in EVERY_TASK[row.config].score.metrics:
        known = [r for r in rivals if r.values[each.name] is not None]
        if not known:
            continue
        best = max(known, key=lambda r: (r.values[each.name] or 0.0) * (1 if each.up else -1))
        if best is not row:
            like[each.name] = any(
                {(d["a"], d["a_setting"]), (d["b"], d["b_setting"])}
                == {(row.label, row.setting), (best.label, best.setting)}
                and d["inside"]
                for d in results.differences
                if d["config"] == row.config and d["metric"] == each.name
            )
    return like


def _setting_tables(results: Results) -> dict[str, Table]:
    """Table 8.4 for every model that was run in at least two of the paper's settings."""
    switches = {
        setting.name: (setting.instruction, setting.examples != "none")
        for setting in PAPER_SETTINGS.values()
    }
    columns = [
        (c, metric(c, name)) for c in EVERY_TASK for name in EVERY_TASK[c].score.setting_columns
    ]
    made = {}
    for label in sorted({row.label for row in honest(results) if not row.baseline}):
        by_setting: dict[str, dict[tuple[str, str], Value]] = {}
        for row in honest(results):
            if row.label == label and not row.baseline and row.setting in switches:
                values = {(row.config, name): value for name, value in _values(row).items()}
                by_setting.setdefault(row.setting, {}).update(values)
        if len(by_setting) > 1:
            order = [name for name in switches if name in by_setting]
            made[f"settings.{label}"] = setting_table(
                f"Query settings, {label}",
                columns,
                [(*switches[name], by_setting[name]) for name in order],
            )
    return made


def write_scores(out: Path, results: Results, tables: Mapping[str, Table]) -> None:
    """scores.json, scores.md and one CSV a table."""
    from evaluation.run import file_name

    text = json.dumps(results.as_json(), indent=2, ensure_ascii=False)
    write_text(out / "scores.json", text + "\n")
    parts = ["# lego-arta scores\n", *(markdown(table) for table in tables.values())]
    if results.warnings:
        parts.append("## Mind\n\n" + "".join(f"- {warning}\n" for warning in results.warnings))
    write_text(out / "scores.md", "\n".join(parts))
    for stem, table in tables.items():
        write_text(out / f"{file_name(stem)}.csv", to_csv(table))

"""Statistics of a build in the rows of the thesis' Table 4.3 (T27), and drops by reason."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.records import Drop, ManualStats
from tasks import TASKS

# (category, item); the averages are over sessions, states over those with a boundary colour (T12).
Table = list[tuple[str, str, str]]


def statistics(manuals: Sequence[ManualStats], rows: Mapping[str, int]) -> dict[str, float]:
    """The numbers of Table 4.3 by name. `rows` counts VQA pairs by config."""
    sessions = sum(manual.sessions for manual in manuals)
    colored = sum(manual.colored_sessions for manual in manuals)
    numbers: dict[str, float] = {
        "manuals": len(manuals),
        "object_finding_steps": sum(manual.object_finding_steps for manual in manuals),
        "assembly_steps": sum(manual.assembly_steps for manual in manuals),
        "assembly_sessions": sessions,
        "colored_sessions": colored,
        "vqa_pairs": sum(rows.values()),
    }
    for config, task in TASKS.items():
        items = rows[config] // task.rows.an_item
        numbers |= {
            f"{config}s": items,
            f"{config}s_per_session": _average(
                items, colored if task.rows.outlined_only else sessions
            ),
            f"{config}_pairs": rows[config],
        }
    return numbers


def _average(total: float, number: int) -> float:
    return round(total / number, 1) if number else 0.0


def table_4_3(numbers: Mapping[str, float]) -> Table:
    """Rows (category, item, count) as the thesis prints them."""

    def whole(name: str) -> str:
        return f"{int(numbers[name]):,}"

    table = [
        ("Overall Statistics", "Manuals", whole("manuals")),
        ("", "ObjectfindingStep", whole("object_finding_steps")),
        ("", "AssemblyStep", whole("assembly_steps")),
        ("", "AssemblySessions", whole("assembly_sessions")),
        ("", "VQA-Pairs", whole("vqa_pairs")),
    ]
    for config, task in TASKS.items():
        if f"{config}s" in numbers:  # builds of earlier versions lack later tasks
            items = "Groups" if "_" in config else f"{config.capitalize()}s"
            table += [
                (task.text.title.title(), items, whole(f"{config}s")),
                ("", f"Avg {items}/Session", f"{numbers[f'{config}s_per_session']:.1f}"),
                ("", "VQA-Pairs", whole(f"{config}_pairs")),
            ]
    return table


def drop_counts(drops: Iterable[Drop]) -> dict[str, dict[str, int]]:
    """Number of drops by task and reason, most frequent first."""
    counter: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter[str])
    for drop in drops:
        counter[drop.task][drop.reason] += 1
    return {
        task: dict(sorted(counter[task].items(), key=lambda item: (-item[1], item[0])))
        for task in sorted(counter)
    }


def screened_counts(manuals: Iterable[ManualStats]) -> dict[str, int]:
    """Wrong states that were turned down, by "kind: reason"."""
    total: collections.Counter[Any] = collections.Counter()
    for manual in manuals:
        total.update(manual.screened)
    return dict(sorted(total.items()))


def render(table: Table) -> str:
    """The table as aligned text for a terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    return "\n".join(
        f"{category:<{widths[0]}}  {item:<{widths[1]}}  {count:>{widths[2]}}"
        for category, item, count in table
    )


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join('---' for _ in header)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

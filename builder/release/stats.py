"""Statistics of a build in the rows of the thesis' Table 4.3 (T27), and drops by reason."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.records import Drop, ManualStats
from tasks import TASKS

# (category, item); the averages are over sessions, states over those with a boundary colour (T12).
Table = list[tuple[str, str, str]]


@dataclass
class Totals:
    """Counts of manuals, added up one by one."""

    manuals: int = 0
    object_finding_steps: int = 0
    assembly_steps: int = 0
    sessions: int = 0
    colored_sessions: int = 0
    steps_after_eop: int = 0
    parts: set[str] = field(default_factory=set)
    boundary_colors: set[str] = field(default_factory=set)
    screened: collections.Counter[str] = field(default_factory=collections.Counter)
    # By task, by reason.
    drops: dict[str, collections.Counter[str]] = field(default_factory=dict)

    def add(self, manual: ManualStats) -> None:
        """Count a manual; its drops are counted by `add_drop`."""
        self.manuals += 1
        self.object_finding_steps += manual.object_finding_steps
        self.assembly_steps += manual.assembly_steps
        self.sessions += manual.sessions
        self.colored_sessions += manual.colored_sessions
        self.steps_after_eop += manual.steps_after_eop
        self.parts.update(manual.parts)
        self.boundary_colors.update(manual.boundary_colors)
        self.screened.update(manual.screened)

    def add_drop(self, drop: Drop) -> None:
        """Count a drop."""
        self.drops.setdefault(drop.task, collections.Counter())[drop.reason] += 1

    def drop_counts(self) -> dict[str, dict[str, int]]:
        """Number of drops by task and reason, most frequent first."""
        return {
            task: dict(sorted(self.drops[task].items(), key=lambda item: (-item[1], item[0])))
            for task in sorted(self.drops)
        }

    def screened_counts(self) -> dict[str, int]:
        """Wrong states that were turned down, by "kind: reason"."""
        return dict(sorted(self.screened.items()))


def statistics(totals: Totals, rows: Mapping[str, int]) -> dict[str, float]:
    """The numbers of Table 4.3 by name. `rows` counts VQA pairs by config."""
    sessions, colored = totals.sessions, totals.colored_sessions
    numbers: dict[str, float] = {
        "manuals": totals.manuals,
        "object_finding_steps": totals.object_finding_steps,
        "assembly_steps": totals.assembly_steps,
        "assembly_sessions": sessions,
        "colored_sessions": colored,
        "vqa_pairs": sum(rows.values()),
        "distinct_parts": len(totals.parts),
        "distinct_boundary_colors": len(totals.boundary_colors),
        "steps_after_eop": totals.steps_after_eop,
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
    # What the thesis does not count; builds of earlier versions and imported ones lack it.
    more = {"distinct_parts": "Distinct parts", "distinct_boundary_colors": "Boundary colours",
            "steps_after_eop": "Steps directly after ObjectfindingStep"}  # fmt: skip
    table += [("", title, whole(name)) for name, title in more.items() if numbers.get(name)]
    for config, task in TASKS.items():
        if f"{config}s" in numbers:  # builds of earlier versions lack later tasks
            items = "Groups" if "_" in config else f"{config.capitalize()}s"
            table += [
                (task.text.title.title(), items, whole(f"{config}s")),
                ("", f"Avg {items}/Session", f"{numbers[f'{config}s_per_session']:.1f}"),
                ("", "VQA-Pairs", whole(f"{config}_pairs")),
            ]
    return table


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

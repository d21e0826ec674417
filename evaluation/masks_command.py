"""`lego-arta evaluate masks`: options, and what is printed and written."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Parser, share, warn
from core.errors import UserError
from core.storage import option_place
from evaluation.scoring_options import add_scoring

if TYPE_CHECKING:
    from evaluation.masks import MaskResults, MaskScore
    from evaluation.tables import Table

WARNINGS_PRINTED = 12
DOC = """Score predicted maps of pixels against the masks of a build.

    lego-arta train masking lego-arta --out tuned/masking --predict maps/small
    lego-arta evaluate masks lego-arta --masks maps/small
    # several models in one table, with intervals of their differences in masks.json
    lego-arta evaluate masks lego-arta --masks maps/small maps/other --threshold 0.3

A folder holds a map a row, of the size of its picture: ID.png (grey, 8 or 16 bit) or ID.npy (from
0 to 1). Three maps that read no instruction stand beside: everything, all foreground, the centre.
"""


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add = command.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--masks", type=Path, nargs="+", required=True, metavar="DIR", help="folders of maps")
    add(
        "--threshold",
        type=share,
        default=0.5,
        help="pixels above it are said to be meant (%(default)s; a deployed mask has 0.1)",
    )
    add(
        "--holes",
        choices=("refuse", "empty"),
        default="refuse",
        help="rows without a map: an error, or an empty map (%(default)s)",
    )
    add_scoring(command)


def add_parser(commands: Any) -> None:
    """The command among those of `lego-arta evaluate`."""
    shown = Parser("evaluate masks", DOC)
    add_options(
        commands.add_parser(
            "masks",
            help="score predicted maps of pixels",
            description=shown.description,
            epilog=shown.epilog,
        )
    )


def masks_command(options: argparse.Namespace) -> None:
    """Score, print, write; raises `UserError`."""
    from core.store import write_text
    from evaluation.masks import score_maps
    from evaluation.tables import markdown, terminal, to_csv

    refused: list[str] = []
    try:
        results = score_maps(
            options.build,
            options.masks,
            options.split,
            options.threshold,
            options.holes == "empty",
            not options.no_baselines,
            options.resamples,
            refused.append,
        )
    except UserError:
        warn(refused[:WARNINGS_PRINTED])
        if len(refused) > WARNINGS_PRINTED:
            warn([f"{len(refused) - WARNINGS_PRINTED} more"])
        raise
    tables = tables_of(results, options.split)
    told = {
        "build": str(options.build),
        "split": options.split,
        "threshold": options.threshold,
        "rows": results.rows,
        "manuals": results.manuals,
        "scores": [score.as_json() for score in results.scores],
        "differences": results.differences,
        "warnings": results.warnings,
    }
    write_text(options.out / "masks.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    write_text(options.out / "masks.md", "\n".join(map(markdown, tables)))
    write_text(options.out / "masks.csv", to_csv(tables[0]))
    color = sys.stdout.isatty()
    for table in tables:
        print(terminal(table, color) + "\n")
    for line in results.warnings:
        print(f"mind: {line}")
    print(f"{options.out}: masks.json (intervals, differences), masks.md, masks.csv")


def tables_of(results: "MaskResults", split: str) -> "list[Table]":
    """One of every metric, and one of gIoU by each kind of group."""
    from evaluation.masks import ABOUT, METRICS
    from evaluation.tables import Cell, Table, arrow, shown

    models = sum(not score.baseline for score in results.scores)
    rules = [models] if 0 < models < len(results.scores) else []

    def cell(value: float | None, interval: Sequence[float] | None) -> Cell:
        if value is None:
            return Cell("-")
        text = shown(value)
        return Cell(
            f"{text} [{shown(interval[0])}, {shown(interval[1])}]" if interval else text,
        )

    def line(score: "MaskScore") -> list[Cell]:
        return [
            Cell(score.name),
            *(cell(score.values[each.name], score.intervals[each.name]) for each in METRICS),
        ]

    made = [
        Table(
            f"Masks, {results.rows:,} {split} rows of {results.manuals:,} manuals",
            ["maps", *(f"{each.title} {arrow(each)}" for each in METRICS)],
            [line(score) for score in results.scores],
            rules,
            about=ABOUT,
        )
    ]
    for by, groups in results.scores[0].groups.items():
        head = ["maps", *(f"{name} ({told['n']:,})" for name, told in groups.items())]
        lines = []
        for score in results.scores:
            cells = [Cell(score.name)]
            for told in score.groups[by].values():
                cells.append(cell(told["values"]["giou"], told["intervals"]["giou"]))
            lines.append(cells)
        made.append(Table(f"gIoU by {by}", head, lines, rules))
    return made

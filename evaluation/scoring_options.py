"""Options of every command that scores: which split, where tables go, how sure they are."""

import argparse

from core.cli import whole, writable
from core.names import SPLITS
from evaluation.bootstrap import RESAMPLES


def add_scoring(command: argparse.ArgumentParser) -> None:
    """Those of commands whose scores stand beside baselines."""
    add = command.add_argument
    add("--split", choices=SPLITS, default="test", help="(%(default)s)")
    add("--out", type=writable, default="scores", help="folder of tables (%(default)s)")
    add("--no-baselines", action="store_true", help="leave the baselines out")
    add_resamples(command)


def add_resamples(group: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """How many resamples intervals are made of."""
    group.add_argument(
        "--resamples",
        type=whole,
        default=RESAMPLES,
        metavar="N",
        help="bootstrap resamples of manuals; 0 for no intervals (%(default)s)",
    )

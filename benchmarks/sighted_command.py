"""Is the state task learnable from pictures? A small model that looks, trained in minutes on a CPU.

    lego-arta sighted lego-arta
    lego-arta sighted lego-arta --config state_balanced

It is given what the probes are not: the picture around the part's coarse position, and the same
piece of the picture of the step before (from the scene config). Cross-validated by manual, beside
two controls: the position alone, and the picture without the step before. For state_balanced it is
given the words of the instruction instead of the step before; controls are words alone and picture
alone. Needs torch, and a build of 50 manuals or more to say much.
"""

import argparse
from pathlib import Path

from core.cli import Parser, require, run


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("sighted", __doc__)
    result.add_argument("build", type=Path, metavar="BUILD", help="a build folder")
    result.add_argument(
        "--config", choices=("state", "state_balanced"), default="state", help="(%(default)s)"
    )
    result.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def look(options: argparse.Namespace) -> None:
    """Train, cross-validate, print; raises `UserError`."""
    require("annotate", "sighted.py", "torch")
    if options.config == "state_balanced":
        from benchmarks.sighted_words import report
    else:
        from benchmarks.sighted import report
    report(options.build)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: look(options), options.debug)

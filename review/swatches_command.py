"""A page to look at the boundary colours of sessions and to set them by hand.

    lego-arta swatches --work .work --out swatches.html
    lego-arta build --boundary-colors boundary-colors.json

One static file: every session with step pictures, its colour and the candidates, those without a
colour or with a weak vote first. Click a candidate, pick a colour, or say there is none; the button
saves what was changed as the file that --boundary-colors takes.
"""

import argparse
from pathlib import Path

from core.cli import Parser, run, writable
from core.storage import here


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("swatches", __doc__)
    add = result.add_argument
    add("--work", type=here, default=Path(".work"), help="stages (%(default)s)")
    add("--out", type=writable, default="swatches.html", help="(%(default)s)")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def write(options: argparse.Namespace) -> None:
    """Write the page; raises `UserError`."""
    from core.store import writing
    from review.swatches import entries, page

    sessions = entries(options.work)
    with writing(options.out) as temporary:
        temporary.write_text(page(sessions), encoding="utf-8")
    doubtful = sum(entry.colors.color is None for entry in sessions)
    print(f"{options.out}: {len(sessions)} sessions, {doubtful} without a colour; open it")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: write(options), options.debug)

"""A sheet of state groups to look at: the right picture and its wrong ones side by side.

Above each group stands what was to be done, and what was found before.

    lego-arta sheet lego-arta --groups 50 --out sheet.png
"""

import argparse

from core.cli import Parser, positive, run, warn, writable
from core.storage import option_place


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("sheet", __doc__)
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--groups", type=positive, default=50, metavar="N", help="(%(default)s)")
    add("--boxes", action="store_true", help="draw where the part is and belongs")
    add("--out", type=writable, default="sheet.png", help="(%(default)s)")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def write(options: argparse.Namespace) -> None:
    """Draw the sheet; raises `UserError`."""
    from core.build import read_manifest
    from core.store import writing
    from review.rows import missing_rows
    from review.sheet import draw, groups

    warn(missing_rows(options.build, read_manifest(options.build), ("state",)))
    sheet = draw(groups(options.build, options.groups), options.boxes)
    with writing(options.out) as temporary:
        sheet.save(temporary, "PNG")
    print(f"{options.out}: {sheet.width} x {sheet.height}, the right picture of each group first")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: write(options), options.debug)

"""A page to browse a build, with filters, and to choose rows of it.

    lego-arta gallery lego-arta
    lego-arta gallery lego-arta --all --out gallery/all

It saves the rows that are ticked in it. Leave them out of the next build, or export them alone:

    lego-arta build --reviews lego-arta-selection.json
    lego-arta export lego-arta --format llava --ids lego-arta-selection.csv --out data/chosen
"""

import argparse
import os

from core.cli import Parser, positive, run, warn, whole
from core.storage import anywhere, check, folder_here, option_place
from review import gallery


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("gallery", __doc__)
    add_options(result)
    result.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def add_options(command: argparse.ArgumentParser) -> None:
    """Those of a gallery."""
    add = command.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add(
        "--out",
        type=anywhere,
        default="gallery",
        help="folder (%(default)s), or shared storage such as s3://bucket/gallery",
    )
    add(
        "--sessions",
        type=positive,
        default=gallery.SESSIONS,
        metavar="N",
        help="whole sessions at random, all their rows (%(default)s)",
    )
    add("--all", action="store_true", help="every session; a large build makes a large gallery")
    add("--manual", action="append", default=[], metavar="ID", help="only this one (repeatable)")
    add("--seed", type=whole, default=42, help="of the choice (%(default)s)")


def browse(options: argparse.Namespace) -> None:
    """Write the gallery; raises `UserError`."""
    check(options.out, "--out")
    gallery.check_out(options.out)
    with folder_here(options.out, gallery.PAGE) as out:
        held = gallery.write_gallery(
            options.build,
            out,
            None if options.all else options.sessions,
            options.manual,
            options.seed,
            workers=os.cpu_count() or 1,
        )
    warn(held["missing"])
    print(f"{held['rows']:,} rows of {held['sessions']:,} of {held['of']:,} sessions; open")
    print(options.out / gallery.PAGE)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: browse(options), options.debug)

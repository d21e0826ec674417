"""Let people look at a build: a rating page, the statistics of what they say, a gallery.

    python scripts/review.py make lego-arta --task object --n 100 --out object.html
    python scripts/review.py make lego-arta --task screening --out screening.html
    python scripts/review.py score review-*.json --key object.key.json
    python builder/make.py --reviews scores/review.json
    python scripts/review.py gallery lego-arta

A page is one file: send it to the raters, they send back the JSON that it saves. Keep the key that
`make` writes beside it: it says which rows the samples are and what the check questions expect.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from builder.records import UserError
from review import page, rows, sampling
from review.criteria import TASKS


def parser() -> argparse.ArgumentParser:
    """The command line, the whole of it."""
    result = argparse.ArgumentParser(
        prog="review.py",
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="make|score|gallery")
    _add_make(commands.add_parser("make", help="write a rating page", allow_abbrev=False))
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def _add_make(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("build", type=Path, metavar="BUILD", help="a build folder")
    add("--task", choices=sorted(TASKS), required=True, help="what is judged")
    add("--n", type=_positive, metavar="N", help="rows drawn (100; 1000 for screening)")
    add("--seed", type=int, default=42, help="of the draw (%(default)s)")
    add("--out", type=Path, default=Path("review.html"), help="the page (%(default)s)")
    add(
        "--checks",
        choices=sampling.CHECKS,
        default="mixed",
        help="where questions with known answers stand: among the others (%(default)s), first as "
        "in the paper, or none",
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1 up")
    return value


def make_command(options: argparse.Namespace) -> None:
    """`make`."""
    task = TASKS[options.task]
    manifest = rows.read_manifest(options.build)
    drawn = sampling.sample(
        options.build, task, options.n or task.samples, options.seed, options.checks
    )
    html, key = page.page_and_key(
        task, drawn.questions, manifest, rotate=options.checks != "first"
    )
    page.write_page(options.out, html, key)
    print(options.out)


COMMANDS = {"make": make_command}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    try:
        COMMANDS[options.command](options)
    except (UserError, OSError) as error:
        if options.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

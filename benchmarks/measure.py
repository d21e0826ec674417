"""Quality of a build against known truth: boxes, names, colours, regions of steps, relations of
parts, and rows accounted for.

    lego-arta measure --truth .work/0_demo/truth.json   # of lego-arta, made in .work
    lego-arta measure --truth .work/0_demo/truth.json --compare foreground --degrade

The truth file's schema is the one the demo source writes. Prints one table; `--json` the numbers.
`--compare` asks annotators anew about the pictures of a build's stages; + joins a consensus, as in
foreground,owlv2,foreground+owlv2.
"""

import argparse
import json
from pathlib import Path

from builder.annotate.options import add_model_options
from core.cli import Parser, positive, run
from core.errors import UserError


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("measure", __doc__)
    add = result.add_argument
    add("--work", type=Path, default=Path(".work"), help="stages (%(default)s)")
    add("--out", type=Path, default=Path("lego-arta"), help="build (%(default)s)")
    add("--truth", type=Path, required=True, help="truth.json of the source")
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--debug", action="store_true", help="show the traceback of an error")
    several = result.add_argument_group("comparing annotators")
    add = several.add_argument
    add("--compare", metavar="NAMES", help="e.g. foreground,owlv2,foreground+owlv2")
    add("--degrade", action="store_true", help="pictures made worse, as real ones")
    add("--limit", type=positive, metavar="N", help="at most N pictures")
    add_model_options(several)
    return result


def measure(options: argparse.Namespace) -> None:
    """Measure and print; raises `UserError`."""
    from benchmarks import compare, truth

    try:
        known = json.loads(options.truth.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"--truth {options.truth}: not a truth file ({error})") from error
    if options.compare:
        compare.main(known, options)
        return
    numbers = truth.measure(options.work, options.out, known, options.truth.parent)
    if options.json:
        print(json.dumps(numbers, indent=2))
        return
    for name, value in numbers.items():
        text = f"{value:>10.4f}" if isinstance(value, float) else f"{value:>10}"
        print(f"{name:<34} {text}")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: measure(options), options.debug)

"""Check every invariant of a build, on the files themselves.

    lego-arta validate lego-arta

Prints nothing but a summary when all holds; otherwise one line a violation: id, rule, value found,
and ends with status 1.
"""

import sys

from core.cli import EXIT_FAILED, EXIT_OK, Parser, run
from core.storage import option_place


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("validate", __doc__)
    result.add_argument(
        "out",
        type=option_place,
        nargs="?",
        default="lego-arta",
        metavar="BUILD",
        help="a build folder (%(default)s)",
    )
    result.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line: 0 when everything holds, 1 otherwise."""
    options = parser().parse_args(argv)
    found: list[str] = []

    def validate() -> None:
        from builder.release.validate import violations

        found.extend(violations(options.out))

    if run(validate, options.debug):
        return EXIT_FAILED
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if not found:
        print(f"{options.out}: every check holds")
    return EXIT_FAILED if found else EXIT_OK

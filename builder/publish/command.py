"""Push a build to the Hub: everything in one commit, or nothing.

    lego-arta push lego-arta --repo-id ORG/lego-arta --dry-run

A killed or failed push is run again: what has gone up is not sent twice.
"""

import logging
import sys
from dataclasses import replace
from pathlib import Path

from builder.publish.options import Patience, add_options, options_of
from core.cli import Parser, run
from core.storage import option_place


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("push", __doc__)
    add = result.add_argument
    add("out", type=option_place, nargs="?", default=Path("lego-arta"), metavar="BUILD",
        help="a build folder (%(default)s)")  # fmt: skip
    add_options(result)
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def main(argv: list[str] | None = None, patience: Patience | None = None) -> int:
    """Command line: 0 when it is published, 1 when not, 2 for wrong usage."""
    command_line = parser()
    namespace = command_line.parse_args(argv)
    options = replace(options_of(namespace, command_line), patience=patience or Patience())
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    def work() -> None:
        from builder.publish.push import push

        push(namespace.out, options)

    return run(work, namespace.debug)

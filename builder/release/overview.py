"""Draw one picture of all tasks of a build, as the README shows it, or of a derived set.

lego-arta overview lego-arta --out docs/overview.webp
lego-arta overview lego-arta --kinds --out docs/wrong-states.webp
lego-arta overview data/robust --out docs/derived-robust.webp
"""

import argparse

from core.cli import Parser, no_build, run, writable
from core.storage import option_place


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("overview", __doc__)
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--out", type=writable, default="overview.webp", help="(%(default)s)")
    add("--kinds", action="store_true", help="of wrong states instead, a pair of each kind")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def write(options: argparse.Namespace) -> None:
    """Draw the picture; raises `UserError`."""
    from builder.release.samples import draw_derived, draw_kinds, draw_overview
    from core.build import DERIVED, manifest_of
    from core.store import writing

    manifest = manifest_of(options.build)
    if manifest is None:
        raise no_build(options.build)
    draw = draw_kinds if options.kinds else draw_overview
    picture = (draw_derived if manifest.get("kind") == DERIVED else draw)(options.build)
    with writing(options.out) as temporary:
        picture.save(temporary, "WEBP", quality=82, method=6)
    print(f"{options.out}: {picture.width} x {picture.height}, "
          f"{options.out.stat().st_size / 1e3:.0f} kB")  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: write(options), options.debug)

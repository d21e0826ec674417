"""Speed, memory and size, measured in one run so that the ratios mean something.

lego-arta bench build --limit 20       # a demo build against the pure encodes in it
lego-arta bench encode --out lego-arta # WebP and PNG efforts on a build's pictures
lego-arta bench memory --limits 20,200 # peak resident size against build size
lego-arta bench scale                  # memory at 120 to 960 manuals; local against Ray
lego-arta bench load --out lego-arta   # rows read against the bare decode
lego-arta bench export --out lego-arta # exports against a plain copy, and their memory
lego-arta bench review --out lego-arta # rating pages in a browser
lego-arta bench score --out lego-arta  # as many predictions as the paper's rows
lego-arta bench push --copies 2        # to a Hub on loopback against a bare copy and hash
lego-arta bench masks --work .work     # CPU of mask rows besides encoding, and of samples
lego-arta bench annotate               # MiniGPT-v2 at full size, random weights, on a GPU
"""

import argparse
from importlib import import_module
from pathlib import Path

from core.cli import Parser, pip_install, positive, run
from core.errors import UserError

# By the name on the command line: where its function lies, and what it says of itself.
BENCHES = {
    "build": ("benchmarks.build", "wall time, memory and size of a build"),
    "encode": ("benchmarks.build", "time and size of lossless efforts on a build's pictures"),
    "memory": ("benchmarks.build", "peak memory of demo builds of several sizes"),
    "scale": ("benchmarks.scale", "memory by number of manuals, local against Ray, the plan"),
    "load": ("benchmarks.load", "iteration over rows against the bare decode"),
    "export": ("benchmarks.export", "seconds of every format against a plain copy, and memory"),
    "review": ("benchmarks.review", "first screen and next sample of rating pages, in Chromium"),
    "score": ("benchmarks.score", "time to score predictions of the paper's number"),
    "push": ("benchmarks.push", "a push to a Hub on loopback against a bare copy and hash"),
    "masks": ("benchmarks.masks", "CPU of a mask row besides encoding, and of samples"),
    "annotate": ("benchmarks.annotate", "MiniGPT-v2 (full-size, random weights) by batch size"),
}
DEV = ("playwright", "psutil")  # only measuring and testing need them


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("bench", __doc__)
    commands = result.add_subparsers(required=True, dest="bench", metavar="|".join(BENCHES))
    add = {name: commands.add_parser(name, help=text).add_argument
           for name, (_, text) in BENCHES.items()}  # fmt: skip
    add["build"]("--source", default="demo", help="as for `lego-arta build` (%(default)s)")
    add["build"]("--limit", type=positive, help="number of manuals")
    add["memory"]("--limits", default="20,200", help="demo sizes (%(default)s)")
    add["scale"]("--manuals", default="120,240,480,960", help="numbers of them (%(default)s)")
    add["scale"]("--build-manuals", type=positive, default=12,
                 help="of the demo, built by both engines (%(default)s)")  # fmt: skip
    add["scale"]("--scratch", type=Path, help="a disk with room for all of it")
    for name in ("build", "memory", "scale", "score"):
        add[name]("--workers", type=positive, default=2, help="processes (%(default)s)")
    for name in ("encode", "load", "export", "review", "score"):
        add[name]("--out", type=Path, default=Path("lego-arta"), help="build (%(default)s)")
    add["masks"]("--work", type=Path, default=Path(".work"), help="of a build (%(default)s)")
    add["masks"]("--manuals", type=positive, default=4, help="the first so many (%(default)s)")
    add["encode"]("--sample", type=positive, default=40, help="pictures (%(default)s)")
    for name, rounds in (("load", 3), ("export", 1), ("push", 3)):
        add[name]("--rounds", type=positive, default=rounds, help="the best counts (%(default)s)")
    _add_export(add["export"])
    add["push"]("--copies", type=positive, default=2, help="of every row (%(default)s)")
    _add_annotate(add["annotate"])
    return result


def _add_export(add) -> None:
    add("--manuals", type=positive, default=1000, help="(%(default)s)")
    add("--formats", nargs="+", metavar="F",
        help='all if not given; also with options: "llamafactory --examples dynamic"')  # fmt: skip
    add("--padding", type=int, default=0, metavar="BYTES",
        help="behind every picture; released ones have about 330,000")  # fmt: skip
    add("--scratch", type=Path, help="a disk with room for all of it")


def _add_annotate(add) -> None:
    add("--batches", default="1,8,32,128", help="batch sizes (%(default)s)")
    add("--pictures", type=positive, default=256, help="a batch size (%(default)s)")
    add("--new-tokens", type=positive, default=40, help="an answer (%(default)s)")
    add("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    add("--device", help="(a GPU if there is one)")
    add("--tiny", action="store_true", help="a toy, to see that this runs")


def bench(options: argparse.Namespace) -> None:
    """Measure and print; raises `UserError`."""
    try:
        module = import_module(BENCHES[options.bench][0])
    except ModuleNotFoundError as error:
        if error.name not in DEV:
            raise
        raise UserError(
            f"{options.bench}: {error.name} is not installed; {pip_install('dev')}"
        ) from None
    getattr(module, f"bench_{options.bench}")(options)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: bench(options))

"""Make a test set from a finished build: nothing is drawn or crawled anew.

    # robustness: some 20 rows under nine corruptions (all rows and severities: minutes)
    lego-arta derive lego-arta robust --config object --severity 2 --limit 20 --out data/robust
    lego-arta evaluate run data/robust --config object --out seen \\
        --model Qwen/Qwen2.5-VL-7B-Instruct
    lego-arta evaluate score data/robust seen     # a table of what each corruption costs
    # only blur, at its worst
    lego-arta derive lego-arta robust --config state --corruption motion_blur --severity 3 \\
        --out data/blurred
    # find a part among sixteen pictures of parts like it, or say that it is not there
    lego-arta derive lego-arta hard-detection --grid 4 --out data/hard
    # what is wrong, where, and how to put it right; train rows too, to tune on
    lego-arta derive lego-arta mistake --split train test --out data/mistakes
    # which step is next, in what order, the odd one out; and a step as a conversation
    lego-arta derive lego-arta sequence --out data/sequence
    lego-arta derive lego-arta episode --out data/episode
    # the same detection asked in German
    lego-arta derive lego-arta languages --language de --out data/german
    # look at it
    lego-arta gallery data/hard --all --out gallery

The folder is read by load_dataset and by validate, gallery, export and evaluate. The same build
and options give the same bytes; `source_ids` of a row name the rows of the build it was made from.
"""

import argparse
from importlib import import_module

from core.cli import Parser, positive, run, whole, writable
from core.errors import UserError
from core.names import SPLITS
from core.storage import option_place
from derived.kinds import KINDS, LANGUAGES

GRIDS = (2, 3, 4)
SEVERITIES = (1, 2, 3)


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("derive", __doc__)
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    told = "; ".join(f"{name}: {kind.help}" for name, kind in KINDS.items())
    add("kind", choices=KINDS, metavar="KIND", help=told)
    add("--out", type=writable, required=True, metavar="DIR", help="folder of the set")
    add("--split", nargs="+", choices=SPLITS, default=["test"], help="of the build (test)")
    add("--limit", type=positive, metavar="N", help="make it of about N rows a config and split")
    add("--seed", type=whole, default=42, help="of all that is drawn at random (%(default)s)")
    robust = result.add_argument_group("robust")
    robust.add_argument(
        "--config", nargs="+", choices=KINDS["robust"].reads, help="configs (all with boxes)"
    )
    robust.add_argument("--corruption", nargs="+", metavar="NAME", help="some of them (all)")
    robust.add_argument(
        "--severity", nargs="+", type=int, choices=SEVERITIES, help="some of them (all)"
    )
    hard = result.add_argument_group("hard-detection")
    hard.add_argument(
        "--grid", nargs="+", type=int, choices=GRIDS, help="pictures a side of a grid (all)"
    )
    other = result.add_argument_group("languages")
    other.add_argument(
        "--language", nargs="+", choices=LANGUAGES, help="some of them (all); each has its rows"
    )
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def derive(options: argparse.Namespace) -> None:
    """Make the set; raises `UserError`."""
    kind = KINDS[options.kind]
    for name in sorted({n for other in KINDS.values() for n in other.options} - {*kind.options}):
        if getattr(options, name):
            raise UserError(f"--{name}: {options.kind} has no such option; leave it out")
    from core.build import DERIVED, shards
    from derived import writer
    from derived.source import Source

    writer.check_out(options.out)
    there = [c for c in options.config or kind.reads
             if any(shards(options.build, c, split) for split in options.split)]  # fmt: skip
    source = Source(
        build=options.build,
        splits=tuple(split for split in SPLITS if split in options.split),
        configs=tuple(there),
        corruptions=tuple(options.corruption or ()),
        severities=tuple(sorted(set(options.severity or ()))),
        grids=tuple(sorted(set(options.grid or GRIDS))),
        languages=tuple(options.language or ()),
        limit=options.limit,
        seed=options.seed,
    )
    if source.manifest.get("kind") == DERIVED:
        raise UserError(f"{options.build}: made from a build itself; give that build")
    if not there:
        asked = ", ".join(options.config or kind.reads)
        raise UserError(f"{options.build}: it has no rows of {asked} in {', '.join(options.split)}")
    module = import_module(kind.module)
    _check_names("--corruption", source.corruptions)
    told = {
        "splits": list(source.splits),
        "limit": source.limit,
        "seed": source.seed,
        **{name: getattr(options, name) for name in kind.options},
    }
    features = {config: module.features(config) for config in module.configs(source)}
    rows = writer.write(options.out, options.kind, told, source, features, module.make(source))
    for config, splits in rows.items():
        print(f"{config}: " + ", ".join(f"{n:,} {split}" for split, n in splits.items() if n))
    for name, number in sorted(source.dropped.items()):
        print(f"left out: {number:,} of {name.replace('_', ' ')}")
    print(options.out)


def _check_names(option: str, names: tuple[str, ...]) -> None:
    from core.cli import instead_of
    from synthesis.corruptions import CORRUPTIONS

    for name in names:
        if name not in CORRUPTIONS:
            raise UserError(f"{option} {name}: unknown; {instead_of(name, CORRUPTIONS)}")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: derive(options), options.debug)

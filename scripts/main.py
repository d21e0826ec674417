"""LEGO audio manuals into vision-language data: build it, look at it, use it.

    lego-arta build                        # the demo dataset, in lego-arta/
    lego-arta gallery lego-arta            # browse what was built
    lego-arta export lego-arta --format llava --out data/llava
    lego-arta evaluate run lego-arta --config state --model baseline:place
    lego-arta push lego-arta --repo-id ORG/lego-arta --dry-run

Every command has a --help with examples.
"""

import sys
from importlib import import_module

from core.cli import Parser, run_file

# By its name: the module that has its `parser` and `main`, and what it is for.
COMMANDS = {
    "build": ("builder.command", "manuals in, a loadable dataset out"),
    "validate": ("builder.release.command", "check every invariant of a build"),
    "diff": ("builder.release.diff", "what changed between two builds, and why"),
    "leakage": ("builder.release.leakage", "what test shares with train; unseen parts"),
    "probe": ("builder.probes.command", "can answers be guessed without looking?"),
    "push": ("builder.publish.command", "put a build on the Hub, in one commit"),
    "export": ("builder.export.command", "a build in the files that trainers read"),
    "derive": ("derived.command", "a test set made from a build: robustness, mistakes"),
    "gallery": ("review.gallery_command", "browse a build, choose rows of it"),
    "review": ("review.command", "pages for raters, and what they say"),
    "sheet": ("review.sheet_command", "a picture of right and wrong states"),
    "swatches": ("review.swatches_command", "a page to correct outline colours"),
    "evaluate": ("evaluation.command", "ask a model about a build, score its answers"),
    "train": ("scripts.train.command", "tune a model on a build"),
    "vsd": ("builder.vsd.command", "data of visual spatial description as rows"),
    "measure": ("benchmarks.measure", "quality of a build against known truth"),
    "bench": ("benchmarks.command", "speed, memory and size"),
    "sighted": ("benchmarks.sighted_command", "can a small model learn the state task?"),
    "overview": ("builder.release.overview", "the README's picture of all tasks"),
    "infos": ("builder.release.infos", "write dataset_infos.json anew"),
}


def parser() -> Parser:
    """The command line up to the name of a command."""
    result = Parser("", __doc__)
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return result


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    words = sys.argv[1:] if argv is None else argv
    name = parser().parse_args(words[:1]).command
    return import_module(COMMANDS[name][0]).main(words[1:])


if __name__ == "__main__":
    run_file(__file__, main)

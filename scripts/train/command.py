"""Tune a model on a build, with LoRA (TRL) and LEGO-R1's hyper-parameters.

    lego-arta train sft lego-arta --out tuned/sft
    lego-arta train grpo lego-arta --out tuned/grpo

Both save an adapter, which `lego-arta evaluate run --adapter` asks.
"""

from core.cli import Parser, pasteable, require, run
from scripts.train import common, grpo, sft

RECIPES = {"sft": sft, "grpo": grpo}


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("train", __doc__)
    commands = result.add_subparsers(dest="recipe", required=True, metavar="|".join(RECIPES))
    for name, recipe in RECIPES.items():
        about, _, more = str(recipe.__doc__).partition("\n\n")
        recipe.add_options(
            commands.add_parser(name, help=about, description=about, epilog=pasteable(more))
        )
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)

    def work() -> None:
        for extra in ("train", "evaluate"):
            require(extra, "training")
        options.configs = options.configs or common.configs_in(options.build)
        RECIPES[options.recipe].train(options)

    return run(work, options.debug, "the same command with --resume")

"""Train a model on a build: one that answers, with LoRA (TRL), or one that marks pixels.

    lego-arta train sft lego-arta --out tuned/sft
    lego-arta train grpo lego-arta --out tuned/grpo
    sbatch scripts/slurm/tune.sh \\
        python -m accelerate.commands.launch --num_processes 2 scripts/train/grpo.py \\
        lego-arta --out tuned/grpo --report-to wandb
    lego-arta train masking lego-arta --out tuned/masking --predict maps

sft and grpo have LEGO-R1's hyper-parameters and save an adapter, which `lego-arta evaluate run
--adapter` asks. What masking predicts is scored by `lego-arta evaluate masks`.
"""

from core.cli import Parser, pasteable, run
from scripts.train import grpo, masking, masking_ablation, sft

RECIPES = {"sft": sft, "grpo": grpo, "masking": masking, "masking-ablation": masking_ablation}


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

    recipe = RECIPES[options.recipe]

    def work() -> None:
        recipe.prepare(options)
        recipe.train(options)

    again = "the same command with --resume" if "resume" in options else "the same command"
    return run(work, options.debug, again)

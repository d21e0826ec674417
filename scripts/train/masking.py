"""A model of masks: from a picture and an instruction to the pixels it is about.

    lego-arta train masking lego-arta --out tuned/masking --predict maps/small
    lego-arta evaluate masks lego-arta --masks maps/small
    # does it read? the same weights, each row asked with the instruction of another
    lego-arta train masking lego-arta --load tuned/masking --predict maps/shuffled \\
        --shuffle-instructions
    # as Instruction-Guided Visual Masking has it: SAM's vision tower, LLaVA with LoRA, a mask head
    lego-arta train masking lego-arta --size full --out tuned/full --predict maps/full

small: a convolutional network steered by the words, trained on a CPU in minutes. full: needs a GPU.
The loss of both is BCE + dice, every row by its sample_weight. --predict writes a map a row, as
ID.png, grey, of the picture's size.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import command, positive, require, run_file, whole, writable
from core.errors import UserError
from core.names import SPLITS
from evaluation.runners import ATTENTION
from tasks import TASKS

if TYPE_CHECKING:
    import numpy as np

    from scripts.train.masking_data import Rows, Sample

SIZES = ("small", "full")
SOURCES = ("exact", "human", "machine")
# Options of one size alone, filled in late: what the user gave of the other is refused.
OWN: dict[str, dict[str, Any]] = {
    "small": {"side": 96, "epochs": 28, "batch": 24, "threads": 1},
    "full": {
        "model": "llava-hf/llava-1.5-7b-hf",
        "vision": "facebook/sam-vit-huge",
        "max_steps": 1_000_000,
        "accumulate": 8,
        "attention": None,
        "resume": False,
    },
}


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments of this recipe."""
    add = command.add_argument
    add("build", type=Path, metavar="BUILD", help="a build folder; its train split is used")
    add("--size", choices=SIZES, default="small", help="(%(default)s)")
    add("--out", type=writable, metavar="DIR", help="where the weights go")
    add("--load", type=Path, metavar="DIR", help="no training: weights of an earlier --out")
    add("--predict", type=writable, metavar="DIR", help="write a map a row of --split there")
    add("--split", choices=SPLITS, default="test", help="of --predict (%(default)s)")
    add("--config", choices=TASKS, default="mask",
        help="whose rows --predict asks about: those of any task, by what their queries say, for "
        "evaluate run --deploy METHOD --masks predicted:DIR (%(default)s)")  # fmt: skip
    add(
        "--shuffle-instructions",
        action="store_true",
        help="--predict asks every row with another row's instruction: a model that reads gets "
        "worse",
    )
    add("--sources", nargs="+", choices=SOURCES, default=list(SOURCES), metavar="SOURCE",
        help="train on rows whose masks are from these: exact, human, machine (all)")  # fmt: skip
    add("--unweighted", action="store_true", help="all rows count alike, whatever sample_weight")
    add("--max-samples", type=positive, metavar="N", help="at most N rows to train on (all)")
    add("--learning-rate", type=_rate, metavar="R", help="(3e-3; full: 1e-4)")
    add("--seed", type=whole, default=42, help="(%(default)s)")
    add("--debug", action="store_true", help="show the traceback of an error")
    group = command.add_argument_group("small")
    add, given = group.add_argument, OWN["small"]
    add("--side", type=positive, metavar="PX",
        help=f"the longer side of pictures as the network sees them ({given['side']})")  # fmt: skip
    add("--epochs", type=positive, metavar="N", help=f"({given['epochs']})")
    add("--batch", type=positive, metavar="N", help=f"rows a step ({given['batch']})")
    add("--threads", type=positive, metavar="N",
        help=f"of the CPU; another number may give other weights ({given['threads']})")  # fmt: skip
    group = command.add_argument_group("full")
    add, given = group.add_argument, OWN["full"]
    add("--model", metavar="ID|DIR",
        help=f"who reads: any image-text-to-text model ({given['model']})")  # fmt: skip
    add("--vision", metavar="ID|DIR", help=f"who sees the pixels: a SAM ({given['vision']})")
    add("--max-steps", type=positive, metavar="N",
        help=f"iterations ({given['max_steps']:,}, the paper's)")  # fmt: skip
    add("--accumulate", type=positive, metavar="N", help=f"rows a step ({given['accumulate']})")
    add("--attention", choices=ATTENTION, help="how it attends (what its library takes)")
    add("--resume", action="store_true", default=None,
        help="go on from the checkpoint in --out, which is written after every epoch")  # fmt: skip


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a number between 0 and 1")
    return value


def prepare(options: argparse.Namespace) -> None:
    """Refuse what can't be done before any work."""
    if options.size == "full":
        require("train", "training")
    else:
        require("train", "training", "torch")
    for size, own in OWN.items():
        for name, value in own.items():
            given = getattr(options, name)
            if given is not None and size != options.size:
                raise UserError(
                    f"--{name.replace('_', '-')}: only --size {size} has it; leave it out, or give "
                    f"--size {size}"
                )
            if given is None:
                setattr(options, name, value)
    if bool(options.out) == bool(options.load):
        raise UserError("give --out DIR to train, or --load DIR to use what was trained")
    if options.load and options.resume:
        raise UserError("--resume: it goes on with a training; leave --load out")
    if options.load and not options.predict:
        raise UserError("--load: nothing to do without --predict DIR")
    if options.config != "mask" and not options.predict:
        raise UserError("--config: give --predict DIR for the maps")
    if options.shuffle_instructions and not options.predict:
        raise UserError("--shuffle-instructions: give --predict DIR for the maps")


def train(options: argparse.Namespace) -> float | None:
    """Train and save, or load; predict if asked to. Returns the last loss, if there was one."""
    if options.size == "full":
        from scripts.train import masking_full

        return masking_full.work(options)
    return _small(options)


def _small(options: argparse.Namespace) -> float | None:
    import torch

    from scripts.train import masking_small
    from scripts.train.masking_data import rows_of, vocabulary

    torch.set_num_threads(options.threads)
    last = None
    if options.load:
        network, words, recipe = masking_small.load(options.load)
    else:
        recipe = masking_small.Recipe(
            side=options.side,
            epochs=options.epochs,
            batch=options.batch,
            learning_rate=options.learning_rate or 3e-3,
            weighted=not options.unweighted,
            seed=options.seed,
        )
        rows = rows_of(options.build, "train", recipe.side, options.sources, options.max_samples)
        words = vocabulary([text for sample in rows.samples for text in sample.texts])
        print(
            f"{len(rows.samples):,} rows of {len({s.manual_id for s in rows.samples}):,} manuals, "
            f"{len(rows.pictures):,} pictures, {len(words):,} words",
            flush=True,
        )
        network, losses = masking_small.train(rows, words, recipe, _tell_epochs(recipe.epochs))
        path = masking_small.save(options.out, network, words, recipe)
        last = losses[-1]
        print(f"{path}: loss {losses[0]:.4f} -> {last:.4f}")
    if options.predict:
        asked = rows_to_ask(options, recipe.side)
        texts = texts_of(asked.samples, options)
        write_maps(options, masking_small.predict(network, asked, texts, words))
    return last


def _tell_epochs(epochs: int) -> Callable[[int, float], None]:
    def tell(epoch: int, loss: float) -> None:
        if epoch * 10 // epochs > (epoch - 1) * 10 // epochs:
            print(f"epoch {epoch} of {epochs}: loss {loss:.4f}", file=sys.stderr, flush=True)

    return tell


def rows_to_ask(options: argparse.Namespace, side: int) -> "Rows":
    """The rows that --predict asks about."""
    from scripts.train.masking_data import CONFIG, questions_of, rows_of

    if options.config == CONFIG:
        return rows_of(options.build, options.split, side)
    return questions_of(options.build, options.config, options.split, side)


def texts_of(samples: "Sequence[Sample]", options: argparse.Namespace) -> list[str]:
    """What every row is asked: its query, or that of another."""
    from scripts.train.masking_data import shuffled

    if options.shuffle_instructions:
        return shuffled(samples, options.seed)
    return [sample.query for sample in samples]


def write_maps(options: argparse.Namespace, maps: "Iterable[tuple[Sample, np.ndarray]]") -> None:
    """A map a row in --predict, and how to score them."""
    count = 0
    for sample, found in maps:
        write_map(options.predict, sample.id, found)
        count += 1
    split = [] if options.split == "test" else ["--split", options.split]
    use = command("evaluate", "masks", options.build, "--masks", options.predict, *split)
    if options.config != "mask":
        use = command("evaluate", "run", "--help")
    print(f"{options.predict}: {count:,} maps; use them with: {use}")


def write_map(folder: Path, name: str, found: "np.ndarray") -> None:
    """A map (H, W) from 0 to 1 as a grey PNG."""
    import numpy as np
    from PIL import Image

    from core.store import writing

    with writing(folder / f"{name}.png") as temporary:
        Image.fromarray(np.rint(found * 255).astype(np.uint8)).save(temporary, "PNG")


if __name__ == "__main__":
    from scripts.train.command import main

    run_file(__file__, main, "masking")

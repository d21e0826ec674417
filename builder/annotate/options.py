"""How annotators are chosen and run, as the command line says it."""

import argparse
from dataclasses import dataclass
from typing import Any

from builder.annotate import ANNOTATORS, FILE
from core.cli import instead_of, positive
from core.errors import UserError

DTYPES = ("auto", "bfloat16", "float16", "float32")
PROMPTS = ("official", "paper")
# What can lie somewhere, by the names of --model.
FILES = frozenset(("minigpt-v2", "eva-vit"))  # the others are folders
MODELS = ("minigpt-v2", "eva-vit", "llama", "grounding-dino", "owlv2", "qwen-vl")


@dataclass(frozen=True)
class ModelOptions:
    """How models are found and run. `places` are (name, path or Hub id) pairs."""

    places: tuple[tuple[str, str], ...] = ()
    batch_size: int = 32
    dtype: str = "auto"
    devices: tuple[str, ...] = ()
    prompt: str = "official"

    def place(self, name: str, default: str | None = None) -> str:
        """Where the model or file of that name lies; raises `UserError` when nobody said."""
        found = dict(self.places).get(name, default)
        if found is None:
            raise UserError(f"--model {name}=...: say where it lies, a path or a Hub id")
        return found


def add_options(group: Any) -> None:
    """Command-line options: who annotates, and the models it takes."""
    group.add_argument(
        "--annotator",
        type=_annotators,
        default="exact",
        metavar="NAME,NAME",
        help="who gives them (%(default)s: the source, where it drew its pictures, else "
        "foreground, which is plain-background geometry; both need no model, others need the extra "
        f"`annotate`); several for their consensus. One of {', '.join(ANNOTATORS)}, or "
        "file:ANSWERS.jsonl: what a model answered elsewhere, lines as "
        '{"image": "MANUAL/PICTURE.png", "answer": "..."}',
    )
    add_model_options(group)


def add_model_options(group: Any) -> None:
    """Where models lie and how they are run."""
    group.add_argument(
        "--model",
        action="append",
        default=[],
        type=_place,
        metavar="NAME=PLACE",
        help="where a model lies: a path, or a Hub id such as ORG/NAME (ORG/NAME/FILE for one "
        "file). Names: minigpt-v2 and eva-vit (checkpoint files), llama (folder), grounding-dino, "
        "owlv2, qwen-vl (repeatable)",
    )
    group.add_argument(
        "--batch-size",
        type=positive,
        default=ModelOptions.batch_size,
        metavar="N",
        help="pictures at a time; halved when memory runs out (%(default)s)",
    )
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        default="auto",
        help="of weights (%(default)s: float32, but bfloat16 for language models on a GPU)",
    )
    group.add_argument(
        "--devices",
        default="",
        metavar="D,D",
        help="a process each, pictures shared out among them: cuda:0,cuda:1 (all GPUs, else cpu); "
        "with --engine ray cuda or cpu: all GPUs of the cluster, or a process a node",
    )
    group.add_argument(
        "--minigpt-prompt",
        choices=PROMPTS,
        default="official",
        help="%(default)s: MiniGPT-v2's own; paper: with the system text the paper's script put "
        "before it, which the model echoes as <p>ImageContent</p>",
    )


def options_of(options: argparse.Namespace) -> ModelOptions:
    """The options as the command line gave them."""
    return ModelOptions(
        tuple(sorted(dict(options.model).items())),
        options.batch_size,
        options.dtype,
        tuple(name.strip() for name in options.devices.split(",") if name.strip()),
        options.minigpt_prompt,
    )


def _annotators(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in ANNOTATORS and not name.startswith(FILE):
            raise argparse.ArgumentTypeError(f"{name}: unknown; {instead_of(name, ANNOTATORS)}")
        if names.count(name) > 1:
            raise argparse.ArgumentTypeError(f"{text}: give each once, with commas")
    return ",".join(names)


def _place(text: str) -> tuple[str, str]:
    name, equals, place = text.partition("=")
    if not (name and equals and place):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=PLACE, e.g. owlv2=ORG/NAME")
    if name not in MODELS:
        raise argparse.ArgumentTypeError(f"{name}: no model; {instead_of(name, MODELS)}")
    return name, place

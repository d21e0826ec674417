"""What annotators with a model share: their options, a question, an answer, where a model lies.

A model annotator is a module with

    identity(options) -> str                     what its answers depend on besides the question
    open_model(options, device) -> Model         load it; raises `UserError`
    read(question, answer, size_wh) -> Reading   its answer as boxes, without the model

Raw answers are kept on disk, so reading them better later costs no GPU.
"""

import argparse
import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from builder.annotate import ANNOTATORS
from builder.annotate.naming import PartLabel
from builder.media import Picture
from builder.records import UserError
from synthesis.boxes import Box

EXTRA = "pip install -e '.[annotate]'"
DTYPES = ("auto", "bfloat16", "float16", "float32")
PROMPTS = ("official", "paper")
LOADING_ERRORS = (OSError, ValueError, ImportError, AttributeError, KeyError, RuntimeError)


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


class Question(NamedTuple):
    """One row to annotate: the picture by its hash, the lines of the text and its labels."""

    image_sha256: str
    lines: tuple[str, ...]
    labels: tuple[PartLabel, ...]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's raw answer to one question.

    `texts` is what was said, one for every prompt; `boxes` are [label index, x0, y0, x1, y1, score]
    in pixels of the picture; `seen_wh` is the picture's size as the model saw it, where its own
    coordinates are in that frame.
    """

    size_wh: tuple[int, int]
    texts: list[str] = []
    boxes: list[tuple[int, float, float, float, float, float]] = []
    seen_wh: tuple[int, int] | None = None


class Detection(NamedTuple):
    """A box that a model gave. `label` is the index of the row's label it belongs to, or None;
    `score` is None when the model gives none."""

    label: int | None
    phrase: str
    box_px: Box
    score: float | None


class Reading(NamedTuple):
    """An answer as boxes, and what was dropped from it by reason."""

    detections: list[Detection]
    dropped: Counter


class Model(NamedTuple):
    """A loaded model: `prepare` runs on a CPU thread, `answer` takes a batch of what it made."""

    prepare: Callable[[Picture, Question], Any]
    answer: Callable[[Sequence[Any]], list[Answer]]


def add_options(group: Any) -> None:
    """Command-line options: who annotates, and the models it takes."""
    group.add_argument(
        "--annotator",
        type=_annotators,
        default="foreground",
        metavar="NAME,NAME",
        help="who gives them (%(default)s: plain-background geometry, needs no model; others need "
        f"the extra `annotate`); several for their consensus. One of {', '.join(ANNOTATORS)}",
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
        type=_at_least_one,
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
        help="one process each, manuals shared out among them: cuda:0,cuda:1 (all GPUs, else cpu)",
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
        if name not in ANNOTATORS or names.count(name) > 1:
            raise argparse.ArgumentTypeError(
                f"{text}: give one or more of {', '.join(ANNOTATORS)}, each once, with commas"
            )
    return ",".join(names)


def _place(text: str) -> tuple[str, str]:
    name, equals, place = text.partition("=")
    if not (name and equals and place):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=PLACE, e.g. owlv2=ORG/NAME")
    return name, place


def _at_least_one(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1 up")
    return value


def import_torch(name: str) -> Any:
    """The torch module; raises `UserError` where torch or transformers are not installed."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(f"--annotator {name}: {error.name} is not installed; {EXTRA}") from error
    transformers.utils.logging.disable_progress_bar()
    return torch


def torch_dtype(options: ModelOptions, device: str) -> Any:
    """The dtype of weights on a device."""
    import torch

    if options.dtype != "auto":
        return getattr(torch, options.dtype)
    return torch.float32 if device.startswith("cpu") else torch.bfloat16


def cannot_load(name: str, place: str, error: Exception) -> UserError:
    """One line: why a model can't be loaded, and what to do about it."""
    cure = f"give --model {name}=... a folder or a Hub id of such a model"
    if not isinstance(error, OSError) and importlib.util.find_spec("torchvision") is None:
        cure = f"{cure}, or install the torchvision that fits your torch, if it is that which lacks"
    said = " ".join(str(error).split())[:300]
    return UserError(f"--model {name}={place}: can't be loaded ({said}); {cure}")


def file_at(name: str, place: str) -> Path:
    """The path of one checkpoint file: local, or fetched from the Hub (ORG/NAME/FILE)."""
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if path.exists() or place.startswith((".", "/", "~")) or place.count("/") < 2:
        raise UserError(
            f"--model {name}={place}: no such file; give its path, or ORG/NAME/FILE on the Hub"
        )
    organisation, repository, file = place.split("/", 2)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(f"{organisation}/{repository}", file))
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(
            f"--model {name}={place}: neither a file here nor to be had from the Hub ({said}); "
            "give its path"
        ) from error


def place_identity(place: str) -> str:
    """A model's name in identities: a file or folder by name and sizes, else the id as it is."""
    path = Path(place).expanduser()
    if path.is_file():
        return f"{path.name}:{path.stat().st_size}"
    if path.is_dir():
        files = sorted((p.name, p.stat().st_size) for p in path.iterdir() if p.is_file())
        return f"{path.resolve().name}:{files}"
    return place

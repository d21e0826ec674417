"""What annotators with a model share: a question, an answer, where a model lies (`options.py`).

A model annotator is a module with

    identity(options) -> str                     what its answers depend on besides the question
    open_model(options, device) -> Model         load it; raises `UserError`
    read(question, answer, size_wh) -> Reading   its answer as boxes, without the model

Raw answers are kept on disk, so reading them better later costs no GPU.
"""

import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from builder.annotate.options import FILES
from builder.annotate.options import ModelOptions as ModelOptions  # callers take it from here
from core.cli import pip_install
from core.errors import UserError
from core.pictures.media import Picture
from core.records import PartLabel
from synthesis.boxes import Box

LOADING_ERRORS = (OSError, ValueError, ImportError, AttributeError, KeyError, RuntimeError)


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
    dropped: Counter[str]


class Model(NamedTuple):
    """A loaded model: `prepare` runs on a CPU thread, `answer` takes a batch of what it made."""

    prepare: Callable[[Picture, Question], Any]
    answer: Callable[[Sequence[Any]], list[Answer]]


def import_torch(name: str) -> Any:
    """The torch module; raises `UserError` where torch or transformers are not installed."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(
            f"--annotator {name}: {error.name} is not installed; {pip_install('annotate')}"
        ) from error
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


def check_place(name: str, place: str) -> None:
    """Raise `UserError` where no such model can lie: a path that is not there, or of another kind.

    What is neither may be a Hub id, which is asked for later.
    """
    path, wants_file = Path(place).expanduser(), name in FILES
    if not path.exists():
        if place.startswith((".", "/", "~")) or place.count("/") != (2 if wants_file else 1):
            what, hub = ("file", "ORG/NAME/FILE") if wants_file else ("folder", "ORG/NAME")
            raise UserError(
                f"--model {name}={place}: no such {what}; give its path, or {hub} on the Hub"
            )
    elif wants_file and path.is_dir():
        raise UserError(f"--model {name}={place}: a folder; give the checkpoint file in it")
    elif not wants_file and not (path / "config.json").is_file():
        raise UserError(
            f"--model {name}={place}: no config.json in it; give the folder of a downloaded model"
        )


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

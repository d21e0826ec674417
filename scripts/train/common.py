"""What both recipes share: arguments, the model, its adapter."""

import argparse
import importlib.util
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.build import configs_of
from core.cli import command, positive, python_module, require, whole, writable
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS
from evaluation.runners import ATTENTION
from scripts.train import curves
from tasks import TASKS

if TYPE_CHECKING:
    from evaluation.training import Bounds

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"
# LEGO-R1 keeps the vision side frozen: adapters go on the language side only.
VISION = r".*(visual|vision_tower|vision_model|multi_modal_projector|merger).*"
REPORTS = ("none", "wandb", "tensorboard")
FACTOR = 28  # sides of what Qwen2-VL and Qwen2.5-VL see are multiples of it


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments that both recipes have."""
    add = command.add_argument
    add(
        "build",
        type=Path,
        metavar="BUILD",
        help="a build folder, whose boxes are said in pixels of the picture as Qwen2.5-VL sees it, "
        "or an export of --format messages, in its own --frame; the train split is used",
    )
    add("--out", type=writable, required=True, help="where the adapter goes")
    add("--model", default=MODEL, metavar="ID|DIR", help="(%(default)s)")
    add("--configs", nargs="+", choices=TASKS, help="tasks (all that the build has)")
    add("--max-samples", type=positive, metavar="N", help="at most N rows a task (all)")
    add("--max-steps", type=int, default=-1, metavar="N", help="stop after N steps")
    add(
        "--max-pixels",
        type=positive,
        metavar="N",
        help=f"bound on a picture (that of the export, else {MAX_PIXELS})",
    )
    add("--seed", type=whole, default=42, help="(%(default)s)")
    add("--deepspeed", type=Path, metavar="JSON", help="e.g. scripts/train/zero2.json")
    add("--attention", choices=ATTENTION, help="(LEGO-R1: flash_attention_2, of flash-attn)")
    add(
        "--report-to",
        choices=REPORTS,
        default="none",
        help="where the training is logged beside --out (%(default)s)",
    )
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--debug", action="store_true", help="show the traceback of an error")


def prepare(options: argparse.Namespace) -> None:
    """Refuse what can't be done before any work, and fill in what was left out."""
    for extra in ("train", "evaluate"):
        require(extra, "training")
    name = options.report_to
    if name != "none" and importlib.util.find_spec(name) is None:
        raise UserError(
            f"--report-to {name}: {name} is not installed; {python_module('pip', 'install', name)}"
        )
    options.configs = options.configs or configs_in(options.build)


def bounds(options: argparse.Namespace) -> "Bounds | None":
    """The area of pictures that boxes are made for, in pixels; None where boxes hold at any size.

    Raises `UserError` when those of an export are made for another than asked for.
    """
    from evaluation.training import Bounds, bounds_of

    asked = options.max_pixels
    if is_build(options.build):
        most = asked or MAX_PIXELS
        return Bounds(min(MIN_PIXELS, most), most)
    made = bounds_of(options.build)
    if made and asked not in (None, made.max_pixels):
        raise UserError(
            f"--max-pixels {asked}: the boxes in {options.build} are made for "
            f"{made.max_pixels}; leave it out, or export again with --max-pixels {asked}"
        )
    return made


def load(options: argparse.Namespace) -> tuple[Any, Any, bool]:
    """(model, processor, bf16): in bfloat16 where the accelerator has it."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from evaluation.runners.local import LOADING_ERRORS, attention_of, cannot_load, limit_pixels

    made, attention = bounds(options), attention_of(options.attention)
    bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        processor = AutoProcessor.from_pretrained(options.model)
        model = AutoModelForImageTextToText.from_pretrained(
            options.model, dtype=torch.bfloat16 if bf16 else torch.float32, **attention
        )
    except LOADING_ERRORS as error:
        raise UserError(cannot_load(options.model, error)) from error
    pictures = getattr(processor, "image_processor", None)
    factor = getattr(pictures, "patch_size", 0) * getattr(pictures, "merge_size", 0)
    if made and "object" in options.configs and factor != FACTOR:
        raise UserError(
            f"--model {options.model}: it does not see pictures as Qwen2.5-VL does, in whose "
            "pixels the boxes are; give an export of --format messages --frame norm1000"
        )
    least, most = made or (None, options.max_pixels or MAX_PIXELS)
    limit_pixels(processor, most, least)
    return model, processor, bf16


def is_build(folder: Path) -> bool:
    """Whether a folder is a build, which can be asked about, and not an export of one."""
    return (folder / "data").is_dir()


def configs_in(folder: Path) -> list[str]:
    """The tasks that a build has rows of; all for an export, where what is not there is no row."""
    here = configs_of(folder) if is_build(folder) else ()
    return [config for config in TASKS if config in here] or list(TASKS)


def shared_arguments(options: argparse.Namespace, bf16: bool) -> dict[str, Any]:
    """Trainer arguments that both recipes have."""
    return {
        "output_dir": str(options.out),
        "max_steps": options.max_steps,
        "bf16": bf16,
        "seed": options.seed,
        "gradient_checkpointing": bf16,
        "logging_steps": 1 if 0 < options.max_steps < 10 else 10,
        "save_total_limit": 2,
        "report_to": options.report_to,
        "disable_tqdm": not sys.stderr.isatty(),
        "deepspeed": str(options.deepspeed) if options.deepspeed else None,
    }


def finish(trainer: Any, options: argparse.Namespace, template: str = "plain") -> float:
    """Train, check the loss, save the adapter; returns the last loss."""
    trainer.train(resume_from_checkpoint=options.resume or None)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not losses or not all(map(math.isfinite, losses)):
        raise UserError(f"the loss is not a number ({losses[-1:]}); try a lower learning rate")
    trainer.save_model(str(options.out))
    if trainer.is_world_process_zero():
        curves.write(trainer.state.log_history, options.out)
    print(f"{options.out}: adapter saved after {trainer.state.global_step} steps, "
          f"loss {losses[-1]:.4f}; every logged step is in {curves.TABLE}")  # fmt: skip
    if is_build(options.build):
        asking = command("evaluate", "run", options.build, "--model", options.model,
                         "--adapter", options.out, "--config", options.configs[0],
                         "--setting", "no-examples", "--template", template, "--boxes", "json",
                         "--example-frame", "resized_px")  # fmt: skip
        print(f"ask it with: {asking}")
    return float(losses[-1])

"""What both recipes share: arguments, the model, its adapter."""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.cli import Parser, command, positive, require, run, whole, writable
from core.errors import UserError
from tasks import TASKS

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"
# LEGO-R1 keeps the vision side frozen: adapters go on the language side only.
VISION = r".*(visual|vision_tower|vision_model|multi_modal_projector|merger).*"
MAX_PIXELS = 2600 * 28 * 28


def parser(script: str, doc: str) -> Parser:
    """Arguments that both recipes have."""
    result = Parser(script, doc)
    add = result.add_argument
    add(
        "build",
        type=Path,
        metavar="BUILD",
        help="a build folder, or an export of --format messages; its train split is used",
    )
    add("--out", type=writable, required=True, help="where the adapter goes")
    add("--model", default=MODEL, metavar="ID|DIR", help="(%(default)s)")
    add("--configs", nargs="+", choices=TASKS, default=list(TASKS), help="tasks (all)")
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
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def pixels(folder: Path, max_pixels: int | None) -> tuple[int, int | None]:
    """Most and least area of a picture, None for the processor's own; raises `UserError` when the
    boxes of an export are made for another.
    """
    from evaluation.training import bounds_of

    bounds = bounds_of(folder)
    if bounds is None:
        return max_pixels or MAX_PIXELS, None
    if max_pixels not in (None, bounds.max_pixels):
        raise UserError(
            f"--max-pixels {max_pixels}: the boxes in {folder} are made for "
            f"{bounds.max_pixels}; leave it out, or export again with --max-pixels {max_pixels}"
        )
    return bounds.max_pixels, bounds.min_pixels


def load(options: argparse.Namespace) -> tuple[Any, Any, bool]:
    """(model, processor, bf16): in bfloat16 where the accelerator has it."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from evaluation.runners.local import LOADING_ERRORS, cannot_load, limit_pixels

    bounds = pixels(options.build, options.max_pixels)
    bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        processor = AutoProcessor.from_pretrained(options.model)
        model = AutoModelForImageTextToText.from_pretrained(
            options.model, dtype=torch.bfloat16 if bf16 else torch.float32
        )
    except LOADING_ERRORS as error:
        raise UserError(cannot_load(options.model, error)) from error
    # Others than Qwen's scale every picture to one size anyway.
    limit_pixels(processor, *bounds)
    return model, processor, bf16


def is_build(folder: Path) -> bool:
    """Whether a folder is a build, which can be asked about, and not an export of one."""
    return (folder / "data").is_dir()


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
        "report_to": "none",
        "disable_tqdm": not sys.stderr.isatty(),
        "deepspeed": str(options.deepspeed) if options.deepspeed else None,
    }


def finish(trainer: Any, options: argparse.Namespace) -> float:
    """Train, check the loss, save the adapter; returns the last loss."""
    trainer.train(resume_from_checkpoint=options.resume or None)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not losses or not all(map(math.isfinite, losses)):
        raise UserError(f"the loss is not a number ({losses[-1:]}); try a lower learning rate")
    trainer.save_model(str(options.out))
    print(f"{options.out}: adapter saved after {trainer.state.global_step} steps, "
          f"loss {losses[-1]:.4f}")  # fmt: skip
    if is_build(options.build):
        asking = command("scripts/evaluate.py", "run", options.build, "--model", options.model,
                         "--adapter", options.out, "--config", options.configs[0])  # fmt: skip
        print(f"ask it with: {asking}")
    return float(losses[-1])


def guarded(work: Callable[[argparse.Namespace], object], options: argparse.Namespace) -> int:
    """Exit status of a recipe: a user's error is one line."""

    def checked() -> None:
        for extra in ("train", "evaluate"):
            require(extra, "training")
        work(options)

    return run(checked, options.debug, "the same command with --resume")

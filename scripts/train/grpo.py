"""Reinforcement learning with GRPO and LoRA (TRL), with LEGO-R1's hyper-parameters and rewards.

    lego-arta train grpo lego-arta --out tuned/grpo
    lego-arta train grpo lego-arta --out tuned/safe \\
        --rewards penalised format state_acc grnd

LEGO-R1's own box reward (accuracy) can be gamed by one good box; `penalised` can't.
"""

import argparse
import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from core.cli import positive, run_file
from scripts.train import common

if TYPE_CHECKING:
    from evaluation.rewards import Reward

STEPS = 500
# LEGO-R1's, and all there are in evaluation/rewards.py.
REWARDS = ("accuracy", "format", "state_acc", "grnd")
ALL_REWARDS = (*REWARDS, "penalised", "iou_v0", "iou_v1", "format_v0")


def train(options: argparse.Namespace) -> float:
    """Tune and save an adapter; returns the last loss."""
    from evaluation.training import THINK, rows_of

    setting = replace(THINK, pixels=common.bounds(options))
    rows = rows_of(options.build, options.configs, setting, options.max_samples, options.seed)
    pictures = {"image", "images"} & set(rows.column_names)
    rows = rows.select_columns(["prompt", *pictures, "solution", "task"])
    model, processor, bf16 = common.load(options)
    # Where TRL pads prompts; with the processor on another side, it takes text for pictures.
    processor.tokenizer.padding_side = "left"
    from peft import LoraConfig
    from trl import GRPOConfig, GRPOTrainer

    shared = common.shared_arguments(options, bf16)
    if options.max_steps < 0:
        shared["max_steps"] = STEPS
    trainer = GRPOTrainer(
        model=model,
        processing_class=processor,
        train_dataset=rows,
        reward_funcs=[_named(name) for name in options.rewards],
        args=GRPOConfig(
            **shared,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            learning_rate=1e-5,
            beta=0.04,
            num_generations=2,
            max_completion_length=options.max_completion_length,
        ),
        peft_config=LoraConfig(
            r=8,
            lora_alpha=64,
            lora_dropout=0.05,
            target_modules="all-linear",
            exclude_modules=common.VISION,
            task_type="CAUSAL_LM",
        ),
    )
    return common.finish(trainer, options, "think")


def _named(name: str) -> "Reward":
    """A reward that logs show under the name that it was chosen by."""
    from evaluation.rewards import ALL_REWARDS

    reward = functools.wraps(ALL_REWARDS[name])(functools.partial(ALL_REWARDS[name]))
    reward.__name__ = name
    return reward


prepare = common.prepare


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments of this recipe."""
    common.add_options(command)
    command.add_argument(
        "--rewards",
        nargs="+",
        choices=ALL_REWARDS,
        default=list(REWARDS),
        help=f"({' '.join(REWARDS)})",
    )
    command.add_argument(
        "--max-completion-length", type=positive, default=164, help="(%(default)s)"
    )


if __name__ == "__main__":
    from scripts.train.command import main

    run_file(__file__, main, "grpo")

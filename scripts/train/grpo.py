"""Reinforcement learning with GRPO and LoRA (TRL), with LEGO-R1's hyper-parameters and rewards.

    lego-arta train grpo lego-arta --out tuned/grpo
    lego-arta train grpo lego-arta --out tuned/safe \\
        --rewards penalised format state_acc grnd

    # from what supervised tuning has learnt, with rewards for what an instruction means
    lego-arta train grpo lego-arta --out tuned/both --adapter tuned/sft \\
        --rewards accuracy format state_acc semantic

LEGO-R1's own box reward (accuracy) can be gamed by one good box; `penalised` can't. `grnd` rewards
the same words, `semantic` the same meaning (cosine of sentence embeddings, 0 to 1).
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import positive, run_file
from core.errors import UserError
from scripts.train import common

if TYPE_CHECKING:
    from evaluation.rewards import Completions, Reward

STEPS = 500
EMBEDDING = "sentence-transformers/all-MiniLM-L6-v2"
# LEGO-R1's, and all there are in evaluation/rewards.py and semantic.py.
REWARDS = ("accuracy", "format", "state_acc", "grnd")
ALL_REWARDS = (*REWARDS, "semantic", "penalised", "iou_v0", "iou_v1", "format_v0")


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
    from trl import GRPOConfig, GRPOTrainer

    model, lora = _with_lora(model, options.adapter)
    shared = common.shared_arguments(options, bf16)
    if options.max_steps < 0:
        shared["max_steps"] = STEPS
    trainer = GRPOTrainer(
        model=model,
        processing_class=processor,
        train_dataset=rows,
        reward_funcs=[_named(name, options.embedding) for name in options.rewards],
        args=GRPOConfig(
            **{**shared, "logging_steps": 1},  # LEGO-R1's curves have every step
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            learning_rate=1e-5,
            beta=0.04,
            num_generations=2,
            max_completion_length=options.max_completion_length,
        ),
        peft_config=lora,
    )
    last = common.finish(trainer, options, "think")
    # What the policy is held to is saved beside it, and is the adapter that was given.
    if trainer.is_world_process_zero():
        shutil.rmtree(options.out / "ref", ignore_errors=True)
    return last


def _with_lora(model: Any, adapter: Path | None) -> tuple[Any, Any]:
    """The model and the LoRA to put on it; with an adapter, that is trained on and none is new."""
    from peft import LoraConfig, PeftModel

    if adapter:
        try:
            return PeftModel.from_pretrained(model, adapter, is_trainable=True), None
        except (OSError, ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())[:200]
            raise UserError(f"--adapter {adapter}: does not fit on --model ({why})") from error
    return model, LoraConfig(
        r=8,
        lora_alpha=64,
        lora_dropout=0.05,
        target_modules="all-linear",
        exclude_modules=common.VISION,
        task_type="CAUSAL_LM",
    )


def _named(name: str, embedding: str) -> "Reward":
    """A reward that logs show under the name that it was chosen by."""
    from evaluation.rewards import ALL_REWARDS
    from evaluation.semantic import semantic_reward

    def reward(completions: "Completions", solution: Sequence[str], **more: Any) -> list[float]:
        if name == "semantic":
            return semantic_reward(completions, solution, embedding, **more)
        return ALL_REWARDS[name](completions, solution, **more)

    reward.__name__ = name  # TRL looks through a partial to the function's own
    return reward


def prepare(options: argparse.Namespace) -> None:
    """Refuse what can't be done before any work; the embedding model is opened at once."""
    common.prepare(options)
    if options.adapter and not (options.adapter / "adapter_config.json").is_file():
        raise UserError(
            f"--adapter {options.adapter}: no adapter in it; give the --out of `train sft`"
        )
    if "semantic" in options.rewards:
        from evaluation.semantic import opened

        opened(options.embedding)


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
        "--embedding",
        default=EMBEDDING,
        metavar="ID|DIR",
        help="sentence embeddings of the reward semantic, mean-pooled (%(default)s)",
    )
    command.add_argument(
        "--adapter",
        type=Path,
        metavar="DIR",
        help="go on with this LoRA adapter, as train sft saves it, and hold the policy to it",
    )
    command.add_argument(
        "--max-completion-length", type=positive, default=164, help="(%(default)s)"
    )


if __name__ == "__main__":
    from scripts.train.command import main

    run_file(__file__, main, "grpo")

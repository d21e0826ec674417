"""Supervised fine-tuning with LoRA (TRL), with LEGO-R1's hyper-parameters.

    lego-arta train sft lego-arta --out tuned/sft
    python -m accelerate.commands.launch --num_processes 4 scripts/train/sft.py lego-arta \\
        --out tuned/sft --deepspeed scripts/train/zero2.json

LEGO-R1 saw 500 rows a task (--max-samples 500); the default is all of them.
"""

import argparse
from dataclasses import replace

from core.cli import command, run_file
from scripts.train import common


def train(options: argparse.Namespace) -> float:
    """Tune and save an adapter; returns the last loss."""
    from evaluation.training import PLAIN, rows_of

    setting = replace(PLAIN, pixels=common.bounds(options))
    rows = rows_of(options.build, options.configs, setting, options.max_samples, options.seed)
    pictures = {"image", "images"} & set(rows.column_names)
    rows = rows.select_columns(["prompt", "completion", *pictures])
    model, processor, bf16 = common.load(options)
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model=model,
        processing_class=processor,
        train_dataset=rows,
        args=SFTConfig(
            **common.shared_arguments(options, bf16),
            per_device_train_batch_size=1,
            gradient_accumulation_steps=8,
            learning_rate=1e-4,
            num_train_epochs=3,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,  # a share of all steps
            max_length=None,  # a cut through a picture's tokens would break the row
            completion_only_loss=True,
        ),
        peft_config=LoraConfig(
            r=8,
            lora_alpha=16,
            target_modules="all-linear",
            exclude_modules=common.VISION,
            task_type="CAUSAL_LM",
        ),
    )
    last = common.finish(trainer, options)
    out = options.out.with_name(f"{options.out.name}-grpo")
    further = command("train", "grpo", options.build, "--model", options.model,
                      "--adapter", options.out, "--out", out)  # fmt: skip
    print(f"go on with rewards: {further}")
    return last


add_options, prepare = common.add_options, common.prepare


if __name__ == "__main__":
    from scripts.train.command import main

    run_file(__file__, main, "sft")

"""EasyR1: Parquet with flat columns, a folder a split, and a script that starts GRPO.

It shrinks or enlarges pictures to its own bounds before Qwen's processor rounds them
(`core.frames.easyr1_resize`), so both bounds stand in the script.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from datasets import Features, Image, List, Value

from builder.export.chat import (
    IMAGE,
    QWEN,
    QWEN_SETTING,
    bounds,
    prompt_tokens,
    samples,
    tagged,
    told,
)
from builder.export.job import Job, Part
from builder.export.tables import write_tables
from builder.export.units import Unit
from core.features import arrow_schema
from core.items import picture_bytes
from evaluation.examples import SOURCES
from evaluation.rewards import REWARDS

EXAMPLES = SOURCES
SETTING = replace(QWEN_SETTING, template="think", resize="easyr1")
# What EasyR1 splits texts at.
RESERVED = (IMAGE, "<video>", QWEN)
PICTURES = "the build's own bytes, in `images`"
TRAIN = "REPO=path/to/EasyR1 LEGO_ARTA=path/to/lego-arta bash {folder}/train.sh"
README = """\
Columns: `prompt` (with `<image>`), `answer` (in its tags), `images`, `id`, `task`; a folder a
split, for EasyR1 takes folders. `train.sh` starts GRPO with LEGO-R1's hyper-parameters and the
bounds of the resize that boxes are made for; its rewards are those of a checkout of lego-arta,
which LEGO_ARTA names (`scripts/train/verl_reward.py`).
"""
FEATURES = Features(
    {
        "id": Value("string"),
        "task": Value("string"),
        "prompt": Value("string"),
        "answer": Value("string"),
        "images": List(Image()),
    }
)
_SCRIPT = """\
#!/usr/bin/env bash
# GRPO with EasyR1, with LEGO-R1's hyper-parameters:
#   REPO=path/to/EasyR1 LEGO_ARTA=path/to/lego-arta bash train.sh
# REWARDS="accuracy format": those of LEGO-R1's own script. REPORT_TO=wandb or tensorboard: where it
# is logged beside the console. (EasyR1 shards by FSDP; there is no place for DeepSpeed.)
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
code="$(cd "${LEGO_ARTA:?give the folder of lego-arta}" && pwd)"
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}"
reward="$code/scripts/train/verl_reward.py"
rewards="${REWARDS:-@REWARDS@}"
logger="['console']"
[ "${REPORT_TO:-none}" = none ] || logger="['console','$REPORT_TO']"
cd "${REPO:?give the folder of EasyR1}"
python3 -m verl.trainer.main config=examples/config.yaml \\
    data.train_files="$here/train" data.val_files="$here/train" \\
    data.prompt_key=prompt data.answer_key=answer data.image_key=images data.format_prompt=null \\
    data.min_pixels=@MIN_PIXELS@ data.max_pixels=@MAX_PIXELS@ \\
    data.max_prompt_length=@LENGTH@ data.max_response_length=512 data.seed=42 \\
    data.rollout_batch_size=4 worker.actor.global_batch_size=4 \\
    algorithm.adv_estimator=grpo algorithm.kl_coef=0.04 \\
    worker.actor.model.model_path="${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}" \\
    worker.actor.model.freeze_vision_tower=true worker.actor.optim.lr=1e-5 \\
    worker.rollout.n=2 worker.rollout.tensor_parallel_size=1 \\
    worker.reward.reward_function="$reward:compute_scores" \\
    worker.reward.reward_function_kwargs.rewards="$rewards" \\
    trainer.n_gpus_per_node="${GPUS:-1}" trainer.max_steps=500 trainer.save_freq=100 \\
    trainer.val_before_train=false trainer.val_freq=-1 trainer.logger="$logger" \\
    trainer.save_checkpoint_path="${OUT:-$here/tuned}" "$@"
"""


def write(job: Job) -> list[str]:
    """Write the files and a script; returns the files' names."""
    names = write_tables(job, arrow_schema(FEATURES), records, folder="{split}/")
    if any(name.startswith("train/") for name in names):
        setting = job.request.setting
        job.write_script(
            "train.sh",
            _SCRIPT,
            REWARDS=" ".join(REWARDS),
            LENGTH=prompt_tokens(setting),
            **bounds(setting),
        )
    return names


def records(part: Part, unit: Unit) -> Iterator[dict[str, Any]]:
    """The rows of a unit, as FEATURES has them."""
    for sample in samples(part, unit, RESERVED):
        row, shown = sample.row, [e.item for e in sample.examples if e.item]
        part.counts["with examples"] += bool(sample.examples)
        pictures = [*((picture_bytes(item), None) for item in shown),
                    (bytes(row.picture), row.picture_name)]  # fmt: skip
        yield {
            "id": row.item.id,
            "task": unit.config,
            "prompt": IMAGE * len(pictures) + told(sample),
            "answer": tagged(sample.answer),
            "images": [{"bytes": data, "path": name} for data, name in pictures],
        }

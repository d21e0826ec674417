"""verl: Parquet for its `RLHFDataset`, and a script that starts GRPO.

`prompt` is one user message with `<image>`, after the turns of examples;
`reward_model.ground_truth` is the answer in its tags, `extra_info` says which row it is. A picture
carries the bounds of Qwen's resize itself: verl hands them, with the picture, to Qwen's own helper.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from datasets import Features, List, Value

from builder.export.chat import IMAGE, QWEN, QWEN_SETTING, prompt_tokens, samples, tagged, turns
from builder.export.job import Job, Part
from builder.export.tables import write_tables
from builder.export.units import Unit
from core.items import picture_bytes
from evaluation.examples import SOURCES
from evaluation.rewards import REWARDS

EXAMPLES = SOURCES
SETTING = replace(QWEN_SETTING, template="think")
# What verl splits texts at.
RESERVED = (IMAGE, "<video>", "<audio>", QWEN)
PICTURES = "the build's own bytes, in `images`"
SOURCE = "lego-arta"
ROLES = {"human": "user", "gpt": "assistant"}
TRAIN = "LEGO_ARTA=path/to/lego-arta bash {folder}/train.sh"
README = """\
Columns: `data_source`, `prompt`, `images` (bytes, with the bounds of the resize that boxes are made
for), `ability` (the task), `reward_model` (`ground_truth` is the answer in its tags), `extra_info`.
`train.sh` starts GRPO with LEGO-R1's hyper-parameters; its rewards are those of a checkout of
lego-arta, which LEGO_ARTA names (`scripts/train/verl_reward.py`).
"""
_TEXT = Value("string")
FEATURES = Features(
    {
        "data_source": _TEXT,
        "prompt": List({"role": _TEXT, "content": _TEXT}),
        "images": List(
            {"bytes": Value("binary"), "min_pixels": Value("int64"), "max_pixels": Value("int64")}
        ),
        "ability": _TEXT,
        "reward_model": {"style": _TEXT, "ground_truth": _TEXT},
        "extra_info": {"split": _TEXT, "id": _TEXT, "task": _TEXT},
    }
)
_SCRIPT = """\
#!/usr/bin/env bash
# GRPO with verl, with LEGO-R1's hyper-parameters:  LEGO_ARTA=path/to/lego-arta bash train.sh
# REWARDS="accuracy format": those of LEGO-R1's own script. REPORT_TO=wandb or tensorboard: where it
# is logged beside the console. (verl shards by FSDP; there is no place for DeepSpeed.)
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
code="$(cd "${LEGO_ARTA:?give the folder of lego-arta}" && pwd)"
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}"
reward="$code/scripts/train/verl_reward.py"
files=(@FILES@)
rewards="${REWARDS:-@REWARDS@}"
logger="['console']"
[ "${REPORT_TO:-none}" = none ] || logger="['console','$REPORT_TO']"
train="[$(printf "'$here/%s'," "${files[@]}")]"
python3 -m verl.trainer.main_ppo \\
    algorithm.adv_estimator=grpo algorithm.use_kl_in_reward=False \\
    data.train_files="$train" data.val_files="$train" data.image_key=images \\
    data.train_batch_size=4 data.max_prompt_length=@LENGTH@ data.max_response_length=512 \\
    data.filter_overlong_prompts=True data.seed=42 \\
    actor_rollout_ref.model.path="${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}" \\
    actor_rollout_ref.model.lora_rank=8 actor_rollout_ref.model.lora_alpha=64 \\
    actor_rollout_ref.model.target_modules=all-linear \\
    actor_rollout_ref.model.exclude_modules="'.*visual.*'" \\
    actor_rollout_ref.actor.optim.lr=1e-5 actor_rollout_ref.actor.ppo_mini_batch_size=4 \\
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1 \\
    actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.04 \\
    actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=2 \\
    actor_rollout_ref.rollout.load_format=safetensors \\
    actor_rollout_ref.rollout.tensor_model_parallel_size=1 \\
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=1 \\
    actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=1 \\
    reward.custom_reward_function.path="$reward" \\
    reward.custom_reward_function.name=compute_score \\
    "++reward.custom_reward_function.reward_kwargs.rewards='$rewards'" \\
    trainer.n_gpus_per_node="${GPUS:-1}" trainer.nnodes=1 trainer.total_training_steps=500 \\
    trainer.val_before_train=False trainer.test_freq=-1 trainer.save_freq=100 \\
    trainer.logger="$logger" trainer.default_local_dir="${OUT:-$here/tuned}" "$@"
"""


def write(job: Job) -> list[str]:
    """Write the files and a script; returns the files' names."""
    names = write_tables(job, FEATURES.arrow_schema.remove_metadata(), records)
    train = [name for name in names if "train-" in name]
    if train:
        job.write_script("train.sh", _SCRIPT, FILES=" ".join(train), REWARDS=" ".join(REWARDS),
                         LENGTH=prompt_tokens(job.request.setting))  # fmt: skip
    return names


def records(part: Part, unit: Unit) -> Iterator[dict[str, Any]]:
    """The rows of a unit, as FEATURES has them."""
    least, most = part.request.setting.pixels or (None, None)
    for sample in samples(part, unit, RESERVED):
        row, shown = sample.row, [e.item for e in sample.examples if e.item]
        part.counts["with examples"] += bool(sample.examples)
        said = turns(sample, IMAGE)[:-1]
        yield {
            "data_source": SOURCE,
            "prompt": [{"role": ROLES[turn["from"]], "content": turn["value"]} for turn in said],
            "images": [
                {"bytes": data, "min_pixels": least, "max_pixels": most}
                for data in (*map(picture_bytes, shown), bytes(row.picture))
            ],
            "ability": unit.config,
            "reward_model": {"style": "rule", "ground_truth": tagged(sample.answer)},
            "extra_info": {
                "split": unit.split,
                "id": row.item.id,
                "task": unit.config,
            },
        }  # fmt: skip

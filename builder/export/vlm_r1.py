"""VLM-R1: lines of its `grpo_jsonl.py`, and a script that starts it (R14, R15).

It reads `conversations[0]` and `[1]` alone and shows all pictures before the text, so examples are
told in the question. It adds the think template itself: --template plain is right for it, think for
forks that add none.

Its rewards decide how answers are written. Those for boxes read the last ```json block and nothing
else: of a bare list they see no boxes, and reward every answer without a block. `default` compares
the one number that it finds in a text, so "1" is as good as "Put the plate 1x2 on top", and
`yes_no` finds a "no" in "I do not know": texts are rewarded when they are the same, `all_match`.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

from builder.export.chat import (
    IMAGE,
    QWEN,
    QWEN_SETTING,
    bounds,
    example_pictures,
    file_name,
    files,
    most_pictures,
    samples,
    told,
)
from builder.export.job import Job, Part
from builder.export.units import Request, Unit, every_unit
from evaluation.examples import SOURCES
from tasks import EVERY_TASK

EXAMPLES = SOURCES
SETTING = replace(QWEN_SETTING, boxes="fenced", resize="vlm-r1")
# VLM-R1 takes <image> out of questions and answers.
RESERVED = (IMAGE, QWEN)
NOT_IN_PATHS = (":", "VLM-R1 splits paths at")
BLOCKS, TEXTS = "od_ap", "all_match"  # rewards: average precision of boxes in a block, equal texts
LENGTH = 164  # tokens of a completion, LEGO-R1's
TRAIN = "REPO=path/to/VLM-R1 bash {folder}/train.sh"
README = """\
One JSON object a line: `id`, `image`, two `conversations`, `accu_reward_method`. VLM-R1 asks for
`<think>` and `<answer>` itself. `train.sh` holds LEGO-R1's hyper-parameters and the bounds of the
resize that boxes are made for. Instructions are rewarded when they are the expected words:
VLM-R1 has no reward of likeness that is safe with numbers in the text; LEGO-R1's fork has one
(`--boxes lego-r1`), and so has `lego-arta train grpo`.
"""
# Who rewards: LEGO-R1's fork reads bare lists, VLM-R1 as released blocks.
_RELEASED = {"REWARDS": "accuracy format", "CUSTOM": "false", "TASK": "default"}
_FORK = {"REWARDS": "accuracy format state_acc grnd", "CUSTOM": "true", "TASK": "rec"}
_SCRIPT = """\
#!/usr/bin/env bash
# GRPO with VLM-R1, with LEGO-R1's hyper-parameters:  REPO=path/to/VLM-R1 bash train.sh
# Boxes are written for the rewards below. VLM-R1 as released has accuracy (each row's
# accu_reward_method) and format, and reads boxes in code blocks (--boxes fenced). LEGO-R1's fork
# has accuracy format state_acc grnd, CUSTOM=true TASK=rec, and reads bare lists (--boxes lego-r1);
# its own script trained with REWARDS="accuracy format". REPORT_TO=wandb or tensorboard: where it is
# logged. DEEPSPEED=FILE: instead of VLM-R1's zero2.json. ATTENTION=sdpa: without flash-attn.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
case "$here" in *:*) echo "VLM-R1 splits paths at ':'; move this folder" >&2; exit 1 ;; esac
cd "${REPO:?give the folder of VLM-R1}/src/open-r1-multimodal"
# shellcheck disable=SC2086
torchrun --nproc_per_node="${GPUS:-1}" src/open_r1/grpo_jsonl.py \\
    --model_name_or_path "${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}" \\
    --output_dir "${OUT:-$here/tuned}" \\
    --data_file_paths "@FILES@" \\
    --image_folders "@FOLDERS@" \\
    --reward_funcs ${REWARDS:-@REWARDS@} \\
    --is_reward_customized_from_vlm_module "${CUSTOM:-@CUSTOM@}" --task_type "${TASK:-@TASK@}" \\
    --min_pixels @MIN_PIXELS@ --max_pixels @MAX_PIXELS@ \\
    --learning_rate 1e-5 --beta 0.04 --num_generations 2 --max_completion_length @LENGTH@ \\
    --per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps 500 \\
    --use_peft true --lora_r 8 --lora_alpha 64 --lora_dropout 0.05 --lora_task_type CAUSAL_LM \\
    --freeze_vision_modules true --gradient_checkpointing true --bf16 \\
    --deepspeed "${DEEPSPEED:-local_scripts/zero2.json}" --data_seed 42 \\
    --save_steps 100 --logging_steps 1 \\
    --report_to "${REPORT_TO:-none}" --attn_implementation "${ATTENTION:-flash_attention_2}" \\
    --dataset-name not_used
"""


def write(job: Job) -> list[str]:
    """Write the lines and the script; returns the lines' files."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "jsonl")
    train = [name for name in names if name.endswith("train.jsonl")]
    if train:
        setting = job.request.setting
        job.write_script(
            "train.sh",
            _SCRIPT,
            FILES=":".join(f"$here/{name}" for name in train),
            FOLDERS=":".join("$here" for _ in train),
            LENGTH=max(_tokens(job.folder / name) for name in train),
            **bounds(setting),
            **(_FORK if setting.boxes in ("json", "lego-r1") else _RELEASED),
        )
    return names


def _tokens(path: Path) -> int:
    """Tokens that a completion needs for the longest answer of a file after a short thought."""
    with path.open(encoding="utf-8") as lines:
        longest = max(len(json.loads(line)["conversations"][1]["value"]) for line in lines)
    return max(LENGTH, math.ceil(longest / 1.5) + 32)  # digits are tokens of their own


def _reward(request: Request, config: str) -> str:
    return (
        BLOCKS if EVERY_TASK[config].text.in_boxes and request.setting.boxes == "fenced" else TEXTS
    )


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    several = most_pictures(part.request.setting) > 1
    for sample in samples(part, unit, RESERVED):
        own = part.write_picture(sample.row.picture_name, sample.row.picture)
        images = [*example_pictures(part, sample), own]
        turns = [
            {"from": "human", "value": IMAGE * len(images) + told(sample)},
            {"from": "gpt", "value": sample.answer},
        ]
        record = {
            "id": sample.row.item.id,
            "image": images if several else own,  # one type a file
            "conversations": turns,
            "accu_reward_method": _reward(part.request, unit.config),
        }
        part.add(name, record)

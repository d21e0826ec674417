"""LLaVA's turns as lines, `image` a list: qwen-vl-finetune (of Qwen3-VL), LLaVA-NeXT, OneVision.

The number of `<image>` in the human turns must be that of pictures; examples are turns before the
last, and are learnt, too. qwen-vl-finetune gives its processor the bounds of the command line, so
boxes are in the pixels that come out of them.
"""

import json

import yaml

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
    turns,
)
from builder.export.job import Job, Part
from builder.export.llamafactory import TEXT_TOKENS, dataset_name
from builder.export.units import Unit, every_unit
from evaluation.examples import SOURCES

EXAMPLES = SOURCES
SETTING = QWEN_SETTING
# What the trainers put pictures and videos at.
RESERVED = (IMAGE, "<video>", QWEN)
TRAIN = "REPO=path/to/Qwen3-VL bash {folder}/train.sh"
NEXT = "llava_next.yaml"
README = """\
One JSON object a line: `id`, `image` (a list of paths in this folder), `conversations`.
{training}
"""
TRAINING = f"""\
`train.sh` tunes Qwen2.5-VL with qwen-vl-finetune, LEGO-R1's hyper-parameters, and the bounds of the
resize that boxes are made for; it registers the files by `train.py`. On several GPUs
start it with `GPUS=2 DEEPSPEED=path/to/zero2.json`; that file lies here, too.

LLaVA-NeXT and OneVision take `{NEXT}` as `--data_path`, with `--image_folder .`, started in this
folder. Of a single picture they show the whole, squeezed to a square, before its tiles: export with
`--frame norm1000` for them. Several pictures are each padded to a square, whatever
`--image_aspect_ratio` says: `--examples dynamic --frame padded_norm`.
"""
_PYTHON = '''\
"""Tells qwen-vl-finetune of the files of this folder, and starts its training."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
code = Path(os.environ["REPO"]).resolve() / "qwen-vl-finetune"
sys.path[:0] = [str(code), str(code / "qwenvl/train")]

from qwenvl import data

files = @FILES@
data.data_dict.update(
    {name: {"annotation_path": str(here / file), "data_path": str(here)}
     for name, file in files.items()}
)

if __name__ == "__main__":
    from qwenvl.train.train_qwen import train

    train(attn_implementation="flash_attention_2")
'''
_SCRIPT = """\
#!/usr/bin/env bash
# LoRA tuning with qwen-vl-finetune, with LEGO-R1's hyper-parameters:
#   REPO=path/to/Qwen3-VL bash train.sh
# REPORT_TO=wandb or tensorboard: where it is logged. GPUS=2 DEEPSPEED=path/to/zero2.json: on two.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export REPO="${REPO:?give the folder of Qwen3-VL}"
torchrun --nproc_per_node="${GPUS:-1}" "$here/train.py" \\
    --model_name_or_path "${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}" \\
    --dataset_use @NAMES@ --min_pixels @MIN_PIXELS@ --max_pixels @MAX_PIXELS@ \\
    --lora_enable True --lora_r 8 --lora_alpha 16 --bf16 \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 8 \\
    --learning_rate 1e-4 --num_train_epochs 3 --lr_scheduler_type cosine --warmup_ratio 0.1 \\
    --model_max_length @LENGTH@ --gradient_checkpointing True \\
    --logging_steps 10 --save_steps 500 --save_total_limit 1 --report_to "${REPORT_TO:-none}" \\
    --output_dir "${OUT:-$here/tuned}" ${DEEPSPEED:+--deepspeed "$DEEPSPEED"} "$@"
"""


def write(job: Job) -> list[str]:
    """Write the lines and what starts a training; returns the lines' files."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "jsonl")
    train = {dataset_name(name): name for name in names if name.endswith("train.jsonl")}
    if train:
        _write_training(job, train)
    return names


def _write_training(job: Job, train: dict[str, str]) -> None:
    setting = job.request.setting
    given = bounds(setting)
    length = most_pictures(setting) * (given["MAX_PIXELS"] // 28**2 + 1) + TEXT_TOKENS
    job.write_deepspeed()
    job.write_script("train.sh", _SCRIPT, NAMES=",".join(train), LENGTH=length, **given)
    (job.folder / "train.py").write_text(_PYTHON.replace("@FILES@", json.dumps(train)))
    datasets = [{"json_path": name, "sampling_strategy": "all"} for name in train.values()]
    (job.folder / NEXT).write_text(yaml.safe_dump({"datasets": datasets}, sort_keys=False))


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    for sample in samples(part, unit, RESERVED):
        own = part.write_picture(sample.row.picture_name, sample.row.picture)
        line = {
            "id": sample.row.item.id,
            "image": [*example_pictures(part, sample), own],
            "conversations": turns(sample, f"{IMAGE}\n"),
        }
        part.add(name, line)


def words(job: Job) -> dict[str, str]:
    """What README.md says of training, where there is something to train on."""
    return {"training": TRAINING if "train" in job.request.splits else ""}

"""InternVL: lines of turns, a meta.json that names them, and a launch script.

One picture is `image`, `width`, `height`; several are lists, `width_list` and `height_list`. It
stretches pictures to a grid of tiles, so boxes are thousandths of width and height, in its own tags
(`--boxes tagged`).
"""

import json
from typing import Any

from builder.export.chat import (
    IMAGE,
    QWEN,
    example_pictures,
    file_name,
    files,
    most_pictures,
    samples,
    turns,
)
from builder.export.job import Job, Part
from builder.export.llamafactory import dataset_name
from builder.export.units import Unit, every_unit, size_of
from core.items import picture_bytes
from evaluation.examples import SOURCES
from evaluation.prompts import Setting

EXAMPLES = SOURCES
SETTING = Setting(examples="none", boxes="tagged", frame="norm1000")
# Its own tokens and placeholders.
RESERVED = (IMAGE, "<video>", "<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", QWEN)
TRAIN = "REPO=path/to/InternVL bash {folder}/train.sh"
TILES = 12
METAS = {"train": "meta.json", "test": "meta_test.json"}
README = """\
One JSON object a line; {metas} names the files with `root`, `annotation`, `data_augment`,
`repeat_time` and `length`, paths from this folder. Boxes are thousandths, as
`<ref>name</ref><box>[[x0, y0, x1, y1]]</box>`. {training}
"""
TRAINING = "`train.sh` tunes InternVL2.5 with its own recipe for LoRA."
_SCRIPT = """\
#!/usr/bin/env bash
# LoRA tuning with InternVL's own recipe:  REPO=path/to/InternVL bash train.sh
# REPORT_TO=wandb or tensorboard: where it is logged. DEEPSPEED=FILE: instead of InternVL's stage 1.
set -euo pipefail
code="$(cd "${REPO:?give the folder of InternVL}" && pwd)/internvl_chat"
cd "$(dirname "${BASH_SOURCE[0]}")"  # paths in meta.json begin here
export PYTHONPATH="$code:${PYTHONPATH:-}" LAUNCHER=pytorch
torchrun --nproc_per_node="${GPUS:-1}" "$code/internvl/train/internvl_chat_finetune.py" \\
    --model_name_or_path "${MODEL:-OpenGVLab/InternVL2_5-8B}" --conv_style internvl2_5 \\
    --use_fast_tokenizer False --meta_path meta.json --overwrite_output_dir True \\
    --force_image_size 448 --dynamic_image_size True --use_thumbnail True \\
    --max_dynamic_patch @TILES@ --down_sample_ratio 0.5 --vision_select_layer -1 --ps_version v2 \\
    --freeze_llm True --freeze_mlp True --freeze_backbone True --use_llm_lora 16 \\
    --drop_path_rate 0.0 --do_train True --bf16 True --grad_checkpoint True \\
    --group_by_length True --max_seq_length 8192 --num_train_epochs 1 \\
    --per_device_train_batch_size 4 --gradient_accumulation_steps 4 \\
    --learning_rate 4e-5 --weight_decay 0.05 --warmup_ratio 0.03 --lr_scheduler_type cosine \\
    --evaluation_strategy no --save_strategy steps --save_steps 200 --save_total_limit 1 \\
    --logging_steps 1 --dataloader_num_workers 4 --report_to "${REPORT_TO:-none}" \\
    --deepspeed "${DEEPSPEED:-$code/zero_stage1_config.json}" --output_dir "${OUT:-tuned}" "$@"
"""


def write(job: Job) -> list[str]:
    """Write the lines, what names them and a script; returns the lines' files."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "jsonl")
    for split, file in METAS.items():
        meta = {dataset_name(name): _described(job, name) for name in names
                if name.endswith(f"{split}.jsonl")}  # fmt: skip
        if meta:
            (job.folder / file).write_text(json.dumps(meta, indent=2) + "\n")
    if (job.folder / METAS["train"]).is_file():
        job.write_script("train.sh", _SCRIPT, TILES=TILES)
    return names


def _described(job: Job, name: str) -> dict[str, Any]:
    return {
        "root": "./",
        "annotation": f"./{name}",
        "data_augment": False,
        "max_dynamic_patch": TILES,
        "repeat_time": 1,
        "length": job.counts[f"rows: {name}"],
    }


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    several = most_pictures(part.request.setting) > 1
    for sample in samples(part, unit, RESERVED):
        own = part.write_picture(sample.row.picture_name, sample.row.picture)
        images = [*example_pictures(part, sample), own]
        shown = [example.item for example in sample.examples if example.item]
        sizes = [*(size_of(picture_bytes(item)) for item in shown), size_of(sample.row.picture)]
        line: dict[str, Any] = {"id": sample.row.item.id}
        if several:
            line |= {"image": images, "width_list": [width for width, _ in sizes],
                     "height_list": [height for _, height in sizes]}  # fmt: skip
        else:
            ((width, height),) = sizes
            line |= {"image": own, "width": width, "height": height}
        part.add(name, {**line, "conversations": turns(sample, f"{IMAGE}\n")})


def words(job: Job) -> dict[str, str]:
    """What README.md says of the files that are there."""
    splits = job.request.splits
    metas = " and ".join(f"`{METAS[split]}` ({split})" for split in splits)
    return {"metas": metas, "training": TRAINING if "train" in splits else ""}

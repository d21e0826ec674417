"""ms-swift: lines of messages with boxes apart, in the pixels of the picture as it is stored.

The answer has `<bbox>` and `<ref-object>` where a box and its name go. ms-swift scales the boxes to
what each model takes them for (Qwen2.5-VL: pixels after its resize; Qwen3-VL, InternVL:
thousandths) and writes them in, so the same lines fit every model, whatever the bounds are. The
question names no frame, for it is not known here.
"""

import json
import re
from typing import Any

from builder.export.chat import IMAGE, QWEN, Sample, file_name, files, samples
from builder.export.job import Dropped, Job, Part
from builder.export.units import Unit, every_unit, size_of
from core.frames import MAX_PIXELS, from_norm100
from evaluation.prompts import FRAME_WORDS, Setting
from tasks import EVERY_TASK

EXAMPLES = ("none",)
MERGES = False  # only lines with boxes have `objects`; it takes several files
SETTING = Setting(examples="none", boxes="json", frame="px")
BOXES, FRAMES = ("json", "fenced"), ("px",)  # what can be asked for
BBOX, REF = "<bbox>", "<ref-object>"
# What ms-swift replaces, wherever it stands.
RESERVED = (IMAGE, "<video>", "<audio>", BBOX, REF, "<cot-process>", "<start-image>", QWEN)
TRAIN = "bash {folder}/train.sh"
README = """\
One JSON object a line: `id`, `messages`, `images` (paths in this folder) and, of `object`,
`objects` with `ref` (names) and `bbox` (x0, y0, x1, y1 in pixels of the stored picture), one for
each `<ref-object>` and `<bbox>` in the answer. ms-swift scales them for the model that is tuned, so
any model and any bounds on the picture will do. `train.sh` tunes Qwen2.5-VL with LEGO-R1's
hyper-parameters; name another in MODEL.
"""
_BOX = re.compile(r'"bbox_2d": \[[^]]*\], "label": "(?:[^"\\]|\\.)*"')
_PLACE = f'"bbox_2d": {BBOX}, "label": "{REF}"'
_NAMED = f", with x and y coordinates {FRAME_WORDS['px']}: "
_SCRIPT = """\
#!/usr/bin/env bash
# LoRA tuning with ms-swift, with LEGO-R1's hyper-parameters:  bash train.sh
# REPORT_TO=wandb or tensorboard: where it is logged. GPUS=2 DEEPSPEED=zero2.json: on two GPUs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"  # paths of pictures begin here
# Boxes as a list of numbers inside the JSON, not in Qwen2-VL's own tokens.
export QWENVL_BBOX_FORMAT=new
[ -z "${GPUS:-}" ] || export NPROC_PER_NODE="$GPUS"
swift sft \\
    --model "${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}" --use_hf true \\
    --dataset @FILES@ \\
    --tuner_type lora --lora_rank 8 --lora_alpha 16 --target_modules all-linear \\
    --freeze_vit true --torch_dtype bfloat16 --max_length 4096 --max_pixels @MAX_PIXELS@ \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 8 \\
    --learning_rate 1e-4 --num_train_epochs 3 --lr_scheduler_type cosine --warmup_ratio 0.1 \\
    --logging_steps 10 --save_steps 500 --report_to "${REPORT_TO:-none}" \\
    --output_dir "${OUT:-tuned}" ${DEEPSPEED:+--deepspeed "$DEEPSPEED"} "$@"
"""


def write(job: Job) -> list[str]:
    """Write the lines and a script; returns the lines' files."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "jsonl")
    train = [name for name in names if name.endswith("train.jsonl")]
    if train:
        job.write_deepspeed()
        script = _SCRIPT.replace("@FILES@", " ".join(train))
        job.write_script("train.sh", script.replace("@MAX_PIXELS@", str(MAX_PIXELS)))
    return names


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    for sample in samples(part, unit, RESERVED):
        try:
            line = _line(sample)
        except Dropped as dropped:
            part.drop(sample.row.item.id, unit, dropped)
            continue
        line["images"] = [part.write_picture(sample.row.picture_name, sample.row.picture)]
        part.add(name, line)


def _line(sample: Sample) -> dict[str, Any]:
    item, answer = sample.row.item, sample.answer
    line: dict[str, Any] = {"id": item.id}
    if EVERY_TASK[item.config].text.in_boxes:
        answer, number = _BOX.subn(_PLACE, answer)
        if number != len(item.boxes_norm100):
            raise Dropped("boxes_not_readable", sample.answer)
        line["objects"] = {"ref": _names(sample.answer), "bbox": _boxes(sample)}
    line["messages"] = [
        {"role": "user", "content": IMAGE + sample.question.replace(_NAMED, ", ")},
        {"role": "assistant", "content": answer},
    ]
    return line


def _names(answer: str) -> list[str]:
    """The names as the answer has them; raises `Dropped` for one that JSON would write another way,
    for ms-swift puts them in as they are.
    """
    names = [json.loads(f"{{{found}}}")["label"] for found in _BOX.findall(answer)]
    for name in names:
        if json.dumps(name, ensure_ascii=False) != f'"{name}"':
            raise Dropped("label_is_no_plain_text", name)
    return names


def _boxes(sample: Sample) -> list[list[float]]:
    size = size_of(sample.row.picture)
    exact = (from_norm100(box, "px", size) for box in sample.row.item.boxes_norm100)
    return [[round(float(value), 2) for value in box] for box in exact]

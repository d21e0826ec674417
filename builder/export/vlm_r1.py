"""VLM-R1: lines of its `grpo_jsonl.py`, and a script that starts it (R14, R15).

It reads `conversations[0]` and `[1]` alone and shows all pictures before the text, so examples are
told in the question. It adds the think template itself: --template plain is right for it, think for
forks that add none.
"""

from builder.export.chat import IMAGE, Sample, example_pictures, file_name, files, samples
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit
from builder.records import UserError
from evaluation.frames import MAX_PIXELS, MIN_PIXELS
from evaluation.prompts import Setting

CONFIGS = ("scene", "object", "state")
EXAMPLES = ("none", "fixed", "dynamic")
SETTING = Setting(examples="none", boxes="json")
# VLM-R1 takes these out of questions and answers.
RESERVED = (IMAGE,)
# Which of its rewards reads a task's answers: text, average precision of boxes, Yes or No.
REWARDS = {"scene": "default", "object": "od_ap", "state": "yes_no"}
SCRIPT = "train.sh"
README = """\
One JSON object a line: `id`, `image`, two `conversations`, `accu_reward_method`.

```bash
REPO=path/to/VLM-R1 bash {folder}/train.sh
```

`train.sh` holds LEGO-R1's hyper-parameters. VLM-R1 asks for `<think>` and `<answer>` itself.
"""
_SCRIPT = """\
#!/usr/bin/env bash
# GRPO with VLM-R1, with LEGO-R1's hyper-parameters:  REPO=path/to/VLM-R1 bash train.sh
# VLM-R1 itself has the rewards accuracy (each row's accu_reward_method) and format. A fork with
# LEGO-R1's four:  REWARDS="accuracy format state_acc grnd" CUSTOM=true bash train.sh
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
    --reward_funcs ${REWARDS:-accuracy format} \\
    --is_reward_customized_from_vlm_module "${CUSTOM:-false}" --task_type rec \\
    --max_pixels @MAX_PIXELS@ \\
    --learning_rate 1e-5 --beta 0.04 --num_generations 2 --max_completion_length 164 \\
    --per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps 500 \\
    --use_peft true --lora_r 8 --lora_alpha 64 --lora_dropout 0.05 --lora_task_type CAUSAL_LM \\
    --freeze_vision_modules true --gradient_checkpointing true --bf16 \\
    --deepspeed local_scripts/zero2.json --data_seed 42 --save_steps 100 --logging_steps 1 \\
    --dataset-name not_used
"""


def write(job: Job) -> list[str]:
    """Write the lines and the script; returns the lines' files."""
    if ":" in str(job.request.out.resolve()):
        raise UserError(f"--out {job.request.out}: VLM-R1 splits paths at ':'; choose another")
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "jsonl")
    train = [name for name in names if name.endswith("train.jsonl")] or names
    pixels = (job.request.setting.pixels or (MIN_PIXELS, MAX_PIXELS))[1]
    script = _SCRIPT.replace("@FILES@", ":".join(f"$here/{name}" for name in train))
    script = script.replace("@FOLDERS@", ":".join("$here" for _ in train))
    path = job.folder / SCRIPT
    path.write_text(script.replace("@MAX_PIXELS@", str(pixels)), encoding="utf-8")
    path.chmod(0o755)
    return names


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    several = part.request.setting.examples == "dynamic"
    for sample in samples(part, unit, RESERVED):
        own = part.write_picture(sample.row.picture_name, sample.row.picture)
        images = [*example_pictures(part, sample), own]
        turns = [
            {"from": "human", "value": IMAGE * len(images) + _question(sample)},
            {"from": "gpt", "value": sample.answer},
        ]
        record = {
            "id": sample.row.item.id,
            "image": images if several else own,  # one type a file
            "conversations": turns,
            "accu_reward_method": REWARDS[unit.config],
        }
        part.add(name, record)


def _question(sample: Sample) -> str:
    """The examples as text, each with the number of its picture, then the question itself."""
    told, shown = [], 0
    for example in sample.examples:
        shown += example.item is not None
        which = f" (picture {shown})" if example.item else ""
        told.append(f"Example{which}: {example.query.strip()}\nAnswer: {example.answer}\n")
    last = f"Now (picture {shown + 1}): " if told and shown else "Now: " if told else ""
    return "".join(told) + last + sample.question

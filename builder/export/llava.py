"""LLaVA's training JSON (thesis Table 4.2, T16): one list a file, pictures beside it.

LLaVA's trainer reads `image` and `conversations`, one picture a sample, and wants `<image>` in the
human turn exactly once: a sample without it is trained on blind, without a word. It pads pictures
to a square in the middle; the boxes that LLaVA-1.5 knows are shares of that square (`padded_norm`).
It finds the answers that it learns by ` ASSISTANT: ` and `</s>`.
"""

from builder.export.chat import IMAGE, example_pictures, file_name, files, samples, turns
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit
from evaluation.examples import SOURCES
from evaluation.prompts import Setting

EXAMPLES = SOURCES
EXAMPLES_SEEN = False  # one picture a sample leaves no room for examples'
SETTING = Setting(examples="none", frame="padded_norm", example_pictures="no")
RESERVED = (IMAGE, "<s>", "</s>", " ASSISTANT:")  # where samples are cut
TRAIN = "REPO=path/to/LLaVA bash {folder}/train.sh"
README = """\
`{first}` is one JSON list of `{{"id", "image", "conversations"}}`; `image` is a path in this
folder. `train.sh` has the options of LLaVA-1.5's LoRA tuning, with `RECIPE=vsd` those of LLaVA-VSD
(LLaVA-1.6 with Vicuna-13B, batches of 16 in all). LLaVA shows the model the whole
picture padded to a square (`--image_aspect_ratio pad`; otherwise it would cut the sides off):
`--frame padded_norm` has boxes of that square, the other frames those of the picture without its
padding. It takes one file: export with `--merge` to tune on all tasks at once, or name one in DATA.
"""
_SCRIPT = """\
#!/usr/bin/env bash
# LoRA tuning with LLaVA, with LLaVA-1.5's hyper-parameters:  REPO=path/to/LLaVA bash train.sh
# REPORT_TO=wandb or tensorboard: where it is logged. DEEPSPEED=FILE: instead of LLaVA's zero3.json.
# RECIPE=vsd: with those that LLaVA-VSD (arXiv 2408.04957) tells: LLaVA-1.6 with Vicuna-13B, one
# epoch, learning rate 2e-4, batches of 16 over 8 V100, which know no bf16 (about 4 hours for its
# 121,339 conversations). GPUS says how many there are.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
case "${RECIPE:-llava-1.5}" in
    llava-1.5)
        model=liuhaotian/llava-v1.5-7b batch=16 steps=1 precision="--bf16 True --tf32 True" ;;
    vsd)
        gpus="${GPUS:-8}"
        batch=$((gpus < 16 ? 2 : 1))
        steps=$((16 / (gpus * batch) > 0 ? 16 / (gpus * batch) : 1))
        model=liuhaotian/llava-v1.6-vicuna-13b precision="--fp16 True --bf16 False" ;;
    *)
        echo "RECIPE=$RECIPE: no such recipe; give llava-1.5 or vsd" >&2
        exit 2 ;;
esac
cd "${REPO:?give the folder of LLaVA}"
deepspeed llava/train/train_mem.py \\
    --lora_enable True --lora_r 128 --lora_alpha 256 --mm_projector_lr 2e-5 \\
    --deepspeed "${DEEPSPEED:-./scripts/zero3.json}" \\
    --model_name_or_path "${MODEL:-$model}" --version v1 \\
    --data_path "${DATA:-$here/@FILE@}" --image_folder "$here" \\
    --vision_tower openai/clip-vit-large-patch14-336 --mm_projector_type mlp2x_gelu \\
    --mm_vision_select_layer -2 --mm_use_im_start_end False --mm_use_im_patch_token False \\
    --image_aspect_ratio pad --group_by_modality_length True $precision \\
    --output_dir "${OUT:-$here/tuned}" --num_train_epochs 1 \\
    --per_device_train_batch_size "$batch" --gradient_accumulation_steps "$steps" \\
    --evaluation_strategy no --save_strategy steps --save_steps 50000 --save_total_limit 1 \\
    --learning_rate 2e-4 --weight_decay 0. --warmup_ratio 0.03 --lr_scheduler_type cosine \\
    --logging_steps 1 --model_max_length 2048 --gradient_checkpointing True \\
    --dataloader_num_workers 4 --lazy_preprocess True --report_to "${REPORT_TO:-none}"
"""


def training_script(file: str) -> str:
    """The script for a list of samples that lies beside it."""
    return _SCRIPT.replace("@FILE@", file)


def write(job: Job) -> list[str]:
    """Write the lists and a script; returns the lists' names."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "json")
    job.close_lists(names)
    train = [name for name in names if name.endswith("train.json")]
    if train:
        job.write_script("train.sh", training_script(train[0]))
    return names


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "json")
    for sample in samples(part, unit, RESERVED):
        example_pictures(part, sample)  # there are none; they are counted
        image = part.write_picture(sample.row.picture_name, sample.row.picture)
        line = {"id": sample.row.item.id, "image": image}
        part.add(name, {**line, "conversations": turns(sample, "", f"{IMAGE}\n")})

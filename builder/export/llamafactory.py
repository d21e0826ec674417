"""LLaMA-Factory: ShareGPT lines with `images`, `dataset_info.json` and an SFT recipe (R12, R13).

The number of `<image>` in all turns must be that of `images`; examples are turns before the last.
It shrinks a picture above `image_max_pixels` itself before Qwen's own resize
(`core.frames.llamafactory_resize`). What is longer than `cutoff_len` is cut, in the middle of
a picture's tokens if need be.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
from builder.export.units import Request, Unit, every_unit
from core.frames import RELEASED_PIXELS
from core.store import ROOT, sha256
from evaluation.examples import SOURCES
from evaluation.prompts import Setting
from tasks import EVERY_TASK

EXAMPLES = SOURCES
BLIND = True  # takes rows without a picture
SETTING = replace(QWEN_SETTING, resize="llamafactory")
# What LLaMA-Factory replaces by media, wherever it stands, and what the model's tokens begin with.
RESERVED = (IMAGE, "<video>", "<audio>", QWEN)
NOT_IN_PATHS = ("*?[", "LLaMA-Factory loads by `datasets`, which takes a path for a pattern at")
RECIPE = ROOT / "scripts/train/llamafactory_sft.yaml"
INFO, YAML = "dataset_info.json", "sft.yaml"
TRAIN = "cd {folder} && llamafactory-cli train sft.yaml"
TEXT_TOKENS = 1024  # room for the texts beside the pictures
# LEGO-R1's words for tasks and splits in the names of its files.
R1_TASKS, R1_SPLITS = {"scene": "grnd", "object": "obj"}, {"train": "75", "test": "25"}
NAMES = ("plain", "lego-r1")
FIVE = 0.05  # the share of all rows, whatever their split, in its third set
README = """\
Data sets `{names}` in `dataset_info.json`. `sft.yaml` holds LEGO-R1's hyper-parameters and the
bounds of the resize that boxes are made for.
"""


def write(job: Job) -> list[str]:
    """Write the lines and what LLaMA-Factory wants beside them; returns the data sets' names."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = {dataset_name(file): file for file in files_of(job, units)}
    info = {
        name: {
            "file_name": file,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
        for name, file in names.items()
    }
    (job.folder / INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    train = [name for name in names if name.endswith("train") or "_75_" in name]
    if train:
        job.write_deepspeed()
        (job.folder / YAML).write_text(_recipe(job.request.setting, train), encoding="utf-8")
    return list(names)


def _write(part: Part, unit: Unit) -> None:
    seen = part.request.setting.image
    as_r1 = part.request.names == "lego-r1"
    name = r1_name(part.request, unit) if as_r1 else file_name(part.request, unit, "jsonl")
    for sample in samples(part, unit, RESERVED):
        images = example_pictures(part, sample)
        if seen:
            images.append(part.write_picture(sample.row.picture_name, sample.row.picture))
        said = turns(sample, IMAGE, IMAGE if seen else "")
        line = {"id": sample.row.item.id, "conversations": said, "images": images}
        part.add(name, line)
        group = EVERY_TASK[unit.config].group_of(sample.row.columns)
        if as_r1 and fraction(f"{part.request.seed}:{group}") < FIVE:
            part.records.setdefault(r1_name(part.request, unit, "5"), []).append(json.dumps(line))


def r1_name(request: Request, unit: Unit, share: str = "") -> str:
    """`converted_dataset_75_grnd.jsonl`; with reasoning `converted_dataset_75_cot_grnd.jsonl`."""
    cot = "_cot" if request.setting.template == "think" else ""
    task = R1_TASKS.get(unit.config, unit.config)
    return f"converted_dataset_{share or R1_SPLITS[unit.split]}{cot}_{task}.jsonl"


def files_of(job: Job, units: Sequence[Unit]) -> list[str]:
    """The files that rows were written to."""
    if job.request.names != "lego-r1":
        return files(job, units, "jsonl")
    names = dict.fromkeys(r1_name(job.request, u, share) for share in ("", "5") for u in units)
    return [name for name in names if (job.folder / name).is_file()]


def dataset_name(file: str) -> str:
    """`state_train.jsonl` -> `lego_arta_state_train`, as the recipes call it; LEGO-R1's are
    `converted_dataset_75_state.jsonl` -> `lego_dataset_75_state`."""
    stem = Path(file).stem
    return stem.replace("converted_", "lego_") if "converted_" in stem else f"lego_arta_{stem}"


def fraction(name: str) -> float:
    """A number in [0, 1) that depends on a name alone."""
    return int(sha256(name.encode())[:12], 16) / 16**12


def _recipe(setting: Setting, names: list[str]) -> str:
    """The project's SFT recipe for these data sets; of a row only the last answer is learnt."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    recipe |= {"dataset_dir": ".", "dataset": ",".join(names)}
    recipe |= {f"image_{name.lower()}": value for name, value in bounds(setting).items()}
    recipe["cutoff_len"] = max(recipe["cutoff_len"], _tokens(setting, recipe["image_max_pixels"]))
    if setting.examples != "none":
        recipe["mask_history"] = True
    return str(
        "# cd here; llamafactory-cli train sft.yaml\n"
        "# on several GPUs, logged (report_to: wandb or tensorboard):\n"
        "# FORCE_TORCHRUN=1 llamafactory-cli train sft.yaml deepspeed=zero2.json report_to=wandb\n"
        + yaml.safe_dump(recipe, sort_keys=False)
    )


def _tokens(setting: Setting, max_pixels: int) -> int:
    """Tokens that a row with the largest pictures takes: one for each 28 x 28 pixels."""
    pictures = most_pictures(setting)
    largest = min(max_pixels, RELEASED_PIXELS[1]) / 28**2
    return pictures * math.ceil(1.1 * largest) + TEXT_TOKENS  # sides may be rounded upwards

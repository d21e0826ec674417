"""LLaMA-Factory: ShareGPT lines with `images`, `dataset_info.json` and an SFT recipe (R12, R13).

The number of `<image>` in all turns must be that of `images`; examples are turns before the last.
It shrinks a picture above `image_max_pixels` itself before Qwen's own resize
(`core.frames.llamafactory_resize`). What is longer than `cutoff_len` is cut, in the middle of
a picture's tokens if need be.
"""

import json
import math
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
    samples,
    turns,
)
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit
from core.frames import RELEASED_PIXELS
from core.store import ROOT
from evaluation.prompts import Setting

EXAMPLES = ("none", "fixed", "dynamic")
SETTING = replace(QWEN_SETTING, resize="llamafactory")
# What LLaMA-Factory replaces by media, wherever it stands, and what the model's tokens begin with.
RESERVED = (IMAGE, "<video>", "<audio>", QWEN)
NOT_IN_PATHS = ("*?[", "LLaMA-Factory loads by `datasets`, which takes a path for a pattern at")
RECIPE = ROOT / "scripts/train/llamafactory_sft.yaml"
INFO, YAML = "dataset_info.json", "sft.yaml"
TRAIN = "cd {folder} && llamafactory-cli train sft.yaml"
TEXT_TOKENS = 1024  # room for the texts beside the pictures
README = """\
Data sets `{names}` in `dataset_info.json`. `sft.yaml` holds LEGO-R1's hyper-parameters and the
bounds of the resize that boxes are made for.
"""


def write(job: Job) -> list[str]:
    """Write the lines and what LLaMA-Factory wants beside them; returns the data sets' names."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = {dataset_name(file): file for file in files(job, units, "jsonl")}
    info = {
        name: {
            "file_name": file,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
        for name, file in names.items()
    }
    (job.folder / INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    train = [name for name in names if name.endswith("train")]
    if train:
        (job.folder / YAML).write_text(_recipe(job.request.setting, train), encoding="utf-8")
    return list(names)


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    for sample in samples(part, unit, RESERVED):
        own = part.write_picture(sample.row.picture_name, sample.row.picture)
        images = [*example_pictures(part, sample), own]
        part.add(
            name,
            {"id": sample.row.item.id, "conversations": turns(sample, IMAGE), "images": images},
        )


def dataset_name(file: str) -> str:
    """`state_train.jsonl` -> `lego_arta_state_train`, as the recipes call it."""
    return f"lego_arta_{Path(file).stem}"


def _recipe(setting: Setting, names: list[str]) -> str:
    """The project's SFT recipe for these data sets; of a row only the last answer is learnt."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    recipe |= {"dataset_dir": ".", "dataset": ",".join(names)}
    recipe |= {f"image_{name.lower()}": value for name, value in bounds(setting).items()}
    recipe["cutoff_len"] = max(recipe["cutoff_len"], _tokens(setting, recipe["image_max_pixels"]))
    if setting.examples != "none":
        recipe["mask_history"] = True
    return str(
        "# cd here; llamafactory-cli train sft.yaml\n" + yaml.safe_dump(recipe, sort_keys=False)
    )


def _tokens(setting: Setting, max_pixels: int) -> int:
    """Tokens that a row with the largest pictures takes: one for each 28 x 28 pixels."""
    pictures = 1 + (setting.shots if setting.examples == "dynamic" else 0)
    largest = min(max_pixels, RELEASED_PIXELS[1]) / 28**2
    return pictures * math.ceil(1.1 * largest) + TEXT_TOKENS  # sides may be rounded upwards

"""Rows as training examples for TRL (SFT and GRPO), of a build or of its `messages` export."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, concatenate_datasets, load_dataset

from core.build import as_patterns, shards
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS
from core.items import Item, load_items
from evaluation.prompts import Setting, ask, expected_answer


class Bounds(NamedTuple):
    """Least and most area of a picture that boxes are made for, in pixels."""

    min_pixels: int
    max_pixels: int


# LEGO-R1 trains with and without thinking; boxes as JSON in both, in the pixels that come out of
# Qwen2.5-VL's processor within these bounds.
PLAIN = Setting(
    examples="none", boxes="json", frame="resized_px", pixels=Bounds(MIN_PIXELS, MAX_PIXELS)
)
THINK = replace(PLAIN, template="think")
EXPORTED, FORMAT = "export.json", "messages"


def bounds_of(folder: Path) -> Bounds | None:
    """The bounds of an export; None for a build, and for boxes that are the same at any size."""
    pixels = _record(folder).get("pixels")
    return Bounds(*pixels) if pixels else None


def _record(folder: Path) -> dict[str, Any]:
    """What an export says of itself, empty for other folders; raises `UserError` for one of
    another format.
    """
    path = folder / EXPORTED
    if not path.is_file():
        return {}
    record = json.loads(path.read_bytes())
    if record.get("format") != FORMAT:
        raise UserError(
            f"{folder}: an export for {record.get('format')}; give a build, or export it with "
            f"--format {FORMAT}"
        )
    found: dict[str, Any] = record
    return found


def rows_of(
    folder: Path,
    configs: list[str],
    setting: Setting,
    max_samples: int | None = None,
    seed: int = 42,
) -> Dataset:
    """`exported_rows` of an export, `training_rows` of a build."""
    read = exported_rows if _record(folder) else training_rows
    return read(folder, configs, setting, max_samples, seed)


def exported_rows(
    folder: Path,
    configs: list[str],
    setting: Setting,
    max_samples: int | None = None,
    seed: int = 42,
) -> Dataset:
    """The train rows of a `messages` export with prompt, completion, solution, task, id, images.

    With the template `think` the prompt is the one for rewards, else the question of `messages`.
    """
    files = as_patterns(sorted(folder.glob("*train-*.parquet")))
    if not files:
        raise UserError(f"{folder}: no train rows in it; export with --split train")
    every = load_dataset("parquet", data_files=files, split="train")
    tasks = every["task"][:]
    parts = []
    for config in configs:
        own = every.select([index for index, task in enumerate(tasks) if task == config])
        if max_samples is not None and max_samples < len(own):
            own = own.shuffle(seed=seed).select(range(max_samples))
        parts.append(own)
    rows = concatenate_datasets(parts)
    if not len(rows):
        raise UserError(f"{folder}: no train rows of {', '.join(configs)} in it; give --configs")
    chats = rows["messages"][:]
    asked = rows["prompt"][:] if setting.template == "think" else [chat[:-1] for chat in chats]
    texts = Dataset.from_dict({"prompt": asked, "completion": [chat[-1:] for chat in chats]})
    kept = rows.select_columns(["id", "images", "solution", "task"])
    return concatenate_datasets([kept, texts], axis=1).shuffle(seed=seed)


def training_rows(
    build: Path,
    configs: list[str],
    setting: Setting,
    max_samples: int | None = None,
    seed: int = 42,
) -> Dataset:
    """The train split as a dataset with prompt, completion, solution, task, id, image.

    `prompt` and `completion` are chat messages with plain texts; `solution` is the answer in
    `<answer>` tags, as rewards read it. At most `max_samples` rows a task, drawn with the seed.
    """
    parts = []
    for config in configs:
        items = load_items(build, config, "train")
        files = as_patterns(shards(build, config, "train"))
        pictures = load_dataset("parquet", data_files=files, split="train").select_columns(
            ["id", "image"]
        )
        if pictures["id"][:] != [item.id for item in items]:
            raise UserError(f"{build}: the rows of {config} are not in order; build it anew")
        texts = Dataset.from_list([_texts(item, setting) for item in items])
        both = concatenate_datasets([pictures, texts], axis=1)
        if max_samples is not None and max_samples < len(both):
            both = both.shuffle(seed=seed).select(range(max_samples))
        parts.append(both)
    return concatenate_datasets(parts).shuffle(seed=seed)


def _texts(item: Item, setting: Setting) -> dict[str, Any]:
    answer = expected_answer(item, setting)
    tagged = answer if setting.template == "think" else f"<answer>{answer}</answer>"
    return {
        "prompt": [{"role": "user", "content": ask(item, setting)}],
        "completion": [{"role": "assistant", "content": answer}],
        "solution": tagged,
        "task": item.config,
    }

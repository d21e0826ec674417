"""Rows of a build as training examples for TRL (SFT and GRPO): prompt, answer, picture, task."""

from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets, load_dataset

from evaluation.items import Item, UserError, load_items
from evaluation.prompts import Setting, ask, expected_answer

# LEGO-R1 trains with and without thinking; boxes as JSON in both.
PLAIN = Setting(examples="none", boxes="json")
THINK = Setting(examples="none", boxes="json", template="think")


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
        files = sorted(str(path) for path in (build / "data" / config).glob("train-*.parquet"))
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

"""Chat messages in Parquet, the pictures in it: one file for TRL (SFT and GRPO), Unsloth, mlx-vlm.

`messages` are for supervised tuning: `content` is a list of parts, so that chat templates see where
the picture is. `prompt` is for reinforcement learning: it asks for `<think>` and `<answer>`, which
the rewards read, in plain texts, before which TRL puts the pictures. `solution` and `task` are what
the rewards of `evaluation.rewards` take; `answer`, `labels`, `boxes` and `size_wh` are for others.

Who resizes is the processor alone, so boxes are in its pixels (`resized_px`).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from datasets import Features, Image, List, Value

from builder.export.chat import IMAGE, QWEN, QWEN_SETTING, bounds, samples, tagged
from builder.export.job import Job, Part
from builder.export.tables import config_names, write_tables
from builder.export.tables import front_matter as yaml_of
from builder.export.units import Unit, size_of
from core.answers import parse_boxes
from core.features import arrow_schema
from evaluation.prompts import ask, expected_answer
from tasks import EVERY_TASK

EXAMPLES = ("none",)  # TRL puts all pictures before the first text
SETTING = QWEN_SETTING
# Placeholders that chat templates write themselves, and what ends a turn.
RESERVED = (IMAGE, QWEN)
PICTURES = "the build's own bytes, in `images`"
TRAIN = "lego-arta train sft {folder} --out tuned/sft"
README = """\
Columns: `messages` and `images` (supervised tuning), `prompt`, `solution` and `task` (reinforcement
learning: `prompt` asks for `<think>` and `<answer>`, `solution` is the answer in its tags), and for
rewards of your own `answer`, `labels`, `boxes` (as the answer says them) and `size_wh` (pixels of
the stored picture).

```python
from datasets import load_dataset

rows = load_dataset("{name}", "{config}", split="{split}")
print(rows[0]["messages"], rows[0]["images"][0].size)
```

TRL's `SFTTrainer`, Unsloth's `UnslothVisionDataCollator` and mlx-vlm take `rows` as they are, and
TRL's `GRPOTrainer` takes `rows.select_columns(["prompt", "images", "solution", "task"])`, with a
processor that pads on the left as it does itself:

```python
from transformers import AutoProcessor

model = "Qwen/Qwen2.5-VL-7B-Instruct"
processor = AutoProcessor.from_pretrained(model, padding_side="left"{bounds})
```
{why}
In a checkout of lego-arta, two recipes with LEGO-R1's hyper-parameters read this folder and set the
processor up themselves: `lego-arta train sft`, as below, learns the answers alone;
`lego-arta train grpo` in its place is rewarded for them.
"""
WHY = """
Boxes are in pixels after this processor's resize: keep its bounds, and give Unsloth's collator
`resize="max"`, or it shrinks pictures first.
"""
_PART = {"type": Value("string"), "text": Value("string")}
FEATURES = Features(
    {
        "id": Value("string"),
        "task": Value("string"),
        "images": List(Image()),
        "messages": List({"role": Value("string"), "content": List(_PART)}),
        "prompt": List({"role": Value("string"), "content": Value("string")}),
        "solution": Value("string"),
        "answer": Value("string"),
        "labels": List(Value("string")),
        "boxes": List(List(Value("float32"), length=4)),
        "size_wh": List(Value("int32"), length=2),
    }
)


def write(job: Job) -> list[str]:
    """Write the files; returns their names."""
    return write_tables(job, arrow_schema(FEATURES), records)


def records(part: Part, unit: Unit) -> Iterator[dict[str, Any]]:
    """The rows of a unit, as FEATURES has them."""
    setting = part.request.setting
    plain = dataclasses.replace(setting, template="plain")
    thinking = dataclasses.replace(setting, template="think")
    for row, question, answer, _ in samples(part, unit, RESERVED):
        bare = expected_answer(row.item, plain)
        boxes = parse_boxes(bare).boxes if EVERY_TASK[unit.config].text.in_boxes else ()
        yield {
            "id": row.item.id,
            "task": unit.config,
            "images": [{"bytes": bytes(row.picture), "path": row.picture_name}],
            "messages": [
                {"role": "user", "content": [_part("image", None), _part("text", question)]},
                {"role": "assistant", "content": [_part("text", answer)]},
            ],
            "prompt": [{"role": "user", "content": ask(row.item, thinking)}],
            "solution": tagged(bare),
            "answer": bare,
            "labels": [box.label for box in boxes],
            "boxes": [list(box.box) for box in boxes],
            "size_wh": list(size_of(row.picture)),
        }


def _part(kind: str, text: str | None) -> dict[str, str | None]:
    return {"type": kind, "text": text}


def words(job: Job) -> dict[str, str]:
    """What README.md says of this export alone."""
    request, setting = job.request, job.request.setting
    given = why = ""
    if setting.frame == "resized_px":
        why, given = WHY, "".join(f", {k.lower()}={v}" for k, v in bounds(setting).items())
    return {"split": request.splits[0], "bounds": given, "why": why}


def front_matter(job: Job, names: list[str]) -> str:
    """YAML on top of README.md, so that `load_dataset` finds the configs in the folder."""
    features = dict.fromkeys(config_names(job.request), FEATURES)
    return yaml_of(job, names, features, ".parquet")

"""Preference pairs for TRL's `DPOTrainer`: a question, the right answer, and one that is wrong.

What is wrong is near at hand, so that style tells nothing: the other word of a state, the right
names at the boxes of other parts of the same collage, the instruction of the step next to this one
in its session. `rejected_kind` says which. Pictures are in the file; TRL puts them before the text.
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from datasets import Features, Image, List, Value

from builder.export.chat import IMAGE, QWEN, QWEN_SETTING, said
from builder.export.job import Dropped, Job, Part
from builder.export.messages import words as words  # the README of both says the same
from builder.export.tables import config_names, write_tables
from builder.export.tables import front_matter as yaml_of
from builder.export.units import Request, Row, Unit
from core.answers import format_boxes, parse_boxes
from core.boxtext import rounded
from core.features import arrow_schema
from core.items import Item, load_items
from core.relations import OPPOSITE, WORDS
from evaluation.prompts import expected_answer

EXAMPLES = ("none",)  # TRL puts all pictures before the first text
SETTING = QWEN_SETTING
RESERVED = (IMAGE, QWEN)
PICTURES = "the build's own bytes, in `images`"
README = """\
Columns: `prompt`, `images`, `chosen` and `rejected`, as TRL's `DPOTrainer` reads them, and `id`,
`task`, `rejected_kind` (what is wrong with `rejected`: `other_word`, `other_part`, `other_step`,
`other_relation`).

```python
from datasets import load_dataset
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl import DPOConfig, DPOTrainer

rows = load_dataset("{name}", "{config}", split="{split}")
model = "Qwen/Qwen2.5-VL-7B-Instruct"
trainer = DPOTrainer(
    model=AutoModelForImageTextToText.from_pretrained(model),
    args=DPOConfig(output_dir="tuned/dpo", max_length=None),
    train_dataset=rows.select_columns(["prompt", "images", "chosen", "rejected"]),
    processing_class=AutoProcessor.from_pretrained(model{bounds}),
)
```
{why}"""
_TURN = {"role": Value("string"), "content": Value("string")}
FEATURES = Features(
    {
        "id": Value("string"),
        "task": Value("string"),
        "images": List(Image()),
        "prompt": List(_TURN),
        "chosen": List(_TURN),
        "rejected": List(_TURN),
        "rejected_kind": Value("string"),
    }
)


def write(job: Job) -> list[str]:
    """Write the files; returns their names."""
    return write_tables(job, arrow_schema(FEATURES), records)


def records(part: Part, unit: Unit) -> Iterator[dict[str, Any]]:
    """The rows of a unit as pairs; those that have no wrong answer are dropped."""
    setting, make = part.request.setting, REJECTED[unit.config]
    kind = KINDS[unit.config]
    for row in part.rows(unit, ("entities", "provenance")):
        try:
            question, chosen = said(row.item, setting, RESERVED)
            rejected = expected_answer(make(row, part.request, unit), setting)
            if rejected == chosen:
                raise Dropped("no_wrong_answer", chosen)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)
            continue
        yield {
            "id": row.item.id,
            "task": unit.config,
            "images": [{"bytes": bytes(row.picture), "path": row.picture_name}],
            "prompt": _turn("user", question),
            "chosen": _turn("assistant", chosen),
            "rejected": _turn("assistant", rejected),
            "rejected_kind": kind,
        }


def _turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


# Wrong answers: the item as it would be if they were right ----------------------------------------


def _other_word(row: Row, request: Request, unit: Unit) -> Item:
    return dataclasses.replace(row.item, answer="No." if row.item.is_yes else "Yes.")


def _other_part(row: Row, request: Request, unit: Unit) -> Item:
    """The names asked for at the boxes of parts in the next cells that hold any; where nobody
    told what the others hold, the right boxes as they would lie in the next cell."""
    own, others = row.columns["cell"], row.columns["distractors"] or ()
    found = parse_boxes(row.item.answer).boxes
    there = [other["box_norm100"] for other in sorted(others, key=lambda d: (d["cell"] - own) % 4)]
    if there:
        boxes = [there[index % len(there)] for index in range(len(found))]
    else:
        shift = _corner(own + 1) - _corner(own)
        boxes = [(np.array(box) + np.tile(shift, 2)).tolist() for box in row.item.boxes_norm100]
    pairs = [(box.label, rounded(tuple(wrong))) for box, wrong in zip(found, boxes, strict=True)]
    exact = tuple(tuple(map(float, box)) for box in boxes)
    return dataclasses.replace(row.item, answer=format_boxes(pairs, "angle"), boxes_norm100=exact)


def _corner(cell: int) -> np.ndarray:
    """Top left of a cell of the collage, percent."""
    return 50 * np.array([cell % 2, cell // 2 % 2])


def _other_step(row: Row, request: Request, unit: Unit) -> Item:
    """The instruction of the next step of the session that says something else, or of the last."""
    steps = _sessions(request, unit.config, unit.split)[row.item.session_id]
    here = next(k for k, item in enumerate(steps) if item.id == row.item.id)
    for other in (*steps[here + 1 :], *reversed(steps[:here])):
        if other.answer != row.item.answer:
            return dataclasses.replace(row.item, answer=other.answer)
    raise Dropped("no_wrong_answer", "the only step of its session")


@functools.lru_cache(1)
def _sessions(request: Request, config: str, split: str) -> dict[str, list[Item]]:
    """The steps of a split by session, in their order."""
    found = defaultdict(list)
    for item in load_items(request.build, config, split):
        found[item.session_id].append(item)
    return {name: sorted(own, key=lambda i: (i.step_num is None, i.step_num or 0, i.id))
            for name, own in found.items()}  # fmt: skip


def _other_relation(row: Row, request: Request, unit: Unit) -> Item:
    """The opposite of the relation that holds, in the words of the answer."""
    item = row.item
    wrong = OPPOSITE.get(item.relations[0])
    if wrong is None or wrong in item.relations:
        raise Dropped("no_wrong_answer", f"{item.relations[0]} has no opposite")
    lines = item.answer.splitlines() or [""]
    if item.conversation == "classification":
        return dataclasses.replace(item, answer=WORDS[wrong])
    line = f"{item.names[0]} {WORDS[wrong]} {item.names[1]}."
    said = line[:1].upper() + line[1:]
    return dataclasses.replace(item, answer=" \n ".join([said, *lines[1:]]))


Rejecting = Callable[[Row, Request, Unit], Item]
REJECTED: Mapping[str, Rejecting] = {
    "scene": _other_step,
    "object": _other_part,
    "state": _other_word,
    "state_balanced": _other_word,
    "spatial": _other_relation,
}
KINDS = {"scene": "other_step", "object": "other_part", "state": "other_word",
         "state_balanced": "other_word", "spatial": "other_relation"}  # fmt: skip
CONFIGS = tuple(REJECTED)


def front_matter(job: Job, names: list[str]) -> str:
    """YAML on top of README.md, so that `load_dataset` finds the configs in the folder."""
    return yaml_of(job, names, dict.fromkeys(config_names(job.request), FEATURES), ".parquet")

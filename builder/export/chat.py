"""Rows as questions and answers: what the formats of trainers (LLaVA, LLaMA-Factory, ...) share.

Prompts, answers, frames and in-context examples are those of the benchmark (`evaluation`), so a
model is tuned on what it will be asked.
"""

import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from builder.export.job import Dropped, Job, Part, picture_path
from builder.export.units import (
    Request,
    Row,
    Unit,
    hashed_name,
    name_of,
    units,
    without_picture,
)
from core import store
from core.answers import parse_boxes
from core.build import Version, version_of
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS, RELEASED_PIXELS
from core.items import Item, load_items, picture_bytes
from core.storage import parquet
from evaluation.examples import OF_TRAIN, Chooser
from evaluation.prompts import Example, Setting, ask, expected_answer, shows_examples
from tasks import EVERY_TASK

IMAGE = "<image>"
QWEN = "<|"  # begins its special tokens, which end a turn or stand for a picture wherever they are
# What trainers of Qwen2.5-VL are given: boxes in the pixels that come out of its processor.
QWEN_SETTING = Setting(
    examples="none", boxes="json", frame="resized_px", pixels=(MIN_PIXELS, MAX_PIXELS)
)
Choose = Callable[[Item], list[Example]]


class Sample(NamedTuple):
    """A row as it is asked and answered, and the solved examples before it."""

    row: Row
    question: str
    answer: str
    examples: tuple[Example, ...]


def samples(part: Part, unit: Unit, reserved: tuple[str, ...]) -> Iterator[Sample]:
    """The rows of a unit as samples; those that can't be said in this format are dropped."""
    alone = part.request.setting.examples == "none"
    left_out = ("distractors", *(("entities", "provenance") if alone else ()))
    choose = chooser(part.request, unit.config, reserved)
    for row in part.rows(unit, left_out):
        try:
            question, answer = said(row.item, part.request.setting, reserved)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)
            continue
        yield Sample(row, question, answer, tuple(choose(row.item)))


def said(item: Item, setting: Setting, reserved: Collection[str]) -> tuple[str, str]:
    """Question and answer of a row.

    Raises `Dropped` for a text with a token that the reader would take for its own, and for boxes
    that can't be read from the answer (R1: the way there and back must lose nothing).
    """
    if EVERY_TASK[item.config].text.in_boxes:
        found = parse_boxes(item.answer)
        unlike = found.status != "ok" or len(found.boxes) != len(item.boxes_norm100)
        if unlike and (found.boxes or item.boxes_norm100):  # else it says that there is nothing
            raise Dropped("boxes_not_readable", item.answer)
    texts = (ask(item, setting), expected_answer(item, setting))
    for token in reserved:
        if any(token in text for text in texts):
            raise Dropped("reserved_token", token)
    return texts


_kept: dict[tuple[Any, ...], Choose] = {}


def chooser(request: Request, config: str, reserved: tuple[str, ...]) -> Choose:
    """Who picks the examples of a config's rows, the same one for all its units."""
    key = (request, config, reserved)
    if key not in _kept:
        _kept.clear()  # before the next one is made: each holds a config's rows
        _kept[key] = _chooser(request, config, reserved)
    return _kept[key]


def _chooser(request: Request, config: str, reserved: tuple[str, ...]) -> Choose:
    """Examples come from the train rows that this export holds or, with another --split, would
    hold.
    """
    setting = request.setting
    if setting.examples == "none":
        return lambda item: []
    wanted = {
        (unit.path, unit.row_group, row)
        for unit in units(request, config, "train")
        for row in set(unit.rows) - without_picture(unit)
    }
    every = load_items(request.build, config, "train") if wanted else []
    here = [item for item in every if tuple(item.place) in wanted]
    train = [item for item in here if _sayable(item, setting, reserved)]
    if here and not train:
        raise UserError(
            f"--examples {setting.examples}: not one of {len(here):,} train rows of {config} can "
            f"be said in {request.format}; leave --examples out to see why in dropped.jsonl"
        )
    choose = Chooser(train, setting, request.seed)
    if shows_examples(setting):
        return choose
    return lambda item: [example._replace(item=None) for example in choose(item)]


def _sayable(item: Item, setting: Setting, reserved: Collection[str]) -> bool:
    try:
        said(item, setting, reserved)
    except Dropped:
        return False
    return True


def bounds(setting: Setting) -> dict[str, int]:
    """The bounds on a picture's area that boxes are made for, as scripts name them."""
    least, most = setting.pixels or (MIN_PIXELS, MAX_PIXELS)
    return {"MIN_PIXELS": least, "MAX_PIXELS": most}


def tagged(answer: str) -> str:
    """An answer in the tags that rewards read, whether it has them already or not."""
    return answer if answer.startswith("<answer>") else f"<answer>{answer}</answer>"


def most_pictures(setting: Setting) -> int:
    """How many pictures a row may have, its examples' and its own."""
    shown = setting.examples in OF_TRAIN and shows_examples(setting)
    return int(setting.image) + (setting.shots if shown else 0)


def prompt_tokens(setting: Setting, least: int = 4096) -> int:
    """Tokens that a prompt of GRPO may take: pictures, one for 28 x 28 pixels, and texts."""
    largest = min(bounds(setting)["MAX_PIXELS"], RELEASED_PIXELS[1]) / 28**2
    texts = 1024 + 256 * (setting.shots if setting.examples != "none" else 0)
    return max(least, most_pictures(setting) * math.ceil(1.1 * largest) + texts)


def told(sample: Sample) -> str:
    """The examples as text, each with the number of its picture, then the question itself: for
    trainers that show all pictures first.
    """
    said, shown = [], 0
    for example in sample.examples:
        shown += example.item is not None
        which = f" (picture {shown})" if example.item else ""
        said.append(f"Example{which}: {example.query.strip()}\nAnswer: {example.answer}\n")
    last = f"Now (picture {shown + 1}): " if said and shown else "Now: " if said else ""
    return "".join(said) + last + sample.question


def turns(sample: Sample, mark: str, own_mark: str | None = None) -> list[dict[str, str]]:
    """The examples and the row as turns of human and gpt; `mark` is where a picture is, `own_mark`
    where the row's own would be, if that is another.
    """
    said = []
    for example in sample.examples:
        shown = mark if example.item else ""
        said += [("human", f"{shown}{example.query}"), ("gpt", example.answer)]
    own = mark if own_mark is None else own_mark
    said += [("human", f"{own}{sample.question}"), ("gpt", sample.answer)]
    return [{"from": who, "value": text} for who, text in said]


def example_pictures(part: Part, sample: Sample) -> list[str]:
    """Paths of the examples' pictures in the export; those that are not there yet are written."""
    part.counts["with examples"] += bool(sample.examples)
    return [_written(part, example.item) for example in sample.examples if example.item]


def _written(part: Part, item: Item) -> str:
    name = _names(version_of(item.place.path), item.place.row_group)[item.place.row]
    name = name or name_of(picture_bytes(item))
    path = part.folder / picture_path(name)
    if not path.is_file():  # whole at once: no task that is done again would mend it
        store.write_bytes(path, picture_bytes(item))
    return picture_path(name)


@functools.lru_cache(maxsize=64)
def _names(shard: Version, row_group: int) -> list[str | None]:
    """Names of a row group's pictures, None for those that are no content hash."""
    with parquet(shard.path) as file:
        column = file.read_row_group(row_group, columns=["image.path"]).column(0)
    return [hashed_name(image["path"]) for image in column.to_pylist()]


def file_name(request: Request, unit: Unit, suffix: str) -> str:
    """`state_train.json`, or with --merge `train.json`."""
    config = "" if request.merge else f"{unit.config}_"
    return f"{config}{unit.split}.{suffix}"


def files(job: Job, units: Sequence[Unit], suffix: str) -> list[str]:
    """The files that rows were written to, in the order of their units."""
    names = dict.fromkeys(file_name(job.request, unit, suffix) for unit in units)
    return [name for name in names if job.counts[f"rows: {name}"]]

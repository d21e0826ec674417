"""`evaluate run`: prompts of a split to a model, answers to a JSONL file, resumable."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.items import Item, items_hash, load_items
from core.store import held
from evaluation.deployed import Shown, check_maps, with_maps
from evaluation.examples import OF_TRAIN, Chooser
from evaluation.predictions import (
    Prediction,
    Run,
    append,
    mend_tail,
    read_predictions,
    read_run,
    write_run,
)
from evaluation.prompts import Prompt, Setting, build_prompt
from evaluation.runners import Answering, Reply, RunnerOptions, make_runner
from tasks.looks import Look, digest

# Not part of what is asked: changing them does not make earlier answers another run's.
_ONLY_HOW = ("batch_size", "concurrency", "requests_per_minute", "timeout_s", "attempts", "cache",
             "device", "attention")  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One run: which items, how they are put, to whom."""

    build: Path
    config: str
    kind: str
    setting: Setting
    options: RunnerOptions
    out: Path
    split: str = "test"
    name: str | None = None
    tuned: bool = False
    limit: int | None = None
    seed: int = 42
    look: Look | None = None  # pictures are seen through masks
    only: frozenset[str] | None = None  # these items alone

    @property
    def path(self) -> Path:
        """The prediction file."""
        name = self.label + (".tuned" if self.tuned else "")
        return self.out / f"{file_name(name)}.{self.config}.{self.setting_name}.jsonl"

    @property
    def setting_name(self) -> str:
        """What is asked and shown, in short: "full", "full+overlay.gold"."""
        return self.setting.name + (f"+{self.look.name}" if self.look else "")

    @property
    def label(self) -> str:
        """The model's name in tables."""
        return self.name or Path(self.options.model).name or self.options.model

    def open_model(self) -> Answering:
        """The model, ready to answer; raises `UserError` where it can't be had."""
        return make_runner(self.kind, self.options)


def file_name(text: str) -> str:
    """A model's name as a file name."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "model"


def prompts_of(asked: Asked, items: Iterable[Item]) -> Iterator[Prompt]:
    """The prompts of items, examples from the train split only."""
    needed = asked.setting.examples in OF_TRAIN
    train = load_items(asked.build, asked.config, "train") if needed else []
    choose = Chooser(train, asked.setting, asked.seed)
    for item in items:
        yield build_prompt(item, asked.setting, choose(item))


def run(
    asked: Asked,
    progress: Callable[[Iterable[Prediction], int], Iterable[Prediction]],
    runner: Callable[[], Answering] | None = None,
) -> Run:
    """Ask what has no answer yet; returns the run. `progress` wraps the answers as they come.

    Nothing is written before the first answer. `runner` opens the model, where several runs share
    one. Raises `UserError` when the file holds answers of another run, or none can be had.
    """
    every = load_items(asked.build, asked.config, asked.split)
    record = _record(asked, every)
    answered = _answered_before(asked.path, record)
    todo = [item for item in items_of(asked, every) if item.id not in answered]
    if not todo:
        return record
    _check_free(asked.path)
    shown = Shown(asked.look, asked.build) if asked.look else None
    if shown:
        check_maps(shown, todo)
    prompts = list(prompts_of(asked, [shown.item(item) for item in todo] if shown else todo))
    # Baselines look at no picture: their boxes are those of the whole one.
    crop_of = shown.crop_xyxy_px if shown and asked.kind != "baseline" else None
    answering = (runner or asked.open_model)()
    predictions = (_prediction(reply, crop_of) for reply in answering(prompts))
    replies = iter(progress(predictions, len(todo)))
    first = _until_an_answer(replies)
    asked.out.mkdir(parents=True, exist_ok=True)
    with _one_writer(asked.path):
        if _answered_before(asked.path, record) != answered:
            raise UserError(f"{asked.path}: another run has written it meanwhile; run again")
        mend_tail(asked.path)
        write_run(asked.path, record)
        append(asked.path, itertools.chain(first, replies))
    return record


def items_of(asked: Asked, every: Sequence[Item]) -> list[Item]:
    """What is asked of a split's items: with gold masks, those that have one."""
    items = [item for item in every if asked.only is None or item.id in asked.only]
    if asked.look and asked.look.is_gold:
        items = with_maps(asked.look, asked.build, items)
    return items[: asked.limit]


def _until_an_answer(replies: Iterator[Prediction]) -> list[Prediction]:
    """The first predictions, up to one with an answer; raises `UserError` if there is none."""
    first: list[Prediction] = []
    for reply in replies:
        first.append(reply)
        if reply.answer is not None:
            return first
    why = f": {first[0].error}" if first else ""
    raise UserError(f"no answer to any of {len(first):,} items{why}")


def _answered_before(path: Path, record: Run) -> set[str]:
    """The ids that a file has answers to; raises `UserError` for one of another run."""
    if not path.exists() or not (known := read_predictions(path)):
        return set()
    _check_same_run(path, record)
    return {p.id for p in known.values() if p.answer is not None}


def _check_free(path: Path) -> None:
    """Raise `UserError` before any work where another run holds the file."""
    if path.with_suffix(".lock").exists():
        with _one_writer(path):
            pass


def _one_writer(path: Path) -> AbstractContextManager[None]:
    return held(path.with_suffix(".lock"), str(path), "another run is writing it; wait for it")


def _record(asked: Asked, items: list[Item]) -> Run:
    options = {key: value for key, value in asdict(asked.options).items()
               if key not in _ONLY_HOW and (value or key != "parameters")}  # fmt: skip
    maps = {} if asked.look is None else {"maps": digest(asked.look, asked.build)}
    return Run(
        model=f"{asked.kind}:{asked.options.model}",
        name=asked.label,
        config=asked.config,
        setting=asked.setting_name,
        deploy=asked.look.method if asked.look else None,
        masks=asked.look.masks if asked.look else None,
        split=asked.split,
        tuned=asked.tuned,
        items_hash=items_hash(items),
        limit=asked.limit,
        options={**options, "seed": asked.seed, **maps},
    )


def _check_same_run(path: Path, record: Run) -> None:
    before = read_run(path)
    if before is None:
        raise UserError(f"{path}: answers without a run file beside them; choose another --out")
    now, then = asdict(record), asdict(before)
    for each in (now, then):
        each.pop("limit")
        if each["masks"] and "maps" in each["options"]:
            each.pop("masks")  # the maps count, not where they lie
    changed = sorted(key for key in now if now[key] != then.get(key))
    if changed:
        raise UserError(
            f"{path}: holds answers of another run ({', '.join(changed)} differ); "
            "choose another --out or --name, or delete it"
        )


def _prediction(
    reply: Reply, crop_of: Callable[[Item], list[int] | None] | None = None
) -> Prediction:
    prompt = reply.prompt
    turns = []
    for turn in prompt.turns:
        shown: dict[str, Any] = {"image": turn.image.id} if turn.image is not None else {}
        shown |= {"images": len(turn.images)} if turn.more else {}
        turns.append({"role": turn.role, **shown, "text": turn.text})
    return Prediction(
        id=prompt.item.id,
        config=prompt.item.config,
        answer=reply.text,
        prompt=turns,
        examples=[
            {"id": e.item.id if e.item else None, "how": e.how, "answer": e.answer}
            for e in prompt.examples
        ],
        seconds=reply.seconds,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        size_wh=list(reply.size_wh) if reply.size_wh else None,
        resized_wh=list(reply.resized_wh) if reply.resized_wh else None,
        crop_xyxy_px=crop_of(prompt.item) if crop_of and reply.text is not None else None,
        error=reply.error,
        changes=list(reply.changes),
    )

"""Ask models about all pictures of a build, before its manuals are worked on.

What was answered lies in the store of `answers.py`: a killed run goes on where it was, processes
share nothing, and nothing is asked twice.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from builder.annotate.answers import (
    answer_file,
    identity_of,
    key_of,
    module_of,
    question_of,
    rows_to_annotate,
)
from builder.annotate.models import Answer, Model, ModelOptions, Question, import_torch
from builder.engine import Engine
from builder.engine.devices import first_line
from builder.engine.local import ALONE
from core import store
from core.errors import UserError
from core.pictures.containers import ImageError
from core.pictures.media import read_picture
from core.records import Manual, dump, load

log = logging.getLogger("lego_arta")

READERS = 4  # threads that decode and resize pictures while the model works


class Item(NamedTuple):
    """One question to ask: its key in the store, the picture's file, the question."""

    key: str
    picture: Path
    question: Question


def ask_all(
    work: Path,
    manual_ids: Sequence[str],
    names: Sequence[str],
    options: ModelOptions,
    engine: Engine = ALONE,
) -> None:
    """Ask every model in `names` what it has not answered yet; raises `UserError`."""
    for name in names:
        items = open_questions(work, manual_ids, name, identity_of(name, options))
        if not items:
            log.info("%s: every picture has its answer", name)
            continue
        size = options.batch_size
        batches = [(items[start : start + size],) for start in range(0, len(items), size)]
        opens = functools.partial(Asker, work, name, options)
        engine.on_devices(name, opens, batches, engine.devices(options.devices), len(items))


def open_questions(work: Path, manual_ids: Sequence[str], name: str, identity: str) -> list[Item]:
    """What was not answered yet, manual by manual; a picture's questions stand one after the other,
    where it is first shown."""
    by_picture: dict[str, dict[str, Item]] = {}
    for manual_id in manual_ids:
        manual = load(work / store.PARSE / manual_id / "manual.json", Manual)
        for row in rows_to_annotate(manual):
            question = question_of(row)
            key = key_of(identity, question)
            if question.labels and not answer_file(work, name, key).is_file():
                picture = work / store.CRAWL / manual_id / str(row.VLM.img_path)
                items = by_picture.setdefault(question.image_sha256, {})
                items[key] = Item(key, picture, question)
    return [item for items in by_picture.values() for item in items.values()]


def check_devices(names: Sequence[str], options: ModelOptions, engine: Engine) -> None:
    """Raise `UserError` for devices that are not there."""
    if names and options.devices:
        engine.devices(options.devices)


class Asker:
    """A model on one device, which answers batches of items into the store."""

    def __init__(self, work: Path, name: str, options: ModelOptions, device: str) -> None:
        self._work, self._name = work, name
        self._model = opened(name, options, device)
        self._size = options.batch_size
        self._readers = ThreadPoolExecutor(READERS)

    def prepare(self, items: Sequence[Item]) -> list[tuple[Item, Future[Any]]]:
        """Begin to decode and resize the pictures of a batch."""
        return [(item, self._readers.submit(_prepare, item, self._model)) for item in items]

    def finish(self, batch: Sequence[tuple[Item, Future[Any]]]) -> int:
        """Ask about a batch and write its answers; returns the number of its items."""
        read = [(item, future.result()) for item, future in batch]
        items = [item for item, made in read if made is not None]
        rows = [made for _, made in read if made is not None]
        answers, self._size = answer_backing_off(self._model.answer, rows, self._size)
        for item, answer in zip(items, answers, strict=True):
            store.write_bytes(answer_file(self._work, self._name, item.key), dump(answer))
        return len(batch)


def opened(name: str, options: ModelOptions, device: str) -> Model:
    torch = import_torch(name)
    try:
        torch.zeros(1, device=device)
    except Exception as error:  # of several types: unknown, not there, not built for
        raise UserError(f"--devices {device}: can't be used ({first_line(error)})") from error
    log.info("%s: loading on %s", name, device)
    try:
        model: Model = module_of(name).open_model(options, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"--devices {device}: not enough memory for the weights of {name}; "
            "give another device or a smaller --dtype"
        ) from error
    return model


def _prepare(item: Item, model: Model) -> Any:
    """What the model takes; None for a picture that can't be read."""
    try:
        picture = read_picture(item.picture)
    except ImageError:  # nobody is asked; the annotations say why
        return None
    return model.prepare(picture, item.question)


def answer_backing_off(
    answer: Callable[[Sequence[Any]], list[Answer]], rows: Sequence[Any], size: int
) -> tuple[list[Answer], int]:
    """Answers to all rows, at most `size` at a time, and the size that fitted in memory.

    Halves the size when memory runs out; raises `UserError` when one row alone is too much.
    """
    done: list[Answer] = []
    while len(done) < len(rows):
        try:
            done += answer(rows[len(done) : len(done) + size])
            continue
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise UserError(
                    "--batch-size: memory does not even do for one picture; give another device, "
                    "or a smaller --dtype or model"
                ) from error
        # Outside of the handler, whose traceback holds on to what did not fit.
        size = max(1, min(size, len(rows)) // 2)
        log.warning("out of memory; going on with --batch-size %d", size)
        _free_memory()
    return done, size


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of a device's memory, or the CPU's."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()

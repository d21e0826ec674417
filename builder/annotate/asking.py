"""Ask models about all pictures of a build, before its manuals are worked on.

What was answered lies in the store of `answers.py`: a killed run goes on where it was, processes
share nothing, and nothing is asked twice.
"""

import contextlib
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from builder.engine.local import die_with_parent, progress
from core import store
from core.errors import UserError
from core.pictures.containers import ImageError
from core.pictures.media import read_picture
from core.records import Manual, dump, load

log = logging.getLogger("lego_arta")

READERS = 4  # threads that decode and resize pictures while the model works
POLL_S = 0.2


class Item(NamedTuple):
    """One question to ask: its key in the store, the picture's file, the question."""

    key: str
    picture: Path
    question: Question


def ask_all(
    work: Path, manual_ids: Sequence[str], names: Sequence[str], options: ModelOptions
) -> None:
    """Ask every model in `names` what it has not answered yet; raises `UserError`."""
    for name in names:
        identity = identity_of(name, options)
        by_manual = open_questions(work, manual_ids, name, identity)
        number = sum(map(len, by_manual.values()))
        if not number:
            log.info("%s: every picture has its answer", name)
            continue
        shards = share_out(list(by_manual.values()), devices(name, options))
        if len(shards) == 1:
            (device, items), *_ = shards
            asked = ask(work, name, items, options, device)
            for _ in progress(asked, name, number):
                pass
        else:
            _ask_in_processes(work, name, shards, options)


def open_questions(
    work: Path, manual_ids: Sequence[str], name: str, identity: str
) -> dict[str, list[Item]]:
    """What was not answered yet, by manual; a picture's questions all stand with its first manual,
    one after the other."""
    by_picture: dict[str, tuple[str, dict[str, Item]]] = {}
    for manual_id in manual_ids:
        manual = load(work / store.PARSE / manual_id / "manual.json", Manual)
        for row in rows_to_annotate(manual):
            question = question_of(row)
            key = key_of(identity, question)
            if question.labels and not answer_file(work, name, key).is_file():
                picture = work / store.CRAWL / manual_id / str(row.VLM.img_path)
                _, items = by_picture.setdefault(question.image_sha256, (manual_id, {}))
                items[key] = Item(key, picture, question)
    result: dict[str, list[Item]] = {}
    for manual_id, items in by_picture.values():
        result.setdefault(manual_id, []).extend(items.values())
    return result


def share_out(
    manuals: Sequence[list[Item]], devices: Sequence[str]
) -> list[tuple[str, list[Item]]]:
    """Whole manuals to devices, the largest first to whoever has least."""
    shards: list[tuple[str, list[Item]]] = [(device, []) for device in devices]
    for items in sorted(manuals, key=len, reverse=True):
        min(shards, key=lambda shard: len(shard[1]))[1].extend(items)
    return [shard for shard in shards if shard[1]]


def check_devices(names: Sequence[str], options: ModelOptions) -> None:
    """Raise `UserError` for devices that are not here; takes no memory of a GPU."""
    if not names or not options.devices:
        return
    torch = import_torch(names[0])
    for device in options.devices:
        try:
            found = torch.device(device)
            there = found.type != "cuda" or (found.index or 0) < torch.cuda.device_count()
            said = f"{torch.cuda.device_count()} GPUs here"
        except RuntimeError as error:
            there, said = False, _first_line(error)
        if not there:
            raise UserError(f"--devices {device}: can't be used ({said})")


def devices(name: str, options: ModelOptions) -> list[str]:
    if options.devices:
        return list(options.devices)
    torch = import_torch(name)
    return [f"cuda:{k}" for k in range(torch.cuda.device_count())] or ["cpu"]


def ask(
    work: Path, name: str, items: Sequence[Item], options: ModelOptions, device: str
) -> Iterator[Item]:
    """Ask one model on one device; yields every item when its answer is on disk."""
    model = opened(name, options, device)
    size = options.batch_size
    batch: list[tuple[Item, Any]] = []
    for number, prepared in enumerate(_prepared(items, model, 2 * size), 1):
        if prepared[1] is not None:
            batch.append(prepared)
        if len(batch) < size and number < len(items):
            continue
        answers, size = answer_backing_off(model.answer, [made for _, made in batch], size)
        for (item, _), answer in zip(batch, answers, strict=True):
            store.write_bytes(answer_file(work, name, item.key), dump(answer))
            yield item
        batch = []


def opened(name: str, options: ModelOptions, device: str) -> Model:
    torch = import_torch(name)
    try:
        torch.zeros(1, device=device)
    except Exception as error:  # of several types: unknown, not there, not built for
        raise UserError(f"--devices {device}: can't be used ({_first_line(error)})") from error
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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:150]


def _prepared(items: Sequence[Item], model: Model, ahead: int) -> Iterator[tuple[Item, Any]]:
    """Items with their pictures ready for the model, read on threads at most `ahead` early; None
    for a picture that can't be read."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append((item, pool.submit(_prepare, item, model)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _prepare(item: Item, model: Model) -> Any:
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


def _ask_in_processes(
    work: Path, name: str, shards: Sequence[tuple[str, list[Item]]], options: ModelOptions
) -> None:
    """One process a device; what they have answered is seen in the store."""
    context = multiprocessing.get_context("spawn")
    failures = context.SimpleQueue()
    workers = [
        context.Process(
            target=_ask_shard, args=(work, name, items, options, device, failures), daemon=True
        )
        for device, items in shards
    ]
    for worker in workers:
        worker.start()
    files = [answer_file(work, name, item.key) for _, items in shards for item in items]
    try:
        for _ in progress(_appearing(files, workers), name, len(files)):
            pass
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
    if not failures.empty():
        raise UserError(failures.get())
    for (device, _), worker in zip(shards, workers, strict=True):
        if worker.exitcode:
            raise UserError(
                f"--devices {device}: its process ended with status {worker.exitcode} "
                "(killed, out of memory?); run again to go on with what is left"
            )


def _appearing(files: list[Path], workers: Sequence[Any]) -> Iterator[Path]:
    """Files as they appear, until all are there or a worker has failed."""
    missing = files
    while missing:
        ended = [worker.exitcode for worker in workers]  # before looking, or the last are missed
        found = [file for file in missing if file.is_file()]
        yield from found
        missing = [file for file in missing if file not in set(found)]
        if missing and (any(ended) or None not in ended):
            return
        time.sleep(POLL_S if missing else 0)


def _ask_shard(
    work: Path,
    name: str,
    items: Sequence[Item],
    options: ModelOptions,
    device: str,
    failures: Any,
) -> None:
    """What a process does: its share, and a line about what went wrong."""
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, format=f"{device}: %(message)s")
    try:
        for _ in ask(work, name, items, options, device):
            pass
    except UserError as error:
        failures.put(str(error))
        raise SystemExit(1) from None
    except Exception as error:
        with contextlib.suppress(Exception):
            failures.put(f"{name} on {device}: {type(error).__name__}: {error}")
        raise SystemExit(1) from None

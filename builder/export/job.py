"""One export at work: tasks done in worker processes, put together in order, and resumable.

Everything is written into `.NAME.partial` beside the output folder, which gets its name only when
it is whole. A task (mostly a row group) writes its pictures itself and gives its texts back. Text
files only grow, in the order of the tasks: after every one their sizes go into `progress.json`, so
a run that goes on cuts off what a killed one had not finished. The number of workers changes no
byte. Memory holds a row group a worker, and what a format has to know of all rows.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import filelock
import pyarrow as pa

from builder.engine.local import in_order, progress
from builder.export.deployed import MASKS, deployed, why
from builder.export.options import differences
from builder.export.units import Request, Row, Unit, missing, row_count, rows, size_of
from core import code, store
from core.build import Manifest, manifest_of, shards
from core.cli import command, no_build
from core.errors import UserError
from core.pictures.containers import ImageError
from core.storage import column_names
from evaluation.examples import OF_TRAIN
from lego_arta import FEATURES
from tasks import part_modules
from tasks.deployed import Outside
from tasks.looks import digest

RECORD, PROGRESS, DROPPED, README = "export.json", "progress.json", "dropped.jsonl", "README.md"
IMAGES = "images"
ZERO2 = store.ROOT / "scripts/train/zero2.json"
T = TypeVar("T")


class Dropped(Exception):
    """A row that a format can't express: (reason, detail)."""


class Part:
    """What one task does: it writes pictures and whole files, and keeps texts and counts."""

    def __init__(self, request: Request, folder: Path):
        self.request, self.folder = request, folder
        self.counts: Counter[Any] = Counter()
        self.records: dict[str, list[str]] = {}

    def rows(self, unit: Unit, left_out: Collection[str] = ()) -> Iterator[Row]:
        """The wanted rows of a unit that have a picture, seen through its mask where that is asked
        for; the others are dropped.
        """
        look = self.request.look
        for row in rows(unit, left_out):
            try:
                if not row.picture:
                    raise Dropped("no_picture")
                size_of(row.picture)  # of damaged bytes there is none
                shown = deployed(self.request, look, unit, row) if look else None
            except Dropped as dropped:
                self.drop(row.item.id, unit, dropped)
            except (ImageError, Outside) as error:
                self.drop(row.item.id, unit, Dropped(*why(error)))
            else:
                if shown:
                    self.records.setdefault(MASKS, []).append(shown.line)
                yield shown.row if shown else row

    def add(self, name: str, record: object) -> None:
        """Add a record to a file: of one JSON value a line, or (`.json`) one list.

        Files with a dot in front are taken away at the end; their records count as no rows.
        """
        self.records.setdefault(name, []).append(json.dumps(record))
        if not name.startswith("."):
            self.counts[f"rows: {name}"] += 1

    def write_picture(self, name: str, data: bytes | memoryview) -> str:
        """Write a picture's bytes as they are; its path in the export."""
        return self.write_file(picture_path(name), data)

    def write_file(self, relative: str, data: bytes | memoryview) -> str:
        """Write a small file; its path in the export."""
        path = f"{self.folder}/{relative}"
        try:
            file = open(path, "wb")  # noqa: PTH123 - one a row: pathlib costs as much as the write
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "wb")  # noqa: PTH123
        with file:
            file.write(data)
        return relative

    def drop(self, row_id: str, unit: Unit, dropped: Dropped) -> None:
        """Record a row that is left out, and why."""
        reason, *detail = dropped.args
        line = {"id": row_id, "config": unit.config, "split": unit.split, "reason": reason,
                "detail": " ".join(map(str, detail))}  # fmt: skip
        self.records.setdefault(DROPPED, []).append(json.dumps(line))
        for index, told in reversed([*enumerate(self.records.get(MASKS, ()))]):
            if json.loads(told)["id"] == row_id:  # it was seen, and the format can't say it
                del self.records[MASKS][index]
                break
        self.counts[f"dropped: {reason}"] += 1


def _do(
    function: Callable[[Part, T], None], request: Request, folder: Path, task: T
) -> tuple[Counter[str], dict[str, list[str]]]:
    """A task done, in any process: its counts and records."""
    part = Part(request, folder)
    function(part, task)
    return part.counts, part.records


class Job:
    """The working folder of one export and what was written there so far."""

    def __init__(self, request: Request, folder: Path, manifest: Mapping[str, Any], workers: int):
        self.request, self.folder, self.manifest = request, folder, manifest
        # Every worker that chooses examples holds all train rows: one is enough for the memory.
        self.workers = 1 if request.setting.examples in OF_TRAIN else workers
        self.counts: Counter[Any] = Counter()
        self._sizes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self.fingerprint = fingerprint(request, manifest)

    def each(
        self, what: str, function: Callable[[Part, T], None], tasks: Sequence[T], small: bool = True
    ) -> None:
        """`function(part, task)` for the tasks that are not done yet, in worker processes.

        The function is one of a module, or a partial of one. What tasks keep is joined in their
        order. Not `small` are those that write whole files of hundreds of megabytes.
        """
        done = self._done.get(what, 0)
        calls = [(function, self.request, self.folder, task) for task in tasks[done:]]
        module = getattr(function, "func", function).__module__  # of partial, what it calls
        results = in_order(_do, calls, min(self.workers, len(calls)), [module], meanwhile=small)
        with contextlib.closing(results):
            total = sum(map(row_count, tasks))
            for number, _ in enumerate(progress(tasks, "rows", total, row_count), 1):
                if number > done:
                    counts, records = next(results)
                    self.counts += counts
                    self._write({name: joined(name, texts, name not in self._sizes)
                                 for name, texts in records.items()})  # fmt: skip
                    self._done[what] = number
                    self.save()

    def close_lists(self, names: Iterable[str]) -> None:
        """End the files that are one JSON list, once."""
        if not self._done.get("lists"):
            self._write(dict.fromkeys(names, "\n]\n"))
            self._done["lists"] = 1
            self.save()

    def write_script(self, name: str, text: str, **values: object) -> None:
        """Write a file that can be run, with values in the place of their `@NAMES@`."""
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def write_deepspeed(self) -> None:
        """Write DeepSpeed's ZeRO-2 beside a script whose trainer takes such a file."""
        shutil.copyfile(ZERO2, self.folder / ZERO2.name)

    def _write(self, texts: Mapping[str, str]) -> None:
        """Let files grow; how far they are whole is known when this is saved."""
        for name, text in texts.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            mode = "a" if name in self._sizes else "w"  # a killed run may have begun it
            with path.open(mode, encoding="utf-8") as file:
                file.write(text)
                self._sizes[name] = file.tell()

    def save(self) -> None:
        """Remember how far everything is."""
        state = {"fingerprint": self.fingerprint, "sizes": self._sizes,
                 "counts": self.counts, "done": self._done}  # fmt: skip
        store.write_bytes(self.folder / PROGRESS, json.dumps(state).encode())

    def resume(self) -> bool:
        """Take over what a stopped run left, cut to its last whole task; False if it is no use."""
        try:
            state = json.loads((self.folder / PROGRESS).read_bytes())
            if state["fingerprint"] != self.fingerprint:
                return False
            for name, size in state["sizes"].items():
                with (self.folder / name).open("r+b") as file:
                    file.truncate(size)
        except (OSError, ValueError, KeyError):
            return False
        for path in self.folder.rglob(f".*{store.TEMPORARY}"):
            path.unlink()
        self.counts, self._sizes = Counter(state["counts"]), state["sizes"]
        self._done = state["done"]
        return True


def joined(name: str, records: Sequence[str], is_first: bool) -> str:
    """Records as they stand in a file, begun (`is_first`) or going on; lists are closed later."""
    if name.endswith(".json"):
        return ("[\n" if is_first else ",\n") + ",\n".join(records)
    return "".join(f"{record}\n" for record in records)


def picture_path(name: str) -> str:
    """Where a picture lies in an export; two digits of the hash keep folders small."""
    return f"{IMAGES}/{name[:2]}/{name}"


def fingerprint(request: Request, manifest: Mapping[str, Any]) -> str:
    """Hash of all that an export depends on; where it is written does not count."""
    ids = None if request.ids is None else sorted(request.ids)
    described = {**asdict(request), "ids": ids, "build": manifest["files"], "out": "",
                 "missing": missing(request, manifest)}  # fmt: skip
    if request.look:
        described["look"] = digest(request.look, request.build)
    module = f"builder.export.{request.format.replace('-', '_')}"
    own = code.of(
        "builder.export.run", chosen=(("builder.export.run", module), *part_modules("text"))
    )
    return store.sha256(f"{own}\n{json.dumps(described, default=str)}".encode())


def check_build(build: Path) -> Manifest:
    """The manifest of a build that can be exported; raises `UserError` for anything else."""
    manifest = manifest_of(build)
    if manifest is None:
        raise no_build(build)
    if manifest.get("kind") == "recipe":
        raise UserError(
            f"{build}: a recipe holds no pictures; make the full dataset of it first: "
            f"{command('build', '--from-recipe', build)}"
        )
    for config, features in FEATURES.items():
        for path in shards(build, config):
            try:
                there = set(column_names(path))
            except (OSError, pa.ArrowInvalid) as error:
                raise UserError(f"{path}: not a Parquet file ({error}); build it anew") from None
            missing = [name for name in features if name not in there]
            if missing:
                raise UserError(
                    f"{build}: a build of another layout (version {manifest.get('version')}; its "
                    f"{config} rows have no column {missing[0]}); build it anew: "
                    f"{command('build')}"
                )
    return manifest


@contextlib.contextmanager
def working(
    request: Request, manifest: Mapping[str, Any], workers: int, options: Mapping[str, Any]
) -> Iterator[Job | None]:
    """The job of a request; None when `out` holds this very export already.

    `options` is what export.json says of the request. The block fills the job's folder; when it
    succeeds the folder becomes `request.out`.
    """
    out, print_ = request.out.resolve(), fingerprint(request, manifest)
    if _is_done(out, print_, options):
        yield None
        return
    folder = out.with_name(f".{out.name}.partial")
    if folder.is_dir() and not _is_ours(folder):
        raise UserError(f"{folder}: stands where the export is prepared; move it away")
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(f"--out {out}: another export is running there; wait for it") from None
    with lock:
        if _is_done(out, print_, options):  # by a run that ended while this one came here
            shutil.rmtree(folder)
            yield None
            return
        if _record_in(folder).get("fingerprint") == print_:
            yield None  # killed when all but what follows was done
        else:
            job = Job(request, folder, manifest, workers)
            if not job.resume():
                _clear(folder)
                job.save()
            try:
                yield job
            except UserError:
                shutil.rmtree(folder)  # the same request would fail again
                raise
        for path in (*folder.rglob(".*"), folder / PROGRESS):  # what formats needed on the way
            path.unlink(missing_ok=True)
        if out.is_dir():
            out.rmdir()  # empty, or this fails
        folder.rename(out)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty or one that an export was prepared in."""
    names = {path.name for path in folder.iterdir()}
    left = {name for name in names if name != ".lock" and not name.endswith(store.TEMPORARY)}
    return not left or bool(left & {PROGRESS, RECORD})


def _clear(folder: Path) -> None:
    """Empty a folder but for what says that it is ours; killed anywhere, it is still no export."""
    (folder / PROGRESS).touch()
    (folder / RECORD).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name not in (".lock", PROGRESS):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _record_in(folder: Path) -> dict[str, Any]:
    """What the export that a folder holds whole says of itself; empty if there is none."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((folder / RECORD).read_bytes())
        return record if isinstance(record, dict) else {}
    return {}


def _is_done(out: Path, print_: str, options: Mapping[str, Any]) -> bool:
    """Whether `out` is this export; raises `UserError` when it holds anything else."""
    if out.is_file():
        raise UserError(f"--out {out}: it is a file; choose a folder that does not exist yet")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    record = _record_in(out)
    if record.get("fingerprint") == print_:
        return True
    if "fingerprint" in record:
        raise UserError(
            f"--out {out}: it holds an export that is not this export "
            f"({differences(record, options)}); choose another folder or empty it"
        )
    raise UserError(
        f"--out {out}: it is not empty and not this export; choose another folder or empty it"
    )

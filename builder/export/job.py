"""One export at work: which rows, read a row group at a time, and an output that can be resumed.

Everything is written into `.NAME.partial` beside the output folder, which gets its name only when
it is whole. Text files only grow: after every unit of work their sizes go into `progress.json`, so
a run that goes on cuts off what a killed one had not finished. Memory holds one row group.
"""

import contextlib
import functools
import json
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import filelock
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from builder import folders
from builder.assemble import manifest_of
from builder.parallel import progress
from builder.records import UserError
from evaluation.items import Item, Place, item_of
from evaluation.items import UserError as AskingError
from evaluation.prompts import Setting
from lego_arta import FEATURES

RECORD, PROGRESS, DROPPED, README = "export.json", "progress.json", "dropped.jsonl", "README.md"
IMAGES = "images"
# Names that builds give to pictures: a hash of the content. Others might tell something.
_HASHED = re.compile(r"[0-9a-f]{32}\.(webp|png)")
_SUFFIXES = {b"RIFF": "webp", b"\x89PNG": "png"}

# In place of columns that were left out; only the choice of examples needs them.
_UNREAD = {"entities": (), "provenance": {"source_images": [{"path": None, "sha256": None}] * 4}}
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What is exported. `setting` says how is asked and answered, for formats that ask."""

    build: Path
    out: Path
    format: str
    configs: tuple[str, ...]
    splits: tuple[str, ...]
    merge: bool = False
    min_confidence: float = 0.0
    limit: int | None = None
    setting: Setting = field(default_factory=lambda: Setting(examples="none"))
    seed: int = 42
    shard_bytes: int | None = None


class Unit(NamedTuple):
    """Rows of one row group that are wanted, by their place in it."""

    config: str
    split: str
    path: Path
    row_group: int
    rows: tuple[int, ...]
    image_bytes: int


class Row(NamedTuple):
    """One row: its columns but the picture, the picture's name (a content hash) and file bytes."""

    columns: dict[str, Any]
    picture_name: str
    picture: memoryview
    item: Item


class Dropped(Exception):
    """A row that a format can't express: (reason, detail)."""


class Job:
    """The working folder of one export and what was written there so far."""

    def __init__(self, request: Request, folder: Path, manifest: Mapping[str, Any]):
        self.request, self.folder, self.manifest = request, folder, manifest
        self.counts: Counter = Counter()
        self._sizes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self.fingerprint = fingerprint(request, manifest)
        self._texts: dict[str, list[str]] = {}

    # Which rows -----------------------------------------------------------------------------------

    def units(self, config: str, split: str) -> list[Unit]:
        """The row groups of a split that hold wanted rows, in the order of the build."""
        left = self.request.limit
        units = []
        for path in shards(self.request.build, config, split):
            file = _open(path)
            image = _leaf(file, "image.bytes")
            for group in range(file.num_row_groups):
                rows = self._wanted(file, group)
                if left is not None:
                    rows, left = rows[:left], left - len(rows[:left])
                if rows:
                    size = file.metadata.row_group(group).column(image).total_uncompressed_size
                    units.append(Unit(config, split, path, group, tuple(rows), size))
        return units

    def _wanted(self, file: pq.ParquetFile, group: int) -> Sequence[int]:
        least = pa.scalar(self.request.min_confidence, pa.float32())  # as precise as the column
        if not self.request.min_confidence:
            return range(file.metadata.row_group(group).num_rows)
        column = file.read_row_group(group, columns=["confidence"]).column(0)
        return pc.indices_nonzero(pc.greater_equal(column, least)).to_pylist()

    def rows(self, unit: Unit, left_out: Collection[str] = ()) -> Iterator[Row]:
        """The wanted rows of a unit. Nested columns cost time: those `left_out` are not read."""
        wanted = [name for name in FEATURES[unit.config] if name not in left_out]
        table = _open(unit.path).read_row_group(unit.row_group, columns=wanted)
        images = table.column("image").combine_chunks()
        names, pictures = images.field("path").to_pylist(), images.field("bytes")
        every = table.drop_columns(["image"]).to_pylist()
        for index in unit.rows:
            row = every[index]
            buffer = pictures[index].as_buffer()
            data = memoryview(buffer if buffer is not None else b"")
            if not data:
                self.drop(row["id"], unit, Dropped("no_picture"))
                continue
            place = Place(unit.path, unit.row_group, index)
            item = item_of({**_UNREAD, **row}, unit.config, unit.split, place)
            yield Row(row, hashed_name(names[index]) or name_of(data), data, item)

    # What is written ------------------------------------------------------------------------------

    def work(self, what: str, units: Sequence[T]) -> Iterator[T]:
        """The units that are not done yet; each is done when the next one is asked for."""
        for number, unit in enumerate(progress(units, what, len(units))):
            if number < self._done.get(what, 0):
                continue
            yield unit
            self._done[what] = number + 1
            self.save()

    def append(self, name: str, text: str) -> None:
        """Add text to a file of the export; it is on disk when its unit is done."""
        self._texts.setdefault(name, []).append(text)

    def add_line(self, name: str, record: object) -> None:
        """Add a record to a file of one JSON value a line."""
        self.append(name, json.dumps(record) + "\n")
        self.counts[f"rows: {name}"] += 1

    def add_item(self, name: str, record: object) -> None:
        """Add a record to a file that is one JSON list; `close_lists` ends it."""
        first = self.counts[f"rows: {name}"] == 0
        self.append(name, ("[\n" if first else ",\n") + json.dumps(record))
        self.counts[f"rows: {name}"] += 1

    def close_lists(self, names: Iterable[str]) -> None:
        """End the files that `add_item` has written, once."""
        for _ in self.work("closing", [None]):
            for name in names:
                self.append(name, "\n]\n")

    def write_picture(self, name: str, data: bytes | memoryview) -> str:
        """Write a picture's bytes as they are; its path in the export."""
        relative = picture_path(name)
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
        self.add_line(DROPPED, line)
        self.counts[f"dropped: {reason}"] += 1

    # Resuming -------------------------------------------------------------------------------------

    def save(self) -> None:
        """Put pending texts on disk and remember how far everything is."""
        for name, texts in self._texts.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            mode = "a" if name in self._sizes else "w"  # a killed run may have begun it
            with (self.folder / name).open(mode, encoding="utf-8") as file:
                file.writelines(texts)
                file.flush()
                self._sizes[name] = file.tell()
        self._texts = {}
        state = {"fingerprint": self.fingerprint, "sizes": self._sizes,
                 "counts": self.counts, "done": self._done}  # fmt: skip
        folders.write_bytes(self.folder / PROGRESS, json.dumps(state).encode())

    def resume(self) -> bool:
        """Take over what a stopped run left, cut to its last whole unit; False if it is no use."""
        try:
            state = json.loads((self.folder / PROGRESS).read_bytes())
            if state["fingerprint"] != self.fingerprint:
                return False
            for name, size in state["sizes"].items():
                with (self.folder / name).open("r+b") as file:
                    file.truncate(size)
        except (OSError, ValueError, KeyError):
            return False
        self.counts, self._sizes = Counter(state["counts"]), state["sizes"]
        self._done = state["done"]
        return True


def shards(build: Path, config: str, split: str) -> list[Path]:
    """The Parquet files of a split in order."""
    return sorted((build / "data" / config).glob(f"{split}-*.parquet"))


@functools.lru_cache(maxsize=2)
def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path)


def _leaf(file: pq.ParquetFile, name: str) -> int:
    return next(i for i in range(len(file.schema)) if file.schema.column(i).path == name)


def picture_path(name: str) -> str:
    """Where a picture lies in an export; two digits of the hash keep folders small."""
    return f"{IMAGES}/{name[:2]}/{name}"


def hashed_name(name: str | None) -> str | None:
    """A picture's name in a build if it is a content hash, else None: it might tell something."""
    return name if name and _HASHED.fullmatch(name) else None


def name_of(data: memoryview | bytes) -> str:
    """A picture's name made of its content; raises `UserError` for other than WebP and PNG."""
    suffix = _SUFFIXES.get(bytes(data[:4]))
    if suffix is None:
        raise UserError("a picture is neither WebP nor PNG; build it anew")
    return f"{folders.sha256(bytes(data))[:32]}.{suffix}"


def fingerprint(request: Request, manifest: Mapping[str, Any]) -> str:
    """Hash of all that an export depends on; where it is written does not count."""
    described = {**asdict(request), "build": manifest["files"], "out": ""}
    return folders.fingerprint("export", json.dumps(described, default=str), everything=True)


def check_build(build: Path) -> dict[str, Any]:
    """The manifest of a build that can be exported; raises `UserError` for anything else."""
    manifest = manifest_of(build)
    if manifest is None:
        raise UserError(
            f"{build}: not a build (no build.json of lego-arta in it); "
            "give the folder that builder/make.py wrote"
        )
    if manifest.get("kind") == "recipe":
        raise UserError(
            f"{build}: a recipe holds no pictures; make the full dataset of it first, with "
            "builder/make.py --from-recipe"
        )
    for config, features in FEATURES.items():
        for path in (build / "data" / config).glob("*.parquet"):
            try:
                missing = [name for name in features if name not in pq.read_schema(path).names]
            except (OSError, pa.ArrowInvalid) as error:
                raise UserError(f"{path}: not a Parquet file ({error}); build it anew") from None
            if missing:
                raise UserError(
                    f"{build}: a build of another layout (version {manifest.get('version')}; its "
                    f"{config} rows have no column {missing[0]}); build it anew with "
                    "builder/make.py"
                )
    return manifest


@contextlib.contextmanager
def working(request: Request, manifest: Mapping[str, Any]) -> Iterator[Job | None]:
    """The job of a request; None when `out` holds this very export already.

    The block fills the job's folder; when it succeeds the folder becomes `request.out`.
    """
    out = request.out.resolve()
    if _is_done(out, fingerprint(request, manifest)):
        yield None
        return
    folder = out.with_name(f".{out.name}.partial")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / PROGRESS).is_file():
        raise UserError(f"{folder}: stands where the export is prepared; move it away")
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(f"--out {out}: another export is running there; wait for it") from None
    with lock:
        job = Job(request, folder, manifest)
        if not job.resume():
            for path in folder.iterdir():
                if path.name != ".lock":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            job.save()
        try:
            yield job
        except (UserError, AskingError):
            shutil.rmtree(folder)  # the same request would fail again: nothing to go on from
            raise
        for path in (*folder.rglob(".*"), folder / PROGRESS):  # what formats needed on the way
            path.unlink()
        if out.is_dir():
            out.rmdir()  # empty, or this fails
        folder.rename(out)


def _is_done(out: Path, print_: str) -> bool:
    """Whether `out` is this export; raises `UserError` when it holds anything else."""
    if out.is_file():
        raise UserError(f"--out {out}: it is a file; choose a folder that does not exist yet")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads((out / RECORD).read_bytes())["fingerprint"] == print_:
            return True
    raise UserError(
        f"--out {out}: it is not empty and not this export; choose another folder or empty it"
    )

"""What is exported: a request, its row groups as units of work, and the rows of a unit."""

import contextlib
import functools
import io
import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import imagesize
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Features

from core import store
from core.build import PICTURES, Place, Version, missing_shards, shards, version_of
from core.errors import UserError
from core.items import Item, item_of
from core.pictures.containers import ImageError
from core.storage import parquet
from evaluation.prompts import Setting
from lego_arta import FEATURES
from tasks.looks import Look

# Names that builds give to pictures: a hash of the content. Others might tell something.
_HASHED = re.compile(r"[0-9a-f]{32}\.(webp|png|bmp)")
_SUFFIXES = {b"RI": "webp", b"\x89P": "png", b"BM": "bmp"}
HEADER_BYTES = 64  # of any of them, with the size; Pillow would read all of a WebP for it

# Of a row group's pictures, in memory at a time: bytes of the file, and pictures taken from them.
READ_BYTES, PICTURES_READ = 2**20, 20

# In place of columns that were left out; only the choice of examples needs them.
_UNREAD = {"entities": (), "provenance": {"source_images": [{"path": None, "sha256": None}] * 4}}


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
    ids: frozenset[str] | None = None  # only these rows
    names: str = "plain"  # of files, in formats that have other ones (NAMES)
    look: Look | None = None  # pictures are seen through masks


class Unit(NamedTuple):
    """Rows of one row group that are wanted, by their place in it."""

    config: str
    split: str
    path: Path
    row_group: int
    rows: tuple[int, ...]
    image_bytes: int


class Row(NamedTuple):
    """One row: its columns but the picture, the picture's name (a content hash) and file bytes.

    A row without a picture has no bytes. `crop_xyxy_px` is what is left of the build's picture of
    `whole_wh` pixels, where it was cut.
    """

    columns: dict[str, Any]
    picture_name: str
    picture: memoryview
    item: Item
    crop_xyxy_px: tuple[int, int, int, int] | None = None
    whole_wh: tuple[int, int] | None = None


def features_of(build: Path, config: str) -> Features:
    """The columns of a config: those of builds, or of a test set that was made from one."""
    known = FEATURES.get(config)
    return known or Features.from_arrow_schema(_schema_of(shards(build, config)[0]))


def _schema_of(path: Path) -> pa.Schema:
    with parquet(path) as file:
        return file.schema_arrow


def every_unit(request: Request) -> list[Unit]:
    """The units of all wanted configs and splits; raises `UserError` when there is no row."""
    wanted = [(config, split) for config in request.configs for split in request.splits]
    found = [unit for config, split in wanted for unit in units(request, config, split)]
    if not found:
        raise UserError(
            f"{request.build}: not one row of {', '.join(request.configs)} in "
            f"{', '.join(request.splits)} with a confidence of at least "
            f"{request.min_confidence:g}{' among those of --ids' if request.ids else ''}; "
            "ask for less"
        )
    return found


def missing(request: Request, manifest: Mapping[str, Any]) -> list[str]:
    """What to tell about shards of the wanted rows that are not there."""
    return list(map(str, missing_shards(request.build, manifest, request.configs, request.splits)))


def units(request: Request, config: str, split: str) -> list[Unit]:
    """The row groups of a split that hold wanted rows, in the order of the build."""
    left = request.limit
    found = []
    for path in shards(request.build, config, split):
        file = _open(version_of(path))
        image = _leaf(file, "image.bytes")
        for group in range(file.num_row_groups):
            wanted = _wanted(file, group, request.min_confidence, request.ids)
            if left is not None:
                wanted, left = wanted[:left], left - len(wanted[:left])
            if wanted:
                size = file.metadata.row_group(group).column(image).total_uncompressed_size
                found.append(Unit(config, split, path, group, tuple(wanted), size))
    return found


def _wanted(
    file: pq.ParquetFile, group: int, min_confidence: float, ids: frozenset[str] | None
) -> Sequence[int]:
    rows: Sequence[int] = range(file.metadata.row_group(group).num_rows)
    if min_confidence:
        least = pa.scalar(min_confidence, pa.float32())  # as precise as the column
        column = file.read_row_group(group, columns=["confidence"]).column(0)
        rows = pc.indices_nonzero(pc.greater_equal(column, least)).to_pylist()
    if ids is not None:
        names = file.read_row_group(group, columns=["id"]).column(0).to_pylist()
        rows = [row for row in rows if names[row] in ids]
    return rows


def without_picture(unit: Unit) -> set[int]:
    """The rows of a unit's row group that have no picture; pictures are read only if some lack."""
    file = _open(version_of(unit.path))
    chunk = file.metadata.row_group(unit.row_group).column(_leaf(file, "image.bytes"))
    if chunk.statistics and chunk.statistics.null_count == 0:
        return set()
    images = _read(unit, ["image.bytes"]).column(0).to_pylist()
    return {index for index, image in enumerate(images) if not (image and image["bytes"])}


def rows(unit: Unit, left_out: Collection[str] = ()) -> Iterator[Row]:
    """The wanted rows of a unit. Nested columns cost time: those `left_out` are not read."""
    known = FEATURES.get(unit.config) or _open(version_of(unit.path)).schema_arrow.names
    wanted = [name for name in known if name not in {*left_out, *PICTURES}]
    every, among = _read(unit, wanted).to_pylist(), set(unit.rows)
    for index, (row, picture) in enumerate(zip(every, _pictures(unit), strict=True)):
        if index not in among:
            continue
        given, data = picture
        name = (hashed_name(given) or name_of(data)) if data else ""
        yield of_columns(row, unit, Place(unit.path, unit.row_group, index), name, data)


def of_columns(
    columns: dict[str, Any], unit: Unit, place: Place, picture_name: str, picture: memoryview
) -> Row:
    """A row of its columns, some of which may not have been read, and its picture."""
    item = item_of({**_UNREAD, **columns}, unit.config, unit.split, place)
    return Row(columns, picture_name, picture, item)


def row_count(task: Any) -> int:
    """How many rows a task of an export is about: a unit, or what holds one or several."""
    if isinstance(task, Unit):
        return len(task.rows)
    several = task.units if hasattr(task, "units") else [task.unit]
    return sum(len(unit.rows) for unit in several)


def _pictures(unit: Unit) -> Iterator[tuple[str | None, memoryview]]:
    """Name and bytes of every picture of a row group, few in memory at a time; the bytes of one
    last as long as somebody holds them.
    """
    batches = _open(version_of(unit.path)).iter_batches(
        PICTURES_READ, row_groups=[unit.row_group], columns=["image"]
    )
    with _named(unit):
        for batch in batches:
            images = batch.column("image")
            for name, picture in zip(images.field("path"), images.field("bytes"), strict=True):
                buffer = picture.as_buffer()
                yield name.as_py(), memoryview(buffer if buffer is not None else b"")


def _read(unit: Unit, columns: Sequence[str]) -> pa.Table:
    with _named(unit):
        return _open(version_of(unit.path)).read_row_group(unit.row_group, columns=list(columns))


@contextlib.contextmanager
def _named(unit: Unit) -> Iterator[None]:
    """Errors of reading say what was read."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(
            f"{unit.path}: row group {unit.row_group} can't be read ({error}); build it anew"
        ) from error


@functools.lru_cache(maxsize=2)
def _open(shard: Version) -> pq.ParquetFile:
    return parquet(shard.path, buffer_size=READ_BYTES)


def _leaf(file: pq.ParquetFile, name: str) -> int:
    return next(i for i in range(len(file.schema)) if file.schema.column(i).path == name)


def hashed_name(name: str | None) -> str | None:
    """A picture's name in a build if it is a content hash, else None: it might tell something."""
    return name if name and _HASHED.fullmatch(name) else None


def size_of(data: memoryview | bytes) -> tuple[int, int]:
    """Width and height of a picture in pixels, from its header; raises `ImageError`."""
    try:
        width, height = imagesize.get(io.BytesIO(data[:HEADER_BYTES]))
    except (ValueError, struct.error) as error:
        raise ImageError("broken_image", f"its header can't be read: {error}") from error
    if width < 1 or height < 1:
        raise ImageError("broken_image", "its header tells no size")
    return width, height


def name_of(data: memoryview | bytes) -> str:
    """A picture's name made of its content; raises `UserError` for other than WebP, PNG and BMP."""
    suffix = _SUFFIXES.get(bytes(data[:2]))
    if suffix is None:
        raise UserError("a picture is neither WebP nor PNG nor BMP; build it anew")
    return f"{store.sha256(bytes(data))[:32]}.{suffix}"

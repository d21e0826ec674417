"""A build's shards: planned from the sizes of rows alone, then written one by one, anywhere.

A plan says which rows of which manuals' files a shard takes, so that writing one needs no other.
Bytes depend on nothing but the rows and where shards are cut.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from core import store
from core.parquet import GroupWriter, RowIndex
from core.storage import local_copy, place_of

SHARD_BYTES = 500_000_000
# Of a shard's bytes; the rest is room for what is not pictures: texts, statistics, page index.
IMAGE_SHARE = 0.96
SHARD_IMAGE_BYTES = int(SHARD_BYTES * IMAGE_SHARE)
# The Hub takes no more files in one folder.
FILES_A_FOLDER = 10_000


# By column, by row id: what a row has there instead of what its piece says.
Values = Mapping[str, Mapping[str, Any]]
NO_VALUES: Values = {}


class Piece(NamedTuple):
    """The rows of one manual and config, which of them are wanted, and values set by id. `work_out`
    gives more values, where those of a whole build are too many to hold; `values` count before."""

    path: Path
    rows: Sequence[RowIndex]
    wanted: Sequence[bool]
    values: Values = NO_VALUES
    work_out: Callable[[], Values] | None = None


class Part(NamedTuple):
    """What one shard takes of a piece: `takes` has a byte a row, 1 for those of the shard."""

    path: str
    takes: bytes
    values: Values
    work_out: Callable[[], Values] | None = None


class Shard(NamedTuple):
    """A file to write."""

    path: Path
    config: str
    parts: list[Part]


class Written(NamedTuple):
    """A file that was written."""

    rows: int
    bytes: int
    sha256: str


class Plan:
    """The shards of one config and split, as its manuals come; each at most `image_bytes` large,
    unless a single row is larger."""

    def __init__(self, image_bytes: int) -> None:
        self._limit, self._filled = image_bytes, 0
        self._shards: list[list[Part]] = []

    def __len__(self) -> int:
        return len(self._shards)

    def add(self, piece: Piece) -> None:
        """Append the wanted rows of a piece."""
        takes = bytearray(len(piece.rows))
        for index, (row, wanted) in enumerate(zip(piece.rows, piece.wanted, strict=True)):
            if not wanted:
                continue
            if not self._shards or (self._filled and self._filled + row.size_bytes > self._limit):
                self._take(piece, takes)
                takes, self._filled = bytearray(len(piece.rows)), 0
                self._shards.append([])
            takes[index] = 1
            self._filled += row.size_bytes
        self._take(piece, takes)

    def _take(self, piece: Piece, takes: bytearray) -> None:
        if any(takes):
            part = Part(str(piece.path), bytes(takes), piece.values, piece.work_out)
            self._shards[-1].append(part)

    def shards(self, folder: Path, config: str, split: str) -> list[Shard]:
        """The files `<split>-NNNNN-of-NNNNN.parquet` in order, none where there are no rows:
        `datasets` refuses to load a config with an empty split."""
        total = len(self._shards)
        return [
            Shard(folder / f"{split}-{number:05d}-of-{total:05d}.parquet", config, parts)
            for number, parts in enumerate(self._shards)
        ]


def image_bytes_for_a_folder(total_bytes: int, largest_bytes: int, splits: int) -> int:
    """How large shards must be that a config of `total_bytes` has no more files than a folder may
    hold: only the last of a split can lack more than its largest row to be full."""
    return total_bytes // (FILES_A_FOLDER - splits) + 1 + largest_bytes


def write_shard(shard: Shard) -> Written:
    """Write one shard, hashed on its way to the disk."""
    with store.writing(shard.path) as temporary, temporary.open("wb") as file:
        hashing = _Hashing(file)
        writer = GroupWriter(hashing, shard.config)
        for part in shard.parts:
            for table in _rows_of(part):
                writer.add(table)
        writer.close()
        return Written(writer.rows_written, hashing.position, hashing.digest.hexdigest())


def write_shards(
    folder: Path, config: str, split: str, pieces: Iterable[Piece], image_bytes: int
) -> list[Path]:
    """Plan and write the shards of a config's split, in this process."""
    plan = Plan(image_bytes)
    for piece in pieces:
        plan.add(piece)
    shards = plan.shards(folder, config, split)
    for shard in shards:
        write_shard(shard)
    return [shard.path for shard in shards]


class _Hashing:
    """A file that is written from front to back, and its sha256."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.position = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.position += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The one who opened the file closes it."""


def _rows_of(part: Part) -> Iterator[pa.Table]:
    """The rows that a shard takes, one row group of the piece at a time."""
    start = 0
    worked_out = part.work_out() if part.work_out is not None else {}
    with local_copy(place_of(part.path)) as path, pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            mask = part.takes[start : start + rows]
            start += rows
            if any(mask):
                table = file.read_row_group(group)
                table = table if all(mask) else table.filter(pa.array(map(bool, mask)))
                yield _with_values(_with_values(table, worked_out), part.values)


def _with_values(table: pa.Table, values: Values) -> pa.Table:
    """The table with the columns of the rows that `values` names by id."""
    ids = table.column("id").to_pylist() if values else []
    for name, by_id in values.items():
        if by_id.keys().isdisjoint(ids):
            continue
        column = table.schema.get_field_index(name)
        old = table.column(column).to_pylist()
        new = [by_id.get(row_id, value) for row_id, value in zip(ids, old, strict=True)]
        field = table.schema.field(column)
        table = table.set_column(column, field, pa.array(new, field.type))
    return table

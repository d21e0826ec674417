"""Parquet: the pieces of one manual, and the shards of a build.

Pieces and shards hold the same columns (lego_arta.FEATURES). Shards are written row by row from the
pieces in manual order, so memory stays flat and bytes depend on nothing but the rows.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core import store
from core.features import arrow_schema
from lego_arta import FEATURES

# A row group is read as a whole: small enough for random access, large enough for throughput.
ROW_GROUP_BYTES = 32 * 2**20
ROW_GROUP_ROWS = 100
SHARD_BYTES = 500_000_000
# Room for everything that is not image bytes: texts, statistics, page index.
SHARD_IMAGE_BYTES = 480_000_000
# What cuts pages at content, so that a changed row leaves the other chunks of a file as they were.
CONTENT_DEFINED_CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024,
                            "norm_level": 0}  # fmt: skip


class RowIndex(NamedTuple):
    """What splitting and sharding need to know of a row without reading it.

    `group` is what the paper's split keeps together, `item` what the split by sets never parts.
    """

    id: str
    group: str
    session_id: str
    size_bytes: int
    step_num: int | None = None
    item: str = ""
    trains_only: bool = False


Index = dict[str, list[RowIndex]]  # a manual's rows by config


@functools.cache
def schema(config: str) -> pa.Schema:
    """Arrow schema of a config; its metadata carries the features for `datasets`."""
    return arrow_schema(FEATURES[config])


def open_writer(path: Path, columns: pa.Schema) -> pq.ParquetWriter:
    """A writer for rows with pictures: those are compressed already, all else packs well."""
    return pq.ParquetWriter(
        path,
        columns,
        compression={name: "none" if name.startswith("image") else "zstd"
                     for name in _leaf_names(columns)},
        use_dictionary=False,
        write_page_index=True,
        use_content_defined_chunking=CONTENT_DEFINED_CHUNKING,
    )  # fmt: skip


@functools.cache
def _leaf_names(columns: pa.Schema) -> list[str]:
    """Column paths as Parquet spells them ("image.bytes", "entities.list.element.tag")."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, columns):
        pass
    parquet_schema = pq.ParquetFile(sink.getvalue()).schema
    return [parquet_schema.column(index).path for index in range(len(parquet_schema))]


def _image_bytes(table: pa.Table) -> list[int]:
    """Length of every row's image."""
    images = table.column("image").combine_chunks()
    found: list[int] = pc.binary_length(images.field("bytes")).to_pylist()
    return found


class GroupWriter:
    """Writes rows in groups of at most ROW_GROUP_ROWS rows and about ROW_GROUP_BYTES of images."""

    def __init__(self, path: Path, config: str):
        self._writer = open_writer(path, schema(config))
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        self.rows_written = 0

    def add(self, rows: pa.Table) -> None:
        """Append a table; a full group goes to disk at once."""
        for index, size in enumerate(_image_bytes(rows)):
            if self._rows and (
                self._rows >= ROW_GROUP_ROWS or self._bytes + size > ROW_GROUP_BYTES
            ):
                self._flush()
            self._pending.append(rows.slice(index, 1))
            self._rows, self._bytes = self._rows + 1, self._bytes + size

    def _flush(self) -> None:
        if self._rows:
            group = pa.concat_tables(self._pending).combine_chunks()
            self._writer.write_table(group, row_group_size=self._rows)
            self.rows_written += self._rows
        self._pending, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        """Write what is left and the footer."""
        self._flush()
        close_writer(self._writer)


def close_writer(writer: pq.ParquetWriter) -> None:
    """Write the footer."""
    # `datasets` says so in its files too; readers that deduplicate look for it.
    options = json.dumps(CONTENT_DEFINED_CHUNKING)
    writer.add_key_value_metadata({"content_defined_chunking": options})
    writer.close()


def write_piece(
    path: Path,
    config: str,
    rows: Iterable[dict[str, Any]],
    trains_only: Callable[[dict[str, Any]], bool] = lambda row: False,
) -> list[RowIndex]:
    """Write the rows of one manual as they come; returns their index in the same order."""
    writer = GroupWriter(path, config)
    index = []
    for row in rows:
        writer.add(pa.Table.from_pylist([row], schema=schema(config)))
        # A state group stays together in every split.
        group = row.get("group_id") or row.get("pair_id") or row["id"]
        size = len(row["image"]["bytes"])
        index.append(
            RowIndex(
                row["id"],
                group,
                row["session_id"],
                size,
                row["step_num"],
                item_of(row),
                trains_only(row),
            )
        )
    writer.close()
    return index


def item_of(row: Mapping[str, Any]) -> str:
    """What a row is about: a state group, an object (the picture it was cut from), or itself."""
    if "cell" in row:
        return str(row["provenance"]["source_images"][row["cell"]]["path"])
    return str(row.get("group_id") or row.get("pair_id") or row["id"])


class Piece(NamedTuple):
    """The rows of one manual and config, which of them are wanted, and weights set by id."""

    path: Path
    rows: list[RowIndex]
    wanted: list[bool]
    weights: Mapping[str, float] = {}


def write_shards(folder: Path, config: str, split: str, pieces: list[Piece]) -> list[Path]:
    """Write the wanted rows as `<split>-NNNNN-of-NNNNN.parquet`, filled in order.

    A split without rows has no file: `datasets` refuses to load a config with an empty split.
    """
    plan = _shard_plan(pieces)
    if not any(plan):
        return []
    tables = _wanted_tables(pieces)
    rest: pa.Table | None = None
    paths = [
        folder / f"{split}-{index:05d}-of-{len(plan):05d}.parquet" for index in range(len(plan))
    ]
    for path, rows_left in zip(paths, plan, strict=True):
        with store.writing(path) as temporary:
            writer = GroupWriter(temporary, config)
            while rows_left:
                table = rest if rest is not None else next(tables)
                take = min(rows_left, len(table))
                writer.add(table.slice(0, take))
                rest = table.slice(take) if take < len(table) else None
                rows_left -= take
            writer.close()
    return paths


def _wanted_tables(pieces: list[Piece]) -> Iterator[pa.Table]:
    """The wanted rows, one row group of a piece at a time."""
    for piece in pieces:
        if not any(piece.wanted):
            continue
        start = 0
        with pq.ParquetFile(piece.path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                mask = piece.wanted[start : start + len(table)]
                start += len(table)
                if any(mask):
                    table = table if all(mask) else table.filter(pa.array(mask))
                    yield _weighted(table, piece.weights)


def _weighted(table: pa.Table, weights: Mapping[str, float]) -> pa.Table:
    """The table with `sample_weight` of the rows that `weights` names by id."""
    ids = table.column("id").to_pylist()
    if not weights.keys() & set(ids):
        return table
    column = table.schema.get_field_index("sample_weight")
    old = table.column(column).to_pylist()
    new = [weights.get(row_id, weight) for row_id, weight in zip(ids, old, strict=True)]
    field = table.schema.field(column)
    return table.set_column(column, field, pa.array(new, field.type))


def _shard_plan(pieces: list[Piece]) -> list[int]:
    """Rows of every shard, each with at most SHARD_IMAGE_BYTES of images; [0] for no rows."""
    plan, filled = [0], 0
    for piece in pieces:
        for entry, wanted in zip(piece.rows, piece.wanted, strict=True):
            if not wanted:
                continue
            if plan[-1] and filled + entry.size_bytes > SHARD_IMAGE_BYTES:
                plan.append(0)
                filled = 0
            plan[-1] += 1
            filled += entry.size_bytes
    return plan

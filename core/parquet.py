"""Parquet files of rows: the pieces of one manual, and the shards of a build (`core/shards.py`).

Both hold the same columns (lego_arta.FEATURES) and are written row by row, so memory stays flat and
bytes depend on nothing but the rows.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.features import arrow_schema, picture_columns
from lego_arta import FEATURES

# A row group is read as a whole: small enough for random access, large enough for throughput.
ROW_GROUP_BYTES = 32 * 2**20
ROW_GROUP_ROWS = 100
# Turned into columns together: one by one takes three times as long, more hold more pictures.
ROWS_AT_ONCE = 16
# Effort on raw pictures and masks (zstd): 19 takes ten times as long for a third less.
PACKED_LEVEL = 9
RAW_START = b"BM"
RAW_COLUMN = "image.bytes"
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


def open_writer(path: Any, columns: pa.Schema, raw: bool = False) -> pq.ParquetWriter:
    """A writer for rows with pictures: those are compressed already, all else packs well.

    `raw` pictures are not: those of a row group lie in one page, so that what they share, which is
    most of a manual's next step, is stored once. Chunks cut at content would end pages too early.
    """
    leaves = _leaf_names(columns)
    # Pictures are files that are packed already, but for raw ones. Masks are not: the rows of a
    # picture have the same, and a page holds them beside each other.
    files = [] if raw else [name for name in leaves if name.startswith("image.")]
    levels = [name for name in leaves if name == "mask.bytes" or (raw and name == RAW_COLUMN)]
    packed: dict[str, Any] = {
        "data_page_size": 2**30,
    } if raw else {"use_content_defined_chunking": CONTENT_DEFINED_CHUNKING}  # fmt: skip
    return pq.ParquetWriter(
        path,
        columns,
        compression={name: "none" if name in files else "zstd" for name in leaves},
        compression_level=dict.fromkeys(levels, PACKED_LEVEL) or None,
        use_dictionary=False,
        write_page_index=True,
        **packed,
    )


@functools.cache
def _leaf_names(columns: pa.Schema) -> list[str]:
    """Column paths as Parquet spells them ("image.bytes", "entities.list.element.tag")."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, columns):
        pass
    parquet_schema = pq.ParquetFile(sink.getvalue()).schema
    return [parquet_schema.column(index).path for index in range(len(parquet_schema))]


def _image_bytes(table: pa.Table, columns: Sequence[str]) -> list[int]:
    """Length of every row's pictures, together."""
    lengths = [
        pc.fill_null(pc.binary_length(table.column(name).combine_chunks().field("bytes")), 0)
        for name in columns
    ]
    found: list[int] = functools.reduce(pc.add, lengths).to_pylist()
    return found


class GroupWriter:
    """Writes rows in groups of at most ROW_GROUP_ROWS rows and about ROW_GROUP_BYTES of images."""

    def __init__(self, path: Any, config: str):
        self._path, self._schema = path, schema(config)
        self._pictures = picture_columns(FEATURES[config])
        self._opened: pq.ParquetWriter | None = None
        self.raw = False
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        self.rows_written = 0

    def add(self, rows: pa.Table) -> None:
        """Append a table; a full group goes to disk at once."""
        for index, size in enumerate(_image_bytes(rows, self._pictures)):
            if self._rows and (
                self._rows >= ROW_GROUP_ROWS or self._bytes + size > ROW_GROUP_BYTES
            ):
                self._flush()
            self._pending.append(rows.slice(index, 1))
            self._rows, self._bytes = self._rows + 1, self._bytes + size

    def _writer(self) -> pq.ParquetWriter:
        """The file, opened for the pictures that come first: a build has one kind."""
        if self._opened is None:
            self.raw = bool(self._pending) and is_raw(_first_picture(self._pending[0]))
            self._opened = open_writer(self._path, self._schema, self.raw)
        return self._opened

    def _flush(self) -> None:
        if self._rows:
            group = pa.concat_tables(self._pending).combine_chunks()
            self._writer().write_table(group, row_group_size=self._rows)
            self.rows_written += self._rows
        self._pending, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        """Write what is left and the footer."""
        self._flush()
        writer = self._writer()
        close_writer(writer, self.raw)


def is_raw(picture: bytes | None) -> bool:
    """Whether a picture's file is raw pixels, for Parquet to pack."""
    return bool(picture) and bytes(picture or b"")[:2] == RAW_START


def _first_picture(table: pa.Table) -> bytes | None:
    found: bytes | None = (table.column("image")[0].as_py() or {}).get("bytes")
    return found


def close_writer(writer: pq.ParquetWriter, raw: bool = False) -> None:
    """Write the footer."""
    if raw:
        writer.close()
        return
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
    index, pictures = [], picture_columns(FEATURES[config])
    columns, waiting = schema(config), list[dict[str, Any]]()
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            writer.add(pa.Table.from_pylist(waiting, schema=columns))
            waiting.clear()
        # A state group stays together in every split, and so do masks of one picture.
        group = row.get("group_id") or row.get("pair_id") or row["id"]
        group = item_of(row) if "mask" in row else group
        size = sum(len(row[name]["bytes"]) for name in pictures)
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
    writer.add(pa.Table.from_pylist(waiting, schema=columns))
    writer.close()
    return _as_packed(path, index) if writer.raw else index


def _as_packed(path: Path, index: list[RowIndex]) -> list[RowIndex]:
    """The index with the bytes that raw pictures take in the file, each an equal share of those of
    its row group, and a fifth more: in a shard other pictures lie beside them."""
    sizes: list[int] = []
    file = pq.read_metadata(path)
    for number in range(file.num_row_groups):
        group = file.row_group(number)
        columns = [group.column(column) for column in range(group.num_columns)]
        packed = sum(c.total_compressed_size for c in columns if c.path_in_schema == "image.bytes")
        sizes += [max(1, round(1.2 * packed / group.num_rows))] * group.num_rows
    return [row._replace(size_bytes=size) for row, size in zip(index, sizes, strict=True)]


def item_of(row: Mapping[str, Any]) -> str:
    """What a row is about: a state group, an object (the picture it was cut from), a mask's picture
    of the manual, or itself."""
    if "cell" in row or "mask" in row:
        return str(row["provenance"]["source_images"][row.get("cell", 0)]["path"])
    return str(row.get("group_id") or row.get("pair_id") or row["id"])

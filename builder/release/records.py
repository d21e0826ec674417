"""Tables beside a build's rows: what was left out, what people should look at, what it is made of.

They are written as manuals go by, so a build of any number of manuals needs no more memory.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from core import store
from core.build import records_file

_BOX = pa.list_(pa.float64())
_CANDIDATE = pa.struct(
    [("annotator", pa.string()), ("instances_px", pa.list_(_BOX)), ("score", pa.float64())]
)
_LABEL = pa.struct(
    [
        ("label", pa.string()),
        ("count", pa.int64()),
        ("instances_px", pa.list_(_BOX)),
        ("confidence", pa.float64()),
        ("candidates", pa.list_(_CANDIDATE)),
        ("agreement", pa.float64()),
    ]
)
_TEXT = pa.string()
SCHEMAS = {
    "drops": pa.schema(dict.fromkeys(("manual_id", "task", "item", "reason", "detail"), _TEXT)),
    "disagreements": pa.schema(
        {"manual_id": _TEXT, "item": _TEXT, "error": _TEXT, "labels": pa.list_(_LABEL)}
    ),
    "inputs": pa.schema(
        {
            "manual_id": _TEXT,
            "url": _TEXT,
            "page_sha256": _TEXT,
            "images": pa.map_(_TEXT, _TEXT),
        }
    ),
    "manuals": pa.schema(
        {
            "manual_id": _TEXT,
            "set_number": _TEXT,
            "title": _TEXT,
            "introduction": pa.list_(_TEXT),
            "instructions": pa.int64(),
            "url": _TEXT,
        }
    ),
}
AT_A_TIME = 10_000


class Table:
    """One table being written; close it."""

    def __init__(self, build: Path, name: str) -> None:
        self._open = contextlib.ExitStack()
        path = self._open.enter_context(store.writing(build / records_file(name)))
        self._schema = SCHEMAS[name]
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self.rows = 0

    def add(self, records: Iterable[Any]) -> None:
        """Append records (structs or dictionaries)."""
        self._waiting += map(msgspec.to_builtins, records)
        if len(self._waiting) >= AT_A_TIME:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, self._schema))
        self.rows += len(self._waiting)
        self._waiting = []

    def close(self) -> None:
        """Write what is left and the footer."""
        self._flush()
        self._writer.close()
        self._open.close()


def write_table(build: Path, name: str, records: Iterable[Any]) -> int:
    """Write a table of records; returns their number."""
    table = Table(build, name)
    for record in records:
        table.add([record])
    table.close()
    return table.rows

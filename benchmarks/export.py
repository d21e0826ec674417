"""What exports cost: time against a plain copy of the files they wrote, and peak memory.

The build to export is a demo build many times over: every copy has manuals, ids and picture names
of its own, so the number of rows and files is that of so many manuals.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory import SAMPLE_S, resident_bytes
from builder.export.run import FORMATS
from core.build import MANIFEST, manifest_of, shards
from core.cli import ROOT, no_build
from core.errors import UserError
from core.names import SPLITS
from core.parquet import GroupWriter, schema
from tasks import TASKS

# Told apart from the start of Python and the imports, which a small export mostly is.
TIMED = """
import logging, sys, time
from builder.export import command
from builder.export.run import export
logging.disable()
command_line = command.parser()
options = command_line.parse_args(sys.argv[1:])
request = command.request_of(options, command_line)
started = time.perf_counter()
export(request, options.workers)
print(time.perf_counter() - started)
"""


def enlarge(build: Path, target: Path, manuals: int, padding: int = 0) -> Path:
    """Write a build of so many manuals made of copies of `build`'s, a row group at a time.

    `padding` bytes go behind every picture: readers pass over them, files get their real size.
    """
    manifest = manifest_of(build)
    if manifest is None:
        raise no_build(build)
    copies = -(-manuals // int(manifest["statistics"]["manuals"]))
    for config in TASKS:
        for split in SPLITS:
            sources = shards(build, config, split)
            if not sources:
                continue
            path = target / "data" / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = GroupWriter(path, config)
            tables = [pq.read_table(source) for source in sources]
            for copy in range(copies):
                for table in tables:
                    writer.add(_renamed(table, config, copy, bytes(padding)))
            writer.close()
    files: dict[str, dict] = {path.name: {} for path in target.rglob("*.parquet")}
    (target / MANIFEST).write_text(json.dumps({**manifest, "files": files}))
    return target


def _renamed(table: pa.Table, config: str, copy: int, padding: bytes) -> pa.Table:
    """The rows with ids, manuals and picture names of another copy; the bytes are the same."""
    for name in ("id", "group_id", "manual_id", "session_id"):
        if name in table.column_names:
            values = [_other(name, value, copy) for value in table.column(name).to_pylist()]
            index = table.column_names.index(name)
            table = table.set_column(index, table.schema.field(index), pa.array(values))
    images = table.column("image").combine_chunks()
    names = [f"{_hash(name, copy)}{Path(name).suffix}" for name in images.field("path").to_pylist()]
    fields = table.schema.field("image").type
    pictures = images.field("bytes")
    if padding:
        pictures = pa.array([data + padding for data in pictures.to_pylist()], pa.binary())
    both = pa.StructArray.from_arrays([pictures, pa.array(names)], fields=list(fields))
    index = table.column_names.index("image")
    return table.set_column(index, table.schema.field(index), both).cast(schema(config))


def _other(name: str, value: str, copy: int) -> str:
    if name in ("id", "group_id"):
        return _hash(value, copy)[:20]
    manual, _, session = value.partition("/")
    return f"{manual}-{copy}" + (f"/{session}" if session else "")


def _hash(value: str, copy: int) -> str:
    return hashlib.sha256(f"{copy}:{value}".encode()).hexdigest()[:32]


def timed(arguments: list[str]) -> tuple[float, int]:
    """(seconds of the export itself, largest resident bytes of it and its workers)."""
    process = subprocess.Popen([sys.executable, "-c", TIMED, *arguments], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, resident_bytes(watched))
        time.sleep(SAMPLE_S)
    said = process.communicate()[0]
    if process.returncode:
        raise UserError(f"the export failed: {' '.join(arguments)}")
    return float(said), peak


def files_of(folder: Path) -> Iterator[Path]:
    """Pictures and archives of an export."""
    return (path for path in folder.rglob("*") if path.is_file())


def plain_copy(folder: Path, target: Path) -> tuple[float, int, int]:
    """(seconds, files, bytes) of copying a folder's files into folders of the same names."""
    paths = sorted(files_of(folder))
    started, size = time.perf_counter(), 0
    for path in paths:
        copy = target / path.relative_to(folder)
        if not copy.parent.is_dir():
            copy.parent.mkdir(parents=True)
        shutil.copyfile(path, copy)
        size += path.stat().st_size
    return time.perf_counter() - started, len(paths), size


def bench_export(options: argparse.Namespace) -> None:
    """Every format: seconds against a plain copy of what it wrote, and peak memory."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = Path(name)
        build = enlarge(options.out, folder / "lego-arta", options.manuals, options.padding)
        rows = sum(pq.read_metadata(path).num_rows for path in build.rglob("*.parquet"))
        print(f"{options.manuals} manuals, {rows:,} rows, {os.cpu_count()} cores")
        print(f"{'format':<32}{'export':>10}{'copy':>10}{'ratio':>8}{'peak':>12}{'files':>10}")
        for wanted in options.formats or FORMATS:
            format_name, *more = wanted.split()
            out, pairs, peak = folder / "out", [], 0
            arguments = [str(build), "--format", format_name, "--out", str(out), *more]
            for _ in range(options.rounds):  # in turn: a slow moment of the machine meets both
                spent_s, memory = timed(arguments)
                copy_s, files, size = plain_copy(out, folder / "copy")
                pairs.append((spent_s, copy_s))
                peak = max(peak, memory)
                shutil.rmtree(out)
                shutil.rmtree(folder / "copy")
            spent_s, copy_s = map(min, zip(*pairs, strict=True))
            print(f"{wanted:<32}{spent_s:8.1f} s{copy_s:8.1f} s{spent_s / copy_s:8.2f}"
                  f"{peak / 2**20:8.0f} MiB{files:10,}  {size / 1e6:,.0f} MB",
                  flush=True)  # fmt: skip

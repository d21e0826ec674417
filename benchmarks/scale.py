"""How a build grows: memory of what comes after the manuals' own stages at several numbers of them,
and the same few manuals by worker processes and by a Ray cluster on this machine.

The many manuals are those of the demo under other names, so nothing has to be drawn.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from builder.command import main as build
from builder.release.assemble import AssembleOptions, assemble
from builder.release.validate import violations
from builder.stages import BuildOptions
from core.cli import ROOT
from core.errors import UserError
from core.parquet import GroupWriter, Index
from core.records import load
from core.store import CRAWL, DONE, ROWS
from tasks import TASKS

PLANNED = 65_000  # manuals, the number that open CAD models alone would give
SOURCES = 12  # manuals of the demo that are multiplied
NAMES = ("id", "group_id", "manual_id", "session_id")


class Growth(NamedTuple):
    """What one number of manuals took: peak memory of the process after each part, and CPU time."""

    manuals: int
    rows: int
    assembled_mib: float
    validated_mib: float
    cpu_s: float


def bench_scale(options: argparse.Namespace) -> None:
    """Memory by number of manuals with its slope, then local against Ray."""
    numbers = [int(text) for text in options.manuals.split(",")]
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = Path(name)
        work = folder / "work"
        places = ["--work", str(work), "--out", str(folder / "demo"), "--no-probe"]
        if build(["--limit", str(SOURCES), *places]):
            raise UserError("the demo could not be built")
        sources = sorted(path.name for path in (work / ROWS).iterdir())
        grown: list[Growth] = []
        for number in numbers:
            fake_manuals(work, folder / "many", sources, number)
            grown.append(_measured(folder, number))
            _print_growth(grown[-1])
        _print_slope(grown)
        _compare_engines(folder, options.workers)


def fake_manuals(work: Path, target: Path, sources: list[str], number: int) -> None:
    """Bring `target` to so many manuals, the sources' in turn under names of their own."""
    for index in range(number):
        source, name = sources[index % len(sources)], f"lego-{100_000 + index}-fake-readscr"
        folder = target / ROWS / name
        if (folder / DONE).exists():
            continue
        folder.mkdir(parents=True)
        for config in TASKS:
            _renamed(work / ROWS / source / f"{config}.parquet", folder, config, source, name)
        own = load(work / ROWS / source / "index.json", Index)
        tail = f"-{index}"
        renamed = {
            config: [
                row._replace(id=row.id + tail, group=row.group + tail,
                             session_id=row.session_id.replace(source, name),
                             item=row.item and row.item + tail)
                for row in rows
            ]
            for config, rows in own.items()
        }  # fmt: skip
        (folder / "index.json").write_bytes(msgspec.json.encode(renamed))
        stats = json.loads((work / ROWS / source / "stats.json").read_bytes())
        stats |= {"manual_id": name, "set_number": str(100_000 + index)}
        (folder / "stats.json").write_text(json.dumps(stats))
        crawled = (work / CRAWL / source / "crawl.json").read_text().replace(source, name)
        (target / CRAWL / name).mkdir(parents=True)
        (target / CRAWL / name / "crawl.json").write_text(crawled)
        (folder / DONE).write_text(f"fake {index}")


def _renamed(path: Path, folder: Path, config: str, source: str, name: str) -> None:
    """The piece of a source under another manual's name, so that every id is one row's."""
    tail = f"-{int(name.split('-')[1]) - 100_000}"
    writer = GroupWriter(folder / f"{config}.parquet", config)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for column in set(NAMES) & set(table.schema.names):
                old, field = table.column(column), table.schema.field(column)
                new = (
                    pc.binary_join_element_wise(old, tail, "")
                    if column in ("id", "group_id")
                    else pc.replace_substring(old, source, name)
                )
                place = table.schema.get_field_index(column)
                table = table.set_column(place, field, pa.chunked_array(new, field.type))
            writer.add(table)
    writer.close()


def _measured(folder: Path, number: int) -> Growth:
    """Assemble and check so many manuals in a process of their own."""
    out = folder / "grown" / "lego-arta"
    shutil.rmtree(out, ignore_errors=True)
    code = f"from benchmarks.scale import assembled; assembled({str(folder)!r}, {number})"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return Growth(*json.loads(said.stdout.splitlines()[-1]))


def assembled(folder: str, number: int) -> None:
    """In that process: print its `Growth`."""
    work, out = Path(folder) / "many", Path(folder) / "grown" / "lego-arta"
    ids = sorted(path.name for path in (work / ROWS).iterdir())[:number]
    manifest = assemble(ids, BuildOptions(work), AssembleOptions(out, "demo", probe=False))
    first = _peak_mib()
    wrong = list(violations(out))
    if wrong:
        raise UserError(f"{out}: {wrong[0]}")
    rows = sum(sum(splits.values()) for splits in manifest["rows"].values())
    print(json.dumps([number, rows, first, _peak_mib(), time.process_time()]))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print_growth(grown: Growth) -> None:
    print(
        f"{grown.manuals:6,} manuals, {grown.rows:7,} rows: assembled in "
        f"{grown.assembled_mib:6.0f} MiB, checked in {grown.validated_mib:6.0f} MiB, "
        f"{grown.cpu_s:6.1f} CPU s",
        flush=True,
    )


def _print_slope(grown: list[Growth]) -> None:
    """Memory a manual from the first number to the last, and what it comes to for the plan."""
    first, last = grown[0], grown[-1]
    more = last.manuals - first.manuals
    if more <= 0:
        return
    mib = max(last.validated_mib - first.validated_mib, 0.0) / more
    cpu_s = (last.cpu_s - first.cpu_s) / more
    peak = first.validated_mib + mib * (PLANNED - first.manuals)
    print(f"a manual more: {mib * 1024:.1f} KiB, {cpu_s:.3f} CPU s; "
          f"{PLANNED:,} manuals of this size: about {peak / 1024:.1f} GiB, "
          f"{cpu_s * PLANNED / 3600:.1f} CPU hours for assembling and checking")  # fmt: skip


def _compare_engines(folder: Path, workers: int) -> None:
    for engine in ("local", "ray"):
        arguments = ["--limit", str(SOURCES), "--no-probe", "--workers", str(workers),
                     "--work", str(folder / engine), "--out", str(folder / f"out-{engine}"),
                     "--engine", engine]  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/main.py"), "build", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        spent, own_mib = _watched(psutil.Process(process.pid))
        if process.wait():
            print(f"{engine}: not measured; is it installed?")
            continue
        wall_s = time.perf_counter() - started
        print(f"{engine:<5} {SOURCES} manuals, {workers} workers: {wall_s:.0f} s, "
              f"{spent:.0f} CPU s in all, {60 * SOURCES / wall_s:.1f} manuals a minute, "
              f"the command itself {own_mib:.0f} MiB")  # fmt: skip


def _watched(command: psutil.Process) -> tuple[float, float]:
    """CPU seconds of a process and all below it, and its own largest resident size."""
    spent: dict[int, float] = {}
    own = 0
    while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
        try:
            for one in (command, *command.children(recursive=True)):
                times = one.cpu_times()
                spent[one.pid] = times.user + times.system
            own = max(own, command.memory_info().rss)
        except psutil.Error:  # one ended between listing and asking
            pass
        time.sleep(0.3)
    return sum(spent.values()), own / 2**20

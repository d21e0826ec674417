"""How a build grows: memory of what comes after the manuals' own stages at several numbers of them;
the same manuals by worker processes and by a Ray cluster on this machine; and what both come to for
as many manuals as are planned.

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

from benchmarks.ray_nodes import nodes_here
from builder.command import main as build
from builder.engine.local import ALONE
from builder.release.assemble import AssembleOptions, assemble
from builder.release.validate import violations
from builder.stages import BuildOptions
from core.build import Manifest, read_manifest
from core.cli import ROOT, pip_install
from core.errors import UserError
from core.parquet import GroupWriter, Index
from core.records import load
from core.store import CRAWL, DONE, PARSE, ROWS
from tasks import TASKS

PLANNED = 65_000  # manuals, the number that open CAD models alone would give
SOURCES = 12  # manuals of the demo that are multiplied
NAMES = ("id", "group_id", "manual_id", "session_id")


class Plan(NamedTuple):
    """What the plan says of that number: the paper's 65 manuals a thousand times over."""

    rows: int = 35_612_000
    cpu_ms_a_row: float = 76
    cpu_hours: float = 760
    bytes: float = 11.8e12  # as PNG


class Growth(NamedTuple):
    """What one number of manuals took: peak memory of the process of each part, and CPU time."""

    manuals: int
    rows: int
    assembled_mib: float
    validated_mib: float
    cpu_s: float


class Built(NamedTuple):
    """What a build took by one engine: seconds, CPU seconds of all processes and those of them for
    drawing the manuals, peak memory of the command's own process; rows, and bytes of shards."""

    engine: str
    manuals: int
    wall_s: float
    cpu_s: float
    drawn_cpu_s: float
    own_mib: float
    rows: int
    bytes: int


def bench_scale(options: argparse.Namespace) -> None:
    """Memory by number of manuals with its slope, local against Ray, and the plan."""
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
        built = _compare_engines(folder, options.build_manuals, options.workers)
        print_plan(built, grown)


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
    """Assemble so many manuals and check the build, each in a process of its own."""
    shutil.rmtree(folder / "grown", ignore_errors=True)
    rows, assembled_mib, first_s = _in_a_process(f"assembled({str(folder)!r}, {number})")
    validated_mib, second_s = _in_a_process(f"validated({str(folder)!r})")
    return Growth(number, int(rows), assembled_mib, validated_mib, first_s + second_s)


def _in_a_process(call: str) -> list[float]:
    said = subprocess.run(
        [sys.executable, "-c", f"import benchmarks.scale as scale; scale.{call}"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if said.returncode:
        raise UserError(f"{call}: its process ended with status {said.returncode}, see above")
    numbers: list[float] = json.loads(said.stdout.splitlines()[-1])
    return numbers


def assembled(folder: str, number: int) -> None:
    """In that process: print rows, MiB and CPU seconds of assembling."""
    work, out = Path(folder) / "many", Path(folder) / "grown" / "lego-arta"
    ids = sorted(path.name for path in (work / ROWS).iterdir())[:number]
    manifest = assemble(ids, BuildOptions(work), AssembleOptions(out, "demo", probe=False))
    print(json.dumps([_rows(manifest), _peak_mib(), time.process_time()]))


def validated(folder: str) -> None:
    """In that process: print MiB and CPU seconds of checking, by this process alone."""
    out = Path(folder) / "grown" / "lego-arta"
    wrong = list(violations(out, ALONE))
    if wrong:
        raise UserError(f"{out}: {wrong[0]}")
    print(json.dumps([_peak_mib(), time.process_time()]))


def _rows(manifest: Manifest) -> int:
    return sum(sum(splits.values()) for splits in manifest["rows"].values())


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
    """Memory at the last number against the first, and what one manual more takes."""
    first, last = grown[0], grown[-1]
    if last.manuals > first.manuals:
        for what, of in (("assembled", "assembled_mib"), ("checked", "validated_mib")):
            least, most = getattr(first, of), max(getattr(one, of) for one in grown)
            print(
                f"{what}: {(most / least - 1) * 100:+.1f} % of memory at most from "
                f"{first.manuals:,} to {last.manuals:,} manuals, "
                f"{_a_manual(grown, of) * 1024:.1f} KiB a manual"
            )
        print(f"both: {_a_manual(grown, 'cpu_s'):.3f} CPU s a manual")


def _a_manual(grown: list[Growth], of: str) -> float:
    """What one manual more takes, from the first number to the last; nothing for one number."""
    first, last = grown[0], grown[-1]
    more = last.manuals - first.manuals
    return float(max(getattr(last, of) - getattr(first, of), 0)) / more if more else 0.0


def _compare_engines(folder: Path, manuals: int, workers: int) -> list[Built]:
    """The same manuals by worker processes, and by as many nodes with one CPU each."""
    built = [_built(folder, "local", manuals, ["--workers", str(workers)])]
    try:
        with nodes_here(workers) as cluster:
            address = ["--engine", "ray", "--ray-address", cluster.address]
            built.append(_built(folder, "ray", manuals, address))
    except ModuleNotFoundError as error:
        print(f"ray: not measured, {error.name} is not installed; {pip_install('ray')}")
        return built
    local, ray = built
    print(f"ray takes {ray.cpu_s / local.cpu_s:.2f} times the CPU time of local, all that its own "
          "processes take among it")  # fmt: skip
    return built


def _built(folder: Path, engine: str, manuals: int, options: list[str]) -> Built:
    work, out = folder / engine, folder / f"out-{engine}" / "lego-arta"
    arguments = ["--limit", str(manuals), "--no-probe", "--work", str(work), "--out", str(out)]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/main.py"), "build", *arguments, *options],
            stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        cpu_s, drawn_cpu_s, own_mib = _watched(psutil.Process(process.pid), work)
        wall_s = time.perf_counter() - started
        if process.wait():
            said.seek(0)
            lines = said.read().strip().splitlines() or [f"status {process.returncode}"]
            raise UserError(f"{engine}: {lines[-1]}")
    manifest = read_manifest(out)
    size = sum(entry["bytes"] for name, entry in manifest["files"].items() if "data/" in name)
    one = Built(engine, manuals, wall_s, cpu_s, drawn_cpu_s, own_mib, _rows(manifest), size)
    print(f"{engine:<5} {manuals} manuals, {one.rows:,} rows: {wall_s:.0f} s, {cpu_s:.0f} CPU s "
          f"({drawn_cpu_s:.0f} of them for drawing), {60 * manuals / wall_s:.1f} manuals a minute, "
          f"the command itself {own_mib:.0f} MiB", flush=True)  # fmt: skip
    return one


def _watched(command: psutil.Process, work: Path) -> tuple[float, float, float]:
    """CPU seconds of all processes below this one, those until manuals are read, and the largest
    resident size of the command."""
    spent: dict[int, float] = {}
    drawn = own = 0.0
    this = psutil.Process()  # a cluster was started by this one
    while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
        try:
            for one in this.children(recursive=True):
                times = one.cpu_times()
                spent[one.pid] = times.user + times.system
            own = max(own, command.memory_info().rss)
        except psutil.Error:  # one ended between listing and asking
            pass
        if not (work / PARSE).exists():
            drawn = sum(spent.values())
        time.sleep(0.3)
    return sum(spent.values()), drawn, own / 2**20


def print_plan(built: list[Built], grown: list[Growth]) -> None:
    """The plan's figures beside those measured here: for manuals like these, and for the plan's
    number of rows. Drawing is left out, for manuals are had otherwise."""
    plan, local = Plan(), built[0]
    ms = (local.cpu_s - local.drawn_cpu_s) / local.rows * 1000
    a_row = local.bytes / local.rows
    rows = [plan.rows, local.rows / local.manuals * PLANNED, plan.rows]
    hours = [plan.cpu_hours, *(ms * number / 3.6e6 for number in rows[1:])]
    sizes = [plan.bytes, *(a_row * number for number in rows[1:])]
    lines: list[tuple[str, list[str]]] = [
        (f"{PLANNED:,} manuals", ["the plan", "like these", "its rows"]),
        ("rows a manual", [f"{number / PLANNED:,.0f}" for number in rows]),
        ("CPU ms a row", [f"{one:.0f}" for one in (plan.cpu_ms_a_row, ms, ms)]),
        ("CPU hours", [f"{one:,.0f}" for one in hours]),
        ("hours on 64 cores", [f"{one / 64:.1f}" for one in hours]),
        ("KB a row (plan: PNG)", [f"{one / number / 1000:.0f}"
                                  for one, number in zip(sizes, rows, strict=True)]),
        ("TB", [f"{one / 1e12:.1f}" for one in sizes]),
        ("shards of 4 GB", [f"{one / 4e9:,.0f}" for one in sizes]),
    ]  # fmt: skip
    for name, of in (("assemble", "assembled_mib"), ("validate", "validated_mib")):
        more = _a_manual(grown, of) * (PLANNED - grown[0].manuals)
        lines.append((f"GiB in {name}", ["", f"{(getattr(grown[0], of) + more) / 1024:.1f}", ""]))
    for one in built:
        lines.append((f"MiB of the command, {one.engine}", ["", f"{one.own_mib:.0f}", ""]))
    for name, columns in lines:
        print(f"{name:<28}" + "".join(f"{column:>12}" for column in columns))

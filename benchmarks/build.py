"""Builds measured: wall time against the pure encodes in them, memory, size, encoder efforts."""

import argparse
import io
import itertools
import multiprocessing
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.memory import SAMPLE_S, resident_bytes
from core.build import every_shard
from core.cli import ROOT, no_build
from core.errors import UserError
from core.pictures.media import WEBP_METHOD, WEBP_QUALITY, encode


class Run(NamedTuple):
    """One build: wall seconds, largest sum of resident bytes over its processes."""

    wall_s: float
    peak_bytes: int


def timed_build(arguments: list[str], folder: Path, workers: int) -> Run:
    """Run `lego-arta build` into `folder` from nothing and watch its process tree."""
    places = ["--work", str(folder / "work"), "--out", str(folder / "lego-arta")]
    make = [sys.executable, str(ROOT / "scripts/main.py"), "build", "--workers", str(workers)]
    words = [*make, *places, *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, resident_bytes(watched))
        time.sleep(SAMPLE_S)
    if process.returncode:
        raise UserError(f"the build failed with status {process.returncode}: {shlex.join(words)}")
    return Run(time.perf_counter() - started, peak)


def shards(out: Path) -> list[Path]:
    """The Parquet files of a build."""
    return every_shard(out)


def images(path: Path) -> Iterator[dict]:
    """The image column of a shard, a row group at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=50, columns=["image"]):
            yield from batch.column("image").to_pylist()


def encode_again(path: Path, group: int, formats: tuple[str, ...]) -> dict[str, dict[str, tuple]]:
    """Encode every picture of one row group: {name: {format: (seconds, bytes)}} by image name."""
    with pq.ParquetFile(path) as file:
        column = file.read_row_group(group, columns=["image"]).column("image").to_pylist()
    result = {}
    for image in column:
        rgb = np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB"))
        timing = {}
        for image_format in formats:
            started = time.perf_counter()
            size = len(encode(rgb, image_format))
            timing[image_format] = (time.perf_counter() - started, size)
        result[image["path"]] = timing
    return result


def pure_encodes(out: Path, workers: int, formats: tuple[str, ...]) -> dict[str, tuple[float, int]]:
    """{format: (seconds on `workers` cores, bytes)} for the distinct pictures of a build."""
    calls = [
        (path, group, formats)
        for path in shards(out)
        for group in range(pq.ParquetFile(path).num_row_groups)
    ]
    seen: dict[str, dict] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for part in pool.map(encode_again, *zip(*calls, strict=True)):
            seen.update(part)
    return {
        f: (sum(t[f][0] for t in seen.values()) / workers, sum(t[f][1] for t in seen.values()))
        for f in formats
    }


def bench_build(options: argparse.Namespace) -> None:
    """Wall time against pure encodes, pairs/s, peak memory, bytes a pair in WebP and PNG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = ["--source", options.source]
        limit = ["--limit", str(options.limit)] if options.limit else []
        run = timed_build([*source, *limit], folder, options.workers)
        again = timed_build([*source, *limit], folder, options.workers)
        out = folder / "lego-arta"
        pairs = sum(pq.ParquetFile(path).metadata.num_rows for path in shards(out))
        on_disk = sum(path.stat().st_size for path in shards(out))
        encodes = pure_encodes(out, options.workers, ("webp", "png"))
        print(f"source {options.source}, {pairs} pairs, {options.workers} workers")
        print(
            f"build wall time                {run.wall_s:9.1f} s   {pairs / run.wall_s:.1f} pairs/s"
        )
        print(f"pure WebP encodes, same cores  {encodes['webp'][0]:9.1f} s   "
              f"build / encodes = {run.wall_s / encodes['webp'][0]:.2f}")  # fmt: skip
        print(f"unchanged re-run               {again.wall_s:9.1f} s")
        print(f"peak memory, all processes     {run.peak_bytes / 2**20:9.0f} MiB")
        print(f"Parquet bytes a pair           {on_disk / pairs / 1e3:9.1f} kB")
        webp, png = encodes["webp"][1], encodes["png"][1]
        print(f"image bytes, WebP against PNG  {webp / png:9.2f}     "
              f"{webp / 1e6:.1f} MB against {png / 1e6:.1f} MB; "
              f"PNG takes {encodes['png'][0]:.1f} s")  # fmt: skip


def bench_memory(options: argparse.Namespace) -> None:
    """Peak memory of demo builds of several sizes."""
    first = 0
    for limit in (int(text) for text in options.limits.split(",")):
        with tempfile.TemporaryDirectory() as name:
            run = timed_build(["--limit", str(limit)], Path(name), options.workers)
        first = first or run.peak_bytes
        print(f"{limit:5d} manuals: {run.peak_bytes / 2**20:7.0f} MiB, "
              f"{run.peak_bytes / first:.2f} x the first, {run.wall_s:.0f} s")  # fmt: skip


def bench_encode(options: argparse.Namespace) -> None:
    """Time and size of lossless efforts on a sample of a build's pictures, one process."""
    every = itertools.islice(itertools.chain(*map(images, shards(options.out))), 0, None, 23)
    sample = [np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB"))
              for image in itertools.islice(every, options.sample)]  # fmt: skip
    if not sample:
        raise no_build(options.out)
    rows = [("WEBP", {"lossless": True, "method": m, "quality": q})
            for m in (0, 1, 2, 4, 6) for q in (0, 20, 50, 75)]  # fmt: skip
    rows += [("PNG", {"compress_level": level}) for level in (1, 6, 9)]
    print(f"{len(sample)} pictures; * is what builds use")
    for image_format, arguments in rows:
        size, started = 0, time.perf_counter()
        for rgb in sample:
            buffer = io.BytesIO()
            Image.fromarray(rgb).save(buffer, image_format, **arguments)
            size += buffer.tell()
        spent = (time.perf_counter() - started) / len(sample)
        chosen = arguments.get("method") == WEBP_METHOD and arguments["quality"] == WEBP_QUALITY
        text = " ".join(f"{k}={v}" for k, v in arguments.items() if k != "lossless")
        mark = "  *" if chosen else ""
        kilobytes = size / len(sample) / 1e3
        print(f"{image_format:<5}{text:<22}{spent * 1e3:7.1f} ms  {kilobytes:7.1f} kB{mark}")

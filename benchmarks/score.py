"""Time to score as many predictions as the paper's data set has rows (35,612)."""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.build import shards
from core.cli import ROOT

PAPER_ROWS = {"scene": 5612, "object": 19136, "state": 10864}
COLORS = ("red", "sand green", "bright orange", "light stone grey", "transparent blue", "violet")


def enlarge(build: Path, folder: Path, seed: int = 42) -> None:
    """A test split of the paper's size from a small build, texts varied so that few are equal.

    Predictions are right, shuffled, or reworded, a third each.
    """
    rng = random.Random(seed)
    for config, number in PAPER_ROWS.items():
        rows = [row for path in shards(build, config)
                for row in pq.read_table(path).to_pylist()]  # fmt: skip
        made, said = [], []
        for index in range(number):
            row, copy = dict(rows[index % len(rows)]), index // len(rows)
            color = rng.choice(COLORS)
            for name in ("query", "answer", "instruction"):
                row[name] = row[name].replace(" the ", f" the {color} number {copy} ", 1)
            row.update(
                id=f"{config}{index:016d}", manual_id=f"{row['manual_id']}-{copy % 16}",
                image={"bytes": b"", "path": None},
            )  # fmt: skip
            made.append(row)
            answers = [row["answer"], rng.choice(rows)["answer"], f"I think: {row['answer']}"]
            said.append({"id": row["id"], "answer": answers[index % 3]})
        target = folder / "build" / "data" / config / "test-00000-of-00001.parquet"
        target.parent.mkdir(parents=True)
        schema = pq.read_schema(shards(build, config)[0])
        pq.write_table(pa.Table.from_pylist(made, schema=schema), target)
        train = target.with_name("train-00000-of-00001.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), train)
        lines = "\n".join(map(json.dumps, said)) + "\n"
        path = folder / "predictions" / f"bench.{config}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines, encoding="utf-8")


def bench_score(options: argparse.Namespace) -> None:
    """Time to score as many predictions as the paper's data set has rows, with and without
    resamples and baselines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enlarge(options.out, folder)
        print(f"{sum(PAPER_ROWS.values()):,} predictions, {options.workers} workers")
        for resamples in (0, 1000):
            for extra in ([], ["--no-baselines"]):
                words = [
                    sys.executable, str(ROOT / "scripts/main.py"), "evaluate", "score",
                    str(folder / "build"), str(folder / "predictions"), "--no-report",
                    "--out", str(folder / "scores"), "--workers", str(options.workers),
                    "--resamples", str(resamples), *extra,
                ]  # fmt: skip
                started = time.perf_counter()
                subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
                spent = time.perf_counter() - started
                print(f"{resamples:5d} resamples {' '.join(extra):<15} {spent:7.1f} s")

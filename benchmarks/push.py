"""A push to a Hub on loopback: wall time against a bare copy and hash, and memory."""

import argparse
import os
import subprocess
import sys

from core.cli import ROOT
from core.errors import UserError


def bench_push(options: argparse.Namespace) -> None:
    """Measure in a process that finds the Hub on loopback, which is that of the tests."""
    words = [sys.executable, "-m", "benchmarks.push_rounds", options.copies, options.rounds]
    found = {**os.environ, "PYTHONPATH": str(ROOT / "tests/helpers")}
    done = subprocess.run(list(map(str, words)), env=found, cwd=ROOT)
    if done.returncode:
        raise UserError(f"the measurement failed with status {done.returncode}")

"""The export command in tests' own process, and what it leaves."""

import json
from pathlib import Path

from builder.engine.local import in_order
from builder.export import command as export

ASKING = ("llava", "llamafactory", "vlm-r1", "otter", "messages", "ms-swift", "verl",
          "easyr1", "llava-jsonl", "internvl")  # fmt: skip


def run(build: Path, out: Path, format_name: str, *more: str) -> Path:
    """The command; fails with what it said."""
    arguments = [str(build), "--format", format_name, "--out", str(out), *more, "--debug"]
    assert export.main(arguments) == 0
    return out


def records(path: Path) -> list[dict]:
    """The records of a list or a file of lines."""
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else list(map(json.loads, text.splitlines()))


def error_of(capsys) -> str:
    """The one line that an error is told in."""
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "Traceback" not in said, said
    return lines[0]


def in_workers(function, calls, workers, preload, meanwhile):
    """Small builds too: every call by a worker, none by this process until they stand."""
    return in_order(function, calls, workers, preload)

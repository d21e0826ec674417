"""The main command as users run it."""

import subprocess
import sys
from pathlib import Path

from outside import ROOT


def make(*arguments: object, cwd: Path = ROOT, **kwargs) -> subprocess.CompletedProcess:
    """Run the command as a user does."""
    command = [sys.executable, str(ROOT / "builder" / "make.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, **kwargs)


def make_here(capsys, *arguments: object) -> subprocess.CompletedProcess:
    """Run the command in this process: what is refused before any work needs none of its own."""
    from builder.make import main

    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())


def one_line_error(run: subprocess.CompletedProcess, *words: str) -> str:
    """The single line an error is told in; fails on a traceback."""
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    assert "Traceback" not in run.stderr, run.stderr
    errors = [line for line in lines if line.startswith("error:")]
    assert len(errors) == 1, run.stderr
    for word in words:
        assert word in errors[0], errors[0]
    return errors[0]

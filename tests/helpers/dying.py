"""Calls for workers of a cluster, which import this file: some die, some refuse."""

import os
import signal
from pathlib import Path

from builder.stages import BuildOptions, build_manual
from core.errors import UserError


def marked(folder: Path, number: int) -> int:
    """Leave a file."""
    (folder / str(number)).touch()
    return number


def killed_once(folder: Path, number: int) -> int:
    """The first time, the worker that runs it dies in the middle."""
    if number == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return marked(folder, number)


def refused(number: int) -> int:
    """The fifth is an error of ours."""
    if number == 5:
        raise UserError("the fifth; leave it out")
    return number


def killed_in_the_middle(manual_id: str, build: BuildOptions, died: Path) -> tuple[str, bool]:
    """All stages of a manual; the first time, the worker dies when they are done."""
    if not died.exists():
        died.touch()
        build_manual(manual_id, build)
        os.kill(os.getpid(), signal.SIGKILL)
    return build_manual(manual_id, build)

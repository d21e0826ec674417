"""Calls for workers of a cluster, which import this file: some die, some refuse."""

import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.annotate.asking import Asker
from builder.annotate.models import ModelOptions
from builder.stages import BuildOptions, build_manual, parse_manual
from core.errors import UserError


def marked(folder: Path, number: int) -> int:
    """Leave a file."""
    (folder / str(number)).touch()
    return number


def until_there(mark: Path, number: int) -> int:
    """End when a file is there."""
    while not mark.exists():
        time.sleep(0.02)
    return number


def refused(number: int) -> int:
    """The fifth is an error of ours."""
    if number == 5:
        raise UserError("the fifth; leave it out")
    return number


def killed_in_the_middle(manual_id: str, build: BuildOptions, died: Path) -> tuple[str, bool]:
    """All stages of a manual; the first time, the worker dies when the first of them is done."""
    if first(died):
        parse_manual(manual_id, build.work)
        os.kill(os.getpid(), signal.SIGKILL)
    return build_manual(manual_id, build)


def killed_with_its_node(manual_id: str, build: BuildOptions, died: Path) -> tuple[str, bool]:
    """All stages of a manual; the first time, the node it is worked on dies after the first."""
    if first(died):
        parse_manual(manual_id, build.work)
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return build_manual(manual_id, build)


def both_at_once(manual_id: str, build: BuildOptions, folder: Path, number: int) -> bool:
    """All stages of a manual, begun when two are there to do it."""
    (folder / str(number)).touch()
    for other in (0, 1):
        until_there(folder / str(other), other)
    return build_manual(manual_id, build)[1]


def on_a_full_disk(manual_id: str, build: BuildOptions, mark: Path) -> tuple[str, bool]:
    """All stages of a manual; where it comes first there is no room for a file of 8 kB."""
    if not first(mark):
        return build_manual(manual_id, build)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        return build_manual(manual_id, build)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def nothing(device: str) -> None:
    """Open what is not there."""
    raise UserError(f"no model for {device}")


class Lit:
    """Something opened that tells which GPUs it may use."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device

    def prepare(self, number: int) -> int:
        """The number of the call."""
        return number

    def finish(self, number: int) -> int:
        """Leave a file with what is seen here, when both devices have a call."""
        seen = f"{self._device} {os.environ['CUDA_VISIBLE_DEVICES']}"
        (self._folder / f"{os.getppid()}").write_text(seen)
        while len(list(self._folder.iterdir())) < 2:
            time.sleep(0.02)
        return 1


class KilledOnce(Asker):
    """A model whose process dies in the middle of a batch, once in all."""

    def __init__(
        self, work: Path, name: str, options: ModelOptions, died: Path, device: str
    ) -> None:
        super().__init__(work, name, options, device)
        self._died = died

    def finish(self, batch: Sequence[tuple[Any, Any]]) -> int:
        """Answer; the first one to come here writes one answer and is gone."""
        if first(self._died):
            super().finish(batch[:1])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().finish(batch)


def first(mark: Path) -> bool:
    """Whether nobody was here before."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

"""Worker processes: of builds, a manual at a time, and of exports; results never depend on their
number.

Workers are forked from a server that has imported everything once. For builds it starts early, so
it imports while the command does; this module imports next to nothing itself for that reason.
"""

import contextlib
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.engine.window import A_WORKER, windowed

log = logging.getLogger("lego_arta")

ROOT = Path(__file__).resolve().parents[2]
# What a build's workers run: the table of stages, and what importing it does not bring.
PRELOAD = ("builder.stages", "sklearn.cluster", "scipy.optimize")


def start_server(preload: Sequence[str] = PRELOAD) -> None:
    """Start the server that workers are forked from, without waiting for it.

    It imports from the folder it stands in before any other: from ours, then, for the user's may
    hold another checkout, or a `datasets` of its own. Ctrl-C is for the command alone.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    with standing_in(ROOT), _deaf_to_ctrl_c():
        multiprocessing.forkserver.ensure_running()


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """Stand in a folder for a while; contextlib has it from Python 3.11 on."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only there signals can be set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Workers:
    """The engine of this machine: so many worker processes, or this one alone."""

    number: int

    def map(
        self, what: str, function: Callable[..., Any], calls: list[tuple[Any, ...]]
    ) -> list[Any]:
        """`function(*call)` for every call, results in the order of the calls.

        A call that raises ends the whole; what others have finished by then stays on disk.
        """
        workers = min(self.number, len(calls))
        if workers <= 1:
            init_worker()
            return [function(*call) for call in progress(calls, what, len(calls))]
        start_server()
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=init_worker) as pool:
            results: list[Any] = [None] * len(calls)
            done = windowed(
                calls,
                lambda *call: pool.submit(function, *call),
                lambda futures: wait(futures, return_when=FIRST_COMPLETED).done,
                lambda future: future.result(),
                lambda: A_WORKER * workers,
            )
            try:
                for number, result in progress(done, what, len(calls)):
                    results[number] = result
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return results

    def devices(self, asked: Sequence[str]) -> list[str]:
        """The devices asked for, or all GPUs of this machine, or its CPU."""
        from builder.engine.devices import devices_here

        return devices_here(asked)

    def on_devices(
        self,
        what: str,
        opens: Callable[[str], Any],
        calls: list[tuple[Any, ...]],
        devices: Sequence[str],
        total: int,
    ) -> None:
        """One device in this process, several in one each, whatever the number of workers."""
        from builder.engine.devices import in_processes, in_this_process

        done = (
            in_this_process(opens, devices[0], calls)
            if len(devices) == 1
            else in_processes(what, opens, devices, calls)
        )
        for _ in progress(done, what, total, int):
            pass


ALONE = Workers(1)
# What takes workers longer to start than this process takes to read.
SMALL_BYTES = 200_000_000


def workers_for(size_bytes: int) -> Workers:
    """The workers that so many bytes are worth."""
    return Workers(os.cpu_count() or 1) if size_bytes > SMALL_BYTES else ALONE


def in_order(
    function: Callable[..., Any],
    calls: Iterable[tuple[Any, ...]],
    workers: int,
    preload: Sequence[str] = (),
    meanwhile: bool = False,
) -> Generator[Any, None, None]:
    """`function(*call)` for every call, in worker processes; results as they come, in order.

    Only a few results wait at a time. The server imports `preload`, if it is not running yet. With
    `meanwhile`, which is for small calls, this process does them until the first worker stands.
    Close what this returns: work under way is then broken off, as it is when a call raises.
    """
    if workers <= 1:
        yield from (function(*call) for call in calls)
        return
    start_server(preload)
    context = multiprocessing.get_context("forkserver")
    with (
        ThreadPoolExecutor(1) as thread,
        ProcessPoolExecutor(workers, mp_context=context, initializer=_init_reader) as pool,
    ):
        start = thread.submit(lambda: pool.submit(os.getpid).result())
        waiting: deque[Future[Any]] = deque()
        try:
            for call in calls:
                if meanwhile and not start.done():
                    yield function(*call)
                    continue
                waiting.append(pool.submit(function, *call))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()  # else this waits for all that was begun
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _init_reader() -> None:
    """Of a worker that reads Parquet and writes files."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    die_with_parent()


def init_worker() -> None:
    """One thread a worker, so that sums stay in one order and cores are not fought over."""
    import cv2
    import scipy.optimize  # noqa: F401 - imported later, their pools would escape the limit
    import sklearn.cluster  # noqa: F401
    import threadpoolctl

    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1)
    die_with_parent()


def die_with_parent() -> None:
    """In a worker: leave Ctrl-C to the command, and end when it ends. Else nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:  # a worker, not the command itself
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command answers Ctrl-C for all
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: multiprocessing.process.BaseProcess) -> None:
    """End this worker when the command is killed, or it would go on writing behind a new run."""
    parent.join()
    os._exit(1)


def progress(
    items: Iterable[Any], what: str, total: int, size: Callable[[Any], int] = lambda item: 1
) -> Iterable[Any]:
    """A bar on a terminal, a line every tenth of the way otherwise, both with the time that is
    left. `size(item)` of the `total` is done when an item is.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=f"{what:<16}", total=total, unit="") as bar, _ticking(bar.refresh):
            for item in items:
                yield item
                bar.update(size(item))
        return
    done, started = 0, time.monotonic()
    for item in items:
        yield item
        before, done = done, done + size(item)
        if done == total or done * 10 // total > before * 10 // total:
            left_s = (time.monotonic() - started) / done * (total - done)
            left = f", about {left_s:.0f} s left" if left_s >= 1 else ""
            log.info("%s: %d of %d%s", what, done, total, left)


@contextlib.contextmanager
def _ticking(refresh: Callable[[], Any]) -> Iterator[None]:
    """Call `refresh` every second: a bar whose clock stands still looks as if all did."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(1):
            refresh()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

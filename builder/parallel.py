"""Worker processes: the manual is the unit of parallel work, results don't depend on their number.

Workers are forked from a server that has imported everything once; it starts early, so it imports
while the command does. This module imports next to nothing itself for that reason.
"""

import importlib
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed

log = logging.getLogger("lego_arta")

PRELOAD = ["builder.pipeline", "builder.sources.demo", "builder.sources.saved",
           "sklearn.cluster", "scipy.optimize"]  # fmt: skip


def start_server() -> None:
    """Start the server that workers are forked from, without waiting for it."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    multiprocessing.forkserver.ensure_running()


def run_parallel(what: str, function: Callable, calls: list[tuple], workers: int) -> list:
    """`function(*call)` for every call, in worker processes, results in the order of the calls.

    A call that raises ends the whole; what others have finished by then stays on disk.
    """
    workers = min(workers, len(calls))
    if workers <= 1:
        init_worker()
        return [function(*call) for call in progress(calls, what, len(calls))]
    start_server()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=init_worker) as pool:
        futures = {pool.submit(function, *call): index for index, call in enumerate(calls)}
        results: list = [None] * len(calls)
        try:
            for future in progress(as_completed(futures), what, len(calls)):
                results[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def init_worker() -> None:
    """One thread a worker, so that sums stay in one order and cores are not fought over."""
    import cv2
    import threadpoolctl

    for name in ("scipy.optimize", "sklearn.cluster"):  # later, their pools would escape the limit
        importlib.import_module(name)

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


def progress(items: Iterable, what: str, total: int) -> Iterable:
    """A bar on a terminal, a line every tenth of the way otherwise."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=f"{what:<9}", total=total, unit="")
        return
    for number, item in enumerate(items, 1):
        yield item
        if number == total or number * 10 // total > (number - 1) * 10 // total:
            log.info("%s: %d of %d", what, number, total)

"""Worker processes of a Ray cluster, or of a local one that is started and ended with the command.

Results are files on storage that all nodes share; calls return names. So a call may be run twice,
and a node that dies costs only what it had under way. https://docs.ray.io
"""

import contextlib
import functools
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Any

from builder.engine.local import init_worker, progress
from builder.engine.window import A_WORKER, windowed
from core.cli import pip_install
from core.errors import UserError

log = logging.getLogger("lego_arta")

FOR_EVER = -1


class Cluster:
    """The engine of a Ray cluster; `version_of` names the code and libraries of where it is called,
    which must be the `version` of this command."""

    def __init__(self, version_of: Callable[[], str], version: str) -> None:
        self.version_of, self.version = version_of, version

    def map(
        self, what: str, function: Callable[..., Any], calls: list[tuple[Any, ...]]
    ) -> list[Any]:
        """`function(*call)` for every call, results in the order of the calls.

        Calls of nodes and workers that die are made again, elsewhere; one that raises ends all.
        """
        import ray

        # Errors of our own are no accident: the same call would fail again.
        remote = ray.remote(num_cpus=1, max_retries=FOR_EVER, retry_exceptions=False)(_run)
        results: list[Any] = [None] * len(calls)
        done = windowed(
            calls,
            lambda *call: remote.remote(self.version_of, self.version, function, call),
            _some_done,
            ray.get,
            A_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1))),
        )
        try:
            for number, result in progress(done, what, len(calls)):
                results[number] = result
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return results


def _some_done(handles: Collection[Any]) -> list[Any]:
    import ray

    waiting = list(handles)
    first, rest = ray.wait(waiting, num_returns=1)
    more, _ = ray.wait(rest, num_returns=len(rest), timeout=0) if rest else ([], [])
    return [*first, *more]


def _run(
    version_of: Callable[[], str], version: str, function: Callable[..., Any], call: tuple[Any, ...]
) -> Any:
    """In a worker: the call, if this is the code that asked for it."""
    _prepare()
    if (here := _here(version_of)) != version:
        raise UserError(
            f"the node {socket.gethostname()} has other code or libraries ({here}) than this "
            f"command ({version}); install the same checkout and constraints.txt there"
        )
    return function(*call)


@functools.cache
def _prepare() -> None:
    init_worker()


@functools.cache
def _here(version_of: Callable[[], str]) -> str:
    return version_of()[:16]


def _check_answers(address: str) -> None:
    """Raise `UserError` where nobody listens: Ray itself would go on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise _nobody(address, error) from None


def _nobody(address: str | None, error: Exception) -> UserError:
    line = " ".join(str(error).split())[:200]
    return UserError(
        f"--ray-address {address}: no Ray cluster answers there ({line}); start one with "
        "`ray start --head`, or leave the option out for one on this machine"
    )


@contextlib.contextmanager
def cluster(address: str | None, workers: int, version_of: Callable[[], str]) -> Iterator[Cluster]:
    """A cluster for a while: that at an address (`auto`: the one this node belongs to), or one on
    this machine with so many workers. Raises `UserError` where there is none."""
    try:
        import ray
    except ImportError:
        raise UserError(f"--engine ray: Ray is not installed; {pip_install('ray')}") from None
    if address:
        _check_answers(address)
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of the default
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise _nobody(address, error) from None
    try:
        yield Cluster(version_of, _here(version_of))
    finally:
        ray.shutdown()

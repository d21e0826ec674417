"""Worker processes of a Ray cluster, or of a local one that is started and ended with the command.

Results are files on storage that all nodes share; calls return names. So a call may be run twice,
and a node that dies costs only what it had under way. https://docs.ray.io
"""

import contextlib
import functools
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from builder.engine.devices import AHEAD, Call, Opens, Serving, dealt
from builder.engine.local import init_worker, progress
from builder.engine.window import A_WORKER, windowed
from core.cli import pip_install
from core.errors import UserError, describe

log = logging.getLogger("lego_arta")

FOR_EVER = -1
Versions = Mapping[str, str]  # of code and libraries, by name


class Cluster:
    """The engine of a Ray cluster; `versions_of` tells what code and libraries are where it is
    called, which must be the `versions` of this command."""

    def __init__(self, versions_of: Callable[[], Versions], versions: Versions) -> None:
        self.versions_of, self.versions = versions_of, versions

    def map(self, what: str, function: Callable[..., Any], calls: list[Call]) -> list[Any]:
        """`function(*call)` for every call, results in the order of the calls.

        Calls of nodes and workers that die are made again, elsewhere; one that raises ends all.
        """
        import ray

        # Errors of our own are no accident: the same call would fail again.
        remote = ray.remote(num_cpus=1, max_retries=FOR_EVER, retry_exceptions=False)(_run)
        results: list[Any] = [None] * len(calls)
        done = windowed(
            calls,
            lambda *call: remote.remote(self.versions_of, self.versions, function, call),
            _some_done,
            ray.get,
            # Nodes may come while this is going on.
            lambda: A_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1))),
        )
        try:
            for number, result in progress(done, what, len(calls)):
                results[number] = result
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return results

    def devices(self, asked: Sequence[str]) -> list[str]:
        """`cuda:0` for every GPU of the cluster, as each is the only one that its actor sees; where
        there is none, or `cpu` is asked for, `cpu` for every node that works."""
        import ray

        if set(asked) - {"cuda", "cpu"} or len(asked) > 1:
            raise UserError(
                f"--devices {','.join(asked)}: a cluster gives out its own; give cuda or cpu for "
                "all of a kind, or leave the option out"
            )
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if "cuda" in asked and not gpus:
            raise UserError("--devices cuda: the cluster has no GPU; give cpu, or add such nodes")
        if gpus and "cpu" not in asked:
            return ["cuda:0"] * gpus
        return ["cpu"] * len(_working())

    def on_devices(
        self, what: str, opens: Opens, calls: list[Call], devices: Sequence[str], total: int
    ) -> None:
        """An actor for every device; when one dies it is started again and its calls made anew."""
        import ray

        nodes = _working() if "cpu" in devices else [None]
        actors = [
            _Actor(self, opens, device, nodes[number % len(nodes)])
            for number, device in enumerate(devices)
        ]
        try:
            for _ in progress(dealt(calls, actors, _is_lost), what, total, int):
                pass
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            line = " ".join(str(error).split())[:200]
            raise UserError(
                f"{what}: its process died again and again ({line}); give a smaller --batch-size "
                "or --dtype, and run again to go on with what is left"
            ) from None
        finally:
            for actor in actors:
                actor.end()


class _Actor:
    """A hand that is an actor with a GPU, or with all CPUs of a node."""

    def __init__(
        self, engine: Cluster, opens: Opens, device: str, node: Mapping[str, Any] | None
    ) -> None:
        self._engine, self._opens, self._device, self._node = engine, opens, device, node
        self._handle: Any = None

    def start(self) -> Future[Any]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options: dict[str, Any] = {"num_cpus": 0, "num_gpus": 1}
        if self._node is not None:  # or elsewhere, when it is gone
            options = {
                "num_cpus": self._node["Resources"]["CPU"],
                "scheduling_strategy": NodeAffinitySchedulingStrategy(
                    self._node["NodeID"], soft=True
                ),
            }
        actor = ray.remote(max_concurrency=AHEAD, **options)(_Serving)
        engine = self._engine
        self._handle = actor.remote(engine.versions_of, engine.versions, self._opens, self._device)
        future: Future[Any] = self._handle.open.remote().future()
        return future

    def call(self, call: Call) -> Future[int]:
        future: Future[int] = self._handle.call.remote(call).future()
        return future

    def end(self) -> None:
        """Give the device back."""
        import ray

        if self._handle is not None:
            ray.kill(self._handle)


class _Serving(Serving):
    """In an actor: what serves, if this is the code that asked for it."""

    def __init__(
        self, versions_of: Callable[[], Versions], versions: Versions, opens: Opens, device: str
    ) -> None:
        super().__init__(opens, device)
        self._versions_of, self._versions = versions_of, versions

    def open(self) -> None:
        _check(self._versions_of, self._versions)
        with _naming_the_node((OSError, UserError)):  # others may have what lacks here
            super().open()

    def call(self, call: Call) -> int:
        with _naming_the_node():
            return super().call(call)


def _working() -> list[Mapping[str, Any]]:
    """The nodes that have CPUs; raises `UserError` where none has."""
    import ray

    found = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    if not found:
        raise UserError("--engine ray: no node of the cluster has a CPU; add some that have")
    return found


def _is_lost(error: BaseException) -> bool:
    import ray

    lost = (
        ray.exceptions.RayActorError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.OutOfMemoryError,
    )
    return isinstance(error, lost) and not isinstance(error, ray.exceptions.RayTaskError)


def _some_done(handles: Collection[Any]) -> list[Any]:
    import ray

    waiting = list(handles)
    first, rest = ray.wait(waiting, num_returns=1)
    more, _ = ray.wait(rest, num_returns=len(rest), timeout=0) if rest else ([], [])
    return [*first, *more]


def _run(
    versions_of: Callable[[], Versions],
    versions: Versions,
    function: Callable[..., Any],
    call: Call,
) -> Any:
    """In a worker: the call, if this is the code that asked for it."""
    _prepare()
    _check(versions_of, versions)
    with _naming_the_node():
        return function(*call)


@functools.cache
def _prepare() -> None:
    init_worker()


def _check(versions_of: Callable[[], Versions], versions: Versions) -> None:
    """Raise `UserError` where code or libraries are others than those of the command."""
    here = _here(versions_of)
    if here == versions:
        return
    other = [
        f"{name} {here.get(name, 'none')} instead of {versions.get(name, 'none')}"
        for name in sorted(here.keys() | versions.keys())
        if here.get(name) != versions.get(name)
    ]
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    raise UserError(
        f"the node {socket.gethostname()} has other code or libraries than this command "
        f"({', '.join(other[:3])}{more}); install the same checkout and constraints.txt there"
    )


@functools.cache
def _here(versions_of: Callable[[], Versions]) -> Versions:
    return versions_of()


@contextlib.contextmanager
def _naming_the_node(kinds: tuple[type[Exception], ...] = (OSError,)) -> Iterator[None]:
    """What a disk has against a call, or errors of other kinds, are said with the node."""
    try:
        yield
    except kinds as error:
        raise UserError(f"on the node {socket.gethostname()}: {describe(error)}") from error


def _check_answers(address: str) -> None:
    """Raise `UserError` where nobody listens: Ray itself would go on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise _not_joined(address, error) from None


def _not_joined(address: str | None, error: Exception) -> UserError:
    line = " ".join(str(error).split())[:250]
    if "ersion mismatch" in line:
        return UserError(
            f"--ray-address {address}: {line}; install the same Python and the same ray on all "
            "nodes and here"
        )
    return UserError(
        f"--ray-address {address}: no Ray cluster answers there ({line}); start one with "
        "`ray start --head`, or leave the option out for one on this machine"
    )


@contextlib.contextmanager
def cluster(
    address: str | None, workers: int, versions_of: Callable[[], Versions]
) -> Iterator[Cluster]:
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
        # Without an address Ray would join whatever cluster was started here before.
        ray.init(
            address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **own
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise _not_joined(address, error) from None
    try:
        yield Cluster(versions_of, _here(versions_of))
    finally:
        ray.shutdown()

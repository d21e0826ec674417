"""Work that needs something opened first, a model on a device, and is then done call by call.

Whoever is free takes the next call, so devices need not be equally fast, and none waits for one
that is gone. A device has two calls at a time: one is prepared while the other is finished.
"""

import contextlib
import logging
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from multiprocessing.managers import BaseManager
from typing import Any, Protocol

from builder.engine.local import die_with_parent
from core.cli import pip_install
from core.errors import UserError

AHEAD = 2  # calls that a device has at a time
DEATHS = 3  # one after the other, before a device is given up
PATIENCE_S = 60.0  # until one is told that no device has come

log = logging.getLogger("lego_arta")

Call = tuple[Any, ...]


class Opened(Protocol):
    """What was opened for one device."""

    def prepare(self, *call: Any) -> Any:
        """Begin what can be done ahead of time; on any thread."""
        ...

    def finish(self, prepared: Any) -> int:
        """Do the rest, one call at a time; returns how much that was, for the progress."""
        ...


Opens = Callable[[str], Opened]  # by the name of a device; raises `UserError`


class Serving:
    """In a process of its own: opens for one device, and answers calls of two threads."""

    def __init__(self, opens: Opens, device: str) -> None:
        self._opens, self._device = opens, device
        self._turn = threading.Lock()

    def open(self) -> None:
        """Open it; raises `UserError`."""
        self._opened = self._opens(self._device)

    def call(self, call: Call) -> int:
        """One call from its beginning to its end."""
        prepared = self._opened.prepare(*call)
        with self._turn:
            return self._opened.finish(prepared)


class Hand(Protocol):
    """Where calls are worked on: a process that can be started, and started again."""

    def start(self) -> Future[Any]:
        """Open what calls need."""
        ...

    def call(self, call: Call) -> Future[int]:
        """Work on one call."""
        ...


def dealt(
    calls: Sequence[Call],
    hands: Sequence[Hand],
    is_lost: Callable[[BaseException], bool] = lambda error: False,
) -> Iterator[int]:
    """What each call came to, as they end, at most `AHEAD` of them in a hand.

    When `is_lost` says of an error that a process or its machine is gone, what it had goes back to
    the others and it is started again; any other error ends all. Of more hands than calls the first
    are started.
    """
    waiting = deque(calls)
    under_way: dict[Future[Any], tuple[int, Call | None]] = {}
    has, deaths = [0] * len(hands), [0] * len(hands)
    opened: set[int] = set()

    def submit(hand: int, call: Call | None) -> None:
        future = hands[hand].start() if call is None else hands[hand].call(call)
        under_way[future] = hand, call
        has[hand] += call is not None

    def fill() -> None:
        for most in range(1, AHEAD + 1):
            for hand in sorted(opened):
                if waiting and has[hand] < most:
                    submit(hand, waiting.popleft())

    for hand in range(min(len(hands), len(waiting))):
        submit(hand, None)
    while waiting or any(has):
        done = wait(under_way, PATIENCE_S, FIRST_COMPLETED).done
        if not done and not opened:
            log.warning("no device is there yet; still waiting for one")
        for future in done:
            hand, call = under_way.pop(future)
            has[hand] -= call is not None
            error = future.exception()
            if error is None:
                opened.add(hand)
                if call is not None:
                    deaths[hand] = 0
                    yield future.result()
            elif not is_lost(error):
                raise error
            else:
                opened.discard(hand)
                if call is not None:
                    waiting.appendleft(call)
                if not has[hand]:  # the last of what it had: they are lost together
                    deaths[hand] += 1
                    if deaths[hand] > DEATHS:
                        raise error
                    submit(hand, None)
        fill()


def devices_here(asked: Sequence[str]) -> list[str]:
    """The devices of this machine to work on: those asked for, or all GPUs, or the CPU. Raises
    `UserError` for one that is not here; takes no memory of a GPU."""
    try:
        import torch
    except ImportError:
        raise UserError(
            f"devices of models: torch is not installed; {pip_install('annotate')}"
        ) from None

    number = torch.cuda.device_count()
    for device in asked:
        try:
            found = torch.device(device)
            there = found.type != "cuda" or (found.index or 0) < number
            said = f"{number} GPUs here"
        except RuntimeError as error:
            there, said = False, first_line(error)
        if not there:
            raise UserError(f"--devices {device}: can't be used ({said})")
    return list(asked) or [f"cuda:{k}" for k in range(number)] or ["cpu"]


def first_line(error: BaseException) -> str:
    """The beginning of what an error says."""
    return (str(error).strip().splitlines() or [""])[0][:150]


def in_this_process(opens: Opens, device: str, calls: Iterable[Call]) -> Iterator[int]:
    """What each call came to, in their order."""
    opened = opens(device)
    prepared: deque[Any] = deque()
    for call in calls:
        prepared.append(opened.prepare(*call))
        if len(prepared) == AHEAD:
            yield opened.finish(prepared.popleft())
    while prepared:
        yield opened.finish(prepared.popleft())


def in_processes(
    what: str, opens: Opens, devices: Sequence[str], calls: Sequence[Call]
) -> Iterator[int]:
    """What each call came to, as they end, in a process for each device that gets one."""
    with contextlib.ExitStack() as stack:
        hands = [_Process(what, opens, device, stack) for device in devices[: len(calls)]]
        yield from dealt(calls, hands)


class _Manager(BaseManager):
    """Has a process in which objects live; each thread here that calls one has a thread there."""


_Manager.register("Serving", Serving)


class _Process:
    """A hand in a process of this machine."""

    def __init__(self, what: str, opens: Opens, device: str, stack: contextlib.ExitStack) -> None:
        self._what, self._opens, self._device = what, opens, device
        self._manager = _Manager(ctx=multiprocessing.get_context("spawn"))
        self._manager.start(_prepare_process, (device,))
        self._threads = ThreadPoolExecutor(AHEAD)
        stack.callback(self._threads.shutdown, wait=False)
        stack.callback(self._manager.shutdown)  # first: threads that wait for it end then

    def start(self) -> Future[Any]:
        return self._threads.submit(self._told, self._open)

    def call(self, call: Call) -> Future[int]:
        return self._threads.submit(self._told, self._serving.call, call)

    def _open(self) -> None:
        self._serving = self._manager.Serving(self._opens, self._device)  # type: ignore[attr-defined]
        self._serving.open()

    def _told(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UserError:
            raise
        except (EOFError, ConnectionError):
            raise UserError(
                f"--devices {self._device}: its process was ended (killed, out of memory?); run "
                "again to go on with what is left"
            ) from None
        except Exception as error:
            raise UserError(
                f"{self._what} on {self._device}: {type(error).__name__}: {first_line(error)}"
            ) from error


def _prepare_process(device: str) -> None:
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, format=f"{device}: %(message)s")

"""Who works in a folder of shared storage: a small file there that its owner writes anew while it
lives. No clock has to agree with another: an owner is dead when its file has stayed the same for a
while under the eyes of who wants it.
"""

import contextlib
import errno
import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.errors import LeaseLost, UserError
from core.storage import filesystem_of, told

log = logging.getLogger("lego_arta")

RENEW_S = 10.0  # between two beats of an owner
PATIENCE_S = 60.0  # without a beat, and the owner counts as dead
LOOK_S = 1.0


class Lease:
    """A lease that this run holds; `lost` once another run has taken it over."""

    def __init__(self, place: Path) -> None:
        fs, self.path = filesystem_of(place)
        # Connections of its own: beats would wait behind uploads, for longer than others wait.
        self.fs = type(fs)(*fs.storage_args, **fs.storage_options, skip_instance_cache=True)
        self.owner = {"machine": _machine(), "pid": os.getpid(), "id": secrets.token_hex(8)}
        self.beats, self.lost = 0, False

    def read(self) -> dict[str, Any] | None:
        """What stands there; None where nobody works, {} for what can't be read."""
        try:
            found = json.loads(self.fs.cat_file(self.path))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, only_if_free: bool = False) -> None:
        """Say that this run lives. Raises `FileExistsError` where another was faster, if the
        storage can tell."""
        self.beats += 1
        data = json.dumps({**self.owner, "beats": self.beats}).encode()
        self.fs.pipe_file(self.path, data, mode="create" if only_if_free else "overwrite")

    def is_mine(self) -> bool:
        """Whether this run holds it."""
        return (self.read() or {}).get("id") == self.owner["id"]

    def renew(self, stop: threading.Event, on_loss: Callable[[], None]) -> None:
        """Beat until it is over, or lost."""
        while not stop.wait(RENEW_S):
            try:
                if not self.is_mine():
                    self.lost = True
                    on_loss()
                    return
                self.write()
            except Exception as error:  # the storage will answer again; others wait PATIENCE_S
                log.warning("%s: the lease could not be renewed (%s)", self.path, error)

    def free(self) -> None:
        """Give it back."""
        if self.is_mine():
            self.fs.rm_file(self.path)


@contextlib.contextmanager
def leased(place: Path, what: str, busy: str) -> Iterator[None]:
    """Hold a lease for a while; raises `UserError` about `what` where a run that lives holds it.

    Who loses it is stopped: two that write at once would mix what they write. Only the main thread
    can be; another is told at its end.
    """
    lease = Lease(place)
    with told(what):
        _take(lease, f"{what}: {busy}")
    with _stopped_by_signal() as stop_work:
        try:
            with tidying(lambda: _free(lease, what)), _beating(lease, stop_work):
                yield
        except LeaseLost:
            if not lease.lost:  # but one that is held with it
                raise
    if lease.lost:
        raise UserError(
            f"{what}: another run took it over while the storage did not answer; what is there is "
            "whole, run again to go on"
        )


@contextlib.contextmanager
def _beating(lease: Lease, on_loss: Callable[[], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lease.renew, args=(stop, on_loss), name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _free(lease: Lease, what: str) -> None:
    with told(what):
        lease.free()


@contextlib.contextmanager
def tidying(clean_up: Callable[[], None]) -> Iterator[None]:
    """Call `clean_up` at the end. After an error, what it raises itself is only logged: storage
    that does not answer would hide what went wrong. After a lease is lost it is not called: what is
    there is another's."""
    try:
        yield
    except LeaseLost:
        raise
    except BaseException:
        try:
            clean_up()
        except Exception as error:
            log.warning("%s", error)
        raise
    clean_up()


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[Callable[[], None]]:
    """What raises `LeaseLost` in this thread when another calls it, whatever this one waits for."""
    owner = threading.current_thread()
    if owner is not threading.main_thread() or not hasattr(signal, "SIGUSR1"):
        yield lambda: None
        return

    def lose(number: int, frame: object) -> None:
        raise LeaseLost

    before = signal.signal(signal.SIGUSR1, lose)
    try:
        yield lambda: signal.pthread_kill(owner.ident or 0, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def _take(lease: Lease, busy: str) -> None:
    """Wait until the lease is free or its owner dead, and take it; raises `UserError`."""
    found = lease.read()
    if found is not None:
        if not _owner_died_here(found):
            _watch(lease, found, busy)
        lease.write()
    else:
        try:
            lease.write(only_if_free=True)
        except FileExistsError:  # of another, or of a request of ours that was made twice
            pass
        except (NotImplementedError, ValueError):  # it can't tell whether a file is new
            lease.write()
        except OSError as error:  # what S3 answers in its many dialects
            if error.errno == errno.ENOSYS:
                lease.write()
            elif lease.read() is None:
                raise
    time.sleep(LOOK_S)  # of several who take it, the last one has it
    if not lease.is_mine():
        raise UserError(busy)


def _watch(lease: Lease, found: dict[str, Any], busy: str) -> None:
    """Return when an owner has given no sign of life for long enough; raises `UserError` at one."""
    log.info("%s: somebody works there; looking for up to %.0f s whether it lives",
             lease.path, PATIENCE_S)  # fmt: skip
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        now = lease.read()
        if now is None:
            return
        if now != found:
            raise UserError(busy)


def _owner_died_here(found: dict[str, Any]) -> bool:
    """Whether the owner was a process of this machine that is no more."""
    if found.get("machine") != _machine() or not isinstance(found.get("pid"), int):
        return False
    try:
        os.kill(found["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """What numbers of processes mean something in: a host, or a container on it."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    try:  # machines copied from one image have the same name
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        start = ""
    return " ".join((socket.gethostname(), space, start)).strip()

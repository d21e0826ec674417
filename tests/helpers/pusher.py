"""Runs `lego-arta push` in processes of their own, quickly: one process imports it, then forks.

Every push is a real process with its own environment, output and exit status, and can be killed;
only the seconds of imports are shared. The Hub's address is read on import, so a `Pusher` belongs
to one server.
"""

import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from hub_http import Hub
from hub_server import environment

ROOT = Path(__file__).resolve().parent.parent.parent
POLL_S = 0.002
ANN, READER, STRANGER = SECRETS = ("hf_ann_secret", "hf_reader_secret", "hf_bob_secret")
_CODE = """
import contextlib, io, json, os, sys, tempfile
from builder.publish import loader, push  # once, for all that are forked
import fsspec.implementations.http
from builder.engine.local import init_worker
from builder.publish.command import main
from builder.publish.options import Patience
from tasks import TASKS
checks = [task.check for task in TASKS.values()]
init_worker()

class Loader:
    # As the process of remote.row_loader, whose imports are done here already.
    def communicate(self, asked):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            pid = os.fork()
            if not pid:
                os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
                sys.stdin = io.StringIO(asked)
                loader.main()
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            return [file.seek(0) or file.read() for file in (out, err)]

push.row_loader = lambda: contextlib.nullcontext(Loader())
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        _, status, usage = os.wait4(pid, 0)
        print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, flush=True)
        continue
    for fd, name in ((0, os.devnull), (1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), fd)
    sys.stdin = open(os.devnull)
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(job["environment"])
    try:
        code = main(job["arguments"], Patience(**job["patience"]))
    except SystemExit as error:
        code = error.code
    except BaseException:
        import traceback
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
"""


class Result(NamedTuple):
    """How a push ended: exit status (minus the signal if it was killed), what it said, and its
    largest resident size.
    """

    code: int
    stdout: str
    stderr: str
    peak_bytes: int = 0


class Pusher:
    """Pushes to one loopback Hub."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub, self.home = hub, home
        home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, env=environment(hub, None, home), cwd=home,
        )  # fmt: skip

    def push(
        self,
        out: Path,
        *arguments: object,
        token: str | None = "hf_ann_secret",
        kill_when: Callable[[], bool] | None = None,
        **patience: float,
    ) -> Result:
        """Push `out`, kill -9 it once `kill_when` says so. Waits are short by default."""
        said = {name: self.home / name for name in ("stdout", "stderr")}
        job = {
            "arguments": [str(out), *map(str, arguments)],
            "environment": {"HF_TOKEN": token} if token else {},
            "patience": {"timeout_s": 20, "tries": 4, "wait_s": 0.02, **patience},
            **{name: str(path) for name, path in said.items()},
        }
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        while kill_when and not select.select([self._process.stdout], [], [], POLL_S)[0]:
            if kill_when():
                with contextlib.suppress(ProcessLookupError):  # it ended just now
                    os.kill(pid, signal.SIGKILL)
                break
        code, peak_bytes = map(int, self._process.stdout.readline().split())
        return Result(code, said["stdout"].read_text(), said["stderr"].read_text(), peak_bytes)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@contextlib.contextmanager
def pushing(hub: Hub, home: Path) -> Iterator[Pusher]:
    """A `Pusher` for a while."""
    pusher = Pusher(hub, home)
    try:
        yield pusher
    finally:
        pusher.close()


def tree(hub: Hub, repo: str, revision: str = "main") -> dict[str, str]:
    """sha256 by path of a revision, without what the Hub itself put there."""
    files = hub.store.repos[repo].commit(revision).files
    return {path: blob.sha256 for path, blob in files.items() if path != ".gitattributes"}


def content(out: Path) -> dict[str, str]:
    """sha256 by path of a build."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }


def commits(hub: Hub, repo: str, revision: str = "main") -> int:
    """Commits after the first."""
    return len(hub.store.repos[repo].history(revision)) - 1


def ok(result: Result) -> str:
    """What a push that worked said."""
    assert result.code == 0, result.stderr + result.stdout
    no_secrets(result)
    return result.stdout


def failed(result: Result, *words: str) -> str:
    """The one line of a push that did not."""
    assert result.code == 1, (result.code, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in errors[0], errors[0]
    no_secrets(result)
    return errors[0]


def no_secrets(result: Result) -> None:
    said = result.stdout + result.stderr
    assert not any(secret in said for secret in SECRETS), said
    assert "X-Amz-Signature" not in said, said

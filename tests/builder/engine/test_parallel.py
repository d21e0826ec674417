"""Worker processes that give results in order."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.engine.local import in_order
from core.errors import UserError
from core.store import ROOT


def _who(number: int) -> tuple[int, int]:
    time.sleep(0.03 * (number % 3))  # later calls overtake earlier ones
    return number, os.getpid()


def _marked(folder: Path, number: int) -> None:
    time.sleep(0.02)
    if number == 150:
        raise UserError("the 150th")
    (folder / str(number)).touch()


def test_results_come_in_order_from_processes_and_few_wait():
    taken: list[int] = []
    calls = ((taken.append(number) or number,) for number in itertools.count())
    pids: set[int] = set()
    with contextlib.closing(in_order(_who, calls, 2, [__name__], meanwhile=True)) as results:
        for expected, (number, pid) in enumerate(results):
            pids.add(pid)
            assert number == expected and taken[-1] - number <= 5
            if len(pids) == 3:
                break
    assert os.getpid() in pids  # here too, until a worker stands


def test_one_worker_is_this_process():
    assert list(in_order(_who, [(0,), (3,)], 1, [])) == [(0, os.getpid()), (3, os.getpid())]


def test_a_call_that_raises_ends_the_rest(tmp_path):
    calls = ((tmp_path, number) for number in range(100_000))
    with pytest.raises(UserError, match="the 150th"):
        list(in_order(_marked, calls, 2, [__name__]))
    done = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert 150 <= done < 200 and len(list(tmp_path.iterdir())) == done  # nobody goes on


COMMAND = """
import os, signal, sys, time
from builder.engine.local import in_order

def who(number, seconds):
    import core.store
    time.sleep(seconds)
    return os.getpid(), core.store.__file__

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs start deaf to it
    pids, files = set(), set()
    seconds = float(sys.argv[1])
    calls = ((n, 0.02 if n < 4 else seconds) for n in range(2000))
    print("starting", flush=True)
    try:
        for pid, file in in_order(who, calls, 2, ["datasets", "core.store"]):
            pids.add(pid), files.add(file)
            print("one", flush=True)
            if len(pids) == 2 and seconds < 1:
                break
        print(*files)
    except KeyboardInterrupt:
        print("stopped")
"""


def command(folder: Path, seconds: float) -> subprocess.Popen:
    """A command of its own that runs from `folder`, where other modules have our names."""
    script = folder / "command.py"
    script.write_text(COMMAND)
    (folder / "here" / "core").mkdir(parents=True)
    (folder / "here" / "core" / "__init__.py").touch()
    (folder / "here" / "core" / "store.py").touch()
    return subprocess.Popen([sys.executable, script, str(seconds)],
                            cwd=folder / "here", start_new_session=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_workers_run_this_code_wherever_the_command_stands(tmp_path):
    process = command(tmp_path, 0.02)
    stdout, stderr = process.communicate()
    assert stderr == "" and stdout.splitlines()[-1] == str(ROOT / "core/store.py")


def test_ctrl_c_breaks_off_what_workers_do(tmp_path):
    process = command(tmp_path, 600)
    assert process.stdout and process.stdout.readline() == "starting\n"
    assert process.stdout.readline() == "one\n"
    time.sleep(0.3)  # both workers sleep for ten minutes now
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()
    assert stderr == "" and stdout.splitlines()[-1] == "stopped"


def test_ctrl_c_while_workers_start_says_no_more(tmp_path):
    process = command(tmp_path, 600)
    assert process.stdout and process.stdout.readline() == "starting\n"
    time.sleep(0.5)  # the server imports
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()
    assert stderr == "" and stdout.splitlines()[-1] == "stopped"

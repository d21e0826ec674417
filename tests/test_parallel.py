"""Worker processes that give results in order."""

import contextlib
import itertools
import os
import time
from pathlib import Path

import pytest

from builder.parallel import in_order
from builder.records import UserError


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
    with contextlib.closing(in_order(_who, calls, 2, [__name__])) as results:
        for expected, (number, pid) in enumerate(results):
            pids.add(pid)
            assert number == expected and taken[-1] - number <= 5
            if len(pids) == 3 or number == 3000:
                break
    assert len(pids) == 3 and os.getpid() in pids  # here too, until a worker stands


def test_one_worker_is_this_process():
    assert list(in_order(_who, [(0,), (3,)], 1, [])) == [(0, os.getpid()), (3, os.getpid())]


def test_a_call_that_raises_ends_the_rest(tmp_path):
    calls = ((tmp_path, number) for number in range(100_000))
    with pytest.raises(UserError, match="the 150th"):
        list(in_order(_marked, calls, 2, [__name__]))
    done = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert 150 <= done < 200 and len(list(tmp_path.iterdir())) == done  # nobody goes on

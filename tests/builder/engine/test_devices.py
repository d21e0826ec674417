"""Calls dealt out to hands of which some are slow, some are lost, and some never come."""

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.engine.devices import AHEAD, DEATHS, dealt

POOL = ThreadPoolExecutor(8)


class Hand:
    """Calls on threads. It is lost with all it has, as a process is, when its turns are over, and
    then takes turns anew; `turns` are numbers of calls it ends each time it is started."""

    def __init__(self, turns: list[int], done: Counter) -> None:
        self._turns, self._done, self._lock = iter(turns), done, Lock()

    def start(self) -> Future:
        self._left = next(self._turns, 1000)
        return POOL.submit(lambda: None)

    def call(self, call: tuple) -> Future:
        return POOL.submit(self._work, *call)

    def _work(self, number: int) -> int:
        with self._lock:
            if self._left <= 0:
                raise EOFError(f"lost with {number}")
            self._left -= 1
        self._done[number] += 1
        return number


class Missing:
    """A hand that is never there."""

    def start(self) -> Future:
        return Future()


class Late(Hand):
    """It is lost with what it has when nothing else is left to do, and never comes back."""

    def __init__(self, number: int, done: Counter) -> None:
        super().__init__([], done)
        self._number, self._taken, self._starts = number, 0, 0

    def start(self) -> Future:
        self._starts += 1
        return POOL.submit(lambda: None) if self._starts == 1 else Future()

    def call(self, call: tuple) -> Future:
        self._taken += 1
        return POOL.submit(self._lose)

    def _lose(self) -> int:
        while len(self._done) < self._number - self._taken:
            time.sleep(0.001)
        raise EOFError("lost")


def is_lost(error: BaseException) -> bool:
    return isinstance(error, EOFError)


@given(
    st.integers(0, 30),
    st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=4),
)
def test_every_call_comes_to_a_result_whoever_is_lost(number, turns):
    done = Counter()
    hands = [Hand(own, done) for own in turns]
    found = sorted(dealt([(n,) for n in range(number)], hands, is_lost))
    assert found == list(range(number)) and set(done) == set(found)


@given(st.integers(2, 20))
def test_a_hand_that_never_comes_holds_nothing(number):
    done = Counter()
    hands = [Missing(), Hand([], done)]
    assert sorted(dealt([(n,) for n in range(number)], hands, is_lost)) == list(range(number))


@given(st.integers(AHEAD + 1, 12))
def test_who_is_idle_takes_what_one_had_that_is_lost_for_ever(number):
    done = Counter()
    hands = [Late(number, done), Hand([], done)]
    assert sorted(dealt([(n,) for n in range(number)], hands, is_lost)) == list(range(number))


def test_a_hand_that_is_lost_again_and_again_is_given_up():
    done = Counter()
    hand = Hand([0] * (DEATHS + 1), done)
    with pytest.raises(EOFError):
        list(dealt([(n,) for n in range(9)], [hand], is_lost))
    hand = Hand([0] * DEATHS, done)
    assert len(list(dealt([(n,) for n in range(9)], [hand], is_lost))) == 9


def test_an_error_that_is_no_loss_ends_all():
    hand = Hand([2], Counter())
    with pytest.raises(EOFError):
        list(dealt([(n,) for n in range(9)], [hand]))


def test_a_hand_has_few_calls_at_a_time():
    taken = []

    class Watched(Hand):
        def call(self, call):
            taken.append(call)
            return super().call(call)

    for ended, _ in enumerate(dealt([(n,) for n in range(20)], [Watched([], Counter())]), 1):
        assert len(taken) - ended <= AHEAD

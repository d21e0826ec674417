"""Calls of which only so many are under way at a time, whoever runs them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

Handle = TypeVar("Handle")
A_WORKER = 4  # calls under way or waiting, so that no worker ever waits for one


def windowed(
    calls: Iterable[tuple[Any, ...]],
    submit: Callable[..., Handle],
    some_done: Callable[[Collection[Handle]], Iterable[Handle]],
    result_of: Callable[[Handle], Any],
    most: Callable[[], int],
) -> Iterator[tuple[int, Any]]:
    """(number of the call, its result) as they come, at most `most()` calls under way.

    `some_done` waits until at least one of the handles is done and returns those that are.
    """
    under_way: dict[Handle, int] = {}
    for number, call in enumerate(calls):
        under_way[submit(*call)] = number
        if len(under_way) >= most():
            for handle in list(some_done(under_way.keys())):
                yield under_way.pop(handle), result_of(handle)
    while under_way:
        for handle in list(some_done(under_way.keys())):
            yield under_way.pop(handle), result_of(handle)

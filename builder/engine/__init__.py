"""What runs a function for many manuals: `local.py`, in worker processes of this machine."""

from collections.abc import Callable
from typing import Any, Protocol


class Engine(Protocol):
    """The one call that stages need."""

    def map(
        self, what: str, function: Callable[..., Any], calls: list[tuple[Any, ...]]
    ) -> list[Any]:
        """`function(*call)` for every call, results in the order of the calls.

        `what` names the work where progress is told. Functions and what they are given and return
        can be pickled; they write whole files only, so a call that raises ends the rest.
        """
        ...

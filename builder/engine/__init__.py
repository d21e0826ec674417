"""What runs a function for many manuals: `local.py`, in worker processes of this machine, or
`ray_cluster.py`, on many; and models on their devices (`devices.py`)."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Engine(Protocol):
    """What stages need, and models that are asked before them."""

    def map(
        self, what: str, function: Callable[..., Any], calls: list[tuple[Any, ...]]
    ) -> list[Any]:
        """`function(*call)` for every call, results in the order of the calls.

        `what` names the work where progress is told. Functions and what they are given and return
        can be pickled; they write whole files only, so a call that raises ends the rest.
        """
        ...

    def devices(self, asked: Sequence[str]) -> list[str]:
        """The devices to work on, where `--devices` asked for these; raises `UserError`."""
        ...

    def on_devices(
        self,
        what: str,
        opens: Callable[[str], Any],
        calls: list[tuple[Any, ...]],
        devices: Sequence[str],
        total: int,
    ) -> None:
        """Every call once by what `opens(device)` returns (`devices.Opened`), on each device once;
        they come to `total`. What they return is lost, and a call may be made twice."""
        ...

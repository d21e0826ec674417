"""Which of the other ends of a step are drawn: few, of mixed kinds, all to be seen."""

import collections
import random
from collections.abc import Callable, Iterable
from typing import TypeVar

A_STEP = 3  # alternatives of a step, of different kinds where that can be had
# How soon a kind is tried: what people do wrong most is where and how a part is put.
WEIGHTS = {"shift": 3.0, "rotate": 3.0, "order": 2.0}

Change = TypeVar("Change")
Ending = TypeVar("Ending")


def choose(
    rng: random.Random,
    kinds: Iterable[str],
    changes_of: Callable[[str], list[Change]],
    ending_of: Callable[[str, Change], Ending | None],
    looks: Callable[[Ending], object],
    can_be_seen: Callable[[Ending], bool],
    turned_down: collections.Counter[str],
    tries_a_kind: int,
) -> list[Ending]:
    """Up to `A_STEP` endings, no two of one look. `changes_of` a kind are tried in their order;
    `ending_of` gives none for those that can't be used. Whether one can be seen is known only once
    it is drawn, so that is tried `tries_a_kind` times; what fails is counted.
    """
    order = sorted(kinds, key=lambda kind: rng.random() ** (1 / WEIGHTS.get(kind, 1.0)))[::-1]
    found: list[Ending] = []
    for kind in [*order, *order]:  # a second of a kind where there are too few kinds
        if len(found) == A_STEP:
            break
        tries = 0
        for change in changes_of(kind):
            ending = ending_of(kind, change)
            if ending is None or any(looks(ending) == looks(one) for one in found):
                continue
            tries += 1
            if can_be_seen(ending):
                found.append(ending)
                break
            turned_down[f"{kind}: not seen well enough"] += 1
            if tries == tries_a_kind:
                break
    return found

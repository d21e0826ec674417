"""What the card says of all rows of a build, counted by shard and added up."""

import collections
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from builder.release import areas, relations
from core.build import shard_rows
from tasks import TASKS

# Edges of the confidence table; the last bin holds 1.0 alone, for that is what sure rows have.
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
# What is read of a config's rows besides their confidence.
MORE_COLUMNS = {
    "object": ("cell", "targets"),
    relations.CONFIG: relations.COLUMNS,
    areas.CONFIG: areas.COLUMNS,
}
# What the rows of a config are counted by.
KINDS = {relations.CONFIG: relations.kind_of, areas.CONFIG: areas.kind_of}


class Tally(NamedTuple):
    """Counts of some rows of a config: by confidence; of its labels, each object taken once, those
    with as many boxes as the text counts; by the kinds that `KINDS` tells."""

    confidence: tuple[int, ...] = (0,) * len(EDGES)
    agreeing: int = 0
    labels: int = 0
    kinds: Mapping[Any, int] = {}

    def __add__(self, other: "Tally") -> "Tally":  # type: ignore[override]
        sums = map(sum, zip(self.confidence, other.confidence, strict=True))
        return Tally(
            tuple(sums),
            self.agreeing + other.agreeing,
            self.labels + other.labels,
            collections.Counter(self.kinds) + collections.Counter(other.kinds),
        )


def tally(path: Path, config: str) -> Tally:
    """The counts of one shard."""
    columns = ["confidence", *MORE_COLUMNS.get(config, ())]
    values, agreeing, labels = [], 0, 0
    kinds: collections.Counter[Any] = collections.Counter()
    for row in shard_rows(path, config, columns):
        values.append(row.columns["confidence"])
        if row.columns.get("cell") == 0:  # the other three cells show the same object
            targets = row.columns["targets"]
            labels += len(targets)
            agreeing += sum(len(t["instances_px"]) == t["count"] for t in targets)
        if config in KINDS:
            kinds[KINDS[config](row.columns)] += 1
    counts = np.bincount(np.digitize(values, EDGES[1:]), minlength=len(EDGES))
    return Tally(tuple(counts.tolist()), agreeing, labels, kinds)


def added_up(parts: Iterable[tuple[str, Tally]]) -> dict[str, Tally]:
    """Counts by config of (config, counts) of its shards."""
    found = dict.fromkeys(TASKS, Tally())
    for config, part in parts:
        found[config] += part
    return found


def confidence_table(tallies: Mapping[str, Tally]) -> list[tuple[str, ...]]:
    """Rows by confidence: (range, number of rows of each config)."""
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(EDGES)] + ["1"]
    return [
        (name, *(f"{tallies[config].confidence[index]:,}" for config in TASKS))
        for index, name in enumerate(names)
    ]

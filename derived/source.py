"""What kinds make rows from: the rows of a build with their pictures, and what was asked for."""

import io
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Sequence as ListOf
from datasets import Value
from PIL import Image

from core.build import BuildRow, Manifest, picture_bytes, read_manifest, read_rows
from core.names import Row
from core.pictures.media import encode, image_value
from tasks import TASKS
from tasks.queries import read

# In every derived row: the rows of the build that it was made from, by their ids.
SOURCE_IDS = {"source_ids": ListOf(Value("string"))}


class Made(NamedTuple):
    """A row to write."""

    config: str
    split: str
    row: Row


@dataclass(frozen=True)
class Source:
    """A build, and the options of the command line that kinds take."""

    build: Path
    splits: tuple[str, ...] = ("test",)
    configs: tuple[str, ...] = ()
    corruptions: tuple[str, ...] = ()
    severities: tuple[int, ...] = ()
    grids: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 42
    dropped: Counter[str] = field(default_factory=Counter[str], compare=False)

    @cached_property
    def manifest(self) -> Manifest:
        """That of the build."""
        return read_manifest(self.build)

    @property
    def image_format(self) -> str:
        """What the build's pictures are encoded as; new ones are encoded alike."""
        return str(self.manifest.get("options", {}).get("image_format", "webp"))

    @property
    def template(self) -> str:
        """The words of the build's queries; new ones are asked alike."""
        return str(self.manifest.get("options", {}).get("templates", "paper"))

    def rows(self, config: str, split: str) -> Iterator[BuildRow]:
        """The rows of a config without their pictures."""
        return read_rows(self.build, config, split)

    def drop(self, what: str, reason: str) -> None:
        """Record that something gives no row, and why."""
        self.dropped[f"{what}: {reason}"] += 1

    def whole_groups(self, config: str, split: str) -> list[BuildRow]:
        """All rows, or whole groups, drawn at random, that have `limit` rows or more."""
        rows = list(self.rows(config, split))
        if self.limit is None:
            return rows
        group_of = TASKS[config].group_of
        sizes = Counter(group_of(row.columns) for row in rows)
        order = sorted(sizes)
        self.rng("robust", config, split).shuffle(order)
        kept, number = set[str](), 0
        for group in order:
            if number < self.limit:
                kept.add(group)
                number += sizes[group]
        return [row for row in rows if group_of(row.columns) in kept]

    def rng(self, *names: object) -> random.Random:
        """A generator of one thing's own: order and number of the others change nothing."""
        return random.Random("\n".join(map(str, (self.seed, *names))))

    def picture(self, rgb: np.ndarray) -> dict[str, Any]:
        """An Image column of (H, W, 3) pixels, as builds have them: named by a hash."""
        return image_value(encode(rgb, self.image_format), self.image_format)


def pixels_of(row: BuildRow) -> np.ndarray:
    """The picture of a row, (H, W, 3) uint8."""
    with Image.open(io.BytesIO(picture_bytes(row.place))) as image:
        return np.array(image.convert("RGB"))


def words_of(row: Row) -> dict[str, str]:
    """What a state row's query says of the step, `found` and `done`, as sentences."""
    told = read(row["query"], "state") or {
        "found": row["previous_instruction"] or "", "done": row["instruction"],
    }  # fmt: skip
    return {name: text[:1].upper() + text[1:] for name, text in told.items()}


def least_of(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """The least of a number column: a row made of several is as sure as the least sure of them."""
    return min(float(row[name]) for row in rows)

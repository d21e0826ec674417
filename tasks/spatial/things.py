"""What a spatial sentence speaks of, and how it is called."""

import re
from dataclasses import dataclass

import numpy as np

from core.nouns import article, plural, split_name, with_number
from core.part_names import part_kind
from core.records import PartLabel
from core.relations import MIDDLE, MODEL, TABLE
from synthesis.boxes import Box, px_to_norm100
from tasks.regions import Region


@dataclass(frozen=True)
class Thing:
    """Equal parts, or the model, its middle, or the table; `name` is without article and number.

    `region` is None for what has no pixels of its own: the table, whose box is the picture.
    """

    name: str
    count: int
    box_px: Box
    size_wh: tuple[int, int]
    region: Region | None = None

    @property
    def mask(self) -> np.ndarray | None:
        """(H, W) bool; None for what has no pixels of its own."""
        return None if self.region is None else self.region.mask

    @property
    def is_part(self) -> bool:
        """Whether it is parts, which the reader was asked to find."""
        return self.name not in (MODEL, MIDDLE, TABLE)

    @property
    def several(self) -> bool:
        """Whether it has a plural's verb: some parts, or what is always plural (hips, goggles)."""
        family, _ = split_name(self.name)
        always = re.search(r"[^sui]s$", family) is not None and plural(family) == family
        return self.count > 1 or (self.is_part and always)

    @property
    def bare(self) -> str:
        """ "2 red plates 1x2", "red plate 1x2", "table"."""
        number = f"{self.count} " if self.count > 1 else ""
        return number + with_number(self.name, self.count)

    @property
    def definite(self) -> str:
        """ "the 2 red plates 1x2", "the table"."""
        return f"the {self.bare}"

    @property
    def indefinite(self) -> str:
        """ "2 red plates 1x2", "a red plate 1x2"; what there is but one of stays definite."""
        if self.several:
            return self.bare
        return f"{article(self.bare)} {self.bare}" if self.is_part else self.definite

    @property
    def verb(self) -> str:
        return "are" if self.several else "is"

    @property
    def column(self) -> dict[str, object]:
        """As a row holds it."""
        box_norm100 = px_to_norm100(self.box_px, self.size_wh)
        return {"label": self.bare, "box_px": list(self.box_px), "box_norm100": list(box_norm100)}


def is_called(region: Region, words: str) -> bool:
    """Whether words name a region's part, with or without its colour and an article."""
    bare = words.lower().removeprefix("the ").strip()
    names = {region.label, f"{region.color} {region.label}".strip()}
    return part_kind(PartLabel(1, "", bare)) in {part_kind(PartLabel(1, "", n)) for n in names}


def part(region: Region) -> Thing:
    """Equal parts as a thing."""
    name = f"{region.color} {region.label}".strip()
    return Thing(name, region.count, region.box_px, region.size_wh, region)


def model(region: Region) -> Thing:
    """All that stands besides the new parts."""
    return Thing(MODEL, 1, region.box_px, region.size_wh, region)


def middle(region: Region) -> Thing:
    """The middle of the model; the box is the model's, for a middle has none."""
    return Thing(MIDDLE, 1, region.box_px, region.size_wh, region)


def table(size_wh: tuple[int, int]) -> Thing:
    """The table, which is wherever nothing stands before it."""
    return Thing(TABLE, 1, (0.0, 0.0, float(size_wh[0]), float(size_wh[1])), size_wh)

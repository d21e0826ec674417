"""What a manual's stage leaves about its masks, for the build: measures of every machine mask, and
samples of masks whose truth is known.

They lie in `masks.json` of the manual's rows. Values that depend on all manuals, as `quality` and
weights do, are set when shards are written (`builder/release/discriminator.py`).
"""

from pathlib import Path

import msgspec

from core.records import load

FILE = "masks.json"


class Seen(msgspec.Struct, frozen=True):
    """Equal parts that a row's picture shows, and whether its mask does."""

    color: str
    label: str
    count: int
    meant: bool


class MaskNote(msgspec.Struct, frozen=True):
    """One mask row: where it comes from, whether the source knows the pixels, the measures
    (`features.NAMES`) of a machine's mask, null where there are none, and what is to be seen."""

    id: str
    origin: str
    session_id: str
    step_num: int | None
    exact: bool
    features: list[float] | None = None
    seen: list[Seen] = []


class MaskSample(msgspec.Struct, frozen=True):
    """The measures of a mask in a picture whose truth is known, whether it is as good as the true
    one, and its overlap with that."""

    good: bool
    features: list[float]
    iou: float


class MaskNotes(msgspec.Struct, frozen=True):
    """All of a manual."""

    rows: list[MaskNote] = []
    samples: list[MaskSample] = []


def notes_of(rows: Path) -> MaskNotes:
    """The notes in a manual's folder of rows; none where its rows were made elsewhere."""
    path = rows / FILE
    return load(path, MaskNotes) if path.is_file() else MaskNotes()

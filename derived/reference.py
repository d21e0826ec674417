"""`reference`: states with the manual's picture beside the attempt (thesis, 1.1 and 3.2.3).

The attempt is seen by another camera, each row's own, right ones too: else those would be the
reference itself, pixel by pixel. `difference` says how far the pixels differ all the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Features, Image, Value
from datasets import Sequence as ListOf

from core.build import BuildRow
from core.names import opaque_id
from derived.sheet import sheet
from derived.source import SOURCE_IDS, Made, Source, pixels_of, words_of
from lego_arta import FEATURES
from synthesis.corruptions import corrupt
from tasks.queries import query
from tasks.state_reference.text import LABELS

NAME = "state_reference"
SEVERITY = 1  # of the perspective that an attempt is seen in
_STATE = FEATURES["state"]
_GONE = ("shift_fraction", "part_box_px", "correct_box_px", "boundary_color")
_KEPT = [name for name in _STATE if name not in _GONE]


def configs(source: Source) -> tuple[str, ...]:
    """What it makes."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns of states but their boxes, and both pictures."""
    return Features(
        {
            **{name: _STATE[name] for name in _KEPT},
            "images": ListOf(Image()),
            "labels": ListOf(Value("string")),
            "difference": Value("float32"),
            **SOURCE_IDS,
        }
    )


def make(source: Source) -> Iterator[Made]:
    """A row a state of every group that has a right one, in the order of the build."""
    for split in source.splits:
        rows = source.whole_groups("state", split)
        right = {row.columns["group_id"]: row for row in rows if row.columns["label"] == 1}
        for row in rows:
            if row.columns["group_id"] not in right:
                source.drop(NAME, "no_right_state")
                continue
            yield Made(NAME, split, _row(source, row, right[row.columns["group_id"]]))


def _row(source: Source, found: BuildRow, right: BuildRow) -> dict[str, Any]:
    row, reference = found.columns, pixels_of(right)
    seen = corrupt("perspective", pixels_of(found), SEVERITY, source.rng(NAME, found.id), [])
    difference = np.abs(reference.astype(np.int16) - seen.rgb).mean()
    return {
        **{name: row[name] for name in _KEPT if name != "image"},
        "id": opaque_id(NAME, found.id),
        "group_id": opaque_id(NAME, row["group_id"]),
        "image": source.picture(sheet([reference, seen.rgb], LABELS)),
        "images": [source.picture(reference), source.picture(seen.rgb)],
        "labels": list(LABELS),
        "query": query(source.template, NAME, **words_of(row)),
        "difference": float(difference),
        "source_ids": [right.id, found.id],
    }

"""`robust`: the same rows with corrupted pictures, to be scored in pairs (`evaluation/robust.py`).

Every row is there as it was (severity 0, its own id and bytes) and once a corruption and severity.
What moves is moved in every column and in the texts; all rows of a group, which are of one step or
one object, are seen by the same camera, so that it tells none of them apart.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from datasets import Features, Value
from PIL import Image

from core.build import BuildRow, picture_bytes
from core.masks import area_ratio, encode_mask, read_mask
from core.names import Row, opaque_id
from core.pictures.media import image_value
from derived.source import SOURCE_IDS, Made, Source
from lego_arta import FEATURES
from synthesis.boxes import Box, as_box
from synthesis.corruptions import CORRUPTIONS, SEVERITIES, Corrupted, corrupt
from tasks import TASKS
from tasks.deployed import follow

CLEAN = "none"
COLUMNS = {
    **SOURCE_IDS,
    "corruption": Value("string"),
    "severity": Value("int8"),
    "visible_share": Value("float32"),
}


def configs(source: Source) -> tuple[str, ...]:
    """What it makes: the same that it reads."""
    return source.configs


def features(config: str) -> Features:
    """Those of the config, and what was done to the picture."""
    return Features({**FEATURES[config], **COLUMNS})


def make(source: Source) -> Iterator[Made]:
    """The rows of each config and split, `limit` of them, whole groups."""
    names = [name for name in CORRUPTIONS if name in (source.corruptions or CORRUPTIONS)]
    severities = source.severities or SEVERITIES
    for config in source.configs:
        for split in source.splits:
            for row in source.whole_groups(config, split):
                yield from _copies(source, row, names, severities)


def _copies(
    source: Source, found: BuildRow, names: Sequence[str], severities: Sequence[int]
) -> Iterator[Made]:
    data = picture_bytes(found.place)
    with Image.open(io.BytesIO(data)) as image:
        rgb = np.array(image.convert("RGB"))
    clean = {**found.columns, "image": image_value(data, source.image_format)}
    told = {"source_ids": [found.id], "corruption": CLEAN, "severity": 0, "visible_share": 1.0}
    yield Made(found.config, found.split, {**clean, **told})
    group = TASKS[found.config].group_of(found.columns)
    targets = targets_px(clean)
    for name in names:
        for severity in severities:
            # The same way at every severity, only more of it.
            done = corrupt(name, rgb, severity, source.rng(name, group), targets)
            row = _row(source, found, clean, done, name, severity)
            yield Made(found.config, found.split, row)


def _row(
    source: Source, found: BuildRow, clean: Row, done: Corrupted, name: str, severity: int
) -> Row:
    """A copy: its picture, and its boxes, texts and mask where they moved."""
    row = dict(clean)
    if done.warp is not None:
        warp = done.warp._replace(instances_px=_instances_px(clean))
        row = follow(clean, found.config, warp)
        if clean.get("mask"):
            mask = warp.mask(read_mask(clean["mask"]["bytes"], warp.source_wh))
            row |= {
                "mask": image_value(encode_mask(mask), "png"),
                "area_ratio": area_ratio(mask),
            }
    # Copies are groups of their own: whoever compares rows of a group compares like with like.
    for column in ("group_id", "pair_id"):
        if row.get(column):
            row[column] = opaque_id(row[column], name, severity)
    return {
        **row,
        "id": opaque_id(found.id, name, severity),
        "image": source.picture(done.rgb),
        "source_ids": [found.id],
        "corruption": name,
        "severity": severity,
        "visible_share": done.visible_share,
    }


def targets_px(row: Row) -> list[Box]:
    """The boxes of what a row is about, the chief one first: a hand may not cover them."""
    found: list[Any] = [
        # What is seen: a place where nothing stands would tell that the part is elsewhere.
        row.get("part_box_px") or row.get("correct_box_px"),
        *(target["box_px"] for target in row.get("targets") or ()),
        *(one for target in row.get("targets") or () for one in target["instances_px"]),
        *((row.get(name) or {}).get("box_px") for name in ("subject", "object")),
        *(row.get("boxes_px") or ()),
    ]
    return [as_box(box) for box in found if box]


def _instances_px(row: Row) -> tuple[Box, ...]:
    """Single things, of which larger boxes are made up."""
    entries = (*(row.get("targets") or ()), *(row.get("distractors") or ()))
    several = [box for entry in entries for box in entry["instances_px"]]
    return tuple(as_box(box) for box in [*several, *(row.get("boxes_px") or ())])

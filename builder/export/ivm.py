"""Instruction-Guided Visual Masking's own records: a picture, instructions, a grey mask, a box.

As its released reader has them (arXiv:2405.19783, github.com/2toinf/IVM): JSON lines with `uuid`,
`image` (a path below the reader's image root), `instruction` (of which one is drawn at random) and
`boxes`, one box as shares of the longer side of the picture padded to a square. The mask is read
from `mask_{uuid}.jpg` in the mask root, times 1.5, and stretched to 0..1; JPEG's noise at its edges
is gone after that. The lossless mask lies beside it as PNG.
"""

import io
import math
from typing import Any

import numpy as np
from PIL import Image

from builder.export.chat import file_name, files
from builder.export.job import Dropped, Job, Part
from builder.export.units import Row, Unit, every_unit
from core.masks import read_mask

CONFIGS = ("mask",)
EXAMPLES = ("none",)
SETTING = None
FRAME = "one box, shares of the longer side of the picture padded to a square: x0, y0, x1, y1"
FITS = "IVM's reader"
MASKS = "masks"
QUALITY = 95  # of the JPEG
PICTURES = "the build's own bytes, named by their hash; masks as grey JPEG and as PNG, by their row"
README = """\
`{names}`: a record a line, for the `IVMDataReader` of github.com/2toinf/IVM:

```python
reader = IVMDataReader("{name}/{first}", image_root="{name}", mask_root="{name}/masks")
```

Its un-padding takes `boxes` and the picture's height and width; `instances` are the single boxes in
pixels, x0, y0, x1, y1. `sample_weight` is what the row should weigh, `source` who made its mask.
"""
SOURCES = ("exact", "human", "machine")


def write(job: Job) -> list[str]:
    """Write the lines and the masks; returns the names of the lines' files."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    return files(job, units, "jsonl")


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "jsonl")
    for row in part.rows(unit, ("entities", "provenance", "candidates")):
        try:
            record = _record(part, row)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)
            continue
        part.add(name, record)


def _record(part: Part, row: Row) -> dict[str, Any]:
    """A row's line; writes its picture and its masks. Raises `Dropped`."""
    columns, uuid = row.columns, row.item.id
    if not uuid.isalnum():
        raise Dropped("id_is_no_file_name", "letters and digits only")
    data = columns["mask"]["bytes"]
    mask = read_mask(data)
    if not mask.any():
        raise Dropped("empty_mask", "its reader divides by the highest value")
    if not columns["boxes_px"]:
        raise Dropped("no_box")
    part.write_file(f"{MASKS}/mask_{uuid}.jpg", _jpeg(mask))
    part.write_file(f"{MASKS}/mask_{uuid}.png", data)
    every = np.array(columns["boxes_px"], float)
    box_px = [*every[:, :2].min(axis=0).tolist(), *every[:, 2:].max(axis=0).tolist()]
    variants = [one["text"] for one in columns["instruction_variants"]]
    return {
        "uuid": uuid,
        "image": part.write_picture(row.picture_name, row.picture),
        "instruction": list(dict.fromkeys([columns["query"], *variants])),
        "boxes": padded(box_px, (mask.shape[1], mask.shape[0])),
        "instances": columns["boxes_px"],
        "source": SOURCES[columns["source"]],
        "sample_weight": columns["sample_weight"],
    }


def padded(box_px: list[float], size_wh: tuple[int, int]) -> list[float]:
    """A box in pixels as shares of the picture padded to a square.

    Rounded up: the reader cuts what it makes of them to whole pixels, and a hair too little would
    be a pixel too little.

    >>> padded([100, 0, 300, 200], (400, 200))
    [0.25, 0.25, 0.75, 0.75]
    """
    side, (width, height) = max(size_wh), size_wh
    left, top = (max(0, (other - own) // 2) for own, other in ((width, height), (height, width)))
    shifted = (box_px[0] + left, box_px[1] + top, box_px[2] + left, box_px[3] + top)
    return [min(1.0, math.ceil(value / side * 1e7) / 1e7) for value in shifted]


def _jpeg(mask: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()

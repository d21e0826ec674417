"""COCO detection JSON: one image a row, one annotation an instance, boxes in pixels (x, y, w, h).

Pictures are named by their row: two rows can have one picture and ask for other parts of it, and
readers such as supervision want every image of a file in a file of its own.
"""

import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from builder.export.chat import file_name, files
from builder.export.detections import CONFIGS as CONFIGS
from builder.export.detections import NEW_PART, UNREAD, categories, found
from builder.export.job import Dropped, Job, Part
from builder.export.units import Request, Row, Unit, every_unit
from core import store

EXAMPLES = ("none",)
SETTING = None
FRAME = "pixels of the picture: x, y, width, height"
FITS = "detectors that read COCO"
PICTURES = "the build's own bytes, named by their row"
README = """\
`{first}` is a COCO detection file; `file_name` is a path in this folder. Boxes are pixels: x, y,
width, height; there are no masks (`segmentation` is empty). `lego_arta_id` is the row's id.

```python
from pycocotools.coco import COCO

coco = COCO("{name}/{first}")
boxes = [a["bbox"] for a in coco.imgToAnns[coco.getImgIds()[0]]]
```

supervision reads it with `DetectionDataset.from_coco("{name}", "{name}/{first}")`, FiftyOne with

```python
import fiftyone as fo

dataset = fo.Dataset.from_dir(
    dataset_type=fo.types.COCODetectionDataset,
    data_path="{name}",
    labels_path="{name}/{first}",
    label_types=["detections"],
)
```
"""


class Numbered(NamedTuple):
    """A unit and the image id of its first row."""

    unit: Unit
    first_id: int


def write(job: Job) -> list[str]:
    """Write the files; returns their names."""
    units = every_unit(job.request)
    ids = categories(job.request)
    job.each("rows", functools.partial(_write, ids), _numbered(job.request, units))
    names = files(job, units, "json")
    for name in names:
        _join(job, name, ids)
    return names


def _numbered(request: Request, units: list[Unit]) -> list[Numbered]:
    """The units, each with the image id of its first row. Rows that are dropped leave gaps: how
    many they are is known too late.
    """
    next_id: Counter[Any] = Counter()
    numbered = []
    for unit in units:
        name = file_name(request, unit, "json")
        numbered.append(Numbered(unit, next_id[name] + 1))
        next_id[name] += len(unit.rows)
    return numbered


def _write(ids: dict[str, tuple[int, str]], part: Part, task: Numbered) -> None:
    unit, first_id = task
    name = file_name(part.request, unit, "json")
    for image_id, row in enumerate(part.rows(unit, UNREAD), first_id):
        try:
            _add(part, name, unit, row, image_id, ids)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)


def _add(
    part: Part, name: str, unit: Unit, row: Row, image_id: int, ids: dict[str, tuple[int, str]]
) -> None:
    (width, height), boxes = found(unit, row)
    for (x0, y0, x1, y1), kind, extra in boxes:
        annotation = {
            "image_id": image_id,
            "category_id": ids[kind][0],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
            "segmentation": [],
            "iscrowd": 0,
            **extra,
        }
        part.add(_scratch(name, "annotations"), annotation)
    suffix = Path(row.picture_name).suffix
    image = {
        "id": image_id,
        "file_name": part.write_picture(f"{row.item.id}{suffix}", row.picture),
        "width": width,
        "height": height,
        "lego_arta_id": row.item.id,
    }
    part.add(_scratch(name, "images"), image)
    part.counts[f"rows: {name}"] += 1


def _scratch(name: str, what: str) -> str:
    """Files that start with a dot are taken away when the export is whole."""
    return f".{what}-{name}l"


def _join(job: Job, name: str, ids: dict[str, tuple[int, str]]) -> None:
    """The parts of one file put together, a line at a time; annotations get their ids here."""
    categories = [
        {"id": i, "name": kind_name, "supercategory": "state" if kind == NEW_PART else "part"}
        for kind, (i, kind_name) in ids.items()
    ]
    info = {"description": "lego-arta", "version": job.manifest["version"]}
    with store.writing(job.folder / name) as path, path.open("w", encoding="utf-8") as out:
        out.write(f'{{"info": {json.dumps(info)},\n"images": [')
        for comma, _, line in _records(job.folder / _scratch(name, "images")):
            out.write(f"{comma}\n{line}")
        out.write('\n],\n"annotations": [')
        for comma, number, line in _records(job.folder / _scratch(name, "annotations")):
            out.write(f'{comma}\n{{"id": {number}, {line[1:]}')
        out.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')


def _records(path: Path) -> Iterator[tuple[str, int, str]]:
    """(comma before it, number, text) of a scratch file's records."""
    if path.is_file():  # without any, there is none
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield "," if number > 1 else "", number, line.rstrip("\n")

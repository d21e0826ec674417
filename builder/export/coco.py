"""COCO detection JSON: one image a row, one annotation an instance, boxes in pixels (x, y, w, h).

Pictures are named by their row: two rows can have one picture and ask for other parts of it, and
readers such as supervision want every image of a file in a file of its own.

object: every part in the collage, asked for (`role` target) or not (distractor). state: the new
part where it is in the picture. Category ids are the same in every file of a build.
"""

import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from builder import folders
from builder.annotate.naming import PartLabel
from builder.export.chat import file_name, files
from builder.export.job import Dropped, Job, Part
from builder.export.units import Request, Row, Unit, every_unit, size_of
from builder.tasks.object import part_kind
from core.build import shards
from lego_arta import SPLITS

CONFIGS = ("object", "state")
EXAMPLES = ("none",)
SETTING = None
FRAME = "pixels of the picture: x, y, width, height"
FITS = "detectors that read COCO"
PICTURES = "the build's own bytes, named by their row"
NEW_PART = "new part"
LABELS = [f"{column}.list.element.label" for column in ("targets", "distractors")]
UNREAD = ("entities", "provenance")
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
    next_id: Counter = Counter()
    numbered = []
    for unit in units:
        name = file_name(request, unit, "json")
        numbered.append(Numbered(unit, next_id[name] + 1))
        next_id[name] += len(unit.rows)
    return numbered


def categories(request: Request) -> dict[str, tuple[int, str]]:
    """(id, name) by kind of part over the whole build: singular and plural are one kind."""
    names: dict[str, str] = {}
    for split in SPLITS:
        for path in shards(request.build, "object", split):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=LABELS):
                    for row in batch.to_pylist():
                        for entry in (*row["targets"], *row["distractors"]):
                            kind, label = kind_of(entry["label"]), entry["label"]
                            names[kind] = min(names.get(kind, label), label)
    kinds = [NEW_PART, *sorted(names)]
    return {kind: (number, names.get(kind, kind)) for number, kind in enumerate(kinds, 1)}


@functools.cache
def kind_of(label: str) -> str:
    """The kind of part that a label names, one for singular and plural."""
    return part_kind(PartLabel(1, "", label))


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
    if not row.item.id.isalnum():
        raise Dropped("id_is_no_file_name", "letters and digits only")
    boxes = _boxes(unit.config, row.columns)
    width, height = row.item.size_wh or size_of(row.picture)
    for (x0, y0, x1, y1), _, _ in boxes:
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise Dropped("box_outside_picture", x0, y0, x1, y1)
    for (x0, y0, x1, y1), label, extra in boxes:
        annotation = {
            "image_id": image_id,
            "category_id": ids[NEW_PART if label is None else kind_of(label)][0],
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


def _boxes(config: str, row: dict[str, Any]) -> list[tuple[list[float], str | None, dict]]:
    """(box_px, label, what else is known) of everything in a row's picture."""
    if config == "state":
        box = row["part_box_px"]  # null for a part that is missing: a picture without it
        if box is None and row["negative_kind"] != "missing":
            raise Dropped("box_not_known")
        return [] if box is None else [(box, None, {})]
    entries = [("target", entry) for entry in row["targets"]]
    entries += [("distractor", entry) for entry in row["distractors"]]
    return [
        (box, entry["label"], {"role": role})
        for role, entry in entries
        for box in entry["instances_px"]
    ]


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
    with folders.writing(job.folder / name) as path, path.open("w", encoding="utf-8") as out:
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

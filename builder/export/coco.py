"""COCO detection JSON: one image a row, one annotation an instance, boxes in pixels (x, y, w, h).

object: every part in the collage, asked for (`role` target) or not (distractor). state: the new
part where it is in the picture. Category ids are the same in every file of a build.
"""

import functools
import io
import json
from typing import Any

import imagesize
import pyarrow.parquet as pq

from builder import folders
from builder.annotate.naming import PartLabel
from builder.export.chat import every_unit, file_name, files
from builder.export.job import Dropped, Job, Row, Unit, shards
from builder.tasks.object import part_kind
from lego_arta import SPLITS

CONFIGS = ("object", "state")
EXAMPLES = ("none",)
SETTING = None
FRAME = "pixels of the picture: x, y, width, height"
NEW_PART = "new part"
LABELS = [f"{column}.list.element.label" for column in ("targets", "distractors")]
HEADER_BYTES = 64  # of WebP and PNG, with the size; Pillow would read all of a WebP for it
README = """\
`{first}` is a COCO detection file; `file_name` is a path in this folder. Boxes are pixels: x, y,
width, height. `lego_arta_id` is the row's id.

```python
from pycocotools.coco import COCO

coco = COCO("{folder}/{first}")
boxes = [a["bbox"] for a in coco.imgToAnns[coco.getImgIds()[0]]]
```
"""


def write(job: Job) -> list[str]:
    """Write the files; returns their names."""
    units = every_unit(job)
    ids = categories(job)
    for unit in job.work("rows", units):
        name = file_name(job, unit, "json")
        for row in job.rows(unit):
            try:
                _add(job, name, unit, row, ids)
            except Dropped as dropped:
                job.drop(row.item.id, unit, dropped)
    named = [{"id": i, "name": kind[1], "supercategory": kind[0]} for kind, i in _named(ids)]
    for name in files(job, units, "json"):
        _join(job, name, named)
    return files(job, units, "json")


def categories(job: Job) -> dict[str, tuple[int, str]]:
    """(id, name) by kind of part over the whole build: singular and plural are one kind."""
    names: dict[str, str] = {}
    for split in SPLITS:
        for path in shards(job.request.build, "object", split):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=LABELS):
                    for row in batch.to_pylist():
                        for entry in (*row["targets"], *row["distractors"]):
                            kind, label = _kind(entry["label"]), entry["label"]
                            names[kind] = min(names.get(kind, label), label)
    kinds = [NEW_PART, *sorted(names)]
    return {kind: (number, names.get(kind, kind)) for number, kind in enumerate(kinds, 1)}


@functools.cache
def _kind(label: str) -> str:
    return part_kind(PartLabel(1, "", label))


def _named(ids: dict[str, tuple[int, str]]) -> list[tuple[tuple[str, str], int]]:
    return [
        (("state" if kind == NEW_PART else "part", name), number)
        for kind, (number, name) in ids.items()
    ]


def _add(job: Job, name: str, unit: Unit, row: Row, ids: dict[str, tuple[int, str]]) -> None:
    boxes = _boxes(unit.config, row.columns)
    width, height = row.item.size_wh or _size_of(row.picture)
    for (x0, y0, x1, y1), _, _ in boxes:
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise Dropped("box_outside_picture", x0, y0, x1, y1)
    image_id = job.counts[f"rows: {name}"] + 1
    for (x0, y0, x1, y1), label, extra in boxes:
        job.counts[f"boxes: {name}"] += 1
        size = (x1 - x0, y1 - y0)
        annotation = {
            "id": job.counts[f"boxes: {name}"],
            "image_id": image_id,
            "category_id": ids[NEW_PART if label is None else _kind(label)][0],
            "bbox": [x0, y0, *size],
            "area": size[0] * size[1],
            "iscrowd": 0,
            **extra,
        }
        job.append(_scratch(name, "annotations"), json.dumps(annotation) + "\n")
    image = {
        "id": image_id,
        "file_name": job.write_picture(row.picture_name, row.picture),
        "width": width,
        "height": height,
        "lego_arta_id": row.item.id,
    }
    job.append(_scratch(name, "images"), json.dumps(image) + "\n")
    job.counts[f"rows: {name}"] += 1


def _size_of(picture: memoryview) -> tuple[int, int]:
    return imagesize.get(io.BytesIO(picture[:HEADER_BYTES]))


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


def _join(job: Job, name: str, named: list[dict]) -> None:
    """The parts of one file put together, a line at a time."""
    with folders.writing(job.folder / name) as path, path.open("w", encoding="utf-8") as out:
        out.write('{"info": ' + json.dumps({"description": "lego-arta", "version":
                                            job.manifest["version"]}))  # fmt: skip
        for what in ("images", "annotations"):
            out.write(f',\n"{what}": [')
            source = job.folder / _scratch(name, what)
            if source.is_file():
                with source.open(encoding="utf-8") as lines:
                    out.writelines(
                        ("\n" if not number else ",\n") + line.rstrip("\n")
                        for number, line in enumerate(lines)
                    )
            out.write("]")
        out.write(',\n"categories": ' + json.dumps(named) + "}\n")

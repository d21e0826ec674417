"""Pascal VOC as its devkit lays it out, written by supervision: an XML file a picture.

Each task is a dataset in a folder of its own (with --merge there is one for all): `JPEGImages`,
`Annotations` and `ImageSets/Main`, the pictures named by their row. Boxes are whole pixels, and as
in VOC the first one is 1.
"""

import functools
import json
from pathlib import Path

from builder.export.detections import CONFIGS as CONFIGS
from builder.export.detections import categories, every_found, folder_of, of_supervision
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit
from builder.export.yolo import words as words

EXAMPLES = ("none",)
SETTING = None
EXTRA = "export"
FRAME = "whole pixels of the picture, counted from 1: xmin, ymin, xmax, ymax, all inside the box"
FITS = "detectors that read Pascal VOC"
PICTURES = "the build's own bytes, named by their row"
CHANNELS = 3
README = """\
`JPEGImages` (WebP or PNG), `Annotations` and `ImageSets/Main` of each task; `{first}` lists the
pictures of a split.

```python
import supervision as sv

folder = "{name}/{dataset}"
data = sv.DetectionDataset.from_pascal_voc(f"{{folder}}JPEGImages", f"{{folder}}Annotations")
```
"""


def write(job: Job) -> list[str]:
    """Write pictures, annotations and the lists of the splits; returns the lists."""
    units = every_unit(job.request)
    job.each("rows", functools.partial(_write, categories(job.request)), units)
    lists = dict.fromkeys((folder_of(job.request, unit), unit.split) for unit in units)
    names = []
    for folder, split in lists:
        if job.counts[f"rows: {folder}{split}"]:
            path = job.folder / f"{folder}ImageSets/Main/{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            ids = (job.folder / _scratch(folder, split)).read_text().splitlines()
            path.write_text("".join(f"{json.loads(name)}\n" for name in ids))
            names.append(path.relative_to(job.folder).as_posix())
    return names


def _write(ids: dict[str, tuple[int, str]], part: Part, unit: Unit) -> None:
    from supervision.dataset.formats.pascal_voc import detections_to_pascal_voc

    folder = folder_of(part.request, unit)
    classes = [name for _, name in ids.values()]
    for row, seen in every_found(part, unit):
        width, height = seen.size_wh
        name = f"{row.item.id}{Path(row.picture_name).suffix}"
        text = detections_to_pascal_voc(
            of_supervision(seen, ids), classes, name, (height, width, CHANNELS)
        )
        text = text.replace("<database>roboflow.ai</database>", "<database>lego-arta</database>")
        part.write_file(f"{folder}JPEGImages/{name}", row.picture)
        part.write_file(f"{folder}Annotations/{row.item.id}.xml", text.encode())
        part.add(_scratch(folder, unit.split), row.item.id)
        part.counts[f"rows: {folder}{unit.split}"] += 1


def _scratch(folder: str, split: str) -> str:
    """Files that start with a dot are taken away when the export is whole."""
    return f".{folder.strip('/')}-{split}.jsonl"

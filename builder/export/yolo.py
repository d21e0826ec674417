"""YOLO labels as Ultralytics reads them, written by supervision: a text file a picture.

Each task is a dataset in a folder of its own (with --merge there is one for all): `data.yaml`,
`images/SPLIT` and `labels/SPLIT`, the pictures named by their row.
"""

import functools
from pathlib import Path

import yaml

from builder.export.detections import CONFIGS as CONFIGS
from builder.export.detections import categories, every_found, folder_of, of_supervision
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit

EXAMPLES = ("none",)
SETTING = None
EXTRA = "export"
FRAME = "shares of the picture: x and y of the middle, width, height"
FITS = "detectors that read YOLO"
PICTURES = "the build's own bytes, named by their row"
VAL = "test"  # what Ultralytics calls val
README = """\
`{first}` says where the pictures are and what the classes are called; test is its `val`.

```bash
yolo detect train data={folder}/{first} model=yolo11n.pt
```

supervision reads it, too:

```python
import supervision as sv

folder = "{name}/{dataset}"
data = sv.DetectionDataset.from_yolo(
    f"{{folder}}images/{split}", f"{{folder}}labels/{split}", f"{{folder}}data.yaml"
)
```
"""


def write(job: Job) -> list[str]:
    """Write pictures, labels and a YAML a dataset; returns the YAMLs."""
    units = every_unit(job.request)
    ids = categories(job.request)
    job.each("rows", functools.partial(_write, ids), units)
    datasets: dict[str, list[str]] = {}
    for unit in units:
        folder = folder_of(job.request, unit)
        if job.counts[f"rows: {folder}{unit.split}"]:
            datasets.setdefault(folder, []).append(unit.split)
    for folder, splits in datasets.items():
        described = {
            "train": f"images/{splits[0]}",
            "val": f"images/{VAL if VAL in splits else splits[0]}",
            "names": {number - 1: name for number, name in ids.values()},
        }
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
        (job.folder / f"{folder}data.yaml").write_text(text, encoding="utf-8")
    return [f"{folder}data.yaml" for folder in datasets]


def _write(ids: dict[str, tuple[int, str]], part: Part, unit: Unit) -> None:
    from supervision.dataset.formats.yolo import detections_to_yolo_annotations

    folder = folder_of(part.request, unit)
    for row, seen in every_found(part, unit):
        width, height = seen.size_wh
        lines = detections_to_yolo_annotations(of_supervision(seen, ids), (height, width))
        name, suffix = row.item.id, Path(row.picture_name).suffix
        part.write_file(f"{folder}images/{unit.split}/{name}{suffix}", row.picture)
        text = "".join(f"{line}\n" for line in lines)
        part.write_file(f"{folder}labels/{unit.split}/{name}.txt", text.encode())
        part.counts[f"rows: {folder}{unit.split}"] += 1


def words(job: Job) -> dict[str, str]:
    """What README.md says of this export alone."""
    request = job.request
    folder = "" if request.merge else f"{request.configs[0]}/"
    return {"dataset": folder, "split": request.splits[0]}

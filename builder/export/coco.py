"""COCO detection JSON: one image a row, one annotation an instance, boxes in pixels (x, y, w, h).

Masks are run lengths. mask: one annotation a row, all that its instruction is about. object: the
parts asked for, where a mask row tells their pixels; what it does not tell has no segmentation.

Pictures are named by their row: two rows can have one picture and ask for other parts of it, and
readers such as supervision want every image of a file in a file of its own.
"""

import functools
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from builder.export.chat import file_name, files
from builder.export.detections import CONFIGS as DETECTED
from builder.export.detections import NEW_PART, UNREAD, Found, categories, found, size_checked
from builder.export.job import Dropped, Job, Part
from builder.export.units import Request, Row, Unit, every_unit
from core import store
from core.masks import box_of, encode_rle, read_mask
from core.pictures.containers import ImageError
from tasks.looks import Look
from tasks.row_masks import map_of

CONFIGS = (*DETECTED, "mask")
REGION = "what the instruction is about"
GOLD = Look("overlay")  # any method: its masks are the build's own
SUPER = {NEW_PART: "state", REGION: "region"}
EXAMPLES = ("none",)
SETTING = None
FRAME = "pixels of the picture: x, y, width, height"
FITS = "detectors that read COCO"
PICTURES = "the build's own bytes, named by their row"
README = """\
`{first}` is a COCO detection file; `file_name` is a path in this folder. Boxes are pixels: x, y,
width, height; masks are run lengths (RLE), `segmentation` is empty where nobody knows the pixels.
`lego_arta_id` is the row's id, `instruction` of a mask row's image what is asked.

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
    if "mask" in job.request.configs:  # the last, so that all others have their numbers
        ids[REGION] = (len(ids) + 1, REGION)
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
    (width, height), boxes = _region(row) if unit.config == "mask" else found(unit, row)
    for (box, kind, extra), mask in zip(boxes, _masks(part.request, unit, row, boxes), strict=True):
        x0, y0, x1, y1 = box
        annotation = {
            "image_id": image_id,
            "category_id": ids[kind][0],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0) if mask is None else int(mask.sum()),
            "segmentation": [] if mask is None else encode_rle(mask),
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
        **({"instruction": row.columns["query"]} if unit.config == "mask" else {}),
    }
    part.add(_scratch(name, "images"), image)
    part.counts[f"rows: {name}"] += 1


def _region(row: Row) -> Found:
    """A mask row: one region. Raises `Dropped`."""
    size_wh = size_checked(row)
    box = box_of(read_mask(row.columns["mask"]["bytes"], size_wh))
    if box is None:
        raise Dropped("empty_mask")
    return Found(size_wh, [(list(box), REGION, {})])


def _masks(
    request: Request, unit: Unit, row: Row, boxes: Sequence[tuple[list[float], str, Any]]
) -> list[np.ndarray | None]:
    """(H, W) bool of each box's thing, None where it is not known.

    Parts asked for are all in one mask: an instance is what of it lies in the instance's box, if no
    other box of theirs reaches there.
    """
    if unit.config == "mask":
        return [read_mask(row.columns["mask"]["bytes"])]
    mask = _asked(request, unit, row) if unit.config == "object" else None
    targets = [box for box, _, extra in boxes if extra.get("role") == "target"]
    found: list[np.ndarray | None] = []
    for box, _, extra in boxes:
        others = [other for other in targets if other is not box]
        alone = extra.get("role") == "target" and not any(_touch(box, other) for other in others)
        found.append(_within(mask, box) if mask is not None and alone else None)
    return found


def _asked(request: Request, unit: Unit, row: Row) -> np.ndarray | None:
    """The pixels of the parts that an object row asks for, None where no mask row tells them."""
    size_wh = size_checked(row)
    x0, y0, x1, y1 = row.crop_xyxy_px or (0, 0, *size_wh)
    try:
        whole_wh = row.whole_wh or size_wh
        found = map_of(GOLD, request.build, unit.config, unit.split, row.item.id, whole_wh) > 0
    except ImageError:
        return None
    return found[y0:y1, x0:x1]


def _touch(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(min(one[a + 2], other[a + 2]) > max(one[a], other[a]) for a in (0, 1))


def _within(mask: np.ndarray, box: Sequence[float]) -> np.ndarray | None:
    """What of a mask lies in a box, all pixels that the box reaches; None for nothing."""
    x0, y0, x1, y1 = (math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3]))
    inside = np.zeros_like(mask)
    inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return inside if inside.any() else None


def _scratch(name: str, what: str) -> str:
    """Files that start with a dot are taken away when the export is whole."""
    return f".{what}-{name}l"


def _join(job: Job, name: str, ids: dict[str, tuple[int, str]]) -> None:
    """The parts of one file put together, a line at a time; annotations get their ids here."""
    categories = [
        {"id": i, "name": kind_name, "supercategory": SUPER.get(kind, "part")}
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

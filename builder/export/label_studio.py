"""Label Studio: tasks with predictions, so that people correct answers and boxes there.

A project each task: its labeling configuration (XML) and a list of tasks a split (JSON). Boxes are
percent of the picture: x, y, width, height. Pictures are served from this folder, not uploaded.

scene: the instruction as a text. object: the boxes that are asked for and every part by its kind.
state: Yes or No, where the new part is and where it belongs.
"""

import functools
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import quoteattr

from builder.export.chat import file_name, files
from builder.export.detections import NEW_PART, categories, kind_of
from builder.export.job import Dropped, Job, Part
from builder.export.units import Unit, every_unit, size_of

CONFIGS = ("scene", "object", "state")
EXAMPLES = ("none",)
SETTING = None
MERGES = False  # a project has one labeling configuration
FRAME = "percent of the picture: x, y, width, height"
FITS = "Label Studio"
UNREAD = ("entities", "provenance")
# How pictures are addressed, below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
LOCAL_FILE = "/data/local-files/?d="
ASKED, IS_HERE, BELONGS_HERE = "asked for", "is here", "belongs here"
SHOWN = ("id", "query", "answer", "instruction", "previous_instruction", "manual_id",
         "session_id", "step_num")  # fmt: skip
README = """\
Tasks for Label Studio, with this dataset's answers as predictions: `{names}`.
Each kind of task needs a project of its own, with its labeling configuration: `{configurations}`.

```bash
export LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
export LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT="$PWD"/{folder}
label-studio start
```

1. Make a project; under Labeling Setup, Custom template, Code, paste the `.xml` of its task.
2. Settings, Cloud Storage, Add Source Storage, Local files: give the absolute path of `images` in
   this folder and save without syncing. It only lets the project show the pictures.
3. Import the `.json` files of the same task.

Predictions are shown beside each picture and become annotations when they are copied. `data.id` is
the row's id; `score` of a prediction is the row's confidence.
"""


def words(job: Job) -> dict[str, str]:
    """What the README names beside the lists."""
    return {"configurations": "`, `".join(f"{config}.xml" for config in job.request.configs)}


def write(job: Job) -> list[str]:
    """Write the lists of tasks and the configurations; returns the lists' names."""
    units, kinds = every_unit(job.request), categories(job.request)
    version = f"lego-arta {job.manifest['version']}"
    job.each("rows", functools.partial(_write, version, kinds), units)
    names = files(job, units, "json")
    job.close_lists(names)
    labels = [name for kind, (_, name) in kinds.items() if kind != NEW_PART]
    for config in job.request.configs:
        (job.folder / f"{config}.xml").write_text(labeling(config, labels), encoding="utf-8")
    return names


def labeling(config: str, kinds: Iterable[str] = ()) -> str:
    """The labeling configuration of a config; `kinds` of parts are the labels of objects."""
    controls = {
        "scene": ['<TextArea name="answer" toName="image" editable="true" maxSubmissions="1"/>'],
        "object": [_rectangles("answer", [ASKED]), _rectangles("parts", kinds)],
        "state": [
            '<Choices name="answer" toName="image" choice="single" showInline="true">\n'
            '    <Choice value="Yes"/>\n    <Choice value="No"/>\n  </Choices>',
            _rectangles("part", [IS_HERE, BELONGS_HERE]),
        ],
    }[config]
    shown = ['<Text name="question" value="$query"/>',
             '<Image name="image" value="$image" zoom="true"/>']  # fmt: skip
    return "\n  ".join(["<View>", *shown, *controls]) + "\n</View>\n"


def _rectangles(name: str, labels: Iterable[str]) -> str:
    every = "".join(f"\n    <Label value={quoteattr(label)}/>" for label in labels)
    return f'<RectangleLabels name="{name}" toName="image">{every}\n  </RectangleLabels>'


def _write(version: str, kinds: dict[str, tuple[int, str]], part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "json")
    for row in part.rows(unit, UNREAD):
        size_wh = row.item.size_wh or size_of(row.picture)
        try:
            found = _results(unit.config, row.columns, size_wh, kinds)
        except Dropped as dropped:
            part.drop(row.item.id, unit, dropped)
            continue
        image = LOCAL_FILE + part.write_picture(row.picture_name, row.picture)
        prediction = {
            "model_version": version,
            "score": row.columns["confidence"],
            "result": [{"id": f"r{number}", **one} for number, one in enumerate(found)],
        }
        data = {"image": image, **{column: row.columns[column] for column in SHOWN}}
        part.add(name, {"data": data, "predictions": [prediction]})


def _results(
    config: str, row: dict[str, Any], size_wh: tuple[int, int], kinds: dict[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    """What is known of a row, as regions and answers of Label Studio."""
    if config == "scene":
        return [_said("textarea", "text", row["answer"])]
    if config == "state":
        boxes = ((IS_HERE, row["part_box_px"]), (BELONGS_HERE, row["correct_box_px"]))
        regions = [_region("part", label, box, size_wh) for label, box in boxes if box is not None]
        return [_said("choices", "choices", "Yes" if row["label"] else "No"), *regions]
    asked = [
        {**_region("answer", ASKED, one["box_px"], size_wh), "meta": {"text": [one["label"]]}}
        for one in row["targets"]
    ]
    parts = [
        _region("parts", kinds[kind_of(one["label"])][1], box, size_wh)
        for one in (*row["targets"], *row["distractors"])
        for box in one["instances_px"]
    ]
    return [*asked, *parts]


def _said(kind: str, key: str, text: str) -> dict[str, Any]:
    return {"from_name": "answer", "to_name": "image", "type": kind, "value": {key: [text]}}


def _region(
    control: str, label: str, box_px: list[float], size_wh: tuple[int, int]
) -> dict[str, Any]:
    """A box in pixels (x0, y0, x1, y1) as a rectangle in percent; raises `Dropped`."""
    (x0, y0, x1, y1), (width, height) = box_px, size_wh
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise Dropped("box_outside_picture", x0, y0, x1, y1)
    shares = (x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height)
    percent = dict(
        zip(("x", "y", "width", "height"), (round(100 * s, 6) for s in shares), strict=True)
    )
    return {
        "from_name": control,
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**percent, "rotation": 0, "rectanglelabels": [label]},
    }

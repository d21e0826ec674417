"""LLaVA's training JSON (thesis Table 4.2, T16): one list a file, pictures beside it.

LLaVA's trainer reads `image` and `conversations`, one picture a sample, and wants `<image>` in the
human turn exactly once: a sample without it is trained on blind, without a word.
"""

from builder.export.chat import IMAGE, file_name, files, samples
from builder.export.job import Job, Part
from builder.export.units import Unit, every_unit
from evaluation.prompts import Setting

CONFIGS = ("scene", "object", "state")
EXAMPLES = ("none",)  # one picture a sample leaves no room for examples'
SETTING = Setting(examples="none")
README = """\
`{first}` is one JSON list of `{{"id", "image", "conversations"}}`; `image` is a path in this
folder.

```bash
deepspeed llava/train/train_mem.py --version v1 --lora_enable True \\
    --model_name_or_path liuhaotian/llava-v1.5-7b \\
    --vision_tower openai/clip-vit-large-patch14-336 \\
    --image_aspect_ratio pad --data_path {folder}/{first} --image_folder {folder} ...
```

LLaVA takes one `--data_path`: export with `--merge` to tune on all tasks at once.
"""


def write(job: Job) -> list[str]:
    """Write the lists; returns their names."""
    units = every_unit(job.request)
    job.each("rows", _write, units)
    names = files(job, units, "json")
    job.close_lists(names)
    return names


def _write(part: Part, unit: Unit) -> None:
    name = file_name(part.request, unit, "json")
    for row, question, answer, _ in samples(part, unit, (IMAGE,)):
        image = part.write_picture(row.picture_name, row.picture)
        turns = [
            {"from": "human", "value": f"{IMAGE}\n{question}"},
            {"from": "gpt", "value": answer},
        ]
        part.add(name, {"id": row.item.id, "image": image, "conversations": turns})

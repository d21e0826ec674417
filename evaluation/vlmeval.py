"""A VLMEvalKit TSV of a split: index, image (base64), question, answer, category.

Name it after the data set that VLMEvalKit shall know it by and put it into its LMUData folder.
State rows fit its Yes-or-No tasks, the others its open VQA tasks.
"""

import base64
import csv
from pathlib import Path

from core.items import load_items, picture_bytes
from core.store import writing
from evaluation.prompts import Setting, ask
from tasks import EVERY_TASK

COLUMNS = ("index", "image", "question", "answer", "category", "id", "manual_id")


def write_tsv(build: Path, config: str, split: str, path: Path) -> int:
    """Write the TSV whole or not at all; returns the number of rows."""
    items = load_items(build, config, split)
    setting = Setting(examples="none")
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for index, item in enumerate(items):
            picture = base64.b64encode(picture_bytes(item)).decode()
            answer = EVERY_TASK[config].score.harness_answer(item.answer)
            writer.writerow(
                [index, picture, ask(item, setting), answer, config, item.id, item.manual_id]
            )
    return len(items)

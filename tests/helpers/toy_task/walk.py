"""Build, check, push, export, score and show with one more task, in a process of its own.

python -m toy_task.walk FOLDER ORG/NAME
"""

import json
import sys
from pathlib import Path

from command import tiny_build

import lego_arta
from builder.export.run import export
from builder.export.units import Request
from builder.release.validate import violations
from core.build import read_rows
from evaluation.score import ScoreOptions, score
from review.gallery import write_gallery
from tasks import TASKS
from tasks.task import Task

# The two lines that a task needs outside its folder.
TASKS["toy"] = Task("toy", "toy_task")
lego_arta.CONFIGS["toy"], lego_arta.FEATURES["toy"] = "Counting.", lego_arta.FEATURES["scene"]


def main(folder: Path, repo: str) -> None:
    out = tiny_build(folder, "--no-probe", "--push", "--repo-id", repo)
    answers = folder / "run.toy.jsonl"
    rows = list(read_rows(out, "toy", "test"))
    answers.write_text("\n".join(
        json.dumps({"id": row.id, "answer": row.columns["answer"]}) for row in rows))  # fmt: skip
    results = score(out, [answers], ScoreOptions(workers=1))
    exported = {
        name: export(Request(out, folder / name, name, ("toy",), lego_arta.SPLITS), 1)["rows"]
        for name in ("llava", "webdataset")
    }
    shown = write_gallery(out, folder / "gallery", None)
    print(json.dumps({
        "violations": list(violations(out)),
        "rows": {s: len(list(read_rows(out, "toy", s))) for s in lego_arta.SPLITS},
        "scores": {one.name: one.values["right"] for one in results.scores},
        "exported": exported,
        "shown": shown["rows"],
        "all": sum(len(list(read_rows(out, config))) for config in TASKS),
    }))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Annotators side by side on known truth: `lego-arta measure --compare`.

Every annotator is asked about the same pictures, those of a build's crawl and parse stages; models
are run here, on one device. Speed counts preparing and answering, not reading files or loading.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import degrade, truth
from builder.annotate import ANNOTATORS, answers, asking, consensus, labelling
from builder.annotate.models import ModelOptions, Question
from builder.annotate.options import options_of
from builder.engine.local import ALONE
from core.cli import instead_of
from core.errors import UserError
from core.part_names import part_labels
from core.pictures.media import Picture, read_picture
from core.records import Annotation, Instruction, Manual, load
from core.scenes import ManualScene, load_scene
from core.store import CRAWL, PARSE

COLUMNS = (
    ("mean IoU", "label_iou"), ("one part", "single_part_iou"), (">= 0.5", "iou_over_0.5"),
    (">= 0.75", "iou_over_0.75"), (">= 0.9", "iou_over_0.9"), ("right label", "right_label_share"),
    ("right count", "instance_count_right"), ("images/s", "images_per_s"),
)  # fmt: skip


class Case(NamedTuple):
    """One picture with its true labels: `eop` of the truth file, boxes in its pixels."""

    instruction: Instruction
    question: Question
    path: Path
    eop: list[dict]
    degraded: bool
    scene: ManualScene | None = None  # of whole pictures; nobody drew the degraded ones

    def picture(self) -> Picture:
        """The picture as annotators see it."""
        picture = read_picture(self.path)
        if not self.degraded:
            return picture
        boxes = [tuple(box) for part in self.eop for box in part["boxes"]]
        return degrade.degraded(picture, boxes, self.question.image_sha256)

    def truth(self) -> list[dict]:
        """The true labels in the frame of `picture`."""
        if not self.degraded:
            return self.eop
        return [{**part, "union": degrade.degraded_box(part["union"])} for part in self.eop]


def cases_of(work: Path, known: dict, degraded: bool = False) -> list[Case]:
    """Every eop picture that truth and stages both know; raises `UserError` for none."""
    cases = []
    for manual_truth in known["manuals"]:
        manual_id = Path(manual_truth["manual_page"]).name
        if not (work / PARSE / manual_id / "manual.json").is_file():
            continue
        manual = load(work / PARSE / manual_id / "manual.json", Manual)
        scene = None if degraded else load_scene(work / CRAWL / manual_id)
        rows = {row["row"]: row for row in manual_truth["rows"] if row.get("eop")}
        for instruction in answers.rows_to_annotate(manual):
            if instruction.instruction_id in rows:
                path = work / CRAWL / manual_id / str(instruction.VLM.img_path)
                eop = rows[instruction.instruction_id]["eop"]
                question = answers.question_of(instruction)
                cases.append(Case(instruction, question, path, eop, degraded, scene))
    if not cases:
        raise UserError(f"--work {work}: no picture there that the truth knows; build it first")
    return cases


def annotate_all(
    name: str, cases: Sequence[Case], options: ModelOptions
) -> tuple[list[Annotation], float]:
    """(annotations, seconds) of one annotator."""
    seconds, annotations = 0.0, []
    module = answers.module_of(name)
    if not answers.needs_model(name):
        for case in cases:
            picture = case.picture()
            started = time.perf_counter()
            annotations.append(
                module.annotate(picture, case.question.image_sha256, case.instruction, case.scene)
            )
            seconds += time.perf_counter() - started
        return annotations, seconds
    device, *_ = ALONE.devices(options.devices)
    model, size = asking.opened(name, options, device), options.batch_size
    read = answers.reader_of(name).read
    for start in range(0, len(cases), options.batch_size):
        batch = cases[start : start + options.batch_size]
        pictures = [case.picture() for case in batch]
        started = time.perf_counter()
        made = [
            model.prepare(picture, case.question)
            for picture, case in zip(pictures, batch, strict=True)
        ]
        given, size = asking.answer_backing_off(model.answer, made, size)
        seconds += time.perf_counter() - started
        annotations += [
            labelling.annotation_of(case.question, answer, read(case.question, answer), name)
            for case, answer in zip(batch, given, strict=True)
        ]
    return annotations, seconds


def compare(names: Sequence[str], cases: Sequence[Case], options: ModelOptions) -> dict[str, dict]:
    """Measures of every annotator or consensus (names joined by +), by name."""
    single = dict.fromkeys(name for several in names for name in several.split("+"))
    for name in single:
        if name not in ANNOTATORS:
            raise UserError(f"--compare {name}: unknown; {instead_of(name, ANNOTATORS)}")
    said = {name: annotate_all(name, cases, options) for name in single}
    truths = [case.truth() for case in cases]
    result = {}
    for several in names:
        members = several.split("+")
        rows = []
        for index, case in enumerate(cases):
            annotation = consensus.combine(
                [said[name][0][index] for name in members], part_labels(case.instruction)
            )
            rows += truth.label_rows(annotation.labels, truths[index])
        seconds = sum(said[name][1] for name in members)
        result[several] = {
            **truth.box_measures(rows),
            "images": len(cases),
            "images_per_s": len(cases) / seconds,
        }
    return result


def table(result: dict[str, dict]) -> str:
    """One line an annotator."""
    width = max(len("annotator"), *map(len, result))
    lines = ["annotator".ljust(width) + "".join(f"{title:>13}" for title, _ in COLUMNS)]
    for name, numbers in result.items():
        values = "".join(
            f"{numbers[key]:>13.1f}" if key == "images_per_s" else f"{numbers[key]:>13.4f}"
            for _, key in COLUMNS
        )
        lines.append(name.ljust(width) + values)
    return "\n".join(lines)


def main(known: dict, options: argparse.Namespace) -> None:
    """The rest of `lego-arta measure --compare`."""
    cases = cases_of(options.work, known, options.degrade)[: options.limit]
    names = [name.strip() for name in options.compare.split(",")]
    result = compare(names, cases, options_of(options))
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        labels = next(iter(result.values()))["labels"]
        how = ", degraded" if options.degrade else ""
        print(f"{len(cases)} pictures{how}, {labels} labels")
        print(table(result))

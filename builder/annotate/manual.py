"""Stage 3 for one manual: every eop picture annotated."""

from pathlib import Path

from builder.annotate import FILE, answers, consensus, labelling
from builder.annotate.models import ModelOptions
from core.part_names import part_labels
from core.pictures.containers import ImageError
from core.pictures.media import Picture, read_picture
from core.records import Annotation, Instruction, Manual, dump, load
from core.scenes import ManualScene, load_scene
from core.store import CRAWL, PARSE


def write_annotations(
    work: Path, manual_id: str, annotator: str, models: ModelOptions, target: Path
) -> None:
    """Stage 3 of one manual: what the annotators say of every eop picture."""
    manual = load(work / PARSE / manual_id / "manual.json", Manual)
    names = annotator.split(",")
    scene = load_scene(work / CRAWL / manual_id)
    annotations = {
        str(instruction.instruction_id): _agreed(
            names, work / CRAWL / manual_id, instruction, work, models, scene
        )
        for instruction in answers.rows_to_annotate(manual)
    }
    (target / "annotations.json").write_bytes(dump(annotations))


def _agreed(
    names: list[str],
    crawl_folder: Path,
    instruction: Instruction,
    work: Path,
    models: ModelOptions,
    scene: ManualScene | None,
) -> Annotation:
    """What the annotators together say of one picture."""
    try:
        picture = read_picture(crawl_folder / str(instruction.VLM.img_path))
    except ImageError as err:
        sha256 = instruction.img_sha256 or ""
        return Annotation(sha256, "+".join(names), (0, 0), [], "", 0.0, err.reason)
    manual_id = crawl_folder.name
    given = [
        _annotation(name, picture, manual_id, instruction, work, models, scene) for name in names
    ]
    return consensus.combine(given, part_labels(instruction))


def _annotation(
    name: str,
    picture: Picture,
    manual_id: str,
    instruction: Instruction,
    work: Path,
    models: ModelOptions,
    scene: ManualScene | None,
) -> Annotation:
    """What one annotator says of one picture; a model has been asked before."""
    annotation: Annotation
    if name.startswith(FILE):
        annotation = answers.module_of(name).annotate(
            name, manual_id, instruction, answers.question_of(instruction), picture.size_wh
        )
        return annotation
    if not answers.needs_model(name):
        annotation = answers.module_of(name).annotate(
            picture, instruction.img_sha256 or "", instruction, scene
        )
        return annotation
    question = answers.question_of(instruction)
    if not question.labels:  # nothing to ask
        sha256 = question.image_sha256
        return Annotation(sha256, name, picture.size_wh, [], "", 0.0, "no_label_in_text")
    answer = answers.stored_answer(work, name, models, question)
    reading = answers.reader_of(name).read(question, answer)
    return labelling.annotation_of(question, answer, reading, name)

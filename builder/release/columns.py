"""What every column means, for the card and for Croissant. Names and types are in FEATURES."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from datasets import ClassLabel, Image, List

from lego_arta import FEATURES
from tasks import TASKS

# Column -> (unit, meaning). A part of a nested column is "column.part".
MEANINGS: dict[str, tuple[str, str]] = {
    "id": ("", "names the row; says nothing about the answer"),
    "manual_id": ("", "the manual it comes from"),
    "session_id": ("", "the sub-assembly of the manual"),
    "step_num": ("", "number of the step in the sub-assembly; null if its file name has none"),
    "image": ("", "the picture, lossless; its name is a hash of its content"),
    "query": ("", "what a model is asked"),
    "answer": ("", "what it should answer"),
    "instruction": ("", "text of the step in question (I_t)"),
    "previous_instruction": ("", "text of what came before it (I_t-1); null for none"),
    "entities": ("", "tagged words of the instruction, in order"),
    "entities.tag": ("", "verb, det, colorinfo, theme, target or suffix"),
    "entities.text": ("", "the words"),
    "provenance": ("", "where the row comes from"),
    "provenance.source_images": ("", "pictures of the manual that it is made from"),
    "provenance.source_images.path": ("", "path on the manual's site"),
    "provenance.source_images.sha256": ("", "hash of that file"),
    "provenance.annotator": ("", "who found the boxes, or the outline"),
    "confidence": ("0 to 1", "how sure the annotator is"),
    "sample_weight": (
        "",
        "weight for training: the confidence, or what raters gave; of masks "
        "their quality over the mean",
    ),
    "verdict": (
        "",
        "what raters decided: accepted, disputed (some would throw it out); null where nobody "
        "judged it",
    ),
    "eop_distance": (
        "rows",
        "from the text that asks to find parts to the step; 1: just before it",
    ),
    "cell": ("0 to 3", "where in the collage the target is: row by row from the top left"),
    "targets": ("", "the parts asked for, one entry a label"),
    "distractors": ("", "the parts in the other three cells"),
    "targets.label": ("", "the part in the manual's words"),
    "targets.count": ("pieces", "how many the text asks for; a picture may show fewer"),
    "targets.box_norm100": ("percent", "x0, y0, x1, y1 around all its pieces, of width and height"),
    "targets.box_px": ("pixels", "the same box in pixels of `image`; x1 and y1 are exclusive"),
    "targets.instances_px": ("pixels", "a box for every piece that is shown"),
    "label": ("", "was the step done correctly?"),
    "group_id": ("", "the same for the right picture of a step and its wrong ones"),
    "negative_kind": ("", "what is wrong: shift, rotate, ...; null if nothing is"),
    "correction": ("", "what is wrong and how to put it right; null if nothing is"),
    "false_facts": ("", "what of the instruction does not hold in this picture; empty if unknown"),
    "shift_fraction": ("share", "how far the part was moved, of the assembly's size"),
    "difficulty": (
        "",
        "of a moved part how hard that is to see: easy, medium, hard (docs/states.md)",
    ),
    "part_box_px": ("pixels", "where the part is in this picture; null where it is missing"),
    "correct_box_px": ("pixels", "where it belongs"),
    "boundary_color": ("#RRGGBB", "colour of the outline around the new part"),
    "pair_id": ("", "the same for all rows about one pair of things in one picture"),
    "conversation_type": ("", "choose a relation, describe it once, or three times"),
    "template_id": ("", "which wording the question has"),
    "subject": ("", "the thing whose place is asked about: new parts of the step"),
    "subject.label": ("", "what it is called in question and answer"),
    "subject.box_px": ("pixels", "x0, y0, x1, y1 around what is seen of it"),
    "subject.box_norm100": ("percent", "the same box, of width and height"),
    "object": ("", "what its place is told by; of the table the box is the whole picture"),
    "object.label": ("", "what it is called in question and answer"),
    "object.box_px": ("pixels", "x0, y0, x1, y1 around what is seen of it"),
    "object.box_norm100": ("percent", "the same box, of width and height"),
    "relations": (
        "",
        "what holds, the most telling first: on, in, next, under, above, behind, "
        "in front of, left, right",
    ),
    "relations_text": ("", "what the instruction says of the two; empty if nothing"),
    "relations_image": ("", "what the picture alone shows; empty if nothing"),
    "relations_scene": ("", "what holds in space, where the source knows it; empty elsewhere"),
    "frame": ("", "builder: sides are those of a reader before the model; image: of the picture"),
    "relations_agree": ("", "whether the readings share a relation; null for a single reading"),
    "descriptions_v1": ("", "short true descriptions"),
    "descriptions_v2": ("", "richer true descriptions"),
    "contrast": ("", "a false description of the same two; null where none is surely false"),
    "mask": ("", "which pixels the query is about: 255, the others 0; of the picture's size"),
    "boxes_px": ("pixels", "a box for every single thing that the query is about"),
    "area_ratio": ("share", "how much of the picture the mask covers"),
    "instruction_variants": ("", "instructions that mean the same pixels; the query is one"),
    "instruction_variants.level": ("", "simple (names), manual (the text), complex (by relation)"),
    "instruction_variants.text": ("", "the instruction"),
    "origin": ("", "the task that the picture and its pixels are from"),
    "source": ("", "who says which pixels: the source of the picture, people, or a program"),
    "candidates": ("", "what each annotator found"),
    "candidates.annotator": ("", "its name"),
    "candidates.box_px": ("pixels", "x0, y0, x1, y1 around its mask"),
    "candidates.mask_iou_with_chosen": ("0 to 1", "overlap of its mask with the one chosen"),
    "candidates.score": ("0 to 1", "its own confidence"),
    "agreement": ("0 to 1", "mean overlap of all candidates; null for a single one"),
    "n_annotators": ("", "how many annotators gave a mask"),
    "quality": ("0 to 1", "how likely the mask is as good as one of the source or of people"),
    "uses_gold_mask": ("", "whether the mask tells the answer of a benchmark of its origin"),
    "failure": (
        "",
        "what a reviewer saw wrong: missing_target, misguided_target, "
        "insufficient_reasoning; null if nothing",
    ),
    "diversified": (
        "",
        "whether a model or rules put the answer or instruction into other words",
    ),
}


class Column(NamedTuple):
    """A column, or a part of one: "targets.label"."""

    name: str
    type: str
    unit: str
    meaning: str
    configs: tuple[str, ...]


def columns() -> list[Column]:
    """All columns of all configs, each once, in the order of FEATURES; KeyError without a meaning.

    Parts of `distractors` are those of `targets`, and a cell.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for config in TASKS:
        for name, type_name in _flat("", FEATURES[config]):
            found.setdefault(name, (type_name, []))[1].append(config)
    return [
        Column(name, type_name, *meaning_of(name), tuple(configs))
        for name, (type_name, configs) in found.items()
    ]


def meaning_of(name: str) -> tuple[str, str]:
    """(unit, meaning) of a column or part. Raises KeyError for one that nobody explained."""
    same = name.replace("distractors.", "targets.").replace("targets.cell", "cell")
    return MEANINGS[same]


def _flat(prefix: str, features: Any) -> Iterator[tuple[str, str]]:
    for name, feature in features.items():
        whole = f"{prefix}{name}"
        yield whole, type_text(feature)
        inner = feature.feature if isinstance(feature, List) else feature
        if isinstance(inner, dict) and whole != "distractors":
            yield from _flat(f"{whole}.", inner)


def type_text(feature: Any) -> str:
    """The type for people: "string", "list of 4 float32", "class: no, yes"."""
    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, ClassLabel):
        return f"class: {', '.join(feature.names)}"
    if isinstance(feature, List):
        number = f"{feature.length} " if feature.length > 0 else ""
        return f"list of {number}{type_text(feature.feature)}"
    return "record" if isinstance(feature, dict) else str(feature.dtype)

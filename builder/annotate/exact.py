"""The annotator of pictures whose source drew them: boxes from its scene (`core/scenes.py`).

Pictures that have none are annotated as `foreground` does, and say so.
"""

from builder.annotate import foreground
from core.boxtext import box_answer
from core.part_names import is_named, part_labels, phrases
from core.pictures.media import Picture
from core.records import Annotation, Instruction, LabelBox, PartLabel
from core.scenes import ManualScene, ScenePicture
from synthesis.boxes import Box, px_to_norm100, union

NAME = "exact"


def annotate(
    picture: Picture, image_sha256: str, instruction: Instruction, scene: ManualScene | None
) -> Annotation:
    """Boxes for every label of one eop row; `error` says why there are none."""
    drawn = [one for one in scene.pictures if one.sha256 == image_sha256] if scene else []
    if scene is None or not drawn:
        return foreground.annotate(picture, image_sha256, instruction, scene)
    labels = part_labels(instruction)
    found = [_boxes(scene, drawn[0], label) for label in labels]
    error = None
    if not labels:
        error = "no_label_in_text"
    elif not all(found):
        error = "label_not_in_scene"
    if error:
        return Annotation(image_sha256, NAME, picture.size_wh, [], "", 0.0, error)
    unions = [px_to_norm100(union(boxes), picture.size_wh) for boxes in found]
    return Annotation(
        image_sha256,
        NAME,
        picture.size_wh,
        [LabelBox(label.text, label.number, boxes, 1.0)
         for label, boxes in zip(labels, found, strict=True)],
        box_answer(list(zip(phrases(labels), unions, strict=True))),
        1.0,
    )  # fmt: skip


def _boxes(scene: ManualScene, picture: ScenePicture, label: PartLabel) -> list[Box]:
    """Boxes of the parts in a picture that a label names, in the order they were drawn."""
    return [
        (float(x0), float(y0), float(x1), float(y1))
        for shown in picture.shown
        for part in [scene.parts[shown.part_id]]
        if shown.box_xyxy_px and is_named(label, part.label, part.color)
        for x0, y0, x1, y1 in [shown.box_xyxy_px]
    ]

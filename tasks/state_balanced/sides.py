"""Groups of four from a manual's own pictures: the picture and its mirror image, by "left" and
"right".

Seen in a mirror a model is one whose left and right are exchanged, so what the manual says with
these words exchanged is true of it, and what it says as it stands is not.
"""

import re

import numpy as np

from core.part_names import part_labels
from core.places import OTHER_SIDE, SIDE, seen_in_a_mirror
from synthesis.boxes import Box, iou, of_mask
from synthesis.placement import RIGHT_PLACE_IOU_MAX
from synthesis.restoration import without_outline
from synthesis.segmentation import segment
from tasks.context import Context
from tasks.flat_regions import standing_masks
from tasks.outline import SessionColor
from tasks.sessions import ManualRow
from tasks.state.corrections import placed
from tasks.state.group import Example, Words

# What else a mirror exchanges, and a "right" that is no side: "right next to", "right on top".
UNCLEAR = re.compile(
    r"clockwise|\bright (?:next|beside|adjacent|against|behind|above|over|below|under|in|on|at)\b",
    re.IGNORECASE,
)
# How far the part's middle is from the assembly's, of its width, for its side to be seen.
OFF_MIDDLE_MIN = 0.1


def side_told(row: ManualRow) -> str | None:
    """The side that a step's words name, where it is one and no part's name has a hand."""
    told = [side.lower() for line in row.instruction.text for side in SIDE.findall(line)]
    found = row.eop.text if row.eop else []
    if len(set(told)) != 1 or any(map(SIDE.search, found)):
        return None
    if any(map(UNCLEAR.search, row.instruction.text)):
        return None
    side: str = told[0]
    return side


def examples(context: Context, row: ManualRow, color: SessionColor) -> list[Example] | str:
    """The examples of a step, or the reason why there are none. Raises `ImageError`."""
    side = side_told(row)
    if side is None:
        return "no_side_in_instruction"
    picture = context.picture(row.instruction)
    before = context.picture(row.step_before) if row.step_before else None
    if picture is None or before is None or color.vote.color is None:
        raise ValueError(f"{context.item(row.instruction)}: `reason_against` lets this not come")
    found = segment(picture.rgb, before.rgb, color.vote.color, color.tolerance)
    if found is None:
        return "no_outline_in_picture"
    assembly, marks = standing_masks(context, row.instruction)
    whole = of_mask(assembly)
    if whole is None or not is_seen(found.box_px, whole, side):
        return "side_not_seen"
    right = without_marks(picture.rgb, marks)
    images = [context.new_image(rgb) for rgb in (right, np.ascontiguousarray(right[:, ::-1]))]
    box, there = found.box_px, mirrored(found.box_px, right.shape[1])
    here = Words(list(row.eop.text if row.eop else []), list(row.instruction.text),
                 row.instruction.entities)  # fmt: skip
    other = Words(
        here.find_lines,
        [seen_in_a_mirror(line) for line in here.put_lines],
        [{k: seen_in_a_mirror(v) for k, v in one.items()} for one in here.entities],
    )
    number = sum(label.number for label in part_labels(row.eop)) if row.eop else 1
    several = placed(row.instruction, number) > 1

    def cure(wanted: str) -> str:
        parts, belong = ("parts are", "they belong") if several else ("part is", "it belongs")
        return f"The {parts} on the wrong side: {belong} on the {wanted}."

    kind, false = "mirror", ("x",)
    return [
        Example(images[0], None, None, 0.0, box, box, says=here),
        Example(images[1], None, None, 0.0, there, there, says=other),
        Example(images[1], kind, cure(side), 0.0, there, box, false, here),
        Example(images[0], kind, cure(OTHER_SIDE[side]), 0.0, box, there, false, other),
    ]


def is_seen(part: Box, whole: Box, side: str) -> bool:
    """Whether a part lies on a side of the assembly in the picture too, plainly enough for its
    mirror image to be another place."""
    middle, width = (whole[0] + whole[2]) / 2, whole[2] - whole[0]
    off = ((part[0] + part[2]) / 2 - middle) / max(1.0, width)
    if (off if side == "right" else -off) < OFF_MIDDLE_MIN:
        return False
    other = (2 * middle - part[2], part[1], 2 * middle - part[0], part[3])
    return iou(part, other) <= RIGHT_PLACE_IOU_MAX


def without_marks(rgb: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) without what is printed beside the model, which a mirror would show."""
    return without_outline(rgb, marks) if marks.any() else rgb


def mirrored(box: Box, width: int) -> Box:
    """A box in the mirrored picture."""
    return (width - box[2], box[1], width - box[0], box[3])

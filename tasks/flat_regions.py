"""Regions of steps whose pictures others drew: by the outline, or by what changed.

A session is gone through in order: where a part lies is known from the step in which it was new,
less what was put before it since.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.nouns import singular
from core.part_names import part_labels
from core.pictures.containers import ImageError
from synthesis.boxes import Box
from synthesis.changes import changed_parts, has_moved
from synthesis.foreground import DIFFERENCE_MIN, LOSSY_DIFFERENCE_MIN, foreground_mask
from synthesis.kinds import look_the_same, shades_of, split_by_shades, without_specks
from synthesis.printed import printed_marks
from synthesis.segmentation import segment
from tasks.regions import (
    DIFFERENCE,
    OUTLINE,
    Region,
    StepRegions,
    exact_scene,
    is_seen,
    region,
)
from tasks.sessions import ManualRow

if TYPE_CHECKING:
    from core.pictures.media import Picture
    from core.records import Instruction, PartLabel
    from tasks.context import Context

# How far a mask that was found by what changed is to be trusted: its share of steps with IoU above
# 0.9 on real models without outline (57 of 59).
DIFFERENCE_CONFIDENCE = 0.95


def standing_masks(context: Context, instruction: Instruction) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) bool what stands in a row's picture, and the numbers printed beside it; found once,
    for the tasks look at most pictures several times. Raises `ImageError`."""
    key, picture = instruction.VLM.img_path or "", context.picture(instruction)
    if picture is None:
        raise ValueError(f"{context.item(instruction)}: it has no picture to look at")
    found = context.standing.get(key)
    if found is None:
        found = standing_of(picture)
        if sum(mask.nbytes for mask in found) < context.standing.maxsize:
            context.standing[key] = found
    return found


def standing_of(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """The same of any picture, found anew."""
    least = LOSSY_DIFFERENCE_MIN if picture.lossy else DIFFERENCE_MIN
    mask = foreground_mask(picture.rgb, picture.alpha, least)
    marks = printed_marks(picture.rgb, mask)
    return mask & ~marks, marks


def regions_of_session(context: Context, session_id: str) -> dict[int, StepRegions | str]:
    """By instruction id, of the steps that have no scene."""
    found: dict[int, StepRegions | str] = {}
    earlier: list[tuple[Region, int]] = []  # with the pixels seen when they were new
    built: np.ndarray | None = None  # what stood there in the step before
    for row in context.sessions[session_id]:
        if row.is_eop or row.instruction.VLM.task_label is None or exact_scene(context, row):
            continue
        try:
            made = _step(context, row, [one for one, _ in earlier], built)
        except ImageError as error:
            made = error.reason
        number = row.instruction.instruction_id
        if isinstance(made, str):
            found[number] = made
            # What was put now hides nobody knows what, or all lies elsewhere.
            earlier, built = [], None
            continue
        now, built = made
        found[number] = now
        hidden = np.logical_or.reduce([one.mask for one in now.new])
        earlier = [(left, whole) for one, whole in earlier if (left := _less(one, hidden, whole))]
        earlier += [(one, int(one.pixels.sum())) for one in now.new]
    return found


def _less(one: Region, hidden: np.ndarray, whole_px: int) -> Region | None:
    """A region without what hides it; None where it is hidden."""
    mask = one.mask
    if not (mask & hidden).any():
        return one
    mask &= ~hidden
    if not is_seen(int(mask.sum()), whole_px, one.size_wh):
        return None
    return region(mask, (one.label, one.color), one.count)


def _step(
    context: Context, row: ManualRow, earlier: list[Region], built: np.ndarray | None
) -> tuple[StepRegions, np.ndarray] | str:
    """The regions of a step and what stands there after it; the reason why they are not known."""
    picture = context.picture(row.instruction)
    before = context.picture(row.step_before) if row.step_before else None
    labels = new_labels(row)
    if picture is None:
        return "no_picture"
    if row.step_before is not None and before is None:
        return "no_picture_of_step_before"
    if not labels:
        return "parts_not_named"
    if before is not None and before.rgb.shape != picture.rgb.shape:
        return "picture_size_changed"
    standing, marks = standing_masks(context, row.instruction)
    if row.step_before is not None and built is None:
        built, _ = standing_masks(context, row.step_before)
    if built is not None and has_moved(standing, built):
        return "view_changed"
    mask, source, confidence = _new_mask(context, row, picture, before, standing, marks)
    if mask is None or not is_seen(int(mask.sum()), 0, picture.size_wh):
        return "new_parts_not_found"
    kinds = _kinds(context, row, picture.rgb, mask, labels)
    if kinds is None:
        return "kinds_look_the_same"
    new = [
        one for label, own in zip(labels, kinds, strict=True)
        if (one := region(own, _name(label), label.number, _pieces(own, label.number)))
    ]  # fmt: skip
    if len(new) < len(labels):
        return "new_parts_not_found"
    rest = standing & ~mask if built is None else built & standing & ~mask
    assembly = region(rest, ("", ""), 1) if row.step_before is not None else None
    if assembly is not None:
        assembly = assembly if is_seen(int(rest.sum()), 0, picture.size_wh) else None
    seen = [one for r in earlier if (one := _less(r, mask, int(r.pixels.sum())))]
    return StepRegions(source, confidence, new, seen, assembly), standing | mask


def new_labels(row: ManualRow) -> list[PartLabel]:
    """What a step adds: what was to be found just before it, else what its own text names."""
    if row.eop is not None and row.directly:
        return part_labels(row.eop)
    return part_labels(row.instruction)


def _name(label: PartLabel) -> tuple[str, str]:
    return (singular(label.theme) if label.number > 1 else label.theme), label.color


def _new_mask(
    context: Context,
    row: ManualRow,
    picture: Picture,
    before: Picture | None,
    standing: np.ndarray,
    marks: np.ndarray,
) -> tuple[np.ndarray | None, str, float]:
    """(H, W) bool of the new parts, how they were found, and how sure that is."""
    color = context.colors[row.session_id]
    rgb_before = None if before is None else before.rgb
    if color.vote.color is not None:
        found = segment(picture.rgb, rgb_before, color.vote.color, color.tolerance)
        if found is not None:
            return found.part, OUTLINE, color.vote.score
    if rgb_before is None:
        return standing, DIFFERENCE, DIFFERENCE_CONFIDENCE
    lossy = picture.lossy or (before is not None and before.lossy)
    changed = changed_parts(picture.rgb, rgb_before, lossy)
    return changed & ~marks, DIFFERENCE, DIFFERENCE_CONFIDENCE


def _kinds(
    context: Context, row: ManualRow, rgb: np.ndarray, mask: np.ndarray, labels: list[PartLabel]
) -> list[np.ndarray] | None:
    """The mask of each label; None where they can't be told apart."""
    if len(labels) == 1:
        return [mask]
    colors = {label.color.casefold() for label in labels}
    if len(colors) < len(labels):
        return None
    shades = _shades(context, row.eop, len(labels)) if row.eop and row.directly else None
    if shades is None or any(look_the_same(a, b) for a, b in combinations(shades, 2)):
        return None
    return split_by_shades(rgb, mask, shades)


def _shades(context: Context, eop: Instruction, number: int) -> list[np.ndarray] | None:
    """The shades of every label of a find picture, by its boxes."""
    annotation = context.annotations.get(eop.instruction_id)
    picture = context.picture(eop)
    if annotation is None or annotation.error or picture is None:
        return None
    if len(annotation.labels) != number:
        return None
    standing, _ = standing_masks(context, eop)
    shades = []
    for label in annotation.labels:
        own = np.zeros_like(standing)
        for x0, y0, x1, y1 in (map(int, box) for box in label.instances_px):
            own[y0:y1, x0:x1] = standing[y0:y1, x0:x1]
        if not own.any():
            return None
        shades.append(shades_of(picture.rgb[own]))
    return shades


def _pieces(mask: np.ndarray, count: int) -> list[Box]:
    """A box a part, where the parts lie apart; none where they touch."""
    number, _, stats, _ = cv2.connectedComponentsWithStats(without_specks(mask).astype(np.uint8))
    if number - 1 != count:
        return []
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h, _ in stats[1:]]

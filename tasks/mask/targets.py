"""What masks are about: parts of a find picture, or what a step adds and what it goes to.

Exact where a scene tells, else as good as what was found by outline, difference or foreground.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from core.part_names import is_named
from core.records import Annotation, PartLabel
from core.scenes import PartInstance, ScenePicture
from synthesis.boxes import Box, as_box, of_mask
from synthesis.collage import Fitted, box_in_collage
from tasks.context import Context
from tasks.flat_regions import standing_masks
from tasks.mask.candidates import numbers_in_boxes
from tasks.regions import (
    EXACT,
    Region,
    StepRegions,
    exact_scene,
    parts_before,
    region,
    seen_parts,
)
from tasks.sessions import ManualRow
from tasks.spatial import space, things
from tasks.spatial.reading import TABLE, Placing
from tasks.spatial.space import NEAR_MM

# Parts of a picture that others drew touch where an outline of this width may run between them.
TOUCH_PX_AT_960 = 8


@dataclass(frozen=True)
class Target:
    """Pixels of a picture, (H, W) bool, and what they are called: names with their boxes.

    `found_by` is who found them, "exact" where the source knows; `instances_px` are boxes of the
    single parts. `names` are as an answer gives them, in the order of the instruction.
    """

    mask: np.ndarray
    names: list[tuple[str, Box]]
    instances_px: list[Box]
    found_by: str
    confidence: float

    @property
    def is_exact(self) -> bool:
        """Whether the source knows the pixels."""
        return self.found_by == EXACT


@dataclass(frozen=True)
class StepTarget:
    """New parts of a step and what they go to, as regions; `by_text` is whether the step names the
    anchor, `rests` whether the anchor is all that the new parts rest on."""

    target: Target
    new: list[Region]
    anchors: list[Region]
    relation: str | None = None
    rests: bool = False
    by_text: bool = field(default=False)


# Find pictures -----------------------------------------------------------------------------------


def found_parts(
    context: Context, row: ManualRow, annotation: Annotation, chosen: np.ndarray | None = None
) -> list[Region] | str:
    """The region of every label of a find picture, in the order of its text; the reason where one
    can't be told. `chosen` (H, W) bool are the pixels of all parts, where the source does not know
    them. Raises `ImageError`."""
    drawn = context.scene_picture(row.instruction)
    if drawn is not None and context.scene is not None:
        numbers = context.part_numbers(drawn)
        masks = [_named_pixels(context.scene.parts, drawn, numbers, one.label)
                 for one in annotation.labels]  # fmt: skip
    else:
        standing = standing_masks(context, row.instruction)[0] if chosen is None else chosen
        masks = [numbers_in_boxes(standing, one.instances_px) > 0 for one in annotation.labels]
    regions = []
    for mask, label in zip(masks, annotation.labels, strict=True):
        boxes = [as_box(box) for box in label.instances_px]
        found = region(mask, (label.label, ""), label.count, boxes)
        if found is None:
            return "parts_not_found"
        regions.append(found)
    return regions


def _named_pixels(
    parts: Sequence[PartInstance], picture: ScenePicture, numbers: np.ndarray, text: str
) -> np.ndarray:
    label = PartLabel(1, "", text)
    places = [
        place for place, shown in enumerate(picture.shown, 1)
        for part in [parts[shown.part_id]]
        if is_named(label, part.label, part.color)
    ]  # fmt: skip
    return np.isin(numbers, places)


def mask_in_collage(
    mask: np.ndarray, fitted: Fitted, cell: int, cell_wh: tuple[int, int]
) -> np.ndarray:
    """A mask of a cell's source picture in the collage, (2h, 2w) bool: scaled as its picture is,
    a pixel belongs to it where at least half of it did."""
    width, height = cell_wh
    inner_wh = (
        round(mask.shape[1] * fitted.scale_xy[0]),
        round(mask.shape[0] * fitted.scale_xy[1]),
    )
    method = cv2.INTER_AREA if fitted.scale_xy[0] < 1 else cv2.INTER_LINEAR
    inner = cv2.resize(mask.astype(np.float32), inner_wh, interpolation=method) >= 0.5
    found = np.zeros((2 * height, 2 * width), bool)
    left = cell % 2 * width + fitted.offset_xy[0]
    top = cell // 2 * height + fitted.offset_xy[1]
    found[top : top + inner_wh[1], left : left + inner_wh[0]] = inner
    return found


def boxes_in_collage(
    boxes_px: Sequence[Box], fitted: Fitted, cell: int, cell_wh: tuple[int, int]
) -> list[Box]:
    """Boxes of a cell's source picture in the collage."""
    return [box_in_collage(box, fitted, cell, cell_wh) for box in boxes_px]


# Steps -------------------------------------------------------------------------------------------


def step_target(
    context: Context, row: ManualRow, regions: StepRegions, placing: Placing | None
) -> StepTarget | str:
    """The new parts of a step and what they go to: what the text names, else what they touch. The
    reason where that can't be told."""
    anchor = placing.anchor if placing else None
    named = None if anchor in (None, TABLE) else _named(regions, anchor or "")
    if isinstance(named, str):
        return named
    touched = _touched(context, row, regions)
    if isinstance(touched, str):
        return touched
    anchors, rests = touched
    relation = None
    if named is not None and placing is not None:
        same = [one.part_ids for one in anchors] == [named.part_ids] and regions.source == EXACT
        anchors, rests, relation = [named], rests and same, placing.relation
    return StepTarget(
        joined(regions, [*regions.new, *anchors]), regions.new, anchors, relation, rests,
        named is not None,
    )  # fmt: skip


def joined(regions: StepRegions, several: Sequence[Region]) -> Target:
    """Regions of one step as one target."""
    return Target(
        np.logical_or.reduce([one.mask for one in several]),
        [(_counted(one), one.box_px) for one in several],
        [box for one in several for box in one.instances_px],
        regions.source,
        regions.confidence,
    )


def _counted(one: Region) -> str:
    """As answers name parts: with their number."""
    thing = things.part(one)
    return thing.bare if thing.count > 1 else f"1 {thing.bare}"


def _named(regions: StepRegions, anchor: str) -> Region | str:
    """The one earlier thing in the picture that a text names as an anchor."""
    found = [one for one in regions.earlier if things.is_called(one, anchor)]
    if not found:
        return "anchor_not_found"
    return found[0] if len(found) == 1 and found[0].count == 1 else "anchor_not_unique"


def _touched(
    context: Context, row: ManualRow, regions: StepRegions
) -> tuple[list[Region], bool] | str:
    """What the new parts touch: all that they rest on, else what rests on them, else what stands
    against them; and whether it is the first."""
    if row.step_before is None or regions.assembly is None:
        return [], False
    if regions.source == EXACT:
        return _touched_in_space(context, row, regions)
    size = 2 * max(1, round(TOUCH_PX_AT_960 * regions.new[0].size_wh[0] / 960)) + 1
    new = np.logical_or.reduce([one.mask for one in regions.new]).astype(np.uint8)
    near = cv2.dilate(new, np.ones((size, size), np.uint8)).astype(bool)
    shared = [int((one.mask & near).sum()) for one in regions.earlier]
    if not any(shared):
        return "anchor_not_known"
    return [regions.earlier[int(np.argmax(shared))]], False


def _touched_in_space(
    context: Context, row: ManualRow, regions: StepRegions
) -> tuple[list[Region], bool] | str:
    drawn = exact_scene(context, row)
    if drawn is None or context.scene is None:
        return "no_scene"
    step, picture = drawn
    before = parts_before(context, step)
    new = [np.array(context.scene.parts[i].box_mm) for i in step.new_ids]
    for way, rests in ((_rests_on, True), (_carries, False), (_beside, False)):
        ids = {one.id for one in before if any(way(box, np.array(one.box_mm)) for box in new)}
        if ids:
            return _regions_of(context, picture, [p for p in before if p.id in ids], rests)
    return [], False


def _regions_of(
    context: Context, picture: ScenePicture, parts: Sequence[PartInstance], rests: bool
) -> tuple[list[Region], bool] | str:
    """Parts by their name, as far as they are seen; the reason where one kind is hidden."""
    numbers = context.part_numbers(picture)
    place = {shown.part_id: number for number, shown in enumerate(picture.shown, 1)}
    boxes = {one.part_id: as_box(one.box_xyxy_px) for one in picture.shown if one.box_xyxy_px}
    kinds: dict[tuple[str, str], list[int]] = {}
    for part in parts:
        kinds.setdefault((part.label, part.color), []).append(part.id)
    found = []
    for name, ids in kinds.items():
        every = all(i in boxes for i in ids)
        one = seen_parts(numbers, place, boxes, name, ids) if every else None
        if one is None:
            return "anchor_hidden"
        found.append(one)
    return found, rests


def _rests_on(one: np.ndarray, other: np.ndarray) -> bool:
    return space.touches_above(one, other[None])


def _carries(one: np.ndarray, other: np.ndarray) -> bool:
    return _rests_on(other, one)


def _beside(one: np.ndarray, other: np.ndarray) -> bool:
    return any(
        space.apart(one, other, axis) <= NEAR_MM and space.overlap(one, other, (1 - axis, 2))
        for axis in (0, 1)
    )


def connected_boxes(mask: np.ndarray) -> list[Box]:
    """Boxes of the connected pieces of a mask that are more than specks."""
    number, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    least = max(4, 0.01 * mask.sum())
    return [
        (float(x), float(y), float(x + w), float(y + h))
        for x, y, w, h, area in stats[1:number]
        if area >= least
    ] or [box for box in [of_mask(mask)] if box]

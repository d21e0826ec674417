"""Which pixels of a step's picture are the new parts, earlier parts and the assembly before it.

Found once a step, for every task that asks where something is: from the scene where the source drew
the picture, else from the outline around the new parts, else from what changed since the step
before (`tasks/flat_regions.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.pictures.containers import ImageError
from core.pictures.media import encode_rgba
from synthesis.boundary import color_mask
from synthesis.boxes import Box, as_box, of_mask, union
from synthesis.cutout import bare_part, cut
from synthesis.segmentation import Segment
from tasks.sessions import ManualRow

if TYPE_CHECKING:
    from core.scenes import PartInstance, ScenePicture, StepScene
    from tasks.context import Context
    from tasks.outline import SessionColor

EXACT, OUTLINE, DIFFERENCE = "exact", "outline", "difference"
# A part of which less than this share is still seen, or fewer pixels in a 960 px wide picture, is
# hidden: nobody could say where it is.
SEEN_SHARE_MIN, SEEN_PX_AT_960 = 0.25, 60


@dataclass(frozen=True)
class Region:
    """Equal parts in one picture. `label` is the name of one ("brick 2x4"), `color` its colour
    words; `pixels` is (h, w) bool, what is seen of them within `box_px`. `part_ids` are those of
    the scene, for parts that are hidden as well; empty without one.
    """

    label: str
    color: str
    count: int
    pixels: np.ndarray
    box_px: Box
    instances_px: tuple[Box, ...]
    size_wh: tuple[int, int]
    part_ids: tuple[int, ...] = ()

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool in the whole picture."""
        found = np.zeros(self.size_wh[::-1], bool)
        x0, y0, x1, y1 = (int(v) for v in self.box_px)
        found[y0:y1, x0:x1] = self.pixels
        return found


@dataclass(frozen=True)
class StepRegions:
    """What is where in a step's picture. `source` is exact, outline or difference; with the pixels
    of a mask that others agree on, who gave it (`tasks/mask/mixture.py`).

    `new` are the parts of the step by kind, in the order of its texts; `earlier` parts of the steps
    before that are still seen, `assembly` all that stands there besides the new parts; None where
    nothing does.
    """

    source: str
    confidence: float
    new: list[Region]
    earlier: list[Region]
    assembly: Region | None


def region(
    mask: np.ndarray,
    name: tuple[str, str],
    count: int,
    instances_px: Sequence[Box] = (),
    part_ids: Iterable[int] = (),
) -> Region | None:
    """The region of a (H, W) bool mask, `name` its label and colour; None where it is empty."""
    box = of_mask(mask)
    if box is None:
        return None
    x0, y0, x1, y1 = (int(v) for v in box)
    size_wh = (mask.shape[1], mask.shape[0])
    pixels = mask[y0:y1, x0:x1].copy()
    return Region(*name, count, pixels, box, tuple(instances_px) or (box,), size_wh,
                  tuple(part_ids))  # fmt: skip


def step_regions(context: Context, row: ManualRow) -> StepRegions | str:
    """The regions of a step row, or the reason why they are not known."""
    known = context.regions.get(row.session_id)
    if known is None:
        from tasks.flat_regions import regions_of_session

        flat = regions_of_session(context, row.session_id)
        known = context.regions[row.session_id] = flat
    number = row.instruction.instruction_id
    if number not in known:
        known[number] = _exact(context, row) or "no_step"
    return known[number]


def is_seen(seen_px: int, whole_px: int, size_wh: tuple[int, int]) -> bool:
    """Whether enough of parts is seen to say where they are."""
    least = SEEN_PX_AT_960 * (size_wh[0] / 960) ** 2
    return seen_px >= max(least, SEEN_SHARE_MIN * whole_px)


def exact_scene(context: Context, row: ManualRow) -> tuple[StepScene, ScenePicture] | None:
    """The scene of a step and its picture, where the source drew it."""
    step, picture = context.step_scene(row.instruction), context.scene_picture(row.instruction)
    return (step, picture) if step is not None and picture is not None else None


def parts_before(context: Context, step: StepScene) -> list[PartInstance]:
    """The parts that stand in a step's session before it, hidden ones too."""
    if context.scene is None:
        return []
    return [
        context.scene.parts[i]
        for other in context.scene.steps
        if other.session == step.session and other.step < step.step
        for i in other.new_ids
    ]


def _exact(context: Context, row: ManualRow) -> StepRegions | str | None:
    """Regions from the scene's masks; None where there is no scene of the picture."""
    drawn = exact_scene(context, row)
    if drawn is None or context.scene is None:
        return None
    step, picture = drawn
    numbers = context.part_numbers(picture)
    place = {shown.part_id: number for number, shown in enumerate(picture.shown, 1)}
    boxes = {one.part_id: as_box(one.box_xyxy_px) for one in picture.shown if one.box_xyxy_px}
    new = []
    for group in step.says.groups:
        found = seen_parts(numbers, place, boxes, (group.label, group.color), group.part_ids)
        if found is None:
            return "part_hardly_visible"
        new.append(found)
    before = parts_before(context, step)
    kinds: dict[tuple[str, str], list[int]] = {}
    for part in before:
        kinds.setdefault((part.label, part.color), []).append(part.id)
    earlier = [seen_parts(numbers, place, boxes, name, ids) for name, ids in kinds.items()]
    whole = seen_parts(numbers, place, boxes, ("", ""), [part.id for part in before])
    return StepRegions(EXACT, 1.0, new, [one for one in earlier if one], whole)


def seen_parts(
    numbers: np.ndarray,
    place: dict[int, int],
    boxes: dict[int, Box],
    name: tuple[str, str],
    ids: Sequence[int],
) -> Region | None:
    """The region of parts of a scene; None where all of them are hidden."""
    mask = np.isin(numbers, [place[i] for i in ids if i in place])
    instances = [boxes[i] for i in ids if i in boxes]
    found = region(mask, name, len(ids), instances, ids)
    size_wh = (numbers.shape[1], numbers.shape[0])
    return found if found is not None and is_seen(int(mask.sum()), 0, size_wh) else None


def record_parts(context: Context) -> None:
    """The bare new parts of every step and the box of what stood before, for the manual's JSON
    (thesis, chapter 5), where making states has not left them already."""
    for row in context.rows():
        number = row.instruction.instruction_id
        if row.is_eop or row.instruction.VLM.task_label is None or number in context.parts:
            continue
        found = step_regions(context, row)
        picture = None if isinstance(found, str) else context.picture(row.instruction)
        if isinstance(found, str) or picture is None:
            continue
        mask = np.logical_or.reduce([one.mask for one in found.new])
        bare = _bare(picture.rgb, mask, context.colors[row.session_id])
        try:
            context.parts[number] = encode_rgba(bare)
        except ImageError as error:
            context.unusable("state", row.instruction, error)
            continue
        if found.assembly is not None:
            rect = [int(v) for v in found.assembly.box_px]
            context.background_rects_px.setdefault(number, rect)


def _bare(rgb: np.ndarray, mask: np.ndarray, color: SessionColor) -> np.ndarray:
    """(h, w, 4) uint8: what is in a mask, without what an outline leaves of its colour."""
    outline = np.zeros_like(mask)
    if color.vote.color is not None:
        outline = color_mask(rgb, color.vote.color, color.tolerance).astype(bool)
    found = Segment(mask, outline, union([of_mask(mask) or (0, 0, 1, 1)]))
    return bare_part(cut(rgb, found))

"""State examples of steps whose source drew what else could have been built (`core/scenes.py`).

Right and wrong pictures come from one renderer, camera and encoder, and a wrong one is wrong by its
facts: nothing is cut out or restored.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core import scenes
from core.pictures.containers import ImageError
from core.pictures.media import encode_rgba
from core.scenes import EXCHANGED, Alternative, ScenePicture, StepScene
from synthesis.boxes import Box, union
from synthesis.negatives import NEGATIVES_PER_STEP
from synthesis.placement import shift_fraction
from tasks.context import Context, EncodedImage
from tasks.outline import hex_color
from tasks.sessions import ManualRow
from tasks.state.group import Example, Finder, Words, no_question, state_row
from tasks.state.text import EXACT
from tasks.task import Row


class Step(NamedTuple):
    """A step with its scene: the right picture, what stood before it, and its box in pixels."""

    context: Context
    row: ManualRow
    scene: StepScene
    picture: ScenePicture
    image: EncodedImage
    assembly_px: Box

    def box(self, picture: ScenePicture, said: scenes.Statement) -> Box:
        """The box in a picture around the parts that a step adds. They can be seen, all of them."""
        new = {part_id for group in said.groups for part_id in group.part_ids}
        return union([one.box_xyxy_px for one in picture.shown
                      if one.part_id in new and one.box_xyxy_px])  # fmt: skip


def groups(
    context: Context, config: str, examples_of: Callable[[Step], list[Example] | str]
) -> Iterator[Row]:
    """The rows of every step that `examples_of` gives examples for, else a drop with its reason."""
    for session in context.sessions.values():
        for row in session:
            if row.is_eop or row.instruction.VLM.task_label is None:
                continue
            try:
                step = _step(context, row)
                examples = step if isinstance(step, str) else examples_of(step)
            except ImageError as error:
                context.unusable(config, row.instruction, error)
                continue
            if isinstance(examples, str) or isinstance(step, str):
                context.drop(config, row.instruction, str(examples))
                continue
            outline = step.picture.outline_rgb
            finder = Finder(EXACT, 1.0, hex_color(outline) if outline else None)
            made = [state_row(config, context, row, example, finder) for example in examples]
            yield from sorted(made, key=lambda one: one["id"])


def one_right_three_wrong(step: Step) -> list[Example] | str:
    """The papers' group: the step done right, and three wrong ends of it."""
    if len(step.scene.alternatives) < NEGATIVES_PER_STEP:
        return "too_few_wrong_states"
    step.context.screened.update(step.scene.turned_down)
    _keep_part(step)
    right = step.box(step.picture, step.scene.says)
    wrong = [
        _wrong(step, alternative, right)
        for alternative in step.scene.alternatives[:NEGATIVES_PER_STEP]
    ]
    return [Example(step.image, None, None, 0.0, right, right), *wrong]


def two_by_two(step: Step) -> list[Example] | str:
    """Two pictures and two instructions, each picture right by one of them: two Yes, two No."""
    if not step.scene.alternatives:
        return "no_wrong_state"
    rng = step.context.rng("state_balanced", step.row.instruction)
    other = rng.choice(step.scene.alternatives)
    own, others = _words(step.scene.says), _words(other.says)
    right, there = step.box(step.picture, step.scene.says), step.box(other.picture, other.says)
    image = step.context.scene_image(other.picture)
    moved = _moved(step, other)
    kind = EXCHANGED.get(other.kind, other.kind)
    return [
        Example(step.image, None, None, 0.0, right, right, says=own),
        Example(image, None, None, 0.0, there, there, says=others),
        Example(
            image, other.kind, other.correction, moved, there, right, other.false_facts, own
        ),
        Example(step.image, kind, other.exchanged, moved, right, there, other.false_facts,
                others),
    ]  # fmt: skip


def _words(said: scenes.Statement) -> Words:
    find_lines, put_lines = (
        [scenes.plain(line) for line in lines] for lines in (said.find_lines, said.put_lines)
    )
    entities = [
        {tag: text}
        for line, whole in zip(said.put_lines, put_lines, strict=True)
        for tag, text in [("this_line", whole), *line]
        if tag
    ]
    return Words(find_lines, put_lines, entities)


def _step(context: Context, row: ManualRow) -> Step | str:
    """A step with all that is needed of it, or why it gives no rows. Raises `ImageError`."""
    scene = context.step_scene(row.instruction)
    picture = context.scene_picture(row.instruction)
    if scene is None or picture is None:
        return "no_scene"
    if picture.outline_rgb is None:
        return "no_boundary_color"
    if reason := no_question(row):
        return reason
    before = [one.box_xyxy_px for one in picture.shown
              if one.part_id not in scene.new_ids and one.box_xyxy_px]  # fmt: skip
    if not before:
        return "no_assembly_before"
    image = context.source_image(row.instruction)
    return Step(context, row, scene, picture, image, union(before))


def _wrong(step: Step, alternative: Alternative, right: Box) -> Example:
    return Example(
        step.context.scene_image(alternative.picture),
        alternative.kind,
        alternative.correction,
        _moved(step, alternative),
        step.box(alternative.picture, alternative.says),
        right,
        alternative.false_facts,
    )


def _moved(step: Step, alternative: Alternative) -> float:
    """How far parts were moved in the picture, as a share of the assembly's box; 0 if not."""
    if alternative.kind != "shift" or step.context.scene is None:
        return 0.0
    parts = step.context.scene.parts
    there = [parts[i] for group in alternative.says.groups for i in group.part_ids]
    # by kind as well: what is in the middle of a frame stands on the same point as the frame
    places = {(part.kind, part.pose_mm) for part in there}
    own = [parts[i] for i in step.scene.new_ids]
    left = [part for part in own if (part.kind, part.pose_mm) not in places]
    here = [parts[i] for i in alternative.changed]
    matrix = np.array(step.picture.camera.matrix_px_per_mm)
    x, y = matrix @ (_middle(here) - _middle(left))
    return float(shift_fraction((round(x), round(y)), step.assembly_px))


def _middle(parts: Sequence[scenes.PartInstance]) -> np.ndarray:
    middle: np.ndarray = np.array([[row[3] for row in part.pose_mm] for part in parts]).mean(0)
    return middle


def _keep_part(step: Step) -> None:
    """The bare new part and the box of what stood before, for the manual's JSON (T13)."""
    context, number = step.context, step.row.instruction.instruction_id
    context.background_rects_px[number] = [int(v) for v in step.assembly_px]
    picture = context.picture(step.row.instruction)
    if picture is None:
        return
    numbers = context.part_numbers(step.picture)
    places = [i for i, one in enumerate(step.picture.shown, 1) if one.part_id in step.scene.new_ids]
    mask = np.isin(numbers, places)
    x0, y0, x1, y1 = (int(v) for v in step.box(step.picture, step.scene.says))
    alpha = mask.astype(np.uint8) * 255
    context.parts[number] = encode_rgba(np.dstack([picture.rgb[y0:y1, x0:x1], alpha[y0:y1, x0:x1]]))

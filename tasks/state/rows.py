"""State detection (T12-T15): the step done right, and three times wrong."""

from collections.abc import Iterator

import numpy as np

from core.colors import COLORS
from core.part_names import part_labels
from core.pictures.containers import ImageError
from core.pictures.media import Picture, encode_rgba
from core.records import Instruction
from synthesis.cutout import Cutout, bare_part
from synthesis.negatives import (
    NEGATIVES_PER_STEP,
    Earlier,
    Scene,
    Supply,
    Wrong,
    earlier_step,
    make_scene,
    too_small,
    view_changed,
    wrong_states,
)
from synthesis.segmentation import old_outline, segment
from tasks.context import Context
from tasks.flat_regions import standing_masks
from tasks.outline import SessionColor, hex_color
from tasks.prompts import instruction_text
from tasks.sessions import ManualRow
from tasks.state import rendered
from tasks.state.corrections import correction, placed
from tasks.state.group import Example, Finder, no_question, state_row
from tasks.task import Row, Rows

ANNOTATOR, OVERRIDE = "boundary", "boundary-override"


def make(context: Context) -> Iterator[Row]:
    """Four rows a step: one positive and three negatives, in the order of their opaque ids."""
    if context.options.rendered and context.scene is not None:
        return rendered.groups(context, "state", rendered.one_right_three_wrong)
    return _pasted(context)


def _pasted(context: Context) -> Iterator[Row]:
    """Wrong states by cutting the part out of the picture and putting it elsewhere."""
    palette = colors_named(context)
    for session_id, session in context.sessions.items():
        color = context.colors[session_id]
        lifted: dict[str, Cutout] = {}  # parts of this session so far, by the text that names them
        for row in session:
            if row.is_eop or row.instruction.VLM.task_label is None:
                continue
            try:
                made = _examples(context, row, color, lifted, palette)
            except ImageError as error:
                context.unusable("state", row.instruction, error)
                continue
            if isinstance(made, str):
                context.drop("state", row.instruction, made)
                continue
            yield from made


def _examples(
    context: Context,
    row: ManualRow,
    color: SessionColor,
    lifted: dict[str, Cutout],
    palette: list[tuple[int, int, int]],
) -> list[Row] | str:
    """The rows of a step, or the reason why there are none. Raises `ImageError`."""
    reason = reason_against(row, color)
    scene = take_apart(context, row, color) if reason is None else reason
    if isinstance(scene, str):
        return scene
    wrong = _wrong(context, row, scene, lifted, palette)
    return wrong if isinstance(wrong, str) else _group(context, row, color, scene, wrong)


def colors_named(context: Context) -> list[tuple[int, int, int]]:
    """Colours that the manual's own texts name: a wrong one must be one that could be found."""
    names = {
        entity["colorinfo"].lower()
        for row in context.rows()
        for entity in row.instruction.entities
        if "colorinfo" in entity
    }
    return sorted({COLORS[name] for name in names if name in COLORS})


def reason_against(row: ManualRow, color: SessionColor) -> str | None:
    """Why a step can't become state rows, before any picture is looked at."""
    if color.vote.color is None:
        return "no_boundary_color"
    if reason := no_question(row):
        return reason
    if row.step_before is not None and row.step_before.VLM.img_path is None:
        return "no_picture_of_step_before"
    return None


def take_apart(context: Context, row: ManualRow, color: SessionColor) -> Scene | str:
    """Segment the new part and take the step apart; the reason when that can't be done."""
    picture, before = _pictures(context, row.instruction, row.step_before)
    rgb = color.vote.color
    if picture.rgb.shape != before.rgb.shape:
        return "picture_size_changed"
    if rgb is None or row.step_before is None:  # `reason_against` has said so
        return "no_boundary_color"
    found = segment(picture.rgb, before.rgb, rgb, color.tolerance)
    if found is None:
        return "no_outline_in_picture"
    outline = old_outline(picture.rgb, before.rgb, found, rgb, color.tolerance)
    assembly, marks = standing_masks(context, row.step_before)
    # Numbers of steps differ too; they are looked for only where the view seems to have changed.
    if view_changed(picture.rgb, before.rgb, found, outline, assembly) and view_changed(
        picture.rgb,
        before.rgb,
        found,
        outline | marks | standing_masks(context, row.instruction)[1],
        assembly,
    ):
        return "view_changed"
    lossy = picture.lossy or before.lossy
    matched = context.options.positives == "matched"
    earlier = Earlier(outline, np.zeros_like(outline))
    if matched:
        two_before = _picture_before(context, row.session_id, row.step_before)
        earlier = earlier_step(before.rgb, outline, two_before, rgb, color.tolerance)
    scene = make_scene(picture.rgb, before.rgb, found, earlier, assembly, lossy, matched)
    if scene is None:
        return "no_assembly_before"
    if too_small(scene.cutout, picture.rgb.shape[1]):
        return "part_hardly_visible"
    number = row.instruction.instruction_id
    context.background_rects_px[number] = [int(v) for v in scene.background_px]
    context.parts[number] = encode_rgba(bare_part(scene.cutout))
    return scene


def _pictures(
    context: Context, step: Instruction, before: Instruction | None
) -> tuple[Picture, Picture]:
    now, then = context.picture(step), context.picture(before) if before else None
    if now is None or then is None:
        raise ValueError(f"{context.item(step)}: a step picture is missing that was there before")
    return now, then


def _picture_before(context: Context, session_id: str, step: Instruction) -> np.ndarray | None:
    """(H, W, 3) the picture of the step before a step, None where there is none to be read."""
    before = next(
        row.step_before for row in context.sessions[session_id] if row.instruction is step
    )
    try:
        picture = context.picture(before) if before else None
    except ImageError:  # a drop where rows are made of it
        return None
    return None if picture is None else picture.rgb


def _wrong(
    context: Context,
    row: ManualRow,
    scene: Scene,
    lifted: dict[str, Cutout],
    palette: list[tuple[int, int, int]],
) -> list[Wrong] | str:
    """The three wrong states of a step; the reason when they can't be made."""
    own = instruction_text(row.eop.text) if row.eop else ""
    supply = Supply(
        others=lambda: [cutout for text, cutout in lifted.items() if text != own],
        colors=palette,
        screened=context.screened,
    )
    typed = context.options.negatives == "typed"
    found = wrong_states(scene, typed, context.rng("state", row.instruction), supply)
    lifted[own] = scene.cutout
    return found if len(found) == NEGATIVES_PER_STEP else "too_few_wrong_states"


def _group(
    context: Context, row: ManualRow, color: SessionColor, scene: Scene, wrong: list[Wrong]
) -> list[Row]:
    """The positive and its negatives; what an Example does not hold is the same in all."""
    step, eop_text = row.instruction, row.eop.text if row.eop else []
    found = sum(label.number for label in part_labels(row.eop)) if row.eop else 1
    several = placed(step, found) > 1
    right_box = scene.cutout.box_px
    matched = context.options.positives == "matched"
    right = context.new_image(scene.right) if matched else context.source_image(step)
    examples = [Example(right, None, None, 0.0, right_box, right_box)]
    for one in wrong:
        image = context.new_image(one.rgb)
        sentence = correction(one, eop_text, image.size_wh, several)
        box = one.part_box_px
        examples.append(Example(image, one.kind, sentence, one.shift_fraction, box, right_box))
    finder = Finder(
        OVERRIDE if color.by_hand else ANNOTATOR,
        color.vote.score,
        hex_color(color.vote.color) if color.vote.color else None,
    )
    return sorted(
        (state_row("state", context, row, example, finder) for example in examples),
        key=lambda made: made["id"],
    )


ROWS = Rows(
    make,
    an_item=1 + NEGATIVES_PER_STEP,
    outlined_only=True,
    # The right one is put together, too: see synthesis/cutout.py.
    edit=lambda row: row["negative_kind"] or "right",
)

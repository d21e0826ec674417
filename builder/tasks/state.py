"""State detection (T12-T15): the step done right, and three times wrong by moving the new part."""

from collections.abc import Iterator
from typing import NamedTuple

from builder.media import Picture
from builder.records import Instruction
from builder.tasks.context import Context, EncodedImage, base_row, opaque_id
from builder.tasks.prompts import NO, YES, instruction_text, state_query
from builder.tasks.sessions import Row
from synthesis import boundary
from synthesis.boxes import Box, of_mask
from synthesis.foreground import DIFFERENCE_MIN, LOSSY_DIFFERENCE_MIN, foreground_mask
from synthesis.negatives import (
    NEGATIVES_PER_STEP,
    canvas_without_part,
    paste,
    place,
    view_changed,
)
from synthesis.segmentation import Segment, segment

ANNOTATOR = "boundary"


class SessionColor(NamedTuple):
    """The vote of one session and the tolerance its pictures need."""

    vote: boundary.Vote
    tolerance: int


class Wrong(NamedTuple):
    """Everything the rows of one step are made from."""

    segment: Segment
    background_px: Box
    negatives: list[tuple[EncodedImage, float, Box]]


def session_color(context: Context, rows: list[Row]) -> SessionColor:
    """Vote the boundary colour of a session from its step pictures."""
    thumbnails, lossy = [], False
    for row in rows:
        if not row.is_eop:  # one picture at a time: only its thumbnail stays
            picture = context.picture(row.instruction)
            thumbnails.append(None if picture is None else boundary.thumbnail(picture.rgb))
            lossy = lossy or (picture is not None and picture.lossy)
    tolerance = boundary.LOSSY_TOLERANCE if lossy else boundary.TOLERANCE
    return SessionColor(boundary.vote(thumbnails, tolerance), tolerance)


def hex_color(color: tuple[int, int, int]) -> str:
    """(255, 0, 255) -> "#FF00FF"."""
    return "#{:02X}{:02X}{:02X}".format(*color)


def rows(context: Context, colors: dict[str, SessionColor]) -> Iterator[dict]:
    """Four rows a step: one positive and three negatives, in the order of their opaque ids."""
    for session_id, session in context.sessions.items():
        color = colors[session_id]
        for row in session:
            if row.is_eop or row.instruction.VLM.task_label is None:
                continue
            reason = _reason_against(context, row, color)
            wrong = _wrong(context, row, color) if reason is None else reason
            if isinstance(wrong, str):
                context.drop("state", row.instruction, wrong)
                continue
            yield from _group(context, row, color, wrong)


def _reason_against(context: Context, row: Row, color: SessionColor) -> str | None:
    """Why a step can't become state rows, before any picture is looked at."""
    if color.vote.color is None:
        return "no_boundary_color"
    if row.eop is None or not row.eop.text:
        return "no_eop_before"
    if not row.directly:  # T5: state rows ask about the part found just before
        return "row_before_is_no_eop"
    if row.step_before is None:
        return "first_step_of_session"
    if row.step_before.VLM.img_path is None:
        return "no_picture_of_step_before"
    return None


def _wrong(context: Context, row: Row, color: SessionColor) -> Wrong | str:
    """Segment the new part and move it; the reason when that can't be done."""
    picture, before = _pictures(context, row.instruction, row.step_before)
    if picture.rgb.shape != before.rgb.shape:
        return "picture_size_changed"
    rgb = color.vote.color
    if rgb is None:
        return "no_boundary_color"
    found = segment(picture.rgb, before.rgb, rgb, color.tolerance)
    if found is None:
        return "no_outline_in_picture"
    old_outline = boundary.color_mask(before.rgb, rgb, color.tolerance).astype(bool)
    if view_changed(picture.rgb, before.rgb, found, old_outline):
        return "view_changed"
    canvas = canvas_without_part(picture.rgb, before.rgb, found, old_outline)
    least = LOSSY_DIFFERENCE_MIN if before.lossy else DIFFERENCE_MIN
    assembly = foreground_mask(before.rgb, before.alpha, least)
    background = of_mask(assembly)
    if background is None:
        return "no_assembly_before"
    context.background_rects_px[row.instruction.instruction_id] = [int(v) for v in background]
    moves = place(found, assembly, background, context.rng("state", row.instruction))
    if len(moves) < NEGATIVES_PER_STEP:
        return "too_few_wrong_places"
    negatives = [
        (
            context.new_image(paste(canvas, picture.rgb, found.cut, move.shift_xy_px)),
            move.shift_fraction,
            move.box_px,
        )
        for move in moves
    ]
    return Wrong(found, background, negatives)


def _pictures(
    context: Context, step: Instruction, before: Instruction | None
) -> tuple[Picture, Picture]:
    now, then = context.picture(step), context.picture(before) if before else None
    if now is None or then is None:
        raise ValueError(f"{context.item(step)}: a step picture is missing that was there before")
    return now, then


def _group(context: Context, row: Row, color: SessionColor, wrong: Wrong) -> list[dict]:
    """The positive and its negatives; every column but image, label and boxes is the same."""
    step = row.instruction
    right = (context.source_image(step), 0.0, wrong.segment.box_px)
    made = []
    for image, shift, part_box in [right, *wrong.negatives]:
        positive = image is right[0]
        base = base_row(
            context,
            "state",
            row,
            image,
            {
                "query": state_query(row.eop.text if row.eop else [], step.text),
                "answer": YES if positive else NO,
                "previous_instruction": instruction_text(row.eop.text) if row.eop else None,
            },
            sources=[step, row.step_before] if row.step_before else [step],
            annotator=ANNOTATOR,
            confidence=color.vote.score,
        )
        made.append(
            {
                **base,
                "label": int(positive),
                "group_id": opaque_id("group", context.manual.manual_id, step.instruction_id),
                "negative_kind": None if positive else "shift",
                "shift_fraction": shift,
                "part_box_px": list(part_box),
                "correct_box_px": list(wrong.segment.box_px),
                "boundary_color": hex_color(color.vote.color) if color.vote.color else None,
            }
        )
    return sorted(made, key=lambda item: item["id"])

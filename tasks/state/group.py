"""A row of state detection: one picture, one instruction, whether they fit."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from core.names import opaque_id
from synthesis.boxes import Box
from tasks.context import Context, EncodedImage, base_row
from tasks.prompts import instruction_text, state_query
from tasks.sessions import ManualRow
from tasks.state.difficulty import difficulty
from tasks.state.text import NO, YES
from tasks.task import Row


def no_question(row: ManualRow) -> str | None:
    """Why nobody can be asked whether a step was done right, for its place in the manual alone."""
    if row.eop is None or not row.eop.text:
        return "no_eop_before"
    if not row.directly:  # T5: state rows ask about the part found just before
        return "row_before_is_no_eop"
    return "first_step_of_session" if row.step_before is None else None


class Words(NamedTuple):
    """What is said at a step: lines to find parts and to put them; tags and texts of the latter,
    in order, each line opened by `this_line`."""

    find_lines: list[str]
    put_lines: list[str]
    entities: list[dict[str, str]]


class Example(NamedTuple):
    """What differs between the rows of a group; a `kind` says what is wrong, None is right.

    `says` is what is said where it is not what the manual says there.
    """

    image: EncodedImage
    kind: str | None
    correction: str | None
    shift_fraction: float
    part_box_px: Box | None
    correct_box_px: Box
    false_facts: Sequence[str] = ()
    says: Words | None = None


class Finder(NamedTuple):
    """Who found the new part, how sure that is, and the outline's colour as hex, None for none."""

    annotator: str
    confidence: float
    boundary_color: str | None


def state_row(
    config: str, context: Context, row: ManualRow, example: Example, finder: Finder
) -> Row:
    """The columns of one example of a step."""
    said, eop_text, words = row, row.eop.text if row.eop else [], ""
    if example.says is not None:
        changed = msgspec.structs.replace(
            row.instruction, text=example.says.put_lines, entities=example.says.entities
        )
        said, eop_text = row._replace(instruction=changed), example.says.find_lines
        told = "\n".join([*eop_text, *changed.text])
        words = hashlib.sha256(told.encode()).hexdigest()
    step, right = row.instruction, example.kind is None
    base = base_row(
        context,
        config,
        said,
        example.image,
        {
            "query": state_query(eop_text, said.instruction.text, context.options.templates),
            "answer": YES if right else NO,
            "previous_instruction": instruction_text(eop_text) or None,
        },
        sources=[step, row.step_before] if row.step_before else [step],
        annotator=finder.annotator,
        confidence=finder.confidence,
        words=words,
    )
    box = example.part_box_px
    if right and config == "state":
        context.states_of.add(step.instruction_id)
    return {
        **base,
        "label": int(right),
        "group_id": opaque_id("group", context.manual.manual_id, step.instruction_id),
        "negative_kind": example.kind,
        "correction": example.correction,
        "false_facts": list(example.false_facts),
        "shift_fraction": example.shift_fraction,
        "difficulty": difficulty(example.kind, example.correction, example.shift_fraction),
        "part_box_px": None if box is None else list(box),
        "correct_box_px": list(example.correct_box_px),
        "boundary_color": finder.boundary_color,
    }

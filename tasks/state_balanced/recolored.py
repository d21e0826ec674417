"""Groups of four from a manual's own pictures: by left and right (`sides.py`), else the new part in
two colours, by two colour words.

Both pictures of a colour are put together in the same way (`synthesis/cutout.py`), and each is
right by the instruction that names its colour.
"""

import re
from collections.abc import Iterator

from core.colors import COLORS
from core.part_names import part_labels
from core.pictures.containers import ImageError
from synthesis.cutout import put_down, recolored
from synthesis.negatives import COLOR_DISTANCE_MIN, Scene, color_distance, main_color
from tasks.context import Context
from tasks.outline import SessionColor, hex_color
from tasks.sessions import ManualRow
from tasks.state.corrections import parts_asked_for
from tasks.state.group import Example, Finder, Words, state_row
from tasks.state.rows import ANNOTATOR, OVERRIDE, colors_named, reason_against, take_apart
from tasks.state_balanced import sides
from tasks.task import Row


def groups(context: Context, config: str) -> Iterator[Row]:
    """Four rows a step that can be shown in a mirror, or its part in another colour; the others are
    drops."""
    named = _names(context)
    for session_id, session in context.sessions.items():
        color = context.colors[session_id]
        for row in session:
            if row.is_eop or row.instruction.VLM.task_label is None:
                continue
            try:
                made = _group(context, config, row, color, named)
            except ImageError as error:
                context.unusable(config, row.instruction, error)
                continue
            if isinstance(made, str):
                context.drop(config, row.instruction, made)
            else:
                yield from made


def _names(context: Context) -> dict[tuple[int, int, int], str]:
    """The colours that the manual's texts name, by value."""
    by_value = {value: name for name, value in COLORS.items()}
    return {value: by_value[value] for value in colors_named(context)}


def _group(
    context: Context,
    config: str,
    row: ManualRow,
    color: SessionColor,
    named: dict[tuple[int, int, int], str],
) -> list[Row] | str:
    """The rows of a step, or the reason why there are none. Raises `ImageError`."""
    reason = reason_against(row, color)
    if reason is not None:
        return reason
    examples = sides.examples(context, row, color)
    if isinstance(examples, str):
        examples = _in_two_colors(context, config, row, color, named)
    if isinstance(examples, str):
        return examples
    finder = Finder(
        OVERRIDE if color.by_hand else ANNOTATOR,
        color.vote.score,
        hex_color(color.vote.color) if color.vote.color else None,
    )
    return sorted(
        (state_row(config, context, row, example, finder) for example in examples),
        key=lambda made: made["id"],
    )


def _in_two_colors(
    context: Context,
    config: str,
    row: ManualRow,
    color: SessionColor,
    named: dict[tuple[int, int, int], str],
) -> list[Example] | str:
    """The examples of a step whose part can be shown in another colour, or why there are none."""
    labels = part_labels(row.eop) if row.eop else []
    if len(labels) != 1:
        return "several_kinds_of_parts"  # nothing tells which pixels are whose
    own = labels[0].color
    if not own or own.startswith("transparent") or own.lower() not in COLORS:
        return "no_plain_color_word"
    if any(_word(own).search(line) for line in row.instruction.text):
        return "color_word_in_instruction"  # it may be the color of what the part is put on
    scene = take_apart(context, row, color)
    if isinstance(scene, str):
        return scene
    shown = main_color(scene.cutout)
    others = [
        value for value, name in sorted(named.items())
        if name != own.lower() and not name.startswith("transparent")
        and min(color_distance(value, shown), color_distance(value, COLORS[own.lower()]))
        >= COLOR_DISTANCE_MIN
    ]  # fmt: skip
    if not others:
        return "no_other_color_in_manual"
    value = context.rng(config, row.instruction).choice(others)
    return _examples(context, row, scene, own, (named[value], value))


def _examples(
    context: Context,
    row: ManualRow,
    scene: Scene,
    own: str,
    other: tuple[str, tuple[int, int, int]],
) -> list[Example]:
    found = row.eop.text if row.eop else []
    step = row.instruction
    here = Words(list(found), list(step.text), step.entities)
    there = here._replace(find_lines=[_word(own).sub(other[0], line) for line in found])
    right = context.new_image(scene.right)
    painted = put_down(scene.canvas, recolored(scene.cutout, other[1]), (0, 0))
    wrong, box = context.new_image(painted), scene.cutout.box_px
    kind, false = "wrong_color", ("color",)

    def cure(words: Words) -> str:
        return f"The colour is wrong: use {parts_asked_for(words.find_lines)}."

    return [
        Example(right, None, None, 0.0, box, box, says=here),
        Example(wrong, None, None, 0.0, box, box, says=there),
        Example(wrong, kind, cure(here), 0.0, box, box, false, here),
        Example(right, kind, cure(there), 0.0, box, box, false, there),
    ]


def _word(own: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(own)}\b", re.IGNORECASE)

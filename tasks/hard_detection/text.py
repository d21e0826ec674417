"""The words of harder detection: those of object detection, and what to say where there is none."""

import dataclasses

from tasks.object.text import TEXT as OBJECT

NONE = "none"
QUESTIONS = ("one", "all", "absent")
# What a picture has to do with the part that is asked for.
RELATIONS = ("equal", "same_part_other_color", "same_color_other_part", "other")
_IF_NONE = f"If it is not in the picture, say {NONE}. "

TEXT = dataclasses.replace(
    OBJECT,
    title="Harder detection",
    asks="where is this part among others like it, if it is there?",
    bodies={template: body + _IF_NONE for template, body in OBJECT.bodies.items()},
    examples=(),
    shared=("id",),
    shared_name="",
    other_names=(),
)


def wanted(label: str, count: int, question: str) -> str:
    """What a query names.

    >>> wanted("red bricks 2x4", 2, "one")
    '2 red bricks 2x4.'
    >>> wanted("red brick 2x4", 1, "all")
    'all pieces of one kind, with a box for each: red brick 2x4.'
    """
    if question == "all":
        return f"all pieces of one kind, with a box for each: {label}."
    return f"{count} {label}."

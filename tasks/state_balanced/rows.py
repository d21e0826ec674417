"""Two pictures and two instructions a step: each picture is right by one of them.

Every picture and every instruction stands once with Yes and once with No, so whoever sees only the
picture, only the text or only the place of the part is at chance.
"""

from collections.abc import Iterator

from tasks.context import Context
from tasks.state import rendered
from tasks.state_balanced import recolored
from tasks.task import Row, Rows

A_GROUP = 4


def make(context: Context) -> Iterator[Row]:
    """Four rows a step; of manuals without a scene only where they were asked for."""
    if context.options.rendered and context.scene is not None:
        yield from rendered.groups(context, "state_balanced", rendered.two_by_two)
    elif context.options.negatives == "balanced":
        yield from recolored.groups(context, "state_balanced")


ROWS = Rows(
    make,
    an_item=A_GROUP,
    outlined_only=True,
    edit=lambda row: row["negative_kind"] or "right",
)

"""How people see scene rows."""

from tasks.drawing import pixels
from tasks.task import Drawing, Show

SHOW = Show(
    draw=lambda rows: Drawing(pixels(rows[0]), "the picture of a step", rows[0]),
    line=lambda row: f"before: {row['previous_instruction'] or 'nothing'}",
    alt=lambda row: "the step",
)

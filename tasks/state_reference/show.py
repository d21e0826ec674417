"""How people see states with a reference: the sheet with both pictures."""

from tasks.drawing import pixels
from tasks.task import Drawing, Show

SHOW = Show(
    lambda rows: Drawing(pixels(rows[0]), "the manual's picture and an attempt", rows[0]),
    kind=lambda row: row["negative_kind"] or "right",
    alt=lambda row: "the manual's picture beside an attempt",
)

"""How people see sequences: the sheet of pictures with their letters."""

from tasks.drawing import pixels
from tasks.task import Drawing, Show

SHOW = Show(
    lambda rows: Drawing(pixels(rows[0]), "letters are part of the picture", rows[0]),
    kind=lambda row: row["form"],
    alt=lambda row: f"{len(row['labels'])} pictures of steps",
)

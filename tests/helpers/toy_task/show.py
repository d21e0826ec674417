"""How people see its rows."""

from tasks.drawing import pixels
from tasks.task import Drawing, Show

SHOW = Show(lambda rows: Drawing(pixels(rows[0]), "pieces to count", rows[0]))

"""How people see turns: the picture of the turn, and what was said before."""

from tasks.drawing import pixels
from tasks.task import Drawing, Row, Show, ShownBox


def boxes(row: Row) -> list[ShownBox]:
    """What is to be found."""
    return [ShownBox(target["label"], "asked", target["box_px"]) for target in row["targets"]]


SHOW = Show(
    lambda rows: Drawing(pixels(rows[0]), "the picture of one turn", rows[0]),
    boxes,
    kind=lambda row: row["turn"],
    said=lambda row: row["query"],
    alt=lambda row: f"the picture of the turn {row['turn']}",
)

"""How people see rows of harder detection: the grid, what is right in it, and the rest."""

from collections.abc import Sequence

from tasks.drawing import OTHER_RGB, RIGHT_RGB, draw_box, pixels
from tasks.task import Drawing, Row, Show, ShownBox


def draw(rows: Sequence[Row]) -> Drawing:
    """The first row's grid, every part in its box."""
    row, rgb = rows[0], pixels(rows[0])
    for name, color in (("distractors", OTHER_RGB), ("equal_parts", RIGHT_RGB),
                        ("targets", RIGHT_RGB)):  # fmt: skip
        for box in (box for entry in row[name] for box in entry["instances_px"]):
            draw_box(rgb, box, color)
    return Drawing(rgb, "boxes drawn here only: green what is right, grey the others", row)


def boxes(row: Row) -> list[ShownBox]:
    """What is right, then the others."""
    right = [ShownBox(t["label"], "asked", t["box_px"]) for t in row["targets"]]
    right += [ShownBox("as right", "right", t["box_px"]) for t in row["equal_parts"]]
    return right + [ShownBox("", "part", t["box_px"]) for t in row["distractors"]]


SHOW = Show(
    draw,
    boxes,
    kind=lambda row: row["question"],
    alt=lambda row: f"a grid of {row['grid'] ** 2} pictures of parts",
)

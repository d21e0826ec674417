"""How people see state rows: wrong ones beside the right one, where the part is and belongs."""

from collections.abc import Sequence

from tasks.drawing import RIGHT_RGB, WRONG_RGB, draw_box, pixels, side_by_side
from tasks.task import Drawing, Row, Show, ShownBox


def draw(rows: Sequence[Row]) -> Drawing:
    """The positive of a group beside the first of its negatives."""
    right = next((row for row in rows if row["label"] == 1), rows[0])
    wrong = next((row for row in rows if row["label"] == 0), right)
    pictures = []
    for row, color in ((right, RIGHT_RGB), (wrong, WRONG_RGB)):
        pictures.append(pixels(row))
        draw_box(pictures[-1], row["part_box_px"], color)
    caption = "left done right (Yes), right done wrong (No); boxes drawn here only"
    return Drawing(side_by_side(pictures), caption, right)


def boxes(row: Row) -> list[ShownBox]:
    """Where the part belongs and, in a wrong state, where it is."""
    named = [("belongs here", "right", row["correct_box_px"])]
    if row["label"] == 0:
        named.append(("is here", "wrong", row["part_box_px"]))
    return [ShownBox(*one) for one in named if one[2] is not None]


def alt(row: Row) -> str:
    """What the picture shows, in words."""
    kind = row["negative_kind"]
    return f"the step done wrong: {kind}" if kind else "the step done right"


SHOW = Show(draw, boxes, lambda row: row["negative_kind"] or "right", lambda row: "", alt)

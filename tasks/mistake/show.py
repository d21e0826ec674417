"""How people see mistakes: where the part is, where it belongs, what puts it right."""

from collections.abc import Sequence

from tasks.drawing import RIGHT_RGB, WRONG_RGB, draw_box, pixels
from tasks.task import Drawing, Row, Show, ShownBox


def draw(rows: Sequence[Row]) -> Drawing:
    """The first row's picture with both boxes."""
    row, rgb = rows[0], pixels(rows[0])
    draw_box(rgb, row["correct_box_px"], RIGHT_RGB)
    draw_box(rgb, row["error_box_px"], WRONG_RGB)
    return Drawing(rgb, "red where it is, green where it belongs; boxes drawn here only", row)


def boxes(row: Row) -> list[ShownBox]:
    """Where the parts belong and where they are."""
    named = [("belongs here", "right", row["correct_box_px"]),
             ("is here", "wrong", row["error_box_px"])]  # fmt: skip
    return [ShownBox(*one) for one in named if one[2] is not None]


def kind(row: Row) -> str:
    """What is wrong and, where something was moved, how hard that is to see."""
    level = row["difficulty"]
    return f"{row['negative_kind']}, {level}" if level else str(row["negative_kind"])


SHOW = Show(draw, boxes, kind, alt=lambda row: f"the step done wrong: {row['negative_kind']}")

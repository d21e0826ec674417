"""How people see balanced groups: two pictures, and what is said of each."""

from collections.abc import Sequence
from dataclasses import replace

from tasks.drawing import RIGHT_RGB, WRONG_RGB, draw_box, pixels, side_by_side
from tasks.state.show import SHOW as STATE
from tasks.task import Drawing, Row


def draw(rows: Sequence[Row]) -> Drawing:
    """The two pictures of one instruction: where it is true and where it is not."""
    right = next((row for row in rows if row["label"] == 1), rows[0])
    same = [row for row in rows if row["instruction"] == right["instruction"]]
    wrong = next((row for row in same if row["label"] == 0), right)
    pictures = []
    for row, color in ((right, RIGHT_RGB), (wrong, WRONG_RGB)):
        pictures.append(pixels(row))
        draw_box(pictures[-1], row["part_box_px"], color)
    caption = "one instruction: true of the first picture (Yes), not of the second (No); the other "
    return Drawing(side_by_side(pictures), f"{caption}two rows say what is true of that", right)


def said(row: Row) -> str:
    """What is said of the picture, which is not the same in a group."""
    return f"“{row['previous_instruction']} {row['instruction']}”"


SHOW = replace(STATE, draw=draw, said=said)

"""How people see object rows: the collage with its boxes."""

from collections.abc import Sequence

from tasks.drawing import OTHER_RGB, RIGHT_RGB, draw_box, pixels
from tasks.task import Drawing, Row, Show, ShownBox


def draw(rows: Sequence[Row]) -> Drawing:
    """The first row's collage, every part in its box."""
    row = rows[0]
    rgb = pixels(row)
    for entries, color in ((row["distractors"], OTHER_RGB), (row["targets"], RIGHT_RGB)):
        for box in (box for entry in entries for box in entry["instances_px"]):
            draw_box(rgb, box, color)
    caption = "boxes drawn here only: green what is asked for, grey the others"
    return Drawing(rgb, caption, row)


def boxes(row: Row) -> list[ShownBox]:
    """The single parts, then what is asked for around all its pieces."""
    parts = [
        ShownBox("", "part", box)
        for entries in (row["targets"], row["distractors"])
        for one in entries
        for box in one["instances_px"]
    ]
    return parts + [ShownBox(t["label"], "asked", t["box_px"]) for t in row["targets"]]


SHOW = Show(draw, boxes, alt=lambda row: "a collage of four pictures of parts")

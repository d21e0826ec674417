"""How people see spatial rows: both things in boxes, and what is said of them."""

from collections.abc import Sequence

from core.relations import CONVERSATIONS, WORDS
from tasks.drawing import OTHER_RGB, RIGHT_RGB, draw_box, pixels
from tasks.task import Drawing, Row, Show, ShownBox


def draw(rows: Sequence[Row]) -> Drawing:
    """The first row's picture with subject and object in boxes."""
    row = rows[0]
    rgb = pixels(row)
    draw_box(rgb, row["object"]["box_px"], OTHER_RGB)
    draw_box(rgb, row["subject"]["box_px"], RIGHT_RGB)
    caption = f"{relation_line(row)}; boxes drawn here only"
    return Drawing(rgb, caption, row)


def relation_line(row: Row) -> str:
    """ "red plate 1x2 on / to the left of table"."""
    words = " / ".join(WORDS[name] for name in row["relations"])
    return f"{row['subject']['label']} {words} {row['object']['label']}"


def boxes(row: Row) -> list[ShownBox]:
    """The subject, then the object."""
    return [
        ShownBox(row["subject"]["label"], "right", row["subject"]["box_px"]),
        ShownBox(row["object"]["label"], "asked", row["object"]["box_px"]),
    ]


def line(row: Row) -> str:
    """The relation, and whether the readings of it agree."""
    agree = {True: "readings agree", False: "readings differ", None: "one reading"}
    return f"{relation_line(row)} ({agree[row['relations_agree']]})"


def said(row: Row) -> str:
    """What was asked for and what is answered, which differs between the rows of a pair."""
    kind = row["conversation_type"]
    kind = CONVERSATIONS[kind] if isinstance(kind, int) else kind
    return f"{kind}: {' '.join(row['answer'].split())}"


SHOW = Show(draw, boxes, line=line, said=said, alt=lambda row: f"a step: {relation_line(row)}")

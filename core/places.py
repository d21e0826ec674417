"""Where a box is, in words for people: `upper left`, as nobody says `<14><9><37><25>`.

A picture has nine places, by thirds; for scoring, a quadrant, by halves: a third is too fine where
a model names a side and a corner alike.
"""

import re
from collections.abc import Sequence

SIDE = re.compile(r"\b(left|right)(?=(?:most)?\b)", re.IGNORECASE)
OTHER_SIDE = {"left": "right", "right": "left"}
Quadrant = tuple[bool, bool]  # right of the middle, below it

_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "middle", "right")
_UP, _DOWN = "upper|top", "lower|bottom"
_CORNER = re.compile(
    rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))[\s-]{{1,3}}(?:(?P<left>left)|(?P<right>right))\b",
    re.IGNORECASE,
)


def center_of(box: Sequence[float]) -> tuple[float, float]:
    """The middle of a box, x and y."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def place_of(box_norm100: Sequence[float]) -> str:
    """The third of the picture that the middle of a box lies in.

    >>> place_of((14, 8.5, 36.5, 25)), place_of((40, 40, 60, 60)), place_of((70, 40, 90, 60))
    ('upper left', 'middle', 'middle right')
    """
    x, y = (min(2, max(0, int(3 * value // 100))) for value in center_of(box_norm100))
    row, column = _ROWS[y], _COLUMNS[x]
    return row if row == column else f"{row} {column}"


def quadrant_of(box_norm100: Sequence[float]) -> Quadrant:
    """The quarter of the picture that the middle of a box lies in."""
    x, y = center_of(box_norm100)
    return (x >= 50, y >= 50)


def quadrants_said(text: str) -> list[Quadrant]:
    """The corners that a text names, in its order; a side alone says too little.

    >>> quadrants_said("1 red tile: upper left; the plate is at the bottom-right. On the left.")
    [(False, False), (True, True)]
    """
    return [(m["right"] is not None, m["down"] is not None) for m in _CORNER.finditer(text)]


def seen_in_a_mirror(text: str) -> str:
    """What is said of a picture as it is true of its mirror image.

    >>> seen_in_a_mirror("Put it on the left.")
    'Put it on the right.'
    """
    return SIDE.sub(lambda found: OTHER_SIDE[found[1].lower()], text)

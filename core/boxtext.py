"""The box text of MiniGPT-v2 answers (T8): `<p>2 red tiles</p> {<28><17><73><50>}`.

Integers 0-100 of the picture's width and height; several phrases are joined by " and " (T11).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from synthesis.boxes import Box, union

# What the model echoes of a system text that describes pictures by this word (T9).
NOISE_LABEL = "imagecontent"
# A phrase, or numbers in angle brackets: four of them are a box, with or without braces.
_PIECE_RE = re.compile(r"<p>(?P<phrase>[^<{}]{0,300})</p>|(?:<\s*-?\d{1,6}\s*>\s*)+")
# What a runaway generation may cost: no honest answer is longer.
_CHARS_MAX, _BOXES_MAX = 20_000, 200


class ReadBoxes(NamedTuple):
    """(phrase, box_norm100) pairs in the order written, "" for no phrase; drops by reason."""

    boxes: list[tuple[str, Box]]
    dropped: Counter[str]


def read_boxes(text: str) -> ReadBoxes:
    """The boxes of a MiniGPT-v2 answer, whatever it wrote; never raises.

    Reads `{<x0><y0><x1><y1>}` with or without braces, several joined by `<delim>`, several
    phrases. Coordinates are clamped to 0-100. Dropped and counted: boxes without area, groups of
    other than four numbers, boxes of the phrase `ImageContent` (T9).

    >>> read_boxes("<p>2 red tiles</p> {<28><17><73><50>}<delim>{<5><5><120><9>}").boxes
    [('2 red tiles', (28.0, 17.0, 73.0, 50.0)), ('2 red tiles', (5.0, 5.0, 100.0, 9.0))]
    """
    boxes: list[tuple[str, Box]] = []
    dropped: Counter[Any] = Counter()
    phrase, text = "", text[:_CHARS_MAX].replace("<unk>", " ").replace("<delim>", "}{")
    for piece in _PIECE_RE.finditer(text):
        if piece["phrase"] is not None:
            phrase = " ".join(piece["phrase"].split())
            continue
        values = [min(100.0, max(0.0, float(n))) for n in re.findall(r"-?\d+", piece[0])]
        if len(values) != 4:
            dropped["not_four_numbers"] += 1
        elif phrase.replace(" ", "").lower() == NOISE_LABEL:
            dropped["image_content"] += 1
        elif values[0] >= values[2] or values[1] >= values[3]:
            dropped["box_without_area"] += 1
        elif len(boxes) == _BOXES_MAX:
            dropped["too_many_boxes"] += 1
        else:
            boxes.append((phrase, (values[0], values[1], values[2], values[3])))
    return ReadBoxes(boxes, dropped)


def round_half_up(value: float) -> int:
    """Nearest integer, halves upwards (Python's round() would send 8.5 and 7.5 both to 8)."""
    return math.floor(value + 0.5)


def box_answer(targets: Sequence[tuple[str, Box]]) -> str:
    """Answer text of (phrase, box_norm100) pairs.

    >>> box_answer([("2 transparent red flat tiles", (28.0, 17.0, 73.0, 50.0))])
    '<p>2 transparent red flat tiles</p> {<28><17><73><50>}'
    """
    return " and ".join(
        f"<p>{plain(phrase)}</p> {{{''.join(f'<{value}>' for value in rounded(box_norm100))}}}"
        for phrase, box_norm100 in targets
    )


def unrounded(box_norm100: Box, instances_norm100: Sequence[Sequence[float]]) -> Box:
    """The box that was rounded to whole percent: that around the single ones which lie in it; the
    rounded one where they don't make it up.

    >>> unrounded((10, 20, 31, 40), [(10.4, 20.3, 15, 30), (20, 25, 30.6, 39.7), (60, 60, 70, 70)])
    (10.4, 20.3, 30.6, 39.7)
    """
    x0, y0, x1, y1 = (value + way for value, way in zip(box_norm100, (-1, -1, 1, 1), strict=True))
    inside = [
        b for b in instances_norm100 if x0 <= b[0] and y0 <= b[1] and b[2] <= x1 and b[3] <= y1
    ]
    if not inside:
        return box_norm100
    whole = union(inside)
    same = all(abs(one - two) <= 1 for one, two in zip(whole, box_norm100, strict=True))
    return whole if same else box_norm100


def plain(phrase: str) -> str:
    """A phrase without the signs the box text itself is made of."""
    return " ".join("".join(c for c in phrase if c not in "<>{}").split())


def rounded(box_norm100: Box) -> tuple[int, int, int, int]:
    """The box in whole percent; one thinner than that stays a box of one percent.

    >>> rounded((14.1, 20.0, 14.3, 60.0))
    (14, 20, 15, 60)
    """
    x0, y0, x1, y1 = (round_half_up(value) for value in box_norm100)
    x0, y0 = (99 if value == 100 else value for value in (x0, y0))
    return (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

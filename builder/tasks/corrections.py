"""One sentence that says what is wrong in a negative and how to put it right (B6).

Each is true by construction: it only says what was done to the picture.
"""

import re
from collections.abc import Sequence

from builder.tasks.prompts import found_text
from synthesis.negatives import Wrong

# Smaller than this share of the larger component, a direction is not worth a word.
MINOR_SHARE = 0.2


def parts_asked_for(eop_lines: Sequence[str]) -> str:
    """The pieces of an object-finding row without its verb and full stop.

    >>> parts_asked_for(["Find 1 black plate 2x6."])
    '1 black plate 2x6'
    """
    text = re.sub(r"^(find|collect)\s+", "", found_text(eop_lines), flags=re.IGNORECASE)
    return text.strip().rstrip(".") or "the part asked for"


def correction(wrong: Wrong, eop_lines: Sequence[str], size_wh: tuple[int, int]) -> str:
    """The sentence for a wrong state of a picture of `size_wh` pixels."""
    parts = parts_asked_for(eop_lines)
    match wrong.kind:
        case "shift":
            return f"The part is in the wrong place: move it {_back(wrong.shift_xy_px, size_wh)}."
        case "rotate" if wrong.turn == 2:
            return "The part is turned the wrong way: in the picture, turn it by half a turn."
        case "rotate":  # it was turned counterclockwise `turn` times
            way = "clockwise" if wrong.turn == 1 else "counterclockwise"
            return f"The part is turned the wrong way: in the picture, turn it {way} by a quarter."
        case "mirror":
            return "The part is the wrong way round: its left and right are exchanged; turn it."
        case "wrong_color":
            return f"The part has the wrong colour: use {parts}."
        case "wrong_part":
            return f"This is another part: take it away and put {parts} there."
        case "missing":
            return f"The step has not been done yet: add {parts}."
        case "extra":
            return "There is one part too many: take the outlined one away, the other is right."
    raise ValueError(f"negative kind {wrong.kind!r}: no sentence for it")


def _back(shift_xy_px: tuple[int, int], size_wh: tuple[int, int]) -> str:
    """The way back, in words and percent of the picture: "12 % to the left and 5 % up"."""
    dx, dy = shift_xy_px
    least = MINOR_SHARE * max(abs(dx), abs(dy))
    words = []
    if abs(dx) >= least:
        words.append(f"{_percent(dx, size_wh[0])} to the {'left' if dx > 0 else 'right'}")
    if abs(dy) >= least:
        words.append(f"{_percent(dy, size_wh[1])} {'up' if dy > 0 else 'down'}")
    return " and ".join(words) + " in the picture"


def _percent(pixels: int, size_px: int) -> str:
    return f"{max(1, round(100 * abs(pixels) / size_px))} %"

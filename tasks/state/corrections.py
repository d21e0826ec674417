"""One sentence that says what is wrong in a negative and how to put it right (B6).

Each is true by construction: it only says what was done to the picture.
"""

import re
from collections.abc import Mapping, Sequence

from core.part_names import COUNT_WORDS
from core.records import Instruction
from synthesis.negatives import Wrong
from tasks.prompts import found_text

# Smaller than this share of the larger component, a direction is not worth a word.
MINOR_SHARE = 0.2
_ALL = frozenset(("them", "they", "both", "these", "those", "all"))
# How a sentence speaks of one part, and of several: subject, object, verb, possessive.
_ONE = ("The part", "it", "is", "its")
_SEVERAL = ("The parts", "them", "are", "their")


def parts_asked_for(eop_lines: Sequence[str]) -> str:
    """The pieces of an object-finding row without its verb and full stop.

    >>> parts_asked_for(["Find 1 black plate 2x6."])
    '1 black plate 2x6'
    """
    text = re.sub(r"^(find|collect)\s+", "", found_text(eop_lines), flags=re.IGNORECASE)
    return text.strip().rstrip(".") or "the part asked for"


def placed(step: Instruction, found: int) -> int:
    """How many of the parts that were found a step places, as its words say.

    "it" and "the brick" are one, "them" is all of them, "the 2 bricks" two; without such a word it
    is all of them too.
    """
    number = 0
    for index, entity in enumerate(step.entities):
        words = entity.get("det", "").lower().split()
        counts = [int(w) if w.isdecimal() else COUNT_WORDS.get(w, 0) for w in words]
        if _ALL.intersection(words) or (
            words and not any(counts) and _is_plural(step.entities[index + 1 : index + 3])
        ):
            return found
        number += max(sum(counts), 1) if words else 0
    return min(number, found) or found


def _is_plural(tags: Sequence[Mapping[str, str]]) -> bool:
    """Whether the first theme of word tags is more than one: "roof tiles 1x2x⅔"."""
    theme = next((tag["theme"] for tag in tags if "theme" in tag), "")
    name = re.split(r"\s+(?=\d)", theme)[0]
    return name.endswith("s") and not name.endswith("ss")


def correction(
    wrong: Wrong, eop_lines: Sequence[str], size_wh: tuple[int, int], several: bool = False
) -> str:
    """The sentence for a wrong state of a picture of `size_wh` pixels, about one part or more."""
    parts = parts_asked_for(eop_lines)
    the, it, is_, its = _SEVERAL if several else _ONE
    match wrong.kind:
        case "shift":
            way = _back(wrong.shift_xy_px, size_wh)
            return f"{the} {is_} in the wrong place: move {it} {way}."
        case "rotate":  # it was turned counterclockwise `turn` times
            ways = {1: "clockwise by a quarter", 2: "by half a turn"}
            way = ways.get(wrong.turn, "counterclockwise by a quarter")
            return f"{the} {is_} turned the wrong way: in the picture, turn {it} {way}."
        case "mirror":
            return (
                f"{the} {is_} the wrong way round: {its} left and right are exchanged; turn {it}."
            )
        case "wrong_color":
            return f"{the} {'have' if several else 'has'} the wrong colour: use {parts}."
        case "wrong_part":
            what = "These are not the parts asked for" if several else "This is another part"
            return f"{what}: take {it} away and put {parts} there."
        case "missing":
            return f"The step has not been done yet: add {parts}."
        case "extra" if several:
            return "There are parts too many: take the outlined ones away, the others are right."
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

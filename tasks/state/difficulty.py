"""How hard a wrong state is to see: by how far its part was moved."""

import re

from core.part_names import COUNT_WORDS

LEVELS = ("easy", "medium", "hard")
# How far a part was moved: at least so many studs, where the correction says studs, else at least
# such a share of what stood before; less than the second is hard.
EASY_STUDS, MEDIUM_STUDS = 3.0, 1.5
EASY_FRACTION, MEDIUM_FRACTION = 0.3, 0.15

_NUMBER = rf"(?P<number>\d+|{'|'.join(COUNT_WORDS)})"
WAY_RE = re.compile(
    rf"\b{_NUMBER}\s*(?P<unit>studs?|%)\s+(?:to the |to |towards the )?"
    r"(?P<way>left|right|front|back|up|down)\b"
)


def shift_studs(correction: str) -> float | None:
    """How many studs a correction moves something, in a straight line; None where it says none.

    >>> shift_studs("Move it three studs to the left and four studs to the back.")
    5.0
    """
    along = [COUNT_WORDS.get(m["number"]) or int(m["number"])
             for m in WAY_RE.finditer(correction.casefold()) if m["unit"] != "%"]  # fmt: skip
    return float(sum(number**2 for number in along) ** 0.5) if along else None


def difficulty(kind: str | None, correction: str | None, shift_fraction: float) -> str | None:
    """How hard a moved part is to see, by how far it was moved; None where nothing was moved."""
    if kind != "shift":
        return None
    studs = shift_studs(correction or "")
    moved, limits = (shift_fraction, (EASY_FRACTION, MEDIUM_FRACTION)) if studs is None else (
        studs, (EASY_STUDS, MEDIUM_STUDS))  # fmt: skip
    easy, medium = limits
    return "easy" if moved >= easy else "medium" if moved >= medium else "hard"

"""The words of mistakes, what corrections say as facts, and how hard a moved part is to see."""

import re

from core.colors import COLORS
from core.part_names import COUNT_WORDS, part_kind
from core.records import PartLabel
from core.scenes import KINDS
from tasks.task import Text

FIELDS = ("Kind", "Is at", "Belongs at", "Fix")
NOWHERE = "none"
_BOX = "{<Xleft><Ytop><Xright><Ybottom>}"
_DIRECTIVE = (
    "Answer in four lines. Kind: one of "
    + ", ".join(kind.replace("_", " ") for kind in KINDS)
    + f". Is at: where the new parts are, {_BOX} in percent of the picture, or {NOWHERE}. Belongs "
    f"at: where they should be, {_BOX}. Fix: one sentence that puts it right."
)
TEXT = Text(
    title="Mistakes",
    asks="what is wrong, where, and how is it put right?",
    bodies={
        "paper": "[mistake] After I {found} The step says: {done} I did it wrong. ",
        "readable": 'I have done this: "{found}" The step says: "{done}" I did it wrong. ',
    },
    directives={"paper": _DIRECTIVE, "readable": _DIRECTIVE},
    shared=("id",),
)
LEVELS = ("easy", "medium", "hard")
# How far a part was moved: at least so many studs, where the correction says studs, else at least
# such a share of what stood before; less than the second is hard.
EASY_STUDS, MEDIUM_STUDS = 3.0, 1.5
EASY_FRACTION, MEDIUM_FRACTION = 0.3, 0.15

_NUMBER = rf"(?P<number>\d+|{'|'.join(COUNT_WORDS)})"
_WAY = re.compile(
    rf"\b{_NUMBER}\s*(?P<unit>studs?|%)\s+(?:to the |to |towards the )?"
    r"(?P<way>left|right|front|back|up|down)\b"
)
_TURN = re.compile(r"\b(counterclockwise|clockwise|quarter|half)\b")
_PART = re.compile(r"(?:[a-z]+ )?[a-z]+ \d+x[\dx⅓½⅔¼¾]+")
_COLOR = re.compile(
    rf"\b(?:transparent )?(?:{'|'.join(sorted(map(re.escape, COLORS), key=len, reverse=True))})\b"
)
_ACTIONS = {
    "move": r"move|shift|slide", "turn": r"turn|rotate", "add": r"add|missing",
    "away": r"away|remove", "color": r"colou?r",
}  # fmt: skip


def facts(sentence: str) -> frozenset[str]:
    """What a correction says, whatever its words: what to do, how far which way, colours, parts.

    >>> sorted(facts("Move the plate 2x3 four studs to the left."))
    ['4 stud left', 'do move', 'left', 'part plat 2x3']
    """
    text = " ".join(sentence.casefold().replace("×", "x").split())
    found = {f"do {name}" for name, words in _ACTIONS.items() if re.search(rf"\b(?:{words})", text)}
    for match in _WAY.finditer(text):
        number = COUNT_WORDS.get(match["number"]) or int(match["number"])
        found |= {f"{number} {match['unit'].rstrip('s')} {match['way']}", match["way"]}
    found |= set(_TURN.findall(text))
    found |= {f"color {color}" for color in _COLOR.findall(text)}
    without = _COLOR.sub(" ", text)
    for match in _PART.finditer(" ".join(without.split())):
        words = [w for w in match[0].split() if w not in ("the", "one", "a", "of")]
        words = [w for w in words if w not in COUNT_WORDS and w not in ("take", "put", "use")]
        found.add(f"part {part_kind(PartLabel(1, '', ' '.join(words)))}")
    return frozenset(found)


def shift_studs(correction: str) -> float | None:
    """How many studs a correction moves something, in a straight line; None where it says none.

    >>> shift_studs("Move it three studs to the left and four studs to the back.")
    5.0
    """
    along = [COUNT_WORDS.get(m["number"]) or int(m["number"])
             for m in _WAY.finditer(correction.casefold()) if m["unit"] != "%"]  # fmt: skip
    return float(sum(number**2 for number in along) ** 0.5) if along else None


def difficulty(kind: str, correction: str, shift_fraction: float) -> str | None:
    """How hard a moved part is to see, by how far it was moved; None where nothing was moved."""
    if kind != "shift":
        return None
    studs = shift_studs(correction)
    moved, limits = (shift_fraction, (EASY_FRACTION, MEDIUM_FRACTION)) if studs is None else (
        studs, (EASY_STUDS, MEDIUM_STUDS))  # fmt: skip
    easy, medium = limits
    return "easy" if moved >= easy else "medium" if moved >= medium else "hard"

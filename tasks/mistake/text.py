"""The words of mistakes, and what corrections say as facts."""

import re

from core.colors import COLORS
from core.part_names import COUNT_WORDS, part_kind
from core.records import PartLabel
from core.scenes import KINDS
from tasks.state.difficulty import WAY_RE
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
    for match in WAY_RE.finditer(text):
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

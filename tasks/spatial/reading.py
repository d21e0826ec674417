"""What the sentence of a step says of where its parts go: clauses, not words.

Four things are told apart. A relation to an anchor ("on top of the plate 2x4", "on the table"), a
place in the assembly ("in the back left"), an orientation ("horizontally", "studs to the back") and
a layout of copies ("one behind the other"). Only the first two are relations. Sides are the
reader's: front is towards him.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

TABLE = "table"


class Placing(NamedTuple):
    """What one sentence says: `relation` to `anchor` (the name of a part, "table", or None for
    what stands there), and the `sides` of the assembly that the parts go to."""

    relation: str | None
    anchor: str | None
    sides: tuple[str, ...]


# Up to the clause's end; a point within a number ("wheel rim 11.2x10.4") is none.
_NAME = r"(?:[^,.;]|(?<=\d)\.(?=\d))+"
_ANCHORS: tuple[tuple[str, str], ...] = (
    ("in front of", rf"in front of (?P<anchor>{_NAME})"),
    ("behind", rf"(?<!one )behind (?P<anchor>(?!the other){_NAME})"),
    ("left", rf"(?:to|on) the left(?: side)? of (?P<anchor>{_NAME})"),
    ("right", rf"(?:to|on) the right(?: side)? of (?P<anchor>{_NAME})"),
    ("next", rf"(?:right )?(?:next to|beside|adjacent to|against the side of) (?P<anchor>{_NAME})"),
    ("on", rf"(?<!one )on top of (?P<anchor>(?!the other){_NAME})"),
    ("on", r"(?:onto|on) (?P<anchor>the table)\b"),
    ("on", r"\bon top\b"),
    ("under", rf"(?:underneath|under|below|beneath) (?P<anchor>{_NAME})"),
    ("under", r"\b(?:from below|underneath)(?=$|[\s,.;])"),
    ("above", rf"(?:above|over) (?P<anchor>{_NAME})"),
    ("in", rf"(?:into|inside(?: of)?|in between|between|within) (?P<anchor>{_NAME})"),
    ("on", r"\b(?:onto|on) (?P<anchor>(?!the (?:left|right|front|back|leftmost|rightmost|very|side|"
           r"model)|(?:one|each|both|its|their) (?:side|edge|end)|\d|two\b|end\b|edge\b)"
           rf"{_NAME})"),
)  # fmt: skip
_COMPILED = tuple(
    (name, re.compile(rf"(?<!\w){pattern}", re.IGNORECASE)) for name, pattern in _ANCHORS
)
_MODEL = re.compile(r"^(?:the )?(?:model|rest|assembly|structure|whole|previous pieces?)\b", re.I)
_SIDE = r"(?:front|back|left|right|leftmost|rightmost)"
# "one on the left and one on the right", "side by side", "one behind the other", "slope to the
# left", "2 studs free on the left": of copies and of how the part is turned.
_OTHER = re.compile(
    r"\bone\b.*|\bside by side\b|\btwo on the\b.*|\bin a row\b.*|\beach\b.*|"
    r"\b(?:slopes?|studs?|clasps?|clips?|pins?|side|opening|end)\b.*\bto the \w+.*|"
    r"\b(?:leaving|flush|studs?|stud)\b.*",
    re.IGNORECASE,
)
_PLACE = re.compile(
    rf"^(?:[a-z]+ly )*(?:in|on|at|to) the (?:very )?(?P<one>{_SIDE})(?:[ -](?P<two>{_SIDE}))?"
    r"(?: (?:row|column|side|edge|corner|half))?(?: of the (?:model|assembly|structure))?$",
    re.IGNORECASE,
)
_AT_END = re.compile(
    rf"\b(?:in|on|at) the (?:very )?(?P<one>{_SIDE})(?:[ -](?P<two>{_SIDE}))?"
    r"(?: (?:row|column|side|edge|corner|half))?(?: of the (?:model|assembly|structure))?$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\W*\w+ (?:it|them)\b", re.IGNORECASE)
_NAMES = {"leftmost": "left", "rightmost": "right", "front": "in front of", "back": "behind"}


def read_placing(sentence: str, names: Sequence[str] = ()) -> Placing:
    """What a line of an instruction says of where its parts go. `names` are those of the parts
    themselves: what they say of a shape ("with a stud on one side") is no place.

    >>> read_placing("Put the plate 1x2 vertically on top of the brick 2x4, in the back left.")
    Placing(relation='on', anchor='the brick 2x4', sides=('behind', 'left'))
    >>> read_placing("Put them on top, one on the left and one on the right.")
    Placing(relation='on', anchor=None, sides=())
    """
    relation: str | None = None
    anchor: str | None = None
    sides: list[str] = []
    if _PRONOUN.match(sentence):  # who is named then is the anchor
        names = ()
    for name in sorted(names, key=len, reverse=True):
        sentence = sentence.replace(name, "it", 1)
    for clause in re.split(r",\s*", sentence.strip().rstrip(".")):
        rest = _OTHER.sub("", clause).strip()
        place = _PLACE.match(rest) or _AT_END.search(rest)
        if place:
            found = [_NAMES.get(s.lower(), s.lower()) for s in place.groups() if s]
            sides += [side for side in found if side not in sides]
            rest = rest[: place.start()]
        if relation is None:
            relation, anchor = _relation(rest)
    return Placing(relation, anchor, tuple(sides))


def _relation(clause: str) -> tuple[str | None, str | None]:
    for name, pattern in _COMPILED:
        match = pattern.search(clause)
        if match is None:
            continue
        anchor = match.groupdict().get("anchor")
        anchor = anchor.strip() if anchor else None
        if anchor and re.match(r"(?:the )?table\b", anchor, re.IGNORECASE):
            return name, TABLE
        return name, None if anchor and _MODEL.match(anchor) else anchor
    return None, None

"""Descriptions of LDraw parts in the words that LEGO's own manuals use; pure.

"Brick  2 x  4" is a brick 2x4, "Slope Brick 45  2 x  1" a roof tile 1x2, "Tile  1 x  2 with Groove"
a flat tile 1x2.
"""

import re
from dataclasses import dataclass

from core.nouns import plural

MOST_CHARACTERS = 64
_MARKS = re.compile(r"^[~=_|\s]+")
_ASIDE = re.compile(r"\([^)]*\)|\|.*$")
_NUMBER = r"\d+(?:\.\d+)?(?: & 1/3)?"
_SIZE = re.compile(rf"(?:\d+/\s*)?(?<![\w./-])(?P<size>{_NUMBER}(?:\s*x\s*{_NUMBER})+)(?![\w/])")
_BESIDE = re.compile(rf"\s*-\s*(?P<size>{_NUMBER}(?:\s*x\s*{_NUMBER})+)")
_FRACTIONS = {"333": "⅓", "5": "½", "667": "⅔", "25": "¼", "75": "¾", "": ""}
# How a part is made beneath, or which of two moulds it is: nothing that a builder looks for.
_MOULD = re.compile(
    r",? ?\b(with(out)? (groove|understud|(inner )?stopper ring|inner stopper ring|"
    r"ribs between studs|hollow studs?|open studs?|solid studs?|blocked hollow stud|"
    r"reinforcement|stud notches|wishbones|cross underside stud)|reinforced( underside)?|"
    r"type \d+|extended|standard(?= grin)|on (?=short side))\b",
    re.IGNORECASE,
)
_SHAPES = ("round", "corner", "inverted", "left", "right", "double", "curved")  # said before
_OTHER_HAND = {"left": "right", "right": "left"}
_FAMILIES = (
    (r"slope brick curved", "curved brick"),
    (r"slope brick(?: \d+)?", "roof tile"),
    (r"slope(?: \d+)?", "roof tile"),
    (r"tile", "flat tile"),
    (r"minifig (?=head|torso|arm|hand|hips|leg)", "minifigure "),
    (r"minifig (?:gun|tool|food|sword|plant) ", ""),
    (r"minifig ", ""),
    (r"animal ", ""),
    (r"lsynth synthesis part - ", ""),
    (r"(hat|cap|helmet|hair|shield|plume|torch|spear|flag) (\w+)$", r"\2 \1"),
)


@dataclass(frozen=True)
class Name:
    """What a part is called: `family`, which has a plural, then what follows it (maybe empty)."""

    family: str
    rest: str

    def label(self, count: int = 1) -> str:
        """`brick 2x4`, or `bricks 2x4` of several."""
        family = self.family if count == 1 else plural(self.family)
        return f"{family} {self.rest}".strip()


def name_of(title: str) -> Name | None:
    """The name of a part by its description; None where it gives none."""
    text = _ASIDE.sub(" ", _MARKS.sub("", title))
    if not _SIZE.search(text):  # a part of a model's own: "The Model - Shock absorber"
        text = re.sub(r"-\d+$", "", text.rpartition(" - ")[2].strip())
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    match = _SIZE.search(text)
    if match:
        before, rest = text[: match.start()], text[match.end() :]
        size = _size(match["size"], in_order=bool(re.match(r"(?i)wheel|tyre", before)))
        beside = _BESIDE.match(rest)
        if beside:  # a bracket: two plates at a right angle
            size, rest = f"{size}/{_size(beside['size'], False)}", rest[beside.end() :]
    else:
        before, word, after = _before_with(text)
        rest, size = f"{word} {after}", ""
    rest = _SIZE.sub(lambda found: _size(found["size"], False), rest)
    family, rest = _words(before), _words(_MOULD.sub("", rest))
    rest = re.sub(r"^and\b", "with", re.sub(r"( (and|with|sw))+$", "", rest.replace(" sw ", " ")))
    family, rest = _shaped(_renamed(family), rest)
    if not re.search(r"[a-z]{2}", family):
        return None
    return Name(family, _short(f"{size} {rest}".strip(), MOST_CHARACTERS - len(family)))


def other_hand(name: Name) -> Name | None:
    """The name of the right one of a part that comes in hands, by the left one's, or the other way;
    None for all other parts."""
    words = name.family.split()
    hands = [i for i, word in enumerate(words) if word in _OTHER_HAND]
    if len(hands) != 1 or set(name.rest.split()) & set(_OTHER_HAND):
        return None
    words[hands[0]] = _OTHER_HAND[words[hands[0]]]
    return Name(" ".join(words), name.rest)


def _before_with(text: str) -> tuple[str, str, str]:
    match = re.search(r"\b(with(?:out)?|for|on)\b|,|(?<=\s)(?=\d)", text, re.IGNORECASE)
    if not match:
        return text, "", ""
    return text[: match.start()], match[0], text[match.end() :]


def _words(text: str) -> str:
    """Lower case with single spaces, without marks at its ends."""
    return " ".join(text.lower().replace('"', "").split()).strip(" ,.;:-/")


def _renamed(family: str) -> str:
    for pattern, words in _FAMILIES:
        family = re.sub(rf"^{pattern}", words, family)
    return family.strip()


def _shaped(family: str, rest: str) -> tuple[str, str]:
    """Bring what says the shape to the front: `plate 1x1 round` is a round plate."""
    words = rest.split()
    found = []
    while words and words[0].strip(",") in _SHAPES:
        found.append(words.pop(0).strip(","))
    own = family.split()
    while len(own) > 1 and own[-1] in ("left", "right", "inverted"):
        found.insert(0, own.pop())
    if "with" in words or not words or found:
        return " ".join([*found, *own]), " ".join(words)
    return family, rest


def _size(text: str, in_order: bool) -> str:
    """`2 x  1 x  0.667` -> `1x2x⅔`: the shorter side first, as the manuals have it."""
    numbers = [_fraction(number) for number in re.split(r"\s*x\s*", text)]
    if not in_order and all(n.isdigit() for n in numbers[:2]):
        numbers[:2] = sorted(numbers[:2], key=int)
    return "x".join(numbers)


def _fraction(number: str) -> str:
    if "&" in number:
        return number.split(" ")[0] + "⅓"
    whole, _, decimals = number.partition(".")
    if decimals.rstrip("0") in _FRACTIONS:
        return ("" if whole == "0" else whole) + _FRACTIONS[decimals.rstrip("0")]
    return number


def _short(rest: str, most: int) -> str:
    """Cut what is too long for a label where a thought ends."""
    rest = re.sub(r"\bw\.\s", "with ", rest)
    while len(rest) > most:
        cut = max(rest.rfind(mark) for mark in (" with ", " and ", ",", " / ", " & "))
        if cut <= 0:
            return rest[:most].rpartition(" ")[0]
        rest = rest[:cut].strip(" ,")
    return rest

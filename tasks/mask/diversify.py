"""Whether an instruction in other words is still about the same pixels.

Read from its words alone: the things it names are looked up among all that the picture shows.
"""

import re
from collections.abc import Sequence

from core.part_names import COUNT_WORDS, part_kind
from core.records import PartLabel
from core.relations import read_relations
from tasks.mask.notes import Seen
from tasks.mask.simplify import simplify
from tasks.spatial.diversify import without

# What takes things out; another one in a sentence may make it mean the rest.
_TAKES_OUT = re.compile(
    r"\b(?:no|not|never|none|nothing|without|except|excluding|besides|other|others|rest|but|apart|"
    r"neither|nor|only|instead)\b|n't\b",
    re.IGNORECASE,
)
_BEFORE_NAMES = {"the", "both", "all", "each", "every", "these", "those", *COUNT_WORDS}
# "in the picture" says nothing of how things stand.
_IN_PICTURE = re.compile(r"\b(?:in|on|of|from|within) (?:the|this) (?:picture|image|photo)\b", re.I)


def things_named(text: str, seen: Sequence[Seen]) -> frozenset[int] | None:
    """What a sentence names of all that a picture shows, by number; None where it names something
    else, or another number of it.

    >>> seen = [Seen("red", "plate 1x2", 2, True), Seen("blue", "plate 1x2", 1, False)]
    >>> things_named("Show me both red plates 1x2.", seen)
    frozenset({0})
    >>> sorted(things_named("The plates 1x2.", seen)), things_named("3 red plates 1x2.", seen)
    ([0, 1], None)
    """
    found: set[int] = set()
    for phrase in simplify(text, [_name(one) for one in seen]):
        places, count = _places(phrase, seen)
        if not places or count not in (None, sum(seen[i].count for i in places)):
            return None
        found.update(places)
    return frozenset(found)


def _places(phrase: str, seen: Sequence[Seen]) -> tuple[list[int], int | None]:
    """What a phrase names, and the number before the name, if there is one. Verbs that `simplify`
    does not know may stand before it, but no word that could belong to the name."""
    words = phrase.split()
    for start, before in enumerate(["", *words]):
        if start < len(words) and (
            not start or before.lower() in _BEFORE_NAMES or before.isdigit()
        ):
            kind = _kind(" ".join(words[start:]))
            places = [
                i for i, one in enumerate(seen) if kind in (_kind(one.label), _kind(_name(one)))
            ]
            if places:
                return places, int(before) if before.isdigit() else COUNT_WORDS.get(before.lower())
    return [], None


def names_region(text: str, seen: Sequence[Seen]) -> bool:
    """Whether the things that a sentence names are those that the mask shows, and no others."""
    return things_named(text, seen) == frozenset(i for i, one in enumerate(seen) if one.meant)


def refusal(new: str, old: str, seen: Sequence[Seen]) -> str:
    """Why a rewriting does not count, empty if it does."""
    if not names_region(new, seen):
        return "another region"
    if _relations(new, seen) != _relations(old, seen):
        return "another relation"
    if _taking_out(new) != _taking_out(old):
        return "a negation"
    return "the same words" if _words(new) == _words(old) else ""


def _relations(text: str, seen: Sequence[Seen]) -> frozenset[str]:
    names = simplify(text, [_name(one) for one in seen])
    return read_relations(without(_IN_PICTURE.sub("", text), names))


def _taking_out(text: str) -> set[str]:
    return {word.lower() for word in _TAKES_OUT.findall(text)}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _name(one: Seen) -> str:
    return f"{one.color} {one.label}".strip()


def _kind(name: str) -> str:
    return part_kind(PartLabel(1, "", name))

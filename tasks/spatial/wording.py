"""Descriptions of a pair, short (v1) and richer (v2), that say only what holds.

The patterns are those of the data that visual spatial description is trained on (LLaVA-VSD, Table
1): a phrase, a sentence with a verb, "there is".
"""

import random
import re
from collections.abc import Callable, Sequence

from core.relations import OPPOSITE, WORDS
from tasks.spatial.things import Thing

# Verbs that suit bricks, for one and for several; beside "is".
_VERBS = {
    "on": (("sits", "sit"), ("rests", "rest"), ("is attached", "are attached")),
    "in": (("sits", "sit"), ("is set", "are set")),
    "under": (("is placed", "are placed"), ("sits", "sit")),
    "above": (("is placed", "are placed"), ("can be seen", "can be seen")),
}
_OTHER_VERBS = (("stands", "stand"), ("is placed", "are placed"), ("can be seen", "can be seen"))
_FLAT = re.compile(r"(?<!roof )\b(?:tiles?|plates?|frames?)\b")  # these lie, they do not stand


def _phrase(one: Thing, words: str, other: Thing, verb: str) -> str:
    return f"{one.indefinite} {words} {other.definite}"


def _is(one: Thing, words: str, other: Thing, verb: str) -> str:
    return f"{one.definite} {one.verb} {words} {other.definite}"


def _verb(one: Thing, words: str, other: Thing, verb: str) -> str:
    return f"{one.indefinite} {verb} {words} {other.definite}"


def _definite_verb(one: Thing, words: str, other: Thing, verb: str) -> str:
    return f"{one.definite} {verb} {words} {other.definite}"


def _there(one: Thing, words: str, other: Thing, verb: str) -> str:
    return f"there {one.verb} {one.indefinite} {words} {other.definite}"


def _has(one: Thing, words: str, other: Thing, verb: str) -> str:
    pronoun = "them" if other.several else "it"
    has = "have" if other.several else "has"
    return f"{other.definite} {has} {one.indefinite} {words} {pronoun}"


PATTERNS: tuple[Callable[[Thing, str, Thing, str], str], ...] = (
    _phrase, _is, _verb, _definite_verb, _there, _has,
)  # fmt: skip


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def short_lines(
    one: Thing, relation: str, other: Thing, rng: random.Random, number: int = 2
) -> list[str]:
    """v1: different patterns, in an order of the row's own."""
    usable = [p for p in PATTERNS if p is not _has or (other.is_part and one.is_part)]
    verbs = _VERBS.get(relation, ()) or _OTHER_VERBS
    if not other.is_part:  # nothing is attached to a table
        verbs = tuple(verb for verb in verbs if "attached" not in verb[0]) or _OTHER_VERBS
    if _FLAT.search(one.bare):
        verbs = tuple(("lies", "lie") if verb[0] == "stands" else verb for verb in verbs)
    chosen = rng.sample(usable, min(number, len(usable)))
    return [
        sentence(pattern(one, WORDS[relation], other, rng.choice(verbs)[one.several]))
        for pattern in chosen
    ]


def richer_line(
    one: Thing,
    relations: Sequence[str],
    other: Thing,
    third: tuple[str, Thing] | None,
    orientation: str | None,
) -> str:
    """v2: colour, size, number, how the part lies, and a third part or a second relation."""
    words = WORDS[relations[0]]
    if third is not None and third[0] != relations[0]:  # not "left of one is left of the other"
        beside = f"{WORDS[third[0]]} {third[1].definite}"
        return sentence(f"{one.definite} {beside} {one.verb} {words} {other.definite}")
    lie = "lie" if one.several else "lies"
    if orientation == "upright":
        lie = "stand" if one.several else "stands"
    verb = f"{lie} {orientation}" if orientation else ("rest" if one.several else "rests")
    if relations[0] not in ("on", "in") and not orientation:
        verb = "are located" if one.several else "is located"
    text = f"{one.definite} {verb} {words} {other.definite}"
    more = [WORDS[name] for name in relations[1:2] if name not in ("next", relations[0])]
    return sentence(f"{text} and {more[0]} it" if more and not other.several else text)


def false_line(one: Thing, holds: Sequence[str], other: Thing, known: bool) -> str | None:
    """A description of the same pair that is false; None where none is surely so."""
    if not known or not holds or holds[0] not in OPPOSITE:
        return None
    wrong = OPPOSITE[holds[0]]
    return None if wrong in holds else sentence(_is(one, WORDS[wrong], other, ""))

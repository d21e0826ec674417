"""Spatial relations between two things: the nine labels, their words, and how sentences say them.

The labels and words are those of visual spatial description (Zhao et al., arXiv 2210.11109, and
LLaVA-VSD, section 2.1): stored short, written long in prompts and answers.
"""

import re

RELATIONS = ("on", "in", "next", "under", "above", "behind", "in front of", "left", "right")
WORDS = {name: name for name in RELATIONS} | {
    "next": "next to",
    "left": "to the left of",
    "right": "to the right of",
}
# What parts stand to besides other parts; of the table nobody sees the pixels.
MODEL, MIDDLE, TABLE = "rest of the model", "middle of the model", "table"
# How a pair is asked about: choose a label, describe it in a phrase, in three sentences.
CONVERSATIONS = ("classification", "single", "open")
# From the one that says most about a pair to the one that says least.
BY_INFORMATION = (
    "in", "on", "under", "above", "behind", "in front of", "left", "right", "next",
)  # fmt: skip
# What can't hold of a pair together with a relation.
OPPOSITE = {
    "left": "right", "right": "left", "behind": "in front of", "in front of": "behind",
    "on": "under", "under": "on", "above": "under",
}  # fmt: skip
# How sentences say them; what an earlier line takes, a later one does not see.
_LEXICON: tuple[tuple[str, str], ...] = (
    ("in front of", r"\b(?:in front(?: of)?|at the front(?: of)?|before)\b"),
    ("behind", r"\b(?:behind|in back of|at the (?:back|rear)(?: of)?)\b"),
    ("left", r"\b(?:(?:to|on|at) the )?(?:left(?:most|[- ]hand)?)(?: side| of|\b)(?: of)?\b"),
    ("right", r"\b(?:(?:to|on|at) the )?(?:right(?:most|[- ]hand)?)(?: side| of|\b)(?: of)?\b"),
    ("next", r"\b(?:next to|beside|besides|adjacent(?: to)?|alongside|close to|near(?:by)?|by|"
             r"(?:at|against) the side(?: of)?)\b"),
    ("under", r"\b(?:under|underneath|below|beneath)\b"),
    ("above", r"\b(?:above|over)\b"),
    ("in", r"\b(?:in|into|inside(?: of)?|within|inserted)\b"),
    ("on", r"\b(?:on top(?: of)?|onto|atop|upon|on)\b"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _LEXICON)
_LABELS = {words: name for name, words in WORDS.items()} | {name: name for name in RELATIONS}


def label_of(words: str) -> str | None:
    """The label of a relation in its short or long form; None for another word.

    >>> label_of("to the left of"), label_of("left"), label_of("inside")
    ('left', 'left', None)
    """
    return _LABELS.get(" ".join(words.lower().split()))


def read_relations(sentence: str) -> frozenset[str]:
    """The relations that a sentence says of two things.

    >>> sorted(read_relations("The small dog is in front of the car, on the grass."))
    ['in front of', 'on']
    """
    found = set()
    for name, pattern in _COMPILED:
        sentence, number = pattern.subn(" | ", sentence)
        if number:
            found.add(name)
    return frozenset(found)


def by_information(relations: "set[str] | frozenset[str] | list[str]") -> list[str]:
    """Relations in the fixed order, the most telling first."""
    return [name for name in BY_INFORMATION if name in relations]

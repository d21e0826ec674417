"""From a sentence back to the things in it, without a language model, which does it in arXiv
2405.19783 (section 3.2) before annotators look for each thing."""

import re
from collections.abc import Iterable

from core.colors import COLORS
from core.part_names import COUNT_WORDS, part_kind
from core.records import PartLabel

# What ends a name: verbs of building, words of place and order, and marks. "with" does not: "plate
# 1x2 with clip".
_BREAKS = re.compile(
    r"[,.;:!?]|\b(?:"
    r"find|collect|put|place|attach|add|insert|connect|push|press|turn|do|did|was|were|is|are|has|"
    r"have|goes|go|rests?|stands?|sits?|lies?|lie|can|be|seen|mark|show|where|what|which|who|that|"
    r"it|them|they|i|you|now|then|also|too|not|nothing|correctly|for|together|while|so|leaving|"
    r"horizontally|vertically|upright|diagonally|"
    r"on|onto|in|into|at|to|of|from|under|underneath|below|above|over|behind|front|next|beside|"
    r"between|inside|by|against|near|flush|and|or|but|all|except"
    r")\b",
    re.IGNORECASE,
)
_ARTICLES = re.compile(
    r"^(?:(?:the|this|these|those|both|each|every|other|another|new|newest|same|following|rest)\s+)+",
    re.IGNORECASE,
)
_SIZE = re.compile(r"(?:\d+|[⅓½⅔¼¾])(?:\s?[x×]\s?[\d⅓½⅔¼¾]+)+")
# What parts are called besides their sizes; the first words of their families.
_NOUNS = re.compile(
    r"\b(?:brick|plate|tile|slope|arch|wheel|tyre|tire|axle|beam|panel|window|door|cone|cylinder|"
    r"dish|disc|bar|hinge|clip|hose|lea(?:f|ves)|flower|plant|tree|head|torso|leg|hair|helmet|hat|"
    r"flag|fence|gate|ladder|chest|barrel|ball|bow|pin|connector|gear|frame|wall|roof|chair|cup|"
    r"candle|lamp|light|glass|sword|shield|minifigure|animal|dog|cat|horse|fish|bird|table)"
    r"(?:e?s)?\b",
    re.IGNORECASE,
)
_GENERAL = re.compile(r"^(?:\S+\s+)?(?:pieces?|parts?|kinds?|one|ones|studs?|pictures?)$", re.I)


def simplify(sentence: str, names: Iterable[str] = ()) -> list[str]:
    """The phrases of a sentence that name things, with their number, in order and each once.
    `names` are of things that are known: they count whatever they are called.

    >>> simplify("Put the 2 red plates 1x2 on top of the brick 2x4, in the back left.")
    ['2 red plates 1x2', 'brick 2x4']
    >>> simplify("Every piece that is not grey.")
    []
    """
    known = {part_kind(PartLabel(1, "", name)) for name in names}
    found: list[str] = []
    for chunk in _BREAKS.split(sentence):
        phrase = _ARTICLES.sub("", " ".join(chunk.split())).strip(" '\"“”()")
        if phrase and phrase not in found and _is_thing(phrase, known):
            found.append(phrase)
    return found


def without_number(phrase: str) -> str:
    """A phrase without the number before it.

    >>> without_number("2 red plates 1x2"), without_number("a red plate"), without_number("arch")
    ('red plates 1x2', 'red plate', 'arch')
    """
    first, _, rest = phrase.partition(" ")
    counts = first.isdigit() or first.lower() in COUNT_WORDS
    return rest if rest and counts else phrase


def _is_thing(phrase: str, known: Iterable[str]) -> bool:
    bare = without_number(phrase)
    if part_kind(PartLabel(1, "", bare)) in known:
        return True
    if _GENERAL.match(bare) or bare.lower() in COLORS:
        return False
    return bool(_SIZE.search(bare) or _NOUNS.search(bare))

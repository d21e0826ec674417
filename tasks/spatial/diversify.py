"""Other words for a description, by rule (LLaVA-VSD, section 2.3: a model rewrites answers).

A new sentence counts only if it still says the same relations of the same names and shares no two
words in a row with the old one, besides those within a name.
"""

import random
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from core.relations import read_relations
from tasks.spatial.pairs import Pair

# Other words for each relation; none shares two words with those that descriptions use.
_WORDS: dict[str, tuple[str, ...]] = {
    "on": ("atop", "upon"),
    "in": ("inside", "within"),
    "next": ("beside", "alongside"),
    "under": ("beneath", "below"),
    "above": ("over",),
    "behind": ("at the back of",),
    "in front of": ("before",),
    "left": ("further left than",),
    "right": ("further right than",),
}
_FRAMES = (
    "Here {one} can be found {words} {other}",
    "{words} {other} one finds {one}",
    "Somebody has put {one} {words} {other}",
    "What we see {words} {other}: {one}",
)


def rewritten(
    line: str, pair: Pair, relation: str, rng: random.Random, taken: Collection[str] = ()
) -> str | None:
    """A line in other words, none of `taken`; None where no rule gives one that passes."""
    names = (pair.subject.bare, pair.object.bare)
    frames = rng.sample(_FRAMES, len(_FRAMES))
    choices = [(frame, words) for frame in frames for words in _WORDS[relation]]
    for frame, words in choices:
        one = pair.subject.indefinite
        new = frame.format(one=one, words=words, other=f"this {pair.object.bare}")
        new = f"{new[:1].upper()}{new[1:]}."
        if new not in taken and is_accepted(new, line, names, relation):
            return new
    return None


def is_accepted(new: str, old: str, names: tuple[str, str], relation: str) -> bool:
    """Whether a rewriting still says the relation of both names, and shares no bigram with the
    old sentence outside the names."""
    return not refusal(new, old, names, frozenset((relation,)))


def refusal(
    new: str, old: str, names: Sequence[str], relations: frozenset[str] | None = None
) -> str:
    """Why a rewriting does not count, empty if it does: `relations` are those that it must say,
    else all that the old sentence says and no other."""
    if not all(name.lower() in new.lower() for name in names):
        return "a name is lost"
    bare_new, bare_old = (without(text, names) for text in (new, old))
    if read_relations(bare_new) != (read_relations(bare_old) if relations is None else relations):
        return "another relation"
    return "words kept" if _bigrams(bare_new) & _bigrams(bare_old) else ""


def without(text: str, names: Sequence[str]) -> str:
    """A text with a sign in the place of every name: what it says besides."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(re.escape(name), "@", text, flags=re.IGNORECASE)
    return text


def _bigrams(text: str) -> set[tuple[str, str]]:
    words = re.findall(r"[\w@]+", text.lower())
    return {pair for pair in pairwise(words) if "@" not in pair}

"""English nouns of parts: plural, singular, and the article before them.

A part's name is a family, which has the number ("roof tile"), and what follows it: a size, "with
...", letters of a shape ("roof tile 1x2x⅔").
"""

import re

_SAME = ("hair", "glass", "fabric")
_IRREGULAR = {"leaf": "leaves", "knife": "knives", "fish": "fish"}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
# Where the family ends: at a size, a number, or a word that tells more about it.
_REST = re.compile(r"\s+(?:[\d⅓½⅔¼¾]|(?:with|without|for|in|of|on|and|left|right|top|bottom)\b)")
_VOWEL_SOUND = re.compile(r"(?:[aeio]|u(?!ni|se))|(?:8|11|18)(?!\d)", re.IGNORECASE)


def plural(family: str) -> str:
    """ "roof tile" -> "roof tiles"; what has no other plural stays."""
    head, _, last = family.rpartition(" ")
    if last in _SAME or re.search(r"[^su]s$", last):  # hips, legs, goggles
        return family
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif re.search(r"(s|x|ch|sh)$", last):
        last += "es"
    elif re.search(r"[^aeiou]y$", last):
        last = f"{last[:-1]}ies"
    else:
        last += "s"
    return f"{head} {last}".strip()


def split_name(name: str) -> tuple[str, str]:
    """Family and the rest of a part's name.

    >>> split_name("flat tiles 1x2 with grille")
    ('flat tiles', '1x2 with grille')
    """
    match = _REST.search(name)
    return (name[: match.start()], name[match.start() :].strip()) if match else (name, "")


def singular(name: str) -> str:
    """A part's name of several as that of one.

    >>> singular("roof tiles 1x2x⅔"), singular("arches 1x4"), singular("hoses")
    ('roof tile 1x2x⅔', 'arch 1x4', 'hose')
    """
    family, rest = split_name(name)
    head, _, last = family.rpartition(" ")
    if last in _SINGULAR:
        last = _SINGULAR[last]
    elif last.endswith("ies") and len(last) > 4:
        last = f"{last[:-3]}y"
    elif re.search(r"(ss|x|ch|sh)es$", last):
        last = last[:-2]
    elif re.search(r"[^su]s$", last):
        last = last[:-1]
    return f"{head} {last} {rest}".strip()


def with_number(name: str, count: int) -> str:
    """A part's name of one, as it reads of `count`.

    >>> with_number("flat tile 1x2 with grille", 2)
    'flat tiles 1x2 with grille'
    """
    if count == 1:
        return name
    family, rest = split_name(name)
    return f"{plural(family)} {rest}".strip()


def article(words: str) -> str:
    """ "a" or "an", by the sound that the words start with."""
    return "an" if _VOWEL_SOUND.match(words) else "a"

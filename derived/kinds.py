"""The kinds of derived test sets: KINDS, the only list of them.

A kind is a module here with `make(source)`, which yields `Made` rows from the rows of a build, and
`features(config)`, the columns of what it makes. How answers to them are judged, checked and shown
is a folder in `tasks/` (`tasks.DERIVED`), where the rows are not those of a config of builds.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind: the module that makes it, what it is, the configs it reads, options only it has."""

    module: str
    help: str
    reads: tuple[str, ...]
    options: tuple[str, ...] = ()


LANGUAGES = ("de", "nl", "fr")  # of `languages`: German, Dutch, French

KINDS = {
    "robust": Kind(
        "derived.robust",
        "each picture again with blur, bad light, perspective, a hand in the way, noise",
        ("object", "state", "state_balanced", "spatial", "mask"),
        ("config", "corruption", "severity"),
    ),
    "hard-detection": Kind(
        "derived.hard_detection",
        "find a part in 2x2 to 4x4 pictures of parts that are alike, or say that it is absent",
        ("object",),
        ("grid",),
    ),
    "mistake": Kind(
        "derived.mistake",
        "what is wrong in a wrong state, where, and how to put it right",
        ("state",),
    ),
    "sequence": Kind(
        "derived.sequence",
        "several steps: which is next, which was before, in what order, the odd one out, needed",
        ("scene",),
    ),
    "reference": Kind(
        "derived.reference",
        "states beside the manual's picture, seen by another camera",
        ("state",),
    ),
    "languages": Kind(
        "derived.languages",
        "object queries in German, Dutch or French, by a lexicon",
        ("object",),
        ("language",),
    ),
    "episode": Kind(
        "derived.episode",
        "a step as a conversation: find, place, check, put right, check again",
        ("scene", "object", "state"),
    ),
}

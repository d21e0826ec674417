"""Instructions in three levels that a region is the only answer to (arXiv 2405.19783, section 3.2).

simple: what parts are called. manual: the sentence as it stands. complex: from what the session
knows (roles, relations, counts, exclusion, order). One that fits another region of the picture as
well is refused, and counted.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.records import PartLabel
from core.relations import WORDS
from tasks.mask.targets import StepTarget
from tasks.queries import lower_first
from tasks.regions import Region
from tasks.spatial import things
from tasks.spatial.reading import TABLE, Placing

NUMBER_WORDS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = ("first", "second", "third", "last")


class Variant(NamedTuple):
    """An instruction and its level."""

    level: str
    text: str

    @property
    def column(self) -> dict[str, str]:
        """As a row holds it."""
        return {"level": self.level, "text": self.text}


class Refused(NamedTuple):
    """An instruction that was not used, for it fits another region as well."""

    text: str


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


# Find pictures -----------------------------------------------------------------------------------


def counted(label: PartLabel) -> str:
    """ "2 transparent red flat tiles 1x2"."""
    return f"{label.number} {label.text}"


def of_label(
    labels: Sequence[PartLabel], index: int, placing: Placing | None, rng: random.Random
) -> list[Variant]:
    """Instructions of one kind of part in its find picture, where all kinds are different;
    `placing` is what the next step says of where it goes."""
    own = labels[index]
    others = [label for place, label in enumerate(labels) if place != index]
    variants = [Variant("simple", sentence(counted(own)))]
    complex_ = [*_by_exclusion([own], others), *_by_count(own, others), *_by_role(labels, placing)]
    rng.shuffle(complex_)
    return variants + [Variant("complex", text) for text in complex_[:1]]


def of_collage(
    own: Sequence[PartLabel],
    others: Sequence[PartLabel],
    rank: int | None,
    rng: random.Random,
) -> list[Variant]:
    """Instructions of what one cell of a collage shows. `rank` is when the manual asks for it first
    among the four, 0 to 3; None where two are asked for at one time."""
    variants = [Variant("simple", sentence(listed([counted(label) for label in own])))]
    texts = [*_by_exclusion(own, others)]
    if len(own) == 1:
        texts += _by_count(own[0], others)
    rng.shuffle(texts)
    if rank is not None:
        texts.append(f"What the manual asks for {ORDINALS[rank]} of the four pictures.")
    return variants + [Variant("complex", text) for text in texts[:1]]


def _by_exclusion(own: Sequence[PartLabel], others: Sequence[PartLabel]) -> list[str]:
    """By a colour that all others have and it has not."""
    colors = {label.color.lower() for label in others}
    if len(colors) != 1 or not all(label.color for label in (*own, *others)):
        return []
    color = colors.pop()
    if any(label.color.lower() == color for label in own):
        return []
    return [f"Every piece that is not {color}.", f"All but the {color} pieces."]


def _by_count(own: PartLabel, others: Sequence[PartLabel]) -> list[str]:
    """By a number that no other kind has."""
    if not others or own.number in {label.number for label in others} or own.number > 10:
        return []
    if own.number == 1:
        return ["The piece that is there only once.", "The only piece without an equal one."]
    number = NUMBER_WORDS[own.number]
    return [
        f"The pieces of which there are exactly {number}.",
        f"The kind of piece that is there {'twice' if own.number == 2 else f'{number} times'}.",
    ]


def _by_role(labels: Sequence[PartLabel], placing: Placing | None) -> list[str]:
    """By what the next step does with it, where it takes all that is found."""
    if placing is None or placing.relation is None or placing.anchor is None or len(labels) != 1:
        return []
    other = "the table" if placing.anchor == TABLE else placing.anchor
    what = "piece" if labels[0].number == 1 else "pieces"
    return [
        f"The {what} that the next step puts {WORDS[placing.relation]} {other}.",
        f"What goes {WORDS[placing.relation]} {other} in the next step.",
    ]


# Steps -------------------------------------------------------------------------------------------


def of_step(
    told: StepTarget,
    every: Sequence[Region],
    lines: Sequence[str],
    rng: random.Random,
    asks: bool = False,
) -> tuple[list[Variant], list[Refused]]:
    """Instructions of a step's new parts and what they go to. `every` are all earlier parts that
    are seen, `lines` what the manual says; `asks` puts that as a question."""
    refused: list[Refused] = []
    variants = []
    simple = sentence(listed([things.part(one).definite for one in (*told.new, *told.anchors)]))
    if _names_are_unique(told, every):
        variants.append(Variant("simple", simple))
    else:
        refused.append(Refused(simple))
    text = " ".join(lines)
    if told.by_text or not told.anchors or told.rests:
        variants.append(
            Variant("manual", f"Did I do it correctly for {lower_first(text)}" if asks else text)
        )
    texts = _complex_of_step(told)
    if texts:
        variants.append(Variant("complex", rng.choice(texts)))
    return variants, refused


def _names_are_unique(told: StepTarget, every: Iterable[Region]) -> bool:
    """Whether every name means what it should in the picture: no other part is called so."""
    wanted: Counter[tuple[str, str]] = Counter()
    for one in (*told.new, *told.anchors):
        wanted[one.label, one.color] += one.count
    standing: Counter[tuple[str, str]] = Counter()
    for one in every:
        standing[one.label, one.color] += one.count
    for one in told.new:
        standing[one.label, one.color] += one.count
    return all(standing[name] == number for name, number in wanted.items())


def _complex_of_step(told: StepTarget) -> list[str]:
    """By role, order and relation; of what rests on nothing, as the first of the model."""
    several = sum(one.count for one in told.new) > 1
    newest = "the newest pieces" if several else "the newest piece"
    they, rest, were = ("they", "rest", "were") if several else ("it", "rests", "was")
    if not told.anchors:
        return [
            sentence(f"{newest}, with nothing else of the model"),
            "What this step adds.",
            "What was found last.",
        ]
    if told.rests and not told.by_text:
        return [
            f"What this step adds, and what {they} {rest} on.",
            sentence(f"{newest}, and whatever is directly under {'them' if several else 'it'}"),
            f"What was found last, and what {they} {were} put on.",
        ]
    if told.by_text and told.relation is not None:
        anchor = things.part(told.anchors[0])
        words = WORDS[told.relation]
        return [
            sentence(f"{newest}, and the {anchor.bare} that {they} {were} put {words}"),
            f"What this step puts {words} the {anchor.bare}, and that too.",
        ]
    return []


# Pairs of things ---------------------------------------------------------------------------------


def of_pair(
    subject: things.Thing,
    other: things.Thing,
    relation: str,
    line: str,
    unique: tuple[bool, bool],
    rng: random.Random,
) -> tuple[list[Variant], list[Refused]]:
    """Instructions of two things that stand to each other. `unique` is whether their names mean no
    other part in the picture, and whether nothing else stands so to the second, which its name
    alone tells."""
    names_unique, relation_unique = unique
    refused = []
    variants = []
    simple = sentence(f"{subject.definite} and {other.definite}")
    for level, text in (("simple", simple), ("manual", line)):
        if names_unique:
            variants.append(Variant(level, text))
        else:
            refused.append(Refused(text))
    words = WORDS[relation]
    what, it = ("the pieces" if subject.count > 1 else "the piece",
                "them" if other.count > 1 else "it")  # fmt: skip
    text = rng.choice(
        [
            f"What is {words} {other.definite}, and {other.definite} too.",
            sentence(f"{what} {words} {other.definite}, together with {other.definite}"),
            sentence(f"{other.definite}, and what is {words} {it}"),
        ]
    )
    if relation_unique:
        variants.append(Variant("complex", text))
    else:
        refused.append(Refused(text))
    return variants, refused

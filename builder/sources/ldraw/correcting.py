"""How to come from what was built to what is said, in a builder's words."""

from collections.abc import Sequence

from builder.sources.drawn.words import listed, way_words
from builder.sources.ldraw.facts import Facts
from builder.sources.ldraw.solids import Body
from builder.sources.ldraw.stating import Said


def sentence(kind: str, built: Said, wanted: Said, studs_xy: tuple[int, int]) -> str:
    """One sentence that puts right what was built. `studs_xy` is how far a part that is in the
    wrong place has to go, to the right and to the back."""
    match kind:
        case "shift":
            group, _ = _differing(built, wanted)
            there = {id(body) for other in built.groups for body in other}
            every = len(group) > 1 and not any(id(body) in there for body in group)
            what = f"the {len(group)} {_label(group, len(group))}" if every else _one_of(group)
            return f"Move {what} {way_words(*studs_xy)}."
        case "rotate":
            group, facts = _differing(built, wanted)
            return f"Turn {_one_of(group)}{_lies(facts)}."
        case "wrong_color":
            group, other = _exchanged(built, wanted)
            colour = other[0].unit.kind[1]
            ones = "ones" if len(group) > 1 else "one"
            return f"The colour is wrong: take {_the(group)}, not the {colour} {ones}."
        case "wrong_part":
            group, other = _exchanged(built, wanted)
            return f"Take {_the(other)} away and put {_the(group)} there."
        case "mirror":
            group, other = _exchanged(built, wanted)
            hand = next(w for w in other[0].unit.kind[0].split() if w in ("left", "right"))
            return f"Take {_the(group)}, not the {hand} {'ones' if len(group) > 1 else 'one'}."
        case "missing":
            return _add(built, wanted)
        case "extra":
            return _take_away(built, wanted)
        case "order":
            off, first = (
                listed([_the(group) for group in said.groups]) for said in (built, wanted)
            )
            return f"That is not this step: take {off} away and put {first} first."
    raise ValueError(f"kind {kind!r}: no sentence for it")


def put_back(absent: Body) -> str:
    """What to do where a part of an earlier step was left out."""
    return f"A step before this one is not finished: add {_the([absent])} first."


def take_off(absent: Body) -> str:
    """What to do where a part of an earlier step is there, and should not be."""
    return f"There is a part too many on the model: take {_the([absent])} away."


def _differing(built: Said, wanted: Said) -> tuple[list[Body], Facts]:
    """The group, as wanted, that stands otherwise, and what is said of it."""
    there = {id(body) for group in built.groups for body in group}
    for group, facts in zip(wanted.groups, wanted.facts, strict=True):
        if any(id(body) not in there for body in group):
            return group, facts
    raise ValueError("nothing differs")


def _exchanged(built: Said, wanted: Said) -> tuple[list[Body], list[Body]]:
    kinds = {group[0].unit.kind for group in wanted.groups}
    own = {group[0].unit.kind for group in built.groups}
    group = next(g for g in wanted.groups if g[0].unit.kind not in own)
    return group, next(g for g in built.groups if g[0].unit.kind not in kinds)


def _label(group: Sequence[Body], count: int) -> str:
    unit = group[0].unit
    if unit.assembly:
        return unit.assembly if count == 1 else f"copies of the {unit.assembly}"
    return unit.pieces[0].name.label(count)


def _the(group: Sequence[Body]) -> str:
    n, colour = len(group), group[0].unit.kind[1]
    words = (str(n) if n > 1 else "", colour, _label(group, n))
    return " ".join(["the", *filter(None, words)])


def _one_of(group: Sequence[Body]) -> str:
    n = len(group)
    return f"one of the {n} {_label(group, n)}" if n > 1 else f"the {_label(group, 1)}"


def _lies(facts: Facts) -> str:
    if "slope" in facts:
        way = facts["slope"]
        if way in ("outward", "inward"):
            return f" so that the slopes face {way}"
        return f" so that the slope faces the {way}"
    lies = {"horizontally": "from left to right", "vertically": "from front to back"}
    if facts.get("orientation") in lies:
        return f" a quarter, so that it lies {lies[str(facts['orientation'])]}"
    return ""


def _add(built: Said, wanted: Said) -> str:
    """What to add where parts are not there."""
    there = {group[0].unit.kind: len(group) for group in built.groups}
    for group in wanted.groups:
        n, kind = len(group), group[0].unit.kind
        if kind not in there:
            return f"Something is missing: add {_the(group)}."
        if there[kind] < n:
            return f"One of {_the(group)} is missing: add it."
    raise ValueError("nothing is missing")


def _take_away(built: Said, wanted: Said) -> str:
    meant = {group[0].unit.kind: len(group) for group in wanted.groups}
    for group in built.groups:
        kind = group[0].unit.kind
        if kind not in meant:
            words = _the(group)
            return f"{words[0].upper()}{words[1:]} is not part of this step: take it away."
        if meant[kind] < len(group):
            label = " ".join(filter(None, (kind[1], _label(group, 1))))
            return f"There is one {label} too many: take it away."
    raise ValueError("nothing is too many")

"""How to come from what was built to what is said, in a builder's words."""

from builder.sources.demo import text
from builder.sources.demo.brick_parts import Part
from builder.sources.demo.builds import Group, Step
from builder.sources.demo.stating import Said
from builder.sources.drawn.words import listed, way_words
from core.scenes import plain


def sentence(kind: str, built: Step, said: Said) -> str:
    """One sentence that puts right what was built, where `said` is what should have been."""
    wanted = said.step
    pairs = [(a, b) for a, b in zip(built, wanted, strict=False) if a != b]
    match kind:
        case "shift":
            return _move(*pairs[0], said)
        case "rotate":
            return _turn(*pairs[0])
        case "wrong_color":
            a, b = pairs[0]
            what = b.kind.label(len(b.parts))
            return f"The colour is wrong: take the {b.colour} {what}, not the {a.colour} {_one(a)}."
        case "wrong_part":
            a, b = pairs[0]
            return f"Take {_the(a)} away and put {_the(b)} there."
        case "missing":
            return _add(built, said)
        case "extra":
            return _take_away(built, wanted)
        case "order":
            off, first = (listed([_the(group) for group in step]) for step in (built, wanted))
            return f"That is not this step: take {off} away and put {first} first."
    raise ValueError(f"kind {kind!r}: no sentence for it")


def _one(group: Group) -> str:
    return "ones" if len(group.parts) > 1 else "one"


def _the(group: Group) -> str:
    n = len(group.parts)
    return f"the {f'{n} ' if n > 1 else ''}{group.colour} {group.kind.label(n)}"


def _moved(built: Group, wanted: Group) -> tuple[list[Part], list[Part]]:
    """The parts that are not where they should be, and where they should be."""
    here = [part for part in built.parts if part not in wanted.parts]
    there = [part for part in wanted.parts if part not in built.parts]
    return here, there


def _move(built: Group, wanted: Group, said: Said) -> str:
    here, there = _moved(built, wanted)
    if len(here) == len(wanted.parts):
        here, there = list(built.parts), list(wanted.parts)
    dx, dy = there[0].x - here[0].x, there[0].y - here[0].y
    where = plain(text.where_words(said.facts[said.step.index(wanted)]))
    # The way alone would not tell what is under a bridge from what is on it.
    level = f", {where}" if where and there[0].z != here[0].z else ""
    return f"Move {_these(wanted, len(here))} {way_words(dx, dy)}{level}."


def _these(group: Group, number: int) -> str:
    """Some parts of a group: "the plate 2x4", "one of the 4 plates 2x4", "the 2 plates 2x4"."""
    n = len(group.parts)
    if number == 1 < n:
        return f"one of the {n} {group.kind.label(n)}"
    return f"the {f'{n} ' if n > 1 else ''}{group.kind.label(n)}"


def _turn(built: Group, wanted: Group) -> str:
    what, n = _these(wanted, len(wanted.parts)), len(wanted.parts)
    if wanted.kind.shape == "slope":
        sides = {text.SIDES[part.turn % 4] for part in wanted.parts}
        if len(sides) == 1:
            verb = "slopes face" if n > 1 else "slope faces"
            return f"Turn {what} so that the {verb} the {sides.pop()}."
        return f"Turn {what} so that the slopes face outward."
    x, y, _ = wanted.parts[0].size_xyz
    lies = "from left to right" if x > y else "from front to back"
    return f"Turn {what} a quarter, so that {'they lie' if n > 1 else 'it lies'} {lies}."


def _add(built: Step, said: Said) -> str:
    """What to add where parts of `said` are not there."""
    for group in said.step:
        same = [one for one in built if (one.kind, one.colour) == (group.kind, group.colour)]
        if not same:
            return f"Something is missing: add {_the(group)}."
        if len(same[0].parts) < len(group.parts):
            n = len(group.parts)
            return f"One of the {n} {group.colour} {group.kind.label(n)} is missing: add it."
    raise ValueError("nothing is missing")


def _take_away(built: Step, wanted: Step) -> str:
    for group in built:
        same = [one for one in wanted if (one.kind, one.colour) == (group.kind, group.colour)]
        if not same:
            return f"{_capital(_the(group))} is not part of this step: take it away."
        if len(same[0].parts) < len(group.parts):
            label = f"{group.colour} {group.kind.label()}"
            return f"There is one {label} too many: take it away."
    raise ValueError("nothing is too many")


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]

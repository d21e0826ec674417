"""Other ends of a step that could be built, and are not what the manual says.

Each is a whole step again: its parts stand on studs, none goes through another, and the sentence
that the same words make of it is false of the right step, as the right step's is of it.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from builder.sources.drawn.choosing import choose
from builder.sources.ldraw import correcting, legal
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.solids import Body, Ground, moved
from builder.sources.ldraw.stating import Kind, Said, Style, false_facts, grouped, say
from core.scenes import EXCHANGED

TRIES_A_KIND = 5  # whether it can be seen is known only once it is drawn
PLACES_TRIED = 40  # of a part, near ones first


@dataclass(frozen=True, eq=False)
class Situation:
    """A step at work: what stands already, what is said, what could come instead."""

    said: Said
    style: Style
    bodies: Sequence[Body]
    before: Ground
    colours: Sequence[Colour]
    next_bodies: Sequence[Body]


@dataclass(frozen=True, eq=False)
class Change:
    """Another step: its bodies, those that are not as they should be, how far they were moved (to
    the right, to the back)."""

    bodies: list[Body]
    changed: list[Body]
    studs_xy: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Ending:
    """Another end of a step with its sentence."""

    kind: str
    change: Change
    said: Said
    false_facts: list[str]
    correction: str
    exchanged: str

    @property
    def distance_studs(self) -> float:
        """How far parts were moved."""
        dx, dy = self.change.studs_xy
        return float((dx * dx + dy * dy) ** 0.5)


def situation(
    style: Style, bodies: Sequence[Body], before: Ground, colours: Sequence[Colour],
    next_bodies: Sequence[Body],
) -> tuple[Situation, bool | None]:  # fmt: skip
    """A step with as many words as tell its place from others, and whether they do: None where
    other places are not known, because no studs hold the parts."""
    detail: frozenset[Kind] = frozenset()
    at = Situation(say(style, bodies, before), style, bodies, before, colours, next_bodies)
    if not before.solids:
        return at, None
    open_kinds = _undetermined(at)
    if open_kinds:
        detail = frozenset(open_kinds)
        at = replace(at, said=say(style, bodies, before, detail))
        open_kinds = _undetermined(at)
    known = all(
        legal.can_move(body, _others(at, body)) or said.get("relation") == "table"
        for group, said in zip(at.said.groups, at.said.facts, strict=True)
        for body in group
    )
    return at, False if open_kinds else True if known else None


def _undetermined(at: Situation) -> list[Kind]:
    """Kinds of parts that could be elsewhere and the sentence be true as well."""
    found: list[Kind] = []
    for changes in (_shifts, _turns):
        for change in changes(random.Random(0), at):
            kind = change.changed[0].unit.kind
            if kind not in found and not false_facts(at.said, change.bodies, at.before, True):
                found.append(kind)
    return found


def endings(
    rng: random.Random, at: Situation, can_be_seen: Callable[[Change], bool],
    turned_down: Counter[str],
) -> list[Ending]:  # fmt: skip
    """The alternatives of a step that are drawn; what can't be used is counted by why."""

    def changes_of(kind: str) -> list[Change]:
        changes = list(CHANGES[kind](rng, at))
        rng.shuffle(changes)
        return changes

    def ending_of(kind: str, change: Change) -> Ending | None:
        return _ending(kind, at, change, turned_down)

    return choose(
        rng, CHANGES, changes_of, ending_of, lambda ending: _looks(ending.change),
        lambda ending: can_be_seen(ending.change), turned_down, TRIES_A_KIND,
    )  # fmt: skip


def _looks(change: Change) -> frozenset[tuple[object, ...]]:
    return frozenset((b.unit.kind, *b.box.tolist(), b.solids[0].turn.tobytes())
                     for b in change.bodies)  # fmt: skip


def _ending(kind: str, at: Situation, change: Change, turned_down: Counter[str]) -> Ending | None:
    wrong = false_facts(at.said, change.bodies, at.before)
    if not wrong:
        turned_down[f"{kind}: the sentence is true of it as well"] += 1
        return None
    moved_kinds = frozenset(body.unit.kind for body in change.changed)
    for detail in (at.said.detail, at.said.detail | moved_kinds):
        said = say(at.style, change.bodies, at.before, detail)
        if false_facts(said, at.bodies, at.before, True):
            break
    else:
        turned_down[f"{kind}: its sentence is true of the right step as well"] += 1
        return None
    dx, dy = change.studs_xy
    there = correcting.sentence(kind, said, at.said, (-dx, -dy))
    back = correcting.sentence(EXCHANGED.get(kind, kind), at.said, said, (dx, dy))
    return Ending(kind, change, said, wrong, there, back)


# Changes ------------------------------------------------------------------------------------------


def _others(at: Situation, *bodies: Body) -> Ground:
    """The ground for some parts of the step: what stands, and the step's other parts."""
    return at.before.with_solids(
        [solid for body in at.bodies if body not in bodies for solid in body.solids]
    )


def _with(at: Situation, body: Body, other: Body) -> list[Body]:
    return [other if one is body else one for one in at.bodies]


def _shifts(rng: random.Random, at: Situation) -> Iterator[Change]:
    """One part put elsewhere, where nothing stands on it; or all parts of a kind together."""
    for group in grouped(at.bodies):
        if len(group) > 1:
            yield from _all_shifted(at, group)
    for body in at.bodies:
        ground = _others(at, body)
        if legal.can_move(body, ground):
            for count, (there, studs_xy) in enumerate(legal.shifted(body, ground)):
                if count == PLACES_TRIED:
                    break
                yield Change(_with(at, body, there), [there], studs_xy)


def _all_shifted(at: Situation, group: list[Body]) -> Iterator[Change]:
    ground = _others(at, *group)
    if not all(legal.can_move(body, ground) for body in group):
        return
    for count, (there, studs_xy) in enumerate(legal.shifted(group[0], ground)):
        if count == PLACES_TRIED:
            return
        by = tuple((there.box[:3] - group[0].box[:3]).tolist())
        others = {id(body): moved(body, (by[0], by[1], by[2])) for body in group[1:]}
        if all(legal.holds(other, ground, 1) for other in others.values()):
            others[id(group[0])] = there
            bodies = [others.get(id(body), body) for body in at.bodies]
            yield Change(bodies, list(others.values()), studs_xy)


def _turns(rng: random.Random, at: Situation) -> Iterator[Change]:
    for body in at.bodies:
        ground = _others(at, body)
        if not body.unit.assembly and legal.can_move(body, ground):
            for there in legal.quarter_turned(body, ground):
                yield Change(_with(at, body, there), [there])


def _other_colours(rng: random.Random, at: Situation) -> Iterator[Change]:
    """All parts of a kind in another colour of the session."""
    for group in grouped(at.bodies):
        unit = group[0].unit
        if unit.assembly:
            continue
        label, own = unit.pieces[0].name.label(), unit.pieces[0].colour
        for colour in at.colours:
            if colour.is_clear != own.is_clear or colour.name == own.name:
                continue
            if any(body.unit.kind == (label, colour.name) for body in at.bodies):
                continue
            painted = {id(body): _painted(body, colour) for body in group}
            yield Change(
                [painted.get(id(body), body) for body in at.bodies], list(painted.values())
            )


def _painted(body: Body, colour: Colour) -> Body:
    (solid,) = body.solids
    piece = replace(solid.piece, colour=colour)
    unit = replace(body.unit, pieces=(piece,))
    return Body(unit, (replace(solid, piece=piece),), body.box)


def _fewer(rng: random.Random, at: Situation) -> Iterator[Change]:
    """A part left out that no other of the step stands on."""
    for body in at.bodies:
        rest = [one for one in at.bodies if one is not body]
        if not rest or body.unit.assembly or not legal.is_open(body, _others(at, body)):
            continue
        yield Change(rest, [])


def _more(rng: random.Random, at: Situation) -> Iterator[Change]:
    """One more of the same, at another legal place."""
    for group in grouped(at.bodies):
        body = group[-1]
        ground = _others(at, body)
        if body.unit.assembly or not legal.can_move(body, ground):
            continue
        whole = _others(at)
        for count, (there, _) in enumerate(legal.shifted(body, whole)):
            if count == PLACES_TRIED:
                break
            yield Change([*at.bodies, there], [there])


def _next_instead(rng: random.Random, at: Situation) -> Iterator[Change]:
    """The step after it done in its place, where it does not need this one's parts."""
    if at.next_bodies and all(
        legal.can_move(body, at.before.with_solids(
            [s for other in at.next_bodies if other is not body for s in other.solids]))
        and legal.studs_beneath(body, at.before) > 0
        for body in at.next_bodies
    ):  # fmt: skip
        yield Change(list(at.next_bodies), list(at.next_bodies))


CHANGES: dict[str, Callable[[random.Random, Situation], Iterator[Change]]] = {
    "shift": _shifts,
    "rotate": _turns,
    "wrong_color": _other_colours,
    "missing": _fewer,
    "extra": _more,
    "order": _next_instead,
}

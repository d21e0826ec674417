"""Other ends of a step that could be built, and are not what the manual says.

Each is a whole step again: its parts stand on studs, none goes through another, and the sentence
that the same words make of it is false of the right step, as the right step's is of it.
"""

import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from builder.sources.drawn.choosing import choose
from builder.sources.ldraw import correcting, legal
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.names import other_hand
from builder.sources.ldraw.pieces import Piece
from builder.sources.ldraw.solids import Body, Ground, Solid, ground_of, moved, stands_on
from builder.sources.ldraw.stating import Kind, Said, Style, false_facts, grouped, say
from core.scenes import EXCHANGED

TRIES_A_KIND = 5  # whether it can be seen is known only once it is drawn
# Places of a part, near ones first: how many are tried for an ending, and how many are weighed to
# find whether the sentence is true of one.
PLACES_TRIED, PLACES_WEIGHED = 40, 400


@dataclass(frozen=True, eq=False)
class Supply:
    """What a model has that could be taken by mistake: its colours, and one of each of its parts
    that stand on studs."""

    colours: Sequence[Colour] = ()
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True, eq=False)
class Situation:
    """A step at work: what stands already, what is said, what could come instead. `earlier` are
    the units that `before` is made of."""

    said: Said
    style: Style
    bodies: Sequence[Body]
    before: Ground
    earlier: Sequence[Body]
    supply: Supply
    next_bodies: Sequence[Body]


@dataclass(frozen=True, eq=False)
class Change:
    """Another step: its bodies, those that are not as they should be, how far they were moved (to
    the right, to the back). `absent` is a part of an earlier step that was left out."""

    bodies: list[Body]
    changed: list[Body]
    studs_xy: tuple[int, int] = (0, 0)
    absent: Body | None = None


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
    style: Style, bodies: Sequence[Body], earlier: Sequence[Body], supply: Supply,
    next_bodies: Sequence[Body],
) -> tuple[Situation, bool | None]:  # fmt: skip
    """A step with as many words as tell its place from others, and whether they do: None where
    other places are not known, because nothing is seen to hold a part."""
    before = ground_of([solid for body in earlier for solid in body.solids])
    said = say(style, bodies, before)
    at = Situation(said, style, bodies, before, earlier, supply, next_bodies)
    open_kinds = _undetermined(at)
    if open_kinds:
        detail = frozenset(open_kinds)
        at = replace(at, said=say(style, bodies, before, detail))
        open_kinds = _undetermined(at)
    known = all(
        said.get("relation") == "table" or legal.is_held(body, _others(at, body))
        for group, said in zip(at.said.groups, at.said.facts, strict=True)
        for body in group
    )
    return at, False if open_kinds else True if known else None


def _undetermined(at: Situation) -> list[Kind]:
    """Kinds of parts that could be elsewhere and the sentence be true as well."""
    found: list[Kind] = []
    everywhere = functools.partial(_shifts, places=PLACES_WEIGHED)
    for changes in (everywhere, _turns, _alike, _on_the_table):
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
    before = at.before if change.absent is None else _without(at, change.absent)
    wrong = false_facts(at.said, change.bodies, before)
    if not wrong:
        turned_down[f"{kind}: the sentence is true of it as well"] += 1
        return None
    changed = frozenset(body.unit.kind for body in change.changed)
    gone = at.said.detail - {body.unit.kind for body in change.bodies}
    own = at.said.detail | (changed if gone else frozenset())
    for detail in (own, own | changed):
        said = say(at.style, change.bodies, before, detail)
        if false_facts(said, at.bodies, at.before, True):
            break
    else:
        turned_down[f"{kind}: its sentence is true of the right step as well"] += 1
        return None
    if change.absent is not None:
        there, back = correcting.put_back(change.absent), correcting.take_off(change.absent)
        return Ending(kind, change, said, wrong, there, back)
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


def _shifts(rng: random.Random, at: Situation, places: int = PLACES_TRIED) -> Iterator[Change]:
    """One part put elsewhere, where nothing stands on it; or all parts of a kind together."""
    for group in grouped(at.bodies):
        if len(group) > 1:
            yield from _all_shifted(at, group, places)
    for body in at.bodies:
        ground = _others(at, body)
        if legal.can_move(body, ground):
            for there, studs_xy in itertools.islice(legal.shifted(body, ground), places):
                yield Change(_with(at, body, there), [there], studs_xy)


def _all_shifted(at: Situation, group: list[Body], places: int) -> Iterator[Change]:
    ground = _others(at, *group)
    if not all(legal.can_move(body, ground) for body in group):
        return
    for there, studs_xy in itertools.islice(legal.shifted(group[0], ground), places):
        by = tuple((there.box[:3] - group[0].box[:3]).tolist())
        others = {id(body): moved(body, (by[0], by[1], by[2])) for body in group[1:]}
        if all(legal.holds(other, ground, 1) for other in others.values()):
            others[id(group[0])] = there
            bodies = [others.get(id(body), body) for body in at.bodies]
            yield Change(bodies, [others[id(body)] for body in group], studs_xy)


def _turns(rng: random.Random, at: Situation) -> Iterator[Change]:
    for body in at.bodies:
        ground = _others(at, body)
        if not body.unit.assembly and legal.can_move(body, ground):
            for there in legal.quarter_turned(body, ground):
                yield Change(_with(at, body, there), [there])


def _alike(rng: random.Random, at: Situation) -> Iterator[Change]:
    """A part that no studs hold put where another part would hold it in the same way."""
    for body in at.bodies:
        ground = _others(at, body)
        if ground.solids and not legal.stands_on_studs(body, ground):
            for there in itertools.islice(legal.held_alike(body, ground), PLACES_TRIED):
                yield Change(_with(at, body, there), [there])


def _on_the_table(rng: random.Random, at: Situation) -> Iterator[Change]:
    """A part that nothing holds but the table turned, or put elsewhere beside others of the
    step: where all stand together does not matter when nothing else is there."""
    floor = min(float(body.box[2]) for body in at.bodies)
    if at.before.solids:
        return
    for body in at.bodies:
        ground = _others(at, body)
        if body.unit.assembly or body.box[2] > floor + 1 or legal.studs_beneath(body, ground):
            continue
        for there in legal.table_turned(body, ground):
            yield Change(_with(at, body, there), [there])
        if len(at.bodies) > 1:
            for there, studs_xy in legal.table_shifted(body, ground):
                yield Change(_with(at, body, there), [there], studs_xy)


def _other_colours(rng: random.Random, at: Situation) -> Iterator[Change]:
    """All parts of a kind in another colour of the session."""
    for group in grouped(at.bodies):
        unit = group[0].unit
        if unit.assembly:
            continue
        label, own = unit.pieces[0].name.label(), unit.pieces[0].colour
        for colour in at.supply.colours:
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
        for there, _ in itertools.islice(legal.shifted(body, whole), PLACES_TRIED):
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


def _other_parts(rng: random.Random, at: Situation) -> Iterator[Change]:
    """Another part of like size in place of all of a kind, as far as it fits there."""
    labels = {body.unit.kind[0] for body in at.bodies}
    for group in _movable_groups(at):
        own = group[0].unit.pieces[0]
        for piece in at.supply.pieces:
            if piece.name.label() in labels or not legal.of_like_size(piece, own):
                continue
            other = replace(piece, colour=own.colour)
            yield from _replaced(at, group, [other] * len(group), legal.in_place_of)


def _other_hands(rng: random.Random, at: Situation) -> Iterator[Change]:
    """The right one of a part that comes in hands in place of the left one, or the other way."""
    for group in _movable_groups(at):
        name = other_hand(group[0].unit.pieces[0].name)
        if name is None or any(body.unit.kind[0] == name.label() for body in at.bodies):
            continue
        others = [replace(body.unit.pieces[0], name=name) for body in group]
        for axis in (0, 1):
            yield from _replaced(at, group, others, functools.partial(legal.mirrored, axis=axis))


def _movable_groups(at: Situation) -> Iterator[list[Body]]:
    for group in grouped(at.bodies):
        ground = _others(at, *group)
        if not group[0].unit.assembly and all(legal.can_move(body, ground) for body in group):
            yield group


def _replaced(
    at: Situation, group: list[Body], pieces: Sequence[Piece],
    put: Callable[[Body, Piece, Ground], Body | None],
) -> Iterator[Change]:  # fmt: skip
    """Each of a group by another part, where all of them fit."""
    ground = _others(at, *group)
    others: dict[int, Body] = {}
    for body, piece in zip(group, pieces, strict=True):
        there = put(body, piece, ground)
        if there is None:
            return
        others[id(body)] = there
        ground = ground.with_solids(there.solids)
    yield Change([others.get(id(body), body) for body in at.bodies], list(others.values()))


def _left_out(rng: random.Random, at: Situation) -> Iterator[Change]:
    """A part of an earlier step left out: no part of this step touches it and none of those before
    rests on it, and its name tells which it is."""
    whole = at.before.with_solids([solid for body in at.bodies for solid in body.solids])
    floor = float(whole.boxes[:, 2].min())
    for body in at.earlier:
        label, colour = body.unit.kind
        if body.unit.assembly or whole.kinds[f"{colour} {label}"] > 1:
            continue
        (solid,) = body.solids
        beside = [one for one in whole.near(body.box) if one is not solid]
        old = [one for one in beside if one in at.before.solids]
        if old and old == beside and not any(_needs(one, solid, whole, floor) for one in old):
            yield Change(list(at.bodies), [], absent=body)


def _needs(one: Solid, other: Solid, whole: Ground, floor: float) -> bool:
    """Whether a part that touches another may rest on it: it does not stand without it."""
    if stands_on(one, other):
        return True
    return one.box[2] > floor + legal.SLACK_LDU and not any(
        stands_on(one, third) for third in whole.near(one.box) if third not in (one, other)
    )


def _without(at: Situation, absent: Body) -> Ground:
    return ground_of([s for body in at.earlier if body is not absent for s in body.solids])


def _order(rng: random.Random, at: Situation) -> Iterator[Change]:
    """Steps not done in their order: the next one in place of this one, or one before not whole."""
    yield from _next_instead(rng, at)
    yield from _left_out(rng, at)


CHANGES: dict[str, Callable[[random.Random, Situation], Iterator[Change]]] = {
    "shift": _shifts,
    "rotate": _turns,
    "mirror": _other_hands,
    "wrong_color": _other_colours,
    "wrong_part": _other_parts,
    "missing": _fewer,
    "extra": _more,
    "order": _order,
}

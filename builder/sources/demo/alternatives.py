"""Other ends of a step that could be built, and are not what the manual says.

Each is a whole step again: its parts land on studs, none goes through another, and the sentence
that the same words make of it is false of the right step, as the right step's is of it.
"""

import collections
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from builder.sources.demo import correcting, legal
from builder.sources.demo.brick_parts import KINDS, Kind, Part
from builder.sources.demo.builds import Group, Step
from builder.sources.demo.stating import Said, false_facts, say
from builder.sources.demo.text import rests_on
from builder.sources.drawn.choosing import choose
from core.scenes import EXCHANGED

TRIES_A_KIND = 6  # whether it can be seen is known only once it is drawn
LIKE_SIZE = 2.0  # another part has at most so many times the volume, or so little of it


@dataclass(frozen=True)
class Ending:
    """Another end of a step. `changed` are the parts in `step` that are not as they should be."""

    kind: str
    step: Step
    changed: tuple[Part, ...]
    said: Said
    false_facts: list[str]
    correction: str
    exchanged: str
    distance_studs: float = 0.0


@dataclass(frozen=True)
class Situation:
    """A step at work: what stands already, what is said, what could come instead."""

    said: Said
    rng_state: tuple[object, ...]
    before: Sequence[Part]
    colours: Sequence[str]
    next_step: Step | None

    @property
    def step(self) -> Step:
        """The step as it should be."""
        return self.said.step


Change = tuple[Step, tuple[Part, ...], float]  # the other step, what differs, studs moved


def endings(
    rng: random.Random,
    at: Situation,
    can_be_seen: Callable[[Ending], bool],
    turned_down: collections.Counter[str],
) -> list[Ending]:
    """The alternatives of a step that are drawn; what can't be used is counted by why."""

    def changes_of(kind: str) -> list[Change]:
        changes = list(CHANGES[kind](rng, at))
        rng.shuffle(changes)
        return sorted(changes, key=lambda change: not _within(change[0], at))

    def ending_of(kind: str, change: Change) -> Ending | None:
        return _ending(kind, at, change, turned_down)

    return choose(
        rng, CHANGES, changes_of, ending_of, _looks, can_be_seen, turned_down, TRIES_A_KIND
    )


def _within(step: Step, at: Situation) -> bool:
    """Whether a step keeps to the ground plan that the right one leaves: parts that jut out could
    be told for wrong without a word."""
    plan = [*at.before, *(part for group in at.step for part in group.parts)]
    low = [min(part.box_xyz[i] for part in plan) for i in (0, 1)]
    high = [max(part.box_xyz[i + 3] for part in plan) for i in (0, 1)]
    return all(
        part.box_xyz[i] >= low[i] and part.box_xyz[i + 3] <= high[i]
        for group in step for part in group.parts for i in (0, 1)
    )  # fmt: skip


def _looks(ending: Ending) -> frozenset[Part]:
    return frozenset(part for group in ending.step for part in group.parts)


def _ending(
    kind: str, at: Situation, change: Change, turned_down: collections.Counter[str]
) -> Ending | None:
    step, changed, distance_studs = change
    if not stands(step, at):
        turned_down[f"{kind}: would not stand or meets another part"] += 1
        return None
    wrong = false_facts(at.said, step, at.before)
    if not wrong:
        turned_down[f"{kind}: the sentence is true of it as well"] += 1
        return None
    said = say(at.rng_state, step, at.before, at.said.free)
    if _places(said) < _places(at.said):
        turned_down[f"{kind}: no words for where it is"] += 1
        return None
    if not false_facts(said, at.step, at.before):
        turned_down[f"{kind}: its sentence is true of the right step as well"] += 1
        return None
    there = correcting.sentence(kind, step, at.said)
    back = correcting.sentence(EXCHANGED.get(kind, kind), at.step, said)
    return Ending(kind, step, changed, said, wrong, there, back, distance_studs)


def _places(said: Said) -> bool:
    """Whether the words say of every group where it is."""
    return all(facts.relation for facts in said.facts)


def stands(step: Step, at: Situation) -> bool:
    """Whether every part of another end is held by what is there and goes through nothing; what
    stands as it should is held as it was meant."""
    as_meant = {_place(part) for group in at.step for part in group.parts}
    placed = list(at.before)
    for group in step:
        for part in group.parts:
            if any(legal.meets(part, other) for other in placed):
                return False
            down = legal.land(part, legal.ground_of(placed), table=True)
            held = down is not None and down.z == part.z
            if not held and not (_place(part) in as_meant and is_held(part, placed)):
                return False
            placed.append(part)
    return True


def _place(part: Part) -> tuple[int, int, int, int, int, int]:
    return part.box_xyz


def is_held(part: Part, placed: Sequence[Part]) -> bool:
    """Whether a part stands on the table or on a stud at all."""
    return part.z == 0 or any(rests_on(part, other) for other in placed)


def say_enough(at: Situation) -> tuple[Situation, bool]:
    """The situation with as many free studs told as it takes to tell the place from all legal
    others, and no more; and whether that is so. None are told where it can't be."""
    others = [
        step
        for kind in ("shift", "rotate")
        for step, _, _ in CHANGES[kind](random.Random(0), at)
        if not false_facts(at.said, step, at.before) and stands(step, at)
    ]
    for free in ((), ("free_left",), ("free_front",), ("free_left", "free_front")):
        said = say(at.rng_state, at.step, at.before, free)
        if all(false_facts(said, step, at.before) for step in others):
            return replace(at, said=said), True
    return at, False


# Changes ------------------------------------------------------------------------------------------


def _others(step: Step, index: int) -> list[Part]:
    return [part for i, group in enumerate(step) if i != index for part in group.parts]


def _with(step: Step, index: int, parts: tuple[Part, ...]) -> Step:
    return (*step[:index], Group(parts), *step[index + 1 :])


def _shifts(rng: random.Random, at: Situation) -> Iterator[Change]:
    """All parts of a group elsewhere, or one of several."""
    for index, group in enumerate(at.step):
        fixed = [*at.before, *_others(at.step, index)]
        table = any(part.z == 0 for part in group.parts)
        ground = legal.ground_of(fixed)
        lead = group.parts[0]
        for spot in legal.landings(lead, ground, table):
            dx, dy = spot.x - lead.x, spot.y - lead.y
            if not (dx or dy):
                continue
            moved = [replace(part, x=part.x + dx, y=part.y + dy) for part in group.parts]
            down = legal.landed(moved, ground, table)
            if down:
                yield _with(at.step, index, down), down, (dx * dx + dy * dy) ** 0.5
        if len(group.parts) > 1:
            yield from _one_shifted(rng, at, index, fixed, table)


def _one_shifted(
    rng: random.Random, at: Situation, index: int, fixed: list[Part], table: bool
) -> Iterator[Change]:
    parts = list(at.step[index].parts)
    lead = parts.pop(rng.randrange(len(parts)))
    ground = legal.ground_of([*fixed, *parts])
    for down in legal.landings(lead, ground, table):
        if down != lead:
            dx, dy = down.x - lead.x, down.y - lead.y
            yield _with(at.step, index, (*parts, down)), (down,), (dx * dx + dy * dy) ** 0.5


def _turns(rng: random.Random, at: Situation) -> Iterator[Change]:
    """All parts of a group turned where they are; a round or square part looks the same."""
    for index, group in enumerate(at.step):
        kind = group.kind
        slope = kind.shape == "slope"
        if not slope and kind.w == kind.d:
            continue
        ground = legal.ground_of([*at.before, *_others(at.step, index)])
        table = any(part.z == 0 for part in group.parts)
        for quarters in (1, 2, 3) if slope else (1,):
            for dx, dy in ((0, 0), (-1, 0), (0, -1), (-1, -1)):
                turned = [_turned(part, quarters, dx, dy) for part in group.parts]
                down = legal.landed(turned, ground, table)
                if down and _on_level(down, group):
                    yield _with(at.step, index, down), down, 0.0


def _turned(part: Part, quarters: int, dx: int, dy: int) -> Part:
    """A part turned about its middle; where that falls between cells, (dx, dy) says which way."""
    w, d, _ = part.size_xyz
    turned = replace(part, turn=(part.turn + quarters) % 4)
    new_w, new_d, _ = turned.size_xyz
    odd = (w - new_w) % 2
    x, y = part.x + (w - new_w) // 2, part.y + (d - new_d) // 2
    return replace(turned, x=x + dx * odd, y=y + dy * odd)


def _other_colours(rng: random.Random, at: Situation) -> Iterator[Change]:
    for index, group in enumerate(at.step):
        taken = {one.colour for one in at.step if one.kind == group.kind}
        clear = group.colour.startswith("transparent")
        for colour in at.colours:
            if colour not in taken and colour.startswith("transparent") == clear:
                parts = tuple(replace(part, colour=colour) for part in group.parts)
                yield _with(at.step, index, parts), parts, 0.0


def _other_parts(rng: random.Random, at: Situation) -> Iterator[Change]:
    """Another part of like size in its place, as far as it fits there."""
    used = {group.kind for group in at.step}
    for index, group in enumerate(at.step):
        ground = legal.ground_of([*at.before, *_others(at.step, index)])
        table = any(part.z == 0 for part in group.parts)
        for kind in KINDS.values():
            if kind in used or not _alike(kind, group.kind):
                continue
            parts = [_in_place_of(part, kind) for part in group.parts]
            same = all(_place(a) == _place(b) for a, b in zip(parts, group.parts, strict=True))
            down = tuple(parts) if same else legal.landed(parts, ground, table)
            if down and _on_level(down, group):
                yield _with(at.step, index, down), down, 0.0


def _on_level(down: Sequence[Part], group: Group) -> bool:
    """Whether parts came to lie as high as those that they stand for; not those that are under
    something, for all is put from above."""
    return all(a.z == b.z for a, b in zip(down, group.parts, strict=True))


def _alike(kind: Kind, other: Kind) -> bool:
    volume, wanted = kind.w * kind.d * kind.h, other.w * other.d * other.h
    longest = abs(max(kind.w, kind.d) - max(other.w, other.d))
    return 1 / LIKE_SIZE <= volume / wanted <= LIKE_SIZE and longest <= 2


def _in_place_of(part: Part, kind: Kind) -> Part:
    """A part of another kind, turned as the one it stands for, on the same middle or beside it."""
    turn = part.turn if (kind.w >= kind.d) == (part.kind.w >= part.kind.d) else part.turn + 1
    other = Part(kind, part.colour, part.x, part.y, part.z, turn % 4)
    (w, d, _), (new_w, new_d, _) = part.size_xyz, other.size_xyz
    return replace(other, x=part.x + (w - new_w) // 2, y=part.y + (d - new_d) // 2)


def _fewer(rng: random.Random, at: Situation) -> Iterator[Change]:
    """One of several parts left out, or all parts of one kind of several."""
    for index, group in enumerate(at.step):
        if len(group.parts) > 1:
            for i in range(len(group.parts)):
                rest = (*group.parts[:i], *group.parts[i + 1 :])
                yield _with(at.step, index, rest), (), 0.0
        elif len(at.step) > 1:
            yield (*at.step[:index], *at.step[index + 1 :]), (), 0.0


def _more(rng: random.Random, at: Situation) -> Iterator[Change]:
    """One more of the same, at another legal place."""
    for index, group in enumerate(at.step):
        ground = legal.ground_of([*at.before, *_others(at.step, index), *group.parts])
        for down in legal.landings(group.parts[-1], ground):
            yield _with(at.step, index, (*group.parts, down)), (down,), 0.0


def _next_instead(rng: random.Random, at: Situation) -> Iterator[Change]:
    """The step after it done in its place: an order that was not kept."""
    if at.next_step is not None:
        parts = tuple(part for group in at.next_step for part in group.parts)
        yield at.next_step, parts, 0.0


CHANGES: dict[str, Callable[[random.Random, Situation], Iterator[Change]]] = {
    "shift": _shifts,
    "rotate": _turns,
    "wrong_color": _other_colours,
    "wrong_part": _other_parts,
    "missing": _fewer,
    "extra": _more,
    "order": _next_instead,
}

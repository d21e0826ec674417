"""Words of the demo source: facts read off the geometry, and sentences that say only facts."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from builder.sources.demo import anchoring
from builder.sources.demo.brick_parts import Part
from builder.sources.demo.builds import Group, Step
from builder.sources.drawn import standing
from builder.sources.drawn.lines import Line
from builder.sources.drawn.words import LAYOUTS, PLACES

Span = tuple[int, int]

SIDE_OF = {"left": "low", "right": "high", "front": "low", "back": "high", "middle": "middle"}
FREE = {"free_left": "on the left", "free_front": "at the front"}
SIDES = ("front", "right", "back", "left")  # where a slope falls, by turn


@dataclass(frozen=True)
class Facts:
    """What a step sentence states of a group; None: not stated. Sides are the viewer's.

    `x` and `depth` place the group in the assembly's ground plan as it is after this group:
    wholly in one half, or its middle exactly on the assembly's.
    """

    count: int
    orientation: str | None  # horizontally: long side left-right; vertically: away from the viewer
    relation: str | None  # table, on; to `anchor`: in, under, above, behind, ..., next
    support: str | None  # label of the only part below, when no other part has that label
    x: str | None  # left, middle, right
    depth: str | None  # front, middle, back
    layout: str | None  # left_right, front_back, side_by_side, behind, corners, two_two
    slope: str | None  # front, right, back, left, outward
    first: bool
    # Studs of what stands already that are left free on the side; only where the place needs it.
    free_left: int | None = None
    free_front: int | None = None
    anchor: str | None = None  # what the parts stand to, as far as they do not just rest on it


def find_lines(rng: random.Random, step: Step) -> list[Line]:
    """The lines of the object-finding row of a step: one kind in one line, else a line a kind."""
    if len(step) == 1:
        verb = ("verb", rng.choice(["Find", "Find", "Collect"]))
        return [[verb, *_count_tokens(step[0]), ("suffix", ".")]]
    total = sum(len(group.parts) for group in step)
    head: Line = [("verb", "Collect"), ("", "the following"), ("det", str(total))]
    lines: list[Line] = [[*head, ("", "pieces"), ("suffix", ":")]]
    for i, group in enumerate(step):
        mark = "." if i == len(step) - 1 else ","
        lines.append([*_count_tokens(group), ("suffix", mark)])
    return lines


def _count_tokens(group: Group) -> Line:
    n = len(group.parts)
    return [("det", str(n)), ("colorinfo", group.colour), ("theme", group.kind.label(n))]


def read_facts(group: Group, before: Sequence[Part]) -> Facts:
    """Everything that is true of a group when it is put onto the parts before it."""
    parts = group.parts
    whole = [*before, *parts]
    spans_x = [(p.box_xyz[0], p.box_xyz[3]) for p in parts]
    spans_y = [(p.box_xyz[1], p.box_xyz[4]) for p in parts]
    all_x = _union([(p.box_xyz[0], p.box_xyz[3]) for p in whole])
    all_y = _union([(p.box_xyz[1], p.box_xyz[4]) for p in whole])
    layout = _layout(parts, all_x, all_y)
    x, y = _place(_union(spans_x), all_x), _place(_union(spans_y), all_y)
    scattered = layout == "corners" or (layout is None and len(parts) > 1)
    if scattered or layout in ("left_right", "two_two"):
        x = None
    if scattered or layout in ("front_back", "two_two"):
        y = None
    relation, support = _support(parts, before)
    return Facts(
        count=len(parts),
        orientation=_orientation(parts),
        relation=relation,
        support=support,
        x={"low": "left", "middle": "middle", "high": "right", None: None}[x],
        depth={"low": "front", "middle": "middle", "high": "back", None: None}[y],
        layout=layout,
        slope=_slope(parts),
        first=not before,
    )


def is_true(name: str, facts: Facts, group: Group, before: Sequence[Part]) -> bool:
    """Whether a stated fact is true of a group that is put onto the parts before it.

    More is true than `read_facts` states: four parts in the corners are also two on each side.
    """
    parts, whole, value = group.parts, [*before, *group.parts], vars(facts)[name]
    all_x = _union([(p.box_xyz[0], p.box_xyz[3]) for p in whole])
    all_y = _union([(p.box_xyz[1], p.box_xyz[4]) for p in whole])
    match name:
        case "anchor":  # says what the relation is to
            return True
        case "relation" if facts.anchor is not None:
            return anchoring.holds(str(value), facts.anchor, parts, before)
        case "free_left" | "free_front":
            return bool(free_studs(group, before)[name] == value)
        case "layout":
            return value in tuple(_layouts(parts, all_x, all_y))
        case "x":
            spans, every = [(p.box_xyz[0], p.box_xyz[3]) for p in parts], all_x
        case "depth":
            spans, every = [(p.box_xyz[1], p.box_xyz[4]) for p in parts], all_y
        case "support":
            return all(
                any(rests_on(part, other) and other.kind.label() == value for other in before)
                for part in parts
            )
        case "count":
            return bool(len(parts) == value)
        case "orientation":
            return bool(_orientation(parts) == value)
        case "slope":
            return bool(_slope(parts) == value)
        case "relation":
            return bool(_support(parts, before)[0] == value)
        case _:
            raise ValueError(f"{name} is no fact that is stated")
    return _place(_union(spans), every) == SIDE_OF[str(value)]


def free_studs(group: Group, before: Sequence[Part]) -> dict[str, int]:
    """How many studs are between the left and front edges of what stands and a group, by fact."""
    return {
        name: min(p.box_xyz[i] for p in group.parts) - min(p.box_xyz[i] for p in before)
        for i, name in enumerate(FREE)
    }


def _union(spans: Sequence[Span]) -> Span:
    return min(s[0] for s in spans), max(s[1] for s in spans)


def _place(span: Span, whole: Span) -> str | None:
    if span == whole:
        return None
    twice = whole[0] + whole[1]
    if sum(span) == twice:
        return "middle"
    return "low" if 2 * span[1] <= twice else "high" if 2 * span[0] >= twice else None


def _orientation(parts: Sequence[Part]) -> str | None:
    ways = {(p.size_xyz[0] > p.size_xyz[1]) - (p.size_xyz[0] < p.size_xyz[1]) for p in parts}
    return {1: "horizontally", -1: "vertically"}.get(ways.pop()) if len(ways) == 1 else None


def _layout(parts: Sequence[Part], all_x: Span, all_y: Span) -> str | None:
    return next(_layouts(parts, all_x, all_y), None)


def _layouts(parts: Sequence[Part], all_x: Span, all_y: Span) -> Iterator[str]:
    """Layouts that are true of parts, the most telling first."""
    if len(parts) == 1:
        return
    xs = sorted((p.box_xyz[0], p.box_xyz[3]) for p in parts)
    ys = sorted((p.box_xyz[1], p.box_xyz[4]) for p in parts)
    same_x, same_y = len(set(xs)) == 1, len(set(ys)) == 1
    is_level = len({p.z for p in parts}) == 1
    if is_level and same_y and _touching(xs):
        yield "side_by_side"
    if is_level and same_x and _touching(ys):
        yield "behind"
    if len(parts) == 2 and same_y and [_place(s, all_x) for s in xs] == ["low", "high"]:
        yield "left_right"
    if len(parts) == 2 and same_x and [_place(s, all_y) for s in ys] == ["low", "high"]:
        yield "front_back"
    if _in_corners(parts, all_x, all_y):
        yield "corners"
    if sorted(_place(s, all_x) or "" for s in xs) == ["high", "high", "low", "low"]:
        yield "two_two"


def _touching(spans: Sequence[Span]) -> bool:
    return all(a[1] == b[0] for a, b in pairwise(spans))


def _in_corners(parts: Sequence[Part], all_x: Span, all_y: Span) -> bool:
    held = set()
    for part in parts:
        x0, y0, _, x1, y1, _ = part.box_xyz
        side_x = 0 if x0 == all_x[0] else 1 if x1 == all_x[1] else None
        side_y = 0 if y0 == all_y[0] else 1 if y1 == all_y[1] else None
        held.add((side_x, side_y))
    return len(parts) == 4 and held == {(0, 0), (0, 1), (1, 0), (1, 1)}


def _support(parts: Sequence[Part], before: Sequence[Part]) -> tuple[str | None, str | None]:
    if all(part.z == 0 for part in parts):
        return "table", None
    below = [other for part in parts for other in before if rests_on(part, other)]
    every = all(any(rests_on(part, other) for other in before) for part in parts)
    if not every:
        return None, None
    labels = [other.kind.label() for other in before]
    only = below[0] if all(other == below[0] for other in below) else None
    unique = only is not None and labels.count(only.kind.label()) == 1
    return "on", only.kind.label() if only is not None and unique else None


def rests_on(part: Part, other: Part) -> bool:
    """Whether `part` stands on at least one stud of `other`."""
    x0, y0, z0, x1, y1, _ = part.box_xyz
    if z0 != other.box_xyz[5]:
        return False
    return any(x0 <= x < x1 and y0 <= y < y1 for x, y in other.stud_cells())


def _slope(parts: Sequence[Part]) -> str | None:
    if parts[0].kind.shape != "slope":
        return None
    if len({p.turn for p in parts}) == 1:
        return SIDES[parts[0].turn % 4]
    left_first = sorted(parts, key=lambda p: p.x)
    return "outward" if [p.turn % 4 for p in left_first] == [3, 1] else None


def put_lines(
    rng: random.Random, step: Step, before: Sequence[Part], free: Collection[str] = ()
) -> tuple[list[Line], list[Facts]]:
    """The lines of an assembly row, one a group, and the facts that each line states; of `FREE`
    only those in `free`, where they can be counted.
    """
    lines, stated, seen = [], [], list(before)
    pronoun = len(step) == 1 and rng.random() < 0.6
    coloured = rng.random() < 0.3
    for group in step:
        facts = read_facts(group, seen)
        if rng.random() < 0.6:
            facts = _without(facts, "support")
        facts = _anchored(rng.random(), facts, group, seen)
        if seen and free:
            counted = {k: n for k, n in free_studs(group, seen).items() if k in free and n >= 0}
            facts = Facts(**{**vars(facts), **counted})
        attach = rng.random() < 0.12
        lines.append(_put_line(group, facts, attach, pronoun, coloured))
        stated.append(facts)
        seen += group.parts
    return lines, stated


def _without(facts: Facts, name: str) -> Facts:
    return Facts(**{**vars(facts), name: None})


def _anchored(roll: float, facts: Facts, group: Group, before: Sequence[Part]) -> Facts:
    """The facts with what the group stands to in place of what it rests on, as `roll` says."""
    found = anchoring.stands_to(group.parts, before)
    if found is None:
        return facts
    is_next = anchoring.holds("next", found.anchor, group.parts, before)
    relation = standing.worded(found.relation, roll, is_next)
    if relation is None:
        return facts
    changed: dict[str, object] = {"relation": relation, "support": None, "anchor": found.anchor}
    if relation == "in":  # "on the left" would be heard as the frame's
        changed |= {"x": None, "depth": None}
    return Facts(**{**vars(facts), **changed})


def _put_line(group: Group, facts: Facts, attach: bool, pronoun: bool, coloured: bool) -> Line:
    verb = "Attach" if facts.relation == "on" and attach else "Put"
    line: Line = [("verb", verb)]
    n = facts.count
    if pronoun:
        line.append(("det", "it" if n == 1 else "them"))
    else:
        line.append(("det", "the" if n == 1 else f"the {n}"))
        line += [("colorinfo", group.colour)] if coloured else []
        line.append(("theme", group.kind.label(n)))
    if facts.orientation:
        line.append(("", facts.orientation))
    line += where_words(facts)
    slope = f"slope{'s' if n > 1 else ''}"
    fall = {"outward": "outward", "front": "to the front", "back": "to the back"}
    clauses = [
        LAYOUTS.get(facts.layout or ""),
        PLACES.get((facts.x, facts.depth)),
        f"{slope} {fall.get(facts.slope, f'to the {facts.slope}')}" if facts.slope else None,
        _free_clause(facts),
    ]
    for clause in filter(None, clauses):
        line += [("suffix", ","), ("", clause)]
    return [*line, ("suffix", ".")]


def _free_clause(facts: Facts) -> str | None:
    """ "flush with the left edge, leaving 2 studs free at the front"."""
    counts = {"left": facts.free_left, "front": facts.free_front}
    flush = [side for side, n in counts.items() if n == 0]
    counted = [
        f"{n} stud{'s' if n > 1 else ''} free {FREE[f'free_{side}']}"
        for side, n in counts.items() if n
    ]  # fmt: skip
    edges = f"flush with the {' and the '.join(flush)} edge{'s' if len(flush) > 1 else ''}"
    clauses = [edges] * bool(flush) + [f"leaving {' and '.join(counted)}"] * bool(counted)
    return ", ".join(clauses) or None


def where_words(facts: Facts) -> Line:
    """ "on top of the plate 2x4", "behind the brick 1x2": what the parts stand to."""
    if facts.anchor is not None:
        return [("", standing.WORDS[str(facts.relation)]), ("target", f"the {facts.anchor}")]
    if facts.relation == "table":
        return [("", "on"), ("target", "the table")]
    if facts.support:
        return [("", "on top of"), ("target", f"the {facts.support}")]
    return [("", "on top")] if facts.relation == "on" else []

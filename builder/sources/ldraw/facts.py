"""What is true of parts that a step adds, read off their geometry: sides are the reader's.

Facts are by name; what can't be said is not there. Places are in the ground plan of the assembly as
it is with these parts: wholly in one half of it, or its middle exactly on the assembly's.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from builder.sources.ldraw.camera import STUD_LDU, Array
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import UPRIGHT, Body, Ground, Solid, holders, union

Facts = dict[str, str | int]
_ROWS = ("side_by_side", "behind", "left_right", "front_back")
NEAR_LDU = 0.25
LONG = 1.25  # times the other: from here on a side is the long one
BEYOND_STUDS = 2  # that a part may stick out over the edge of what holds it, to be told so
EDGES_TRIED = 12  # of large parts that a place may be measured from
FIGURES = ("minifigure torso", "minifigure head", "minifigure hips")
BARE_LDU = 4.0  # how much farther it must be
FLAT = 0.9  # share of a part's slanted faces that must fall one way
_WAYS = {"right": (1, 0, 0), "left": (-1, 0, 0), "back": (0, 1, 0), "front": (0, -1, 0)}
_FACING = (*_WAYS, "down")


def read_facts(group: Sequence[Body], before: Ground, detail: bool = False) -> Facts:
    """What can be said of equal units that are put onto the parts before them; with `detail` also
    how many studs they are from the edges."""
    whole = union([*(body.box for body in group), *before.boxes])
    spans = {"x": _spans(group, 0), "depth": _spans(group, 1)}
    edges = {"x": (whole[0], whole[3]), "depth": (whole[1], whole[4])}
    facts: Facts = {}
    facts |= _relation(group, before, float(whole[2]))
    is_level = all(_same(float(body.box[2]), float(group[0].box[2])) for body in group)
    layout = _layout(spans["x"], spans["depth"], edges, is_level)
    if layout:
        facts["layout"] = layout
    scattered = layout == "corners" or (layout is None and len(group) > 1)
    own = {"x": ("left_right", "two_two"), "depth": ("front_back", "two_two")}
    words = {"x": ("left", "middle", "right"), "depth": ("front", "middle", "back")}
    for axis in ("x", "depth"):
        if len(before.solids) and not scattered and layout not in own[axis]:
            place = _place(_union(spans[axis]), edges[axis])
            if place is not None:
                facts[axis] = words[axis][place]
    for name, read in _ALONE.items():
        values = {read(body) for body in group}
        value = values.pop() if len(values) == 1 else None
        if value:
            facts[name] = value
    slopes = _slopes(group)
    if slopes:
        facts["slope"] = slopes
    bare = {_bare_side(body) for body in group} if detail and "slope" not in facts else {None}
    if len(bare) == 1 and None not in bare:
        facts["bare"] = str(bare.pop())
    fronts = {_front(body) for body in group} if detail else {None}
    if len(fronts) == 1 and None not in fronts:
        facts["front"] = str(fronts.pop())
    if detail and (len(group) == 1 or layout in _ROWS):
        offsets = _offsets(group, facts, before)
        if offsets:
            facts = {k: v for k, v in facts.items() if k not in ("x", "depth")} | offsets
    return facts


def _spans(group: Sequence[Body], axis: int) -> list[tuple[float, float]]:
    return [(float(body.box[axis]), float(body.box[axis + 3])) for body in group]


def _union(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(s[0] for s in spans), max(s[1] for s in spans)


def _same(one: float, other: float) -> bool:
    return abs(one - other) < NEAR_LDU


def _place(span: tuple[float, float], whole: tuple[float, float]) -> int | None:
    """0 in the lower half, 1 in the middle, 2 in the upper half; None when it can't be said."""
    if _same(span[0], whole[0]) and _same(span[1], whole[1]):
        return None
    middle = (whole[0] + whole[1]) / 2
    if _same(sum(span) / 2, middle):
        return 1
    return 0 if span[1] <= middle + NEAR_LDU else 2 if span[0] >= middle - NEAR_LDU else None


def _layout(
    xs: list[tuple[float, float]], ys: list[tuple[float, float]],
    edges: dict[str, tuple[float, float]], is_level: bool,
) -> str | None:  # fmt: skip
    """How several stand to each other; `is_level` says that all are at one height."""
    if len(xs) == 1:
        return None
    same_x, same_y = _alike(xs), _alike(ys)
    if is_level and same_y and _in_a_row(xs):
        return "side_by_side"
    if is_level and same_x and _in_a_row(ys):
        return "behind"
    sides = [_place(span, edges["x"]) for span in sorted(xs)]
    if len(xs) == 2 and same_y and sides == [0, 2]:
        return "left_right"
    if len(xs) == 2 and same_x and [_place(s, edges["depth"]) for s in sorted(ys)] == [0, 2]:
        return "front_back"
    corners = {(_end(x, edges["x"]), _end(y, edges["depth"])) for x, y in zip(xs, ys, strict=True)}
    if len(xs) == 4 and corners == {(0, 0), (0, 1), (1, 0), (1, 1)}:
        return "corners"
    return "two_two" if sides == [0, 0, 2, 2] else None


def _alike(spans: list[tuple[float, float]]) -> bool:
    return all(_same(s[0], spans[0][0]) and _same(s[1], spans[0][1]) for s in spans)


def _in_a_row(spans: list[tuple[float, float]]) -> bool:
    return all(_same(a[1], b[0]) for a, b in pairwise(sorted(spans)))


def _end(span: tuple[float, float], whole: tuple[float, float]) -> int | None:
    return 0 if _same(span[0], whole[0]) else 1 if _same(span[1], whole[1]) else None


def _relation(group: Sequence[Body], before: Ground, floor: float) -> Facts:
    """On the table, on top of what is there, or beneath it."""
    if all(_same(float(body.box[2]), floor) for body in group) and not any(
        _meets(body, before) for body in group
    ):
        return {"relation": "table"}
    for relation, below in (("on", True), ("under", False)):
        held = [holders(body, before, below) for body in group]
        other = [holders(body, before, not below) for body in group]
        if all(held) and not any(other):
            return {"relation": relation, **_support([s for some in held for s in some], before)}
    touched = [_touched(body, before) for body in group]
    if all(len(some) == 1 for some in touched):  # it is the one part that can hold them
        support = _support([some[0] for some in touched], before)
        return {"relation": "to", **support} if support else {}
    return {}


def _meets(body: Body, before: Ground) -> bool:
    """Whether anything is so near to the body that it may hold it."""
    return bool(_touched(body, before))


def _touched(body: Body, before: Ground) -> list[Solid]:
    """What is so near to the body that it may hold it."""
    low, high = body.box[:3] - 1, body.box[3:] + 1
    near = ((before.boxes[:, :3] <= high) & (before.boxes[:, 3:] >= low)).all(1)
    return [before.solids[i] for i in np.flatnonzero(near)]


def _support(held: list[Solid], before: Ground) -> Facts:
    """The only part that holds, when no other part is called the same."""
    if any(solid is not held[0] for solid in held):
        return {}
    label, colour = held[0].piece.kind
    names = (label, f"{colour} {label}")
    return next(({"support": name} for name in names if before.kinds[name] == 1), {})


def _offsets(group: Sequence[Body], facts: Facts, before: Ground) -> Facts:
    """Studs from the nearer edges of a part that holds the group and can be named, else of the
    model, and between two that stand apart; empty where that is no whole number."""
    if facts.get("relation") == "table" or not before.solids:
        return {}
    box = union([body.box for body in group])
    held = {id(s): s for body in group for s in holders(body, before)}
    for solid in [*_largest(list(held.values())), *_largest(before.solids)[:EDGES_TRIED]]:
        support = _support([solid], before).get("support")
        found = _from_edges(box, solid.box) if support else {}
        beyond = BEYOND_STUDS if id(solid) in held else 0
        if found and all(isinstance(n, int) and n >= -beyond for n in found.values()):
            named: Facts = {} if support == facts.get("support") else {"edge_of": str(support)}
            return found | named | _gap(group, facts)
    whole = union(list(before.boxes))
    found = _from_edges(box, whole) or _from_edges(box, whole, halves=True)
    return found | {"edge_of": "model"} | _gap(group, facts) if found else {}


def _largest(solids: Sequence[Solid]) -> list[Solid]:
    """Parts by the room that they take up on the table, the largest first."""
    return sorted(solids, key=lambda s: -float(np.prod(s.box[3:5] - s.box[:2])))


def _from_edges(box: Array, edge: Array, halves: bool = False) -> Facts:
    """Studs from the nearer edges, where both are whole numbers (or halves: "1½")."""
    found: Facts = {}
    for axis, (low, high) in enumerate((("left", "right"), ("front", "back"))):
        ways = (
            (low, (box[axis] - edge[axis]) / STUD_LDU),
            (high, (edge[axis + 3] - box[axis + 3]) / STUD_LDU),
        )
        way, studs = min(ways, key=lambda one: abs(float(one[1])))
        half = round(studs * 2)
        if abs(studs * 2 - half) > 0.06 or (half % 2 and not halves):
            return {}
        whole, beyond = abs(half) // 2 or "", "-" if half < 0 else ""
        found[f"from_{way}"] = f"{beyond}{whole}½" if half % 2 else half // 2
    return found


def wrong_offsets(facts: Facts, group: Sequence[Body], before: Ground) -> list[str]:
    """Which of the studs from edges that are stated do not hold of a group: names of facts."""
    stated = [name for name in facts if name.startswith("from_")]
    label = facts.get("edge_of", facts.get("support"))
    edges = [
        solid.box
        for solid in before.solids
        if label in ("model", solid.piece.kind[0], " ".join(reversed(solid.piece.kind)))
    ]
    if not stated or not edges:
        return stated
    box, edge = union([body.box for body in group]), union(edges)
    apart = {
        "from_left": box[0] - edge[0],
        "from_right": edge[3] - box[3],
        "from_front": box[1] - edge[1],
        "from_back": edge[4] - box[4],
    }
    told = {name: float(str(facts[name]).replace("½", ".5")) for name in stated}
    return [name for name in stated if abs(apart[name] / STUD_LDU - told[name]) > 0.03]


def _gap(group: Sequence[Body], facts: Facts) -> Facts:
    """How many studs lie between two that stand apart; nothing where it is no whole number."""
    axis = {"left_right": 0, "front_back": 1}.get(str(facts.get("layout")))
    if axis is None:
        return {}
    one, other = sorted((body.box for body in group), key=lambda b: float(b[axis]))
    studs = (other[axis] - one[axis + 3]) / STUD_LDU
    return {"gap": round(studs)} if abs(studs - round(studs)) < 0.03 else {}


def _orientation(body: Body) -> str | None:
    """Horizontally: the long side from left to right; vertically: away from the reader; upright:
    a long part that stands on end. Of parts that lie on their side nobody would say it."""
    solid = body.solids[0]
    family = solid.piece.name.family
    if body.unit.assembly or not solid.is_square or "minifigure" in family or "round" in family:
        return None
    x, y, z = body.box[3:] - body.box[:3]
    if abs(solid.turn[2, 1]) < UPRIGHT:
        return None
    if z > LONG * max(x, y):
        return "upright" if not len(solid.studs) else None
    return "horizontally" if x > LONG * y else "vertically" if y > LONG * x else None


def _facing(body: Body) -> str | None:
    """Where the studs of a part point that lies on its side or upside down."""
    solid = body.solids[0]
    if body.unit.assembly or not len(solid.studs):
        return None
    ways = [way for way in _FACING if solid.ways[way] == len(solid.studs)]
    return ways[0] if ways else None


def _side_studs(body: Body) -> str | None:
    """Where the studs on the side of a part point that has some on top as well."""
    solid = body.solids[0]
    if body.unit.assembly or not len(solid.feet) or len(solid.feet) == len(solid.studs):
        return None
    beside = len(solid.studs) - len(solid.feet)
    ways = [way for way in _WAYS if solid.ways[way] == beside]
    return ways[0] if ways else None


def _bare_side(body: Body) -> str | None:
    """The side to which a part reaches farther beyond its studs than to the opposite one: its clip,
    handle or lower end. None where it does so along both axes, or has no studs on top."""
    solid = body.solids[0]
    if body.unit.assembly or not solid.is_square or not len(solid.feet):
        return None
    low = solid.feet[:, :2].min(0) - solid.box[:2]
    high = solid.box[3:5] - solid.feet[:, :2].max(0)
    sides = [
        (("left", "right"), ("front", "back"))[axis][int(high[axis] > low[axis])]
        for axis in (0, 1)
        if abs(float(high[axis] - low[axis])) > BARE_LDU
    ]
    return sides[0] if len(sides) == 1 else None


def _front(body: Body) -> str | None:
    """Where a figure's part looks to: the library has their fronts towards -z."""
    solid = body.solids[0]
    if body.unit.assembly or not solid.piece.name.family.startswith(FIGURES):
        return None
    ways = [way for way, axis in _WAYS.items() if -solid.turn[:, 2] @ np.array(axis) > UPRIGHT]
    return ways[0] if ways else None


def _slope(body: Body) -> str | None:
    """Where a roof tile falls to, an inverted one with its underside."""
    solid = body.solids[0]
    name = solid.piece.name.family
    if body.unit.assembly or not name.endswith("roof tile"):
        return None
    normals = _slanted(solid, -1 if "inverted" in name else 1)
    total = np.abs(normals).sum()
    for way, axis in _WAYS.items():
        if total and normals @ np.array(axis[:2], float) > FLAT * total:
            return way
    return None


def _slopes(group: Sequence[Body]) -> str | None:
    """Whether the slopes of several that fall different ways all fall outward, or all inward."""
    ways = [_slope(body) for body in group]
    if None in ways or len(set(ways)) < 2:
        return None
    box = union([body.box for body in group])
    middle = (box[:2] + box[3:5]) / 2
    out = [
        float(((body.box[:2] + body.box[3:5]) / 2 - middle) @ np.array(_WAYS[str(way)][:2], float))
        for body, way in zip(group, ways, strict=True)
    ]
    return "outward" if min(out) > 1 else "inward" if max(out) < -1 else None


def _slanted(solid: Solid, up: int) -> Array:
    """(2,) sum of the flat parts of the normals, by area, of faces that look slantwise up (1) or
    down (-1)."""
    world = product(solid.piece.mesh.triangles, solid.turn.T)
    normal = np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0])
    middle = product(solid.piece.mesh.body, solid.turn.T).mean(0)
    outward = ((world.mean(1) - middle) * normal).sum(1) >= 0  # faces may be wound either way
    normal *= np.where(outward, 1.0, -1.0)[:, None]
    size = np.sqrt((normal**2).sum(1))
    rise = up * normal[:, 2] / np.where(size > 0, size, 1)
    slanted = (rise > 0.15) & (rise < 0.98) & (size > 0.08 * size.max())
    found: Array = normal[slanted, :2].sum(0)
    return found


_ALONE: dict[str, Callable[[Body], str | None]] = {
    "orientation": _orientation,
    "facing": _facing,
    "side_studs": _side_studs,
    "slope": _slope,
}

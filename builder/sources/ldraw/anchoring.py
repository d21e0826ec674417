"""The one part by which a sentence says where a new part stands, besides what it rests on."""

import numpy as np

from builder.sources.drawn import standing
from builder.sources.ldraw.camera import PLATE_LDU, STUD_LDU, Array
from builder.sources.ldraw.facts import Facts
from builder.sources.ldraw.openings import lies_in, opening_of
from builder.sources.ldraw.solids import Body, Ground, Solid

_UNITS = (STUD_LDU, STUD_LDU, PLATE_LDU) * 2


def anchored(roll: float, facts: Facts, group: list[Body], before: Ground) -> Facts:
    """The facts with what a part stands to in place of what it rests on, as `roll` says; what it
    lies in is always said, for "on top of" the same part would not be true."""
    opening = _lies_in(group, before)
    if opening is not None:  # "on the left" would be heard as the opening's
        facts = {k: v for k, v in facts.items() if k not in ("x", "depth")}
        return _instead(facts, "in", opening)
    found = _stands_to(group, before, facts.get("relation") == "on")
    if found is None or facts.get("relation") == "under":  # it hangs there, whatever is beside it
        return facts
    solid, name, relation = found
    one = _box(group[0].box)
    said = standing.worded(relation, roll, standing.holds("next", one, _box(solid.box)))
    if said is None:
        return facts
    return _instead(facts, said, name)


def _instead(facts: Facts, relation: str, anchor: str) -> Facts:
    """The facts with a relation to an anchor in place of what holds the part."""
    if "support" in facts and any(key.startswith("from_") for key in facts):
        facts = {"edge_of": facts["support"], **facts}  # "its edge" would be the anchor's
    facts = {k: v for k, v in facts.items() if k != "support"}
    return facts | {"relation": relation, "anchor": anchor}


def holds(facts: Facts, group: list[Body], before: Ground) -> bool:
    """Whether parts stand as stated to a part of that name, taken as widely as the words can be."""
    return any(
        all(_holds(str(facts["relation"]), body, solid) for body in group)
        for solid in before.solids
        if facts["anchor"] in _names(solid)
    )


def _holds(relation: str, body: Body, solid: Solid) -> bool:
    if relation == "in":
        return all(lies_in(one, solid) for one in body.solids)
    return standing.holds(relation, _box(body.box), _box(solid.box))


def _lies_in(group: list[Body], before: Ground) -> str | None:
    """The name of the one part in whose opening all of a group lie; None where it has none."""
    if any(body.unit.assembly for body in group):
        return None
    places = {opening_of(body.solids[0], before.solids, before.boxes) for body in group}
    place = places.pop() if len(places) == 1 else None
    if place is None or before.solids[place].piece.kind[0] == group[0].unit.kind[0]:
        return None
    return _name(before.solids[place], before)


def _stands_to(group: list[Body], before: Ground, on_studs: bool) -> tuple[Solid, str, str] | None:
    """The nearest part that can be named, and the relation to it; for parts put one by one. Under
    or over it is only what is `on_studs` itself: a minifigure's leg is not put under its bag."""
    body = group[0]
    if len(group) > 1 or body.unit.assembly or not body.solids[0].is_square:
        return None
    one, found = _box(body.box), []
    near = [solid for solid in before.near(_reach(body.box)) if solid.is_square]
    boxes = [_box(solid.box) for solid in near]
    for number, (solid, box) in enumerate(zip(near, boxes, strict=True)):
        name = _name(solid, before)
        if name is None or solid.piece.kind[0] == body.unit.kind[0]:
            continue
        relation = standing.side(one, box)
        if relation is None and on_studs:
            relation = standing.level(one, box, boxes)
        if relation is not None:
            gap, shared = standing.gap_and_shared(one, box)
            rank = 1 if relation in standing.SIDES else 0
            found.append(((rank, round(gap, 2), -round(shared, 2), number), name, relation))
    if not found:
        return None
    (*_, number), name, relation = min(found)
    return near[number], name, relation


def _name(solid: Solid, before: Ground) -> str | None:
    """What no other part is called."""
    return next((name for name in _names(solid) if before.kinds[name] == 1), None)


def _names(solid: Solid) -> tuple[str, str]:
    label, colour = solid.piece.kind
    return label, f"{colour} {label}"


def _reach(box: Array) -> Array:
    """The box with all around that is near enough to be told by."""
    far = [standing.SIDE_STUDS * STUD_LDU] * 2 + [standing.LOW_PLATES * PLATE_LDU]
    low, high = box[:3] - far, box[3:] + far
    grown: Array = np.concatenate([low, high])
    return grown


def _box(box: Array) -> list[float]:
    """In studs and plates."""
    return [float(v) / unit for v, unit in zip(box, _UNITS, strict=True)]

"""The one part by which a sentence says where new parts stand, besides what they rest on."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from builder.sources.demo.brick_parts import GridBox, Part
from builder.sources.drawn import standing


class Standing(NamedTuple):
    """A relation and the name of the one part that it is to."""

    relation: str
    anchor: str


def stands_to(parts: Sequence[Part], before: Sequence[Part]) -> Standing | None:
    """What says most of where equal parts are, by a part that can be named; nearest parts first."""
    names = Counter(name for part in before for name in _names(part))
    found: list[tuple[int, float, float, Standing]] = []
    for other in before:
        called = next((name for name in _names(other) if names[name] == 1), None)
        if called is None or other.kind == parts[0].kind:
            continue
        relation = _relation(parts, other, before)
        if relation is not None:
            box = _filled(parts) or parts[0].box_xyz
            gap, shared = standing.gap_and_shared(box, other.box_xyz)
            rank = 1 if relation in standing.SIDES else 0
            found.append((rank, gap, -shared, Standing(relation, called)))
    return min(found)[3] if found else None


def holds(relation: str, anchor: str, parts: Sequence[Part], before: Sequence[Part]) -> bool:
    """Whether parts stand so to a part of that name, taken as widely as the words can be."""
    return any(
        all(standing.holds(relation, part.box_xyz, other.box_xyz) for part in parts)
        for other in before
        if anchor in _names(other)
    )


def _names(part: Part) -> tuple[str, str]:
    label = part.kind.label()
    return label, f"{part.colour} {label}"


def _relation(parts: Sequence[Part], other: Part, before: Sequence[Part]) -> str | None:
    """What can be said without a doubt; of several parts that they are in a frame, and, of a row
    without a gap, on which side they are."""
    hole, box = other.hole_xyz, _filled(parts)
    if hole is not None and all(standing.holds("in", part.box_xyz, hole) for part in parts):
        return "in"
    if box is None:
        return None
    one = standing.side(box, other.box_xyz)
    if one is None and len(parts) == 1:
        one = standing.level(box, other.box_xyz, (part.box_xyz for part in before))
    return one


def _filled(parts: Sequence[Part]) -> GridBox | None:
    """The box that parts fill without a gap; None where they do not."""
    x0, y0, z0 = (min(part.box_xyz[i] for part in parts) for i in (0, 1, 2))
    x1, y1, z1 = (max(part.box_xyz[i] for part in parts) for i in (3, 4, 5))
    filled = sum(math.prod(part.size_xyz) for part in parts)
    return (x0, y0, z0, x1, y1, z1) if (x1 - x0) * (y1 - y0) * (z1 - z0) == filled else None

"""What new parts stand to besides what they rest on: in a frame, under a bridge, behind a brick.

What is said is narrow, what counts as true is wide: a part is said to be behind a brick that it all
but touches on one height; wherever else behind it that it stands, the sentence is not false.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from builder.sources.demo.brick_parts import GridBox, Part

WORDS = {
    "in": "into",
    "under": "under",
    "above": "over",
    "left": "to the left of",
    "right": "to the right of",
    "in front of": "in front of",
    "behind": "behind",
    "next": "next to",
}
SIDES = ("left", "right", "in front of", "behind")
NEAR_STUDS = 1  # what is further off is not beside something
SIDE_STUDS = 3  # and further off than this nobody would tell its side by it
LOW_PLATES = 3  # what lies deeper is not what a part is above


class Standing(NamedTuple):
    """A relation and the name of the one part that it is to."""

    relation: str
    anchor: str


def stands_to(parts: Sequence[Part], before: Sequence[Part]) -> Standing | None:
    """What says most of where equal parts are, by a part that can be named; nearest parts first."""
    names = Counter(name for part in before for name in _names(part))
    found: list[tuple[int, int, int, Standing]] = []
    for other in before:
        called = next((name for name in _names(other) if names[name] == 1), None)
        if called is None or other.kind == parts[0].kind:
            continue
        relation = _relation(parts, other, before)
        if relation is not None:
            rank = 1 if relation in SIDES else 0
            gap, shared = _gap_and_shared(_row(parts) or parts[0].box_xyz, other.box_xyz)
            found.append((rank, gap, -shared, Standing(relation, called)))
    return min(found)[3] if found else None


def holds(relation: str, anchor: str, parts: Sequence[Part], before: Sequence[Part]) -> bool:
    """Whether parts stand so to a part of that name, taken as widely as the words can be."""
    others = [other for other in before if anchor in _names(other)]
    return any(
        all(_holds(relation, part.box_xyz, other.box_xyz) for part in parts) for other in others
    )


def _names(part: Part) -> tuple[str, str]:
    label = part.kind.label()
    return label, f"{part.colour} {label}"


def _holds(relation: str, a: GridBox, b: GridBox) -> bool:
    match relation:
        case "in":
            return all(b[i] <= a[i] and a[i + 3] <= b[i + 3] for i in range(3))
        case "under":
            return _overlap(a, b, 0) and _overlap(a, b, 1) and a[5] <= b[2]
        case "above":
            return _overlap(a, b, 0) and _overlap(a, b, 1) and a[2] >= b[5]
        case "left" | "in front of":
            axis = 0 if relation == "left" else 1
            return a[axis + 3] <= b[axis]
        case "right" | "behind":
            axis = 0 if relation == "right" else 1
            return a[axis] >= b[axis + 3]
        case "next":
            return _overlap(a, b, 2) and max(_apart(a, b, 0), _apart(a, b, 1)) <= NEAR_STUDS
    raise ValueError(f"relation {relation!r} has no anchor")


def _relation(parts: Sequence[Part], other: Part, before: Sequence[Part]) -> str | None:
    """What can be said without a doubt; of several parts in a row also on which side they are."""
    a, b = _row(parts), other.box_xyz
    if other.hole_xyz is not None:
        inside = all(_holds("in", part.box_xyz, other.hole_xyz) for part in parts)
        if inside:
            return "in"
    if a is None:
        return None
    if _overlap(a, b, 0) and _overlap(a, b, 1):
        if len(parts) > 1:
            return None
        if a[5] <= b[2] <= a[5] + LOW_PLATES and not _between(a, b, before):
            return "under"
        if b[5] < a[2] <= b[5] + LOW_PLATES and not _between(b, a, before):
            return "above"
        return None
    if not _overlap(a, b, 2):
        return None
    for axis, (low, high) in enumerate((SIDES[:2], SIDES[2:])):
        if _overlap(a, b, 1 - axis) and _apart(a, b, axis) <= SIDE_STUDS:
            return low if a[axis] < b[axis] else high
    return None


def _row(parts: Sequence[Part]) -> GridBox | None:
    """The box that parts fill without a gap; None where they do not."""
    x0, y0, z0 = (min(part.box_xyz[i] for part in parts) for i in (0, 1, 2))
    x1, y1, z1 = (max(part.box_xyz[i] for part in parts) for i in (3, 4, 5))
    filled = sum(math.prod(part.size_xyz) for part in parts)
    return (x0, y0, z0, x1, y1, z1) if (x1 - x0) * (y1 - y0) * (z1 - z0) == filled else None


def _between(lower: GridBox, upper: GridBox, before: Sequence[Part]) -> bool:
    """Whether anything stands between two boxes of which one is above the other."""
    return any(
        _overlap(lower, c, 0) and _overlap(lower, c, 1)
        and _overlap(upper, c, 0) and _overlap(upper, c, 1)
        and lower[5] <= c[2] and c[5] <= upper[2]
        for c in (part.box_xyz for part in before)
    )  # fmt: skip


def _overlap(a: GridBox, b: GridBox, axis: int) -> bool:
    return a[axis] < b[axis + 3] and b[axis] < a[axis + 3]


def _apart(a: GridBox, b: GridBox, axis: int) -> int:
    """Studs between two boxes along an axis; below 0 where they share some."""
    return max(a[axis] - b[axis + 3], b[axis] - a[axis + 3])


def _gap_and_shared(a: GridBox, b: GridBox) -> tuple[int, int]:
    """Studs between two boxes, and how many they share along the other axis."""
    gaps = _apart(a, b, 0), _apart(a, b, 1)
    return max(0, *gaps), -min(gaps)

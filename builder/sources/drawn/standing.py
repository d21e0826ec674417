"""What a part stands to besides what it rests on: in a frame, under a bridge, behind a brick.

What is said is narrow, what counts as true is wide: a part is said to be behind a brick that is on
one height with it and near; wherever else behind it that it stands, the sentence is not false.
Boxes are x0, y0, z0, x1, y1, z1, x and y in studs to the reader's right and away from him, z in
plates.
"""

from collections.abc import Iterable, Sequence

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
NEAR_STUDS = 1  # what is further off is not next to something
SIDE_STUDS = 3  # and further off than this nobody would tell its side by it
LOW_PLATES = 3  # what lies deeper is not what a part is over
SLACK = 0.02  # of a stud or plate: models are not built to the last hair
BESIDE_SHARE, NEXT_SHARE = 0.7, 0.25  # of the lines that could say what a part is beside
ELSE_SHARE = 0.9  # of those that could say in, under or over

Box = Sequence[float]


def holds(relation: str, a: Box, b: Box) -> bool:
    """Whether box `a` stands so to `b`, taken as widely as the words can be."""
    match relation:
        case "in":
            return all(b[i] <= a[i] + SLACK and a[i + 3] <= b[i + 3] + SLACK for i in range(3))
        case "under":
            return _over_each_other(a, b) and a[5] <= b[2] + SLACK
        case "above":
            return _over_each_other(a, b) and a[2] >= b[5] - SLACK
        case "left" | "in front of":
            axis = 0 if relation == "left" else 1
            return a[axis + 3] <= b[axis] + SLACK
        case "right" | "behind":
            axis = 0 if relation == "right" else 1
            return a[axis] >= b[axis + 3] - SLACK
        case "next":
            return overlap(a, b, 2) and max(_apart(a, b, 0), _apart(a, b, 1)) <= NEAR_STUDS + SLACK
    raise ValueError(f"relation {relation!r} is not one to a part")


def level(a: Box, b: Box, others: Iterable[Box]) -> str | None:
    """Whether `a` is right under `b` or right over it without touching: nothing is between."""
    if a[5] <= b[2] + SLACK and b[2] <= a[5] + LOW_PLATES + SLACK:
        return "under" if _over_each_other(a, b) and not _between(a, b, others) else None
    if b[5] + SLACK < a[2] <= b[5] + LOW_PLATES + SLACK:
        return "above" if _over_each_other(a, b) and not _between(b, a, others) else None
    return None


def side(a: Box, b: Box) -> str | None:
    """On which side of `b` near by and on one height `a` is."""
    if overlap(a, b, 2):
        for axis, (low, high) in enumerate((SIDES[:2], SIDES[2:])):
            if overlap(a, b, 1 - axis) and -SLACK <= _apart(a, b, axis) <= SIDE_STUDS + SLACK:
                return low if a[axis] < b[axis] else high
    return None


def gap_and_shared(a: Box, b: Box) -> tuple[float, float]:
    """Studs between two boxes, and how many they share along the other axis."""
    gaps = _apart(a, b, 0), _apart(a, b, 1)
    return max(0.0, *gaps), -min(gaps)


def worded(relation: str, roll: float, is_next: bool) -> str | None:
    """The relation that is said of one that holds, as often as a roll from 0 to 1 says: what is
    in, under or over something nearly always, what is beside it now and then; None: nothing."""
    if relation not in SIDES:
        return relation if roll < ELSE_SHARE else None
    if roll >= BESIDE_SHARE:
        return None
    return "next" if is_next and roll < NEXT_SHARE else relation


def overlap(a: Box, b: Box, axis: int) -> bool:
    """Whether two boxes share more than an edge along an axis."""
    return a[axis] < b[axis + 3] - SLACK and b[axis] < a[axis + 3] - SLACK


def _over_each_other(a: Box, b: Box) -> bool:
    return overlap(a, b, 0) and overlap(a, b, 1)


def _between(lower: Box, upper: Box, others: Iterable[Box]) -> bool:
    return any(
        _over_each_other(lower, c) and _over_each_other(upper, c)
        and lower[5] <= c[2] + SLACK and c[5] <= upper[2] + SLACK
        for c in others
    )  # fmt: skip


def _apart(a: Box, b: Box, axis: int) -> float:
    """Studs between two boxes along an axis; below 0 where they share some."""
    return max(a[axis] - b[axis + 3], b[axis] - a[axis + 3])

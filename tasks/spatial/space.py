"""Relations between parts from their places in space, for sources that know them.

Boxes are (6,) x0, y0, z0, x1, y1, z1 in millimetres, x to the right, y away from the reader, z up
(`core/scenes.py`), without the studs on top. Sides are the reader's.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from core.scenes import STUD_MM, Camera, PartInstance

NEAR_MM = 0.2  # what is less apart touches
# How much of a side of a part must have something beside it to be closed in on that side.
CLOSED_SHARE = 0.5

Boxes = np.ndarray  # (N, 6)


def as_seen(boxes: Boxes, camera: Camera) -> Boxes:
    """Boxes as the reader has them before him: in a picture of the model turned around, what is to
    the right in the scene's world is on his left."""
    if camera.matrix_px_per_mm[0][0] > 0:
        return boxes
    x0, y0, z0, x1, y1, z1 = boxes.T
    found: Boxes = np.stack([-x1, -y1, z0, -x0, -y0, z1], axis=1)
    return found


def boxes_of(parts: Iterable[PartInstance]) -> Boxes:
    """(N, 6) boxes of parts, a frame as its walls: what is in its opening is not in a wall."""
    return np.array([box for part in parts for box in part.solid_boxes_mm])


def relations_of(
    subject: Sequence[PartInstance], other: Sequence[PartInstance], camera: Camera
) -> list[str]:
    """What holds of parts as seen from other parts, by a reader who looks through a camera. What
    lies in an opening of one of them is in it: their boxes, one within the other, tell no more."""
    if all(part.within in {one.id for one in other} for part in subject):
        return ["in"]
    return relations_between(as_seen(boxes_of(subject), camera), as_seen(boxes_of(other), camera))


def relations_between(subject: Boxes, other: Boxes) -> list[str]:
    """What holds of `subject` as seen from `other`, both (N, 6) boxes of parts; maybe nothing."""
    one, two = _union(subject), _union(other)
    found = []
    rests = [touches_above(box, other) for box in subject]
    if _is_in(one, other):
        found.append("in")
    if all(rests):
        found.append("on")
    elif overlap(one, two) and one[2] >= two[5] + NEAR_MM and not any(rests):
        found.append("above")
    if overlap(one, two) and one[5] <= two[2] + NEAR_MM:
        found.append("under")
    left, right = one[3] <= two[0] + NEAR_MM, one[0] >= two[3] - NEAR_MM
    front, back = one[4] <= two[1] + NEAR_MM, one[1] >= two[4] - NEAR_MM
    # Of two that stand askew to each other, the way they are further apart.
    apart_x, apart_y = apart(one, two, 0), apart(one, two, 1)
    if (left or right) and (apart_x >= apart_y or not (front or back)):
        found.append("left" if left else "right")
    if (front or back) and (apart_y >= apart_x or not (left or right)):
        found.append("in front of" if front else "behind")
    if _is_next(one, two):
        found.append("next")
    return found


def place_within(subject: Boxes, whole: Boxes) -> list[str]:
    """On which side of the middle of `whole` (with the subject in it) the subject lies wholly."""
    one, every = _union(subject), _union(np.concatenate([whole, subject]))
    found = []
    for axis, low, high in ((1, "in front of", "behind"), (0, "left", "right")):
        middle = (every[axis] + every[axis + 3]) / 2
        if one[axis + 3] <= middle + NEAR_MM:
            found.append(low)
        elif one[axis] >= middle - NEAR_MM:
            found.append(high)
    return found


def _union(boxes: Boxes) -> np.ndarray:
    found: np.ndarray = np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])
    return found


def overlap(one: np.ndarray, other: np.ndarray, axes: Sequence[int] = (0, 1)) -> bool:
    """Whether two boxes share more than an edge along every axis."""
    return all(
        min(one[a + 3], other[a + 3]) - max(one[a], other[a]) > NEAR_MM for a in axes
    )  # fmt: skip


def touches_above(box: np.ndarray, others: Boxes) -> bool:
    """Whether a part, a (6,) box, rests on one of the others."""
    return any(abs(box[2] - o[5]) <= NEAR_MM and overlap(box, o) for o in others)


def apart(one: np.ndarray, other: np.ndarray, axis: int) -> float:
    """The gap between two boxes along an axis, in millimetres; below 0 where they share some."""
    return float(max(one[axis] - other[axis + 3], other[axis] - one[axis + 3]))


def _is_next(one: np.ndarray, other: np.ndarray) -> bool:
    """Within a stud sideways, at one height."""
    gaps = (apart(one, other, 0), apart(one, other, 1))
    beside = max(gaps) >= -NEAR_MM and min(gaps) < -NEAR_MM
    return beside and max(gaps) <= STUD_MM + NEAR_MM and overlap(one, other, (2,))


def _is_in(one: np.ndarray, others: Boxes) -> bool:
    """Within the hull of the others, which stand beside it on all four sides."""
    hull = _union(others)
    inside = all(one[a] >= hull[a] - NEAR_MM and one[a + 3] <= hull[a + 3] + NEAR_MM
                 for a in range(3))  # fmt: skip
    return inside and all(
        _closed(one, others, axis, low) for axis in (0, 1) for low in (True, False)
    )


def _closed(one: np.ndarray, others: Boxes, axis: int, low: bool) -> bool:
    """Whether something stands along most of one side of a box, as high as the box."""
    across = 1 - axis
    length, covered = one[across + 3] - one[across], []
    for other in others:
        beyond = (
            other[axis + 3] <= one[axis] + NEAR_MM
            if low
            else other[axis] >= one[axis + 3] - NEAR_MM
        )
        high = other[2] <= one[2] + NEAR_MM and other[5] >= one[5] - NEAR_MM
        if beyond and high:
            covered.append(
                (max(one[across], other[across]), min(one[across + 3], other[across + 3]))
            )
    total, end = 0.0, float(one[across])
    for start, stop in sorted(covered):
        start = max(start, end)
        if stop > start:
            total, end = total + stop - start, stop
    return bool(total >= CLOSED_SHARE * length)

"""Which parts lie in an opening of another: a rim in its tyre, a pane in its window.

Boxes alone do not tell it: what stands in the corner of a bracket is in the bracket's box as well.
So the larger part's faces must close the smaller one in on all four sides of a plane.
"""

from collections.abc import Sequence

import numpy as np

from builder.sources.ldraw.camera import Array
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import Solid

SLACK_LDU = 1.0  # how far what fits into an opening may reach into its sides
# How much of a part, along the opening, may stick out: a rim does a little, an axle in a hub is
# mostly outside.
OUT_SHARE = 0.4
GRAZING = 1e-9  # square LDU of a face seen along a ray, below which the ray runs along the face
# How far a wall must be from the middle, in half sides of the part: nearer than that are studs that
# reach into it. A pin's collar, which reaches 0.75 into its hole, is the tightest that fits.
WALL_SHARE = 0.7
FLAT = 1e-9  # determinant of a part that a model flattens, as some do for stickers
EDGE_SHARE = 1e-6  # of a face: rays from the middle of a part often meet the edges between faces


def lies_in(one: Solid, other: Solid) -> bool:
    """Whether a part lies in an opening of another, which goes along one of the other's axes."""
    if not may_lie_in(one.box, other.box) or abs(np.linalg.det(other.turn)) < FLAT:
        return False
    low, high = other.piece.mesh.body.min(0), other.piece.mesh.body.max(0)
    corners = product(one.piece.mesh.body, one.turn.T, one.shift)
    own = product(corners - other.shift, np.linalg.inv(other.turn).T)
    own_low, own_high = own.min(0), own.max(0)
    if np.prod(own_high - own_low) >= np.prod(high - low):
        return False
    middle = (own_low + own_high) / 2
    inside = (own_low >= low - SLACK_LDU) & (own_high <= high + SLACK_LDU)
    out = np.maximum(low - own_low, 0) + np.maximum(own_high - high, 0)
    fits = inside | (out <= OUT_SHARE * (own_high - own_low))
    ways = [axis for axis in range(3) if fits[axis] and np.delete(inside, axis).all()]
    if not ways or (middle <= low).any() or (middle >= high).any():
        return False
    free = _free(middle, other.piece.mesh.triangles, low - SLACK_LDU, high + SLACK_LDU)
    walls = np.isfinite(free) & (free >= WALL_SHARE * (own_high - own_low)[:, None] / 2)
    return any(np.delete(walls, axis, axis=0).all() and np.isinf(free[axis]).any() for axis in ways)


def opening_of(one: Solid, others: Sequence[Solid], boxes: Array) -> int | None:
    """In which of some parts, whose boxes are (n, 6), a part lies; of several the smallest."""
    near = np.flatnonzero(may_lie_in(one.box, boxes)).tolist()
    near.sort(key=lambda i: float(np.prod(boxes[i, 3:] - boxes[i, :3])))
    return next((i for i in near if others[i] is not one and lies_in(one, others[i])), None)


def may_lie_in(boxes: Array, others: Array) -> Array:
    """Whether the middles of boxes lie within others, one by one: what is asked first, as it is
    cheap. Either may be one box (6,) or many (n, 6)."""
    middles = (boxes[..., :3] + boxes[..., 3:]) / 2
    found: Array = np.all((others[..., :3] < middles) & (middles < others[..., 3:]), axis=-1)
    return found


def _free(start: Array, triangles: Array, low: Array, high: Array) -> Array:
    """(3, 2) how far it is from a point to the next face within a box, down and up each axis;
    infinite where there is none."""
    found = np.full((3, 2), np.inf)
    for axis in range(3):
        across = [i for i in range(3) if i != axis]
        # Where a line along the axis goes through the planes of faces, in shares of their sides.
        corner, sides = triangles[:, 0], triangles[:, 1:] - triangles[:, :1]
        flat, apart = sides[:, :, across], start[across] - corner[:, across]
        size = flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]
        met = np.abs(size) > GRAZING
        flat, apart, size = flat[met], apart[met], size[met]
        u = (apart[:, 0] * flat[:, 1, 1] - apart[:, 1] * flat[:, 1, 0]) / size
        v = (flat[:, 0, 0] * apart[:, 1] - flat[:, 0, 1] * apart[:, 0]) / size
        at = corner[met, axis] + u * sides[met, 0, axis] + v * sides[met, 1, axis]
        hit = (u >= -EDGE_SHARE) & (v >= -EDGE_SHARE) & (u + v <= 1 + EDGE_SHARE)
        hit &= (at >= low[axis]) & (at <= high[axis])
        way = at[hit] - start[axis]
        found[axis] = (
            np.min(-way[way <= 0], initial=np.inf),
            np.min(way[way >= 0], initial=np.inf),
        )
    return found

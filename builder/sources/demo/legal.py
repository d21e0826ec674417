"""Where a part can be put on what is built already: it lands on studs and goes through nothing.

Parts are put from above, so all that matters is how high everything stands over each cell of the
grid, and whether there is a stud on top.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from builder.sources.demo.brick_parts import GridBox, Part
from builder.sources.demo.sprites import Array

MARGIN = 10  # cells around what is built: room for the longest part
STUDS_HELD_MIN = 0.5  # of the cells under a part: less looks as if it fell off at once


@dataclass(frozen=True)
class Ground:
    """Heights in plates over the cells of the grid, which begins at `origin_xy`.

    `top` (w, d) int: 0 is the table; `stud` (w, d) bool: whether a stud stands on it.
    """

    top: Array
    stud: Array
    origin_xy: tuple[int, int]


def ground_of(parts: Sequence[Part]) -> Ground:
    """The ground that parts make, with the table around them."""
    low_xy = [min(part.box_xyz[i] for part in parts) - MARGIN for i in (0, 1)]
    high_xy = [max(part.box_xyz[i + 3] for part in parts) + MARGIN for i in (0, 1)]
    shape = (high_xy[0] - low_xy[0], high_xy[1] - low_xy[1])
    top, stud = np.zeros(shape, np.int32), np.zeros(shape, bool)
    for part in sorted(parts, key=lambda one: one.box_xyz[5]):
        for x0, y0, _, x1, y1, z1 in part.solid_boxes_xyz:
            cells = slice(x0 - low_xy[0], x1 - low_xy[0]), slice(y0 - low_xy[1], y1 - low_xy[1])
            top[cells], stud[cells] = z1, False
        for x, y in part.stud_cells():
            stud[x - low_xy[0], y - low_xy[1]] = True
    return Ground(top, stud, (low_xy[0], low_xy[1]))


def land(part: Part, ground: Ground, table: bool = False) -> Part | None:
    """The part put down from above where it stands; None where nothing would hold it.

    `table` says whether the bare table will do.
    """
    x0, y0, _, x1, y1, _ = part.box_xyz
    left, front = x0 - ground.origin_xy[0], y0 - ground.origin_xy[1]
    if left < 0 or front < 0:
        return None
    where = slice(left, left + x1 - x0), slice(front, front + y1 - y0)
    top = ground.top[where]
    if top.shape != (x1 - x0, y1 - y0):
        return None
    z = int(top.max())
    held = float((ground.stud[where] & (top == z)).mean())
    if held < STUDS_HELD_MIN and not (z == 0 and table):
        return None
    return replace(part, z=z)


def landed(parts: Sequence[Part], ground: Ground, table: bool = False) -> tuple[Part, ...] | None:
    """Equal parts put down, each on the ground, as they stand to each other; None if one isn't held
    or two meet."""
    down = [land(part, ground, table) for part in parts]
    found = tuple(part for part in down if part is not None)
    if (
        len(found) < len(parts)
        or len({now.z - part.z for now, part in zip(found, parts, strict=True)}) > 1
        or any(meets(one, other) for i, one in enumerate(found) for other in found[:i])
    ):
        return None
    return found


def meets(one: Part, other: Part) -> bool:
    """Whether two parts would share room, their studs left out."""
    return _cross(one.box_xyz, other.box_xyz) and any(
        _cross(a, b) for a in one.solid_boxes_xyz for b in other.solid_boxes_xyz
    )


def _cross(a: GridBox, b: GridBox) -> bool:
    return all(a[i] < b[i + 3] and b[i] < a[i + 3] for i in range(3))


def landings(part: Part, ground: Ground, table: bool = False) -> Iterator[Part]:
    """The part, as it is turned, put down over every cell of the ground where it is held, as `land`
    says; for all cells at once."""
    w, d, _ = part.size_xyz
    if w > ground.top.shape[0] or d > ground.top.shape[1]:
        return
    under = sliding_window_view(ground.top, (w, d))
    z = under.max((2, 3))
    studs = sliding_window_view(ground.stud, (w, d))
    held = (studs & (under == z[:, :, None, None])).mean((2, 3)) >= STUDS_HELD_MIN
    if table:
        held |= z == 0
    x0, y0 = ground.origin_xy
    for x, y in np.argwhere(held).tolist():
        yield replace(part, x=x + x0, y=y + y0, z=int(z[x, y]))

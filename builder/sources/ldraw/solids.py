"""Parts as they stand before the reader: boxes, studs and who holds whom, in the world's LDU."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from builder.sources.ldraw.camera import Array, world_from_model
from builder.sources.ldraw.pieces import Piece, Unit
from builder.sources.ldraw.products import product

TOUCH_LDU = 1.0  # studs and faces so near to each other meet
NEAR_LDU = 5.0  # more than a stud is high
WAYS = {"right": (1, 0, 0), "left": (-1, 0, 0), "back": (0, 1, 0), "front": (0, -1, 0),
        "up": (0, 0, 1), "down": (0, 0, -1)}  # fmt: skip
UPRIGHT = 0.99  # cosine from which on a direction is one of the world's


@dataclass(frozen=True, eq=False)
class Solid:
    """A part in the world: `turn` and `shift` of its own frame, its box (x0, y0, z0, x1, y1, z1)
    without studs on top, and its studs (s, 2, 3) as (foot, foot + up)."""

    piece: Piece
    turn: Array
    shift: Array
    box: Array
    studs: Array

    @functools.cached_property
    def feet(self) -> Array:
        """(n, 3) feet of the studs that point up."""
        way = self.studs[:, 1] - self.studs[:, 0]
        found: Array = self.studs[way[:, 2] >= UPRIGHT * np.sqrt((way**2).sum(1)), 0]
        return found

    @functools.cached_property
    def ways(self) -> dict[str, int]:
        """How many studs point which way."""
        way = self.studs[:, 1] - self.studs[:, 0]
        length = np.sqrt((way**2).sum(1))
        return {
            name: int(np.count_nonzero(way @ np.array(axis, float) >= UPRIGHT * length))
            for name, axis in WAYS.items()
        }

    @functools.cached_property
    def is_square(self) -> bool:
        """Whether its own axes are the world's, so that its box is its shape's."""
        return bool((np.abs(self.turn).max(0) > UPRIGHT * np.abs(self.turn).sum(0)).all())


@dataclass(frozen=True, eq=False)
class Body:
    """A unit in the world: its solids, and the box of them all."""

    unit: Unit
    solids: tuple[Solid, ...]
    box: Array


def bodies_of(units: Sequence[Unit], quarter_turns: int) -> list[Body]:
    """Units in the world, the model turned on the table."""
    world = world_from_model(quarter_turns)
    found = []
    for unit in units:
        solids = tuple(
            solid_at(p, product(world, p.turn), product(world, p.shift)) for p in unit.pieces
        )
        found.append(Body(unit, solids, union([solid.box for solid in solids])))
    return found


def solid_at(piece: Piece, turn: Array, shift: Array) -> Solid:
    """A part at a place in the world."""
    corners = product(piece.mesh.body, turn.T, shift)
    box = np.concatenate([corners.min(0), corners.max(0)]).round(3)
    return Solid(piece, turn, shift, box, product(piece.mesh.studs, turn.T, shift))


def union(boxes: Sequence[Array]) -> Array:
    """The box around boxes."""
    every = np.array(boxes)
    found: Array = np.concatenate([every[:, :3].min(0), every[:, 3:].max(0)])
    return found


def moved(body: Body, by_xyz: tuple[float, float, float]) -> Body:
    """The same unit in another place, not turned."""
    shift = np.array(by_xyz, float)
    solids = []
    for one in body.solids:
        box = one.box + np.concatenate([shift, shift])
        other = Solid(one.piece, one.turn, one.shift + shift, box, one.studs + shift)
        # what a move does not change need not be read again
        vars(other).update(feet=one.feet + shift, is_square=one.is_square, ways=one.ways)
        solids.append(other)
    return Body(body.unit, tuple(solids), body.box + np.concatenate([shift, shift]))


def turned(body: Body, quarters: int) -> Body:
    """The same unit turned on the spot, counter-clockwise seen from above."""
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    middle = np.array([*(body.box[:2] + body.box[3:5]) / 2, 0.0])
    solids = []
    for solid in body.solids:
        corners = np.stack([solid.box[:3], solid.box[3:]]) - middle
        ends = product(corners, turn.T, middle)
        box = np.concatenate([ends.min(0), ends.max(0)]).round(3)
        shift = product(turn, solid.shift - middle, middle)
        studs = product(solid.studs - middle, turn.T, middle)
        solids.append(Solid(solid.piece, product(turn, solid.turn), shift, box, studs))
    return Body(body.unit, tuple(solids), union([solid.box for solid in solids]))


def carried(body: Body, turn: Array, shift: Array) -> Body:
    """The same unit turned (3, 3) and then moved (3,) in the world."""
    solids = tuple(
        solid_at(one.piece, product(turn, one.turn), product(turn, one.shift, shift))
        for one in body.solids
    )
    return Body(body.unit, solids, union([solid.box for solid in solids]))


@dataclass(frozen=True, eq=False)
class Ground:
    """What stands already: its parts, their boxes (n, 6), and the feet (s, 3) of studs that point
    up."""

    solids: tuple[Solid, ...]
    boxes: Array
    feet: Array

    def with_solids(self, more: Sequence[Solid]) -> "Ground":
        """The ground with some more parts."""
        return Ground(
            (*self.solids, *more),
            np.concatenate([self.boxes, *(solid.box[None] for solid in more)]),
            np.concatenate([self.feet, *(solid.feet for solid in more)]),
        )

    @functools.cached_property
    def kinds(self) -> Counter[str]:
        """How often parts are there, by label and by colour and label."""
        told = (solid.piece.kind for solid in self.solids)
        return Counter(name for label, colour in told for name in (label, f"{colour} {label}"))

    def near(self, box: Array) -> list[Solid]:
        """Parts whose boxes meet a box, or nearly."""
        low, high = box[:3] - NEAR_LDU, box[3:] + NEAR_LDU
        found = ((self.boxes[:, :3] <= high) & (self.boxes[:, 3:] >= low)).all(1)
        return [self.solids[i] for i in np.flatnonzero(found)]


def ground_of(solids: Sequence[Solid]) -> Ground:
    """The ground that parts make."""
    return Ground((), np.zeros((0, 6)), np.zeros((0, 3))).with_solids(solids)


def holders(body: Body, before: Ground, below: bool = True) -> list[Solid]:
    """Parts beneath whose studs are in the body's parts, or above which the body's studs are."""
    others = before.near(body.box)
    if below:
        return [o for o in others if any(stands_on(s, o) for s in body.solids)]
    return [o for o in others if any(stands_on(o, s) for s in body.solids)]


def stands_on(upper: Solid, lower: Solid) -> bool:
    """Whether a stud of `lower` that points up is right beneath `upper`."""
    x0, y0, z0, x1, y1, _ = upper.box
    if not (
        lower.box[0] < x1 and lower.box[3] > x0 and lower.box[1] < y1 and lower.box[4] > y0
        and abs(lower.box[5] - z0) < 60
    ):  # fmt: skip
        return False
    feet = lower.feet
    near = (
        (np.abs(feet[:, 2] - z0) < TOUCH_LDU)
        & (feet[:, 0] > x0) & (feet[:, 0] < x1) & (feet[:, 1] > y0) & (feet[:, 1] < y1)
    )  # fmt: skip
    if upper.is_square or not near.any():
        return bool(near.any())
    plan = product(upper.piece.mesh.body, upper.turn.T, upper.shift)[:, :2].astype(np.float32)
    hull = cv2.convexHull(plan)
    return any(cv2.pointPolygonTest(hull, (float(x), float(y)), True) > 2 for x, y, _ in feet[near])

"""Parts as they stand before the reader: boxes, studs and who holds whom, in the world's LDU."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from builder.sources.ldraw.camera import Array, world_from_model
from builder.sources.ldraw.pieces import Piece, Unit

TOUCH_LDU = 1.0  # studs and faces so near to each other meet
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

    def stud_feet(self, direction: tuple[int, int, int]) -> Array:
        """(n, 3) feet of the studs that point that way."""
        way = self.studs[:, 1] - self.studs[:, 0]
        length = np.sqrt((way**2).sum(1))
        points = way @ np.array(direction, float) >= UPRIGHT * length
        feet: Array = self.studs[points & (length > 0), 0]
        return feet

    @property
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
        solids = tuple(_solid(piece, world) for piece in unit.pieces)
        found.append(Body(unit, solids, union([solid.box for solid in solids])))
    return found


def _solid(piece: Piece, world: Array) -> Solid:
    turn, shift = world @ piece.turn, world @ piece.shift
    corners = piece.mesh.body @ turn.T + shift
    box = np.concatenate([corners.min(0), corners.max(0)]).round(3)
    return Solid(piece, turn, shift, box, piece.mesh.studs @ turn.T + shift)


def union(boxes: Sequence[Array]) -> Array:
    """The box around boxes."""
    every = np.array(boxes)
    found: Array = np.concatenate([every[:, :3].min(0), every[:, 3:].max(0)])
    return found


def moved(body: Body, by_xyz: tuple[float, float, float]) -> Body:
    """The same unit in another place, not turned."""
    shift = np.array(by_xyz, float)
    solids = tuple(
        Solid(s.piece, s.turn, s.shift + shift, s.box + np.tile(shift, 2), s.studs + shift)
        for s in body.solids
    )
    return Body(body.unit, solids, body.box + np.tile(shift, 2))


def holders(body: Body, others: Sequence[Solid], below: bool = True) -> list[Solid]:
    """Parts beneath whose studs are in the body's parts, or above which the body's studs are."""
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
    feet = lower.stud_feet((0, 0, 1))
    near = (
        (np.abs(feet[:, 2] - z0) < TOUCH_LDU)
        & (feet[:, 0] > x0) & (feet[:, 0] < x1) & (feet[:, 1] > y0) & (feet[:, 1] < y1)
    )  # fmt: skip
    if upper.is_square or not near.any():
        return bool(near.any())
    plan = (upper.piece.mesh.body @ upper.turn.T + upper.shift)[:, :2].astype(np.float32)
    hull = cv2.convexHull(plan)
    return any(cv2.pointPolygonTest(hull, (float(x), float(y)), True) > 2 for x, y, _ in feet[near])

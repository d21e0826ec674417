"""Where else a part could be put: it stands on studs, goes through nothing, and can be put there
from above. Boxes are what counts for room, so a place that is free by them is free."""

import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from builder.sources.ldraw.camera import STUD_LDU
from builder.sources.ldraw.mesh import Mesh
from builder.sources.ldraw.pieces import Piece, Unit
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import (
    TOUCH_LDU,
    UPRIGHT,
    Body,
    Ground,
    Solid,
    carried,
    moved,
    solid_at,
    turned,
)

SLACK_LDU = 0.6  # how far boxes of parts that fit together may overlap
# Another part has at most so many times the room, or so little of it, and is not much longer; one
# of the same family differs by so much at least.
LIKE_SIZE, LIKE_LENGTH_LDU, UNLIKE_LDU = 2.0, 40.0, 6.0
ALIKE_VOLUME = 0.05  # how much shared room may differ where parts are held in the same way
FAR_STUDS, TABLE_STUDS = 10, 3
HELD_SHARE = 0.5  # of the studs that hold the part where it belongs


def studs_beneath(body: Body, ground: Ground) -> int:
    """Studs of the ground that are right beneath the parts of a body."""
    return sum(len(_under(solid.box, ground)) for solid in body.solids if solid.is_square)


def _under(box: np.ndarray, ground: Ground) -> np.ndarray:
    feet = ground.feet
    found: np.ndarray = feet[
        (np.abs(feet[:, 2] - box[2]) < TOUCH_LDU)
        & (feet[:, 0] > box[0]) & (feet[:, 0] < box[3])
        & (feet[:, 1] > box[1]) & (feet[:, 1] < box[4])
    ]  # fmt: skip
    return found


def meets(body: Body, ground: Ground) -> bool:
    """Whether a body shares room with the ground; studs are not counted."""
    for solid in body.solids:
        low, high = solid.box[:3] + SLACK_LDU, solid.box[3:] - SLACK_LDU
        if ((ground.boxes[:, :3] < high) & (ground.boxes[:, 3:] > low)).all(1).any():
            return True
    return False


def is_open(body: Body, ground: Ground) -> bool:
    """Whether nothing stands over a body, so that it can be put there from above."""
    low, high, top = body.box[:2] + SLACK_LDU, body.box[3:5] - SLACK_LDU, body.box[5]
    over = ((ground.boxes[:, :2] < high) & (ground.boxes[:, 3:5] > low)).all(1)
    return not bool((over & (ground.boxes[:, 5] > top + TOUCH_LDU)).any())


def can_move(body: Body, ground: Ground) -> bool:
    """Whether other places can be told for a body: it stands on studs, upright, put from above."""
    return stands_on_studs(body, ground) and is_open(body, ground)


def stands_on_studs(body: Body, ground: Ground) -> bool:
    """Whether studs hold a body from below, upright."""
    return all(solid.is_square for solid in body.solids) and studs_beneath(body, ground) > 0


def holds(body: Body, ground: Ground, studs_least: int) -> bool:
    """Whether a body could be put where it is."""
    return (
        not meets(body, ground)
        and is_open(body, ground)
        and studs_beneath(body, ground) >= studs_least
    )


def shifted(body: Body, ground: Ground) -> Iterator[tuple[Body, tuple[int, int]]]:
    """The body in other places, whole studs away (to the right, to the back), near ones first."""
    own = np.concatenate([_under(solid.box, ground) for solid in body.solids])
    least = max(1, math.ceil(HELD_SHARE * len(own)))
    # any of its own studs may come to lie on a stud: a part may reach over an edge
    steps = (ground.feet[:, None] - own[None]).reshape(-1, 3) / (STUD_LDU, STUD_LDU, 1.0)
    whole = (np.abs(steps[:, :2] - np.rint(steps[:, :2])) < 0.03).all(1)
    near = (np.abs(steps[:, :2]) <= FAR_STUDS).all(1) & (np.abs(steps[:, :2]) > 0.5).any(1)
    found = np.unique(np.column_stack([np.rint(steps[whole & near, :2]), steps[whole & near, 2]])
                      .round(2), axis=0)  # fmt: skip
    order = np.argsort(np.abs(found[:, 0]) + np.abs(found[:, 1]), kind="stable")
    for dx, dy, dz in found[order]:
        there = moved(body, (dx * STUD_LDU, dy * STUD_LDU, dz))
        if holds(there, ground, least):
            yield there, (int(dx), int(dy))


def quarter_turned(body: Body, ground: Ground) -> Iterator[Body]:
    """The body turned where it stands, on the same studs or half a stud beside its middle."""
    least = max(1, math.ceil(HELD_SHARE * studs_beneath(body, ground)))
    size = body.box[3:5] - body.box[:2]
    if (np.abs(size / STUD_LDU - np.rint(size / STUD_LDU)) > 0.03).any():
        return
    (solid,) = body.solids
    odd = STUD_LDU / 2 * (round(float(size[0] - size[1]) / STUD_LDU) % 2)
    for quarters in (1, 2, 3):
        if looks_same(solid.piece.mesh, tuple(solid.turn.round(6).ravel().tolist()), quarters):
            continue
        aside = odd if quarters % 2 else 0.0
        for dx, dy in dict.fromkeys(((aside, aside), (aside, -aside), (-aside, aside))):
            there = moved(turned(body, quarters), (dx, dy, 0.0))
            if holds(there, ground, least) and _on_grid(there, ground):
                yield there


def table_turned(body: Body, ground: Ground) -> Iterator[Body]:
    """A part on the table turned where it lies, as far as it looks otherwise then."""
    (solid,) = body.solids
    for quarters in (1, 2, 3):
        if not looks_same(solid.piece.mesh, tuple(solid.turn.round(6).ravel().tolist()), quarters):
            there = turned(body, quarters)
            if not meets(there, ground):
                yield there


def table_shifted(body: Body, ground: Ground) -> Iterator[tuple[Body, tuple[int, int]]]:
    """A part elsewhere on the table, nearest first, and how many studs along x and y it was moved:
    at most `TABLE_STUDS` each."""
    ways = range(-TABLE_STUDS, TABLE_STUDS + 1)
    for dx, dy in sorted(itertools.product(ways, ways), key=lambda way: sum(map(abs, way)))[1:]:
        there = moved(body, (dx * STUD_LDU, dy * STUD_LDU, 0.0))
        if not meets(there, ground):
            yield there, (dx, dy)


def is_held(body: Body, ground: Ground) -> bool:
    """Whether something is seen to hold a body: studs beneath, or parts that it reaches into."""
    return studs_beneath(body, ground) > 0 or bool(_shared_room(body, ground))


def held_alike(body: Body, ground: Ground) -> Iterator[Body]:
    """A body that no studs hold (a wheel on its pin, a hand in its arm), held in the same way
    elsewhere: by another part like the one that holds it, or by another side of that one."""
    own = _shared_room(body, ground)
    known = [body]
    for holder, _ in own:
        for other in ground.solids:
            if other.piece.file != holder.piece.file:
                continue
            for turn, shift in symmetries(holder.piece.mesh):
                whole = product(other.turn @ turn, np.linalg.inv(holder.turn))
                if np.abs(whole @ whole.T - np.eye(3)).max() > 0.01 or np.linalg.det(whole) < 0:
                    continue
                to = product(other.turn, shift, other.shift) - product(whole, holder.shift)
                there = carried(body, whole, to)
                if any(_same_look(there, one) for one in known):
                    continue
                if _alike_rooms(own, _shared_room(there, ground)):
                    known.append(there)
                    yield there


def _shared_room(body: Body, ground: Ground) -> list[tuple[Solid, float]]:
    """The parts of the ground whose boxes a body's box overlaps, and the room that they share."""
    low = np.maximum(ground.boxes[:, :3], body.box[:3])
    high = np.minimum(ground.boxes[:, 3:], body.box[3:])
    deep = (high - low > SLACK_LDU).all(1)
    volumes = np.prod(high[deep] - low[deep], axis=1).tolist()
    return [
        (ground.solids[i], v) for i, v in zip(np.flatnonzero(deep).tolist(), volumes, strict=True)
    ]


def _alike_rooms(one: list[tuple[Solid, float]], other: list[tuple[Solid, float]]) -> bool:
    """Whether two places share as much room with parts of the same kinds."""
    rooms = [sorted((solid.piece.file, volume) for solid, volume in each) for each in (one, other)]
    return len(one) == len(other) and all(
        a[0] == b[0] and abs(a[1] - b[1]) <= ALIKE_VOLUME * max(a[1], b[1])
        for a, b in zip(*rooms, strict=True)
    )


def _same_look(one: Body, other: Body) -> bool:
    """Whether two places of a body are the same to the eye."""
    if np.abs(one.box - other.box).max() > SLACK_LDU:
        return False
    corners = [
        np.concatenate([product(s.piece.mesh.corners, s.turn.T, s.shift) for s in body.solids])
        for body in (one, other)
    ]
    apart, _ = cKDTree(corners[0]).query(corners[1])
    return bool(apart.max() < SLACK_LDU)


def _is_turned(one: Body, other: Body) -> bool:
    """Whether a part looks like another with the same middle that is turned on the spot."""
    return any(_same_look(one, turned(other, quarters)) for quarters in range(4))


@functools.lru_cache(maxsize=512)
def symmetries(mesh: Mesh) -> list[tuple[np.ndarray, np.ndarray]]:
    """The turns by right angles, as (turn, shift), that bring a mesh onto itself; leaving it as it
    is comes first."""
    corners = mesh.corners
    middle = (corners.min(0) + corners.max(0)) / 2
    size = np.ptp(corners, axis=0)
    tree = cKDTree(corners)
    found = [(np.eye(3), np.zeros(3))]
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(turn) < 0 or np.abs(turn - np.eye(3)).max() == 0:
                continue
            if np.abs(np.abs(turn) @ size - size).max() > SLACK_LDU:
                continue
            shift = middle - turn @ middle
            apart, _ = tree.query(corners @ turn.T + shift)
            if apart.max() < SLACK_LDU:
                found.append((turn, shift))
    return found


def of_like_size(piece: Piece, other: Piece) -> bool:
    """Whether a part could be taken for another, and yet be told from it."""
    size, wanted = (np.ptp(one.mesh.body, axis=0) for one in (piece, other))
    share = float(np.prod(size) / max(1.0, float(np.prod(wanted))))
    sides, wanted_sides = sorted(size[[0, 2]]), sorted(wanted[[0, 2]])
    differ = np.abs(np.array([*sides, size[1]]) - np.array([*wanted_sides, wanted[1]]))
    return (
        1 / LIKE_SIZE <= share <= LIKE_SIZE
        and float(differ[1]) <= LIKE_LENGTH_LDU
        and (float(differ.max()) > UNLIKE_LDU or piece.name.family != other.name.family)
    )


def in_place_of(body: Body, piece: Piece, ground: Ground) -> Body | None:
    """Another part on the studs of one that stands upright, turned as that one lies and as nearly
    on its middle as the studs allow; None where it does not fit."""
    (solid,) = body.solids
    if solid.turn[2, 1] > -UPRIGHT:
        return None
    least = max(1, math.ceil(HELD_SHARE * studs_beneath(body, ground)))
    size = body.box[3:] - body.box[:3]
    for quarters in range(4):
        there = turned(_alone(solid_at(piece, solid.turn, solid.shift)), quarters)
        new = there.box[3:] - there.box[:3]
        if (size[0] - size[1]) * (new[0] - new[1]) < 0:
            continue
        aside = np.rint((size - new)[:2] / 2 / STUD_LDU) * STUD_LDU
        to = body.box[:3] - there.box[:3] + (*aside, 0.0)
        there = moved(there, (float(to[0]), float(to[1]), float(to[2])))
        if holds(there, ground, least) and _on_grid(there, ground):
            return there
    return None


def _alone(solid: Solid) -> Body:
    return Body(Unit((solid.piece,)), (solid,), solid.box)


def mirrored(body: Body, piece: Piece, ground: Ground, axis: int) -> Body | None:
    """The other hand of a part in its place, mirrored along an axis of the ground plan. `piece` is
    what it is then; None where that does not hold or looks the same."""
    (solid,) = body.solids
    turn = np.eye(3)
    turn[axis, axis] = -1.0
    to = np.zeros(3)
    to[axis] = body.box[axis] + body.box[axis + 3]
    least = max(1, math.ceil(HELD_SHARE * studs_beneath(body, ground)))
    other = _alone(solid_at(piece, product(turn, solid.turn), product(turn, solid.shift, to)))
    if not holds(other, ground, least) or _is_turned(other, body):
        return None
    return other


@functools.lru_cache(maxsize=2048)
def looks_same(mesh: Mesh, turn: tuple[float, ...], quarters: int) -> bool:
    """Whether a mesh turned on the spot looks as before: all its corners come to lie on corners."""
    corners = product(mesh.corners, np.array(turn).reshape(3, 3).T)
    middle = (corners.min(0) + corners.max(0)) / 2
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    around = (corners - middle) @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    apart, _ = cKDTree(corners - middle).query(around)
    return bool(apart.max() < SLACK_LDU)


def _on_grid(body: Body, ground: Ground) -> bool:
    """Whether the studs beneath are where the part has room for them."""
    for solid in body.solids:
        inside = (_under(solid.box, ground)[:, :2] - solid.box[:2]) / STUD_LDU - 0.5
        if (np.abs(inside - np.rint(inside)) > 0.05).any():
            return False
    return True

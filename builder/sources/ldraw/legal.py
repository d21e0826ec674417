"""Where else a part could be put: it stands on studs, goes through nothing, and can be put there
from above. Boxes are what counts for room, so a place that is free by them is free."""

import functools
import math
from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from builder.sources.ldraw.camera import STUD_LDU
from builder.sources.ldraw.mesh import Mesh
from builder.sources.ldraw.solids import TOUCH_LDU, Body, Ground, moved, turned

SLACK_LDU = 0.6  # how far boxes of parts that fit together may overlap
FAR_STUDS = 10
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
    return (
        all(solid.is_square for solid in body.solids)
        and studs_beneath(body, ground) > 0
        and is_open(body, ground)
    )


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
    steps = (ground.feet - own[0]) / (STUD_LDU, STUD_LDU, 1.0)
    whole = (np.abs(steps[:, :2] - np.rint(steps[:, :2])) < 0.03).all(1)
    near = (np.abs(steps[:, :2]) <= FAR_STUDS).all(1) & (np.abs(steps[:, :2]) > 0.5).any(1)
    # a stud under any place of the body will do, so its own extent is reach as well
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


@functools.lru_cache(maxsize=2048)
def looks_same(mesh: Mesh, turn: tuple[float, ...], quarters: int) -> bool:
    """Whether a mesh turned on the spot looks as before: all its corners come to lie on corners."""
    corners = mesh.corners @ np.array(turn).reshape(3, 3).T
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

"""In which order a model is built: its own steps, or an order that its geometry gives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from builder.sources.ldraw.camera import Array
from builder.sources.ldraw.pieces import RawSession, Unit, corners_of

MOST_KINDS = 4  # of parts in a step
COPIES_A_STEP = 4  # of a kind, in a step that the geometry gives
NEAR_LDU = 1.5  # parts so near to each other touch

Step = tuple[Unit, ...]


@dataclass(frozen=True)
class Session:
    """A sub-assembly as it is built: `sign` names its files, `uses` is how often it is needed."""

    sign: str
    title: str
    steps: tuple[Step, ...]
    uses: int


def sessions_of(raw: Sequence[RawSession]) -> list[Session]:
    """Sessions in building order, with steps that a person can follow."""
    found: list[Session] = []
    for one in raw:
        steps = one.steps if one.has_steps else ordered([u for s in one.steps for u in s])
        short = [part for step in steps for part in _split(step)]
        sign = re.sub(r"[^a-z]+", "-", one.title.lower()).strip("-")[:24].strip("-") or "part"
        while any(sign == other.sign for other in found):
            sign = _next_sign(sign)
        found.append(Session(sign, one.title, tuple(short), one.uses))
    return found


def _next_sign(sign: str) -> str:
    """Letters only, so that no number in a file name is taken for a step's."""
    stem, _, last = sign.rpartition("-")
    if stem and len(last) == 1 and last < "z":
        return f"{stem}-{chr(ord(last) + 1)}"
    return f"{sign}-b"


def _split(step: Step) -> list[Step]:
    """A step with more than four kinds of parts as several."""
    kinds = list(dict.fromkeys(unit.kind for unit in step))
    chunks = [kinds[i : i + MOST_KINDS] for i in range(0, len(kinds), MOST_KINDS)]
    return [tuple(unit for unit in step if unit.kind in chunk) for chunk in chunks]


def ordered(units: Sequence[Unit]) -> list[Step]:
    """Steps from below upwards: a unit only when it touches what is there, the nearest next.

    Equal units of one height that stand in a line go together. The same units in the same order
    give the same steps.
    """
    if not units:
        return []
    boxes = np.array([_box(unit) for unit in units])
    lows, middles = np.rint(boxes[:, 2] / 8), (boxes[:, :2] + boxes[:, 3:5]) / 2
    waiting, held = np.ones(len(units), bool), np.zeros(len(units), bool)
    steps: list[Step] = []
    first = _base(boxes)
    while True:
        open_ = np.flatnonzero(waiting & held if (waiting & held).any() else waiting)
        alike = [i for i in open_.tolist() if _alike(units, boxes, i, first)]
        alike = max(([i for i in alike if _in_line(boxes, i, first, axis)] for axis in (0, 1)),
                    key=len)  # fmt: skip
        alike.sort(key=lambda i: (round(float(np.abs(middles[i] - middles[first]).sum()), 2), i))
        chosen = alike[: 1 if units[first].assembly else COPIES_A_STEP] if steps else [first]
        steps.append(tuple(units[i] for i in sorted(chosen)))
        waiting[chosen] = False
        for i in chosen:
            held |= _touching(boxes, boxes[i])
        if not waiting.any():
            return steps
        # lowest first (to a plate's height), then nearest to what was put last
        open_ = np.flatnonzero(waiting & held if (waiting & held).any() else waiting)
        away = np.abs(middles[open_] - middles[chosen[-1]]).sum(1).round(2)
        first = int(open_[np.lexsort((open_, away, lows[open_]))[0]])


def _box(unit: Unit) -> Array:
    """x0, z0, up0, x1, z1, up1 of a unit: LDraw's y points down."""
    corners = corners_of(unit.pieces)[:, [0, 2, 1]] * (1.0, 1.0, -1.0)
    return np.concatenate([corners.min(0), corners.max(0)])


def _base(boxes: Array) -> int:
    """The unit to begin with: of those in the lower half the one that covers most of the table, the
    lowest of equals."""
    low, high = float(boxes[:, 2].min()), float(boxes[:, 5].max())
    areas = np.prod(boxes[:, 3:5] - boxes[:, :2], axis=1).round()
    lower = [i for i in range(len(boxes)) if boxes[i, 2] <= (low + high) / 2]
    return max(lower, key=lambda i: (float(areas[i]), -float(boxes[i, 2]), -i))


def _alike(units: Sequence[Unit], boxes: Array, i: int, other: int) -> bool:
    return units[i].kind == units[other].kind and abs(boxes[i, 2] - boxes[other, 2]) < NEAR_LDU


def _in_line(boxes: Array, i: int, other: int, axis: int) -> bool:
    """Whether two take up the same room on an axis: a sentence can say how they stand."""
    ends = boxes[i, [axis, axis + 3]] - boxes[other, [axis, axis + 3]]
    return bool(np.abs(ends).max() < NEAR_LDU)


def _touching(boxes: Array, box: Array) -> Array:
    """(n,) bool: whose boxes meet or overlap one."""
    near = (boxes[:, :3] <= box[3:] + NEAR_LDU) & (boxes[:, 3:] >= box[:3] - NEAR_LDU)
    found: Array = np.all(near, axis=1)
    return found

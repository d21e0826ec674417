"""In which order a model is built: its own steps, or an order that its geometry gives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from builder.sources.ldraw.camera import Array
from builder.sources.ldraw.pieces import RawSession, Unit, corners_of

MOST_KINDS = 4  # of parts in a step
COPIES_A_STEP, UNITS_A_STEP = 4, 6  # of a step that the geometry gives
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
    boxes = np.array([_box(unit) for unit in units])
    waiting = list(range(len(units)))
    done: list[int] = []
    steps: list[Step] = []
    touches = _touching(boxes)
    at = _middle(boxes, _base(boxes)) if len(boxes) else np.zeros(2)
    while waiting:
        held = [i for i in waiting if done and touches[i, done].any()]
        first = min(held or waiting, key=lambda i: _rank(boxes, i, at))
        if not done:
            first = _base(boxes)
        alike = [i for i in (held or [first]) if _alike(units, boxes, i, first)]
        alike = max(([i for i in alike if _in_line(boxes, i, first, axis)] for axis in (0, 1)),
                    key=len)  # fmt: skip
        alike.sort(key=lambda i: _rank(boxes, i, _middle(boxes, first)))
        chosen = alike[: COPIES_A_STEP if not units[first].assembly else 1]
        steps.append(tuple(units[i] for i in sorted(chosen)))
        done += chosen
        waiting = [i for i in waiting if i not in chosen]
        at = _middle(boxes, chosen[-1])
    return steps


def _box(unit: Unit) -> Array:
    """x0, z0, up0, x1, z1, up1 of a unit: LDraw's y points down."""
    corners = corners_of(unit.pieces)[:, [0, 2, 1]] * (1.0, 1.0, -1.0)
    return np.concatenate([corners.min(0), corners.max(0)])


def _middle(boxes: Array, i: int) -> Array:
    found: Array = (boxes[i, :2] + boxes[i, 3:5]) / 2
    return found


def _base(boxes: Array) -> int:
    """The unit to begin with: of those in the lower half the one that covers most of the table, the
    lowest of equals."""
    low, high = float(boxes[:, 2].min()), float(boxes[:, 5].max())
    areas = np.prod(boxes[:, 3:5] - boxes[:, :2], axis=1).round()
    lower = [i for i in range(len(boxes)) if boxes[i, 2] <= (low + high) / 2]
    return max(lower, key=lambda i: (float(areas[i]), -float(boxes[i, 2]), -i))


def _rank(boxes: Array, i: int, at: Array) -> tuple[float, float, int]:
    """Lowest first (to a plate's height), then nearest to what was put last."""
    low = round(float(boxes[i, 2]) / 8)
    return low, round(float(np.abs(_middle(boxes, i) - at).sum()), 2), i


def _alike(units: Sequence[Unit], boxes: Array, i: int, other: int) -> bool:
    return units[i].kind == units[other].kind and abs(boxes[i, 2] - boxes[other, 2]) < NEAR_LDU


def _in_line(boxes: Array, i: int, other: int, axis: int) -> bool:
    """Whether two take up the same room on an axis: a sentence can say how they stand."""
    ends = boxes[i, [axis, axis + 3]] - boxes[other, [axis, axis + 3]]
    return bool(np.abs(ends).max() < NEAR_LDU)


def _touching(boxes: Array) -> Array:
    """(n, n) bool: whose boxes meet or overlap."""
    if not len(boxes):
        return np.zeros((0, 0), bool)
    low, high = boxes[:, None, :3] - NEAR_LDU, boxes[:, None, 3:] + NEAR_LDU
    found: Array = np.all((low <= boxes[None, :, 3:]) & (high >= boxes[None, :, :3]), axis=2)
    return found

"""Pictures of the demo source, in memory: a session's camera, and the parts-to-find layout."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from builder.sources import bricks
from builder.sources.brick_parts import RGB, Part
from builder.sources.bricks import Array, Camera, Canvas
from builder.sources.demo_builds import Step

SIZE_WH = (960, 720)
FILL_WH = (0.80, 0.78)  # share of the picture that a finished assembly may take up
MAX_PX_PER_MM, MAX_FOUND_PX_PER_MM = 11.0, 13.0  # a lone small part must not look monstrous
MAX_COPIES_DRAWN = 3
GAP_PX = 62


@dataclass(frozen=True)
class Drawn:
    """A finished picture: RGB (h, w, 3) uint8 and part IDs (h, w) uint8, 0 for background."""

    rgb: Array
    ids: Array


def session_canvas(parts: Sequence[Part], angles_deg: tuple[float, float], back: RGB) -> Canvas:
    """An empty canvas whose fixed camera shows all `parts`, centred."""
    u0, v0, u1, v1 = bricks.bounds_uv(parts, bricks.camera(*angles_deg, 4.0))
    room = (2 * SIZE_WH[0] * FILL_WH[0], 2 * SIZE_WH[1] * FILL_WH[1])
    scale = min(4.0 * room[0] / (u1 - u0), 4.0 * room[1] / (v1 - v0), MAX_PX_PER_MM)
    cam = bricks.camera(*angles_deg, scale)
    u0, v0, u1, v1 = bricks.bounds_uv(parts, cam)
    return Canvas(cam, SIZE_WH, back, (SIZE_WH[0] - (u0 + u1) // 2, SIZE_WH[1] - (v0 + v1) // 2))


def found_parts(step: Step) -> list[list[Part]]:
    """The parts an object-finding picture shows, a list a group: at most three copies each.

    They lie in their first turn, so that a label looks alike in every picture.
    """
    return [
        [Part(group.kind, group.colour, 0, 0, 0) for _ in group.parts[:MAX_COPIES_DRAWN]]
        for group in step
    ]


def draw_found(groups: list[list[Part]], angles_deg: tuple[float, float], back: RGB) -> Drawn:
    """Lay parts out in rows, in reading order, well apart; IDs count in that order from 1."""
    parts = [part for group in groups for part in group]
    unit = bricks.camera(*angles_deg, 4.0)
    sizes = np.array([_size_px(part, unit) for part in parts]) / 4.0  # picture px at 1 px/mm
    rows, scale = _best_rows(sizes)
    cam = bricks.camera(*angles_deg, scale)
    canvas = Canvas(cam, SIZE_WH, back)
    heights = [max(_size_px(parts[i], cam)[1] for i in row) for row in rows]
    top = (SIZE_WH[1] - sum(heights) - GAP_PX * (len(rows) - 1)) / 2
    for row, height in zip(rows, heights, strict=True):
        widths = [_size_px(parts[i], cam)[0] for i in row]
        left = (SIZE_WH[0] - sum(widths) - GAP_PX * (len(row) - 1)) / 2
        for i, width in zip(row, widths, strict=True):
            _add_at(canvas, parts[i], left + width / 2, top + height / 2)
            left += width + GAP_PX
        top += height + GAP_PX
    return Drawn(*bricks.render(canvas))


def _add_at(canvas: Canvas, part: Part, x_px: float, y_px: float) -> None:
    u0, v0, u1, v1 = bricks.bounds_uv([part], canvas.cam)
    canvas.offset_uv = (round(2 * x_px - (u0 + u1) / 2), round(2 * y_px - (v0 + v1) / 2))
    bricks.add(canvas, part)


def _size_px(part: Part, cam: Camera) -> tuple[float, float]:
    u0, v0, u1, v1 = bricks.bounds_uv([part], cam)
    return (u1 - u0) / 2, (v1 - v0) / 2


def _best_rows(sizes: Array) -> tuple[list[list[int]], float]:
    """Rows of indices in reading order, and the scale (px/mm) at which they fill the picture."""
    best: tuple[list[list[int]], float] = ([], 0.0)
    for count in range(1, min(3, len(sizes)) + 1):
        a_row = math.ceil(len(sizes) / count)
        rows = [list(range(i, min(i + a_row, len(sizes)))) for i in range(0, len(sizes), a_row)]
        wide = min((890 - GAP_PX * (len(r) - 1)) / sum(sizes[i][0] for i in r) for r in rows)
        high = (640 - GAP_PX * (len(rows) - 1)) / sum(max(sizes[i][1] for i in r) for r in rows)
        scale = min(wide, high, MAX_FOUND_PX_PER_MM)
        if scale > best[1] * 1.15:  # a further row must be worth it
            best = (rows, scale)
    return best


def side_by_side(models: Sequence[Sequence[Step]]) -> list[Part]:
    """The finished sub-assemblies in a row on one table, in building order."""
    parts: list[Part] = []
    left = 0
    for steps in models:
        own = [part for step in steps for group in step for part in group.parts]
        low = min(p.box_xyz[0] for p in own)
        parts += [Part(p.kind, p.colour, p.x - low + left, p.y, p.z, p.turn) for p in own]
        left = max(p.box_xyz[3] for p in parts) + 3
    return parts

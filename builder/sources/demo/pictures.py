"""Pictures of the demo source, in memory: a session's camera, and the parts-to-find layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from builder.sources.demo import bricks
from builder.sources.demo.brick_parts import RGB, Part
from builder.sources.demo.bricks import Canvas
from builder.sources.demo.builds import Step
from builder.sources.demo.sprites import Array, Camera, camera
from builder.sources.drawn.found import (
    COUNT_GAP_PX,
    COUNT_PX,
    MAX_COPIES_DRAWN,
    best_rows,
    row_centres,
)
from builder.sources.drawn.marks import SIZE_WH, box_xyxy_px, print_text

FILL_WH = (0.86, 0.82)  # share of the picture that a finished assembly may take up
MAX_PX_PER_MM, MAX_FOUND_PX_PER_MM = 14.0, 16.0  # a lone small part must not look monstrous
NUMBER_PX, MARGIN_PX = 40, 26  # height of the digits of a step, and their distance to the rim


@dataclass(frozen=True)
class Drawn:
    """A finished picture: RGB (h, w, 3) uint8 and part IDs (h, w) uint8, 0 for background; where
    each part was drawn, as offsets on the canvas."""

    rgb: Array
    ids: Array
    canvas: Canvas
    offsets_uv: list[tuple[int, int]]


def session_canvas(parts: Sequence[Part], angles_deg: tuple[float, float], back: RGB) -> Canvas:
    """An empty canvas whose fixed camera shows all `parts`, centred."""
    u0, v0, u1, v1 = bricks.bounds_uv(parts, camera(*angles_deg, 4.0))
    room = (2 * SIZE_WH[0] * FILL_WH[0], 2 * SIZE_WH[1] * FILL_WH[1])
    scale = min(4.0 * room[0] / (u1 - u0), 4.0 * room[1] / (v1 - v0), MAX_PX_PER_MM)
    cam = camera(*angles_deg, scale)
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


def draw_found(
    groups: list[list[Part]], angles_deg: tuple[float, float], back: RGB, counts: Sequence[int] = ()
) -> Drawn:
    """Lay parts out in rows, in reading order, well apart; IDs count in that order from 1.

    A group that is needed more often than it is drawn, by `counts`, says so below itself ("4x").
    """
    parts = [part for group in groups for part in group]
    unit = camera(*angles_deg, 4.0)
    sizes = np.array([_size_px(part, unit) for part in parts]) / 4.0  # picture px at 1 px/mm
    rows, scale = best_rows(sizes, MAX_FOUND_PX_PER_MM)
    cam = camera(*angles_deg, scale)
    canvas, offsets_uv = Canvas(cam, SIZE_WH, back), []
    centres = row_centres(rows, [_size_px(part, cam) for part in parts])
    for part, (x_px, y_px) in zip(parts, centres, strict=True):
        _add_at(canvas, part, x_px, y_px)
        offsets_uv.append(canvas.offset_uv)
    rgb, ids = bricks.render(canvas)
    bricks.cast_shadow(rgb, canvas)
    first = 1
    for group, count in zip(groups, counts, strict=False):
        box = box_xyxy_px(ids == first)  # below the group's first part
        if count > len(group) and box is not None:
            at = (box[0], box[3] + COUNT_GAP_PX)
            print_text(rgb, f"{count}x", at, COUNT_PX)
        first += len(group)
    return Drawn(rgb, ids, canvas, offsets_uv)


def print_number(rgb: Array, number: int, parts: Sequence[Part], canvas: Canvas) -> None:
    """Print the number of a step into the first corner that the finished model leaves free.

    `parts` is the finished model, so that the number stands in one place in all its pictures.
    Nothing is printed when no corner is free.
    """
    wide = round(NUMBER_PX * 0.95 * len(str(number)))
    high = NUMBER_PX
    right, low = SIZE_WH[0] - MARGIN_PX - wide, SIZE_WH[1] - MARGIN_PX - high
    taken: Array = np.zeros((SIZE_WH[1], SIZE_WH[0]), np.uint8)
    for part in parts:
        cv2.fillConvexPoly(taken, _hull_px(part, canvas), 1)
    pad = MARGIN_PX // 2
    for x, y in ((MARGIN_PX, MARGIN_PX), (right, MARGIN_PX), (MARGIN_PX, low), (right, low)):
        if not taken[max(0, y - pad) : y + high + pad, max(0, x - pad) : x + wide + pad].any():
            print_text(rgb, str(number), (x, y), NUMBER_PX)
            return


def _hull_px(part: Part, canvas: Canvas) -> Array:
    """Outline (n, 1, 2) int32 of a part with its studs, in picture pixels."""
    x0, y0, z0, x1, y1, z1 = part.box_xyz
    corners = [(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1 + 1)]
    uv = canvas.cam.project(np.array(corners, float)) + canvas.offset_uv
    hull: Array = cv2.convexHull(np.rint(uv / 2).astype(np.int32))
    return hull


def _add_at(canvas: Canvas, part: Part, x_px: float, y_px: float) -> None:
    u0, v0, u1, v1 = bricks.bounds_uv([part], canvas.cam)
    canvas.offset_uv = (round(2 * x_px - (u0 + u1) / 2), round(2 * y_px - (v0 + v1) / 2))
    bricks.add(canvas, part)


def _size_px(part: Part, cam: Camera) -> tuple[float, float]:
    u0, v0, u1, v1 = bricks.bounds_uv([part], cam)
    return (u1 - u0) / 2, (v1 - v0) / 2


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

"""Pictures of a session in memory: a step with its outline and number, and the parts to find."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from builder.sources.drawn.found import (
    COUNT_GAP_PX,
    COUNT_PX,
    MAX_COPIES_DRAWN,
    best_rows,
    row_centres,
)
from builder.sources.drawn.marks import RGB, SIZE_WH, box_xyxy_px, outline, print_text
from builder.sources.ldraw.camera import FINE, Array, Camera, View, world_from_model
from builder.sources.ldraw.canvas import Canvas, Placed
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.pieces import Piece
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import Solid

MAX_FOUND_PX_PER_LDU = 6.4
NUMBER_PX, MARGIN_PX = 40, 26


@dataclass(frozen=True)
class FoundPicture:
    """An object-finding picture: RGB, numbers of parts from 1 in reading order, camera, and where
    each part was put: its pieces, turns and shifts in the world."""

    rgb: Array
    numbers: Array
    camera: Camera
    shown: list[Placed]
    pieces: list[Piece]


def draw_found(
    groups: Sequence[Sequence[Piece]], view: View, back: RGB, palette: dict[int, Colour]
) -> FoundPicture:
    """Lay parts out in rows, well apart, each as it stands in the library: at most three of a
    kind, and how many are needed is printed below where there are more."""
    shown = [piece for group in groups for piece in group[:MAX_COPIES_DRAWN]]
    turn = world_from_model(0)
    plans = [product(piece.mesh.corners, product(view.axes[:2], turn).T) for piece in shown]
    sizes = np.array([np.ptp(plan, axis=0) for plan in plans])
    rows, scale = best_rows(sizes, MAX_FOUND_PX_PER_LDU)
    camera = Camera(view, scale)
    canvas = Canvas(camera, SIZE_WH, back)
    parts = []
    for piece, plan, centre in zip(
        shown, plans, row_centres(rows, [(w * scale, h * scale) for w, h in sizes]), strict=True
    ):
        # the world's point that the picture has there, on a plane across the line of sight
        middle = (plan.min(0) + plan.max(0)) / 2
        right_down = np.array(centre) / scale - middle
        parts.append(
            Placed(piece.mesh, turn, product(right_down, view.axes[:2]), piece.colour, palette)
        )
        canvas.add(parts[-1])
    rgb, numbers = canvas.render()
    first = 1
    for group in groups:
        box = box_xyxy_px(numbers == first)  # below the group's first part
        if len(group) > MAX_COPIES_DRAWN and box is not None:
            print_text(rgb, f"{len(group)}x", (box[0], box[3] + COUNT_GAP_PX), COUNT_PX)
        first += len(group[:MAX_COPIES_DRAWN])
    return FoundPicture(rgb, numbers, camera, parts, shown)


def draw_step(
    canvas: Canvas, first_new: int, boundary: RGB | None, number: int, taken: Array
) -> tuple[Array, Array]:
    """(RGB, numbers) of the canvas with parts from `first_new` on outlined, and the step's number
    in a corner that is not `taken`."""
    rgb, numbers = canvas.render()
    if boundary:
        outline(rgb, numbers >= first_new, boundary)
    wide, high = round(NUMBER_PX * 0.95 * len(str(number))), NUMBER_PX
    right, low = SIZE_WH[0] - MARGIN_PX - wide, SIZE_WH[1] - MARGIN_PX - high
    pad = MARGIN_PX // 2
    for x, y in ((MARGIN_PX, MARGIN_PX), (right, MARGIN_PX), (MARGIN_PX, low), (right, low)):
        if not taken[max(0, y - pad) : y + high + pad, max(0, x - pad) : x + wide + pad].any():
            print_text(rgb, str(number), (x, y), NUMBER_PX)
            break
    return rgb, numbers


def covered(solids: Sequence[Solid], camera: Camera) -> Array:
    """(h, w) uint8: where the finished session is, as hulls of its parts."""
    plan: Array = np.zeros((SIZE_WH[1], SIZE_WH[0]), np.uint8)
    for solid in solids:
        uv = camera.project(product(solid.piece.mesh.corners, solid.turn.T, solid.shift)) / FINE
        cv2.fillConvexPoly(plan, cv2.convexHull(np.rint(uv).astype(np.int32)), 1)
    return plan

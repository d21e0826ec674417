"""The 2x2 collage: one target and three distractors, boxes following exactly (T10).

Cells are numbered row-major (0 top left, 1 top right, 2 bottom left, 3 bottom right). Each picture
is fitted into its cell without distortion and centred; what is left is filled with its own
background. Pure.
"""

from typing import NamedTuple

import cv2
import numpy as np

from synthesis.boxes import Box, transform
from synthesis.pixels import border_color

CELLS = 4
# Long side of a collage in pixels; a cell has half of it.
COLLAGE_LONG_SIDE_PX = 960


class Fitted(NamedTuple):
    """A picture scaled into a cell: pixels (h, w, 3), scale and offset from source to cell px."""

    cell: np.ndarray
    scale_xy: tuple[float, float]
    offset_xy: tuple[int, int]


def cell_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Cell width and height for a target of this size: its shape, half a collage's long side."""
    half = COLLAGE_LONG_SIDE_PX // 2
    scale = half / max(size_wh)
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def fit(picture: np.ndarray, cell_wh: tuple[int, int]) -> Fitted:
    """Scale (H, W, 3) to fit the cell, centred on its own border colour."""
    height, width = picture.shape[:2]
    scale = min(cell_wh[0] / width, cell_wh[1] / height)
    inner_wh = (
        min(cell_wh[0], max(1, round(width * scale))),
        min(cell_wh[1], max(1, round(height * scale))),
    )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inner = cv2.resize(picture, inner_wh, interpolation=method)
    scale_xy = (inner_wh[0] / width, inner_wh[1] / height)
    if inner_wh == cell_wh:
        return Fitted(inner, scale_xy, (0, 0))
    cell = np.empty((cell_wh[1], cell_wh[0], 3), np.uint8)
    cell[:] = border_color(picture).astype(np.uint8)
    left, top = (cell_wh[0] - inner_wh[0]) // 2, (cell_wh[1] - inner_wh[1]) // 2
    cell[top : top + inner_wh[1], left : left + inner_wh[0]] = inner
    return Fitted(cell, scale_xy, (left, top))


def compose(cells: list[np.ndarray]) -> np.ndarray:
    """Four (h, w, 3) cells of one size, row-major, as one (2h, 2w, 3) picture."""
    if len(cells) != CELLS or len({cell.shape for cell in cells}) != 1:
        raise ValueError(f"a collage needs {CELLS} cells of one size, found {len(cells)}: "
                         f"{sorted({cell.shape for cell in cells})}")  # fmt: skip
    return np.vstack([np.hstack(cells[:2]), np.hstack(cells[2:])])


def box_in_collage(box_px: Box, fitted: Fitted, cell: int, cell_wh: tuple[int, int]) -> Box:
    """A box of the source picture in pixels of the collage."""
    inside = transform(box_px, fitted.scale_xy, fitted.offset_xy)
    return transform(inside, (1, 1), (cell % 2 * cell_wh[0], cell // 2 * cell_wh[1]))

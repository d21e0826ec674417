"""Drawing on rows' pictures, for people."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from tasks.task import Row

RIGHT_RGB, WRONG_RGB, OTHER_RGB = (0, 150, 60), (220, 30, 30), (120, 130, 140)
LINE_PX, GAP_PX = 3, 12


def pixels(row: Row) -> np.ndarray:
    """A row's picture, (H, W, 3) uint8 RGB."""
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return np.array(image.convert("RGB"))


def draw_box(
    rgb: np.ndarray, box_xyxy_px: Sequence[float] | None, color: tuple[int, int, int]
) -> None:
    """Outline a box (x1 and y1 exclusive) in place; None draws nothing."""
    if box_xyxy_px is not None:
        x0, y0, x1, y1 = (round(value) for value in box_xyxy_px)
        cv2.rectangle(rgb, (x0, y0), (x1 - 1, y1 - 1), color, LINE_PX)


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W, 3) pictures in a row on white, with gaps."""
    height = max(picture.shape[0] for picture in pictures)
    gap = np.full((height, GAP_PX, 3), 255, np.uint8)
    padded = [
        np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=255) for p in pictures
    ]
    return np.hstack([part for picture in padded for part in (gap, picture)][1:])

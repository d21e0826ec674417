"""How a model is seen: the world that its session stands in, and a parallel projection of it.

World: LDU, x to the reader's right, y away from the reader, z up. Fine pixels: twice the picture's
size a side; everything is drawn there and averaged down.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.sources.ldraw.products import product

Array = NDArray[Any]
MM_PER_LDU = 0.4
STUD_LDU, PLATE_LDU = 20.0, 8.0
FINE = 2
# Quarter turns of a model on the table, each with LDraw's axes as the world's.
_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def world_from_model(quarter_turns: int) -> Array:
    """(3, 3): LDraw's axes to the world's, the model turned on the table counter-clockwise."""
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns % 4]
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    found: Array = turn @ _UPRIGHT
    return found


@dataclass(frozen=True)
class View:
    """Where the reader looks from: to the right by `azimuth_deg` (left when negative) and above."""

    azimuth_deg: float
    elevation_deg: float

    @property
    def axes(self) -> Array:
        """(3, 3): rows are right, down and away in the picture, in the world's axes."""
        a, e = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        ca, sa, ce, se = math.cos(a), math.sin(a), math.cos(e), math.sin(e)
        return np.array([[ca, sa, 0.0], [sa * se, -ca * se, -ce], [-sa * ce, ca * ce, -se]])


@dataclass(frozen=True)
class Camera:
    """A view at a scale (picture pixels per LDU), moved by `offset_uv` fine pixels."""

    view: View
    px_per_ldu: float
    offset_uv: tuple[int, int] = (0, 0)

    def project(self, points: Array) -> Array:
        """(n, 3) world points -> (n, 2) fine pixels."""
        scale = FINE * self.px_per_ldu
        return product(points, self.view.axes[:2].T * scale, self.offset_uv)

    def distance(self, points: Array) -> Array:
        """(n, 3) world points -> (n,) LDU along the line of sight."""
        return product(points, self.view.axes[2])


def fitted(
    points: Array, view: View, size_wh: tuple[int, int], fill_wh: tuple[float, float], most: float
) -> Camera:
    """A camera that shows all (n, 3) points in the middle of a picture, at a scale up to `most`."""
    uv = product(points, view.axes[:2].T)
    low, high = uv.min(0), uv.max(0)
    span = np.maximum(high - low, 1e-6)
    scale = min(size_wh[0] * fill_wh[0] / span[0], size_wh[1] * fill_wh[1] / span[1], most)
    middle = (low + high) / 2 * scale * FINE
    return Camera(
        view, scale, (round(size_wh[0] - middle[0]), round(size_wh[1] - middle[1]))
    )  # FINE is 2: the middle of the fine picture is the picture's size

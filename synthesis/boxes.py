"""Box arithmetic, the one place for coordinates.

Boxes are `[x0, y0, x1, y1]`, x1 and y1 exclusive; the frame (`px`: pixels of an image, `norm100`:
0-100 of its width and height) is in every name. Functions take arrays of shape (..., 4) or tuples.
"""

from collections.abc import Iterable, Sequence

import numpy as np

Box = tuple[float, float, float, float]


def as_box(values: Iterable[float]) -> Box:
    """Four floats; raises ValueError when it is not a box with x0 < x1 and y0 < y1."""
    x0, y0, x1, y1 = (float(value) for value in values)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"a box needs x0 < x1 and y0 < y1, found {(x0, y0, x1, y1)}")
    return (x0, y0, x1, y1)


def union(boxes: Sequence[Sequence[float]]) -> Box:
    """The smallest box that holds all of them; raises ValueError for none."""
    if not boxes:
        raise ValueError("the union of no boxes is not a box")
    array = np.asarray(boxes, dtype=float)
    return as_box([*array[:, :2].min(axis=0), *array[:, 2:].max(axis=0)])


def area(box: Sequence[float]) -> float:
    """Area, 0 for an empty box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(a: Sequence[float], b: Sequence[float]) -> float:
    """Area that both cover."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union in [0, 1]; 0 when both are empty."""
    shared = intersection(a, b)
    total = area(a) + area(b) - shared
    return shared / total if total > 0 else 0.0


def transform(
    box: Sequence[float], scale_xy: tuple[float, float], offset_xy: tuple[float, float]
) -> Box:
    """Scale about the origin, then shift."""
    (sx, sy), (ox, oy) = scale_xy, offset_xy
    return as_box([box[0] * sx + ox, box[1] * sy + oy, box[2] * sx + ox, box[3] * sy + oy])


def clip(box: Sequence[float], size_wh: tuple[int, int]) -> Box:
    """Cut to the image; raises ValueError when nothing of it is inside."""
    width, height = size_wh
    x0, x1 = np.clip([box[0], box[2]], 0, width)
    y0, y1 = np.clip([box[1], box[3]], 0, height)
    return as_box([x0, y0, x1, y1])


def px_to_norm100(box_px: Sequence[float], size_wh: tuple[int, int]) -> Box:
    """Pixels to percent of width and height."""
    return transform(box_px, (100 / size_wh[0], 100 / size_wh[1]), (0, 0))


def norm100_to_px(box_norm100: Sequence[float], size_wh: tuple[int, int]) -> Box:
    """Percent of width and height to pixels."""
    return transform(box_norm100, (size_wh[0] / 100, size_wh[1] / 100), (0, 0))


def of_mask(mask: np.ndarray) -> Box | None:
    """Tight box of the true pixels of a (H, W) mask, or None."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(ys):
        return None
    return (float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1))

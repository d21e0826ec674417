"""Draws bricks: parts on a stud grid in, an RGB picture and an exact part-ID map out; no disk.

Frames and units are those of `sprites.py`, which draws each part alone.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from builder.sources.demo.brick_parts import RGB, Part
from builder.sources.demo.sprites import (
    PLATE_MM,
    STUD_HEIGHT_MM,
    STUD_MM,
    Array,
    Camera,
    palette,
    sprite,
)
from builder.sources.drawn.marks import picture_ids

SEE_THROUGH = 0.38  # share of what lies behind in a transparent part's colour
# The light that casts shadows on the table: studs to the right and away for every stud of height.
LIGHT_XY = (0.18, 0.12)
SHADOW_DARKNESS, SHADOW_BLUR_PX = 0.13, 6.0  # of the background; sigma at 960 px width
SHADOW_SCALE = 4  # fine pixels a pixel of the shadow: it is blurred anyhow


@dataclass
class Canvas:
    """What has been drawn so far, at fine resolution (2h, 2w): colours, distance and part IDs.

    IDs count from 1 in the order of `add`; 0 is background. `offset_uv` moves the grid's origin.
    """

    cam: Camera
    size_wh: tuple[int, int]
    background: RGB
    offset_uv: tuple[int, int] = (0, 0)
    rgb: Array = field(init=False)
    distance: Array = field(init=False)
    ids: Array = field(init=False)
    count: int = 0
    areas_px: list[int] = field(default_factory=lambda: [0])  # fine pixels of each part alone
    windows: list[tuple[slice, slice]] = field(default_factory=lambda: [(slice(0), slice(0))])
    shadows_uv: list[Array] = field(default_factory=list)  # what each part shades, fine pixels

    def __post_init__(self) -> None:
        shape = (2 * self.size_wh[1], 2 * self.size_wh[0])
        self.rgb = _filled(shape, self.background)
        self.distance = np.full(shape, np.inf, np.float32)
        self.ids = np.zeros(shape, np.uint8)


def _filled(shape: tuple[int, int], colour: RGB) -> Array:
    rgb = np.empty((*shape, 3), np.uint8)
    rgb[0] = colour
    rgb[1:] = rgb[0]  # whole rows at once: several times quicker than pixel by pixel
    return rgb


def add(canvas: Canvas, part: Part) -> int:
    """Draw a part behind whatever is nearer; returns its ID."""
    image, where = sprite(part.kind, part.turn % 4, canvas.cam), window_of(canvas, part)
    if where is None:
        raise ValueError(f"part {part} does not fit on the canvas")
    far = image.distance + np.float32(canvas.cam.distance(part.x, part.y, part.z))
    seen = far < canvas.distance[where]
    canvas.count += 1
    canvas.areas_px.append(image.area_px)
    canvas.windows.append(where)
    canvas.shadows_uv.append(_shadow_uv(canvas, part))
    mask = seen.view(np.uint8)
    # cv2.copyTo writes through the view, ten times quicker than a masked numpy copy
    cv2.copyTo(far, mask, canvas.distance[where])
    np.copyto(canvas.ids[where], np.uint8(canvas.count), where=seen)
    shade = cv2.cvtColor(image.shade, cv2.COLOR_GRAY2RGB)
    colours = cv2.LUT(shade, palette(part.colour)[None])
    if part.colour.startswith("transparent"):
        colours = cv2.addWeighted(
            colours, 1 - SEE_THROUGH, np.ascontiguousarray(canvas.rgb[where]), SEE_THROUGH, 0
        )
    cv2.copyTo(colours, mask, canvas.rgb[where])
    return canvas.count


def window_of(canvas: Canvas, part: Part) -> tuple[slice, slice] | None:
    """Rows and columns of the canvas that a part takes up, None where it does not fit on it."""
    image = sprite(part.kind, part.turn % 4, canvas.cam)
    u, v = canvas.cam.origin_uv(part)
    left = u + canvas.offset_uv[0] + image.offset_uv[0]
    top = v + canvas.offset_uv[1] + image.offset_uv[1]
    h, w = image.shade.shape
    if left < 0 or top < 0 or left + w > canvas.ids.shape[1] or top + h > canvas.ids.shape[0]:
        return None
    return slice(top, top + h), slice(left, left + w)


@contextlib.contextmanager
def added(canvas: Canvas, parts: Sequence[Part]) -> Iterator[list[int]]:
    """Parts on the canvas for as long as the block lasts; their IDs. They must fit on it."""
    layers, count = (canvas.rgb, canvas.distance, canvas.ids), canvas.count
    covered = []
    for part in parts:
        where = window_of(canvas, part)
        if where is not None:
            covered.append((where, [layer[where].copy() for layer in layers]))
            add(canvas, part)
    try:
        yield list(range(count + 1, canvas.count + 1))
    finally:
        for where, before in reversed(covered):
            for layer, pixels in zip(layers, before, strict=True):
                layer[where] = pixels
        canvas.count = count
        del canvas.areas_px[count + 1 :], canvas.windows[count + 1 :], canvas.shadows_uv[count:]


def _shadow_uv(canvas: Canvas, part: Part) -> Array:
    """Corners (n, 2) of the part's shadow on the table z = 0, in fine pixels of the canvas."""
    x0, y0, z0, x1, y1, z1 = part.box_xyz
    corners = np.array([(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)], float)
    reach = corners[:, 2:] * PLATE_MM / STUD_MM
    ground = np.concatenate([corners[:, :2] + reach * LIGHT_XY, np.zeros((8, 1))], axis=1)
    uv: Array = canvas.cam.project(ground) + canvas.offset_uv
    return uv


def visible_fraction(canvas: Canvas, part_id: int) -> float:
    """Share of a part's own fine pixels that nothing hides."""
    seen = int(np.count_nonzero(canvas.ids[canvas.windows[part_id]] == part_id))
    return seen / max(1, canvas.areas_px[part_id])


def render(canvas: Canvas) -> tuple[Array, Array]:
    """(h, w, 3) uint8 RGB picture and (h, w) uint8 ID map of the canvas as it stands."""
    w, h = canvas.size_wh
    rgb = _filled((h, w), canvas.background)
    ids = np.zeros((h, w), np.uint8)
    if canvas.count:
        x0, y0, x1, y1 = _union_px(canvas.windows[1:])
        fine = (slice(2 * y0, 2 * y1), slice(2 * x0, 2 * x1))
        rgb[y0:y1, x0:x1] = cv2.resize(
            canvas.rgb[fine], (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA
        )
        ids[y0:y1, x0:x1] = picture_ids(canvas.ids[fine])
    return rgb, ids


def cast_shadow(rgb: Array, canvas: Canvas) -> None:
    """Darken, in place, the background of a rendered picture where the canvas' parts shade it.

    Pixels at the rim of a part are darkened by the share of background that they show.
    """
    if not canvas.count:
        return
    w, h = canvas.size_wh
    corners = np.concatenate(canvas.shadows_uv)
    low, high = corners.min(0), corners.max(0)
    pad = 4 * SHADOW_SCALE * (1 + round(SHADOW_BLUR_PX * w / 960))
    u0, v0 = (max(0, int(v - pad) // SHADOW_SCALE * SHADOW_SCALE) for v in low)
    u1, v1 = min(2 * w, int(high[0]) + pad), min(2 * h, int(high[1]) + pad)
    u1, v1 = u1 // 2 * 2, v1 // 2 * 2
    where = (slice(v0 // 2, v1 // 2), slice(u0 // 2, u1 // 2))
    size_wh = ((u1 - u0) // 2, (v1 - v0) // 2)
    shown = (canvas.ids[v0:v1, u0:u1] == 0).view(np.uint8) * 255
    ground = cv2.resize(shown, size_wh, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    shade = ground * _shadow(canvas, (u0, v0), size_wh)
    dark = shade[..., None] * np.array(canvas.background, np.float32)
    rgb[where] = np.rint(rgb[where] - dark).clip(0, 255).astype(np.uint8)


def _shadow(canvas: Canvas, origin_uv: tuple[int, int], size_wh: tuple[int, int]) -> Array:
    """(h, w) float32: how much darker the table is, from `origin_uv` on, in picture pixels."""
    small: Array = np.zeros([-(-2 * side // SHADOW_SCALE) for side in reversed(size_wh)], np.uint8)
    for corners in canvas.shadows_uv:
        near = (corners - origin_uv) / SHADOW_SCALE
        cv2.fillConvexPoly(small, cv2.convexHull(np.rint(near).astype(np.int32)), 255)
    sigma = SHADOW_BLUR_PX * canvas.size_wh[0] / 960 * 2 / SHADOW_SCALE
    soft = cv2.GaussianBlur(small, (0, 0), sigma).astype(np.float32) / 255
    whole_wh = (small.shape[1] * SHADOW_SCALE // 2, small.shape[0] * SHADOW_SCALE // 2)
    large: Array = cv2.resize(soft, whole_wh, interpolation=cv2.INTER_LINEAR)
    return SHADOW_DARKNESS * large[: size_wh[1], : size_wh[0]]


def _union_px(windows: Iterable[tuple[slice, slice]]) -> tuple[int, int, int, int]:
    every = [(w.start, h.start, w.stop, h.stop) for h, w in windows]
    low, high = np.min(every, 0), np.max(every, 0)
    return int(low[0]) // 2, int(low[1]) // 2, (int(high[2]) + 1) // 2, (int(high[3]) + 1) // 2


def bounds_uv(parts: Iterable[Part], cam: Camera) -> tuple[int, int, int, int]:
    """Fine-pixel box (u0, v0, u1, v1) that parts take up, studs included, before any offset."""
    boxes = []
    for part in parts:
        x0, y0, z0, x1, y1, z1 = part.box_xyz
        top = z1 + (STUD_HEIGHT_MM / PLATE_MM if part.kind.stud_rows else 0)
        uv = cam.project(
            np.array([(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, top)])
        )
        boxes.append((*uv.min(0), *uv.max(0)))
    low, high = np.min(boxes, 0), np.max(boxes, 0)
    return (math.floor(low[0]), math.floor(low[1]), math.ceil(high[2]), math.ceil(high[3]))

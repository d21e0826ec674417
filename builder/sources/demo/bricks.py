"""Draws bricks: parts on a stud grid in, an RGB picture and an exact part-ID map out; no disk.

Frames and units
* grid: x to the viewer's right in studs, y away from the viewer in studs, z up in plates
  (a stud pitch is 8 mm, a plate 3.2 mm, a brick three plates).
* fine pixels: twice the picture's size a side; everything is drawn there and averaged down.
* the camera is a parallel projection whose grid steps are whole fine pixels, so a part looks the
  same wherever it stands: each (kind, turn) is drawn once and pasted, and no cracks open up.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.sources.demo.brick_parts import COLOURS, RGB, Kind, Part, stud_cells

STUD_MM, PLATE_MM = 8.0, 3.2
STUD_RADIUS_MM, STUD_HEIGHT_MM = 2.4, 1.7
SLOPE_LIP_MM = 1.6  # the upright edge at the foot of a roof tile
STUD_SIDES, ROUND_SIDES = 20, 32
SUB_BITS = 4  # OpenCV's fixed-point bits for polygon corners

# Shade codes of a sprite: 0 outside, 1..250 brightness, 255 a drawn edge.
EDGE_SHADE = 255
OUTSIDE_REACH_PX, INSIDE_REACH_PX = 3.5, 2.5  # of the boundary, at 960 px width

Array = NDArray[Any]
SEE_THROUGH = 0.38  # share of what lies behind in a transparent part's colour
# The light that casts shadows on the table: studs to the right and away for every stud of height.
LIGHT_XY = (0.18, 0.12)
SHADOW_DARKNESS, SHADOW_BLUR_PX = 0.13, 6.0  # of the background; sigma at 960 px width
SHADOW_SCALE = 4  # fine pixels a pixel of the shadow: it is blurred anyhow


@dataclass(frozen=True)
class Camera:
    """Grid steps in fine pixels (u right, v down) and the distance they add (larger is farther)."""

    ex_uv: tuple[int, int]
    ey_uv: tuple[int, int]
    ez_v: int
    depth_xyz: tuple[float, float, float]
    edge_px: int  # thickness of a part's edges in fine pixels

    def project(self, points: Array) -> Array:
        """(n, 3) grid points -> (n, 2) fine pixels relative to the grid's origin."""
        axes = np.array([self.ex_uv, self.ey_uv, (0, self.ez_v)], float)
        uv: Array = np.asarray(points, float) @ axes
        return uv

    def origin_uv(self, part: Part) -> tuple[int, int]:
        """Fine pixels of a part's least corner."""
        u = part.x * self.ex_uv[0] + part.y * self.ey_uv[0]
        return u, part.x * self.ex_uv[1] + part.y * self.ey_uv[1] + part.z * self.ez_v

    def distance(self, x: float, y: float, z: float) -> float:
        """Distance along the line of sight of a grid point, in millimetres."""
        return x * self.depth_xyz[0] + y * self.depth_xyz[1] + z * self.depth_xyz[2]


def camera(azimuth_deg: float, elevation_deg: float, px_per_mm: float) -> Camera:
    """A camera turned `azimuth_deg` to the viewer's right and raised; scale in picture pixels.

    In-plane steps are rounded to even fine pixels, so that the middle of a stud is whole too.
    """
    a, e, fine = math.radians(azimuth_deg), math.radians(elevation_deg), 2 * px_per_mm
    stud = STUD_MM * fine

    def even(value: float) -> int:
        return 2 * round(value / 2)

    return Camera(
        ex_uv=(even(stud * math.cos(a)), even(stud * math.sin(a) * math.sin(e))),
        ey_uv=(even(stud * math.sin(a)), even(-stud * math.cos(a) * math.sin(e))),
        ez_v=-max(1, round(PLATE_MM * fine * math.cos(e))),
        depth_xyz=(
            -STUD_MM * math.sin(a) * math.cos(e),
            STUD_MM * math.cos(a) * math.cos(e),
            -PLATE_MM * math.sin(e),
        ),
        edge_px=2 if px_per_mm < 3.5 else 3,
    )


@dataclass(frozen=True)
class Sprite:
    """A part drawn alone: `shade` (h, w) uint8, `inside` (h, w) bool, `distance` (h, w) float32
    in mm, all relative to the part's least corner, which lies at -`offset_uv` in the sprite."""

    shade: Array
    inside: Array
    distance: Array
    offset_uv: tuple[int, int]
    area_px: int


@functools.lru_cache(maxsize=24)  # a session's kinds; a large sprite is some 3 MB
def sprite(kind: Kind, turn: int, cam: Camera) -> Sprite:
    """Draw one kind of part in one turn. Same arguments, same arrays; treat them as read-only."""
    corners, faces = _body(kind, turn)
    uv = cam.project(corners)
    cells = stud_cells(kind, turn)
    stud = _stud_sprite(cam) if cells else None
    low, high = _extent(uv, [_stud_uv(cam, cell, kind.h) for cell in cells], stud)
    shape = (high[1] - low[1] + 1, high[0] - low[0] + 1)
    shade, distance = np.zeros(shape, np.uint8), np.full(shape, np.inf, np.float32)
    _paint_body(shade, distance, corners, faces, uv - low, cam, kind.shape == "round")
    for cell in sorted(cells, key=lambda c: -cam.distance(c[0], c[1], 0)):
        if stud is not None:
            u, v = _stud_uv(cam, cell, kind.h)
            far = cam.distance(cell[0] + 0.5, cell[1] + 0.5, kind.h)
            _paste_stud(shade, distance, stud, (u - low[0], v - low[1]), far)
    inside = shade > 0
    return Sprite(shade, inside, distance, (int(low[0]), int(low[1])), int(inside.sum()))


def _extent(
    uv: Array, studs_uv: Sequence[tuple[int, int]], stud: Sprite | None
) -> tuple[Array, Array]:
    low, high = np.floor(uv.min(0)).astype(int), np.ceil(uv.max(0)).astype(int)
    if stud is not None:
        at = np.array(studs_uv) + stud.offset_uv
        size_wh = np.array(stud.shade.shape[::-1])
        low, high = np.minimum(low, at.min(0)), np.maximum(high, (at + size_wh).max(0))
    return low, high


def _stud_uv(cam: Camera, cell: tuple[int, int], h: int) -> tuple[int, int]:
    i, j = 2 * cell[0] + 1, 2 * cell[1] + 1
    u = i * cam.ex_uv[0] // 2 + j * cam.ey_uv[0] // 2
    return u, i * cam.ex_uv[1] // 2 + j * cam.ey_uv[1] // 2 + h * cam.ez_v


def _paste_stud(
    shade: Array, distance: Array, stud: Sprite, at_uv: tuple[int, int], far: float
) -> None:
    h, w = stud.shade.shape
    top, left = at_uv[1] + stud.offset_uv[1], at_uv[0] + stud.offset_uv[0]
    where = (slice(top, top + h), slice(left, left + w))
    np.copyto(shade[where], stud.shade, where=stud.inside)
    np.copyto(distance[where], stud.distance + np.float32(far), where=stud.inside)


@functools.lru_cache(maxsize=8)
def _stud_sprite(cam: Camera) -> Sprite:
    corners, faces = _prism(
        STUD_SIDES, STUD_RADIUS_MM / STUD_MM, STUD_HEIGHT_MM / PLATE_MM, centre=(0.0, 0.0)
    )
    uv = cam.project(corners)
    low, high = np.floor(uv.min(0)).astype(int), np.ceil(uv.max(0)).astype(int)
    shape = (high[1] - low[1] + 1, high[0] - low[0] + 1)
    shade, distance = np.zeros(shape, np.uint8), np.full(shape, np.inf, np.float32)
    _paint_body(shade, distance, corners, faces, uv - low, cam, True)
    inside = shade > 0
    return Sprite(shade, inside, distance, (int(low[0]), int(low[1])), int(inside.sum()))


def _body(kind: Kind, turn: int) -> tuple[Array, list[list[int]]]:
    """Corners (n, 3) on the grid and faces (corner indices, counter-clockwise from outside)."""
    if kind.shape == "round":
        # a hair wider than the cell, or the studs below would peep out at the rim
        return _prism(ROUND_SIDES, 0.505 * kind.w, kind.h, centre=(kind.w / 2, kind.d / 2))
    w, d, h = kind.w, kind.d, kind.h
    if kind.shape == "slope":
        lip = SLOPE_LIP_MM / PLATE_MM
        ridge = d - kind.stud_rows - (0 if kind.stud_rows else 0.2)
        profile = [(0.0, 0.0), (float(d), 0.0), (float(d), float(h)), (ridge, float(h)), (0.0, lip)]
    else:
        profile = [(0.0, 0.0), (float(d), 0.0), (float(d), float(h)), (0.0, float(h))]
    n = len(profile)
    corners = np.array([(x, y, z) for x in (0.0, float(w)) for y, z in profile])
    faces = [[n + i for i in range(n)], list(reversed(range(n)))]
    faces += [[i, (i + 1) % n, n + (i + 1) % n, n + i] for i in range(n)]
    for _ in range(turn % 4):
        corners = np.stack([d - corners[:, 1], corners[:, 0], corners[:, 2]], 1)
        w, d = d, w
    return corners, faces


def _prism(
    sides: int, radius: float, h: float, centre: tuple[float, float]
) -> tuple[Array, list[list[int]]]:
    angle = 2 * math.pi * np.arange(sides) / sides
    ring = np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], 1)
    corners = np.concatenate(
        [np.column_stack([ring, np.zeros(sides)]), np.column_stack([ring, np.full(sides, h)])]
    )
    side_faces = [[i, (i + 1) % sides, sides + (i + 1) % sides, sides + i] for i in range(sides)]
    return corners, [*side_faces, list(range(sides, 2 * sides))]


def _paint_body(
    shade: Array,
    distance: Array,
    corners: Array,
    faces: list[list[int]],
    uv: Array,
    cam: Camera,
    smooth: bool,
) -> None:
    """Fill the faces that look at the viewer, then draw edges (round bodies: rims only)."""
    far = corners @ np.array(cam.depth_xyz)
    seen = [face for face in faces if _faces_viewer(uv[face])]
    fixed = np.round(uv * (1 << SUB_BITS)).astype(np.int32)
    for face in seen:
        (u0, v0), (u1, v1) = np.floor(uv[face].min(0)), np.ceil(uv[face].max(0)) + 1
        left, top = max(0, int(u0)), max(0, int(v0))
        window = (slice(top, int(v1)), slice(left, int(u1)))
        cover: Array = np.zeros(shade[window].shape, np.uint8)
        shift = np.array([left, top]) << SUB_BITS
        cv2.fillConvexPoly(cover, fixed[face] - shift, 1, cv2.LINE_8, SUB_BITS)
        where = cover.view(bool)
        slope_u, slope_v, constant = _plane(uv[face], far[face])
        us = slope_u * (left + np.arange(cover.shape[1]))
        vs = slope_v * (top + np.arange(cover.shape[0]))
        plane = (us[None, :] + (vs[:, None] + constant)).astype(np.float32)
        np.copyto(distance[window], plane, where=where)
        np.copyto(shade[window], np.uint8(_brightness(corners[face])), where=where)
    silhouette = (shade > 0).astype(np.uint8)
    lines = np.zeros_like(shade)
    rings = [fixed[f] for f in seen if not smooth or len(f) > 4]
    cv2.polylines(lines, rings, True, 1, cam.edge_px, cv2.LINE_8, SUB_BITS)
    if smooth:  # the outline of a round body is its silhouette
        outline, _ = cv2.findContours(silhouette, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(lines, outline, -1, 1, cam.edge_px)
    shade[(lines & silhouette) > 0] = EDGE_SHADE


def _faces_viewer(uv: Array) -> bool:
    u, v = uv[:, 0], uv[:, 1]
    # v grows downward, so a face seen from outside runs clockwise in (u, v): a negative area
    return float(np.dot(u, np.roll(v, -1)) - np.dot(v, np.roll(u, -1))) < -1e-6


def _plane(uv: Array, far: Array) -> tuple[float, float, float]:
    """Distance of a flat face as slope_u * u + slope_v * v + constant."""
    i = len(uv) // 3  # three corners well apart, for accuracy
    (u0, v0), (u1, v1), (u2, v2) = uv[0], uv[max(1, i)], uv[max(2, 2 * i)]
    a, b, c, d = u1 - u0, v1 - v0, u2 - u0, v2 - v0
    det = a * d - b * c
    p, q = far[max(1, i)] - far[0], far[max(2, 2 * i)] - far[0]
    slope_u, slope_v = (p * d - q * b) / det, (a * q - c * p) / det
    return slope_u, slope_v, far[0] - slope_u * u0 - slope_v * v0


def _brightness(corners: Array) -> int:
    """Shade code of a face: the light comes from above, the front and a little from the left."""
    mm = corners * (STUD_MM, STUD_MM, PLATE_MM)
    normal = np.cross(mm[1] - mm[0], mm[2] - mm[1])
    normal /= np.linalg.norm(normal)
    light = 0.34 * max(normal[2], 0.0) - 0.14 * normal[1] - 0.07 * max(normal[0], 0.0)
    return int(np.clip(round(250 * (0.66 + light)), 1, 250))


@functools.lru_cache(maxsize=64)
def palette(colour: str) -> Array:
    """(256, 3) uint8 RGB of every shade code in a colour; the last row is the edge."""
    base = np.array(COLOURS[colour], float)
    level = np.arange(256)[:, None] / 250
    table = np.clip(base * level, 0, 255)
    # below a luma of about 60 a darker edge cannot be seen, so a lighter one is drawn
    luma = float(base @ (0.299, 0.587, 0.114))
    table[EDGE_SHADE] = base * 0.42 if luma > 60 else base * 0.45 + 78
    return np.round(table).astype(np.uint8)


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
    image = sprite(part.kind, part.turn % 4, canvas.cam)
    u, v = canvas.cam.origin_uv(part)
    left = u + canvas.offset_uv[0] + image.offset_uv[0]
    top = v + canvas.offset_uv[1] + image.offset_uv[1]
    h, w = image.shade.shape
    if left < 0 or top < 0 or left + w > canvas.ids.shape[1] or top + h > canvas.ids.shape[0]:
        raise ValueError(f"part {part} does not fit on the canvas")
    where = (slice(top, top + h), slice(left, left + w))
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


def picture_ids(ids: Array) -> Array:
    """(2h, 2w) fine IDs -> (h, w): the ID that at least two of a pixel's four samples have.

    When two parts have two samples each the newer one takes it; with none, the pixel is 0.
    """
    a, b = ids[0::2, 0::2], ids[0::2, 1::2]
    c, d = ids[1::2, 0::2], ids[1::2, 1::2]
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    low, high = np.maximum(a, c), np.maximum(b, d)
    least, b = np.minimum(a, c), np.minimum(b, d)
    second, third = np.minimum(low, b), np.maximum(low, b)
    rest = np.where(least == second, least, 0)
    return np.where(third == high, high, np.where(second == third, third, rest)).astype(np.uint8)


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


def box_xyxy_px(mask: Array) -> tuple[int, int, int, int] | None:
    """Tight box of a (h, w) mask: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; None if empty.

    It reads the mask only, so a box can never disagree with the pixels.
    """
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def outline(rgb: Array, mask: Array, colour: RGB) -> Array:
    """Draw the boundary of a (h, w) bool mask into `rgb` in place; returns its alpha (h, w).

    It runs along the mask's border, a little farther outside than inside, with soft rims.
    """
    alpha = np.zeros(mask.shape, np.float32)
    box = box_xyxy_px(mask)
    if box is None:
        return alpha
    pad, scale = 8, mask.shape[1] / 960
    y0, x0 = max(0, box[1] - pad), max(0, box[0] - pad)
    where = (slice(y0, box[3] + pad), slice(x0, box[2] + pad))
    inside = np.ascontiguousarray(mask[where]).view(np.uint8)
    out_px = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    in_px = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    reach = np.where(inside > 0, INSIDE_REACH_PX * scale - in_px, OUTSIDE_REACH_PX * scale - out_px)
    strength = np.clip(reach + 1.0, 0.0, 1.0)
    on = strength > 0
    weight = strength[on][:, None]
    spot = rgb[where]
    spot[on] = np.rint(spot[on] * (1 - weight) + np.array(colour, np.float32) * weight)
    alpha[where] = strength
    return alpha


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

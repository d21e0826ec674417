"""Draws a part alone: a kind of brick in one turn, as a camera sees it; no disk.

Frames and units
* grid: x to the viewer's right in studs, y away from the viewer in studs, z up in plates
  (a stud pitch is 8 mm, a plate 3.2 mm, a brick three plates).
* fine pixels: twice the picture's size a side; everything is drawn there and averaged down.
* the camera is a parallel projection whose grid steps are whole fine pixels, so a part looks the
  same wherever it stands: each (kind, turn) is drawn once and pasted, and no cracks open up.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.sources.demo.brick_parts import COLOURS, Kind, Part, stud_cells

STUD_MM, PLATE_MM = 8.0, 3.2
STUD_RADIUS_MM, STUD_HEIGHT_MM = 2.4, 1.7
SLOPE_LIP_MM = 1.6  # the upright edge at the foot of a roof tile
STUD_SIDES, ROUND_SIDES = 20, 32
SUB_BITS = 4  # OpenCV's fixed-point bits for polygon corners

# Shade codes of a sprite: 0 outside, 1..250 brightness, 255 a drawn edge.
EDGE_SHADE = 255

Array = NDArray[Any]


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
    if kind.shape == "frame":
        _open(shade, distance, kind, turn, low, cam)
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


def _fixed_point(uv: Array) -> Array:
    """Corners as OpenCV takes them; what lies just between two steps goes to the same one on every
    processor, though the last digits of `uv` differ."""
    found: Array = np.round((uv * (1 << SUB_BITS)).round(9)).astype(np.int32)
    return found


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
    fixed = _fixed_point(uv)
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


def _open(shade: Array, distance: Array, kind: Kind, turn: int, low_uv: Array, cam: Camera) -> None:
    """Break a frame's hole through its painted block: behind its upper rim are its inner walls,
    and what is seen beneath them is not the frame."""
    w, d = (kind.w, kind.d) if turn % 2 == 0 else (kind.d, kind.w)
    rim = [(1.0, 1.0), (w - 1.0, 1.0), (w - 1.0, d - 1.0), (1.0, d - 1.0)]
    corners = np.array([(x, y, z) for z in (0.0, float(kind.h)) for x, y in rim])
    faces = [[4 + i, 4 + (i + 1) % 4, (i + 1) % 4, i] for i in range(4)]
    uv = cam.project(corners) - low_uv
    walls, far = np.zeros_like(shade), np.full_like(distance, np.inf)
    _paint_body(walls, far, corners, faces, uv, cam, False)
    opening = np.zeros_like(shade)
    fixed = _fixed_point(uv[4:])
    cv2.fillConvexPoly(opening, fixed, 1, cv2.LINE_8, SUB_BITS)
    np.copyto(shade, walls, where=opening.view(bool))
    np.copyto(distance, far, where=opening.view(bool))
    lines = np.zeros_like(shade)
    cv2.polylines(lines, [fixed], True, 1, cam.edge_px, cv2.LINE_8, SUB_BITS)
    shade[(lines > 0) & np.isfinite(distance)] = EDGE_SHADE


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

"""Draws a part alone, as a camera sees it in one orientation: brightness, colours and distance.

A part looks the same wherever it stands, for the projection is parallel: each (mesh, orientation,
scale) is drawn once and pasted. Faces are filled by rows of pixels, all triangles at once; edges
are drawn where nothing of the part hides them. Only `product` and additions, products and
comparisons of doubles are used, so the same part gives the same bytes on every processor.
"""

import functools
from dataclasses import dataclass

import numpy as np

from builder.sources.ldraw.camera import FINE, Array, Camera, View
from builder.sources.ldraw.mesh import EDGE, MAIN, Mesh
from builder.sources.ldraw.products import product

# Codes of a sprite: 0 outside, 1..250 brightness, 255 a drawn edge.
EDGE_SHADE = 255
CHUNK_PX = 1_000_000  # samples in hand at once, for flat memory
BIAS_PX = 2.5  # how far behind its own faces, in fine pixels, an edge is still drawn
THICK_PX_PER_STUD = 32  # picture pixels a stud from which on edges are three fine pixels wide
SPRITES_KEPT = 192


@dataclass(frozen=True, eq=False)
class Sprite:
    """`shade` (h, w) uint8, `distance` (h, w) float32 LDU relative to the part's origin, which
    lies at -`offset_uv` in the sprite. `fixed` are pixels of colours that are not the part's main
    one: their codes and where they are."""

    shade: Array
    distance: Array
    offset_uv: tuple[int, int]
    area_px: int
    fixed: tuple[tuple[int, Array], ...]


def sprite_of(mesh: Mesh, turn: Array, camera: Camera) -> Sprite:
    """The sprite of a mesh whose own axes the (3, 3) `turn` brings to the world's."""
    key = tuple(np.round(turn, 6).ravel().tolist())
    return _sprite(mesh, key, camera.view, camera.px_per_ldu)


@functools.lru_cache(maxsize=SPRITES_KEPT)
def _sprite(mesh: Mesh, turn: tuple[float, ...], view: View, scale: float) -> Sprite:
    # right, down, away from the part's own frame
    axes = product(view.axes, np.array(turn).reshape(3, 3))
    axes[:2] *= FINE * scale
    seen = product(mesh.triangles, axes.T)
    low = np.floor(seen[..., :2].reshape(-1, 2).min(0)).astype(int)
    high = np.ceil(seen[..., :2].reshape(-1, 2).max(0)).astype(int)
    shape = (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1)
    seen[..., :2] -= low
    distance, face = _fill(seen, shape)
    levels = _brightness(mesh, np.array(turn).reshape(3, 3), view)
    inside = face >= 0
    shade = np.where(inside, levels[face], 0).astype(np.uint8)
    codes = np.where(inside, mesh.colours[face], MAIN)
    wide = 3 if 20 * scale >= THICK_PX_PER_STUD else 2
    bias = BIAS_PX / (FINE * scale)
    for lines in (mesh.lines, _shown_conditionals(mesh.conditionals, axes)):
        _draw_lines(shade, distance, product(lines, axes.T) - (*low, 0), wide, bias)
    fixed = tuple(
        (int(code), codes == code) for code in np.unique(codes) if code not in (MAIN, EDGE)
    )
    return Sprite(
        shade, distance.astype(np.float32), (int(low[0]), int(low[1])), int(inside.sum()), fixed
    )


def _fill(seen: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Distance (inf outside) and number of the nearest triangle (-1 outside) by pixel.

    `seen` (n, 3, 3) are corners as (u, v, distance) in the sprite's pixels.
    """
    h, w = shape
    nearest: Array = np.full(h * w, np.inf)
    face: Array = np.full(h * w, -1, np.int64)
    flat = seen[:, 1:] - seen[:, :1]
    doubled = flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]
    keep = np.flatnonzero(np.abs(doubled) > 1e-9)
    v = seen[keep, :, 1]
    first = np.ceil(v.min(1) - 0.5).astype(np.int64)
    rows = np.maximum(np.ceil(v.max(1) - 0.5).astype(np.int64) - first, 0)
    cost = rows * (np.ptp(seen[keep, :, 0], axis=1) + 1)
    start, spent = 0, np.cumsum(cost)
    while start < len(keep):
        before = spent[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(spent, before + CHUNK_PX)))
        part = slice(start, stop)
        _fill_chunk(seen, keep[part], first[part], rows[part], doubled, w, nearest, face)
        start = stop
    return nearest.reshape(h, w), face.reshape(h, w)


def _fill_chunk(
    seen: Array, keep: Array, first: Array, rows: Array, doubled: Array, width: int,
    nearest: Array, face: Array,
) -> None:  # fmt: skip
    which = np.repeat(keep, rows)
    if not len(which):
        return
    row = np.repeat(first - (np.cumsum(rows) - rows), rows) + np.arange(len(which))
    corners = seen[which]
    left, right = _spans(corners, row + 0.5)
    begin = np.ceil(left - 0.5).astype(np.int64)
    count = np.maximum(np.ceil(right - 0.5).astype(np.int64) - begin, 0)
    # distance = at + slope_u * u + slope_v * v on the triangle's plane
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    twice = doubled[which]
    slope_u = (a[:, 2] * b[:, 1] - b[:, 2] * a[:, 1]) / twice
    slope_v = (b[:, 2] * a[:, 0] - a[:, 2] * b[:, 0]) / twice
    at = corners[:, 0, 2] + slope_u * (0.5 - corners[:, 0, 0])
    at += slope_v * (row + 0.5 - corners[:, 0, 1])
    ends = np.cumsum(count)
    column = np.arange(int(ends[-1])) - np.repeat(ends - count - begin, count)
    far = np.repeat(at, count) + np.repeat(slope_u, count) * column
    # On a sliver the plane may be all but upright: no point of it is beyond its corners.
    low, high = corners[..., 2].min(1), corners[..., 2].max(1)
    far = np.clip(far, np.repeat(low, count), np.repeat(high, count))
    pixel = np.repeat(row * width, count) + column
    np.minimum.at(nearest, pixel, far)
    won = far <= nearest[pixel]
    face[pixel[won]] = np.repeat(which, count)[won]


def _spans(corners: Array, v: Array) -> tuple[Array, Array]:
    """Where rows at height `v` (n,) cross triangles (n, 3, 3): least and greatest u."""
    left, right = np.full(len(v), np.inf), np.full(len(v), -np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        u0, v0, u1, v1 = corners[:, i, 0], corners[:, i, 1], corners[:, j, 0], corners[:, j, 1]
        crosses = (v0 <= v) != (v1 <= v)
        rise = np.where(crosses, v1 - v0, 1.0)
        u = u0 + (v - v0) / rise * (u1 - u0)
        left = np.where(crosses, np.minimum(left, u), left)
        right = np.where(crosses, np.maximum(right, u), right)
    return np.where(np.isfinite(left), left, 0.0), np.where(np.isfinite(right), right, 0.0)


def _brightness(mesh: Mesh, turn: Array, view: View) -> Array:
    """(n,) shade codes of triangles: the light is above, in front and a little to the left.

    Faces are seen from both sides: a normal that points away from the reader is turned round.
    """
    world = product(mesh.triangles, turn.T)
    normal = np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0])
    length = np.sqrt((normal**2).sum(1))
    normal /= np.where(length > 0, length, 1.0)[:, None]
    normal *= np.where(product(normal, view.axes[2]) > 0, -1.0, 1.0)[:, None]
    light = 0.34 * np.maximum(normal[:, 2], 0) - 0.14 * normal[:, 1]
    light -= 0.07 * np.maximum(normal[:, 0], 0)
    found: Array = np.clip(np.rint(250 * (0.66 + light)), 1, 250).astype(np.uint8)
    return found


def _shown_conditionals(lines: Array, axes: Array) -> Array:
    """Of (k, 4, 3) conditional lines those (m, 2, 3) that are a contour: both control points lie
    on one side of them in the picture."""
    uv = product(lines, axes[:2].T)
    along = uv[:, 1] - uv[:, 0]
    one, other = uv[:, 2] - uv[:, 0], uv[:, 3] - uv[:, 0]
    side = along[:, 0] * one[:, 1] - along[:, 1] * one[:, 0]
    side_2 = along[:, 0] * other[:, 1] - along[:, 1] * other[:, 0]
    shown: Array = lines[side * side_2 > 1e-9, :2]
    return shown


def _draw_lines(shade: Array, distance: Array, lines: Array, wide: int, bias: float) -> None:
    """Mark, in place, pixels of the part on its visible lines (m, 2, 3) of (u, v, distance)."""
    if not len(lines):
        return
    run = lines[:, 1] - lines[:, 0]
    count = np.ceil(np.abs(run[:, :2]).max(1)).astype(np.int64) + 1
    ends = np.cumsum(count)
    share = (np.arange(int(ends[-1])) - np.repeat(ends - count, count)) / np.repeat(count, count)
    points = np.repeat(lines[:, 0], count, axis=0) + share[:, None] * np.repeat(run, count, axis=0)
    h, w = shade.shape
    half = 0.5 * (wide % 2)  # an even width lies around a pixel's corner
    base = np.floor(points[:, :2] + 0.5 - half).astype(np.int64)
    reach = range(-(wide // 2), wide - wide // 2)
    flat_shade, flat_distance = shade.reshape(-1), distance.reshape(-1)
    for dv in reach:
        for du in reach:
            u, v = base[:, 0] + du, base[:, 1] + dv
            ok = (u >= 0) & (v >= 0) & (u < w) & (v < h)
            pixel = v[ok] * w + u[ok]
            near = flat_distance[pixel]
            shown = np.isfinite(near) & (points[ok, 2] <= near + bias)
            flat_shade[pixel[shown]] = EDGE_SHADE

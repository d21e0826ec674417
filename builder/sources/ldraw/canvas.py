"""Draws parts at their places: an RGB picture and an exact map of part numbers; no disk.

Opaque parts are kept by distance, so a session's canvas grows with it and every part is pasted
once. Transparent ones are laid over them when a picture is taken, the farthest first.
"""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from builder.sources.drawn.marks import picture_ids
from builder.sources.ldraw.camera import FINE, Array, Camera
from builder.sources.ldraw.colours import RGB, Colour
from builder.sources.ldraw.mesh import Mesh
from builder.sources.ldraw.sprites import EDGE_SHADE, Sprite, sprite_of

SEE_THROUGH = 0.38  # share of what lies behind in a transparent part's colour


@dataclass(frozen=True, eq=False)
class Placed:
    """A part at its place: `turn` (3, 3) and `shift` (3,) bring the mesh's frame to the world.

    `palette` has the colours of codes that are not the part's main one.
    """

    mesh: Mesh
    turn: Array
    shift: Array
    colour: Colour
    palette: dict[int, Colour] = field(default_factory=dict)


@dataclass
class Canvas:
    """What has been drawn so far, at fine resolution (2h, 2w). Numbers count from 1 in the order
    of `add`; 0 is background."""

    camera: Camera
    size_wh: tuple[int, int]
    background: RGB
    rgb: Array = field(init=False)
    distance: Array = field(init=False)
    ids: Array = field(init=False)
    count: int = 0
    clear: list[tuple[float, int, Placed]] = field(default_factory=list)
    areas_px: list[int] = field(default_factory=lambda: [0])  # fine pixels of each part alone

    def __post_init__(self) -> None:
        shape = (FINE * self.size_wh[1], FINE * self.size_wh[0])
        self.rgb = _filled(shape, self.background)
        self.distance = np.full(shape, np.inf, np.float32)
        self.ids = np.zeros(shape, np.uint16)

    def add(self, part: Placed) -> int:
        """Draw a part behind whatever is nearer; returns its number."""
        self.count += 1
        sprite = sprite_of(part.mesh, part.turn, self.camera)
        self.areas_px.append(sprite.area_px)
        if part.colour.is_clear:
            far = float(self.camera.distance(part.shift[None])[0])
            self.clear.append((far, self.count, part))
        else:
            _paste(self, sprite, part, self.count, (self.rgb, self.distance, self.ids))
        return self.count

    @contextlib.contextmanager
    def trying(self) -> Iterator[None]:
        """What is added within is taken away again."""
        planes, count, clear = (self.rgb, self.distance, self.ids), self.count, len(self.clear)
        self.rgb, self.distance, self.ids = (plane.copy() for plane in planes)
        try:
            yield
        finally:
            self.rgb, self.distance, self.ids = planes
            self.count = count
            del self.clear[clear:], self.areas_px[count + 1 :]

    def render(self) -> tuple[Array, Array]:
        """(h, w, 3) uint8 RGB picture and (h, w) uint16 map of the canvas as it stands."""
        rgb, ids = self._whole()
        return cv2.resize(rgb, self.size_wh, interpolation=cv2.INTER_AREA), picture_ids(ids)

    def fine_ids(self) -> Array:
        """(2h, 2w) uint16 map of the canvas as it stands."""
        return self._whole()[1]

    def _whole(self) -> tuple[Array, Array]:
        """Fine colours and numbers with the transparent parts."""
        if not self.clear:
            return self.rgb, self.ids
        rgb, ids = self.rgb.copy(), self.ids.copy()
        for _, number, part in sorted(self.clear, key=lambda c: (-c[0], c[1])):
            sprite = sprite_of(part.mesh, part.turn, self.camera)
            _paste(self, sprite, part, number, (rgb, self.distance, ids))
        return rgb, ids


def _paste(
    canvas: Canvas, sprite: Sprite, part: Placed, number: int, target: tuple[Array, Array, Array]
) -> None:
    """Draw a sprite into (rgb, distance, ids); a transparent part leaves the distance as it is."""
    u, v = np.rint(canvas.camera.project(part.shift[None])[0]).astype(int) + sprite.offset_uv
    h, w = sprite.shade.shape
    tall, wide = canvas.ids.shape
    top, left, low, right = max(0, v), max(0, u), min(tall, v + h), min(wide, u + w)
    if top >= low or left >= right:
        return
    where = (slice(top, low), slice(left, right))
    cut = (slice(top - v, low - v), slice(left - u, right - u))
    rgb, distance, ids = (plane[where] for plane in target)
    far = sprite.distance[cut] + np.float32(canvas.camera.distance(part.shift[None])[0])
    seen = far < distance
    mask = seen.view(np.uint8)
    shade = np.ascontiguousarray(sprite.shade[cut])
    colours = cv2.LUT(cv2.cvtColor(shade, cv2.COLOR_GRAY2RGB), palette(part.colour.rgb)[None])
    for code, at in sprite.fixed:
        if code in part.palette:
            spot = at[cut]
            colours[spot] = palette(part.palette[code].rgb)[shade[spot]]
    if part.colour.is_clear:
        back = np.ascontiguousarray(rgb)
        colours = cv2.addWeighted(colours, 1 - SEE_THROUGH, back, SEE_THROUGH, 0)
    else:
        np.copyto(distance, far, where=seen)
    np.copyto(ids, np.uint16(number), where=seen)
    cv2.copyTo(colours, mask, rgb)


def _filled(shape: tuple[int, int], colour: RGB) -> Array:
    rgb = np.empty((*shape, 3), np.uint8)
    rgb[0] = colour
    rgb[1:] = rgb[0]
    return rgb


@functools.lru_cache(maxsize=256)
def palette(rgb: RGB) -> Array:
    """(256, 3) uint8 RGB of every shade code in a colour; the last row is the edge."""
    base = np.array(rgb, float)
    table = np.clip(base * (np.arange(256)[:, None] / 250), 0, 255)
    # below a luma of about 60 a darker edge cannot be seen, so a lighter one is drawn
    luma = float(base @ (0.299, 0.587, 0.114))
    table[EDGE_SHADE] = base * 0.25 if luma > 60 else base * 0.45 + 78
    return np.round(table).astype(np.uint8)

"""Outlined parts drawn at four times their size: their truth on any ground is known exactly.

The ground has one colour a pixel, and a pixel of the picture is the mean of 4 x 4 drawn ones: what
a rim pixel must look like on another ground follows from the drawing alone.
"""

import random
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
from makers import (
    BLUE,
    GREEN,
    GREY,
    MAGENTA,
    PAPER,
    RED,
    RGB,
    SESSION_BRICKS,
    WHITE,
    YELLOW,
    disc,
    step_pictures,
)

from synthesis.boundary import TOLERANCE
from synthesis.boxes import of_mask
from synthesis.cutout import Cutout
from synthesis.foreground import foreground_mask
from synthesis.negatives import (
    KINDS,
    Scene,
    Supply,
    Wrong,
    earlier_step,
    make_scene,
    wrong_states,
)
from synthesis.segmentation import Segment, old_outline, segment

FINE = 4
# How far the outline reaches out of the part and into it, as in a manual of 960 px.
OUTSIDE_PX, INSIDE_PX = 3.6, 2.4


def fine(picture: np.ndarray) -> np.ndarray:
    """Every pixel (H, W, ...) four times in both directions."""
    return picture.repeat(FINE, axis=0).repeat(FINE, axis=1)


def coarse(drawing: np.ndarray) -> np.ndarray:
    """The mean of every 4 x 4 pixels, rounded once."""
    height, width = drawing.shape[0] // FINE, drawing.shape[1] // FINE
    blocks = drawing.reshape(height, FINE, width, FINE, -1).astype(np.float64)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def covered(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels of which at least half is covered by a fine mask."""
    height, width = mask.shape[0] // FINE, mask.shape[1] // FINE
    return mask.reshape(height, FINE, width, FINE).mean(axis=(1, 3)) >= 0.5


@dataclass(frozen=True)
class Drawn:
    """A part over a ground: `ground` (H, W, 3) uint8, `part` and `band` (4H, 4W) uint8 0/1 masks,
    `face` (4H, 4W, 3) what the part looks like, `through` the share of the ground it lets pass.
    """

    ground: np.ndarray
    part: np.ndarray
    face: np.ndarray
    color: RGB = MAGENTA
    through: float = 0.0

    @property
    def band(self) -> np.ndarray:
        grown = cv2.dilate(self.part, disc(round(OUTSIDE_PX * FINE)))
        return grown & (1 - cv2.erode(self.part, disc(round(INSIDE_PX * FINE))))

    @property
    def segment(self) -> Segment:
        """Its true masks."""
        part = covered(self.part)
        return Segment(part, covered(self.band), of_mask(part))

    def picture(self, shift_xy_px: tuple[int, int] = (0, 0), ground=None) -> np.ndarray:
        """(H, W, 3): the truth, the part drawn that far from its place, on any ground."""
        return coarse(self.drawing(shift_xy_px, self.ground if ground is None else ground))

    def drawing(self, shift_xy_px: tuple[int, int], ground: np.ndarray) -> np.ndarray:
        """The same before it is averaged."""
        by = (shift_xy_px[1] * FINE, shift_xy_px[0] * FINE)
        drawing = fine(ground).astype(np.float64)
        part, band = (np.roll(m, by, axis=(0, 1)) > 0 for m in (self.part, self.band))
        face = np.roll(self.face, by, axis=(0, 1))[part]
        drawing[part] = (1 - self.through) * face + self.through * drawing[part]
        drawing[band] = self.color
        return drawing


def polygon(size_wh: tuple[int, int], points_px: np.ndarray) -> np.ndarray:
    """(4H, 4W) uint8 0/1: a filled polygon of points (n, 2) in pixels of the picture."""
    mask = np.zeros((size_wh[1] * FINE, size_wh[0] * FINE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points_px * FINE).astype(np.int32)], 1)
    return mask


def random_ground(
    rng: np.random.Generator, size_wh: tuple[int, int], number: int = 14
) -> np.ndarray:
    """(H, W, 3): bricks with edges on whole pixels, none near the outline's colour."""
    picture = np.full((size_wh[1], size_wh[0], 3), PAPER, np.uint8)
    colors = (GREY, BLUE, YELLOW, GREEN, RED, WHITE, (20, 20, 20))
    for _ in range(number):
        x, y = rng.integers(size_wh[0] - 10), rng.integers(size_wh[1] - 10)
        w, h = rng.integers(8, 60, 2)
        picture[y : y + h, x : x + w] = colors[rng.integers(len(colors))]
    return picture


def random_drawn(seed: int, size_wh: tuple[int, int] = (160, 120), through: float = 0.0) -> Drawn:
    """A part of 4 to 7 corners on random bricks, its upper half lighter than its lower."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 8)))
    radii = rng.uniform(12, 26, len(angles))
    middle = np.array(size_wh) / 2 + rng.uniform(-12, 12, 2)
    points = middle + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    part = polygon(size_wh, points)
    # Convex and not thin: a band must have an inside.
    part = cv2.morphologyEx(
        cv2.fillPoly(part, [cv2.convexHull(np.rint(points * FINE).astype(np.int32))], 1),
        cv2.MORPH_OPEN, disc(6 * FINE),
    )  # fmt: skip
    if not part.any():
        cv2.circle(part, tuple(np.rint(middle * FINE).astype(int).tolist()), 14 * FINE, 1, -1)
    face = np.empty((*part.shape, 3), np.uint8)
    face[:] = (200, 120, 40)
    face[: int(middle[1] * FINE)] = (240, 160, 80)
    return Drawn(random_ground(rng, size_wh), part, face, through=through)


# Scenes: a step taken apart ------------------------------------------------------------------


def scene_of(
    before: np.ndarray,
    now: np.ndarray,
    lossy: bool = False,
    two_before: np.ndarray | None = None,
) -> Scene:
    """A step picture and the one before, taken apart as the builder does."""
    found = segment(now, before, MAGENTA, TOLERANCE)
    assert found is not None
    old = old_outline(now, before, found, MAGENTA, TOLERANCE)
    earlier = earlier_step(before, old, two_before, MAGENTA, TOLERANCE)
    scene = make_scene(now, before, found, earlier, foreground_mask(before), lossy)
    assert scene is not None
    return scene


def corner(size_px: int = 60) -> Scene:
    """An L-shaped blue part with one yellow end on a long plate: no turn or mirror hides in it."""
    before = step_pictures([SESSION_BRICKS[0]], None)[0].rgb
    part = np.zeros(before.shape[:2], np.uint8)
    x, y, third = 190, 225 - size_px // 2, size_px // 3
    part[y : y + size_px, x : x + third] = part[y + size_px - third : y + size_px, x:][
        :, : size_px * 4 // 5
    ] = 1
    now = before.copy()
    now[part > 0] = BLUE
    now[y : y + third][part[y : y + third] > 0] = YELLOW
    now[(cv2.dilate(part, disc(2)) & (1 - cv2.erode(part, disc(1)))) > 0] = MAGENTA
    return scene_of(before, now)


def all_kinds(scene: Scene, seed: object = 0, **supply) -> tuple[dict[str, Wrong], Counter]:
    """One wrong state of every kind that can be made, and what screening turned down."""
    given_ = Supply(**supply)
    found = wrong_states(scene, True, random.Random(str(seed)), given_, len(KINDS))
    return {wrong.kind: wrong for wrong in found}, given_.screened


def lies(cutout: Cutout, shift: tuple[int, int], like: np.ndarray) -> np.ndarray:
    """(H, W) bool: every pixel that the cut-out has a share in."""
    x, y = cutout.xy_px[0] + shift[0], cutout.xy_px[1] + shift[1]
    height, width = cutout.alpha.shape
    there = np.zeros(like.shape[:2], bool)
    there[y : y + height, x : x + width] = cutout.alpha > 0
    return there

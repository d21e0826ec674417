"""A highlighted part lifted off its picture with soft edges, changed, and put down again. Pure.

A pixel on the rim of the outline shows the outline's colour O mixed with the background B behind
it: T = a O + (1 - a) B. B is known from the picture without the part, so `a` can be solved for and
the rim mixed anew with whatever the part is put on. Right and wrong examples go through the same
steps, so the seam tells nothing (features.md B3).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from synthesis.boxes import Box, of_mask
from synthesis.pixels import grown
from synthesis.restoration import fill
from synthesis.segmentation import Segment

# How far the rim reaches beyond the outline: anti-aliasing, or the blur of a lossy codec.
RIM_PX, LOSSY_RIM_PX = 2, 4
# How far inside the outline a part's pixels are mixed with it.
MIXED_PX = 2
# Less of the outline's colour than this is noise of the picture.
ALPHA_MIN = 0.06
# Rounding in the source makes the solved share tremble; few levels make straight edges even again.
ALPHA_LEVELS = 16
# A part is see-through when what was behind it explains at least this much of what it shows.
SEE_THROUGH_R2_MIN, SEE_THROUGH_MIN = 0.9, 0.1


@dataclass(frozen=True)
class Cutout:
    """A part with its outline, as a small picture of its own.

    `rgb` (h, w, 3) uint8, `alpha` (h, w) float32 in [0, 1], `part` (h, w) bool its own pixels,
    `outline` (h, w) bool; `xy_px` is where its top left corner was. `through` (3,) is the share of
    the background a see-through part lets pass in each channel, `behind` (h, w, 3) that background.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    part: np.ndarray
    outline: np.ndarray
    xy_px: tuple[int, int]
    through: np.ndarray | None = None
    behind: np.ndarray | None = None

    @functools.cached_property
    def solid(self) -> np.ndarray:
        """(h, w) uint8: 1 where nothing of the ground shows."""
        found: np.ndarray = (self.alpha == 1).astype(np.uint8)
        return found

    @functools.cached_property
    def rim(self) -> tuple[np.ndarray, ...]:
        """(rows, columns) of the pixels that are mixed with the ground."""
        return np.nonzero((self.alpha > 0) & (self.alpha < 1))

    @property
    def box_px(self) -> Box:
        """Tight box of the part itself where it was lifted."""
        box = of_mask(self.part)
        if box is None:
            raise ValueError("a cut-out without a part")
        x, y = self.xy_px
        return (box[0] + x, box[1] + y, box[2] + x, box[3] + y)


def lift(picture: np.ndarray, canvas: np.ndarray, segment: Segment, lossy: bool = False) -> Cutout:
    """Cut the part out of `picture` (H, W, 3); `canvas` shows the same view without it."""
    rim = LOSSY_RIM_PX if lossy else RIM_PX
    solid = segment.part | segment.outline
    x0, y0, x1, y1 = _whole(of_mask(solid))
    height, width = solid.shape
    x0, y0, x1, y1 = max(0, x0 - rim), max(0, y0 - rim), min(width, x1 + rim), min(height, y1 + rim)
    window = np.s_[y0:y1, x0:x1]
    rgb, behind = picture[window].copy(), canvas[window]
    inside = solid[window].astype(np.uint8)
    part, outline = segment.part[window], segment.outline[window]
    color = np.median(rgb[outline], axis=0).astype(np.float32)
    beyond = inside == 0
    # On both sides of the outer border: the outline's own pixels there are mixed a little too.
    own = part & ~outline  # mixed with these, a pixel belongs to the part's side
    mixed = (beyond & grown(inside, rim)) | (outline & grown(beyond, rim) & ~grown(own, 1))
    alpha = inside.astype(np.float32)
    alpha[mixed] = _share_of(color, rgb[mixed], behind[mixed])
    rgb[mixed] = color
    through = _see_through(rgb, behind, part & ~grown(outline, 2))
    return Cutout(
        rgb, alpha, part, outline, (x0, y0),
        through, None if through is None else behind.copy(),
    )  # fmt: skip


def cut(picture: np.ndarray, segment: Segment) -> Cutout:
    """Cut the part out along its outline as it is, edges mixed with the old background and all, as
    published data sets of this kind do: put down elsewhere, it can be told by its rim."""
    solid = segment.part | segment.outline
    x0, y0, x1, y1 = _whole(of_mask(solid))
    window = np.s_[y0:y1, x0:x1]
    return Cutout(
        picture[window].copy(), solid[window].astype(np.float32),
        segment.part[window], segment.outline[window], (x0, y0),
    )  # fmt: skip


def put_down(canvas: np.ndarray, cutout: Cutout, shift_xy_px: tuple[int, int]) -> np.ndarray:
    """`canvas` (H, W, 3) uint8 with the cut-out mixed in, `shift_xy_px` from where it was.

    Raises ValueError when it would not lie wholly inside.
    """
    x, y = cutout.xy_px[0] + shift_xy_px[0], cutout.xy_px[1] + shift_xy_px[1]
    height, width = cutout.alpha.shape
    if not (0 <= x and x + width <= canvas.shape[1] and 0 <= y and y + height <= canvas.shape[0]):
        raise ValueError(f"shift {shift_xy_px} moves the part off {canvas.shape[1::-1]}")
    result = canvas.copy()
    window = np.s_[y : y + height, x : x + width]
    result[window] = over(canvas[window], cutout)
    return result


def over(ground: np.ndarray, cutout: Cutout) -> np.ndarray:
    """(h, w, 3) uint8: the cut-out mixed over a piece of picture of its own size."""
    result = ground.copy()
    rgb = cutout.rgb
    if cutout.through is not None and cutout.behind is not None:
        change = cutout.through * (ground.astype(np.float32) - cutout.behind)
        inner = (cutout.part & ~cutout.outline)[..., None]
        rgb = np.clip(np.rint(rgb + change * inner), 0, 255).astype(np.uint8)
    cv2.copyTo(rgb, cutout.solid, result)
    rim = cutout.rim
    share = cutout.alpha[rim][:, None]
    result[rim] = np.rint(share * rgb[rim] + (1 - share) * ground[rim]).astype(np.uint8)
    return result


def bare_part(cutout: Cutout) -> np.ndarray:
    """The part without its outline (h, w, 4) uint8 in its tight box, `Cutout.box_px`.

    What the outline covered of it is filled from the part itself, so none of its colour is left.
    """
    bare = cutout.part & ~grown(cutout.outline, 1)
    hole = (~bare).astype(np.uint8)
    rgb = cutout.rgb if hole.all() else fill(cutout.rgb, hole)
    x0, y0, x1, y1 = _whole(of_mask(cutout.part))
    return np.dstack([rgb, cutout.part.astype(np.uint8) * 255])[y0:y1, x0:x1]


def mirrored(cutout: Cutout) -> Cutout:
    """Left and right exchanged, in the same place."""
    return _remapped(cutout, np.fliplr)


def turned(cutout: Cutout, quarters: int) -> Cutout:
    """Turned by quarter turns about its middle: pixels move, none is computed."""
    result = _remapped(cutout, lambda plane: np.rot90(plane, quarters))
    (x, y), (h, w), (new_h, new_w) = cutout.xy_px, cutout.alpha.shape, result.alpha.shape
    return replace(result, xy_px=(x + (w - new_w) // 2, y + (h - new_h) // 2))


def _remapped(cutout: Cutout, change: Callable[[np.ndarray], np.ndarray]) -> Cutout:
    def plane(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(change(array))

    # What shone through it is not what would shine through now: leave its pixels as they are.
    return Cutout(
        plane(cutout.rgb), plane(cutout.alpha), plane(cutout.part), plane(cutout.outline),
        cutout.xy_px,
    )  # fmt: skip


def recolored(cutout: Cutout, color: tuple[int, int, int]) -> Cutout:
    """The part in another colour (r, g, b) with its shading kept; the outline stays.

    Pixels where the outline's soft edge is mixed with the part are taken apart and mixed anew:
    repainted as they are, they would shine along the whole outline.
    """
    inner = cutout.part & ~cutout.outline
    mixed = grown(cutout.outline, MIXED_PX) & inner | grown(inner, 1) & cutout.outline
    pure = inner & ~mixed
    painted = _painted(cutout.rgb, inner, pure if pure.any() else inner, color)
    if pure.any() and cutout.outline.any():
        rows, columns = ndimage.distance_transform_edt(
            ~pure, return_distances=False, return_indices=True
        )[:, mixed]
        line = np.median(cutout.rgb[cutout.outline], axis=0)
        share = _share_of(line, cutout.rgb[mixed], cutout.rgb[rows, columns])[:, None]
        anew = share * line + (1 - share) * painted[rows, columns]
        painted[mixed] = np.rint(anew).astype(np.uint8)
    return replace(cutout, rgb=painted, through=None, behind=None)


def _painted(
    rgb: np.ndarray, where: np.ndarray, pure: np.ndarray, color: tuple[int, int, int]
) -> np.ndarray:
    """Painted `where`, as light as the face that is lit: of `pure` pixels, for a bright outline
    that is mixed in would pass for light."""
    light = rgb.max(axis=2).astype(np.float32)
    full = max(1.0, float(np.percentile(light[pure], 80)))  # edges are darker
    shade = (light[where] / full)[:, None]
    wanted = np.array(color, np.float32) * np.minimum(shade, 1)
    wanted += (255 - wanted) * np.clip(shade - 1, 0, 1)  # highlights go towards white
    painted = rgb.copy()
    painted[where] = np.clip(np.rint(wanted), 0, 255).astype(np.uint8)
    return painted


def _share_of(color: np.ndarray, seen: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Least squares `a` (n,) of seen = a color + (1 - a) behind, pixels (n, 3)."""
    direction = color - behind.astype(np.float32)
    length = np.maximum((direction**2).sum(axis=1), 1.0)
    share = ((seen.astype(np.float32) - behind) * direction).sum(axis=1) / length
    share = np.round(np.clip(share, 0, 1) * ALPHA_LEVELS) / ALPHA_LEVELS
    return np.where(share < ALPHA_MIN, 0, share)


def _see_through(rgb: np.ndarray, behind: np.ndarray, inner: np.ndarray) -> np.ndarray | None:
    """(3,) share of the background that passes, None for an opaque part."""
    seen, back = rgb[inner].astype(np.float64), behind[inner].astype(np.float64)
    if len(seen) < 100:
        return None
    spread = back.var(axis=0)
    if (spread < 100).any():  # nothing behind it that could be seen
        return None
    covariance = ((seen - seen.mean(axis=0)) * (back - back.mean(axis=0))).mean(axis=0)
    slope = covariance / spread
    explained = covariance**2 / (spread * np.maximum(seen.var(axis=0), 1e-9))
    if explained.min() < SEE_THROUGH_R2_MIN or slope.min() < SEE_THROUGH_MIN:
        return None
    found: np.ndarray | None = np.clip(slope, 0, 1).astype(np.float32)
    return found


def _whole(box: Box | None) -> tuple[int, int, int, int]:
    if box is None:
        raise ValueError("the mask of a part is empty")
    return (int(box[0]), int(box[1]), int(box[2]), int(box[3]))

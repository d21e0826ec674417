"""Taking an outline off a picture: what it hid is shown by other pictures of the same view, or made
up from what lies beside it. Pure."""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from synthesis.boxes import of_mask
from synthesis.pixels import difference, grown

# An outline's rim is blended with what it runs over, so a little more than it is filled.
RIM_PX = 2
# Removes the streaks that copying from the nearest pixel leaves, and keeps edges sharp.
MEDIAN_PX = 7
# Masks are right to a pixel: smoothed, their border is as straight as the part's.
BORDER_SIGMA_PX = 1.5
# Where the line along a border is looked for, pixels inside it (outside: negative).
DEPTHS_PX = np.arange(-3.0, 5.5, 0.5)
# What tells nothing of a line: fewer pixels, or a line this near in colour to what it runs over.
LINE_PX_MIN, LINE_CONTRAST_MIN = 10, 30
# Another picture shows the same view where this few pixels beside the outline differ by so much.
SAME_VIEW_SHARE, SAME_VIEW_DIFFERENCE = 0.05, 40
BESIDE_PX = 5
# A colour that so few pixels have is no shade of a part, but a blend at its rim.
RARE_PIXELS = 2


class Sight(NamedTuple):
    """Another picture (H, W, 3) uint8 of the same view; `hidden` (H, W) bool is where it does not
    show what is looked for, but other parts or an outline of its own."""

    rgb: np.ndarray
    hidden: np.ndarray


class Line(NamedTuple):
    """The dark line along the border of a part.

    `shares` (n,) is how much of it a pixel shows at each of `depths_px` (n,) inside the border,
    `darker` (3,) its colour as a share of the part's main one.
    """

    depths_px: np.ndarray
    shares: np.ndarray
    darker: np.ndarray


def without_outline(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with the `outline` pixels (H, W) bool and their rim filled, by this picture
    alone.

    Every filled pixel is first a copy of the nearest one outside, then the median around it: the
    border between a part and what is behind it stays sharp. The thin dark line along it is lost.
    """
    window = _window(outline)
    result = picture.copy()
    if window is None:
        return result
    hole = grown(outline[window], RIM_PX).astype(np.uint8)
    if not hole.all():
        result[window] = fill(picture[window], hole)
    return result


def uncovered(
    picture: np.ndarray, outline: np.ndarray, part: np.ndarray, later: Sight, earlier: Sight | None
) -> tuple[np.ndarray, Line | None]:
    """(H, W, 3) uint8 without the `outline` (H, W) bool around a `part` (H, W) bool, and the line
    along that part's border, None where there is none.

    The picture of the step after shows most of what the outline hid as it is. Of the rest, what
    lies outside the part is taken from the picture of the step before, what lies inside is made up
    from the part, and the line between them drawn as it is seen along the same part elsewhere.
    """
    window = _window(outline)
    if window is None:
        return picture.copy(), None
    result, own = picture.copy(), part[window]
    seen, shown = picture[window], later.rgb[window]
    hole = grown(outline[window], RIM_PX)
    if hole.all():
        return result, None
    behind = _filled_from(seen, ~own & ~hole)
    if earlier is not None and _same_view(seen, earlier, window, hole | own):
        behind = np.where(earlier.hidden[window][..., None], behind, earlier.rgb[window])
    sides = _Sides(seen, own, hole, behind)
    visible = hole & ~later.hidden[window]
    line = sides.line(shown, visible)
    made = np.where(visible[..., None], shown, sides.drawn(line))
    made_up = hole & ~visible
    made[made_up] = _nearest_of(made[made_up], np.where(visible[..., None], shown, seen)[~made_up])
    result[window] = np.where(hole[..., None], made, seen)
    return result, line


def bare(
    picture: np.ndarray,
    outline: np.ndarray,
    part: np.ndarray,
    behind: np.ndarray,
    line: Line | None,
) -> np.ndarray:
    """(H, W, 3) uint8 without the `outline` around a `part` (H, W) bool, where what is `behind`
    (H, W, 3) the part is known and the line along its border looks as others do."""
    window = _window(outline)
    result = picture.copy()
    if window is None:
        return result
    hole = grown(outline[window], RIM_PX)
    made = _Sides(picture[window], part[window], hole, behind[window]).drawn(line)
    there = np.concatenate([picture[window][~hole], behind[window][hole]])
    result[window][hole] = _nearest_of(made[hole], there)
    return result


def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 with the pixels of `hole` (h, w) uint8 0/1 made up from around it."""
    _, nearest = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    outside = np.flatnonzero(hole.ravel() == 0)
    source = np.zeros(int(nearest.max()) + 1, np.int64)
    source[nearest.ravel()[outside]] = outside
    copied = np.ascontiguousarray(picture.reshape(-1, 3)[source[nearest]])
    smooth = cv2.medianBlur(copied, MEDIAN_PX)
    return np.where(hole[..., None] > 0, smooth, copied)


class _Sides:
    """What an outline in `hole` hid, by side: the `part`, made up from itself, and `behind` it."""

    def __init__(
        self, picture: np.ndarray, part: np.ndarray, hole: np.ndarray, behind: np.ndarray
    ) -> None:
        inner = part & ~hole
        own = picture[inner if inner.any() else part]
        self.color = np.median(own, axis=0) if len(own) else np.zeros(3)
        self.depth_px = _depth_px(part)
        cover = np.clip(self.depth_px + 0.5, 0, 1)[..., None]
        self.plain = cover * _filled_from(picture, inner) + (1 - cover) * behind

    def line(self, shown: np.ndarray, visible: np.ndarray) -> Line | None:
        """The line along the border, from a picture that shows it where it is `visible`."""
        bins = np.digitize(self.depth_px, DEPTHS_PX)
        off = difference(np.rint(self.plain).astype(np.uint8), shown)
        at = [visible & (bins == number) for number in range(1, len(DEPTHS_PX))]
        strength = [off[here].mean() if here.sum() >= LINE_PX_MIN else 0.0 for here in at]
        strongest = int(np.argmax(strength))
        if not strength[strongest]:
            return None
        color = np.median(shown[at[strongest]], axis=0)
        way = color - self.plain
        length = np.linalg.norm(way, axis=-1)
        share = ((shown - self.plain) * way).sum(axis=-1) / np.maximum(length**2, 1)
        depths, shares = [], []
        for low, here in zip(DEPTHS_PX[:-1], at, strict=True):
            told = here & (length >= LINE_CONTRAST_MIN)
            if told.sum() >= LINE_PX_MIN:
                depths.append(low + 0.25)
                shares.append(float(np.clip(np.median(share[told]), 0, 1)))
        if not depths:
            return None
        return Line(np.array(depths), np.array(shares), color / np.maximum(self.color, 1))

    def drawn(self, line: Line | None) -> np.ndarray:
        """(h, w, 3) uint8: both sides, with the line between them."""
        made = self.plain
        if line is not None:
            share = np.interp(self.depth_px, line.depths_px, line.shares, 0, 0)[..., None]
            made = share * np.clip(line.darker * self.color, 0, 255) + (1 - share) * made
        found: np.ndarray = np.rint(made).astype(np.uint8)
        return found


def _nearest_of(wanted: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """(n, 3) uint8: for each colour wanted (n, 3) the nearest of the colours (m, 3) that are there.

    A colour of its own making would tell that something was taken away.
    """
    there, counts = np.unique(colors, axis=0, return_counts=True)
    there = there[counts > RARE_PIXELS] if counts.max() > RARE_PIXELS else there
    found: np.ndarray = there[cKDTree(there).query(wanted)[1]]
    return found


def _depth_px(mask: np.ndarray) -> np.ndarray:
    """(h, w) float64: how far inside the border of a mask a pixel's middle is; outside negative."""
    inside = mask.astype(np.uint8)
    depth = np.where(
        mask,
        cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5,
        0.5 - cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
    )
    # OpenCV's differs between processors in its last digits, which may decide on a shade.
    found: np.ndarray = gaussian_filter(depth.astype(np.float64), BORDER_SIGMA_PX)
    return found


def _filled_from(picture: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(h, w, 3) with everything but `source` (h, w) bool made up from it."""
    return fill(picture, (~source).astype(np.uint8)) if source.any() else picture


def _same_view(
    seen: np.ndarray, other: Sight, window: tuple[slice, slice], apart: np.ndarray
) -> bool:
    """Whether another picture shows the same beside what is `apart` (h, w) bool."""
    beside = grown(apart, BESIDE_PX) & ~apart & ~other.hidden[window]
    if not beside.any():
        return False
    differs = difference(seen, other.rgb[window])[beside] >= SAME_VIEW_DIFFERENCE
    return float(differs.mean()) < SAME_VIEW_SHARE


def _window(mask: np.ndarray) -> tuple[slice, slice] | None:
    """What a mask takes up and what is made up from around it; None where it is empty."""
    box = of_mask(mask)
    if box is None:
        return None
    margin = RIM_PX + MEDIAN_PX
    x0, y0, x1, y1 = (int(value) for value in box)
    return slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)

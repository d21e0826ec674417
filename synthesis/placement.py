"""Where a part may wrongly lie: every shift is weighed, three are drawn (T14, A16). Pure.

Wrong places are chosen to look like the right one to somebody who does not know where the part
belongs: as much of the outline lies on the assembly, and as much detail is covered, as at the right
place. Otherwise "the part sticks out into the background" would already mean "done right".
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from synthesis.boxes import Box
from synthesis.cutout import Cutout, over
from synthesis.pixels import channel_max, difference

# A16: the shift is max(|dx| / W, |dy| / H) of the background box.
SHIFT_FRACTION_MIN = 0.05
# And by so many pixels of a 960 px wide picture, or a person would not see it. The smallest real
# mistake is one stud, 27 px or more in pictures of real models; this is half of that.
SHIFT_PX_MIN_AT_960 = 14
# A moved part may cover at most this share of its right place (IoU), or it would look right.
RIGHT_PLACE_IOU_MAX = 0.4
# It must lie on the assembly, not beside it, with at least this share of its pixels.
ON_ASSEMBLY_MIN = 0.25
# The maps are made on a grid this coarse, in pixels; shifts are whole steps of it.
GRID_PX = 4
# Blocks of a lossy codec with halved colour: shifts by whole blocks keep the grid in place.
LOSSY_GRID_PX = 16
# A pixel is detail, or strong detail, when its neighbours differ by this much.
DETAIL_MIN, STRONG_MIN = 24, 96
# Spread of what counts as alike: share of the outline on the assembly, of detail in what the part
# covers, of detail beside its outline, and of strong detail under the outline.
ALIKE_SPREADS = (0.03, 0.012, 0.006, 0.004)
ALIKE_MAX = 6.0
# New parts lie on top and at the rim more often than not, so a place far from the right one would
# tell by where it is. Spread of near, as a share of the background box; FAR_MAX bounds what being
# far away counts, so that a place far off that looks right beats a near one that does not.
NEAR_SPREAD, FAR_MAX = 0.1, 18.0
# Of so many draws those are kept whose surroundings look most like the right place's.
CANDIDATES = 128
SURROUNDINGS_PX = 4
# How much each place's own unlikeness counts beside that of all of them together.
OWN_WEIGHT = 0.3
# Wrong places are rougher than right ones wherever there is no choice: an outline across an edge
# instead of along it. Where there is, slightly smoother ones are taken (in standard deviations of
# the draws, by bin of roughness: hard edges need more of it), so that over all steps neither class
# is; measured with `lego-arta probe`.
SMOOTHER = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 2.0, 2.0])
# The bin of every difference 0-255: 0, 1-3, 4-7, 8-15, 16-31, 32-63, 64-95, 96-127, 128 and more.
ROUGHNESS_BIN = np.digitize(np.arange(256), [1, 4, 8, 16, 32, 64, 96, 128])


@dataclass(frozen=True)
class Place:
    """One wrong place: the shift in pixels, its fraction of the background box, the part's box."""

    shift_xy_px: tuple[int, int]
    shift_fraction: float
    box_px: Box


def shift_fraction(shift_xy_px: tuple[int, int], background_px: Box) -> float:
    """A16: the larger of |dx| / W and |dy| / H of the background box."""
    width, height = background_px[2] - background_px[0], background_px[3] - background_px[1]
    return max(abs(shift_xy_px[0]) / width, abs(shift_xy_px[1]) / height)


def wrong_places(
    cutout: Cutout,
    canvas: np.ndarray,
    assembly: np.ndarray,
    background_px: Box,
    rng: random.Random,
    number: int,
    lossy: bool = False,
) -> list[Place]:
    """Draw up to `number` different wrong places.

    `canvas` (H, W, 3) is the picture the part is put on, `assembly` (H, W) bool what was built
    there and `background_px` its box. The part's middle lies inside that box, and if possible the
    whole cut-out inside the box of what was built before and the right place together: it sticks
    out no further than the right one does. It is never clipped.
    """
    grid = LOSSY_GRID_PX if lossy else GRID_PX
    shifts, whole = _shifts(cutout, background_px, assembly.shape, grid)
    if not len(shifts):
        return []
    apart = _Weigher(cutout, canvas, assembly).apart(shifts, background_px)
    found: list[Place] = []
    for pool in ((apart <= ALIKE_MAX) & whole, apart <= ALIKE_MAX, whole, whole | True):
        allowed = pool & np.isfinite(apart)
        if allowed.any():
            # Relative to the best there is: where nothing is alike, the least unlike is taken.
            least = apart[allowed].min()
            weights = np.where(allowed, np.exp(-np.maximum(apart - least, 0) / 2), 0)
            drawn = _draw(weights, rng)
            unlike = _unlike(cutout, canvas, shifts[drawn])
            found = _balanced(cutout, shifts[drawn], unlike, background_px, number)
        if len(found) == number:
            break
    return found


def _draw(weights: np.ndarray, rng: random.Random) -> np.ndarray:
    """Indices of up to CANDIDATES different shifts, drawn by weight."""
    # Exponential keys: the largest u ** (1 / w) are a weighted draw without replacement.
    keys = np.array([rng.random() for _ in range(len(weights))])
    with np.errstate(divide="ignore", over="ignore"):
        keys = np.where(weights > 0, np.log(keys) / weights, -np.inf)
    order = np.argsort(-keys, kind="stable")[:CANDIDATES]
    found: np.ndarray = order[np.isfinite(keys[order])]
    return found


def _unlike(cutout: Cutout, canvas: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(n, bins) how the surroundings of the outline differ from what is wanted: those at the right
    place, a little smoother."""
    right, *wrong = surroundings(canvas, cutout, [(0, 0), *shifts.tolist()])
    unlike = wrong - right
    found: np.ndarray = unlike / np.sqrt(unlike.var(axis=0) + 1e-8) + SMOOTHER
    return found


def surroundings(
    canvas: np.ndarray, cutout: Cutout, shifts_xy_px: Sequence[tuple[int, int]]
) -> np.ndarray:
    """(n, bins) shares of the pixels around the outline that stand out from their neighbours by
    so much, were the part put down there."""
    m = SURROUNDINGS_PX
    padded = cv2.copyMakeBorder(canvas, m, m, m, m, cv2.BORDER_REPLICATE)
    outline = cv2.copyMakeBorder(cutout.outline.astype(np.uint8), m, m, m, m, cv2.BORDER_CONSTANT)
    size = 2 * m + 1
    ring = np.nonzero(cv2.dilate(outline, np.ones((size, size), np.uint8)) - outline)
    height, width = cutout.alpha.shape
    shares = []
    for dx, dy in shifts_xy_px:
        x, y = cutout.xy_px[0] + dx, cutout.xy_px[1] + dy
        piece = padded[y : y + height + 2 * m, x : x + width + 2 * m].copy()
        piece[m:-m, m:-m] = over(piece[m:-m, m:-m], cutout)
        rough = difference(piece, cv2.medianBlur(piece, 3))[ring]
        counts = np.bincount(ROUGHNESS_BIN[rough], minlength=ROUGHNESS_BIN.max() + 1)
        shares.append(counts[1:] / max(1, len(rough)))
    return np.array(shares)


def _balanced(
    cutout: Cutout, shifts: np.ndarray, unlike: np.ndarray, background_px: Box, number: int
) -> list[Place]:
    """Places apart from each other, none far from the right place's looks, and together on all
    sides of it: it must not be the odd one of the four."""
    found: list[Place] = []
    box = cutout.box_px
    size = np.array([background_px[2] - background_px[0], background_px[3] - background_px[1]])
    free = np.ones(len(shifts), bool)
    total = np.zeros(unlike.shape[1])
    own = (unlike**2).sum(axis=1)
    while len(found) < number and free.any():
        together = ((total + unlike) ** 2).sum(axis=1) / (len(found) + 1)
        best = int(np.argmin(np.where(free, together + OWN_WEIGHT * own, np.inf)))
        dx, dy = shifts[best].tolist()
        place = (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)
        found.append(Place((dx, dy), shift_fraction((dx, dy), background_px), place))
        total += unlike[best]
        free &= (abs(shifts - shifts[best]) / size).max(axis=1) >= SHIFT_FRACTION_MIN
    return found


def _shifts(
    cutout: Cutout, background_px: Box, shape: tuple[int, ...], grid: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) shifts (dx, dy) on the grid with the part's middle in the background box and nothing
    off the picture, and (n,) bool whether the cut-out is wholly in the box around that and the
    right place."""
    height, width = cutout.alpha.shape
    axes, inside = [], []
    for low, size, start, stop, limit in (
        (cutout.xy_px[0], width, background_px[0], background_px[2], shape[1]),
        (cutout.xy_px[1], height, background_px[1], background_px[3], shape[0]),
    ):
        first = max(start - low - size / 2, -low)
        last = min(stop - low - size / 2, limit - low - size)
        axis = np.arange(np.ceil(first / grid), np.floor(last / grid) + 1) * grid
        axes.append(axis)
        # The right place may stick out of what was built before: then so far out is inside too.
        start, stop = min(start, low), max(stop, low + size)
        inside.append((low + axis >= start) & (low + axis + size <= stop))
    dx, dy = np.meshgrid(*axes)
    whole = np.logical_and(*np.meshgrid(*inside))
    return np.stack([dx.ravel(), dy.ravel()], axis=1).astype(int), whole.ravel()


class _Weigher:
    """Correlation maps of a part over a picture, at a quarter of its size."""

    def __init__(self, cutout: Cutout, canvas: np.ndarray, assembly: np.ndarray) -> None:
        self.xy = cutout.xy_px
        self.least_px = SHIFT_PX_MIN_AT_960 * canvas.shape[1] / 960
        part = _small(cutout.part)
        outline = _small(cutout.outline)
        solid = _small(cutout.alpha > 0.5)
        self.part_area = max(float(part.sum()), 1e-6)
        ground = _small(assembly)
        self.on_assembly = _sums(ground, part) / self.part_area
        gradient = cv2.morphologyEx(canvas, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        gradient = channel_max(gradient)
        detail, strong = _small(gradient > DETAIL_MIN), _small(gradient > STRONG_MIN)
        beside = cv2.dilate(solid, np.ones((5, 5), np.uint8)) - solid
        self.alike = [
            _sums(plane, mask) / max(float(mask.sum()), 1e-6)
            for plane, mask in (
                (ground, outline), (detail, solid), (detail, beside), (strong, outline),
            )
        ]  # fmt: skip
        here = np.zeros_like(ground)
        x, y = (round(v / GRID_PX) for v in self.xy)
        h, w = part.shape
        there = here[y : y + h, x : x + w]
        there += part[: there.shape[0], : there.shape[1]]
        overlap = _sums(here, part)
        self.iou = overlap / np.maximum(2 * self.part_area - overlap, 1e-6)

    def apart(self, shifts: np.ndarray, background_px: Box) -> np.ndarray:
        """(n,) how unlike the right place every shift is, infinite where the part may not lie."""
        x, y = (round(v / GRID_PX) for v in self.xy)
        limit = np.array(self.iou.shape[::-1]) - 1
        cells = np.rint(shifts / GRID_PX) + np.array([x, y])
        columns, rows = np.clip(cells, 0, limit).astype(int).T
        x, y = min(x, limit[0]), min(y, limit[1])
        width, height = background_px[2] - background_px[0], background_px[3] - background_px[1]
        moved = np.maximum(abs(shifts[:, 0]) / width, abs(shifts[:, 1]) / height)
        allowed = (
            (moved >= SHIFT_FRACTION_MIN)
            & (np.hypot(*shifts.T) >= self.least_px)
            & (self.iou[rows, columns] <= RIGHT_PLACE_IOU_MAX)
            & (self.on_assembly[rows, columns] >= ON_ASSEMBLY_MIN)
        )
        apart = sum(
            ((plane[rows, columns] - plane[y, x]) / spread) ** 2
            for plane, spread in zip(self.alike, ALIKE_SPREADS, strict=True)
        )
        far = ((shifts / (width, height)) ** 2).sum(axis=1) / NEAR_SPREAD**2
        apart = apart + np.minimum(far, FAR_MAX)
        return np.where(allowed, apart, np.inf)


def _small(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    size = (max(1, -(-width // GRID_PX)), max(1, -(-height // GRID_PX)))
    found: np.ndarray = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return found


def _sums(plane: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Sum of `plane` under `mask` for every place of the mask's top left corner."""
    padded = cv2.copyMakeBorder(plane, 0, 1, 0, 1, cv2.BORDER_CONSTANT, value=0)
    found: np.ndarray = cv2.matchTemplate(padded, mask, cv2.TM_CCORR)
    return found

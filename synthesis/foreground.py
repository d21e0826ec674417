"""Parts against a plain, softly graded or transparent background: mask and components.

Pure: pixels in, masks and boxes out. The background is a smooth surface (a quadratic in x and y
per channel) fitted to the picture's border and refitted to what turned out to be background, so a
soft gradient costs nothing and a shadowless part of any colour stands out of it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from synthesis.boxes import Box, of_mask, transform
from synthesis.pixels import channel_max, difference

# A pixel is a part when it is this far (largest channel difference, 0-255) from the background.
# Low, because white parts on white differ only by their shading.
DIFFERENCE_MIN = 7.0
# JPEG ringing reaches about this far into a plain background.
LOSSY_DIFFERENCE_MIN = 24.0
NOISE_FACTOR = 6.0
# Distance of a background pixel from the mean around it at which a picture is noisy. It is smoothed
# first then: noise goes down to a quarter, edges move by less than a pixel.
NOISY_MIN = 1.0
SMOOTHING_PX = 1.0
# A sure pixel of a part differs at least by this share of what its surroundings differ by (plain,
# lossy, noisy pictures) ...
CORE_SHARE, LOSSY_CORE_SHARE, NOISY_CORE_SHARE = 0.0, 0.25, 0.5
CORE_REACH_PX = 9
# ... and is no shadow: background made darker, in its own hue, without an edge (levels a pixel).
SHADOW_DARKEST, SHADOW_LIGHTEST, SHADOW_HUE_MAX, SHADOW_SLOPE_MAX = 0.55, 1.02, 8.0, 10.0
# In a clean picture shadow reaches up to a part's very rim, where the rim's own edge is near: so
# close to the lightest of its neighbours (as a share of the background) lies only shadow.
SHADOW_STEP_MAX, SHADOW_NEAR_PX = 0.03, 5
# Alpha at which a pixel of a cut-out picture counts as part.
ALPHA_MIN = 32
# Components smaller than this share of the picture are specks.
SPECK_SHARE = 2e-5
BORDER_SHARE = 0.02
FIT_SAMPLES = 10_000
# With less than the rest left as background, what was taken for parts is noise: no fit to that.
BACKGROUND_GROWN_MAX = 0.9
COLOR_SAMPLES = 4_000
ALL = slice(None)


@dataclass(frozen=True)
class Component:
    """One connected part: tight box, pixel count and colour (median CIE Lab, floats)."""

    box_px: Box
    area_px: int
    lab: tuple[float, float, float]


def _design(ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """Quadratic basis (n, 6) at coordinates in [-1, 1]."""
    return np.stack([np.ones_like(xs), xs, ys, xs * xs, xs * ys, ys * ys], axis=-1)


def fit_background(rgb: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the smooth background: coefficients (6, 3) and noise (3,) from the usable pixels.

    `rgb` is (H, W, 3) uint8, `usable` (H, W) bool. Pixels are taken on
    an even grid: the surface has six unknowns a channel, more pixels would only cost time.
    """
    height, width = usable.shape
    step = max(1, int(np.sqrt(usable.size / (FIT_SAMPLES * 4))))
    rows, columns = (index * step for index in np.nonzero(usable[::step, ::step]))
    design = _design(rows / height * 2 - 1, columns / width * 2 - 1)
    values = rgb[rows, columns].astype(float)
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    for _ in range(2):  # trimmed refit: a part that touches the border must not bend the surface
        residual = np.abs(values - design @ coefficients).max(axis=1)
        keep = residual <= max(3.0, 3 * float(np.median(residual)))
        coefficients = np.linalg.lstsq(design[keep], values[keep], rcond=None)[0]
    noise = np.abs(values[keep] - design[keep] @ coefficients).mean(axis=0)
    return coefficients, noise


class Foreground(NamedTuple):
    """What stands before the background, (H, W) bool: all of it, and the pixels that are surely
    part, not shadow, ringing or blur around it (None: no telling)."""

    mask: np.ndarray
    core: np.ndarray | None


def _difference(rgb: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Largest channel distance (H, W) of each pixel from the background surface."""
    if _is_plain(coefficients):
        red, green, blue = np.rint(coefficients[0]).clip(0, 255)
        return channel_max(cv2.absdiff(rgb, (red, green, blue, 0.0)))
    return difference(rgb, np.rint(_surface(rgb.shape[:2], coefficients)).astype(np.uint8))


def _surface(
    shape: tuple[int, ...], coefficients: np.ndarray, part: tuple[slice, slice] = (ALL, ALL)
) -> np.ndarray:
    """The background (H, W, 3) float32, 0-255, of a picture of `shape`, or a part (h, w, 3) of it.

    Only the part is computed: the whole of a large picture takes as long as all else here.
    """
    height, width = shape
    constant, cx, cy, cxx, cxy, cyy = coefficients.astype(np.float32)
    x = (np.arange(width, dtype=np.float32) / width * 2 - 1)[part[1], None]
    y = (np.arange(height, dtype=np.float32) / height * 2 - 1)[part[0], None]
    across = cx * x + cxx * x * x  # (W, 3)
    down = constant + cy * y + cyy * y * y  # (H, 3)
    twist = y @ x.T if np.abs(cxy).max() > 0.05 else None
    surface: np.ndarray = np.empty((len(y), len(x), 3), np.float32)
    for channel in range(3):  # NumPy is slow where the last axis is as short as that
        plane = down[:, channel, None] + across[None, :, channel]
        if twist is not None:
            plane += twist * cxy[channel]
        surface[..., channel] = plane.clip(0, 255)
    return surface


def _is_plain(coefficients: np.ndarray) -> bool:
    """Whether the surface is one colour to within half a grey level."""
    return bool(np.abs(coefficients[1:]).max() < 0.5)


def find_foreground(
    rgb: np.ndarray, alpha: np.ndarray | None = None, difference_min: float = DIFFERENCE_MIN
) -> Foreground:
    """What stands before the background.

    `rgb` is (H, W, 3) uint8; `alpha` (H, W) uint8, used when it says anything (not all opaque).
    `difference_min` is the least channel difference that counts: raise it for lossy pictures.
    """
    if _says_anything(alpha):
        return Foreground(foreground_mask(rgb, alpha), None)
    smoothed = _smoothed(rgb, difference_min)
    mask = smoothed.mask(difference_min)
    box = of_mask(mask)
    if box is None:
        return Foreground(mask, None)
    height, width = mask.shape
    lossy = difference_min > DIFFERENCE_MIN
    share = NOISY_CORE_SHARE if smoothed.noisy else LOSSY_CORE_SHARE if lossy else CORE_SHARE
    x0, y0 = (max(0, int(v) - CORE_REACH_PX) for v in box[:2])
    x1, y1 = (
        min(int(v) + CORE_REACH_PX, end) for v, end in zip(box[2:], (width, height), strict=True)
    )
    part = (slice(y0, y1), slice(x0, x1))
    background = _surface((height, width), smoothed.coefficients, part)
    core = mask.copy()
    clean = not smoothed.noisy and not lossy
    core[part] &= _rises(smoothed.distance[part], share) & ~_is_shadow(
        smoothed.rgb[part], background, clean
    )
    return Foreground(mask, core)


def foreground_mask(
    rgb: np.ndarray, alpha: np.ndarray | None = None, difference_min: float = DIFFERENCE_MIN
) -> np.ndarray:
    """The mask of `find_foreground` alone, in half the time."""
    if alpha is not None and _says_anything(alpha):
        return alpha >= ALPHA_MIN
    return _smoothed(rgb, difference_min).mask(difference_min)


def _says_anything(alpha: np.ndarray | None) -> bool:
    """Whether an alpha channel (H, W) tells parts from background."""
    return alpha is not None and int(alpha.min()) < ALPHA_MIN


class _Smoothed(NamedTuple):
    """A picture, smoothed if it is noisy, and how every pixel differs from its background."""

    rgb: np.ndarray
    noisy: bool
    coefficients: np.ndarray
    noise: np.ndarray
    distance: np.ndarray

    def mask(self, difference_min: float) -> np.ndarray:
        """(H, W) bool: pixels that stand out by more than noise does."""
        return self.distance > max(difference_min, NOISE_FACTOR * float(self.noise.max()))


def _smoothed(rgb: np.ndarray, difference_min: float) -> _Smoothed:
    height, width = rgb.shape[:2]
    margin = max(2, round(BORDER_SHARE * min(height, width)))
    usable = np.ones((height, width), bool)
    usable[margin:-margin, margin:-margin] = False
    noisy = _grain(rgb, usable) >= NOISY_MIN
    if noisy:
        rgb = cv2.GaussianBlur(rgb, (0, 0), SMOOTHING_PX)
    return _Smoothed(rgb, noisy, *_background(rgb, usable, difference_min))


def _grain(rgb: np.ndarray, usable: np.ndarray) -> float:
    """How far usable pixels lie from the mean around them (median, 0-255): 0 for any surface."""
    green = cv2.extractChannel(rgb, 1)
    return float(np.median(cv2.absdiff(green, cv2.blur(green, (5, 5)))[usable]))


def _background(
    rgb: np.ndarray, border: np.ndarray, difference_min: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients and noise of the background, and every pixel's distance (H, W) from it."""
    coefficients, noise = fit_background(rgb, border)
    distance = _difference(rgb, coefficients)
    if not _is_plain(coefficients):
        # Graded: the border alone fixes the middle badly, so fit again to all that is background.
        mask = (distance > difference_min).astype(np.uint8)
        grown = cv2.dilate(mask, np.ones((9, 9), np.uint8)).astype(bool)
        if mask.mean() < 0.5 and grown.mean() < BACKGROUND_GROWN_MAX:
            coefficients, noise = fit_background(rgb, ~grown)
            distance = _difference(rgb, coefficients)
    return coefficients, noise, distance


def _rises(distance: np.ndarray, share: float) -> np.ndarray:
    """Where the difference is at least a share of the largest around: a blurred edge lies at half
    of what it rises to, ringing and the rim of a shadow stay below."""
    reach = np.ones((CORE_REACH_PX, CORE_REACH_PX), np.uint8)
    found: np.ndarray = distance >= share * cv2.dilate(distance, reach)
    return found


def _is_shadow(rgb: np.ndarray, background: np.ndarray, clean: bool) -> np.ndarray:
    """Background made darker, in its own hue and without an edge. A part of that hue has edges:
    its outermost pixels are never taken for shadow."""
    picture = rgb.astype(np.float32)
    shade = (picture / np.maximum(background, 1)) @ np.full(3, 1 / 3, np.float32)
    hue = channel_max(cv2.absdiff(picture, background * shade[..., None]))
    shadow = (shade > SHADOW_DARKEST) & (shade < SHADOW_LIGHTEST) & (hue < SHADOW_HUE_MAX)
    if not shadow.any():
        found: np.ndarray = shadow
        return found
    smooth = cv2.GaussianBlur(picture, (0, 0), 1)
    slope = cv2.magnitude(
        *(cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    )
    steepest = cv2.dilate(channel_max(slope), np.ones((3, 3), np.uint8))
    soft = steepest < SHADOW_SLOPE_MAX
    if clean:
        near = np.ones((SHADOW_NEAR_PX, SHADOW_NEAR_PX), np.uint8)
        soft |= shade >= cv2.dilate(shade, near) - SHADOW_STEP_MAX
    below: np.ndarray = shadow & soft
    return below


def components(
    mask: np.ndarray,
    rgb: np.ndarray,
    expected: int | None = None,
    core: np.ndarray | None = None,
) -> list[Component]:
    """The separate parts of a mask, in reading order; boxes hold their `core` where there is one.

    `expected` is how many parts the text speaks of: while there are more pieces than that, pieces
    that are fragments of one part (a stud's rim on a white brick, the tip of a thin rod) are
    joined to the piece nearest to them. Without it, only pieces inside another's box are joined.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    least = max(4.0, SPECK_SHARE * mask.size)
    groups = [[i] for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= least]
    groups = _join_fragments(groups, stats, expected)
    return _reading_order([_component(group, labels, stats, rgb, core) for group in groups])


def _stats_box(group: list[int], stats: np.ndarray) -> np.ndarray:
    """Union box [x0, y0, x1, y1] of connected components."""
    rows = stats[group]
    low = rows[:, :2].min(axis=0)
    return np.concatenate([low, (rows[:, :2] + rows[:, 2:4]).max(axis=0)])


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    """Distance between two boxes, negative when they overlap (by the smaller penetration)."""
    dx = max(a[0], b[0]) - min(a[2], b[2])
    dy = max(a[1], b[1]) - min(a[3], b[3])
    return float(np.hypot(max(dx, 0), max(dy, 0))) if max(dx, dy) > 0 else float(max(dx, dy))


def _join_fragments(
    groups: list[list[int]], stats: np.ndarray, expected: int | None
) -> list[list[int]]:
    """Join the smallest piece to its nearest neighbour until the number fits."""
    groups = sorted(groups, key=lambda group: -int(stats[group, cv2.CC_STAT_AREA].sum()))
    target = expected if expected is not None else 1
    while len(groups) > target:
        small = groups[-1]
        box = _stats_box(small, stats)
        gaps = [_gap(box, _stats_box(group, stats)) for group in groups[:-1]]
        nearest = int(np.argmin(gaps))
        # A piece that lies apart is a part of its own, whatever the text says.
        reach = max(3.0, 0.5 * float(min(box[2] - box[0], box[3] - box[1])))
        if gaps[nearest] > (reach if expected is not None else -1):
            break
        groups = [*groups[:nearest], groups[nearest] + small, *groups[nearest + 1 : -1]]
        groups.sort(key=lambda group: -int(stats[group, cv2.CC_STAT_AREA].sum()))
    return groups


def _component(
    group: list[int],
    labels: np.ndarray,
    stats: np.ndarray,
    rgb: np.ndarray,
    core: np.ndarray | None,
) -> Component:
    """Measure one part: box, pixels, colour. The colour leaves out dark edge lines and shade."""
    x0, y0, x1, y1 = (int(v) for v in _stats_box(group, stats))
    inside = np.isin(labels[y0:y1, x0:x1], group)
    # A large part's colour is known from every n-th pixel of it.
    step = max(1, int(np.sqrt(inside.size / COLOR_SAMPLES)))
    sample = rgb[y0:y1:step, x0:x1:step][inside[::step, ::step]]
    pixels = (sample if len(sample) else rgb[y0:y1, x0:x1][inside]).astype(np.float32)[None] / 255
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0]
    lit = lab[lab[:, 0] >= np.percentile(lab[:, 0], 40)]
    median = np.median(lit, axis=0)
    box: Box = (float(x0), float(y0), float(x1), float(y1))
    sure = None if core is None else of_mask(inside & core[y0:y1, x0:x1])
    # With little that is sure, it is a faint part whose edges are all there is.
    if sure and min((sure[2] - sure[0]) / (x1 - x0), (sure[3] - sure[1]) / (y1 - y0)) >= 0.5:
        box = transform(sure, (1, 1), (x0, y0))
    return Component(
        box_px=box,
        area_px=int(stats[group, cv2.CC_STAT_AREA].sum()),
        lab=(float(median[0]), float(median[1]), float(median[2])),
    )


def _reading_order(parts: list[Component]) -> list[Component]:
    """Rows from top to bottom, each from left to right.

    Two parts are in one row when the middle of one of them is at the height of the other.
    """
    rows: list[list[Component]] = []
    for part in sorted(parts, key=_middle_y):
        if rows and any(_beside(part, other) or _beside(other, part) for other in rows[-1]):
            rows[-1].append(part)
        else:
            rows.append([part])
    return [part for row in rows for part in sorted(row, key=lambda c: c.box_px[0])]


def _middle_y(part: Component) -> float:
    return (part.box_px[1] + part.box_px[3]) / 2


def _beside(part: Component, other: Component) -> bool:
    """Whether the part's middle is at the height of the other."""
    return other.box_px[1] <= _middle_y(part) <= other.box_px[3]

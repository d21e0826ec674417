"""What a headset's camera does to a picture: blur, light, perspective, a hand in the way, noise.

The kinds and their three severities follow ImageNet-C (arXiv:1903.12261), whose names they have;
lengths are for a picture whose longer side has 960 pixels and scale with it. Severity 0 changes
nothing. Only `perspective` moves what is shown, and `Warp` carries boxes and masks along; only
`occlusion` hides some of it. Pictures are (H, W, 3) uint8 RGB. Pure.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from synthesis.boxes import Box, area, as_box, norm100_to_px, px_to_norm100, union
from synthesis.pixels import border_color

SEVERITIES = (1, 2, 3)
REFERENCE_SIDE_PX = 960
# By severity 1, 2, 3.
MOTION_LENGTH_PX = (9, 19, 35)
DEFOCUS_RADIUS_PX = (2.5, 5.0, 9.0)
DARKER, BRIGHTER = (0.7, 0.45, 0.25), (1.25, 1.6, 2.1)
CONTRAST = (0.65, 0.4, 0.2)
CAST = (0.1, 0.2, 0.35)
CORNER_SHARE = (0.06, 0.12, 0.20)  # of a side, how far inwards a corner may go
COVERED_MOST = (0.15, 0.30, 0.50)  # of any target's box
NOISE_SIGMA = (8.0, 18.0, 36.0)
JPEG_QUALITY = (40, 18, 8)
SKIN_RGB = ((241, 194, 160), (224, 172, 133), (198, 134, 94), (141, 85, 54), (92, 58, 40))
# Of the longer side: how long a hand's fingers and palm are together.
HAND_SHARE = 0.34
_SAME_PX = 0.75  # boxes of float32 columns and of whole percent differ by as much


class Warp(NamedTuple):
    """A homography of a picture of `source_wh` onto one of the same size.

    A box becomes the axis-aligned hull of its projected corners; one that is made up of single
    boxes (`instances_px`) becomes the hull of theirs. The names of the methods are those of
    `deploy.Frame`, which carries boxes into a crop.
    """

    source_wh: tuple[int, int]
    matrix: np.ndarray  # (3, 3)
    instances_px: tuple[Box, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing moves."""
        return bool(np.array_equal(self.matrix, np.eye(3)))

    @property
    def crop_xyxy_px(self) -> tuple[int, int, int, int]:
        """Nothing is cut off."""
        return (0, 0, *self.source_wh)

    def points(self, xy_px: np.ndarray) -> np.ndarray:
        """(n, 2) points of the source, projected."""
        found = np.c_[np.asarray(xy_px, float), np.ones(len(xy_px))] @ self.matrix.T
        projected: np.ndarray = found[:, :2] / found[:, 2:]
        return projected

    def _hull(self, box_px: Sequence[float]) -> Box:
        x0, y0, x1, y1 = box_px
        corners = self.points(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
        return as_box([*corners.min(axis=0), *corners.max(axis=0)])

    def to_crop(self, box_px: Sequence[float]) -> Box | None:
        """A box of the source in the picture; all of the source stays inside."""
        x0, y0, x1, y1 = box_px
        inside = [
            one for one in self.instances_px
            if x0 - _SAME_PX <= one[0] and y0 - _SAME_PX <= one[1]
            and one[2] <= x1 + _SAME_PX and one[3] <= y1 + _SAME_PX
        ]  # fmt: skip
        made_up = bool(inside) and np.allclose(union(inside), box_px, rtol=0, atol=_SAME_PX)
        return union([self._hull(one) for one in inside]) if made_up else self._hull(box_px)

    def to_crop_norm100(self, box_norm100: Sequence[float]) -> Box | None:
        """The same in percent of the picture's sides."""
        found = self.to_crop(norm100_to_px(box_norm100, self.source_wh))
        return found and px_to_norm100(found, self.source_wh)

    def picture(self, rgb: np.ndarray) -> np.ndarray:
        """The picture, what lies around it filled with the colour of its border."""
        fill = tuple(float(v) for v in border_color(rgb))
        return self._warped(rgb, cv2.INTER_LINEAR, fill)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """An (H, W) bool mask."""
        found: np.ndarray = self._warped(mask.astype(np.uint8), cv2.INTER_NEAREST, 0) > 0
        return found

    def _warped(self, values: np.ndarray, method: int, fill: object) -> np.ndarray:
        # Boxes count from the corner of the first pixel, OpenCV from its middle.
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix = np.linalg.inv(half) @ self.matrix @ half
        found: np.ndarray = cv2.warpPerspective(
            values, matrix, self.source_wh, flags=method, borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        )  # fmt: skip
        return found


class Corrupted(NamedTuple):
    """A corrupted picture, and what became of its things: `warp` where they moved, `visible_share`
    the least share of any target's box that is still to be seen."""

    rgb: np.ndarray
    warp: Warp | None = None
    visible_share: float = 1.0


def corrupt(
    name: str, rgb: np.ndarray, severity: int, rng: random.Random, targets_px: Sequence[Box] = ()
) -> Corrupted:
    """A picture with one corruption. `targets_px` are the boxes of what is asked about."""
    if severity == 0:
        return Corrupted(rgb)
    return CORRUPTIONS[name](rgb, severity - 1, rng, targets_px)


def _scale(rgb: np.ndarray) -> float:
    return float(max(rgb.shape[:2])) / REFERENCE_SIDE_PX


def motion_blur(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """The camera moves straight on while the shutter is open."""
    length = max(3, round(MOTION_LENGTH_PX[level] * _scale(rgb)) | 1)
    kernel = np.zeros((length, length), np.float32)
    angle, half = rng.uniform(0, math.pi), length // 2
    dx, dy = half * math.cos(angle), half * math.sin(angle)
    ends = [(round(half + sign * dx), round(half + sign * dy)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return Corrupted(cv2.filter2D(rgb, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def defocus_blur(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """Every point becomes a disc."""
    radius = max(1.0, DEFOCUS_RADIUS_PX[level] * _scale(rgb))
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return Corrupted(cv2.filter2D(rgb, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE))


def brightness(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """Under- or overexposed; what is too bright for the sensor is lost."""
    return Corrupted(_clipped(rgb * rng.choice((DARKER, BRIGHTER))[level]))


def contrast(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """Washed out: all comes nearer to the picture's mean."""
    mean = rgb.reshape(-1, 3).mean(axis=0)
    return Corrupted(_clipped(mean + (rgb - mean) * CONTRAST[level]))


def color_cast(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """Lamps that are warm, cool or greenish, and a white balance that does not know it."""
    warm, cool, green = (1, 0, -1), (-1, 0, 1), (-0.6, 1, -0.6)
    cast = 1 + CAST[level] * np.array(rng.choice((warm, cool, green)))
    return Corrupted(_clipped(rgb * cast))


def gaussian_noise(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """A sensor in little light."""
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, NOISE_SIGMA[level], rgb.shape)
    return Corrupted(_clipped(rgb + noise))


def jpeg(rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]) -> Corrupted:
    """A stream that has to be small."""
    how = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY[level])
    packed = cv2.imencode(".jpg", rgb[..., ::-1], how)[1]
    read = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return Corrupted(np.ascontiguousarray(read[..., ::-1]))


def perspective(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """Seen from another side: each corner goes inwards, so that nothing leaves the picture."""
    warp = perspective_warp((rgb.shape[1], rgb.shape[0]), CORNER_SHARE[level], rng)
    return Corrupted(warp.picture(rgb), warp)


def perspective_warp(size_wh: tuple[int, int], most: float, rng: random.Random) -> Warp:
    """A homography that moves every corner inwards by up to a share of the sides, and one of them
    by all of it."""
    width, height = size_wh
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inwards = np.sign(np.array([width / 2, height / 2]) - corners)
    shares = np.array([[rng.uniform(0, most), rng.uniform(0, most)] for _ in corners])
    shares[rng.randrange(4)] = most
    moved = corners + inwards * shares * (width, height)
    return Warp(size_wh, cv2.getPerspectiveTransform(corners, moved.astype(np.float32)))


def occlusion(
    rgb: np.ndarray, level: int, rng: random.Random, targets_px: Sequence[Box]
) -> Corrupted:
    """A hand that points at the first target and covers at most COVERED_MOST of any target's box.

    It goes in from below or a side as far as that allows.
    """
    height, width = rgb.shape[:2]
    size = HAND_SHARE * max(width, height)
    target = targets_px[0] if targets_px else (0.0, 0.0, float(width), float(height))
    middle = np.array([(target[0] + target[2]) / 2, (target[1] + target[3]) / 2])
    # Where the arm comes from: 0 is straight from below.
    angle = math.radians(rng.choice((-1, 1)) * rng.uniform(15, 60))
    along = np.array([math.sin(angle), -math.cos(angle)])
    skin = np.array(rng.choice(SKIN_RGB), float)
    # From beyond the target's middle back, a twelfth of the hand at a time.
    hand, covered = np.zeros((height, width), np.float32), 0.0
    for step in range(-4, 40):
        tip = middle - along * size * step / 12
        hand = _hand((width, height), tip, along, size)
        covered = max((_covered(hand, box) for box in targets_px), default=0.0)
        if covered <= COVERED_MOST[level]:
            break
    else:
        return Corrupted(rgb)
    shade = cv2.GaussianBlur(hand, (0, 0), max(1.0, size / 14))[..., None]
    painted = skin * (0.62 + 0.38 * shade)  # darker towards its edges
    alpha = cv2.GaussianBlur(hand, (0, 0), 0.8)[..., None]
    return Corrupted(_clipped(rgb * (1 - alpha) + painted * alpha), None, 1 - covered)


def _hand(
    size_wh: tuple[int, int], tip_xy: np.ndarray, along: np.ndarray, size: float
) -> np.ndarray:
    """(H, W) float32, 1 where a hand is: a pointing finger, three bent ones, a thumb, an arm."""
    canvas = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    across = np.array([-along[1], along[0]])

    def at(back: float, aside: float) -> tuple[int, int]:
        x, y = tip_xy - along * size * back + across * size * aside
        return round(float(x)), round(float(y))

    def finger(start: tuple[int, int], end: tuple[int, int], share: float) -> None:
        cv2.line(canvas, start, end, 255, max(2, round(size * share)))

    finger(at(0.05, 0), at(0.6, 0), 0.11)
    for aside, bent in ((0.12, 0.36), (0.23, 0.38), (0.33, 0.44)):
        finger(at(bent, aside), at(0.6, aside * 0.9), 0.12)
    finger(at(0.42, -0.2), at(0.75, -0.02), 0.12)
    axes = (round(size * 0.26), round(size * 0.27))
    cv2.ellipse(canvas, at(0.72, 0.13), axes, 0, 0, 360, 255, -1)
    finger(at(0.85, 0.13), at(6.0, 0.13), 0.36)
    found: np.ndarray = canvas.astype(np.float32) / 255
    return found


def _covered(hand: np.ndarray, box_px: Box) -> float:
    """The share of a box that the hand hides; pixels at its edge count by what of them is in it."""
    x0, y0, x1, y1 = box_px
    left, top = math.floor(x0), math.floor(y0)
    part = hand[top : math.ceil(y1), left : math.ceil(x1)] > 0
    if not part.any():
        return 0.0
    wide = np.array([min(x1, left + i + 1) - max(x0, left + i) for i in range(part.shape[1])])
    high = np.array([min(y1, top + i + 1) - max(y0, top + i) for i in range(part.shape[0])])
    return float(high @ part @ wide) / area(box_px)


def _clipped(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return found


Corruption = Callable[[np.ndarray, int, random.Random, Sequence[Box]], Corrupted]
CORRUPTIONS: dict[str, Corruption] = {
    one.__name__: one
    for one in (
        motion_blur, defocus_blur, brightness, contrast, color_cast, perspective, occlusion,
        gaussian_noise, jpeg,
    )
}  # fmt: skip

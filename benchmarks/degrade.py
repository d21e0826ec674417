"""Pictures made worse as real ones are: a soft shadow under each part, a vignette, half the size,
noise, JPEG. For measuring annotators; truth boxes shrink with the picture."""

import hashlib
import io

import cv2
import numpy as np
from PIL import Image

from core.pictures.media import Picture
from synthesis.boxes import Box, transform

SCALE = 0.5
JPEG_QUALITY = 60
NOISE_SIGMA = 4.0
# Darkest share of a shadow, and its softness in pixels of a picture 960 px wide.
SHADOW_DARK, SHADOW_SOFT_PX_AT_960 = 0.25, 8.0
# Darkening of the outermost corner, growing with the square of the distance from the middle.
VIGNETTE_DARK = 0.2
PART_DIFFERENCE_MIN = 3


def degraded(picture: Picture, parts_px: list[Box], seed: str) -> Picture:
    """The picture with all five faults; `parts_px` are the true boxes of its parts.

    Noise depends on `seed` alone. The background is taken to have the colour of the corner, and a
    transparent one is flattened, as JPEG does.
    """
    rgb = _with_shadows(picture, parts_px) * _vignette(picture.size_wh)[..., None]
    width, height = (round(side * SCALE) for side in picture.size_wh)
    rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    digits = hashlib.sha256(seed.encode()).hexdigest()[:8]
    rgb = rgb + np.random.default_rng(int(digits, 16)).normal(0, NOISE_SIGMA, rgb.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(rgb).clip(0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=JPEG_QUALITY
    )
    return Picture(np.asarray(Image.open(buffer)), None, lossy=True)


def degraded_box(box_px: Box) -> Box:
    """A box of the picture in the degraded one."""
    return transform(box_px, (SCALE, SCALE), (0, 0))


def _with_shadows(picture: Picture, parts_px: list[Box]) -> np.ndarray:
    """(H, W, 3) float: a blurred ellipse under each part; the parts stay as they are."""
    shadow = np.zeros(picture.rgb.shape[:2], np.float32)
    for x0, y0, x1, y1 in parts_px:
        middle = (round((x0 + x1) / 2 + (x1 - x0) / 20), round(y1 - (y1 - y0) / 8))
        radii = (max(2, round((x1 - x0) / 2)), max(2, round((y1 - y0) * 0.15)))
        cv2.ellipse(shadow, middle, radii, 0, 0, 360, 1, -1)
    soft = SHADOW_SOFT_PX_AT_960 * picture.size_wh[0] / 960
    shadow = cv2.GaussianBlur(shadow, (0, 0), soft)
    if picture.alpha is not None and int(picture.alpha.min()) < 255:
        part = picture.alpha > 0
    else:
        corner = picture.rgb[2, 2].astype(int)
        part = np.abs(picture.rgb - corner).max(axis=2) > PART_DIFFERENCE_MIN
    shadow[part] = 0
    return picture.rgb * (1 - SHADOW_DARK * shadow)[..., None]


def _vignette(size_wh: tuple[int, int]) -> np.ndarray:
    """(H, W) factors, 1 in the middle."""
    width, height = size_wh
    x, y = np.arange(width) / width - 0.5, np.arange(height) / height - 0.5
    return 1 - VIGNETTE_DARK * 2 * (y[:, None] ** 2 + x[None, :] ** 2)

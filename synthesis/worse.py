"""Pictures made worse as bad scans and uploads are: smaller, unevenly lit, blurred, noisy, JPEG.

What machine masks are worth shows on pictures that machines find hard; those that a program drew
are easy. Pure.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SCALES = (0.35, 0.5, 0.75, 1.0)
JPEG_BEST, JPEG_WORST = 90, 10
# How much of the worst is drawn from.
MUCH = (0.3, 1.0)
NOISE_SIGMA_MAX, BLUR_PX_MAX, DARK_MAX = 16.0, 3.0, 0.5


@dataclass(frozen=True)
class Faults:
    """How a picture is made worse: size as a share, blur (sigma in pixels of the smaller picture),
    noise (sigma in levels), darkening of the far edge (share) and where it lies, JPEG's quality."""

    scale: float
    blur_px: float
    noise: float
    dark: float
    towards_xy: tuple[float, float]
    jpeg_quality: int


def drawn_faults(rng: np.random.Generator) -> Faults:
    """Faults at random, from a few to so many that hardly anything is to be found."""
    angle, much = rng.uniform(0, 2 * np.pi), rng.uniform(*MUCH)
    return Faults(
        float(rng.choice(SCALES)),
        float(rng.uniform(0, much * BLUR_PX_MAX)),
        float(rng.uniform(0, much * NOISE_SIGMA_MAX)),
        float(rng.uniform(0, much * DARK_MAX)),
        (float(np.cos(angle)), float(np.sin(angle))),
        round(JPEG_BEST - rng.uniform(0, much) * (JPEG_BEST - JPEG_WORST)),
    )


def made_worse(rgb: np.ndarray, faults: Faults, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) uint8 of (H, W, 3) uint8 pixels; `rng` draws the noise."""
    height, width = rgb.shape[:2]
    size_wh = (max(1, round(width * faults.scale)), max(1, round(height * faults.scale)))
    small = rgb if faults.scale == 1 else cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    picture = small.astype(np.float32)
    if faults.blur_px > 0.1:
        picture = cv2.GaussianBlur(picture, (0, 0), faults.blur_px)
    x = np.linspace(-0.5, 0.5, size_wh[0], dtype=np.float32)[None, :]
    y = np.linspace(-0.5, 0.5, size_wh[1], dtype=np.float32)[:, None]
    far = np.clip(0.5 + x * faults.towards_xy[0] + y * faults.towards_xy[1], 0, 1)
    picture *= (1 - faults.dark * far)[..., None]
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += noise * faults.noise
    pixels = np.rint(picture).clip(0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, faults.jpeg_quality]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    found: np.ndarray = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return found


def smaller_mask(mask: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: pixels of a smaller picture at least half covered by a (H, W) bool mask."""
    if mask.shape[::-1] == size_wh:
        return mask
    covered = cv2.resize(mask.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
    found: np.ndarray = covered >= 0.5
    return found

"""Colours of a picture as browsers show them: in sRGB.

What a file says of its colours is applied before it is thrown away: an ICC profile or, in a PNG,
the chunks cICP, sRGB, cHRM and gAMA, in the order of the PNG specification and of browsers. What
can't be read, or does not fit the pixels, is ignored, as browsers do.
"""

import contextlib
import functools
import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from core.pictures.containers import ImageError

# The colour space a profile must be of, by the mode of the pixels.
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
# What profiles that say "sRGB" in other numbers (rounded tables, older primaries) differ by.
SAME_WITHIN = 2
_ROWS_AT_ONCE = 256

# x, y of white, red, green, blue by the codes of ITU-T H.273, as cICP gives them.
_D65 = (0.3127, 0.3290)
_BT709 = (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_PRIMARIES = {
    1: _BT709,
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    7: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    9: (_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    12: (_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
# Exponents of cICP's curves; None is that of sRGB, which browsers take for those of video too.
_CURVES = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
_HDR = {16: "PQ", 18: "HLG"}
# A display's exponent where nothing better is said, and what a difference must exceed to count.
_DISPLAY_GAMMA, _GAMMA_THRESHOLD, _MAX_GAMMA = 2.2, 0.05, 21474.83
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367],
                      [0.0389, -0.0685, 1.0296]])  # fmt: skip


class _Colors(NamedTuple):
    """Primaries as x, y of white, red, green, blue; the curve's exponent, None for sRGB's curve."""

    primaries: tuple[tuple[float, float], ...]
    gamma: float | None


def to_srgb(image: Image.Image, icc: bytes | None, chunks: Mapping[bytes, bytes]) -> np.ndarray:
    """(H, W, 3) uint8 sRGB pixels of an image of mode L, RGB or CMYK.

    Raises `ImageError` for a PNG of high dynamic range.
    """
    if colors := _cicp(chunks.get(b"cICP", b"")):
        return _converted(np.asarray(image.convert("RGB")), colors)
    if icc:
        with contextlib.suppress(ValueError):
            transform = _transform(icc, image.mode)
            return np.asarray(
                ImageCms.applyTransform(image, transform) if transform else image.convert("RGB")
            )
    rgb = np.asarray(image.convert("RGB"))
    if b"sRGB" in chunks or b"gAMA" not in chunks:
        return rgb
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
    if not 0 < gamma < _MAX_GAMMA:
        return rgb
    colors = _chromaticities(chunks.get(b"cHRM", b""), 1 / gamma)
    return _converted(rgb, colors) if colors else _with_gamma(rgb, gamma)


@functools.lru_cache(8)
def _transform(icc: bytes, mode: str) -> Any:
    """littleCMS' transform of pixels of a mode to sRGB, None for a profile that changes nothing.

    The intent is perceptual, which profiles with tables are made for and browsers take; profiles
    of a matrix and curves have but one. Raises `ValueError` for a broken or other mode's profile.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() != _SPACES[mode]:
            raise ValueError("a profile of other pixels")
        srgb = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.PERCEPTUAL
        transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", intent)
        samples = _samples(mode)
        shown = np.asarray(ImageCms.applyTransform(samples, transform))
    except Exception as err:  # hostile bytes: of several types
        raise ValueError(str(err)) from err
    same = np.abs(shown.astype(int) - np.asarray(samples.convert("RGB"))).max() <= SAME_WITHIN
    return None if same and mode != "CMYK" else transform


def _samples(mode: str) -> Image.Image:
    """Colours all over a mode's cube, and every grey."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    channels = len(mode)
    levels = np.linspace(0, 255, 17 if channels == 3 else 5).astype(np.uint8)
    cube = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(-1, channels)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1)
    return Image.frombytes(mode, (len(cube) + 256, 1), np.vstack([cube, greys]).tobytes())


def _cicp(body: bytes) -> _Colors | None:
    """What a cICP chunk says; None for what browsers don't know either."""
    if len(body) != 4 or body[2] != 0 or body[3] > 1:
        return None
    if body[1] in _HDR:
        raise ImageError("unsupported_format", f"png: high dynamic range ({_HDR[body[1]]})")
    if body[0] not in _PRIMARIES or body[1] not in _CURVES:
        return None
    return _Colors(_PRIMARIES[body[0]], _CURVES[body[1]])


def _chromaticities(body: bytes, gamma: float) -> _Colors | None:
    """The primaries of a cHRM chunk with a curve; None for none that make colours."""
    if not body:
        return None
    numbers = [value / 100_000 for value in struct.unpack(">8I", body)]
    primaries = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    try:
        matrix = _to_linear_srgb(primaries)
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return _Colors(primaries, gamma) if np.isfinite(matrix).all() else None


def _converted(rgb: np.ndarray, colors: _Colors) -> np.ndarray:
    """(H, W, 3) uint8 pixels of other primaries and another curve, in sRGB."""
    if _is_srgb(colors):
        return rgb
    codes = np.arange(256) / 255
    if colors.gamma is None:
        linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    else:
        linear = codes**colors.gamma
    linear, matrix = linear.astype(np.float32), _to_linear_srgb(colors.primaries).T
    result = np.empty_like(rgb)
    for top in range(0, len(rgb), _ROWS_AT_ONCE):
        light = (linear[rgb[top : top + _ROWS_AT_ONCE]] @ matrix.astype(np.float32)).clip(0, 1)
        curved = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        result[top : top + _ROWS_AT_ONCE] = np.rint(curved * 255)
    return result


def _is_srgb(colors: _Colors) -> bool:
    """Whether colours are sRGB's, or what the PNG specification has writers of sRGB say in cHRM and
    gAMA: an exponent of 1/0.45455.
    """
    same_curve = colors.gamma is None or not _matters(1 / colors.gamma)
    return same_curve and bool(np.allclose(colors.primaries, _BT709, rtol=0, atol=0.001))


def _matters(gamma: float) -> bool:
    """Whether browsers correct a file's gamma."""
    return abs(gamma * _DISPLAY_GAMMA - 1) > _GAMMA_THRESHOLD


def _with_gamma(rgb: np.ndarray, gamma: float) -> np.ndarray:
    """Pixels with a file's gamma as a usual display needs them."""
    if not _matters(gamma):
        return rgb
    table = 255 * (np.arange(256) / 255) ** (1 / (gamma * _DISPLAY_GAMMA))
    found: np.ndarray = np.rint(table).astype(np.uint8)[rgb]
    return found


def _to_linear_srgb(primaries: Sequence[tuple[float, float]]) -> np.ndarray:
    """3x3: linear light of these primaries to sRGB's, their white to its white (Bradford)."""
    white, target = (_xyz(*colors[0]) for colors in (primaries, _BT709))
    cones = (_BRADFORD @ target) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    found: np.ndarray = np.linalg.inv(_to_xyz(_BT709)) @ adapted @ _to_xyz(primaries)
    return found


def _to_xyz(primaries: Sequence[tuple[float, float]]) -> np.ndarray:
    columns = np.stack([_xyz(*xy) for xy in primaries[1:]], axis=1)
    return columns * np.linalg.solve(columns, _xyz(*primaries[0]))


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])

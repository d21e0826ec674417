"""Pictures in and out of memory: decode sources, encode outputs.

One encoder for everything, no metadata, nothing but pixels: a picture's file can't tell where its
pixels came from (features.md B2).
"""

import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from PIL import Image, ImageOps

IMAGE_FORMATS = ("webp", "png")
# Lossless WebP effort, chosen from measurements (`scripts/bench.py encode`): more time than this
# buys about 1 % in size, less time costs 12 % and more.
WEBP_METHOD = 1
WEBP_QUALITY = 50
PNG_COMPRESS_LEVEL = 6
# Pixels shown behind transparent pictures.
BACKDROP_RGB = (255, 255, 255)


class Picture(NamedTuple):
    """A decoded source picture: (H, W, 3) uint8, alpha (H, W) uint8 or None, lossy codec or not."""

    rgb: np.ndarray
    alpha: np.ndarray | None
    lossy: bool

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def read_picture(path: Path) -> Picture:
    """Decode a source picture; transparent ones are shown on white and keep their alpha."""
    with warnings.catch_warnings():
        # The crawl has held every picture to its own limit, which may be above Pillow's.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(path)
    with image:
        lossy = image.format in ("JPEG", "MPO") or _is_lossy_webp(path)
        ImageOps.exif_transpose(image, in_place=True)  # a camera's turn is part of what people see
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            rgba = np.asarray(image.convert("RGBA"))
            return Picture(_on_backdrop(rgba), np.ascontiguousarray(rgba[..., 3]), lossy)
        if image.mode.startswith("I;16"):  # convert() would clip 16 bit grey, not scale it
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return Picture(np.repeat(grey[..., None], 3, axis=2), None, lossy)
        return Picture(np.asarray(image.convert("RGB")), None, lossy)


def _is_lossy_webp(path: Path) -> bool:
    """Whether a WebP file holds a `VP8 ` chunk (lossy) and not `VP8L`; Pillow does not say."""
    with path.open("rb") as file:
        head = file.read(4096)
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"VP8 " in head


def _on_backdrop(rgba: np.ndarray) -> np.ndarray:
    """Blend (H, W, 4) onto the backdrop; exact where alpha is 0 or 255."""
    alpha = rgba[..., 3:].astype(np.uint16)
    backdrop = np.array(BACKDROP_RGB, np.uint16)
    return ((rgba[..., :3] * alpha + backdrop * (255 - alpha) + 127) // 255).astype(np.uint8)


def encode(rgb: np.ndarray, image_format: str) -> bytes:
    """Lossless file bytes of (H, W, 3) uint8 pixels, without any metadata."""
    buffer = io.BytesIO()
    image = Image.fromarray(rgb)
    if image_format == "webp":
        image.save(buffer, "WEBP", lossless=True, method=WEBP_METHOD, quality=WEBP_QUALITY)
    elif image_format == "png":
        image.save(buffer, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    else:
        raise ValueError(f"image format {image_format!r}: choose one of {IMAGE_FORMATS}")
    return buffer.getvalue()


def encode_rgba(rgba: np.ndarray) -> bytes:
    """PNG bytes of (h, w, 4) uint8 pixels, for the cut-out parts kept with the stages."""
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def pixel_hash(rgb: np.ndarray) -> str:
    """Hash of size and pixels, the same for every lossless encoding of them.

    Only ids are made of it, so a fast hash will do; files are named and checked by sha256.
    """
    digest = xxhash.xxh3_128(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()

"""Pictures in and out of memory: decode sources, encode outputs.

One reader for all source pictures, and what it can't read is an `ImageError`. One encoder for
everything, no metadata, nothing but pixels: a picture's file can't tell where its pixels came from.
"""

import contextlib
import hashlib
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from core.names import IMAGE_FORMATS
from core.pictures.color_profiles import to_srgb
from core.pictures.containers import ImageError, Parts, take_apart

# Lossless WebP effort, chosen from measurements (`lego-arta bench encode`): more time than this
# buys about 1 % in size, less time costs 12 % and more.
WEBP_METHOD = 1
WEBP_QUALITY = 50
PNG_COMPRESS_LEVEL = 6
# Pixels shown behind transparent pictures.
BACKDROP_RGB = (255, 255, 255)
# What a row's picture may be. Thinner or smaller ones show nothing (a server's 1x1 pixel for a
# missing file) and are refused by the preprocessors of Qwen's models. No WebP file holds a longer
# side; PNG could, but then rows would depend on --image-format, and viewers make WebP of them.
MIN_SIDE_PX, MAX_SIDE_PX, MAX_SIDE_RATIO = 16, 16383, 200

# The plug-ins are called directly: Image.open would warn or raise at a limit of its own.
_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
}
_ORIENTATION, _SHORT, _LONG = 0x0112, 3, 4
# What Exif's orientations ask for, done to (H, W, ...) arrays.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


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
    """Decode a source picture of any size; see `decode`."""
    return decode(take_apart(path.read_bytes()))


def decode(parts: Parts) -> Picture:
    """The picture as a browser shows it: colours in sRGB, turned as the camera says, transparent
    pixels on white (their alpha is kept); of an animation the first frame.

    Raises `ImageError`; what could only be read in part is not read.
    """
    try:
        with whole(), _READERS[parts.format](io.BytesIO(parts.pixels)) as image:
            if image.size != parts.size_wh:
                raise ValueError(f"{image.size} pixels where the header says {parts.size_wh}")
            image.load()
            opaque, alpha = _without_alpha(image, parts)
        rgb = to_srgb(opaque, parts.icc, parts.chunks)
    except (ImageError, MemoryError):
        raise
    except Exception as err:  # hostile bytes make Pillow raise nearly anything
        reason = "truncated_image" if "truncated" in str(err).lower() else "broken_image"
        raise ImageError(reason, f"{parts.format}: {err or type(err).__name__}") from err
    if alpha is not None:
        rgb = _on_backdrop(rgb, alpha)
    if turn := _TURNS.get(_orientation(parts.exif or b"")):
        rgb = np.ascontiguousarray(turn(rgb))
        alpha = None if alpha is None else np.ascontiguousarray(turn(alpha))
    return Picture(rgb, alpha, parts.lossy)


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """Half a picture is an error, whatever a library set for the whole process at its import."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _without_alpha(image: Image.Image, parts: Parts) -> tuple[Image.Image, np.ndarray | None]:
    """The image in mode L, RGB or CMYK, and its alpha."""
    alpha = None
    if parts.transparent_sample is not None:
        alpha = _keyed_alpha(image, parts)
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA") if image.mode != "LA" else image
        alpha = np.array(image.getchannel("A"))
    box = parts.frame_box
    if box is not None and box != (0, 0, *parts.size_wh):
        around = np.ones(parts.size_wh[::-1], bool)
        around[box[1] : box[3], box[0] : box[2]] = False
        alpha = np.full(around.shape, 255, np.uint8) if alpha is None else alpha
        alpha[around] = 0
    if image.mode in ("L", "RGB", "CMYK"):
        return image, alpha
    if parts.bit_depth == 16 and image.mode.startswith("I"):  # convert() would clip, not scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), alpha
    return image.convert("L" if image.mode in ("1", "LA") else "RGB"), alpha


def _keyed_alpha(image: Image.Image, parts: Parts) -> np.ndarray:
    """Alpha of a PNG with one transparent colour, compared in the bits that the file has."""
    samples = np.asarray(image)
    if parts.bit_depth < 8:  # the decoder has spread them over 0 to 255
        samples = (samples.astype(np.uint16) * ((1 << parts.bit_depth) - 1) + 127) // 255
        samples = np.asarray(image, bool).astype(np.uint16) if image.mode == "1" else samples
    elif parts.bit_depth == 16 and image.mode == "RGB":
        samples = samples.astype(np.uint16) << 8 | _low_bytes(parts)
    hit = samples == np.array(parts.transparent_sample)
    return np.where(hit.all(axis=-1) if samples.ndim == 3 else hit, 0, 255).astype(np.uint8)


def _low_bytes(parts: Parts) -> np.ndarray:
    """The lower halves of the samples of a 16 bit RGB PNG, of which Pillow gives the upper ones:
    they are what it takes for the upper ones of numbers in the other byte order.
    """
    with PngImagePlugin.PngImageFile(io.BytesIO(parts.pixels)) as image:
        image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
        return np.array(image)


def _orientation(exif: bytes) -> int:
    """Exif's orientation, 1 to 8; 1 where the block does not say or can't be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (number,) = struct.unpack_from(order + "H", exif, start)
        for at in range(start + 2, start + 2 + 12 * number, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", exif, at)
            if tag == _ORIENTATION and kind in (_SHORT, _LONG) and count == 1:
                form = order + ("H" if kind == _SHORT else "I")
                return int(struct.unpack_from(form, exif, at + 8)[0])
    except struct.error:
        pass
    return 1


def _on_backdrop(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blend (H, W, 3) with (H, W) alpha onto the backdrop; exact where alpha is 0 or 255."""
    share = alpha[..., None].astype(np.uint16)
    backdrop = np.array(BACKDROP_RGB, np.uint16)
    return ((rgb * share + backdrop * (255 - share) + 127) // 255).astype(np.uint8)


def check_shape(size_wh: tuple[int, int]) -> None:
    """Raise `ImageError` for a width and height that no row's picture may have."""
    short, long = sorted(size_wh)
    said = f"{size_wh[0]}x{size_wh[1]} pixels"
    if short < MIN_SIDE_PX:
        raise ImageError("too_small", f"{said}, at least {MIN_SIDE_PX} a side are needed")
    if long > MAX_SIDE_RATIO * short:
        raise ImageError("too_thin", f"{said}, sides may differ {MAX_SIDE_RATIO} times")
    if long > MAX_SIDE_PX:
        raise ImageError("too_long", f"{said}, a side may have {MAX_SIDE_PX}")


def encode(rgb: np.ndarray, image_format: str) -> bytes:
    """Lossless file bytes of (H, W, 3) uint8 pixels, without any metadata.

    Raises `ImageError` for what the format can't hold.
    """
    if image_format == "webp":
        return _saved(rgb, "WEBP", lossless=True, method=WEBP_METHOD, quality=WEBP_QUALITY)
    if image_format == "png":
        return _saved(rgb, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    if image_format == "bmp":
        return _saved(rgb, "BMP")
    raise ValueError(f"image format {image_format!r}: choose one of {IMAGE_FORMATS}")


def encode_rgba(rgba: np.ndarray) -> bytes:
    """PNG bytes of (h, w, 4) uint8 pixels, for the cut-out parts kept with the stages."""
    return _saved(rgba, "PNG", compress_level=1)


def _saved(pixels: np.ndarray, name: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, name, **how)
    except MemoryError:
        raise
    except Exception as err:
        raise ImageError("not_encodable", f"{name} of {pixels.shape}: {err}") from err
    return buffer.getvalue()


def pixel_hash(rgb: np.ndarray) -> str:
    """Hash of size and pixels, the same for every lossless encoding of them.

    Only ids are made of it, so a fast hash will do; files are named and checked by sha256.
    """
    digest = xxhash.xxh3_128(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


def image_value(data: bytes, image_format: str) -> dict[str, Any]:
    """The value of an Image column; the name is a hash of the content and tells nothing."""
    return {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.{image_format}"}

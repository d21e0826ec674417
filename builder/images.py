"""What a downloaded file is: its format and size, or the reason why it is no usable image.

The size is read from the file's header and held against the limit before a pixel is decoded, so
a small file that unpacks to gigabytes (a decompression bomb) costs nothing. What passes is then
decoded whole, because a cut file has a perfect header.
"""

import io
import struct
from typing import NamedTuple

from PIL import GifImagePlugin, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

# The formats the site uses, with the ending their files get on disk.
EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "gif": ".gif"}

_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
}
_PNG_END = b"IEND\xaeB`\x82"


class ImageInfo(NamedTuple):
    """`format` is a key of `EXTENSIONS`; `size_wh` is in pixels."""

    format: str
    size_wh: tuple[int, int]


class ImageError(Exception):
    """The bytes are no usable image.

    `reason` is `not_an_image`, `truncated_image`, `broken_image` or `too_many_pixels`; `detail`
    says it for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def inspect_image(data: bytes, max_pixels: int) -> ImageInfo:
    """Format and size of an image file, after decoding it (of an animation, the first frame)."""
    name = sniff_format(data)
    if name == "webp":
        # The WebP reader makes its decoder before it tells the size, so ask the header ourselves.
        _check_pixels(_webp_size(data), max_pixels)
    # The plug-in is called directly: Image.open would warn or raise at Pillow's own process-wide
    # limit instead of the caller's.
    try:
        with _READERS[name](io.BytesIO(data)) as image:
            size_wh = (image.size[0], image.size[1])
            _check_pixels(size_wh, max_pixels)
            image.load()
    except (ImageError, MemoryError):
        raise
    except Exception as err:  # hostile bytes make Pillow raise nearly anything
        cut = _is_cut(name, data) or "truncated" in str(err).lower()
        raise ImageError(
            "truncated_image" if cut else "broken_image", f"{name}: {err or type(err).__name__}"
        ) from err
    if _is_cut(name, data):
        raise ImageError("truncated_image", f"{name} of {len(data)} bytes lacks its end marker")
    return ImageInfo(name, size_wh)


def sniff_format(data: bytes) -> str:
    """The format by the first bytes; names and Content-Type headers are not to be trusted."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    raise ImageError("not_an_image", f"{len(data)} bytes that begin with {data[:16]!r}")


def _check_pixels(size_wh: tuple[int, int], max_pixels: int) -> None:
    width, height = size_wh
    if width * height > max_pixels:
        raise ImageError(
            "too_many_pixels", f"{width}x{height} = {width * height} pixels, limit {max_pixels}"
        )


def _is_cut(name: str, data: bytes) -> bool:
    """True where the container says that bytes are missing, even if all pixels decoded."""
    if name == "png":
        return _PNG_END not in data
    if name == "jpeg":
        return b"\xff\xd9" not in data[-4096:]  # some writers pad after the end marker
    if name == "webp":
        return len(data) < 12 or len(data) < 8 + struct.unpack_from("<I", data, 4)[0]
    return not data.rstrip(b"\0").endswith(b";")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Canvas size from the header of the first chunk (VP8X, VP8L or VP8)."""
    chunk = data[12:16]
    try:
        if chunk == b"VP8X":
            return (
                int.from_bytes(_span(data, 24, 27), "little") + 1,
                int.from_bytes(_span(data, 27, 30), "little") + 1,
            )
        if chunk == b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        if chunk == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    except struct.error as err:
        raise ImageError(
            "truncated_image", f"webp of {len(data)} bytes ends in its header"
        ) from err
    raise ImageError("broken_image", f"webp with a first chunk {chunk!r}")


def _span(data: bytes, start: int, end: int) -> bytes:
    if len(data) < end:
        raise struct.error(f"{len(data)} bytes, {end} needed")
    return data[start:end]

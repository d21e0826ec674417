"""What a downloaded file is: its format and size, or the reason why it is no usable image.

The size is read from the file's header and held against the limit before a pixel is decoded, so
a small file that unpacks to gigabytes (a decompression bomb) costs nothing. What passes is then
decoded whole, by the reader that all later stages use: what is let in here, they can read.
"""

from typing import NamedTuple

from core.pictures.containers import ImageError as ImageError  # callers take it from here
from core.pictures.containers import take_apart
from core.pictures.media import check_shape, decode

# The formats the site uses, with the ending their files get on disk.
EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "gif": ".gif"}

# What is wrong with a file whatever the limits are.
FAULTS = ("truncated_image", "broken_image", "not_an_image", "unsupported_format", "too_small",
          "too_thin", "too_long")  # fmt: skip


class ImageInfo(NamedTuple):
    """`format` is a key of `EXTENSIONS`; `size_wh` is in pixels, as the picture is shown."""

    format: str
    size_wh: tuple[int, int]


def inspect_image(data: bytes, max_pixels: int) -> ImageInfo:
    """Format and size of an image file, after decoding it (of an animation, the first frame).

    Raises `ImageError`.
    """
    parts = take_apart(data)
    check_size(parts.size_wh, max_pixels)
    return ImageInfo(parts.format, decode(parts).size_wh)


def check_size(size_wh: tuple[int, int], max_pixels: int) -> None:
    """Raise `ImageError` for too many pixels, or a shape that no row may have."""
    width, height = size_wh
    if width * height > max_pixels:
        raise ImageError(
            "too_many_pixels", f"{width}x{height} = {width * height} pixels, limit {max_pixels}"
        )
    check_shape(size_wh)

"""Pictures that a page holds itself, as `data:` URIs."""

import base64
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from core.pictures import images
from core.records import CrawledImage
from core.store import sha256, write_bytes

_DATA_URI = re.compile(r"data:(?P<type>[^,]*?)(?P<base64>;\s*base64)?\s*,", re.IGNORECASE)


def bytes_of(uri: str) -> bytes:
    """The bytes of a `data:` URI, read as forgivingly as browsers do; raises `ValueError`.

    >>> bytes_of("data:image/png;base64,iVBO Rw0K"), bytes_of("data:,a%20b")
    (b'\\x89PNG\\r\\n', b'a b')
    """
    match = _DATA_URI.match(uri)
    if match is None:
        raise ValueError("not a data: URI")
    data = unquote_to_bytes(uri[match.end() :])
    if not match["base64"]:
        return data
    packed = b"".join(data.split()).rstrip(b"=")
    return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)


def keep_embedded(
    uri: str, src: str, url: str, folder: Path, max_bytes: int, max_pixels: int
) -> CrawledImage:
    """Put an embedded picture into a manual's folder as if it had been fetched from `url`."""
    try:
        data = bytes_of(uri)
        if len(data) > max_bytes:
            return CrawledImage(src, url, error="too_large")
        info = images.inspect_image(data, max_pixels)
    except images.ImageError as err:
        return CrawledImage(src, url, error=err.reason)
    except ValueError:
        return CrawledImage(src, url, error="broken_image")
    digest = sha256(data)
    file = folder / "images" / f"{digest[:16]}{images.EXTENSIONS[info.format]}"
    if not (file.is_file() and sha256(file.read_bytes()) == digest):
        write_bytes(file, data)
    return CrawledImage(src, url, f"images/{file.name}", digest, len(data), info.size_wh)

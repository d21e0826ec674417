"""Image files taken apart: what makes their pixels, and what says how these are to be shown.

Only the parts that pixels need go to the decoder. A file with megabytes of text, a damaged Exif
block or bytes behind its end is read like any other, as every viewer does.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")  # what a damaged copy of is a damaged picture
_PNG_SHOWN = (b"iCCP", b"eXIf", b"gAMA", b"cHRM", b"sRGB", b"cICP")
_PNG_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}
# Colour profiles of printers take a few MB; a small file must not unpack to more.
_MAX_PROFILE_BYTES = 16 * 2**20
# A marker in a JPEG's coded pixels that ends them: no stuffed byte, no restart, no filler.
_JPEG_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_JPEG_ICC, _JPEG_EXIF = b"ICC_PROFILE\0", b"Exif\0\0"
# Frame headers give the size; 0xC4, 0xC8 and 0xCC are something else.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WEBP_PIXELS = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
_WEBP_METADATA_FLAGS = 0x20 | 0x08 | 0x04  # of the VP8X chunk: ICC, Exif, XMP
# Other image formats, which are named for what they are.
_UNSUPPORTED = (
    ("AVIF", re.compile(rb".{4}ftyp(avi[fs]|.{8}(.{4})*?avi[fs])", re.DOTALL)),
    ("HEIC", re.compile(rb".{4}ftyp(hei[cxms]|hev[cx]|mif1|msf1)", re.DOTALL)),
    ("JPEG XL", re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL ")),
    ("JPEG 2000", re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51")),
    ("TIFF", re.compile(rb"II\*\x00|MM\x00\*")),
    ("BMP", re.compile(rb"BM.{4}\x00\x00\x00\x00", re.DOTALL)),
    ("ICO", re.compile(rb"\x00\x00\x01\x00[\x01-\xff]\x00")),
    ("SVG", re.compile(rb"(\xef\xbb\xbf)?\s*(<(\?|!--|!DOCTYPE).*?>\s*)*<svg\b", re.DOTALL)),
)  # fmt: skip


class ImageError(Exception):
    """A picture can't be used.

    `reason` is a word for drops (`not_an_image`, `unsupported_format`, `truncated_image`,
    `broken_image`, `too_many_pixels`, `too_small`, `too_thin`, `too_long`, `not_encodable`);
    `detail` says it for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)  # both, so that it comes whole out of a worker process
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class Parts(NamedTuple):
    """A file taken apart. `size_wh` is in pixels, before a camera's turn.

    `pixels` is a file of the same format that holds nothing but the first picture. `bit_depth` is
    that of a sample. `transparent_sample` is the one colour of a grey or RGB PNG that is
    transparent, a number for each channel. `frame_box` is where a GIF's first frame lies; what is
    around it is transparent. `chunks` are those of a PNG that say how to show it, by type.
    """

    format: str
    size_wh: tuple[int, int]
    pixels: bytes
    lossy: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    bit_depth: int = 8
    transparent_sample: tuple[int, ...] | None = None
    frame_box: tuple[int, int, int, int] | None = None
    chunks: Mapping[bytes, bytes] = MappingProxyType({})


def take_apart(data: bytes) -> Parts:
    """The parts of an image file; nothing is decoded. Raises `ImageError`."""
    name = sniff_format(data)
    try:
        return _READERS[name](data)
    except (struct.error, IndexError) as err:
        raise _cut(name, data) from err


def sniff_format(data: bytes) -> str:
    """The format by the first bytes; names and Content-Type headers are not to be trusted."""
    if data.startswith(_PNG_START):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for name, start in _UNSUPPORTED:
        if start.match(data[:1024]):
            raise ImageError(
                "unsupported_format", f"{name} is not supported; PNG, JPEG, WebP and GIF are"
            )
    raise ImageError("not_an_image", f"{len(data)} bytes that begin with {data[:16]!r}")


def _cut(name: str, data: bytes) -> ImageError:
    return ImageError("truncated_image", f"{name} of {len(data)} bytes ends before its end marker")


def _broken(name: str, why: str) -> ImageError:
    return ImageError("broken_image", f"{name}: {why}")


# PNG -----------------------------------------------------------------------------------------


def _png(data: bytes) -> Parts:
    pixels = [_PNG_START]
    shown: dict[bytes, bytes] = {}
    header, sample = b"", b""
    for kind, whole, is_sound in _png_chunks(data):
        body = whole[8:-4]
        if (kind == b"IHDR") == bool(header):
            raise _broken("png", "it does not begin with its one header")
        if kind in _PNG_PIXELS and not is_sound:
            raise _broken("png", f"chunk {kind.decode()} has a wrong checksum")
        if kind == b"IHDR":
            header = body
        if kind == b"tRNS" and header[9:10] in (b"\0", b"\2"):
            # The decoder compares such a colour after it has scaled the pixels, and so misses it.
            sample = body
        elif kind in _PNG_PIXELS:
            pixels.append(whole)
        elif kind in _PNG_SHOWN and is_sound and len(body) == _PNG_LENGTHS.get(kind, len(body)):
            shown.setdefault(kind, body)
    pixels.append(b"\0\0\0\0IEND\xaeB`\x82")
    width, height, depth, color_type = struct.unpack_from(">IIBB", header)
    return Parts(
        "png",
        (width, height),
        b"".join(pixels),
        icc=_png_profile(shown.pop(b"iCCP", b"")),
        exif=shown.pop(b"eXIf", None),
        bit_depth=depth,
        transparent_sample=_png_sample(sample, depth, color_type) if sample else None,
        chunks=shown,
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """(type, the whole chunk, whether its checksum holds) of every chunk before the end."""
    at = len(_PNG_START)
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if not kind.isalpha():
            raise _broken("png", f"chunk {kind!r}")
        if end > len(data):
            raise _cut("png", data)
        if kind == b"IEND":
            return
        checksum = int.from_bytes(data[end - 4 : end], "big")
        yield kind, data[at:end], zlib.crc32(data[at + 4 : end - 4]) == checksum
        at = end


def _png_sample(body: bytes, depth: int, color_type: int) -> tuple[int, ...]:
    """The transparent colour of a tRNS chunk, of which only as many bits count as a sample has."""
    channels = 3 if color_type == 2 else 1
    if len(body) < 2 * channels:
        raise _broken("png", f"its transparent colour has {len(body)} bytes")
    return tuple(value & ((1 << depth) - 1) for value in struct.unpack_from(f">{channels}H", body))


def _png_profile(body: bytes) -> bytes | None:
    """The profile of an iCCP chunk (name, 0, method 0, packed profile); None for a broken one."""
    packed = body.partition(b"\0")[2]
    if packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None


# JPEG ----------------------------------------------------------------------------------------


def _jpeg(data: bytes) -> Parts:
    pixels, size_wh, exif = [data[:2]], None, None
    profile: dict[int, bytes] = {}
    promised: set[int] = set()
    for marker, piece in _jpeg_segments(data):
        body = piece[4:]
        if marker == 0xE2 and body.startswith(_JPEG_ICC) and len(body) > 14:
            profile[body[12]] = body[14:]
            promised.add(body[13])
        elif marker == 0xE1 and body.startswith(_JPEG_EXIF):
            exif = exif or body[len(_JPEG_EXIF) :]
        elif _jpeg_makes_pixels(marker, body):
            pixels.append(piece)
        if marker in _JPEG_FRAMES:
            if size_wh:
                raise _broken("jpeg", "it has several frames")
            height, width = struct.unpack_from(">HH", piece, 5)
            size_wh = width, height
    if size_wh is None:
        raise _broken("jpeg", "it has no frame")
    whole = promised == {len(profile)} and set(profile) == set(range(1, len(profile) + 1))
    return Parts(
        "jpeg",
        size_wh,
        b"".join([*pixels, b"\xff\xd9"]),
        lossy=True,
        icc=b"".join(profile[number] for number in sorted(profile)) if whole else None,
        exif=exif,
    )


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, bytes from the marker on) of every segment before the end; a scan's coded pixels
    belong to it. Fill bytes and stray bytes between segments are left out.
    """
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise _cut("jpeg", data)
        marker = data[at + 1]
        if marker == 0xD9:
            return
        if marker == 0xFF or marker <= 0x01 or 0xD0 <= marker <= 0xD8:  # filler, or without length
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2:
            raise _broken("jpeg", f"a segment of {length} bytes")
        if marker == 0xDA:
            ending = _JPEG_SCAN_END.search(data, end)
            if ending is None:
                raise _cut("jpeg", data)
            end = ending.start()
        if end > len(data):
            raise _cut("jpeg", data)
        yield marker, data[at:end]
        at = end


def _jpeg_makes_pixels(marker: int, body: bytes) -> bool:
    """Of comments and applications' segments, only those that tell decoders how colours are coded,
    by the decoders' own rule.
    """
    if marker == 0xE0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == 0xEE:
        return body.startswith(b"Adobe") and len(body) >= 12
    return marker != 0xFE and not 0xE0 <= marker <= 0xEF


# WebP ----------------------------------------------------------------------------------------


def _webp(data: bytes) -> Parts:
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    if len(data) < 8 + riff_bytes:
        raise _cut("webp", data)
    pixels: list[bytes] = []
    found: dict[bytes, bytes] = {}
    for kind, body in _riff_chunks(data[: 8 + riff_bytes], 12):
        if kind == b"VP8X" and pixels:  # a header counts where it comes first
            continue
        found.setdefault(kind, body)
        if kind == b"VP8X" and body:
            body = bytes([body[0] & ~_WEBP_METADATA_FLAGS]) + body[1:]
        if kind == b"VP8X" or kind in _WEBP_PIXELS:
            pixels.append(struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) % 2))
    content = b"WEBP" + b"".join(pixels)
    frames = [kind for kind, _ in _riff_chunks(found.get(b"ANMF", b""), 16)]
    return Parts(
        "webp",
        _webp_size(found),
        struct.pack("<4sI", b"RIFF", len(content)) + content,
        lossy=b"VP8 " in found or b"VP8 " in frames,
        icc=found.get(b"ICCP"),
        exif=found.get(b"EXIF"),
    )


def _riff_chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the chunks from `at` on; one that makes pixels must be whole."""
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            if kind in _WEBP_PIXELS:
                raise _cut("webp", data)
            return
        yield kind, body
        at += 8 + length + length % 2


def _webp_size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """Canvas size from the header chunk, or from the picture's own."""
    if b"VP8X" in chunks:
        body = chunks[b"VP8X"]
        sides = [int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7)]
    elif b"VP8L" in chunks:
        (bits,) = struct.unpack_from("<I", chunks[b"VP8L"], 1)
        sides = [(bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1]
    elif b"VP8 " in chunks:
        sides = [side & 0x3FFF for side in struct.unpack_from("<HH", chunks[b"VP8 "], 6)]
    else:
        raise _broken("webp", "no picture in it")
    return sides[0], sides[1]


# GIF -----------------------------------------------------------------------------------------


def _gif(data: bytes) -> Parts:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _gif_palette_bytes(flags)
    pixels, control, box = [data[:at]], b"", None
    while (block := data[at]) != 0x3B:  # the trailer
        if block == 0x21:
            end = _gif_sub_blocks_end(data, at + 2)
            if data[at + 1] == 0xF9 and end - at == 8:
                control = data[at:end]
        elif block == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            end = _gif_sub_blocks_end(data, at + 11 + _gif_palette_bytes(flags))
            if box is None:
                box = left, top, left + wide, top + high
                pixels += [control, data[at:end]]
        elif box is None:
            raise _broken("gif", f"block {block:#x}")
        else:  # what browsers take for the end of the animation
            break
        at = end
    if box is None:
        raise _broken("gif", "no picture in it")
    size_wh = max(width, box[2]), max(height, box[3])  # as decoders do with a frame that sticks out
    return Parts("gif", size_wh, b"".join([*pixels, b";"]), frame_box=box)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_sub_blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


_READERS: dict[str, Callable[[bytes], Parts]] = {
    "png": _png, "jpeg": _jpeg, "webp": _webp, "gif": _gif,
}  # fmt: skip

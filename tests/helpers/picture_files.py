"""Makers of image files byte by byte: every kind of PNG, segments of JPEG, colour profiles.

Written from the formats' specifications and not by the libraries that read them, so that tests know
the value of every pixel.
"""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# Every colour type and number of bits that PNG has.
PNG_KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)), *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)),
]  # fmt: skip
D50 = (0.9642, 1.0, 0.8249)

# x, y of white, red, green, blue.
SRGB_XY = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
WIDE_XY = ((0.3127, 0.3290), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))  # those of Adobe RGB
P3_XY = ((0.3127, 0.3290), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


# PNG -----------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    samples: np.ndarray,
    color_type: int,
    depth: int,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
) -> bytes:
    """A PNG of (H, W) or (H, W, channels) samples; `before` and `after` are chunks around them."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1).astype(np.uint16)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:  # samples of fewer bits stand side by side in a byte, the first in the highest bits
        bits = (rows[..., None] >> np.arange(depth)[::-1] & 1).reshape(height, -1).astype(np.uint8)
        lines = [np.packbits(row).tobytes() for row in bits]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + line for line in lines))
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *before, chunk(b"IDAT", data), *after,
         chunk(b"IEND", b"")]
    )  # fmt: skip


def palette(colors: np.ndarray) -> bytes:
    """PLTE of (n, 3) colours."""
    return chunk(b"PLTE", colors.astype(np.uint8).tobytes())


def iccp(profile: bytes) -> bytes:
    """A chunk that holds a colour profile."""
    return chunk(b"iCCP", b"a profile\0\0" + zlib.compress(profile))


def chrm(primaries: Sequence[tuple[float, float]]) -> bytes:
    """A chunk of primaries."""
    numbers = [round(100_000 * value) for xy in primaries for value in xy]
    return chunk(b"cHRM", struct.pack(">8I", *numbers))


def gama(gamma: float) -> bytes:
    """A chunk that says the file's gamma."""
    return chunk(b"gAMA", struct.pack(">I", round(100_000 * gamma)))


# Other formats -------------------------------------------------------------------------------


def saved(pixels: np.ndarray, image_format: str, mode: str | None = None, **how: object) -> bytes:
    """A file that Pillow writes of (H, W[, channels]) uint8 pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, image_format, **how)
    return buffer.getvalue()


def gif(
    indices: np.ndarray,
    colors: np.ndarray,
    left_top: tuple[int, int],
    size_hw: tuple[int, int],
    transparent: int | None = None,
) -> bytes:
    """A GIF of (h, w) indices to 8 colours, placed on a canvas; its codes are not packed."""
    height, width = indices.shape
    control = b""
    if transparent is not None:
        control = b"\x21\xf9\x04" + bytes([1, 0, 0, transparent]) + b"\0"
    # Codes of 4 bits: 8 clears the table, before it has grown so far that codes get longer.
    codes = [c for at in range(0, indices.size, 6) for c in (8, *indices.ravel()[at : at + 6])]
    bits = np.array([code >> bit & 1 for code in (*codes, 9) for bit in range(4)], np.uint8)
    data = np.packbits(bits, bitorder="little").tobytes()
    blocks = b"".join(
        bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)
    )
    return b"".join(
        [b"GIF89a", struct.pack("<HHBBB", size_hw[1], size_hw[0], 0x82, 0, 0),
         colors.astype(np.uint8).tobytes(), control,
         b",", struct.pack("<HHHHB", *left_top, width, height, 0), b"\x03", blocks, b"\0;"]
    )  # fmt: skip


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body + jpeg[2:]


def with_riff_chunk(webp: bytes, kind: bytes, body: bytes) -> bytes:
    """A WebP in its extended form with one more chunk at its end."""
    with Image.open(io.BytesIO(webp)) as image:
        width, height = image.size
    content = webp[12:]
    if content[:4] != b"VP8X":
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        content = b"VP8X" + struct.pack("<I", 10) + b"\x1c\0\0\0" + sides + content
    content += struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


def exif(orientation: int) -> bytes:
    """An Exif block (little-endian TIFF) that says how to turn the picture."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


# Colour profiles -----------------------------------------------------------------------------


def _profile(space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 for displays or printers."""
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        body += b"\0" * (-len(body) % 4)
        table += struct.pack(">4sII", name, at + len(data), len(body))
        data += body
    header = struct.pack(
        ">I4sI4s4s4s12x4s28x3i48x", at + len(data), b"lcms", 0x02400000, kind, space, pcs, b"acsp",
        *(round(65536 * value) for value in D50),
    )  # fmt: skip
    assert len(header) == 128
    return header + struct.pack(">I", len(tags)) + table + data


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))


def _gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))


def rgb_profile(primaries: Sequence[tuple[float, float]], gamma: float) -> bytes:
    """A profile of RGB pixels: primaries and the exponent of their curve."""
    return _rgb_profile(primaries, _gamma_curve(gamma))


def _rgb_profile(primaries: Sequence[tuple[float, float]], curve: bytes) -> bytes:
    columns = to_xyz_d50(primaries)
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    colors = {name: _xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"RGB ", b"XYZ ", {b"wtpt": _xyz(D50), **colors, **curves})


def srgb_profile() -> bytes:
    """sRGB as most writers say it: its primaries, and its curve in a table."""
    codes = np.arange(1024) / 1023
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    table = np.rint(light * 65535).astype(">u2").tobytes()
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + table
    return _rgb_profile(SRGB_XY, curve)


def grey_profile(gamma: float) -> bytes:
    """A profile of grey pixels."""
    return _profile(b"GRAY", b"XYZ ", {b"wtpt": _xyz(D50), b"kTRC": _gamma_curve(gamma)})


def cmyk_profile(lab: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A profile of CMYK pixels: the Lab colour of each of the 16 mixtures of full inks."""
    ramp = bytes(range(256))
    table = b""
    for index in range(16):
        lightness, a, b = lab[(index >> 3 & 1, index >> 2 & 1, index >> 1 & 1, index & 1)]
        table += bytes([round(lightness * 2.55), round(a + 128), round(b + 128)])
    one = struct.pack(">9i", *(65536 * value for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + one + ramp * 4 + table + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": lut})


def to_xyz_d50(primaries: Sequence[tuple[float, float]]) -> np.ndarray:
    """3x3: linear light of these primaries to XYZ under D50 (Bradford)."""
    white, *rest = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    columns = np.stack(rest, axis=1)
    columns = columns * np.linalg.solve(columns, white)
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367],
                      [0.0389, -0.0685, 1.0296]])  # fmt: skip
    return np.linalg.inv(cones) @ np.diag(cones @ D50 / (cones @ white)) @ cones @ columns


def in_space(
    srgb: Sequence[int], primaries: Sequence[tuple[float, float]], gamma: float
) -> np.ndarray:
    """What an sRGB colour is in a space of these primaries and exponent, 0 to 1."""
    codes = np.array(srgb) / 255
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    mixed = np.linalg.inv(to_xyz_d50(primaries)) @ to_xyz_d50(SRGB_XY) @ light
    return np.clip(mixed, 0, 1) ** (1 / gamma)


def lab_of(srgb: Sequence[int]) -> tuple[float, float, float]:
    """CIE L*a*b* (D50) of an sRGB colour."""
    codes = np.array(srgb) / 255
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    ratio = to_xyz_d50(SRGB_XY) @ light / D50
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)

"""Valid image files of every format and colour type, and damaged ones made of them."""

import io
import random
import struct

import numpy as np
from picture_files import (
    CHANNELS,
    GREY,
    PALETTE,
    PNG_KINDS,
    RGB,
    WIDE_XY,
    chrm,
    chunk,
    cmyk_profile,
    exif,
    gama,
    gif,
    grey_profile,
    iccp,
    palette,
    png,
    rgb_profile,
    saved,
    srgb_profile,
    with_riff_chunk,
    with_segment,
)
from PIL import Image

SIZE_HW = (24, 33)


def valid_files() -> dict[str, bytes]:
    """Small whole files by what they are."""
    rng = np.random.default_rng(0)
    files = {}
    for color_type, depth in PNG_KINDS:
        samples = rng.integers(0, 1 << depth, (*SIZE_HW, CHANNELS[color_type]))
        before = [palette(rng.integers(0, 256, (1 << depth, 3)))] if color_type == PALETTE else []
        if color_type == PALETTE:
            before.append(chunk(b"tRNS", bytes([0, 90])))
        elif color_type in (GREY, RGB):
            before.append(chunk(b"tRNS", samples[0, 0].astype(">u2").tobytes()))
        profile = grey_profile(1.8) if color_type in (GREY, 4) else rgb_profile(WIDE_XY, 2.2)
        shown = [chunk(b"eXIf", exif(6)), gama(0.5), chrm(WIDE_XY), chunk(b"cICP", b"\x0c\x0d\0\1")]
        before += [iccp(profile)] if depth == 8 else shown
        files[f"png {color_type} {depth}"] = png(samples, color_type, depth, before)
    for mode, channels in (("L", 1), ("RGB", 3), ("CMYK", 4)):
        pixels = rng.integers(0, 256, (*SIZE_HW, channels)).astype(np.uint8)
        pixels = pixels[..., 0] if channels == 1 else pixels
        profile = {
            "L": grey_profile(1.8), "RGB": srgb_profile(),
            "CMYK": cmyk_profile(dict.fromkeys(np.ndindex(2, 2, 2, 2), (50.0, 0.0, 0.0))),
        }[mode]  # fmt: skip
        for progressive in (False, True):
            data = saved(pixels, "JPEG", mode, icc_profile=profile, progressive=progressive)
            data = with_segment(data, 0xE1, b"Exif\0\0" + exif(8))
            data = with_segment(data, 0xED, b"Photoshop 3.0\0" + b"8BIM" * 9)
            files[f"jpeg {mode} {progressive}"] = data
    for channels in (3, 4):
        pixels = rng.integers(0, 256, (*SIZE_HW, channels)).astype(np.uint8)
        for lossless in (False, True):
            data = saved(pixels, "WEBP", lossless=lossless, icc_profile=rgb_profile(WIDE_XY, 2.2))
            files[f"webp {channels} {lossless}"] = with_riff_chunk(data, b"EXIF", exif(3))
    frames = [Image.fromarray(f) for f in rng.integers(0, 256, (3, *SIZE_HW, 3)).astype(np.uint8)]
    for name in ("GIF", "WEBP", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, name, save_all=True, append_images=frames[1:])
        files[f"animated {name}"] = buffer.getvalue()
    indices = rng.integers(0, 8, (10, 12))
    files["gif part"] = gif(indices, rng.integers(0, 256, (8, 3)), (5, 6), SIZE_HW, 2)
    return files


def mutated(files: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """(what it was made of, a damaged file): the same for a number every time."""
    rng = random.Random(number)
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 2, 5))):
        rng.choice(_DAMAGES)(data, rng)
    if name.startswith("png") and rng.random() < 0.7:  # else checksums end most of it
        return name, _with_checksums(bytes(data))
    return name, bytes(data)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 3, 20))):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))


def _in_the_head(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(min(len(data), 120))] = rng.randrange(256)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _lose(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 4, 50))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = data[start : start + rng.choice((1, 12, 200))]


def _insert(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 4, 60)))


def _number(data: bytearray, rng: random.Random) -> None:
    """Something that may be a length or an offset becomes a number that breaks sums."""
    if len(data) > 4:
        form = rng.choice(("<I", ">I", "<H", ">H"))
        value = rng.choice((0, 1, 0xFFFF, 0x7FFF)) if "H" in form else rng.choice(
            (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x10000))  # fmt: skip
        struct.pack_into(form, data, rng.randrange(len(data) - 4), value)


_DAMAGES = (_flip, _in_the_head, _cut, _lose, _repeat, _insert, _number)


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks' checksums hold, as far as its lengths make sense."""
    made, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        made += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return made + data[at:]

"""Every way a file can fail to be an image, and that none of them costs memory."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from mutated import mutated, valid_files
from picture_files import (
    RGB,
    chunk,
    exif,
    gif,
    iccp,
    png,
    rgb_profile,
    saved,
    with_riff_chunk,
    with_segment,
)
from PIL import Image

from core.pictures.containers import take_apart
from core.pictures.images import FAULTS, ImageError, ImageInfo, inspect_image
from core.pictures.media import MAX_SIDE_PX, decode, encode, read_picture

LIMIT = 100_000_000


def picture(image_format: str, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise(size, 90).convert(mode)
    noise.save(buffer, image_format)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def reason(data: bytes, max_pixels: int = LIMIT) -> str:
    with pytest.raises(ImageError) as caught:
        inspect_image(data, max_pixels)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "gif"])
def test_whole_images_pass(name):
    assert inspect_image(picture(name), LIMIT) == ImageInfo(name, (40, 30))


def test_alpha_and_palette_pass():
    assert inspect_image(picture("png", "RGBA"), LIMIT).size_wh == (40, 30)
    assert inspect_image(picture("png", "P"), LIMIT).size_wh == (40, 30)


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "gif"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_cut_images_are_told(name, kept):
    data = picture(name, size=(200, 150))
    assert reason(data[: int(len(data) * kept)]) == "truncated_image"


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "gif"])
def test_every_cut_is_refused(name):
    data = picture(name)
    for length in range(0, len(data), 7):
        with pytest.raises(ImageError):
            inspect_image(data[:length], LIMIT)


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"BMW is no bitmap", b"%PDF-1.7"])
def test_other_files_are_not_images(data):
    assert reason(data) == "not_an_image"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *((name, picture(name.replace(" ", "")))
          for name in ("AVIF", "BMP", "TIFF", "JPEG 2000", "ICO")),
        ("AVIF", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("JPEG XL", b"\xff\x0a" + bytes(20)),
        ("SVG", b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ],
)  # fmt: skip
def test_other_formats_are_told_by_name(name, data):
    with pytest.raises(ImageError, match=f"{name} is not supported") as caught:
        inspect_image(data, LIMIT)
    assert caught.value.reason == "unsupported_format"


def test_spoilt_pixels_are_broken():
    data = bytearray(picture("png", size=(200, 150)))
    data[len(data) // 2] ^= 0xFF
    assert reason(bytes(data)) in ("broken_image", "truncated_image")


def test_bombs_are_refused_by_their_header():
    bomb = png_header(60_000, 60_000)
    assert len(bomb) < 200
    assert reason(bomb) == "too_many_pixels"
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00" + b"\xff\x3f\x00"
    riff = b"RIFF" + struct.pack("<I", 4 + len(vp8x)) + b"WEBP" + vp8x
    assert reason(riff) == "too_many_pixels"


def test_the_limit_is_the_callers():
    data = picture("png")
    assert inspect_image(data, 1200).size_wh == (40, 30)
    assert reason(data, 1199) == "too_many_pixels"
    for name in ("jpeg", "webp", "gif"):
        assert reason(picture(name), 1199) == "too_many_pixels"


def test_a_second_header_can_not_hide_a_bomb():
    """Decoders believe the last one."""
    small, large = png_header(40, 30), png_header(60_000, 60_000)
    header = slice(8, 8 + 25)
    assert reason(small[:33] + large[header] + small[33:]) == "broken_image"
    jpeg = picture("jpeg")
    frame = jpeg.find(b"\xff\xc0")
    second = (
        jpeg[frame : frame + 5] + struct.pack(">HH", 60_000, 60_000) + jpeg[frame + 9 : frame + 19]
    )
    scan = jpeg.find(b"\xff\xda")
    assert reason(jpeg[:scan] + second + jpeg[scan:]) == "broken_image"
    webp = picture("webp")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x00\xf0\x00" * 2
    late = webp[12:] + extended
    data = b"RIFF" + struct.pack("<I", 4 + len(late)) + b"WEBP" + late
    assert inspect_image(data, LIMIT).size_wh == (40, 30)


def test_half_a_picture_is_broken_whatever_other_libraries_set(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    data = saved(np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8), "JPEG")
    assert reason(data[: len(data) // 2]) in ("broken_image", "truncated_image")


def test_sizes_beyond_pillows_own_limit_raise_no_warning():
    assert reason(png_header(9_600, 9_600)) in ("broken_image", "truncated_image")


# What is not needed to read pixels -----------------------------------------------------------

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
JPEG, WEBP = saved(PIXELS, "JPEG", quality=90), saved(PIXELS, "WEBP", lossless=True)
GIF = gif(PIXELS[..., 0] % 8, PIXELS[0, :8], (0, 0), (30, 40))
BAD_EXIF = {
    "no TIFF": b"\xa8\xa8" * 40,
    "empty": b"",
    "cut": exif(6)[:12],
    "far away": b"II*\0" + struct.pack("<I", 2**31),
    "many entries": b"MM\0*" + struct.pack(">IH", 8, 65535),
    "nonsense": exif(77),
    "a text": b"II*\0" + struct.pack("<IHHHI4s", 8, 1, 0x0112, 2, 4, b"six\0") + bytes(4),
}


def _png(*chunks: bytes) -> bytes:
    return png(PIXELS, RGB, 8, chunks)


def _wrong_checksum(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


FILES = {
    "png: much text": _png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 2**20)))),
    "png: much international text": _png(
        chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(70 * 2**20)))
    ),
    "png: a large profile": _png(iccp(bytes(2 * 2**20))),
    "png: a way of packing that is not known": _png(chunk(b"zTXt", b"a\0\7xyz")),
    "png: short chunks": _png(
        *(chunk(kind, b"\1") for kind in (b"pHYs", b"gAMA", b"cHRM", b"acTL", b"fcTL", b"iCCP"))
    ),
    "png: a wrong checksum": _png(_wrong_checksum(chunk(b"tEXt", b"a\0b"))),
    "png: a profile with a wrong checksum": _png(
        _wrong_checksum(iccp(rgb_profile([(0.3, 0.3), (0.7, 0.2), (0.2, 0.7), (0.1, 0.1)], 1.0)))
    ),
    "png: bytes behind its end": _png() + b"<!-- cached -->" * 900,
    "png: cut text behind the pixels": png(PIXELS, RGB, 8, after=[chunk(b"tEXt", b"a\0b")]),
    "jpeg: zeros behind its end": JPEG + bytes(5000),
    "jpeg: text behind its end": JPEG + b"<!-- cached -->" * 900,
    "jpeg: a second picture behind its end": JPEG + picture("jpeg", size=(300, 200))[:-99],
    "jpeg: short applications' segments": with_segment(
        with_segment(with_segment(JPEG, 0xE0, b"JFIF\0"), 0xEE, b"Adobe"), 0xE2, b"ICC_PROFILE\0\1"
    ),
    "jpeg: a damaged block of Photoshop's": with_segment(JPEG, 0xED, b"Photoshop 3.0\0008BIM\4\4"),
    "jpeg: a damaged list of pictures": with_segment(JPEG, 0xE2, b"MPF\0" + bytes(9)),
    "jpeg: stray bytes between segments": JPEG[:20] + b"\0\0\xff\xff" + JPEG[20:],
    "webp: bytes behind its end": WEBP + b"<!-- cached -->" * 900,
    "webp: a chunk that ends too late": with_riff_chunk(WEBP, b"XMP ", bytes(8))[:-12]
    + struct.pack("<I", 5000) + bytes(8),
    "gif: bytes behind its end": GIF + b"<!-- cached -->" * 900,
    "gif: a short control block": GIF[:37] + b"\x21\xf9\1\0\0" + GIF[37:],
    "gif: a comment": GIF[:37] + b"\x21\xfe\3abc\0" + GIF[37:],
    **{f"png: Exif, {what}": _png(chunk(b"eXIf", block)) for what, block in BAD_EXIF.items()},
    **{
        f"jpeg: Exif, {what}": with_segment(JPEG, 0xE1, b"Exif\0\0" + block)
        for what, block in BAD_EXIF.items()
    },
    **{f"webp: Exif, {what}": with_riff_chunk(WEBP, b"EXIF", b) for what, b in BAD_EXIF.items()},
}  # fmt: skip
PLAIN = {"png": _png(), "jpeg": JPEG, "webp": WEBP, "gif": GIF}


@pytest.mark.parametrize("what", FILES)
def test_nothing_but_its_pixels_is_needed_to_read_a_picture(what):
    name = what.split(":")[0]
    assert inspect_image(FILES[what], LIMIT) == ImageInfo(name, (40, 30))
    plain, picture = (decode(take_apart(data)) for data in (PLAIN[name], FILES[what]))
    assert (picture.rgb == plain.rgb).all() and picture.lossy == plain.lossy


# Shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_wh", "wanted"),
    [
        ((1, 1), "too_small"),
        ((15, 400), "too_small"),
        ((400, 15), "too_small"),
        ((16, 16), None),
        ((16, 3200), None),
        ((16, 3201), "too_thin"),
        ((6000, 29), "too_thin"),
        ((6000, 30), None),
        ((MAX_SIDE_PX, 90), None),
        ((MAX_SIDE_PX + 1, 90), "too_long"),
    ],
)
def test_pictures_that_no_row_may_hold(size_wh, wanted):
    data = saved(np.full(size_wh[::-1], 99, np.uint8), "PNG")
    if wanted:
        assert reason(data) == wanted and wanted in FAULTS
    else:
        assert inspect_image(data, LIMIT).size_wh == size_wh
        encode(decode(take_apart(data)).rgb, "webp")


# Damaged files -------------------------------------------------------------------------------

VALID = valid_files()


@pytest.mark.parametrize("name", VALID)
def test_the_files_that_are_damaged_below_are_whole(name):
    inspect_image(VALID[name], LIMIT)


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_damaged_files_are_drops_or_are_read_by_all_stages(tmp_path, start):
    """No error but the one that becomes a drop; what is let in is read later, and written."""
    path = tmp_path / "picture"
    for number in range(start, start + 50):
        _, data = mutated(VALID, number)
        try:
            info = inspect_image(data, 1_000_000)
        except ImageError as error:
            assert error.reason in (*FAULTS, "too_many_pixels") and error.detail
            continue
        path.write_bytes(data)
        read = read_picture(path)
        assert read.size_wh == info.size_wh
        assert encode(read.rgb, "webp")[:4] == b"RIFF"


def test_an_error_comes_whole_out_of_a_worker_process():
    error = pickle.loads(pickle.dumps(ImageError("broken_image", "png: why")))
    assert (error.reason, error.detail, str(error)) == (
        "broken_image",
        "png: why",
        "broken_image: png: why",
    )

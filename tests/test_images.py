"""Every way a file can fail to be an image, and that none of them costs memory."""

import io
import struct
import zlib

import pytest
from PIL import Image

from builder.images import ImageError, ImageInfo, inspect_image

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


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"BM" + bytes(60), b"%PDF-1.7"])
def test_other_files_are_not_images(data):
    assert reason(data) == "not_an_image"


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


def test_sizes_beyond_pillows_own_limit_raise_no_warning():
    assert reason(png_header(9_600, 9_600)) in ("broken_image", "truncated_image")

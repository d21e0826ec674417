"""Pixels of every colour type have the value that viewers show: against the formats' own rules, and
against a second decoder (OpenCV's) where that reads the type.
"""

import io
import struct

import cv2
import numpy as np
import pytest
from picture_files import (
    CHANNELS,
    GREY,
    P3_XY,
    PALETTE,
    PNG_KINDS,
    RGB,
    RGBA,
    SRGB_XY,
    WIDE_XY,
    chrm,
    chunk,
    cmyk_profile,
    exif,
    gama,
    gif,
    grey_profile,
    iccp,
    in_space,
    lab_of,
    palette,
    png,
    rgb_profile,
    saved,
    srgb_profile,
    with_riff_chunk,
    with_segment,
)
from PIL import Image, ImageCms, ImageOps

from core.pictures.containers import ImageError, take_apart
from core.pictures.media import Picture, decode

SIZE_HW = (20, 24)
GREEN = (0, 133, 43)  # of bricks
# Of a colour told in 8 bits in another space: black is where its steps are far apart in sRGB.
WITHIN = np.array([6, 2, 2])
COLORS = np.array([GREEN, (180, 0, 0), (30, 90, 168), (250, 200, 10), (138, 146, 141)])
WIDE = rgb_profile(WIDE_XY, 2.2)


def shown(data: bytes) -> Picture:
    return decode(take_apart(data))


def noise(channels: int, top: int = 256) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, top, (*SIZE_HW, channels))


def patches(colors: np.ndarray = COLORS) -> np.ndarray:
    """A picture of some colours, each so large that a JPEG keeps them apart."""
    return np.repeat(np.repeat(colors[None], 16, axis=0), 16, axis=1).astype(np.uint8)


def at_patches(rgb: np.ndarray) -> np.ndarray:
    return rgb[8, 8::16].astype(int)


# Colour types --------------------------------------------------------------------------------

# With one transparent colour, or alphas of a palette's first colours.
PNG_TABLE = [(*kind, False) for kind in PNG_KINDS] + [
    (*kind, True) for kind in PNG_KINDS if kind[0] in (GREY, RGB, PALETTE)
]


def _of_spec(samples, color_type, depth, colors, transparent) -> np.ndarray:
    """What a viewer shows on white, 0 to 255 in floats; by the PNG specification."""
    alpha = np.ones(samples.shape[:2])
    if color_type == PALETTE:
        alphas = np.full(len(colors), 255.0)
        alphas[: len(transparent or ())] = list(transparent or ())
        rgb, alpha = colors[samples[..., 0]].astype(float), alphas[samples[..., 0]] / 255
    else:
        values = samples * 255 / ((1 << depth) - 1)
        rgb = values[..., :3] if CHANNELS[color_type] > 2 else np.repeat(values[..., :1], 3, axis=2)
        if CHANNELS[color_type] in (2, 4):
            alpha = values[..., -1] / 255
        elif transparent is not None:
            alpha = 1.0 - (samples == np.array(transparent)).all(axis=-1)
    return rgb * alpha[..., None] + 255 * (1 - alpha[..., None])


def _of_opencv(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    values = pixels * 255.0 / np.iinfo(pixels.dtype).max
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2)
    alpha = values[..., 3:] / 255 if values.shape[2] == 4 else 1.0
    return values[..., 2::-1] * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize(("color_type", "depth", "some_transparent"), PNG_TABLE)
def test_every_kind_of_png(color_type, depth, some_transparent):
    samples = noise(CHANNELS[color_type], 1 << depth)
    colors = np.random.default_rng(7).integers(0, 256, (1 << depth, 3))
    before, transparent = [palette(colors)] if color_type == PALETTE else [], None
    if some_transparent and color_type == PALETTE:
        transparent = bytes([0, 100, 255, 30][: 1 << depth])
        before.append(chunk(b"tRNS", transparent))
    elif some_transparent:
        transparent = tuple(int(value) for value in samples[3, 5])
        samples[4, 6] = np.array(transparent) ^ 1  # one bit away: opaque
        before.append(chunk(b"tRNS", np.array(transparent, ">u2").tobytes()))
    data = png(samples, color_type, depth, before)
    picture = shown(data)
    wanted = _of_spec(samples, color_type, depth, colors, transparent)
    two_truncated = depth == 16 and CHANNELS[color_type] in (2, 4)  # the colour and its alpha
    assert np.abs(picture.rgb - wanted).max() <= (2 if two_truncated else 1)
    assert (picture.alpha is None) == (not some_transparent and CHANNELS[color_type] in (1, 3))
    if not (color_type == GREY and some_transparent):  # OpenCV does not look for that
        assert np.abs(picture.rgb - _of_opencv(data)).max() <= (2 if two_truncated else 1)
    assert not picture.lossy


def test_a_transparent_colour_counts_only_the_bits_a_sample_has():
    """Writers leave rubbish in the bits above."""
    samples = noise(1, 4)
    sample = int(samples[0, 0, 0])
    tidy, odd = (
        shown(png(samples, GREY, 2, [chunk(b"tRNS", struct.pack(">H", value))]))
        for value in (sample, 0xAB00 | 0x40 | sample)
    )
    assert (tidy.alpha == odd.alpha).all()
    assert (tidy.alpha == 0).sum() == (samples == sample).sum()


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("RGB", 3), ("RGB progressive", 3), ("CMYK", 4)]
)
@pytest.mark.parametrize("with_marker", [True, False], ids=["told", "not told"])
def test_every_kind_of_jpeg(mode, channels, with_marker):
    """CMYK is taken for inverted with Adobe's marker and without it, as by browsers."""
    colors = np.random.default_rng(3).integers(0, 256, (6, channels))
    pixels = patches(colors)
    pixels = pixels[..., 0] if channels == 1 else pixels
    name, _, kind = mode.partition(" ")
    data = saved(pixels, "JPEG", name, quality=98, subsampling=0, progressive=bool(kind))
    if not with_marker:
        start = data.find(b"\xff\xee") if channels == 4 else data.find(b"\xff\xe0")
        (length,) = struct.unpack_from(">H", data, start + 2)
        data = data[:start] + data[start + 2 + length :]
    picture = shown(data)
    wanted = colors if channels > 1 else np.repeat(colors, 3, axis=1)
    if channels == 4:
        wanted = (255 - colors[:, :3]) * (255 - colors[:, 3:]) / 255
    assert np.abs(at_patches(picture.rgb) - wanted).max() <= 4
    assert np.abs(picture.rgb - _of_opencv(data)).max() <= 3
    assert picture.lossy and picture.alpha is None


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
def test_every_kind_of_webp(channels, lossless):
    pixels = noise(channels).astype(np.uint8)
    how = {"lossless": True, "exact": True} if lossless else {"quality": 90}
    data = saved(pixels, "WEBP", **how)
    picture = shown(data)
    assert np.abs(picture.rgb - _of_opencv(data)).max() <= 1.5
    if lossless:
        kind = RGBA if channels == 4 else RGB
        wanted = _of_spec(pixels.astype(int), kind, 8, None, None)
        assert np.abs(picture.rgb - wanted).max() <= 1
    assert picture.lossy == (not lossless)
    # However much stands before the pixels.
    assert shown(with_riff_chunk(data, b"XMP ", bytes(9000))).lossy == (not lossless)


@pytest.mark.parametrize("transparent", [None, 2])
@pytest.mark.parametrize("box", [(0, 0, 24, 20), (3, 4, 20, 18)], ids=["whole", "part"])
@pytest.mark.parametrize("greys", [False, True])
def test_every_kind_of_gif(transparent, box, greys):
    """What the first frame does not cover is transparent, as browsers have it, not a colour."""
    colors = np.random.default_rng(5).integers(0, 256, (8, 3))
    colors = np.repeat(np.arange(8)[:, None], 3, axis=1) if greys else colors
    indices = noise(1, 8)[: box[3] - box[1], : box[2] - box[0], 0]
    picture = shown(gif(indices, colors, box[:2], SIZE_HW, transparent))
    wanted = np.full((*SIZE_HW, 3), 255)
    inside = colors[indices]
    inside[indices == transparent] = 255
    wanted[box[1] : box[3], box[0] : box[2]] = inside
    assert (picture.rgb == wanted).all()


# Profiles ------------------------------------------------------------------------------------


def _wide(color=GREEN, top: int = 255) -> np.ndarray:
    return np.rint(in_space(color, WIDE_XY, 2.2) * top).astype(int)


def _jpeg_with_profile(data: bytes, profile: bytes, pieces: int = 1) -> bytes:
    """The profile in several segments, the last of them first: their numbers give the order."""
    size = -(-len(profile) // pieces)
    for number in range(1, pieces + 1):
        part = profile[(number - 1) * size : number * size]
        body = b"ICC_PROFILE\0" + bytes([number, pieces]) + part
        data = with_segment(data, 0xE2, body)
    return data


def _flat(color, alpha=()) -> np.ndarray:
    return np.tile(np.array([*color, *alpha]), (*SIZE_HW, 1))


def _with_wide_profile(kind: str) -> bytes:
    color = _wide()
    if kind == "png palette":
        colors = np.array([(9, 9, 9), color])
        return png(np.ones((*SIZE_HW, 1), int), PALETTE, 1, [iccp(WIDE), palette(colors)])
    if kind == "png 16 bit":
        return png(_flat(_wide(top=65535)), RGB, 16, [iccp(WIDE)])
    if kind == "png alpha":
        return png(_flat(color, [255]), RGBA, 8, [iccp(WIDE)])
    if kind == "png":
        return png(_flat(color), RGB, 8, [iccp(WIDE)])
    pixels = _flat(color).astype(np.uint8)
    if kind.startswith("jpeg"):
        pieces = 3 if kind == "jpeg in pieces" else 1
        return _jpeg_with_profile(saved(pixels, "JPEG", quality=98), WIDE, pieces)
    if kind == "webp alpha":
        pixels = _flat(color, [255]).astype(np.uint8)
    return saved(pixels, "WEBP", lossless=kind != "webp lossy", quality=98, icc_profile=WIDE)


@pytest.mark.parametrize(
    "kind",
    ["png", "png alpha", "png palette", "png 16 bit", "jpeg", "jpeg in pieces", "webp",
     "webp alpha", "webp lossy"],
)  # fmt: skip
def test_a_profile_is_applied(kind):
    rgb = shown(_with_wide_profile(kind)).rgb
    within = WITHIN * (3 if kind in ("jpeg", "jpeg in pieces", "webp lossy") else 1)
    assert (np.abs(rgb.reshape(-1, 3) - np.array(GREEN)) <= within).all()
    assert abs(int(_wide()[0]) - GREEN[0]) > 50  # it would have been far off


def test_alpha_stays_beside_a_profile():
    pixels = _flat(_wide(), [0])
    pixels[:, 12:, 3] = 128
    picture = shown(png(pixels, RGBA, 8, [iccp(WIDE)]))
    assert (picture.alpha == pixels[..., 3]).all()
    assert (picture.rgb[:, :12] == 255).all()
    half = (np.array(GREEN) * 128 + 255 * 127) / 255
    assert (np.abs(picture.rgb[:, 12:] - half) <= WITHIN).all()


@pytest.mark.parametrize("form", ["png", "png with alpha", "png of 16 bits", "jpeg"])
def test_a_profile_of_greys_is_applied(form):
    """A quarter of the light of white: 64 with an exponent of 1, 137 in sRGB."""
    profile = grey_profile(1.0)
    pixels = np.full((*SIZE_HW, 1), 64)
    data = {
        "png": lambda: png(pixels, GREY, 8, [iccp(profile)]),
        "png with alpha": lambda: png(np.dstack([pixels, pixels * 0 + 255]), 4, 8, [iccp(profile)]),
        "png of 16 bits": lambda: png(pixels * 257, GREY, 16, [iccp(profile)]),
        "jpeg": lambda: _jpeg_with_profile(
            saved(pixels[..., 0].astype(np.uint8), "JPEG", quality=98), profile
        ),
    }[form]()
    assert np.abs(shown(data).rgb.astype(int) - 137).max() <= 2


def test_a_profile_of_inks_is_applied():
    """White paper, black ink, and a cyan that is really the green of bricks."""
    mixtures = {
        inks: (0.0 if inks[3] else 100.0 - 30 * sum(inks), 0.0, 0.0)
        for inks in np.ndindex(2, 2, 2, 2)
    } | {(1, 0, 0, 0): lab_of(GREEN)}
    inks = np.array([(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0)])
    data = saved(patches(inks), "JPEG", "CMYK", quality=98)
    wanted = [(255, 255, 255), (0, 0, 0), GREEN]
    assert np.abs(at_patches(shown(data).rgb) - wanted).max() > 50
    data = _jpeg_with_profile(data, cmyk_profile(mixtures))
    assert np.abs(at_patches(shown(data).rgb) - wanted).max() <= 6


@pytest.mark.parametrize(
    "profile",
    [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), srgb_profile()],
    ids=["littleCMS's", "with a table"],
)
def test_pictures_that_are_srgb_already_keep_every_byte(profile):
    pixels = np.random.default_rng(1).integers(0, 256, (200, 250, 3)).astype(np.uint8)
    assert (shown(png(pixels, RGB, 8, [iccp(profile)])).rgb == pixels).all()
    jpeg = saved(pixels, "JPEG", quality=90)
    plain = shown(jpeg).rgb
    assert (shown(_jpeg_with_profile(jpeg, profile)).rgb == plain).all()


BROKEN_PROFILES = {
    "no profile": b"\0" * 200,
    "text": b"this is no profile" * 20,
    "cut": WIDE[:300],
    "empty": b"",
    "of greys": grey_profile(1.0),
    "of inks": cmyk_profile(dict.fromkeys(np.ndindex(2, 2, 2, 2), (50.0, 0.0, 0.0))),
    "without curves": WIDE.replace(b"rTRC", b"xTRC").replace(b"gTRC", b"yTRC"),
    "huge": WIDE + bytes(20 * 2**20),
}


@pytest.mark.parametrize("what", BROKEN_PROFILES)
def test_a_profile_that_is_broken_or_of_other_pixels_is_ignored(what):
    profile, pixels = BROKEN_PROFILES[what], patches()
    files = [png(pixels, RGB, 8, [iccp(profile)])]
    if 0 < len(profile) < 60_000:
        jpeg = saved(pixels, "JPEG", quality=98)
        files += [
            _jpeg_with_profile(jpeg, profile),
            saved(pixels, "WEBP", lossless=True, icc_profile=profile),
        ]
    for data in files:
        assert np.abs(at_patches(shown(data).rgb) - COLORS).max() <= 4


def test_profiles_of_the_wrong_pixels_the_other_way_round():
    grey = np.full((*SIZE_HW, 1), 64)
    assert (shown(png(grey, GREY, 8, [iccp(WIDE)])).rgb == 64).all()
    data = saved(patches(np.array([(0, 255, 255, 0)])), "JPEG", "CMYK", quality=98)
    plain = shown(data).rgb
    assert (shown(_jpeg_with_profile(data, WIDE)).rgb == plain).all()


def test_a_profile_with_missing_or_damaged_pieces_is_ignored():
    jpeg = saved(patches(), "JPEG", quality=98)
    plain = shown(jpeg).rgb
    whole = _jpeg_with_profile(jpeg, WIDE, 3)
    second = whole.find(b"ICC_PROFILE\0\x02\x03")
    assert second > 0 and (shown(whole).rgb != plain).any()
    lost = whole[:second] + b"XCC" + whole[second + 3 :]
    assert (shown(lost).rgb == plain).all()
    packed = chunk(b"iCCP", b"a\0\0" + b"not packed at all")
    assert (shown(png(patches(), RGB, 8, [packed])).rgb == patches()).all()


# PNG's own chunks of colour ------------------------------------------------------------------

WIDE_GREEN, P3_GREEN = _wide(), np.rint(in_space(GREEN, P3_XY, 2.2) * 255)
SRGB_CHUNK = chunk(b"sRGB", b"\0")
LINEAR_64 = 255 * (64 / 255) ** (1 / 2.2)


def cicp(*numbers: int) -> bytes:
    return chunk(b"cICP", bytes(numbers))


@pytest.mark.parametrize(
    ("chunks", "stored", "wanted"),
    [
        ([gama(1 / 2.2), chrm(WIDE_XY)], WIDE_GREEN, GREEN),
        ([chrm(P3_XY), gama(1 / 2.2)], P3_GREEN, GREEN),
        # sRGB stands above both, a profile above sRGB, cICP above all.
        ([SRGB_CHUNK, gama(1 / 2.2), chrm(WIDE_XY)], GREEN, GREEN),
        ([iccp(WIDE), SRGB_CHUNK], WIDE_GREEN, GREEN),
        ([cicp(1, 13, 0, 1), iccp(WIDE), gama(1.0)], GREEN, GREEN),
        ([cicp(12, 4, 0, 1), SRGB_CHUNK], P3_GREEN, GREEN),
        # What writers of sRGB are told to say beside it, and gamma alone.
        ([gama(0.45455), chrm(SRGB_XY)], (10, 70, 200), (10, 70, 200)),
        ([gama(0.45455)], (10, 70, 200), (10, 70, 200)),
        ([gama(1.0)], (0, 64, 255), (0, LINEAR_64, 255)),
        ([chrm(WIDE_XY)], GREEN, GREEN),  # primaries without a curve say nothing
        # What is not known or makes no sense is ignored.
        ([cicp(1, 99, 0, 1)], GREEN, GREEN),
        ([cicp(99, 13, 0, 1)], GREEN, GREEN),
        ([cicp(12, 13, 5, 1), gama(1.0)], (0, 64, 255), (0, LINEAR_64, 255)),
        ([gama(0)], GREEN, GREEN),
        ([gama(1 / 2.2), chunk(b"cHRM", bytes(32))], GREEN, GREEN),
        ([gama(1 / 2.2), chunk(b"cHRM", b"short")], GREEN, GREEN),
        ([gama(1 / 2.2), chrm([(0.3, 0.3)] * 4)], GREEN, GREEN),
        ([chunk(b"gAMA", b"\1"), chunk(b"sRGB", b""), chunk(b"cICP", b"")], GREEN, GREEN),
    ],
)
def test_chunks_of_colour_count_as_in_browsers(chunks, stored, wanted):
    rgb = shown(png(_flat(stored), RGB, 8, chunks)).rgb
    assert (np.abs(rgb.reshape(-1, 3) - np.array(wanted)) <= WITHIN).all()
    if np.array_equal(stored, wanted):
        assert (rgb == np.array(stored)).all()


def test_chunks_of_colour_count_for_greys_and_palettes():
    grey = shown(png(np.full((*SIZE_HW, 1), 64), GREY, 8, [gama(1.0), chrm(SRGB_XY)])).rgb
    assert np.abs(grey.astype(int) - 137).max() <= 1  # a quarter of the light
    indexed = png(
        np.zeros((*SIZE_HW, 1), int), PALETTE, 1,
        [gama(1 / 2.2), chrm(WIDE_XY), palette(np.array([WIDE_GREEN, (0, 0, 0)]))],
    )  # fmt: skip
    assert (np.abs(shown(indexed).rgb.reshape(-1, 3) - np.array(GREEN)) <= WITHIN).all()


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_told(curve, name):
    """It has no value in 8 bit sRGB: every viewer shows another."""
    with pytest.raises(ImageError, match=name) as caught:
        shown(png(_flat(GREEN), RGB, 16, [cicp(9, curve, 0, 1)]))
    assert caught.value.reason == "unsupported_format"


# Turns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_cameras_say(orientation):
    pixels = noise(3).astype(np.uint8)
    wanted = np.asarray(
        ImageOps.exif_transpose(
            Image.open(io.BytesIO(saved(pixels, "PNG", exif=b"Exif\0\0" + exif(orientation))))
        )
    )
    lossless = saved(pixels, "WEBP", lossless=True)
    for data in (
        png(pixels, RGB, 8, [chunk(b"eXIf", exif(orientation))]),
        png(pixels, RGB, 8, after=[chunk(b"eXIf", exif(orientation))]),
        with_riff_chunk(lossless, b"EXIF", exif(orientation)),
        with_riff_chunk(lossless, b"EXIF", b"Exif\0\0" + exif(orientation)),
    ):
        assert np.array_equal(shown(data).rgb, wanted)
    jpeg = saved(pixels, "JPEG", quality=98)
    turned = shown(with_segment(jpeg, 0xE1, b"Exif\0\0" + exif(orientation))).rgb
    plain = Image.fromarray(shown(jpeg).rgb)
    plain.getexif()[0x0112] = orientation
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(plain)))


def test_alpha_is_turned_too():
    pixels = noise(4)
    data = png(pixels, RGBA, 8, [chunk(b"eXIf", exif(6))])
    assert np.array_equal(shown(data).alpha, np.rot90(pixels[..., 3], -1))

"""Colours of LDraw: by code, direct (0x2RRGGBB) and dithered, with the names that manuals use."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from builder.sources.ldraw.reader import decode
from core.colors import COLORS, color_lab

RGB = tuple[int, int, int]
_DIRECT = range(0x2000000, 0x8000000)
_DITHERED = range(256, 512)
UNKNOWN_RGB: RGB = (127, 127, 127)
_COLOUR = re.compile(
    r"0\s+!COLOUR\s+(?P<name>\S+)\s+CODE\s+(?P<code>\d+)\s+VALUE\s+#(?P<rgb>[0-9A-Fa-f]{6})"
    r"\s+EDGE\s+\S+(?:\s+ALPHA\s+(?P<alpha>\d+))?"
)
# What a part is made of besides its colour; who looks for it does not need to know.
_STUFF = re.compile(r"\b(trans(parent)?|rubber|glitter|opal|glow in dark|opaque|colour)\b")
_LEGO = re.compile(r"//\s*LEGOID\s+[\d /]+-\s*(?P<name>.+)")


@dataclass(frozen=True)
class Colour:
    """A colour of a part: its name as manuals have it, and whether one sees through it."""

    name: str
    rgb: RGB
    is_clear: bool = False


@functools.lru_cache(maxsize=4)
def read_config(path: Path) -> dict[int, Colour]:
    """Colours by code of an LDConfig.ldr."""
    colours: dict[int, Colour] = {}
    lego = ""
    for line in decode(path.read_bytes()).splitlines():
        found = _LEGO.search(line)
        if found:
            lego = found["name"].split("/")[0]
        match = _COLOUR.match(line.strip())
        if match:
            clear = match["alpha"] is not None and int(match["alpha"]) < 250
            name = _name(match["name"], lego, clear)
            colours[int(match["code"])] = Colour(name, _rgb(match["rgb"]), clear)
            lego = ""
    return colours


def colour_of(code: int, config: dict[int, Colour]) -> Colour:
    """The colour of a code; for one that nobody defines, and "none given" (16), a grey."""
    if code in config and code not in (16, 24):
        return config[code]
    if code in _DITHERED:  # two of the first sixteen, a pixel of each in turn
        one, other = ((config[c].rgb if c in config else UNKNOWN_RGB) for c in _pair(code))
        return _unnamed(tuple((a + b) // 2 for a, b in zip(one, other, strict=True)))
    if code in _DIRECT:
        rgb = ((code >> 16) & 255, (code >> 8) & 255, code & 255)
        return _unnamed(rgb, is_clear=code >> 24 == 3)
    return _unnamed(UNKNOWN_RGB)


def _pair(code: int) -> tuple[int, int]:
    return (code - 256) // 16, (code - 256) % 16


def _rgb(text: str) -> RGB:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def _name(ldraw: str, lego: str, clear: bool) -> str:
    """The LEGO Group's own name where the project knows it, else LDraw's, in plain words."""
    own = " ".join(lego.lower().replace("tr.", "transparent").replace(".", " ").split())
    own = own.removeprefix("transparent ").strip()
    plain = " ".join(ldraw.lower().replace("_", " ").split())
    plain = " ".join(_STUFF.sub(" ", plain).replace("gray", "grey").split())
    best = own if own in COLORS else plain
    if best in ("", "transparent", "clear"):
        return "transparent" if clear else "white"
    return f"transparent {best}" if clear else best


def _unnamed(rgb: tuple[int, ...], is_clear: bool = False) -> Colour:
    """A colour that has values only: called by the name of the nearest."""
    solid: RGB = (rgb[0], rgb[1], rgb[2])
    return Colour(
        f"transparent {_nearest(solid)}" if is_clear else _nearest(solid), solid, is_clear
    )


@functools.lru_cache(maxsize=512)
def _nearest(rgb: RGB) -> str:
    import cv2

    pixel = (np.array(rgb, np.float32) / 255).reshape(1, 1, 3)
    lab = cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0]

    def apart(name: str) -> float:
        known = color_lab(name, (255.0, 255.0, 255.0))
        return float(np.linalg.norm(known - lab)) if known is not None else float("inf")

    return min(sorted(COLORS), key=lambda name: (apart(name), len(name), name))

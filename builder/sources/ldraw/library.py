"""A parts library on disk: where it may be, and its files by name, whatever their case."""

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.sources.ldraw.reader import decode, is_outside, plain_name
from core.errors import UserError

CONFIG = "ldconfig.ldr"
# Where names are looked for, in this order; "unofficial" is where programs keep parts in review.
FOLDERS = ("parts", "p", "unofficial/parts", "unofficial/p", "models")
USUAL = (
    "~/ldraw", "~/LDraw", "~/.ldraw", "~/Documents/LDraw", "~/Library/LDraw", "/usr/share/ldraw",
    "/usr/local/share/ldraw", "/opt/ldraw", "/Library/LDraw", "/Applications/LDraw", "C:/LDraw",
    "C:/Program Files/LDraw", "C:/Program Files (x86)/LDraw",
)  # fmt: skip
CURE = (
    "give --ldraw-library DIR or set LDRAWDIR; the library is complete.zip at "
    "https://library.ldraw.org/updates (about 80 MB, 500 MB unpacked), its folder holds parts/, p/ "
    "and LDConfig.ldr"
)


@dataclass(frozen=True, eq=False)
class Library:
    """A parts library: its folder, and paths by name as `plain_name` writes them."""

    folder: Path
    files: dict[str, Path]
    config: Path

    def find(self, name: str) -> Path | None:
        """The file of a part, a subpart (`s/...`) or a primitive; None when there is none."""
        plain = plain_name(name)
        return None if is_outside(plain) else self.files.get(plain)


def find_library(given: Path | None) -> Path:
    """The folder of the library: as given, else by LDRAWDIR, else in a usual place."""
    named = os.environ.get("LDRAWDIR", "").strip()
    if given is not None or named:
        folder = given if given is not None else Path(named)
        what = f"--ldraw-library {folder}" if given is not None else f"LDRAWDIR={folder}"
        if not folder.is_dir():
            raise UserError(f"{what}: no such folder; {CURE}")
        inside = _library_in(folder)
        if inside is None:
            raise UserError(f"{what}: no parts library (parts/, p/ and LDConfig.ldr); {CURE}")
        return inside
    for place in USUAL:
        folder = Path(place).expanduser()
        inside = _library_in(folder) if folder.is_dir() else None
        if inside is not None:
            return inside
    raise UserError(f"no parts library of LDraw found; {CURE}")


def _library_in(folder: Path) -> Path | None:
    """The folder itself, or the one in it that unpacking an archive leaves."""
    for one in (folder, folder / "ldraw", folder / "LDraw"):
        names = {path.name.lower() for path in one.iterdir()} if one.is_dir() else set()
        if {"parts", "p", CONFIG} <= names:
            return one
    return None


@functools.lru_cache(maxsize=4)
def open_library(folder: Path) -> Library:
    """Read the names of all files of a library; some 30,000 take a tenth of a second."""
    files: dict[str, Path] = {}
    config = None
    tops = {path.name.lower(): path for path in sorted(folder.iterdir())}
    for name in FOLDERS:
        top, _, below = name.partition("/")
        base = tops.get(top)
        if base is not None and below:
            base = next((p for p in sorted(base.iterdir()) if p.name.lower() == below), None)
        if base is not None and base.is_dir():
            for key, path in _walk(base, ""):
                files.setdefault(key, path)
    config = tops[CONFIG]
    return Library(folder, files, config)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            key = prefix + entry.name.lower()
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{key}/")
            elif key.endswith((".dat", ".ldr", ".mpd")):
                yield key, Path(entry.path)


@functools.lru_cache(maxsize=4096)
def read_lines(path: Path) -> tuple[str, ...]:
    """Lines of a library file, without those that are empty."""
    lines = (line.strip() for line in decode(path.read_bytes()).splitlines())
    return tuple(line for line in lines if line)


def title_of(lines: tuple[str, ...]) -> str:
    """The description of a part: its first line."""
    first = lines[0] if lines else ""
    return first[1:].strip() if first.startswith("0") else ""

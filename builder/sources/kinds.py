"""What a --source is, when it is none that manuals could be read from: said with the cure."""

import itertools
import re
import shlex
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

from PIL import Image

from core.cli import instead_of, python_module
from core.errors import UserError
from core.net import check_answers

PAGES = {".html", ".htm"}
_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:/\S*)?", re.IGNORECASE)
# Names of files that a folder is known by.
_MARKS = {"build.json": "a build or a recipe of lego-arta", "export.json": "an export of a build"}
FILES_LOOKED_AT = 10_000


def check_source(source: str) -> None:
    """Raise `UserError` for a source that can't hold manuals, before anything is read from it.

    It is an address or a folder: what the audio manuals are read from.
    """
    if "://" in source:
        _check_address(source)
    elif not Path(source).is_dir():
        raise no_folder(Path(source))


def no_folder(path: Path) -> UserError:
    """What to raise where a folder was asked for and is none."""
    if path.is_file():
        what, cure = _file_kind(path)
        return UserError(f"--source {path}: {what}; {cure}")
    return UserError(f"--source {path}: no such folder; {_meant(path)}")


def _check_address(source: str) -> None:
    scheme = source.partition("://")[0].lower()
    if scheme == "file":
        raise UserError(f"--source {source}: give the folder by its path, without file://")
    if scheme not in ("http", "https"):
        raise UserError(f"--source {source}: only http:// and https:// addresses can be crawled")
    check_answers("--source", source)


def _meant(path: Path) -> str:
    """What may have been meant by a folder that is not there."""
    if _HOST.fullmatch(str(path)):
        return f"if it is an address, give https://{path}"
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    folders = [str(one) for one in beside if one.is_dir() and not one.name.startswith(".")]
    meant = instead_of(str(path), ["demo", *folders])
    if meant.startswith("did you mean"):
        return meant
    return "give demo, the address of a listing page, or the folder that holds a saved site"


def _file_kind(path: Path) -> tuple[str, str]:
    """(what a file is, what to give instead)."""
    with path.open("rb") as file:
        head = file.read(1024)
    unpacked = path.with_name(re.sub(r"(\.tar)?\.\w+$", "", path.name))
    if unpacked.exists():
        unpacked = path.with_name(f"{path.name}-unpacked")
    then = f"and give --source {shlex.quote(str(unpacked))}"
    if zipfile.is_zipfile(path):
        unpack = python_module("zipfile", "-e", path, unpacked)
        return "a ZIP archive", f"unpack it ({unpack}) {then}"
    if head.startswith(b"%PDF-"):
        return (
            "a PDF",
            "lego-arta reads web pages with word-tagged steps; give the address of a listing page, "
            "or a folder with saved pages",
        )
    if head.startswith(b"PAR1"):
        return "a Parquet file", "give the manuals that it was made from"
    if re.search(rb"^(MIME-Version|From: <Saved by)", head, re.MULTILINE):
        return (
            "a page saved as MHTML",
            "save it as a complete web page and give its folder",
        )
    if path.suffix.lower() in PAGES or re.search(rb"<(!doctype html|html)", head, re.IGNORECASE):
        return (
            "a single page",
            f"give the folder that holds it: --source {shlex.quote(str(path.parent))}",
        )
    if _is_picture(path):
        return "a picture", "give the folder that holds the pages and pictures of manuals"
    if tarfile.is_tarfile(path):
        unpack = python_module("tarfile", "-e", path, unpacked)
        return "a tar archive", f"unpack it ({unpack}) {then}"
    return "a file", "give demo, the address of a listing page, or the folder of a saved site"


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def without_pages(path: Path) -> UserError:
    """What to raise where a folder holds no file that could be a page."""
    for name, what in _MARKS.items():
        if (path / name).is_file():
            return UserError(f"--source {path}: {what}, made from manuals; give those")
    files = itertools.islice((p for p in path.rglob("*") if p.is_file()), FILES_LOOKED_AT)
    suffixes = Counter(file.suffix.lower() or "nameless" for file in files)
    held = ", ".join(f"{number:,} {suffix}" for suffix, number in suffixes.most_common(3))
    return UserError(
        f"--source {path}: {f'only {held} in it' if held else 'empty'}, no page (.html); give a "
        "folder with saved manual pages and their pictures"
    )

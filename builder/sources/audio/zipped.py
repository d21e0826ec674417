"""A saved site that was packed as a .zip: unpacked for as long as it is read."""

import contextlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError

# Broken, packed in a way that Python can't read, encrypted, no room for it.
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError)
ADDED = "__MACOSX"  # a folder that macOS puts beside what was packed


def is_zip(path: Path) -> bool:
    """Whether a --source is a packed site; a folder is none."""
    return path.is_file() and zipfile.is_zipfile(path)


@contextlib.contextmanager
def unpacked(path: Path, work: Path) -> Iterator[Path]:
    """The folder that a .zip holds, for a while; a folder is there anyway.

    Its name is that of the file, or of the one folder in it. What is said of it names the file.
    """
    if not is_zip(path):
        yield path
        return
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as place:
        root = Path(place) / path.stem
        try:
            _unpack(path, root)
        except BROKEN as error:
            raise UserError(
                f"--source {path}: can't be unpacked ({error}); unpack it yourself and give the "
                "folder"
            ) from error
        try:
            yield _innermost(root)
        except UserError as error:
            raise UserError(str(error).replace(str(_innermost(root)), str(path))) from error


def _unpack(path: Path, root: Path) -> None:
    root.mkdir()
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if one.filename.split("/")[0] != ADDED]
        size, free = sum(one.file_size for one in members), shutil.disk_usage(root).free
        if size > free:
            raise OSError(f"{size:,} bytes, and {free:,} are free")
        archive.extractall(root, members)


def _innermost(root: Path) -> Path:
    """The folder that was packed: paths from a site's root begin there."""
    inside = list(root.iterdir())
    return _innermost(inside[0]) if len(inside) == 1 and inside[0].is_dir() else root

"""Places for files: paths of this machine, and what lies on shared storage by its address, such as
`s3://bucket/folder`: all that fsspec knows. Credentials come from the environment alone.
"""

import argparse
import asyncio
import contextlib
import errno
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from core.cli import instead_of, pip_install, writable
from core.errors import UserError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)(.*)")
# Nothing that is listed is remembered: other machines write there too.
OPTIONS: dict[str, Any] = {"use_listings_cache": False}
# How often a request is made that is answered 503 or not at all: for some minutes, ever slower.
S3_OPTIONS = {"config_kwargs": {"retries": {"mode": "standard", "max_attempts": 12}}}
_STORAGE_LIBRARIES = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google",
                      "huggingface_hub"}  # fmt: skip
# What is likely to be meant by a scheme that nobody knows.
USUAL = ("s3", "gs", "hf", "az", "file", "memory")


def place_of(text: str) -> Path:
    """The place that a text names: a path, or what reads like one and lies on shared storage.

    Raises `UserError` for a scheme that nobody knows and for libraries that are missing.
    """
    match = _ADDRESS.match(text)
    if match is None:
        _check_slashes(text)
        return Path(text)
    scheme = match[1].lower()
    if scheme in ("file", "local"):
        return Path(text[match.end() :] if scheme == "file" else text)
    upath = _library(text)
    options = OPTIONS | (S3_OPTIONS if scheme in ("s3", "s3a") else {})
    try:
        place = upath(text, **options)
        place.fs  # noqa: B018 - made now: its library may be missing
    except ImportError as error:
        raise UserError(f"{text}: {error}; {pip_install('storage')}") from None
    except ValueError as error:
        raise _unknown(text, scheme, error) from None
    if not place.path.strip("/"):
        raise UserError(f"{text}: it names no folder; give one, as in {scheme}://bucket/folder")
    return cast(Path, place)


def anywhere(text: str) -> Path:
    """A file or folder that is going to be written, here or on shared storage, as the `type` of an
    option."""
    place = option_place(text)
    return place if is_shared(place) else writable(str(place))


def option_place(text: str) -> Path:
    """A place that is read, as the `type` of an option."""
    try:
        place = place_of(text)
        if is_shared(place) and "s3" in filesystem_of(place)[0].protocol:
            with told(text):
                _check_endpoint()
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return place


def here(text: str) -> Path:
    """A place of this machine that is read, as the `type` of an option."""
    place = option_place(text)
    if is_shared(place):
        raise argparse.ArgumentTypeError(
            f"{text}: this command reads files of this machine; copy it here first, with the "
            "tool of its storage (such as aws s3 sync)"
        )
    return place


def is_shared(place: Path) -> bool:
    """Whether a place lies on shared storage: it has no path of this machine then."""
    return not isinstance(place, Path)


def filesystem_of(place: Path) -> tuple[Any, str]:
    """The fsspec file system of a shared place, and its path there."""
    shared: Any = place
    return shared.fs, shared.path.rstrip("/")


def check(place: Path, option: str) -> None:
    """Raise `UserError` for a place on shared storage that can't be written to; leaves nothing
    there. Other places are fine."""
    if not is_shared(place):
        return
    fs, path = filesystem_of(place)
    with told(f"{option} {place}"):
        fs.pipe_file(f"{path}/.writable", b"")
        fs.rm_file(f"{path}/.writable")


def _check_endpoint() -> None:
    """Raise `OSError` where nobody listens at an endpoint that was named: requests would be made
    for minutes."""
    parts = urlsplit(_endpoint() or "")
    if parts.hostname:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        socket.create_connection((parts.hostname, port), timeout=20).close()


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


@contextlib.contextmanager
def told(place: object) -> Iterator[None]:
    """What storage refuses, as a `UserError` of one line; no request and no key is repeated."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # of this machine's disk
            raise
        raise UserError(f"{place}: {_cure(error)}") from None
    except Exception as error:
        if not isinstance(error, TimeoutError | asyncio.TimeoutError) and not _is_foreign(error):
            raise
        raise UserError(f"{place}: {_cure(error)}") from None


def _is_foreign(error: Exception) -> bool:
    """Whether a library of some storage raised it."""
    return type(error).__module__.split(".")[0] in _STORAGE_LIBRARIES


def _cure(error: BaseException) -> str:
    name, text = type(error).__name__, " ".join(str(error).split())
    if "Credential" in name or "Credential" in text or "InvalidAccessKeyId" in text:
        return (
            "no credentials that count there; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or what its storage asks for"
        )
    if isinstance(error, PermissionError) or "Forbidden" in text or "403" in text:
        return (
            "not allowed there; give the keys of this machine the rights to list, read, write and "
            "delete, or choose a place where they have them"
        )
    if isinstance(error, FileNotFoundError):
        return "not there; make its bucket first, or give one that is"
    if "Connect" in name or "Timeout" in name or isinstance(error, socket.gaierror):
        where = f" at {_endpoint()} (AWS_ENDPOINT_URL)" if _endpoint() else ""
        return f"nobody answers{where} ({name}); check the address and the network, and run again"
    return f"storage did not do it ({name}: {text[:200]}); run again to go on"


@contextlib.contextmanager
def local_copy(place: Path) -> Iterator[Path]:
    """A file or a folder as one of this machine for a while: itself, or a copy of what lies on
    storage."""
    if not is_shared(place):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="lego-arta-") as top:
        copy = Path(top) / place.name
        fs, base = filesystem_of(place)
        with told(place):
            for path in fs.find(base) or [base]:  # of what is not there storage says so
                target = copy / path.removeprefix(base).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(path, str(target))
        yield copy


@contextlib.contextmanager
def uploading(place: Path) -> Iterator[Path]:
    """Give a file of this machine to write; it goes to `place` only if the block succeeds."""
    with tempfile.TemporaryDirectory(prefix="lego-arta-") as folder:
        written = Path(folder) / place.name
        written.touch()
        yield written
        fs, path = filesystem_of(place)
        with told(place):
            fs.put_file(str(written), path)


def parquet(path: Path, **options: Any) -> Any:
    """A Parquet file to read (`pyarrow.parquet.ParquetFile`); of one on storage only what is asked
    for is fetched. Raises `OSError`."""
    import pyarrow.parquet as pq

    if not is_shared(path):
        return pq.ParquetFile(path, **options)
    fs, place = filesystem_of(path)
    return pq.ParquetFile(fs.open(place, "rb", cache_type="none"), pre_buffer=True)


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet file."""
    with parquet(path) as file:
        names: list[str] = file.schema_arrow.names
    return names


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and of those in it, by path."""
    if not is_shared(folder):
        return sorted(path for path in folder.rglob("*") if path.is_file())
    fs, base = filesystem_of(folder)
    with told(folder):
        return sorted(folder / path.removeprefix(base).lstrip("/") for path in fs.find(base))


def sizes_below(folder: Path) -> dict[str, int]:
    """Bytes of all files of a folder and of those in it, by their path in it; raises `UserError`
    where storage does not say."""
    if not is_shared(folder):
        return {p.relative_to(folder).as_posix(): p.stat().st_size for p in files_below(folder)}
    fs, base = filesystem_of(folder)
    with told(folder):
        found = fs.find(base, detail=True)
    return {path.removeprefix(base).lstrip("/"): int(at["size"] or 0) for path, at in found.items()}


def make_folder(folder: Path) -> None:
    """Make a folder and those it lies in; storage has no folders, only files with long names."""
    if not is_shared(folder):
        folder.mkdir(parents=True, exist_ok=True)


def put_over(new: Path, old: Path, marker: str) -> None:
    """Make a folder on storage what another one there is, whose file `marker` says that it is
    whole: it goes first and comes last. The storage copies; nothing is fetched."""
    fs, source = filesystem_of(new)
    _, target = filesystem_of(old)
    with told(old):
        names = [path.removeprefix(source).lstrip("/") for path in fs.find(source)]
        theirs = [path.removeprefix(target).lstrip("/") for path in fs.find(target)]
        if marker in theirs:
            fs.rm_file(f"{target}/{marker}")
        for name in set(theirs) - {*names, marker}:
            fs.rm_file(f"{target}/{name}")
        for name in [*(name for name in names if name != marker), marker]:
            fs.cp_file(f"{source}/{name}", f"{target}/{name}")


@contextlib.contextmanager
def folder_here(out: Path, first: str) -> Iterator[Path]:
    """A folder of this machine to write: `out`, or one whose files go there if the block succeeds,
    in the place of what was there; `first` is the file that people open, which comes last."""
    if not is_shared(out):
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="lego-arta-") as top:
        written = Path(top) / out.name
        yield written
        fs, base = filesystem_of(out)
        names = sorted(sizes_below(written), key=lambda name: (name == first, name))
        with told(out):
            theirs = fs.find(base)
            if f"{base}/{first}" not in theirs:  # by it what is cut off here is known for ours
                names.insert(0, first)
            for name in names:
                fs.put_file(str(written / name), f"{base}/{name}")
            for path in set(theirs) - {f"{base}/{name}" for name in names}:
                fs.rm_file(path)


def remove(place: Path) -> None:
    """Delete a folder and all that is in it, if it is there."""
    if not is_shared(place):
        shutil.rmtree(place, ignore_errors=True)
        return
    fs, path = filesystem_of(place)
    with told(place):
        for file in fs.find(path):
            fs.rm_file(file)


def _check_slashes(text: str) -> None:
    """`s3:/bucket` is a folder called `s3:` to this machine, and a slip."""
    match = _ONE_SLASH.match(text)
    if match and match[1].lower() in USUAL and not Path(f"{match[1]}:").exists():
        raise UserError(f"{text}: an address has two slashes; give {match[1]}://{match[2]}")


def _library(text: str) -> Any:
    try:
        import upath
    except ImportError:
        raise UserError(
            f"{text}: shared storage needs universal-pathlib; {pip_install('storage')}"
        ) from None
    return upath.UPath


def _unknown(text: str, scheme: str, error: ValueError) -> UserError:
    import fsspec

    if scheme in fsspec.available_protocols():
        return UserError(f"{text}: not an address ({' '.join(str(error).split())[:150]})")
    return UserError(f"{text}: nobody knows {scheme}://; {instead_of(scheme, USUAL)}")

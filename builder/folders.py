"""Where things lie under `--work`, and the only ways files are written there.

Folders are numbered in the order of the flow. Every file is written under a temporary name and
renamed, so a name that exists is a file that is whole.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from builder.records import UserError

ROOT = Path(__file__).resolve().parent.parent
DONE = "done"
TEMPORARY = ".tmp"
LIBRARIES = (
    "datasets", "numpy", "opencv-python-headless", "pillow", "pyarrow",
    "scikit-learn", "scipy", "selectolax", "webencodings", "xxhash",
)  # fmt: skip
# Code that no manual's rows depend on: what brings manuals to disk (their bytes are hashed) and
# what happens after all manuals are done. Anything not named here is taken to matter.
NOT_IN_ROWS = (
    "builder/sources/brick", "builder/sources/demo", "builder/sources/saved", "builder/crawl",
    "builder/fetch", "builder/images.py", "builder/make.py", "builder/parallel.py",
    "builder/assemble.py", "builder/card", "builder/probes/", "builder/split.py",
    "builder/stats.py", "builder/validate", "builder/push", "builder/hub.py",
    "builder/command_line.py", "builder/manifest.py",
    "builder/sources/legacy.py", "builder/export/", "builder/croissant.py", "builder/samples.py",
    "builder/recipe.py", "builder/reviews.py",
    # What models say is kept by their identity.
    "builder/annotate/minigpt_v2_",
)  # fmt: skip
IN_ROWS = ("builder/export/parquet.py",)  # nevertheless
DEMO, CRAWL, PARSE, ANNOTATE, TASKS = "0_demo", "1_crawl", "2_parse", "3_annotate", "4_tasks"
ANSWERS = "3_answers"  # of models, by picture and question


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=TEMPORARY, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    # mkstemp makes 0600, but a dataset is for others to read. Now, not later: what the caller puts
    # here may be a hard link, whose mode is its source's too.
    temporary.chmod(0o644)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def place_file(source: Path, path: Path) -> None:
    """Put a copy of `source` at `path` atomically: a hard link if the disk allows, else bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as temporary:
        temporary.unlink()
        try:
            os.link(source.resolve(), temporary)  # the file, not a symlink to it
        except OSError:
            shutil.copyfile(source, temporary)


def sha256(data: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(data).hexdigest()


def stage(folder: Path, fingerprint: str, make: Callable[[Path], None]) -> bool:
    """Bring one manual's stage folder up to date; True when there was something to do.

    `make` fills a temporary folder; the fingerprint of its inputs, options and code is written into
    it last and the folder renamed into place, so a folder that exists is a stage that is done.
    """
    marker = folder / DONE
    if marker.is_file() and marker.read_text() == fingerprint:
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", suffix=TEMPORARY, dir=folder.parent))
    try:
        make(temporary)
        (temporary / DONE).write_text(fingerprint)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return True


@contextlib.contextmanager
def working_in(work: Path) -> Iterator[None]:
    """Hold `work` for one run, and clear away what killed runs left half-written.

    Raises `UserError` when another run holds it.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / ".lock", timeout=0):
            stages = (DEMO, CRAWL, PARSE, ANSWERS, ANNOTATE, TASKS)
            leftovers = [p for name in stages for p in (work / name).rglob(f".*{TEMPORARY}")]
            for leftover in leftovers:
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
            yield
    except filelock.Timeout:
        raise UserError(
            f"--work {work}: another build is running there; wait for it or give another folder"
        ) from None


def fingerprint(*parts: object, everything: bool = False) -> str:
    """Hash of all that a result depends on: the given parts, the code and the libraries.

    A manual's rows do not depend on the modules in NOT_IN_ROWS; `everything` counts them too.
    """
    return sha256("\n".join([code_version(everything), *map(str, parts)]).encode())


@functools.cache
def code_version(everything: bool = True) -> str:
    """Hash of our own code and templates and of the libraries that touch pixels or write files."""
    files = [ROOT / "lego_arta.py", *ROOT.glob("builder/**/*"), *ROOT.glob("synthesis/*")]
    digest = hashlib.sha256()
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        if file.suffix in {".py", ".md", ".json"} and (
            everything or name in IN_ROWS or not name.startswith(NOT_IN_ROWS)
        ):
            digest.update(name.encode() + file.read_bytes())
    digest.update(repr(sorted(library_versions().items())).encode())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries a build's bytes depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}

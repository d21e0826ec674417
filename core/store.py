"""Where things lie under `--work`, and the only ways files are written there.

Folders are numbered in the order of the flow. Every file is written under a temporary name and
renamed, so a name that exists is a file that is whole.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from core.errors import UserError
from core.lease import leased
from core.storage import is_shared, uploading

ROOT = Path(__file__).resolve().parent.parent
DONE = "done"
TEMPORARY = ".tmp"
DEMO, LDRAW = "0_demo", "0_ldraw"
CRAWL, PARSE, ANNOTATE, ROWS = "1_crawl", "2_parse", "3_annotate", "4_tasks"
ANSWERS = "3_answers"  # of models, by picture and question
REWRITTEN = "5_rewritten"  # answers in other words by row id, a file a manual
COLORS_FILE = "colors.json"  # in the folder of a manual's rows


def rewritten_file(work: Path, manual_id: str) -> Path:
    """The answers of a manual's rows that a model has put into other words."""
    return work / REWRITTEN / f"{manual_id}.json"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place only if the block succeeds. What
    goes to shared storage is written here first."""
    if is_shared(path):
        with uploading(path) as written:
            yield written
        return
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
    finally:
        # Also after a success: a rename between two hard links of one file leaves both.
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file atomically, in UTF-8."""
    write_bytes(path, text.encode())


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
    it last and the folder renamed into place, so a folder that exists is a stage that is done. Of
    several attempts at once the first to be done counts; the others take what it left.
    """
    if is_done(folder, fingerprint):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", suffix=TEMPORARY, dir=folder.parent))
    try:
        make(temporary)
        (temporary / DONE).write_text(fingerprint)
        with one_at_a_time(folder):
            if not is_done(folder, fingerprint):
                put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def is_done(folder: Path, fingerprint: str) -> bool:
    """Whether a stage folder is whole and was made from these inputs, options and code."""
    try:
        return (folder / DONE).read_text() == fingerprint
    except OSError:
        return False


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a lock for the moment in which `folder`, or one beside it, is swapped for another.

    The lock lies beside the parent, so that stage folders hold nothing but manuals.
    """
    lock = folder.parent.with_name(f".{folder.parent.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock).acquire(poll_interval=0.005):
        yield


@contextlib.contextmanager
def held(
    lock: Path,
    what: str,
    busy: str = "another build is running there; wait for it or give another folder",
) -> Iterator[None]:
    """Hold a lock file, on shared storage a lease; raises `UserError` about `what` when another run
    holds it."""
    if is_shared(lock):
        with leased(lock, what, busy):
            yield
        return
    try:
        with filelock.FileLock(lock, timeout=0):
            yield
    except filelock.Timeout:
        raise UserError(f"{what}: {busy}") from None


def put_in_place(temporary: Path, folder: Path) -> None:
    """Give `temporary` the name `folder`. An old folder goes as a whole, by a rename, before its
    files are deleted: killed in between, none is left with a marker and half of its files.
    """
    old = temporary.with_name(f".old{temporary.name}")
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def working_in(work: Path) -> Iterator[None]:
    """Hold `work` for one run, and clear away what killed runs left half-written.

    Raises `UserError` when another run holds it.
    """
    work.mkdir(parents=True, exist_ok=True)
    with held(work / ".lock", f"--work {work}"):
        stages = (DEMO, LDRAW, CRAWL, PARSE, ANSWERS, ANNOTATE, ROWS)
        leftovers = [p for name in stages for p in (work / name).rglob(f".*{TEMPORARY}")]
        for leftover in leftovers:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        yield

"""What a crawl keeps on disk, in such an order that a kill at any moment loses nothing whole.

A manual's record is written last and goes before its page changes. What is known of each URL:
while a run lasts, every URL dealt with is appended to a journal; at the end all of it becomes
`report.jsonl`, written atomically, and the journal goes. A journal that is found at the start is
therefore that of a run that was killed, and it is gone on with.
"""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from core.errors import UserError
from core.records import CrawledManual, dump
from core.store import DONE, TEMPORARY, one_at_a_time, place_file, sha256, write_bytes

REPORT, JOURNAL, INCOMING, PAGES = "report.jsonl", ".journal.jsonl", ".incoming", ".pages"
PAGE, RECORD = "page.html", "crawl.json"
# Images that a killed run completed are taken as they are if it died no longer ago than this.
RESUME_WITHIN_S = 24 * 3600
_DISK_CURES = {
    errno.ENOSPC: "make room on this disk and run again: it goes on from here",
    errno.EDQUOT: "make room in this quota and run again: it goes on from here",
    errno.EACCES: "give another folder or the right to write here",
    errno.EPERM: "give another folder or the right to write here",
    errno.EROFS: "give a folder on a disk that can be written",
    errno.EEXIST: "give another folder or move this file away",
    errno.ENOTDIR: "give another folder or move this file away",
}


class Entry(msgspec.Struct, frozen=True):
    """A line of the report: a URL, how asking for it went in this run, and what we have of it.

    `bytes` and `attempts` are this run's. `code` is the hash of the code that looked at an image;
    what other code saw in it does not count. `file` is relative to the crawl folder; it is set with
    an error too where asking again failed for now and the earlier copy is kept.
    """

    url: str
    kind: str  # robots, listing, set, manual, image
    status: int | None = None
    bytes: int = 0
    sha256: str | None = None
    error: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    attempts: int = 0
    final_url: str | None = None
    file: str | None = None
    size_bytes: int = 0
    size_wh: tuple[int, int] | None = None
    # Of the Content-Type header; "" where it names none, null where nobody has looked yet.
    charset: str | None = None
    code: str | None = None
    # When the server last said that this is what it has, and for how long it asked nobody to ask.
    checked_at_s: float | None = None
    max_age_s: int | None = None


class Journal:
    """The open journal of a run, `entries` by URL, and the URLs a killed run had `resumed`."""

    def __init__(self, file: BinaryIO, entries: dict[str, Entry], resumed: set[str]) -> None:
        self.file, self.entries, self.resumed = file, entries, resumed
        self.done: set[str] = set()  # URLs dealt with in this run
        self._before = {url: entry.sha256 for url, entry in entries.items()}

    def note(self, entry: Entry) -> None:
        """Keep the last word on a URL, in one write: a kill tears at most the last line."""
        line = msgspec.json.encode(entry) + b"\n"
        if self.file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.entries[entry.url] = entry
        self.done.add(entry.url)

    def has_changed(self, entry: Entry) -> bool:
        """Whether this run found other bytes at a URL than an earlier one, or the first."""
        return entry.sha256 is not None and entry.sha256 != self._before.get(entry.url)


@contextlib.contextmanager
def open_journal(crawl_dir: Path) -> Iterator[Journal]:
    """The journal of a run, held against a second run in the same folder."""
    path = crawl_dir / JOURNAL
    with path.open("ab", buffering=0) as file:
        _lock(file, crawl_dir)
        entries = {entry.url: entry for entry in _read(crawl_dir / REPORT)}
        left = list(_read(path))
        recent = time.time() - path.stat().st_mtime < RESUME_WITHIN_S
        entries.update((entry.url, entry) for entry in left)
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # a torn line must not spoil the next one
        yield Journal(file, entries, {entry.url for entry in left} if recent else set())


def write_report(crawl_dir: Path, journal: Journal) -> None:
    """Write the report of all that is known, sorted by URL."""
    entries = sorted(journal.entries.values(), key=lambda entry: entry.url)
    write_bytes(
        crawl_dir / REPORT, b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    )


def finish_manual(folder: Path, record: CrawledManual, page: Path | bytes) -> None:
    """Make a manual whole: its page, then its record, then no file that it does not name.

    What has not changed is not written again. The old record goes before the page changes, so
    no reader ever finds a record beside a page it does not belong to. Two attempts at one manual
    take turns here; the second finds nothing to change.
    """
    data, target, page_file = dump(record), folder / RECORD, folder / record.page_file
    named = {image.file for image in record.images}
    with one_at_a_time(folder):
        if not (page_file.is_file() and sha256(page_file.read_bytes()) == record.page_sha256):
            target.unlink(missing_ok=True)
            if isinstance(page, bytes):
                write_bytes(page_file, page)
            else:
                place_file(page, page_file)
        if not (target.is_file() and target.read_bytes() == data):
            (folder / DONE).unlink(missing_ok=True)  # it spoke of the old record
            write_bytes(target, data)
        for file in list(folder.glob("images/*")):
            if f"images/{file.name}" not in named and file.suffix != TEMPORARY:
                file.unlink(missing_ok=True)


def sweep(crawl_dir: Path) -> None:
    """Remove what a killed run left half-written."""
    shutil.rmtree(crawl_dir / INCOMING, ignore_errors=True)
    for pattern in (".*.tmp", "*/.*.tmp", "*/images/.*.tmp"):
        for file in list(crawl_dir.glob(pattern)):
            file.unlink(missing_ok=True)


def close(crawl_dir: Path, journal: Journal) -> None:
    """End a run that went through: only what the report names stays."""
    shutil.rmtree(crawl_dir / INCOMING, ignore_errors=True)
    named = {entry.file for entry in journal.entries.values()}
    for file in list(crawl_dir.glob(f"{PAGES}/*")):
        if f"{PAGES}/{file.name}" not in named:
            file.unlink()
    (crawl_dir / JOURNAL).unlink()


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn a full or forbidden disk into a `UserError`."""
    try:
        yield
    except OSError as err:
        cure = _DISK_CURES.get(err.errno or 0)
        if cure is None:
            raise
        what = err.filename2 or err.filename or folder  # of a copy, the place it goes to
        raise UserError(f"{what}: {os.strerror(err.errno or 0)}; {cure}") from err


def _read(path: Path) -> Iterator[Entry]:
    """Lines that can be read, with the counts of their run set to 0."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line, type=Entry)
                yield msgspec.structs.replace(entry, bytes=0, attempts=0)


def _lock(file: BinaryIO, crawl_dir: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on this system: two runs at once are then the user's care
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        raise UserError(
            f"{crawl_dir}: another crawl is at work in it; wait for it or give another folder"
        ) from err

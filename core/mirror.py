"""A work folder on shared storage, and the scratch folder of this machine in which it is worked on.

A manual's folder is made in scratch and uploaded, its marker last; who finds the marker finds the
folder whole. The sources' own files are copied down before and up after what changes them.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core import store
from core.storage import filesystem_of, told
from core.store import CRAWL, DONE, TEMPORARY

AT_ONCE = 16  # manuals that are asked for at a time
# Files of one folder at a time: each is held whole in memory until a connection is free.
FILES_AT_ONCE = 4
ATTEMPTS, FETCHING = "attempts", ".fetching-"
# The file of a manual's folder that is uploaded last. What was crawled names all its files and
# their hashes in its record.
_MARKERS = {CRAWL: "crawl.json"}

Wanted = Callable[[str], bool]


def small(name: str) -> bool:
    """Whether a file of a manual's rows holds no pictures: all of these together are few bytes."""
    return not name.endswith((".parquet", ".png"))


def scratch_of(place: Path) -> Path:
    """Where a work folder on shared storage is worked on, if nothing else is said."""
    told_by = hashlib.sha256(str(place).encode()).hexdigest()[:12]
    user = os.getuid() if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"lego-arta-{user}-{told_by}"


@dataclass(frozen=True)
class Mirror:
    """A folder on shared storage, `place`, and one of this machine. Places in it are told from its
    top: `2_parse/<manual id>`."""

    place: Path
    scratch: Path

    @contextlib.contextmanager
    def attempt(self, manual_id: str) -> Iterator["Mirror"]:
        """A scratch folder for one attempt at a manual, which no other attempt sees."""
        parent = self.scratch / ATTEMPTS
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{manual_id}.", suffix=TEMPORARY, dir=parent))
        try:
            crawled = self.scratch / CRAWL / manual_id
            if self.is_current(f"{CRAWL}/{manual_id}"):  # where the command runs
                (folder / CRAWL).mkdir()
                (folder / CRAWL / manual_id).symlink_to(crawled, target_is_directory=True)
            yield Mirror(self.place, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def read(self, name: str) -> bytes | None:
        """A file on the storage; None where it is not there."""
        fs, root = filesystem_of(self.place)
        with told(self.place / name):
            try:
                data: bytes = fs.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None
        return data

    def file(self, name: str) -> bytes:
        """A file of this machine, or else of the storage. Raises `FileNotFoundError`."""
        here = self.scratch / name
        data = here.read_bytes() if here.is_file() else self.read(name)
        if data is None:
            raise FileNotFoundError(2, "not there", str(self.place / name))
        return data

    def is_done(self, folder: str, fingerprint: str) -> bool:
        """Whether a folder on the storage is whole and of these inputs, options and code."""
        return self.read(f"{folder}/{DONE}") == fingerprint.encode()

    def is_current(self, folder: str) -> bool:
        """Whether a folder lies here as it lies on the storage."""
        marker = _marker_of(folder)
        here = self.scratch / folder / marker
        return here.is_file() and here.read_bytes() == self.read(f"{folder}/{marker}")

    def pull(self, folder: str, wanted: Wanted | None = None) -> None:
        """Bring a whole folder here, or those of its files that are wanted."""
        target, marker = self.scratch / folder, _marker_of(folder)
        if self.is_current(folder):
            return
        fs, root = filesystem_of(self.place)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", suffix=TEMPORARY, dir=target.parent))
        try:
            with told(self.place / folder):
                names = _names(fs, f"{root}/{folder}")
                if marker not in names:
                    return
                names = [name for name in names if wanted is None or wanted(name)]
                _get(fs, f"{root}/{folder}", temporary, names)
            with store.one_at_a_time(target):
                if not self.is_current(folder):  # brought by another thread or process since
                    store.put_in_place(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def pull_files(self, names: Sequence[str]) -> None:
        """Bring single files here, which are there."""
        fs, root = filesystem_of(self.place)
        with told(self.place):
            _get(fs, root, self.scratch, names)

    def pull_if_there(self, *names: str) -> None:
        """Bring those of some small files here that are there."""
        fs, root = filesystem_of(self.place)
        with told(self.place):
            found = fs.cat([f"{root}/{name}" for name in names], on_error="return") if names else {}
            for path, data in found.items():
                if isinstance(data, bytes):
                    store.write_bytes(self.scratch / _relative(path, root), data)
                elif not isinstance(data, FileNotFoundError):
                    raise data

    def pull_all(self, folder: str, manual_ids: Iterable[str], wanted: Wanted = small) -> None:
        """Bring what is wanted of many manuals' folders here."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            places = [f"{folder}/{manual_id}" for manual_id in manual_ids]
            list(pool.map(lambda place: self.pull(place, wanted), places))

    def push(self, folder: str) -> None:
        """Upload a whole folder: the old marker goes first, the new one comes last."""
        here, marker = self.scratch / folder, _marker_of(folder)
        ours = [path.relative_to(here).as_posix() for path in _files(here)]
        fs, root = filesystem_of(self.place)
        base = f"{root}/{folder}"
        with told(self.place / folder):
            theirs = _names(fs, base)
            if marker in theirs:
                fs.rm_file(f"{base}/{marker}")
            _put(fs, here, base, [name for name in ours if name != marker])
            for name in set(theirs) - {*ours, marker}:
                fs.rm_file(f"{base}/{name}")
            _put(fs, here, base, [marker])

    def push_all(self, folder: str, manual_ids: Iterable[str]) -> None:
        """Upload those of many manuals' folders that are others on the storage."""

        def push(manual_id: str) -> None:
            if not self.is_current(f"{folder}/{manual_id}"):
                self.push(f"{folder}/{manual_id}")

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(push, manual_ids))

    def send_file(self, name: str) -> None:
        """Upload a file, if it is here and another there."""
        here = self.scratch / name
        if here.is_file() and here.read_bytes() != self.read(name):
            store.write_bytes(self.place / name, here.read_bytes())

    def manuals(self, folder: str) -> list[str]:
        """The manuals that have a folder on the storage."""
        fs, root = filesystem_of(self.place)
        with told(self.place / folder):
            try:
                found = fs.ls(f"{root}/{folder}", detail=True)
            except FileNotFoundError:
                return []
        names = (_name(one) for one in found if one["type"] == "directory")
        return sorted(name for name in names if not name.startswith("."))

    def bring(self, name: str) -> None:
        """Bring those files of a tree here that are not, or are older or of another size. Files
        here get the times of those there."""
        fs, root = filesystem_of(self.place)
        here = self.scratch / name
        with told(self.place / name):
            theirs = _listed(fs, f"{root}/{name}")
            wanted = []
            for relative, (size, changed_s) in theirs.items():
                path = here / relative
                at = path.stat() if path.is_file() else None
                if at is None or at.st_size != size or at.st_mtime < changed_s:
                    wanted.append(relative)
            _get(fs, f"{root}/{name}", here, wanted)
        for relative in wanted:
            os.utime(here / relative, (theirs[relative][1], theirs[relative][1]))

    def send(self, name: str, only_add: bool = False) -> None:
        """Make a tree on the storage what it is here: files that are new, newer or of another size
        are uploaded, those that are gone here are deleted there unless it can `only_add`."""
        fs, root = filesystem_of(self.place)
        here = self.scratch / name
        base = f"{root}/{name}"
        with told(self.place / name):
            theirs = _listed(fs, base)
            ours = {path.relative_to(here).as_posix(): path.stat() for path in _files(here)}
            changed = [
                relative
                for relative, at in ours.items()
                if relative not in theirs
                or theirs[relative][0] != at.st_size
                or theirs[relative][1] < at.st_mtime
            ]
            # Records go before what they speak of changes, and come after it.
            records = [relative for relative in changed if relative.endswith(".json")]
            gone = [*(theirs.keys() - ours.keys()), *(theirs.keys() & set(records))]
            for relative in [] if only_add else gone:
                fs.rm_file(f"{base}/{relative}")
            _put(fs, here, base, sorted(set(changed) - set(records)))
            _put(fs, here, base, records)
            now = _listed(fs, base) if changed else {}
        for relative in changed:
            os.utime(here / relative, (now[relative][1], now[relative][1]))


def _marker_of(folder: str) -> str:
    return _MARKERS.get(folder.split("/")[0], DONE)


def _files(folder: Path) -> list[Path]:
    """Files of a folder, without what is half-written; links to folders are gone into."""
    found = []
    for top, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.endswith(TEMPORARY)]
        found += [Path(top) / name for name in names if not name.endswith((TEMPORARY, ".lock"))]
    return sorted(found)


def _name(info: dict[str, Any]) -> str:
    return str(info["name"]).rstrip("/").rpartition("/")[2]


def _names(fs: Any, base: str) -> list[str]:
    """Files below a folder of the storage, from its top."""
    return sorted(_relative(path, base) for path in fs.find(base))


def _relative(path: str, base: str) -> str:
    return path.rstrip("/").removeprefix(base.rstrip("/")).lstrip("/")


def _listed(fs: Any, base: str) -> dict[str, tuple[int, float]]:
    """Size, and when it was last changed (seconds), of files below a folder of the storage."""
    found = {}
    for path, info in fs.find(base, detail=True).items():
        name = _relative(path, base)
        if name:
            found[name] = (int(info["size"] or 0), _changed_s(fs, path, info))
    return found


def _changed_s(fs: Any, path: str, info: dict[str, Any]) -> float:
    for key in ("LastModified", "mtime", "updated", "created"):
        at = info.get(key)
        if isinstance(at, datetime):
            return at.timestamp()
        if isinstance(at, int | float):
            return float(at)
    return float(fs.modified(path).timestamp())


def _get(fs: Any, base: str, folder: Path, names: Sequence[str]) -> None:
    """Download files; each appears under its name when it is whole."""
    if not names:
        return
    with tempfile.TemporaryDirectory(TEMPORARY, FETCHING, _made(folder)) as temporary:
        copies = [str(Path(temporary) / str(number)) for number in range(len(names))]
        fs.get([f"{base}/{name}" for name in names], copies, batch_size=FILES_AT_ONCE)
        for copy, name in zip(copies, names, strict=True):
            _made((folder / name).parent)
            Path(copy).replace(folder / name)


def _put(fs: Any, folder: Path, base: str, names: Sequence[str]) -> None:
    if names:
        ours, theirs = ([f"{top}/{name}" for name in names] for top in (folder, base))
        fs.put(ours, theirs, batch_size=FILES_AT_ONCE)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

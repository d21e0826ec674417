"""What a push would change: a build's files against those on the Hub. No network here."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from core.build import MANIFEST, Manifest, file_sha256
from core.names import SPLITS
from tasks import TASKS


class LocalFile(NamedTuple):
    """A file of the build."""

    path: Path
    size_bytes: int
    sha256: str


class LfsInfo(Protocol):
    """What the Hub knows of a large file."""

    @property
    def sha256(self) -> str: ...


class RemoteFile(Protocol):
    """A file as the Hub lists it (`huggingface_hub.RepoFile`)."""

    size: int
    blob_id: str

    @property
    def lfs(self) -> LfsInfo | None: ...


@dataclass(frozen=True)
class Plan:
    """Paths by what happens to them, each with its bytes."""

    added: dict[str, int]
    changed: dict[str, int]
    deleted: dict[str, int]
    kept: int

    @property
    def is_empty(self) -> bool:
        """Whether the Hub has it all already."""
        return not (self.added or self.changed or self.deleted)

    def lines(self) -> list[str]:
        """The plan for people: files added, changed, deleted, bytes."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.deleted))
        files = [f"{s} {p}  {n:,} bytes" for s, group in signs for p, n in sorted(group.items())]
        number = sum(self.added.values()) + sum(self.changed.values())
        return [
            *files,
            f"{len(self.added)} added, {len(self.changed)} changed, {len(self.deleted)} deleted, "
            f"{self.kept} as they are; {number:,} bytes to publish",
        ]


def local_files(out: Path, manifest: Manifest) -> dict[str, LocalFile]:
    """The files of a validated build by their path in it, the manifest itself among them."""
    files = {
        name: LocalFile(out / name, entry["bytes"], entry["sha256"])
        for name, entry in manifest["files"].items()
    }
    own = out / MANIFEST
    files[MANIFEST] = LocalFile(own, own.stat().st_size, file_sha256(own))
    return files


def make_plan(
    local: Mapping[str, LocalFile],
    remote: Mapping[str, RemoteFile],
    earlier: Mapping[str, str],
) -> Plan:
    """Compare. `earlier` is path -> sha256 of the build that lies on the Hub, from its manifest:
    what only that build had is deleted, anything else on the Hub is left alone.
    """
    changed = {n for n in local.keys() & remote.keys() if not is_same(local[n], remote[n])}
    deleted = (earlier.keys() & remote.keys()) - local.keys()
    return Plan(
        {n: local[n].size_bytes for n in local.keys() - remote.keys()},
        {n: local[n].size_bytes for n in changed},
        {n: remote[n].size for n in deleted},
        len(local.keys() & remote.keys()) - len(changed),
    )


def is_same(local: LocalFile, remote: RemoteFile) -> bool:
    """Whether the Hub has this very content."""
    if local.size_bytes != remote.size:
        return False
    if remote.lfs is not None:
        return remote.lfs.sha256 == local.sha256
    data = local.path.read_bytes()  # small, or it would be LFS
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == remote.blob_id


def foreign_shards(
    local: Mapping[str, LocalFile], remote: Mapping[str, RemoteFile], earlier: Mapping[str, str]
) -> list[str]:
    """Files on the Hub that are nobody's build but would be read as part of ours."""
    # Rows in a format lie in folders that begin like their config's.
    shard = re.compile(rf"data/({'|'.join(TASKS)})(_[a-z]+)?/({'|'.join(SPLITS)})-.*")
    return sorted(n for n in remote.keys() - local.keys() - earlier.keys() if shard.fullmatch(n))

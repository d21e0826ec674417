"""What the loopback Hub remembers: users, repositories, commits, branches, files by content.

A commit is a whole tree; a branch is the name of a commit and moves in one assignment, as on the
Hub. Files lie on disk under their sha256, so a gigabyte costs no memory.
"""

import base64
import dataclasses
import fnmatch
import hashlib
import json
import secrets
import threading
import time
from pathlib import Path

REGULAR_LIMIT = 10 * 2**20  # larger files must be LFS, whatever .gitattributes says
# The patterns of a new dataset repository, as far as they matter here.
LFS_PATTERNS = ("*.parquet", "*.zip", "*.bin", "*.jpg", "*.jpeg", "*.png", "*.webp", "*.tar")
GITATTRIBUTES = "".join(f"{p} filter=lfs diff=lfs merge=lfs -text\n" for p in LFS_PATTERNS)


class HubError(Exception):
    """An answer that is not 200; `code` is the Hub's X-Error-Code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclasses.dataclass(frozen=True)
class User:
    """Who a token belongs to. `role` is the token's: read or write."""

    name: str
    orgs: tuple[str, ...] = ()
    role: str = "write"


@dataclasses.dataclass(frozen=True)
class Blob:
    """A file of a commit. `oid` is git's name of it (of the pointer file, for LFS)."""

    sha256: str
    size: int
    lfs: bool
    oid: str

    @property
    def remote_oid(self) -> str:
        """What preupload calls the file: sha256 for LFS, git's name otherwise."""
        return self.sha256 if self.lfs else self.oid


@dataclasses.dataclass(frozen=True)
class Commit:
    """A whole tree and where it came from."""

    oid: str
    parent: str | None
    title: str
    author: str
    files: dict[str, Blob]
    time_s: float = dataclasses.field(default_factory=time.time)


@dataclasses.dataclass
class Pull:
    """A pull request: its commits lie on refs/pr/`num`."""

    num: int
    title: str
    author: str
    status: str = "open"


@dataclasses.dataclass
class Repo:
    """One dataset repository. `refs` maps branch names and refs/pr/N to commits."""

    name: str
    private: bool
    refs: dict[str, str] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    commits: dict[str, Commit] = dataclasses.field(default_factory=dict)
    pulls: list[Pull] = dataclasses.field(default_factory=list)
    uploaded: set[str] = dataclasses.field(default_factory=set)  # LFS objects, by sha256

    def commit(self, revision: str) -> Commit:
        """The commit a branch, tag, pull request or full id names."""
        name = revision.removeprefix("refs/heads/")
        oid = self.refs.get(name) or self.tags.get(name) or name
        if oid not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def put(self, ref: str, parent: Commit | None, title: str, author: str, files: dict) -> Commit:
        """A new commit, and `ref` moved to it: the only place where anything becomes visible."""
        tree = sorted((path, blob.oid) for path, blob in files.items())
        parent_oid = parent.oid if parent else None
        text = json.dumps([parent_oid, title, tree, secrets.token_hex(8)])
        commit = Commit(_sha1(text.encode()), parent_oid, title, author, dict(files))
        self.commits[commit.oid] = commit
        self.refs[ref] = commit.oid
        return commit

    def history(self, revision: str) -> list[Commit]:
        """Commits from a revision back to the first."""
        commits = [self.commit(revision)]
        while commits[-1].parent:
            commits.append(self.commits[commits[-1].parent])
        return commits


class Store:
    """Everything; `lock` is held while anything changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "incoming").mkdir(parents=True, exist_ok=True)
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.lock = threading.RLock()

    # Contents --------------------------------------------------------------------------------

    def object_path(self, sha256: str) -> Path:
        """Where a file of this content lies, if it is there."""
        return self.folder / sha256

    def add_content(self, data: bytes) -> Blob:
        """Keep a small file; returns its regular blob."""
        digest = hashlib.sha256(data).hexdigest()
        self.object_path(digest).write_bytes(data)
        return Blob(digest, len(data), False, git_oid(data))

    def lfs_blob(self, repo: Repo, sha256: str, size: int) -> Blob:
        """The blob of an object uploaded to a repository; refuses what is not there."""
        path = self.object_path(sha256)
        if sha256 not in repo.uploaded or path.stat().st_size != size:
            raise HubError(400, f"lfs object {sha256} has not been uploaded")
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return Blob(sha256, size, True, git_oid(pointer.encode()))

    # Repositories ----------------------------------------------------------------------------

    def create(self, name: str, private: bool, user: User | None) -> Repo:
        """A new repository with its first commit; 403 outside the user's namespaces."""
        user = self.writer(user)
        namespace = name.split("/")[0]
        if namespace not in (user.name, *user.orgs):
            message = (
                f"You don't have the rights to create a dataset under the namespace {namespace}"
            )
            raise HubError(403, message)
        with self.lock:
            if name in self.repos:
                raise HubError(409, "You already created this dataset repo")
            repo = Repo(name, private)
            first = {".gitattributes": self.add_content(GITATTRIBUTES.encode())}
            repo.put("main", None, "initial commit", user.name, first)
            self.repos[name] = repo
        return repo

    def repo(self, name: str, user: User | None) -> Repo:
        """A repository this user may read."""
        repo = self.repos.get(name)
        if repo is None or (repo.private and not self.owns(name, user)):
            # Strangers are not told whether it exists.
            raise HubError(401 if user is None else 404, "Repository not found", "RepoNotFound")
        return repo

    def owns(self, name: str, user: User | None) -> bool:
        """Whether the repository is in one of the user's namespaces."""
        return user is not None and name.split("/")[0] in (user.name, *user.orgs)

    def writer(self, user: User | None, name: str | None = None) -> User:
        """The user, if the token may write (and write to this repository)."""
        if user is None:
            raise HubError(401, "Invalid username or password.")
        if user.role != "write" or (name is not None and not self.owns(name, user)):
            raise HubError(403, "Forbidden: pass a token with write rights to this repository")
        return user

    def apply(
        self, repo: Repo, ref: str, header: dict, changes: list[dict], author: str, create_pr: bool
    ) -> tuple[Commit, Pull | None]:
        """One commit on a branch, or on a new pull request: all of it, or nothing."""
        with self.lock:
            if ref not in repo.refs:
                raise HubError(404, f"Invalid rev id: {ref}", "RevisionNotFound")
            head = repo.commit(ref)
            asked = header.get("parentCommit")
            if asked and not create_pr and not head.oid.startswith(asked):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            base = repo.commit(asked) if asked and create_pr else head
            files = self._changed(repo, base.files, changes)
            pull = None
            if create_pr:
                pull = Pull(len(repo.pulls) + 1, header["summary"], author)
                repo.pulls.append(pull)
                ref = f"refs/pr/{pull.num}"
            return repo.put(ref, base, header["summary"], author, files), pull

    def _changed(self, repo: Repo, files: dict[str, Blob], changes: list[dict]) -> dict[str, Blob]:
        files = dict(files)
        for change in changes:
            value, path = change["value"], change["value"]["path"]
            match change["key"]:
                case "file":
                    files[path] = self.add_content(base64.b64decode(value["content"]))
                case "lfsFile":
                    files[path] = self.lfs_blob(repo, value["oid"], value["size"])
                case "deletedFile":
                    if files.pop(path, None) is None:
                        raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
                case "deletedFolder":
                    files = {
                        p: b for p, b in files.items() if not p.startswith(path.rstrip("/") + "/")
                    }
                case other:
                    raise HubError(400, f"unknown operation {other}")
        return files


def wants_lfs(path: str, size: int) -> bool:
    """What preupload decides for a file."""
    return size > REGULAR_LIMIT or any(fnmatch.fnmatch(path.lower(), p) for p in LFS_PATTERNS)


def git_oid(data: bytes) -> str:
    """git's name of a file."""
    return _sha1(b"blob %d\0" % len(data) + data)


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()

"""What lies on the Hub before and after a push: the branch, the build on it, pull requests."""

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

from builder.publish.hub import Hub
from builder.publish.options import MAIN
from builder.publish.plan import LocalFile, make_plan
from core.build import DATASET_NAME, MANIFEST, Manifest, rows_of
from core.errors import UserError
from lego_arta import SPLITS

LOADER = Path(__file__).with_name("loader.py")


@dataclass(frozen=True)
class Remote:
    """The branch as it was found. `head` is None while the repository does not exist."""

    head: str | None
    branch_exists: bool
    files: dict[str, Any]
    earlier: dict[str, str]  # path -> sha256 of the build that lies there


NOTHING = Remote(None, False, {}, {})


def look(hub: Hub, revision: str, private: bool, branch_needed: bool) -> Remote:
    """What lies on the branch now; of a branch that is not there yet, what lies on main."""
    branch_exists = True
    try:
        info = hub.dataset(revision)
    except RevisionNotFoundError:
        if branch_needed:
            raise
        info, branch_exists = hub.dataset(MAIN), False
    if info is None:
        _check_namespace(hub)
        return NOTHING
    if private and not info.private:
        raise UserError(
            f"{hub.repo_id}: --private, but the repository is public; make it private in its "
            "settings, or push without --private"
        )
    files = hub.files(info.sha)
    return Remote(info.sha, branch_exists, files, _earlier(hub, info.sha) if files else {})


def _check_namespace(hub: Hub) -> None:
    account, namespace = hub.call(hub.api.whoami), hub.repo_id.split("/")[0]
    own = [account["name"], *(org["name"] for org in account.get("orgs", []))]
    if namespace not in own:
        raise UserError(
            f"{hub.repo_id}: there is no such repository, and {namespace} is none of your "
            f"namespaces ({', '.join(own)}); look at --repo-id and the token"
        )


def _earlier(hub: Hub, commit: str) -> dict[str, str]:
    """path -> sha256 of the build at a commit; empty when there is none of ours."""
    try:
        data = hub.read(MANIFEST, commit)
        manifest = json.loads(data)
        if manifest["dataset"] != DATASET_NAME:
            return {}
        files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    except (EntryNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {**files, MANIFEST: hashlib.sha256(data).hexdigest()}


def was_edited(hub: Hub, name: str, remote: Remote) -> bool:
    """Whether a file on the Hub is not what the last build put there."""
    there, sha256 = remote.files[name], remote.earlier.get(name)
    if sha256 is None:
        return True
    if name == MANIFEST:
        return False  # it says so itself
    if there.lfs is not None:
        return bool(there.lfs.sha256 != sha256)
    return hashlib.sha256(hub.read(name, str(remote.head))).hexdigest() != sha256


def branches_and_tags(hub: Hub) -> tuple[dict[str, str], dict[str, str]]:
    """Commit by name of the repository's branches, and of its tags."""
    refs = hub.api.list_repo_refs(hub.repo_id, repo_type="dataset")
    branches, tags = ({ref.name: ref.target_commit for ref in some}
                      for some in (refs.branches, refs.tags))  # fmt: skip
    return branches, tags


def open_pull(
    hub: Hub, local: dict[str, LocalFile], earlier: dict[str, str]
) -> tuple[str, str] | None:
    """(commit, revision) of an open pull request that holds this very build."""
    pulls = hub.call(lambda: list(hub.api.get_repo_discussions(
        hub.repo_id, repo_type="dataset", discussion_type="pull_request",
        discussion_status="open")))  # fmt: skip
    for pull in pulls:
        if pull.git_reference:
            commit = hub.dataset(pull.git_reference).sha
            if make_plan(local, hub.files(commit), earlier).is_empty:
                return commit, pull.git_reference
    return None


@contextlib.contextmanager
def row_loader() -> Iterator[subprocess.Popen[str]]:
    """A process that will load rows as users do; it gets ready while the caller does other work."""
    with subprocess.Popen(
        [sys.executable, str(LOADER)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as loader:  # fmt: skip
        try:
            yield loader
        finally:
            loader.kill()


def read_back(
    hub: Hub,
    local: dict[str, LocalFile],
    manifest: Manifest,
    commit: str,
    loader: subprocess.Popen[str],
) -> None:
    """Compare what the Hub says it has, and load a row of every config as users do."""
    there = hub.files(commit)
    wrong = [
        name
        for name, file in local.items()
        if not _arrived(hub, file, there.get(name), commit, name)
    ]
    if wrong:
        raise UserError(
            f"{hub.repo_id}: commit {commit} was made, but {wrong[0]} is not what was sent; "
            "run again"
        )
    _load_rows(hub, local, manifest, commit, loader)
    size = sum(file.size_bytes for file in local.values())
    print(f"read back: {len(local)} files, {size:,} bytes, every sha256 right; "
          "one row of every config loads")  # fmt: skip


def _arrived(hub: Hub, file: LocalFile, there: Any, commit: str, name: str) -> bool:
    """Whether a file has its size and sha256 on the Hub; of small files the bytes are fetched."""
    if there is None or there.size != file.size_bytes:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == file.sha256)
    return hashlib.sha256(hub.read(name, commit)).hexdigest() == file.sha256


def _load_rows(
    hub: Hub,
    local: dict[str, LocalFile],
    manifest: Manifest,
    commit: str,
    loader: subprocess.Popen[str],
) -> None:
    """Compare the first row of every config with the one that was sent."""
    expected = {}
    for config, splits in rows_of(manifest).items():
        split = next((name for name in SPLITS if splits.get(name)), None)
        if split:
            shard = min(name for name in local if name.startswith(f"data/{config}/{split}-"))
            with pq.ParquetFile(local[shard].path) as file:
                expected[f"{config}:{split}"] = next(
                    file.iter_batches(1, columns=["id"])
                ).to_pylist()[0]["id"]
    printed, errors = loader.communicate(json.dumps([hub.repo_id, commit, *expected]) + "\n")
    if loader.returncode:
        said = (errors.strip().splitlines() or ["no reason given"])[-1][:300]
        raise UserError(
            f"{hub.repo_id}: commit {commit} was made, but `datasets` does not load it: {said}; "
            "run again to look again"
        )
    found = json.loads(printed.splitlines()[-1])
    for name, row_id in expected.items():
        if found[name] != row_id:
            raise UserError(
                f"{hub.repo_id}: commit {commit} was made, but {name} begins with {found[name]} "
                f"there and with {row_id} here; look at the repository's README.md"
            )

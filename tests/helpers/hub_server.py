"""A Hub on loopback: the real HTTP protocol, for the unmodified `huggingface_hub` and `datasets`.

    with serving(folder) as hub:
        hub.store.users["hf_x"] = User("ann", orgs=("lab",))
        ... run a client with environment(hub, "hf_x", home)
        hub.faults.append(Fault("PUT", "/storage/", status=500, times=2))

Dataset repositories only: creation, branches, tags, pull requests, pre-upload, LFS (single and
multi-part, stored on another origin as on the Hub), commits, trees, resolve with ranges. There is
no Xet: `huggingface_hub` 2.4 decides by itself whether it uses it (hf_xet installed, and
HF_HUB_DISABLE_XET not set) and does not fall back when the server has none, so clients of this
server run with HF_HUB_DISABLE_XET=1 and speak LFS. Downloads need nothing of the kind.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml
from hub_http import Connection, Hub
from hub_store import HubError, Repo, wants_lfs
from loopback import running

PAGE = 5  # entries of a tree page; small, so that clients have to turn pages
LICENCES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "other", "unknown"}
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}
TASKS = {"visual-question-answering", "object-detection", "image-classification",
         "image-text-to-text", "image-to-text", "image-segmentation"}  # fmt: skip


ID = r"(?P<repo>[^/]+/[^/]+)"
API = rf"/api/datasets/{ID}"
REV = r"(?P<rev>[^/]+)"


class Handler(Connection):
    """What the Hub's addresses do."""

    # Accounts and repositories ---------------------------------------------------------------

    def whoami(self) -> None:
        user = self.user
        if user is None:
            raise HubError(401, "Invalid username or password.")
        token = {"displayName": "test", "role": user.role}
        orgs = [{"name": org, "type": "org"} for org in user.orgs]
        self.json({"type": "user", "name": user.name, "orgs": orgs,
                   "auth": {"type": "access_token", "accessToken": token}})  # fmt: skip

    def create_repo(self) -> None:
        asked, user = json.loads(self.body()), self.user
        if asked.get("type") != "dataset":
            raise HubError(400, "only dataset repositories here")
        organization = asked.get("organization") or (user.name if user else "")
        name = f"{organization}/{asked['name']}"
        url = f"{self.server.url}/datasets/{name}"
        try:
            self.server.store.create(name, asked.get("visibility") == "private", user)
        except HubError as error:
            if error.status != 409:
                raise
            return self.json({"error": error.message, "url": url}, 409)
        self.json({"url": url, "name": name, "id": name})

    def info(self, repo: str, rev: str = "main") -> None:
        it = self.server.store.repo(repo, self.user)
        commit = it.commit(rev)
        siblings = []
        for path, blob in sorted(commit.files.items()):
            entry: dict[str, Any] = {"rfilename": path}
            if self.query.get("blobs"):
                entry |= {"size": blob.size, "blobId": blob.oid}
                if blob.lfs:
                    entry["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": 130}
            siblings.append(entry)
        self.json({"id": repo, "author": repo.split("/")[0], "sha": commit.oid,
                   "siblings": siblings, "private": it.private, "gated": False,
                   "disabled": False, "downloads": 0, "likes": 0,
                   "tags": [], "lastModified": _iso(commit.time_s)})  # fmt: skip

    def refs(self, repo: str) -> None:
        it = self.server.store.repo(repo, self.user)

        def listed(refs: dict[str, str], prefix: str) -> list[dict]:
            return [{"name": name, "ref": prefix + name, "targetCommit": oid}
                    for name, oid in refs.items()]  # fmt: skip

        branches = {n: o for n, o in it.refs.items() if not n.startswith("refs/")}
        pulls = {n: o for n, o in it.refs.items() if n.startswith("refs/")}
        self.json({"branches": listed(branches, "refs/heads/"), "converts": [],
                   "tags": listed(it.tags, "refs/tags/"),
                   "pullRequests": listed(pulls, "")})  # fmt: skip

    def tag(self, repo: str, rev: str) -> None:
        it, name = self._writable(repo), json.loads(self.body())["tag"]
        if name in it.tags:
            raise HubError(409, f"Tag reference exists already: {name}")
        it.tags[name] = it.commit(rev).oid
        self.json({})

    def branch(self, repo: str, rev: str) -> None:
        asked = json.loads(self.body() or b"{}")
        it = self._writable(repo)
        if rev in it.refs:
            raise HubError(409, f"Reference already exists: refs/heads/{rev}")
        it.refs[rev] = it.commit(asked.get("startingPoint") or "main").oid
        self.json({})

    def commits(self, repo: str, rev: str) -> None:
        it = self.server.store.repo(repo, self.user)
        self.json([{"id": c.oid, "title": c.title, "message": "", "date": _iso(c.time_s),
                    "authors": [{"user": c.author}]} for c in it.history(rev)])  # fmt: skip

    def _writable(self, repo: str) -> Repo:
        it = self.server.store.repo(repo, self.user)
        self.server.store.writer(self.user, repo)
        return it

    # Reading ---------------------------------------------------------------------------------

    def tree(self, repo: str, rev: str, folder: str = "") -> None:
        files = self.server.store.repo(repo, self.user).commit(rev).files
        prefix, recursive = f"{folder}/" if folder else "", self.query.get("recursive") == "true"
        entries: dict[str, dict] = {}
        for path, blob in sorted(files.items()):
            if not path.startswith(prefix):
                continue
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                name = prefix + "/".join(parts[:depth])
                entries.setdefault(
                    name, {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
                )
            if recursive or len(parts) == 1:
                entries[path] = _file_entry(path, blob)
        if folder and not entries:
            raise HubError(404, f"{folder} does not exist on {rev}", "EntryNotFound")
        listed = list(entries.values())
        start = int(self.query.get("cursor", 0))
        headers = {}
        if start + PAGE < len(listed):
            path = self.entry.path
            following = f"{path}?recursive={str(recursive).lower()}&cursor={start + PAGE}"
            headers["Link"] = f'<{self.server.url}{following}>; rel="next"'
        self.json(listed[start : start + PAGE], headers=headers)

    def paths_info(self, repo: str, rev: str) -> None:
        files = self.server.store.repo(repo, self.user).commit(rev).files
        asked = parse_qs(self.body().decode()).get("paths", [])
        self.json([_file_entry(path, files[path]) for path in asked if path in files])

    def resolve(self, repo: str, rev: str, path: str) -> None:
        commit = self.server.store.repo(repo, self.user).commit(rev)
        blob = commit.files.get(path)
        if blob is None:
            raise HubError(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": commit.oid}
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size),
                        "Location": self.server.signed(blob.sha256)}  # fmt: skip
            return self.answer(302, b"", headers)
        headers["ETag"] = f'"{blob.oid}"'
        self.send_file(self.server.store.object_path(blob.sha256), headers)

    # Writing ---------------------------------------------------------------------------------

    def validate_yaml(self) -> None:
        errors = _card_errors(json.loads(self.body())["content"])
        listed = [{"message": text} for text in errors]
        self.json({"errors": listed, "warnings": []}, 400 if listed else 200)

    def preupload(self, repo: str, rev: str) -> None:
        asked = json.loads(self.body())["files"]
        it = self.server.store.repo(repo, self.user)
        if not self.query.get("create_pr"):
            self.server.store.writer(self.user, repo)
        files = it.commit(rev).files
        self.json({"files": [
            {"path": f["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if wants_lfs(f["path"], f["size"]) else "regular",
             "oid": files[f["path"]].remote_oid if f["path"] in files else None}
            for f in asked
        ]})  # fmt: skip

    def lfs_batch(self, repo: str) -> None:
        asked = json.loads(self.body())
        it = self.server.store.repo(repo, self.user)
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        self.json(
            {"transfer": "basic", "objects": [self._lfs_object(it, o) for o in asked["objects"]]}
        )

    def _lfs_object(self, repo: Repo, asked: dict) -> dict:
        oid, size = asked["oid"], asked["size"]
        answer: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        if oid in repo.uploaded:
            return answer
        verify = {"href": f"{self.server.url}/datasets/{repo.name}.git/info/lfs/objects/verify"}
        if size <= self.server.multipart_above:
            upload: dict[str, Any] = {"href": self.server.signed(oid, repo=repo.name)}
        else:
            count = -(-size // self.server.part_bytes)
            parts = {
                str(n): self.server.signed(oid, repo=repo.name, part=n) for n in range(1, count + 1)
            }
            complete = f"{self.server.url}/api/complete_multipart?repo={repo.name}"
            upload = {
                "href": complete,
                "header": {"chunk_size": str(self.server.part_bytes), **parts},
            }
        return {**answer, "actions": {"upload": upload, "verify": verify}}

    def lfs_verify(self, repo: str) -> None:
        asked = json.loads(self.body())
        it = self.server.store.repo(repo, self.user)
        self.server.store.lfs_blob(it, asked["oid"], asked["size"])
        self.json({})

    def put_object(self, oid: str) -> None:
        """Bytes to disk under a passing name; they get theirs only if they hash to it."""
        self._check_signature(oid)
        part = self.query.get("part")
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(
            dir=self.server.store.folder / "incoming", delete=False
        ) as file:
            path = Path(file.name)
            try:
                for data in self.blocks():
                    digest.update(data)
                    file.write(data)
            except BaseException:
                path.unlink()
                raise
        if part is None and digest.hexdigest() != oid:
            path.unlink()
            raise HubError(400, "XAmzContentSHA256Mismatch")
        if part is None:
            self._keep(path, oid)
        else:
            self.server.parts[oid, int(part)] = path
        self.answer(200, headers={"ETag": f'"{digest.hexdigest()[:32]}"'})

    def _keep(self, path: Path, oid: str) -> None:
        path.replace(self.server.store.object_path(oid))
        self.server.store.repos[self.query["repo"]].uploaded.add(oid)

    def complete_multipart(self) -> None:
        asked = json.loads(self.body())
        oid, numbers = asked["oid"], [p["partNumber"] for p in asked["parts"]]
        whole, digest = self.server.store.folder / "incoming" / oid, hashlib.sha256()
        with whole.open("wb") as file:
            for number in numbers:
                data = self.server.parts.pop((oid, number)).read_bytes()
                digest.update(data)
                file.write(data)
        if digest.hexdigest() != oid:
            whole.unlink()
            raise HubError(400, "the parts are not the object")
        self._keep(whole, oid)
        self.json({})

    def get_object(self, oid: str) -> None:
        self._check_signature(oid)
        path = self.server.store.object_path(oid)
        if not path.is_file():
            raise HubError(404, "NoSuchKey")
        self.send_file(path, {"ETag": f'"{oid}"'})

    def _check_signature(self, oid: str) -> None:
        if f"X-Amz-Signature={self.query.get('X-Amz-Signature')}" not in self.server.signed(oid):
            raise HubError(403, "SignatureDoesNotMatch")

    def commit(self, repo: str, rev: str) -> None:
        lines = [json.loads(line) for line in self.body().splitlines() if line.strip()]
        store = self.server.store
        it, create_pr = store.repo(repo, self.user), bool(self.query.get("create_pr"))
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        if not create_pr:
            store.writer(self.user, repo)
        header = next(line["value"] for line in lines if line["key"] == "header")
        changes = [line for line in lines if line["key"] != "header"]
        done, pull = store.apply(it, rev, header, changes, self.user.name, create_pr)
        url = f"{self.server.url}/datasets/{repo}"
        answer = {"success": True, "commitOid": done.oid, "commitUrl": f"{url}/commit/{done.oid}"}
        if pull:
            answer["pullRequestUrl"] = f"{url}/discussions/{pull.num}"
        self.json(answer)

    # Pull requests ---------------------------------------------------------------------------

    def discussions(self, repo: str) -> None:
        pulls = self.server.store.repo(repo, self.user).pulls
        status = self.query.get("status", "all")
        listed = [_discussion(repo, p) for p in pulls if status in ("all", p.status)]
        self.json({"discussions": listed, "count": len(listed), "start": 0})

    def merge(self, repo: str, num: str) -> None:
        self.body()
        it = self._writable(repo)
        pull = it.pulls[int(num) - 1]
        ours, theirs = it.commit("main"), it.commit(f"refs/pr/{num}")
        if ours.oid not in {commit.oid for commit in it.history(f"refs/pr/{num}")}:
            raise HubError(409, "This pull request has conflicts")
        it.put("main", ours, f"{pull.title} (#{num})", pull.author, theirs.files)
        pull.status = "merged"
        self.json({})


ROUTES: list[tuple[str, str, Callable]] = [
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create_repo),
    ("POST", "/api/validate-yaml", Handler.validate_yaml),
    ("GET", API, Handler.info),
    ("GET", rf"{API}/revision/{REV}", Handler.info),
    ("GET", rf"{API}/refs", Handler.refs),
    ("POST", rf"{API}/tag/{REV}", Handler.tag),
    ("POST", rf"{API}/branch/{REV}", Handler.branch),
    ("GET", rf"{API}/commits/{REV}", Handler.commits),
    ("GET", rf"{API}/tree/{REV}(?:/(?P<folder>.+))?", Handler.tree),
    ("POST", rf"{API}/paths-info/{REV}", Handler.paths_info),
    ("POST", rf"{API}/preupload/{REV}", Handler.preupload),
    ("POST", rf"{API}/commit/{REV}", Handler.commit),
    ("GET", rf"{API}/discussions", Handler.discussions),
    ("POST", rf"{API}/discussions/(?P<num>\d+)/merge", Handler.merge),
    ("GET", rf"/datasets/{ID}/resolve/{REV}/(?P<path>.+)", Handler.resolve),
    ("POST", rf"/datasets/{ID}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("POST", rf"/datasets/{ID}\.git/info/lfs/objects/verify", Handler.lfs_verify),
    ("POST", "/api/complete_multipart", Handler.complete_multipart),
    ("PUT", r"/storage/(?P<oid>[0-9a-f]{64})", Handler.put_object),
    ("GET", r"/storage/(?P<oid>[0-9a-f]{64})", Handler.get_object),
]


def _file_entry(path: str, blob: Any) -> dict:
    entry = {"type": "file", "path": path, "oid": blob.oid, "size": blob.size}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 130}
    return entry


def _discussion(repo: str, pull: Any) -> dict:
    return {"title": pull.title, "num": pull.num, "author": {"name": pull.author},
            "createdAt": "2026-01-01T00:00:00.000Z", "status": pull.status, "isPullRequest": True,
            "repo": {"name": repo, "type": "dataset"}}  # fmt: skip


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def _card_errors(content: str) -> list[str]:
    """What the Hub would not take in a card's metadata (the parts we know of)."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    try:
        data = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        return [f"invalid YAML: {error}"]
    if not isinstance(data, dict):
        return ["the metadata is no mapping"]
    errors = []
    if data.get("license", "unknown") not in LICENCES:
        errors.append(f'"license" must be one of {sorted(LICENCES)}')
    errors += [
        f'"task_categories": {t} unknown' for t in set(data.get("task_categories", [])) - TASKS
    ]
    errors += [
        f'"size_categories": {s} unknown' for s in set(data.get("size_categories", [])) - SIZES
    ]
    names = [config.get("config_name") for config in data.get("configs", [])]
    if None in names or len(set(names)) != len(names):
        errors.append('"configs": every one needs a name of its own')
    return errors


Handler.routes = ROUTES


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Hub]:
    """A running Hub that keeps its files in `folder`."""
    with running(Hub(folder, Handler)) as hub:
        yield hub


def environment(hub: Hub, token: str | None, home: Path) -> dict[str, str]:
    """What a client's process needs to talk to this Hub and to no other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    extra = {"HF_TOKEN": token} if token else {}
    return {
        **kept,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        **extra,
    }

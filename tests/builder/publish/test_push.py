"""Pushing a build, against a Hub on loopback: what is published, what users are told, and that no
fault leaves anything half-published.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest
from command import make, tiny_build
from hub_http import Fault, Hub
from hub_server import environment, serving
from hub_store import User
from huggingface_hub import HfApi
from pusher import (
    ANN,
    READER,
    ROOT,
    SECRETS,
    STRANGER,
    Result,
    commits,
    content,
    failed,
    no_secrets,
    ok,
    pushing,
    tree,
)

from builder.publish.hub import Hub as HubClient
from builder.publish.hub import Patience
from builder.publish.plan import LocalFile, make_plan
from core.build import MANIFEST, configs_of
from core.cli import command as cli_command

_numbers = itertools.count()


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """A small build."""
    return tiny_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def other_build(build, tmp_path_factory) -> Path:
    """Another version of it: other bytes in every split of every config."""
    out = tmp_path_factory.mktemp("other") / "lego-arta"
    run = make(*again(build, out), "--split", "paper")
    assert run.returncode == 0, run.stderr
    return out


def again(build: Path, out: Path) -> list[object]:
    """Arguments of the command that builds it once more, from its own stages."""
    return ["--source", build.parent / "site", "--work", build.parent / "w", "--out", out,
            "--workers", 1]  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """One server for all tests; every test has a repository of its own."""
    with serving(tmp_path_factory.mktemp("hub")) as server:
        server.store.users.update(
            {
                ANN: User("ann", ("lab",)),
                READER: User("ann", ("lab",), role="read"),
                STRANGER: User("bob"),
            }
        )
        yield server


@pytest.fixture(scope="module")
def pusher(hub, tmp_path_factory):
    """Pushes to it."""
    with pushing(hub, tmp_path_factory.mktemp("home")) as one:
        yield one


@pytest.fixture
def repo(hub):
    """The name of a repository that nobody has made yet; no fault outlives its test."""
    yield f"lab/lego-arta-{next(_numbers)}"
    left, hub.faults[:] = list(hub.faults), []
    assert left == [], "a fault was never met"


def put_file(hub: Hub, repo: str, path: str, data: bytes | None) -> None:
    """Somebody else commits a file, or deletes one."""
    store, it = hub.store, hub.store.repos[repo]
    head = it.commit("main")
    files = {p: b for p, b in head.files.items() if p != path}
    if data is not None:
        files[path] = store.add_content(data)
    it.put("main", head, "by hand", "carl", files)


# What is published ------------------------------------------------------------------------------


def test_everything_goes_up_in_one_commit_and_is_read_back(build, hub, pusher, repo):
    said = ok(pusher.push(build, "--repo-id", repo, "--tag", "v1.0.0", "--message", "Hello"))
    assert tree(hub, repo) == content(build)
    assert commits(hub, repo) == 1
    assert hub.store.repos[repo].commit("main").title == "Hello"
    assert hub.store.repos[repo].tags == {"v1.0.0": hub.store.repos[repo].refs["main"]}
    assert not hub.store.repos[repo].private
    assert f"read back: {len(content(build))} files" in said
    assert "+ data/state/train-00000-of-00001.parquet" in said
    assert f'load_dataset("{repo}", "state", revision="v1.0.0")' in said


def test_an_unchanged_build_makes_no_commit_and_sends_nothing(build, hub, pusher, repo):
    ok(pusher.push(build, "--repo-id", repo))
    head, start = hub.store.repos[repo].refs["main"], len(hub.log)
    assert "nothing to change" in ok(pusher.push(build, "--repo-id", repo, "--tag", "v2"))
    assert hub.store.repos[repo].refs["main"] == head == hub.store.repos[repo].tags["v2"]
    assert {r.method for r in hub.log[start:] if "/tag/" not in r.path} <= {"GET", "HEAD"}


def test_a_new_build_replaces_the_old_and_leaves_the_files_of_others(
    build, other_build, hub, pusher, repo
):
    ok(pusher.push(build, "--repo-id", repo))
    put_file(hub, repo, "notes/thesis.txt", b"mine")
    # A shard that only the old build has: its manifest names it.
    stale = "data/state/train-00001-of-00002.parquet"
    _add_to_hub_build(hub, repo, stale, b"old rows")
    said = ok(pusher.push(other_build, "--repo-id", repo))
    assert f"- {stale}" in said and "~ README.md" in said
    mine = {"notes/thesis.txt": hashlib.sha256(b"mine").hexdigest()}
    assert tree(hub, repo) == content(other_build) | mine
    assert commits(hub, repo) == 4  # two of them by others


def _add_to_hub_build(hub: Hub, repo: str, path: str, data: bytes) -> None:
    """As if the build that lies on the Hub had had one more file."""
    store, it = hub.store, hub.store.repos[repo]
    head = it.commit("main")
    manifest = json.loads(store.object_path(head.files[MANIFEST].sha256).read_bytes())
    manifest["files"][path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    blob = store.add_content(json.dumps(manifest).encode())
    files = {**head.files, MANIFEST: blob, path: store.add_content(data)}
    it.put("main", head, "an older build", "ann", files)


def test_a_dry_run_shows_the_plan_and_sends_nothing(build, hub, pusher, repo):
    start = len(hub.log)
    said = ok(pusher.push(build, "--repo-id", repo, "--dry-run", token=READER))
    assert re.search(r"\d+ added, 0 changed, 0 deleted", said) and "nothing was sent" in said
    assert {r.method for r in hub.log[start:]} == {"GET"}
    assert repo not in hub.store.repos


def test_a_new_repository_can_be_private_and_a_public_one_is_not_taken_for_it(
    build, hub, pusher, repo
):
    ok(pusher.push(build, "--repo-id", repo, "--private"))
    assert hub.store.repos[repo].private
    hub.store.repos[repo].private = False
    failed(pusher.push(build, "--repo-id", repo, "--private"), "--private", "public")


def test_a_branch_is_made_and_main_stays(build, hub, pusher, repo):
    hub.store.create(repo, False, hub.store.users[ANN])
    said = ok(pusher.push(build, "--repo-id", repo, "--revision", "next/1"))
    assert 'revision="next/1"' in said
    assert tree(hub, repo, "next/1") == content(build) and tree(hub, repo) == {}


def test_a_pull_request_by_somebody_without_write_access(build, hub, pusher, repo):
    hub.store.create(repo, False, hub.store.users[ANN])
    ok(pusher.push(build, "--repo-id", repo, "--create-pr", token=STRANGER))
    assert tree(hub, repo) == {} and tree(hub, repo, "refs/pr/1") == content(build)
    said = ok(pusher.push(build, "--repo-id", repo, "--create-pr", token=STRANGER))
    assert "refs/pr/1 has this build" in said and len(hub.store.repos[repo].pulls) == 1


def test_datasets_loads_and_streams_every_config_from_the_hub(build, hub, pusher, repo, tmp_path):
    ok(pusher.push(build, "--repo-id", repo))
    code = f"""
import json
from datasets import load_dataset
ids = {{}}
for config in {configs_of(build)!r}:
    whole = load_dataset({repo!r}, config)
    for split, rows in load_dataset({repo!r}, config, streaming=True).items():
        assert [row["id"] for row in rows] == whole[split]["id"]
        ids[f"{{config}}/{{split}}"] = list(whole[split]["id"])
    whole["train"][0]["image"].load()
from lego_arta import LegoArta
builder = LegoArta(config_name="state", data_dir={repo!r})
assert [row["id"] for row in builder.as_streaming_dataset(split="test")] == ids["state/test"]
print(json.dumps(ids))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment(hub, None, tmp_path), cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    for name, ids in json.loads(run.stdout.splitlines()[-1]).items():
        table = pq.read_table(sorted(build.glob(f"data/{name}-*")), columns=["id"])
        assert table["id"].to_pylist() == ids


def test_the_main_command_builds_and_pushes(build, hub, repo, tmp_path):
    """`make.py --push`, as the README has it; wrong usage is told before the work begins."""
    arguments = again(build, tmp_path / "lego-arta")
    for wrong in (["--push"], ["--repo-id", repo]):
        run = make(*arguments, *wrong)
        assert run.returncode == 2 and "--repo-id" in run.stderr and not list(tmp_path.iterdir())
    run = subprocess.run(
        [sys.executable, ROOT / "builder/make.py", *map(str, arguments), "--push",
         "--repo-id", repo],
        env=environment(hub, ANN, tmp_path / "home"), capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    no_secrets(Result(0, run.stdout, run.stderr))
    assert tree(hub, repo) == content(build)


def test_no_secret_is_written_anywhere(build, hub, pusher, repo, tmp_path):
    ok(pusher.push(build, "--repo-id", repo))
    places = [*build.parent.rglob("*"), *pusher.home.rglob("*"),
              *(hub.store.object_path(s) for s in tree(hub, repo).values())]  # fmt: skip
    for path in places:
        if path.is_file():
            data = path.read_bytes()
            assert not any(secret.encode() in data for secret in SECRETS), path


@pytest.mark.parametrize(
    "wrong",
    [("--tag", "v 1"), ("--tag", "a..b"), ("--tag", "main"), ("--tag", ""), ("--revision", "a~1"),
     ("--revision", ""), ("--revision", "0" * 40), ("--revision", "next", "--tag", "next"),
     ("--repo-id", "lab/a..b"), ("--repo-id", "lab/ä")],
)  # fmt: skip
def test_names_that_cannot_be_are_refused_before_anything_is_sent(build, hub, pusher, repo, wrong):
    start = len(hub.log)
    result = pusher.push(build, "--repo-id", repo, *wrong)
    assert result.code == 2 and wrong[-2] in result.stderr, result.stderr
    assert len(hub.log) == start and repo not in hub.store.repos


def test_a_tag_is_no_branch_and_a_branch_no_tag(build, hub, pusher, repo):
    hub.store.create(repo, False, hub.store.users[ANN])
    it = hub.store.repos[repo]
    it.tags["v1"] = it.refs["next"] = it.refs["main"]
    start = len(hub.log)
    failed(pusher.push(build, "--repo-id", repo, "--revision", "v1"), "--revision v1", "is a tag")
    failed(pusher.push(build, "--repo-id", repo, "--tag", "next"), "--tag next", "is a branch")
    assert {r.method for r in hub.log[start:]} <= {"GET", "HEAD"} and tree(hub, repo) == {}


def test_what_is_waited_for_is_said_before_the_wait(build, hub, pusher, repo):
    hub.faults.append(Fault("GET", "/whoami", status=503, body="down", times=2))
    result = pusher.push(build, "--repo-id", repo, "--dry-run")
    ok(result)
    lines = result.stderr.splitlines()
    asked = lines.index(f"asking {hub.url}")
    assert f"{hub.url} fails with 503" in lines[asked + 1] and "(try 2 of 4)" in lines[asked + 1]
    assert "asking again in 0 s (try 3 of 4)" in lines[asked + 2]


def test_a_network_that_is_not_there_is_named_at_once(caplog, monkeypatch):
    said: list[int] = []

    def nobody():
        said.append(len(caplog.messages))
        raise httpx2.ConnectError(f"no route, {ANN}")

    monkeypatch.setattr(time, "sleep", lambda s: said.append(-round(s)))
    client = HubClient(HfApi(endpoint="http://nowhere.test"), "a/b", ANN, Patience(tries=3))
    with pytest.raises(httpx2.ConnectError):
        client.call(nobody)
    assert said == [0, -1, 1, -2, 2]  # a line, then the wait
    assert "http://nowhere.test: no route" in caplog.messages[0]
    assert "asking again in 1 s (try 2 of 3)" in caplog.messages[0] and ANN not in caplog.text


# Faults -----------------------------------------------------------------------------------------


class Watch:
    """Looks at a branch all the time; `seen` are the trees that a reader could have got."""

    def __init__(self, hub: Hub, repo: str) -> None:
        self.hub, self.repo, self.seen = hub, repo, set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.is_set():
            if self.repo in self.hub.store.repos:
                self.seen.add(frozenset(tree(self.hub, self.repo).items()))
            time.sleep(0.002)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()


PASSING = {
    "before the upload": [
        Fault("GET", "/whoami", status=429, headers={"Retry-After": "1"}),
        Fault("POST", "/repos/create", lose_answer=True),
        Fault("POST", "/preupload/", status=503),
    ],
    "in the upload": [
        Fault("PUT", "/storage/", status=500, times=2),
        Fault("PUT", "/storage/", cut_after=10_000, times=2),
        Fault("POST", "/objects/batch", status=502, body="bad gateway"),
    ],
    "before the commit": [
        Fault("POST", "/validate-yaml", status=500, body="<html>oops</html>"),
        Fault("POST", "/commit/", status=500),
        Fault("POST", "/commit/", status=409),
    ],
    "in the commit": [
        Fault("POST", "/commit/", cut_after=10_000),
        Fault("POST", "/commit/", wait_s=1.5, lose_answer=True),
    ],
    "after the commit": [
        Fault("GET", "/tree/", status=502, body="bad gateway", times=2),
        Fault("GET", "/resolve/.*README.md", status=500),
        Fault("POST", "/tag/", status=500),
        Fault("GET", "/refs", status=504),
    ],
}


@pytest.mark.parametrize("name", PASSING)
def test_trouble_that_passes_is_survived(name, build, hub, pusher, repo):
    hub.faults.extend(PASSING[name])
    started = time.monotonic()
    with Watch(hub, repo) as watch:
        ok(pusher.push(build, "--repo-id", repo, "--tag", "v1"))
    assert watch.seen <= {frozenset(), frozenset(content(build).items())}
    assert tree(hub, repo) == content(build) and commits(hub, repo) == 1
    assert hub.store.repos[repo].tags == {"v1": hub.store.repos[repo].refs["main"]}
    if name == "before the upload":
        assert time.monotonic() - started > 1, "Retry-After was not heard"


def test_silence_ends_and_a_commit_behind_it_is_found(build, hub, pusher, repo):
    """The Hub commits but says nothing in time; asking again must not commit twice."""
    hub.faults.append(Fault("POST", "/commit/", lose_answer=True, wait_s=3))
    ok(pusher.push(build, "--repo-id", repo, timeout_s=1.5, wait_s=1))
    assert commits(hub, repo) == 1


LASTING = {
    "no token": (None, None, ("no Hub token", "hf auth login")),
    "wrong token": ("hf_wrong_secret", None, ("does not accept the token",)),
    "a token that may only read": (READER, None, ("may only read",)),
    "no write right": (ANN, Fault("POST", "/preupload/", status=403), ("no right to write",)),
    "no write right on commit": (ANN, Fault("POST", "/commit/", status=403), ("no right",)),
    "401 in the middle": (ANN, Fault("POST", "/commit/", status=401), ("does not accept",)),
    "quota": (
        ANN,
        Fault("POST", "/objects/batch", status=403, body='{"error": "Private repository storage '
              'limit reached"}'),
        ("no room",),
    ),
    "payment": (ANN, Fault("POST", "/commit/", status=402), ("no room",)),
    "rate limit": (ANN, Fault("GET", "/refs|/revision/", status=429, times=4), ("too many",)),
    "server errors": (ANN, Fault("GET", "/whoami", status=503, times=4), ("fails with 503",)),
    "commit errors": (ANN, Fault("POST", "/commit/", status=500, times=4), ("fails with 500",)),
    "cut for ever": (ANN, Fault("POST", "/commit/", cut_after=9, times=4), ("run again",)),
    "bad card": (
        ANN,
        Fault("POST", "/validate-yaml", status=400, body='{"errors": [{"message": '
              '"bad licence"}]}'),
        ("bad licence",),
    ),
    "the token is echoed": (
        ANN,
        Fault("GET", "/whoami", status=403, body='{"error": "token hf_ann_secret is bad"}'),
        ("(token) is bad",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def published(build, hub, pusher) -> str:
    """A repository that holds `build`."""
    ok(pusher.push(build, "--repo-id", "lab/published"))
    return "lab/published"


@pytest.mark.parametrize("name", LASTING)
def test_trouble_that_stays_is_one_line_and_changes_nothing(
    name, build, other_build, hub, pusher, published, repo
):
    """The old build stays whole."""
    token, fault, words = LASTING[name]
    hub.faults.extend([fault] if fault else [])
    with Watch(hub, published) as watch:
        failed(pusher.push(other_build, "--repo-id", published, token=token), *words)
    assert watch.seen == {frozenset(content(build).items())} and commits(hub, published) == 1


def test_what_went_up_before_an_error_is_not_sent_again(build, hub, pusher, repo):
    hub.faults.append(Fault("POST", "/commit/", status=500, times=4))
    failed(pusher.push(build, "--repo-id", repo), "fails with 500")
    sent = hub.received("PUT", "/storage/")
    assert sent > 100_000 and tree(hub, repo) == {}
    ok(pusher.push(build, "--repo-id", repo))
    assert hub.received("PUT", "/storage/") == sent and tree(hub, repo) == content(build)


def test_nobody_answers(build, pusher, hub):
    code = "from builder.publish import command as push, hub; import sys; " \
           "sys.exit(push.main(sys.argv[1:], hub.Patience(2, 2, 0.01)))"  # fmt: skip
    # Port 9 of loopback: nobody listens there.
    dead = {**environment(hub, ANN, pusher.home), "HF_ENDPOINT": "http://127.0.0.1:9"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(build), "--repo-id", "lab/x"], env=dead, cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    failed(Result(run.returncode, run.stdout, run.stderr), "127.0.0.1:9", "run again")


def test_a_branch_that_moves_meanwhile_is_never_overwritten(build, other_build, hub, pusher, repo):
    ok(pusher.push(build, "--repo-id", repo))
    hub.faults.append(
        Fault("POST", "/commit/", before=lambda: put_file(hub, repo, "notes.txt", b"meanwhile"))
    )
    failed(pusher.push(other_build, "--repo-id", repo), "somebody else committed", "run again")
    assert tree(hub, repo).keys() == content(build).keys() | {"notes.txt"}
    ok(pusher.push(other_build, "--repo-id", repo))
    assert "notes.txt" in tree(hub, repo)


def test_what_others_wrote_is_not_overwritten(build, other_build, hub, pusher, repo):
    ok(pusher.push(build, "--repo-id", repo))
    put_file(hub, repo, "README.md", b"---\nlicense: mit\n---\n# By hand\n")
    failed(pusher.push(other_build, "--repo-id", repo), "README.md", "--create-pr")
    ok(pusher.push(other_build, "--repo-id", repo, "--create-pr"))
    assert tree(hub, repo, "refs/pr/1") == content(other_build)


@pytest.mark.parametrize("path", ["data/state/train-extra.parquet", "{name}.py"])
def test_what_users_would_load_with_ours_is_an_error(path, build, hub, pusher, repo):
    hub.store.create(repo, False, hub.store.users[ANN])
    put_file(hub, repo, path.format(name=repo.split("/")[1]), b"strange")
    failed(pusher.push(build, "--repo-id", repo), "not part of a build")
    assert commits(hub, repo) == 1


def test_a_tag_is_never_moved(build, other_build, hub, pusher, repo):
    ok(pusher.push(build, "--repo-id", repo, "--tag", "v1"))
    failed(pusher.push(other_build, "--repo-id", repo, "--tag", "v1"), "v1", "another build")
    assert tree(hub, repo) == content(build)
    ok(pusher.push(build, "--repo-id", repo, "--tag", "v1"))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--repo-id"),
        (["--repo-id", "lego-arta"], "ORG/NAME"),
        (["--repo-id", "lab/x", "--create-pr", "--tag", "v1"], "--tag"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, word, build, pusher):
    result = pusher.push(build, *arguments)
    assert result.code == 2 and word in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_a_namespace_that_is_not_ones_own_is_one_line(build, pusher):
    failed(pusher.push(build, "--repo-id", "nobody/lego-arta"), "nobody", "ann, lab")


def test_a_broken_build_is_not_pushed(build, pusher, repo, hub, tmp_path):
    out = tmp_path / "lego-arta"
    shutil.copytree(build, out)
    (out / "README.md").write_text("# Mine\n")
    failed(pusher.push(out, "--repo-id", repo), "README.md", cli_command("validate", out))
    failed(pusher.push(tmp_path, "--repo-id", repo), "not a build")
    assert repo not in hub.store.repos


def test_large_files_go_up_in_parts(build, hub, pusher, repo):
    """Multi-part LFS, which the Hub uses above 5 GB."""
    hub.multipart_above, hub.part_bytes = 20_000, 12_000
    try:
        hub.faults.append(Fault("PUT", "part=2", status=500))
        ok(pusher.push(build, "--repo-id", repo))
    finally:
        hub.multipart_above = 5 * 10**9
    assert tree(hub, repo) == content(build)


# Killed -----------------------------------------------------------------------------------------


def test_killed_at_random_moments_nothing_is_lost(build, other_build, tmp_path):
    """A short run of `python tests/helpers/kill_push.py`."""
    from kill_push import trial

    tally = trial(build, other_build, tmp_path, kills=3, seed=os.getpid())
    assert tally.killed == 3 and tally.lost == 0


# The plan ---------------------------------------------------------------------------------------


def test_plan_of_a_file_by_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"same")
    file = LocalFile(tmp_path / "a", 4, hashlib.sha256(b"same").hexdigest())

    class Remote:
        size, blob_id, lfs = 4, "4c9b0cbe4ea6b1a2d9bd3ce4b8ab3d0d3ee0b5a5", None

    Remote.blob_id = subprocess.run(
        ["git", "hash-object", str(tmp_path / "a")], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert make_plan({"a": file}, {"a": Remote()}, {}).is_empty
    Remote.blob_id = "0" * 40
    assert make_plan({"a": file}, {"a": Remote()}, {}).changed == {"a": 4}
    # Only what an earlier build had is deleted.
    plan = make_plan({}, {"a": Remote(), "b": Remote()}, {"a": "0"})
    assert plan.deleted == {"a": 4} and "1 deleted" in plan.lines()[-1]

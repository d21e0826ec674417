"""Pushes of more files than a commit should have: all of them seen in one moment, or none."""

from pathlib import Path

import pytest
from command import tiny_build
from hub_http import Fault
from hub_server import serving
from hub_store import User
from pusher import ANN, commits, content, failed, ok, pushing, tree

from core.build import MANIFEST

REPO = "lab/lego-arta"
FEW = ("--repo-id", REPO, "--batch-files", "4")


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return tiny_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A Hub and who pushes to it; every test begins with no repository."""
    with serving(tmp_path_factory.mktemp("hub")) as hub:
        hub.store.users[ANN] = User("ann", ("lab",))
        with pushing(hub, tmp_path_factory.mktemp("home")) as pusher:
            yield hub, pusher


@pytest.fixture
def hub_and_pusher(there):
    there[0].store.repos.pop(REPO, None)
    yield there
    assert not there[0].faults


def seen(hub) -> dict[str, str]:
    return tree(hub, REPO)


def test_killed_between_batches_it_goes_on_and_shows_all_at_once(build, hub_and_pusher):
    hub, pusher = hub_and_pusher
    start, looks = len(hub.log), []

    def third_commit() -> bool:
        if REPO in hub.store.repos:
            looks.append(seen(hub))
        return sum("/commit/" in request.path for request in hub.log[start:]) >= 3

    assert pusher.push(build, *FEW, kill_when=third_commit).code < 0
    assert looks and not any(looks), "nothing of it is on main"
    (pull,) = hub.store.repos[REPO].pulls
    before = commits(hub, REPO, "refs/pr/1")
    assert 1 <= before < len(content(build)) / 4
    again = len(hub.log)
    said = ok(pusher.push(build, *FEW))
    assert seen(hub) == content(build) and commits(hub, REPO) == 1, "one commit shows it"
    assert len(hub.store.repos[REPO].pulls) == 1 and pull.status == "merged"
    sent = sum("/commit/" in r.path and r.status == 200 for r in hub.log[again:])
    assert sent == -(-(len(content(build)) - 4 * before) // 4), "what was there is not sent again"
    assert "read back" in said
    assert "nothing to change" in ok(pusher.push(build, *FEW))


def test_lost_answers_of_batches_and_of_the_merge_do_no_harm(build, hub_and_pusher):
    hub, pusher = hub_and_pusher
    hub.faults += [
        Fault("POST", "/commit/", lose_answer=True),
        Fault("POST", "/commit/refs", status=500),
        Fault("POST", "/merge", lose_answer=True),
    ]
    ok(pusher.push(build, *FEW))
    assert seen(hub) == content(build)
    assert len(hub.store.repos[REPO].pulls) == 1 and commits(hub, REPO) == 1


def test_a_pull_request_is_left_open_when_asked_for(build, hub_and_pusher):
    hub, pusher = hub_and_pusher
    ok(pusher.push(build, *FEW, "--create-pr"))
    assert seen(hub) == {} and tree(hub, REPO, "refs/pr/1") == content(build)
    assert hub.store.repos[REPO].pulls[0].status == "open"


def test_who_commits_meanwhile_is_told_of_and_branches_are_refused(build, hub_and_pusher):
    hub, pusher = hub_and_pusher

    def somebody() -> None:
        it = hub.store.repos[REPO]
        it.put("main", it.commit("main"), "by hand", "carl", it.commit("main").files)

    hub.faults.append(Fault("POST", "/commit/refs", status=500, before=somebody))
    failed(pusher.push(build, *FEW), "somebody else committed", "close pull request 1")
    assert MANIFEST not in seen(hub)
    failed(pusher.push(build, *FEW, "--revision", "next"), "--revision next", "--shard-size")

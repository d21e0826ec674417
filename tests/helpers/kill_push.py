"""kill -9 of the pushing process at random moments: is the branch ever neither old nor new?

    python tests/helpers/kill_push.py BUILD OTHER_BUILD --kills 200

Pushes two builds in turn to a Hub on loopback, kills most pushes somewhere in the middle and looks
at the branch, from start to end, through the store's own eyes; a killed push is run again (and
killed again, sometimes). At the end of every round the branch must be the new build and no large
file may have been received twice.
"""

import argparse
import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hub_http import Hub
from hub_server import serving
from hub_store import User
from pusher import Pusher, pushing

TOKEN, REPO = "hf_ann_secret", "lab/lego-arta"


class Tally(NamedTuple):
    """Rounds, kills that hit a running push, and branches that were neither old nor new."""

    rounds: int
    killed: int
    lost: int
    moments: dict[str, int]


def _content(out: Path) -> frozenset[tuple[str, str]]:
    return frozenset(
        (path.relative_to(out).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in out.rglob("*")
        if path.is_file()
    )


def _visible(hub: Hub) -> frozenset[tuple[str, str]] | None:
    """The branch as readers have it, with every object really there; None without repository."""
    repo = hub.store.repos.get(REPO)
    if repo is None:
        return None
    files = {p: b for p, b in repo.commit("main").files.items() if p != ".gitattributes"}
    for blob in files.values():
        path = hub.store.object_path(blob.sha256)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == blob.sha256
    return frozenset((path, blob.sha256) for path, blob in files.items())


def _last_request(hub: Hub, since: int) -> str:
    """Where a push was when it was killed."""
    asked = [request for request in hub.log[since:] if "/api/agent" not in request.path]
    if not asked:
        return "before the first request"
    name = asked[-1].path.replace(REPO, "")
    for word in ("storage", "verify", "batch", "preupload", "commit", "tree", "resolve", "whoami",
                 "create", "validate-yaml", "revision", "tag", "refs"):  # fmt: skip
        if word in name:
            return f"{asked[-1].method} {word}"
    return name


def trial(first: Path, second: Path, folder: Path, kills: int, seed: int) -> Tally:
    """Kill until `kills` pushes have been hit; returns what came of it."""
    rng = random.Random(seed)
    contents = {path: _content(path) for path in (first, second)}
    killed = lost = rounds = 0
    moments: dict[str, int] = {}
    with serving(folder / "hub") as hub, pushing(hub, folder / "home") as pusher:
        hub.store.users[TOKEN] = User("ann", ("lab",))
        hub.pace_s = 0.05
        requests, usual_s = _usual_push(pusher, hub, first)
        old = contents[first]
        while killed < kills:
            rounds += 1
            build = second if rounds % 2 else first
            # What only the other build has must go up again.
            hub.store.repos[REPO].uploaded &= {digest for _, digest in old}
            since, code = len(hub.log), -9
            while code == -9:
                start = len(hub.log)
                kill_when = None
                if killed < kills and rng.random() < 0.8:
                    kill_when = _moment(hub, rng, requests, usual_s)
                code = pusher.push(build, "--repo-id", REPO, "--tag", f"r{rounds}",
                                   kill_when=kill_when).code  # fmt: skip
                _wait_until_quiet(hub)
                if code == -9:
                    killed += 1
                    name = _last_request(hub, start)
                    moments[name] = moments.get(name, 0) + 1
                lost += _visible(hub) not in (old, contents[build])
            whole = [r.path for r in hub.log[since:] if r.method == "PUT" and r.status == 200]
            lost += code != 0 or _visible(hub) != contents[build] or len(whole) != len(set(whole))
            old = contents[build]
            print(f"{killed} of {kills} kills, {lost} lost", file=sys.stderr)
    return Tally(rounds, killed, lost, moments)


def _wait_until_quiet(hub: Hub) -> None:
    """The killed process's last request may still be at work on the server."""
    size = -1
    while size != (size := len(hub.log) + sum(r.received for r in hub.log)):
        time.sleep(0.03)


def _moment(hub: Hub, rng: random.Random, requests: int, usual_s: float) -> Callable[[], bool]:
    """A random moment: now and then any, mostly a little after some request."""
    start, began = len(hub.log), time.monotonic()
    if rng.random() < 0.2:
        after_s = rng.uniform(0, usual_s)
        return lambda: time.monotonic() - began >= after_s
    last, delay_s = start + rng.randrange(requests), rng.uniform(0, 0.2)
    return lambda: len(hub.log) > last and time.monotonic() - hub.log[last].time_s >= delay_s


def _usual_push(pusher: Pusher, hub: Hub, build: Path) -> tuple[int, float]:
    """Requests of a push up to its commit and a few more, and its seconds. What follows is reading
    back, where nothing can go wrong any more.
    """
    started = time.monotonic()
    result = pusher.push(build, "--repo-id", REPO)
    assert result.code == 0, result.stderr
    commit = next(i for i, request in enumerate(hub.log) if "/commit/" in request.path)
    return commit + 4, time.monotonic() - started


def main() -> int:
    """Command line: 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path, help="a build")
    parser.add_argument("second", type=Path, help="another build")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        tally = trial(options.first.resolve(), options.second.resolve(), folder, options.kills,
                      options.seed)  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{tally.killed} pushes killed in {tally.rounds} rounds, {tally.lost} lost")
    for name, number in sorted(tally.moments.items(), key=lambda item: -item[1]):
        print(f"  {number:4d} killed after {name}")
    return 1 if tally.lost else 0


if __name__ == "__main__":
    sys.exit(main())

"""Push a large build to a Hub on loopback: wall time against a bare copy and hash, and memory.

The build is the demo's with every picture replaced by noise, which nothing can pack, so two copies
of every row are a gigabyte.
"""

import hashlib
import http.client
import shutil
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pyarrow.parquet as pq
from hub_http import Hub
from hub_server import serving
from hub_store import User
from pusher import pushing

from builder.command import main as build
from builder.release import validate
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions
from core.build import file_sha256, manifest_of
from core.errors import UserError
from core.parquet import write_piece
from core.pictures.media import encode
from core.store import ROWS
from tasks import TASKS

REPO, TOKEN = "lab/lego-arta", "hf_bench_secret"


def noisy_build(folder: Path, copies: int) -> Path:
    """A build that keeps every invariant and is as large as its pictures have pixels."""
    work = folder / "work"
    if build(["--limit", "2", "--work", str(work), "--out", str(folder / "demo")]):
        raise UserError("the demo could not be built")
    manuals = sorted(path.name for path in (work / ROWS).iterdir())
    rng = np.random.default_rng(42)
    for manual in manuals:
        tasks = work / ROWS / manual
        index = {}
        for config in TASKS:
            rows = pq.read_table(tasks / f"{config}.parquet").to_pylist()
            noisy = (_noisy(row, copy, rng) for copy in range(copies) for row in rows)
            index[config] = write_piece(tasks / "new.parquet", config, noisy)
            (tasks / "new.parquet").replace(tasks / f"{config}.parquet")
        (tasks / "index.json").write_bytes(msgspec.json.encode(index))
    assemble(manuals, BuildOptions(work), AssembleOptions(folder / "lego-arta", "demo"))
    return folder / "lego-arta"


def _noisy(row: dict, copy: int, rng: np.random.Generator) -> dict:
    data = encode(rng.integers(0, 256, (720, 960, 3), np.uint8), "png")
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.png"
    named = {"id": f"{row['id']}{copy}", "image": {"bytes": data, "path": name}}
    group = {"group_id": f"{row['group_id']}{copy}"} if "group_id" in row else {}
    return {**row, **named, **group}


def bare_copy_and_hash(build: Path, target: Path) -> float:
    """Seconds to copy the build's files and hash what was copied."""
    started = time.perf_counter()
    for path in sorted(build.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(build)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            file_sha256(copy)
    return time.perf_counter() - started


def bare_upload(build: Path, hub: Hub, repo: str) -> float:
    """Seconds to send the build's shards to the Hub's storage one by one, their hashes known, and
    nothing else: what HTTP costs here, with the hash that the server makes.
    """
    files = (manifest_of(build) or {})["files"]
    shards = {name: entry["sha256"] for name, entry in files.items() if name.endswith(".parquet")}
    started = time.perf_counter()
    for name, digest in sorted(shards.items()):
        path, address = build / name, urlsplit(hub.signed(digest, repo=repo))
        connection = http.client.HTTPConnection(address.netloc, blocksize=2**20)
        with path.open("rb") as file:
            connection.request("PUT", f"{address.path}?{address.query}", file)
            answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
    return time.perf_counter() - started


def measure(build: Path, folder: Path, rounds: int) -> None:
    """Push `build` into a new repository `rounds` times, each beside a bare copy."""
    size = sum(path.stat().st_size for path in build.rglob("*") if path.is_file())
    started = time.perf_counter()
    assert not list(validate.violations(build))
    checking_s = time.perf_counter() - started
    bare, http_s, push, sent, peak = [], [], [], [], 0
    for number in range(rounds):
        bare.append(bare_copy_and_hash(build, folder / "copy"))
        shutil.rmtree(folder / "copy")
        with serving(folder / "hub") as hub, pushing(hub, folder / "home") as pusher:
            hub.store.users[TOKEN] = User("ann", ("lab",))
            started = time.perf_counter()
            result = pusher.push(build, "--repo-id", f"{REPO}{number}", token=TOKEN)
            assert result.code == 0, result.stderr
            push.append(time.perf_counter() - started)
            asked = [request.time_s for request in hub.log]
            sent.append(asked[-1] - next(r.time_s for r in hub.log if "/whoami" in r.path))
            peak = max(peak, result.peak_bytes)
            http_s.append(bare_upload(build, hub, f"{REPO}{number}"))
        shutil.rmtree(folder / "hub")
    print(f"\na build of {size / 1e9:.2f} GB, best of {rounds}")
    for what, seconds in (
        ("bare copy and hash", bare),
        ("bare HTTP upload", http_s),
        ("plan, upload, commit, read", sent),
    ):
        print(f"{what:<28} {min(seconds):7.2f} s   {min(seconds) / min(bare):.2f} x bare")
    print(f"{'the whole push':<28} {min(push):7.2f} s   of it checking {checking_s:.2f} s")
    print(f"peak memory of the push      {peak / 2**20:7.0f} MiB")


def main(copies: int, rounds: int) -> None:
    """Measure in a folder that goes again."""
    folder = Path(tempfile.mkdtemp())
    try:
        measure(noisy_build(folder, copies), folder, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

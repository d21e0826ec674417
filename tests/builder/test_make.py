"""The command end to end: what a user of the demo gets and gets told, and, on a tiny site,
determinism, resuming and adding manuals.
"""

import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from command import TINY, make, one_line_error, tiny_build, tiny_site
from faulty_server import listing_html
from outside import ROOT

from builder.release import validate
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions
from core import store
from core.build import MANIFEST


def parquet_hashes(out: Path) -> dict[str, str]:
    """sha256 of every shard by its name in the build."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.glob("data/*/*.parquet"))
    }


class Built(NamedTuple):
    """A finished build and its stages; nobody may change it."""

    work: Path
    out: Path

    def again(self, work: Path, out: Path, *more: object) -> subprocess.CompletedProcess:
        """Run the command on its site."""
        return make(*self.arguments(work, out), "--workers", 1, *more)

    def arguments(self, work: Path, out: Path) -> list[object]:
        return ["--source", self.site, "--work", work, "--out", out]

    @property
    def site(self) -> Path:
        return self.out.parent / "site"


@pytest.fixture(scope="module")
def built(demo) -> Built:
    """The demo."""
    return Built(demo / "w", demo / "lego-arta")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Built:
    """A small one, to build it again and compare."""
    out = tiny_build(tmp_path_factory.mktemp("tiny"))
    return Built(out.with_name("w"), out)


def test_report_says_numbers_drops_and_how_to_load(built):
    text = built.out.with_name("said").read_text()
    for item in ("ObjectfindingStep", "AssemblyStep", "AssemblySessions", "Avg States/Session"):
        assert item in text
    assert "left out (state):" in text
    assert f'load_dataset("{built.out}", "state")' in text  # whole: it works from any folder


def test_every_invariant_of_the_build_holds(built):
    assert list(validate.violations(built.out)) == []


def test_counts_follow_the_invariants(built):
    manifest = json.loads((built.out / MANIFEST).read_text())
    numbers = manifest["statistics"]
    assert numbers["object_pairs"] == 4 * numbers["objects"]
    assert numbers["state_pairs"] == 4 * numbers["states"]
    assert numbers["scene_pairs"] == numbers["scenes"] == numbers["assembly_steps"]
    assert numbers["vqa_pairs"] == sum(sum(s.values()) for s in manifest["rows"].values())
    for path, entry in manifest["files"].items():
        assert hashlib.sha256((built.out / path).read_bytes()).hexdigest() == entry["sha256"]


def test_load_dataset_from_the_parent_folder_also_streaming(built, tmp_path):
    """What the README promises, in a fresh process with current `datasets`."""
    code = """
from datasets import load_dataset, get_dataset_config_names
configs = {"scene", "object", "state", "state_balanced", "spatial", "mask"}
assert set(get_dataset_config_names("lego-arta")) == configs
for config in configs:
    whole = load_dataset("lego-arta", config)
    assert set(whole) == {"train", "test"} and min(map(len, whole.values())) > 0
    streamed = load_dataset("lego-arta", config, streaming=True)
    for split in whole:
        assert [row["id"] for row in streamed[split]] == whole[split]["id"]
    assert whole["train"][0]["image"].size[0] > 0
print(load_dataset("lego-arta", "state")["train"].features["label"].names)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=built.out.parent, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "['no', 'yes']" in run.stdout


def test_builder_class_reads_a_build(built, tmp_path):
    from lego_arta import FEATURES, LegoArta

    builder = LegoArta(config_name="state", data_dir=str(built.out), cache_dir=str(tmp_path))
    builder.download_and_prepare()
    dataset = builder.as_dataset(split="train")
    assert dataset.features == FEATURES["state"]
    streamed = [row["id"] for row in builder.as_streaming_dataset(split="train")]
    assert streamed == dataset["id"]
    with pytest.raises(ValueError, match="state"):
        LegoArta(config_name="nonsense", data_dir=str(built.out))
    with pytest.raises(FileNotFoundError, match="not a build"):
        LegoArta(config_name="state", data_dir=str(tmp_path))


def test_features_stand_in_metadata_files_as_in_the_code(built):
    from builder.release.infos import FILE, infos_text

    assert FILE.read_text() == infos_text(), "run lego-arta infos"
    from datasets import Features

    from lego_arta import FEATURES

    infos = json.loads((built.out / "dataset_infos.json").read_text())
    for config, features in FEATURES.items():
        assert Features.from_dict(infos[config]["features"]) == features


def test_card_has_no_placeholder_and_true_counts(built):
    import yaml

    from lego_arta import CONFIGS

    card = (built.out / "README.md").read_text()
    head, body = card.split("---\n")[1:3]
    assert "$" not in body
    data = yaml.safe_load(head)
    assert [c["config_name"] for c in data["configs"]] == sorted(CONFIGS)
    for info in data["dataset_info"]:
        for split in info["splits"]:
            rows = sum(
                pq.ParquetFile(path).metadata.num_rows
                for path in built.out.glob(f"data/{info['config_name']}/{split['name']}-*")
            )
            assert split["num_examples"] == rows


def test_unchanged_rerun_does_nothing(tiny):
    before = {p: p.stat().st_mtime_ns for p in tiny.out.rglob("*")}
    done = {p: p.stat().st_mtime_ns for p in tiny.work.rglob(store.DONE)}
    run = tiny.again(tiny.work, tiny.out)
    assert run.returncode == 0, run.stderr
    assert {p: p.stat().st_mtime_ns for p in tiny.out.rglob("*")} == before
    assert {p: p.stat().st_mtime_ns for p in tiny.work.rglob(store.DONE)} == done
    assert " 0 of them (re)built" in run.stdout


# Runs the command until it is not killed any more: kill -9 where something in the folder is about
# to be opened, made, renamed or removed, which is wherever it could be left half-written.
KILLED = """
import os, random, signal, sys
import builder.build, sklearn.cluster, scipy.optimize  # once, for all that are forked
from builder.command import main

def killed_at(event, arguments):
    global left
    if event.split(".")[0] in ("open", "os", "shutil", "tempfile"):
        left -= str(arguments[0]).startswith(sys.argv[1])
    if left == 0:
        left = -1  # killing is told here too
        os.kill(os.getpid(), signal.SIGKILL)

rng = random.Random(7)
for kills in (8, 7, 6, 5, 4, 3, 2, 1, 0):
    left = rng.randrange(1, 120) if kills else -1
    pid = os.fork()
    if not pid:
        sys.addaudithook(killed_at)
        os._exit(main(sys.argv[2:]))
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(ended, flush=True)
sys.exit(ended)
"""


def test_one_worker_killed_often_gives_the_same_bytes(tiny, tmp_path):
    """kill -9 here and there, then a run to the end: nothing lost, nothing half-written."""
    arguments = [*map(str, tiny.arguments(tmp_path / "w", tmp_path / "lego-arta"))]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), *arguments, "--workers", "1"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:8] == ["-9"] * 8
    assert parquet_hashes(tmp_path / "lego-arta") == parquet_hashes(tiny.out)
    assert not list((tmp_path / "w").rglob(f".*{store.TEMPORARY}"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lego-arta", "w"]


def test_two_workers_end_with_the_command_that_is_killed(tiny, tmp_path):
    """And when the command, as users run it, is let run to its end, it gives the same bytes."""
    work = tmp_path / "w"
    arguments = [*map(str, tiny.arguments(work, tmp_path / "lego-arta")), "--workers", "2"]
    command = [sys.executable, str(ROOT / "builder/make.py"), *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    while not list(work.glob(f"{store.PARSE}/*/{store.DONE}")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command, **quiet, check=True)
    assert parquet_hashes(tmp_path / "lego-arta") == parquet_hashes(tiny.out)
    assert not list(work.rglob(f".*{store.TEMPORARY}"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lego-arta", "w"]


def test_adding_a_manual_rebuilds_that_manual_only(tiny, tmp_path):
    shutil.copytree(tiny.work, tmp_path / "w")
    done = {p.relative_to(tmp_path): p.stat().st_mtime_ns for p in tmp_path.rglob(store.DONE)}
    run = make("--source", tiny_site(tmp_path / "site", 3), "--work", tmp_path / "w", "--out",
               tmp_path / "lego-arta", "--workers", 1, "--no-probe")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert " 1 of them (re)built" in run.stdout
    after = {p.relative_to(tmp_path): p.stat().st_mtime_ns for p in tmp_path.rglob(store.DONE)}
    assert done.items() <= after.items()
    old, new = (_rows(out, "object") for out in (tiny.out, tmp_path / "lego-arta"))
    assert old.items() <= new.items()


def _rows(out: Path, config: str) -> dict[str, bytes]:
    """Image bytes of every row by id."""
    return {
        row["id"]: row["image"]["bytes"]
        for path in out.glob(f"data/{config}/*.parquet")
        for row in pq.read_table(path, columns=["id", "image"]).to_pylist()
    }


def test_order_of_manuals_changes_nothing(tiny, tmp_path):
    ids = [p.name for p in (tiny.work / store.ROWS).iterdir()]
    options = AssembleOptions(tmp_path / "lego-arta", "demo")
    for order in (sorted(ids), sorted(ids, reverse=True)):
        assemble(order, BuildOptions(tiny.work), options)
        assert parquet_hashes(tmp_path / "lego-arta") == parquet_hashes(tiny.out)
        shutil.rmtree(tmp_path / "lego-arta")


def test_paper_split_keeps_groups_whole_and_takes_a_quarter(built, tmp_path):
    out = tmp_path / "lego-arta"
    ids = [p.name for p in (built.work / store.ROWS).iterdir()]
    manifest = assemble(
        ids, BuildOptions(built.work), AssembleOptions(out, "demo", "paper", probe=False)
    )
    for splits in manifest["rows"].values():
        assert 0.2 < splits["test"] / sum(splits.values()) < 0.32
    assert list(validate.violations(out)) == []


def test_state_rows_of_a_group_differ_in_nothing_that_tells_the_label(built):
    """Blind media: same columns, same encoder, same size of picture, order by opaque id."""
    groups: dict[str, list[dict]] = {}
    for path in built.out.glob("data/state/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            groups.setdefault(row["group_id"], []).append(row)
    first = 0
    for rows in groups.values():
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        first += rows[0]["label"]
        for name in ("query", "provenance", "confidence", "entities", "session_id"):
            assert all(row[name] == rows[0][name] for row in rows)
        # RIFF, WEBP VP8L, signature, width and height; only lengths and pixels may differ.
        files = [row["image"]["bytes"] for row in rows]
        assert len({file[:4] + file[8:16] + file[20:25] for file in files}) == 1
    assert first < len(groups), "the positive always comes first"


# --- what a user gets told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],  # unknown
        ["--workers", "0"],  # out of range
        ["--limit", "many"],  # not a number
        ["--delay", "nan"],  # not a duration
        ["--annotator", "nobody"],  # not in the registry
    ],
)
def test_wrong_usage_exits_with_2(arguments, tmp_path):
    run = make(*arguments, "--out", tmp_path / "lego-arta", "--work", tmp_path / "w")
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {arguments[0]}") and run.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_names_every_option():
    text = make("--help").stdout
    for option in ("--source", "--out", "--work", "--annotator", "--split", "--image-format",
                   "--seed", "--workers", "--limit", "--debug"):  # fmt: skip
        assert option in text


@pytest.mark.parametrize("kind", ["folder", "file", "module_name"])
def test_never_overwrites_what_is_not_a_build(kind, tmp_path):
    out = tmp_path / ("lego_arta" if kind == "module_name" else "mine")
    if kind == "folder":
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
    elif kind == "file":
        out.write_text("years of work")
    run = make("--limit", 1, "--out", out, "--work", tmp_path / "w")
    one_line_error(run, str(out))
    kept = out / "thesis.txt" if kind == "folder" else out
    assert kind == "module_name" or kept.read_text() == "years of work"
    assert not (tmp_path / "w").exists(), "it should look before it works"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("{tmp}/nowhere", "nowhere"),  # no such folder
        ("{tmp}/empty", "empty"),  # no manual page in it
        ("http://127.0.0.1:9/instructions/", "127.0.0.1:9"),  # nobody listens
        ("ftp://127.0.0.1/instructions/", "ftp"),  # not the web
        ("{tmp}/not-a-manual", "not-a-manual"),  # pages, but none is a manual
    ],
)
def test_a_source_without_manuals_is_one_clear_line(source, word, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "not-a-manual").mkdir()
    (tmp_path / "not-a-manual" / "index.html").write_text("<html><p>Hello</p></html>")
    places = ["--out", tmp_path / "lego-arta", "--work", tmp_path / "w"]
    run = make("--source", source.format(tmp=tmp_path), *places, "--delay", 0)
    one_line_error(run, word)
    assert not (tmp_path / "lego-arta").exists()


def test_a_second_run_in_the_same_work_folder_waits_its_turn(tmp_path):
    with store.working_in(tmp_path / "w"):
        run = make("--limit", 1, "--work", tmp_path / "w", "--out", tmp_path / "lego-arta")
    one_line_error(run, "another build is running")


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="mounting a small disk needs Linux and root",
)
def test_full_disk_is_one_clear_line_and_harms_nothing(tiny, tmp_path):
    """A real file system of 150 kB: the old build stays whole, and a run with room goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "none", str(disk)])
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        one_line_error(tiny.again(tiny.work, disk / "lego-arta"), "space left", "run again")
        assert not list(disk.rglob("*.parquet"))
        (disk / "ballast").write_bytes(bytes(100_000))
        one_line_error(tiny.again(disk / "w", tmp_path / "lego-arta"), "space left", "run again")
        assert not (tmp_path / "lego-arta").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert tiny.again(tiny.work, tmp_path / "lego-arta").returncode == 0
    assert parquet_hashes(tmp_path / "lego-arta") == parquet_hashes(tiny.out)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_crawled_and_saved_site_give_the_same_rows(tiny, tmp_path):
    """A site over real HTTP on loopback: the same bytes as read from the folder."""
    listing = tmp_path / "instructions/index.html"
    shutil.copytree(tiny.site, tmp_path, dirs_exist_ok=True)
    listing.parent.mkdir()
    listing.write_bytes(listing_html([f"/{name}/" for name in TINY[:2]]))
    handler = lambda *a: _Quiet(*a, directory=str(tmp_path))  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/instructions/"
        run = make("--source", url, "--delay", 0, "--work", tmp_path / "w",
                   "--out", tmp_path / "lego-arta", "--workers", 1)  # fmt: skip
        server.shutdown()
    assert run.returncode == 0, run.stderr
    assert parquet_hashes(tmp_path / "lego-arta") == parquet_hashes(tiny.out)


@pytest.mark.parametrize("mine", ["notes.txt", ".git/HEAD", "data/state/extra.parquet"])
def test_a_build_folder_with_the_users_own_files_is_left_alone(mine, tiny, tmp_path):
    out = tmp_path / "lego-arta"
    shutil.copytree(tiny.out, out)
    (out / mine).parent.mkdir(exist_ok=True)
    (out / mine).write_text("mine")
    run = tiny.again(tmp_path / "w", out)
    one_line_error(run, Path(mine).parts[0])
    assert (out / mine).read_text() == "mine"


def test_only_our_own_leftovers_are_cleared_away(tmp_path):
    """--work may be a folder that holds other things, such as one's home."""
    mine, ours = tmp_path / ".mine.tmp", tmp_path / store.PARSE / ".x.tmp"
    mine.write_text("mine")
    ours.mkdir(parents=True)
    with store.working_in(tmp_path):
        assert mine.exists() and not ours.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--source", ""], "--source"),  # an empty variable in a script
        (["--work", "{tmp}/lego-arta/.work"], "--work"),  # a new build would delete it
        (["--work", "{tmp}/file"], "file"),  # a file where a folder is needed
        (["--out", "{tmp}/file/lego-arta"], "file"),
    ],
)
def test_odd_places_are_one_clear_line(arguments, word, tmp_path):
    (tmp_path / "file").write_text("")
    places = ["--work", tmp_path / "w", "--out", tmp_path / "lego-arta"]
    run = make(*places, *(a.format(tmp=tmp_path) for a in arguments), "--limit", 1)
    one_line_error(run, word)

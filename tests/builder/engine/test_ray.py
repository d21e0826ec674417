"""Builds on a Ray cluster: the bytes of a local build, whatever dies."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from asked import ASKED, answered, parsed_manuals
from command import make, one_line_error, tiny_build
from dying import (
    KilledOnce,
    Lit,
    both_at_once,
    killed_in_the_middle,
    killed_with_its_node,
    marked,
    nothing,
    on_a_full_disk,
    refused,
    until_there,
)
from outside import ROOT

from benchmarks.ray_nodes import PATIENCE_S, add_node, nodes_here
from builder.annotate import answers, asking
from builder.annotate.models import ModelOptions
from builder.engine import ray_cluster
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions, versions
from core.build import manifest_of
from core.errors import UserError
from core.store import ANNOTATE, CRAWL, DONE, PARSE, ROWS

# Ray's own notices about itself are not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# What every process of a test has, and what tests call.
PATH = f"{os.environ['PYTHONPATH']}{os.pathsep}{ROOT / 'tests/helpers'}"
NODES = 2


@pytest.fixture(scope="module")
def nodes():
    """A head and two nodes with a CPU and, they say, a GPU, that find what tests call."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PATH)
        with nodes_here(NODES, gpus=1) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def engine(nodes):
    with ray_cluster.cluster(nodes.address, 0, versions) as one:
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A build of two manuals by this machine alone."""
    return tiny_build(tmp_path_factory.mktemp("local"), "--no-probe")


@pytest.fixture
def crawled(local, tmp_path):
    """The options of that build, for a work folder that has its crawl alone; and its manuals."""
    work = tmp_path / "work"
    shutil.copytree(local.parent / "w" / CRAWL, work / CRAWL)
    ids = sorted(path.parent.name for path in work.glob(f"{CRAWL}/*/crawl.json"))
    return BuildOptions(work), ids


def stage_files(work: Path) -> dict[str, bytes]:
    """All that stages have made, and what they are making is none of it."""
    return {
        path.relative_to(work).as_posix(): path.read_bytes()
        for folder in (PARSE, ANNOTATE, ROWS)
        for path in (work / folder).glob("[!.]*/**/*")
        if path.is_file()
    }


def build_files(build: Path) -> dict[str, bytes]:
    return {
        p.relative_to(build).as_posix(): p.read_bytes() for p in build.rglob("*") if p.is_file()
    }


def test_results_come_in_the_order_of_the_calls(engine, tmp_path):
    assert engine.map("numbers", marked, [(tmp_path, n) for n in range(40)]) == list(range(40))
    assert len(list(tmp_path.iterdir())) == 40


def test_an_error_of_ours_ends_all_and_is_itself(engine):
    with pytest.raises(UserError, match="the fifth; leave it out"):
        engine.map("numbers", refused, [(n,) for n in range(50)])


def test_a_worker_with_other_code_is_refused_by_name(engine):
    other = ray_cluster.Cluster(versions, {**engine.versions, "code": "0123456789abcdef"})
    said = (
        rf"the node \S+ has other code or libraries .*code {engine.versions['code']} instead of 0"
    )
    with pytest.raises(UserError, match=said):
        other.map("numbers", refused, [(0,)])
    with pytest.raises(UserError, match=said):
        other.on_devices("numbers", Lit, [(0,)], ["cpu"], 1)


def test_a_node_with_another_version_of_a_library_is_refused_by_name(engine, nodes, tmp_path):
    installed = tmp_path / "other/imagesize-0.0.9.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: imagesize\nVersion: 0.0.9\n")
    other = add_node(nodes, PYTHONPATH=f"{installed.parent}{os.pathsep}{PATH}")
    try:
        nodes.wait_for_nodes(PATIENCE_S)
        with pytest.raises(UserError, match=r"imagesize 0\.0\.9 instead of .* install the same"):
            engine.map("numbers", until_there, [(tmp_path / "go", n) for n in range(NODES + 1)])
    finally:
        (tmp_path / "go").touch()
        nodes.remove_node(other)


def test_a_manual_has_the_bytes_of_a_local_one_though_a_worker_dies_and_two_make_it(
    engine, local, crawled, tmp_path
):
    build, ids = crawled
    (tmp_path / "two").mkdir()
    calls = [(ids[0], build, tmp_path / "two", number) for number in (0, 1)]
    made = engine.map("manuals", both_at_once, calls)
    assert len(made) == 2 and any(made)  # whoever comes second may find all of it done
    died = tmp_path / "died"
    engine.map("manuals", killed_in_the_middle, [(m, build, died) for m in ids[1:]])
    assert died.exists()
    assert stage_files(build.work) == stage_files(local.parent / "w")


def test_a_build_has_the_bytes_of_a_local_one_though_a_node_dies(
    engine, nodes, local, crawled, tmp_path
):
    build, ids = crawled
    died = tmp_path / "died"
    engine.map("manuals", killed_with_its_node, [(m, build, died) for m in ids])
    dead = [node for node in nodes.worker_nodes if node.dead_processes()]
    assert died.exists() and len(dead) == 1
    nodes.remove_node(dead[0], False)
    add_node(nodes, 1)
    assert stage_files(build.work) == stage_files(local.parent / "w")
    out = tmp_path / "again" / "lego-arta"
    assemble(ids, build, AssembleOptions(out, "demo", probe=False, engine=engine))
    ours, theirs = (manifest_of(one)["files"] for one in (local, out))
    assert {n: e for n, e in ours.items() if n.startswith("data/")} == {
        n: e for n, e in theirs.items() if n.startswith("data/")
    }
    nodes.wait_for_nodes(PATIENCE_S)


def test_a_full_disk_on_one_node_is_a_line_and_nothing_half_is_seen(
    engine, local, crawled, tmp_path
):
    build, ids = crawled
    calls = [(m, build, tmp_path / "full") for m in ids]
    with pytest.raises(UserError, match=r"on the node \S+: no space left .*; free some and run"):
        engine.map("manuals", on_a_full_disk, calls)
    whole = stage_files(local.parent / "w")
    assert stage_files(build.work).items() <= whole.items()
    assert engine.map("manuals", on_a_full_disk, calls)
    assert stage_files(build.work) == whole


def test_a_killed_driver_run_again_redoes_nothing(nodes, local, tmp_path):
    work, out = tmp_path / "work", tmp_path / "lego-arta"
    command = [sys.executable, ROOT / "scripts/main.py", "build", "--source", local.parent / "site",
               "--no-probe", "--work", work, "--out", out,
               "--engine", "ray", "--ray-address", nodes.address]  # fmt: skip
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(work.glob(f"{ROWS}/[!.]*/{DONE}")) and first.poll() is None:
        time.sleep(0.02)
    first.kill()
    first.wait()
    done = {path: path.stat().st_mtime_ns for path in work.glob(f"[234]_*/[!.]*/{DONE}")}
    assert done
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (
        done.items()
        <= {p: p.stat().st_mtime_ns for p in work.glob(f"[234]_*/[!.]*/{DONE}")}.items()
    )
    assert stage_files(work) == stage_files(local.parent / "w")
    assert build_files(out) == build_files(local)


def test_a_cluster_of_another_ray_is_a_line_with_the_cure(nodes, tmp_path):
    with other_ray(nodes.address, ray_version="2.0.0"):
        run = subprocess.run(
            [sys.executable, ROOT / "scripts/main.py", "build", "--limit", "1",
             "--work", tmp_path / "w", "--out", tmp_path / "lego-arta",
             "--engine", "ray", "--ray-address", nodes.address],
            capture_output=True, text=True,
        )  # fmt: skip
    one_line_error(run, "Ray: 2.0.0", "install the same Python and the same ray")
    assert not (tmp_path / "lego-arta").exists()


@contextlib.contextmanager
def other_ray(address, **told):
    """The cluster says for a while that it was started by others."""
    from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY as key
    from ray._private.ray_constants import KV_NAMESPACE_CLUSTER as space
    from ray._raylet import GcsClient

    client = GcsClient(address=address)
    said = client.internal_kv_get(key, namespace=space)
    try:
        other = json.dumps({**json.loads(said), **told}).encode()
        client.internal_kv_put(key, other, overwrite=True, namespace=space)
        yield
    finally:
        client.internal_kv_put(key, said, overwrite=True, namespace=space)


# Models on devices -------------------------------------------------------------------------------


def test_every_gpu_of_the_cluster_has_an_actor_that_sees_it_alone(engine, tmp_path):
    assert engine.devices(()) == ["cuda:0"] * NODES == engine.devices(["cuda"])
    engine.on_devices("lights", partial(Lit, tmp_path), [(n,) for n in range(6)], ["cuda:0"] * 2, 6)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["cuda:0 0"] * 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_models_answer_as_here_though_an_actor_dies_in_a_batch(engine, tmp_path):
    for name in ("sentencepiece", "transformers", "torch"):
        pytest.importorskip(name, reason="needs the extra `annotate`")
    from tiny_detectors import make_owlv2

    place = make_owlv2(tmp_path / "owlv2")
    options = ModelOptions((("owlv2", str(place)),), batch_size=2, devices=("cpu",))
    here, there = (parsed_manuals(tmp_path / name) for name in ("here", "there"))
    asking.ask_all(here, ASKED, ["owlv2"], options)
    died = tmp_path / "died"
    items = asking.open_questions(there, ASKED, "owlv2", answers.identity_of("owlv2", options))
    opens = partial(KilledOnce, there, "owlv2", options, died)
    calls = [(items[n : n + 2],) for n in range(0, len(items), 2)]
    devices = engine.devices(options.devices)
    assert devices == ["cpu"] * NODES
    engine.on_devices("owlv2", opens, calls, devices[:1], len(items))  # one, as torch takes seconds
    assert died.exists() and len(items) == 6
    assert answered(there) == answered(here)


def test_what_can_not_be_opened_on_a_node_is_told_with_it(engine):
    with pytest.raises(UserError, match=r"on the node \S+: no model for cuda:0"):
        engine.on_devices("lights", nothing, [(0,)], ["cuda:0"], 1)


def test_devices_of_one_machine_are_refused(engine):
    with pytest.raises(UserError, match="--devices cuda:0,cuda:1: a cluster gives out its own"):
        engine.devices(["cuda:0", "cuda:1"])


# The command ---------------------------------------------------------------------------------


def test_an_address_where_nobody_answers_is_a_line_with_the_cure(tmp_path):
    pytest.importorskip("ray", reason="needs the extra `ray`")
    run = make("--engine", "ray", "--ray-address", "127.0.0.1:1", "--limit", 1,
               "--work", tmp_path / "w", "--out", tmp_path / "lego-arta")  # fmt: skip
    one_line_error(run, "no Ray cluster answers there", "ray start --head")
    assert not (tmp_path / "lego-arta").exists()


def test_an_address_without_the_engine_is_refused(tmp_path):
    run = make("--ray-address", "auto", "--out", tmp_path / "lego-arta")
    assert run.returncode == 2 and "add it" in run.stderr


def test_without_ray_the_cure_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    run = make("--engine", "ray", "--limit", 1, "--work", tmp_path / "w", "--out", tmp_path / "x")
    one_line_error(run, "Ray is not installed", "pip install")

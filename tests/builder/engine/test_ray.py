"""Builds on a Ray cluster: the bytes of a local build, whatever dies."""

import os
import sys

import pytest
from command import make, one_line_error, tiny_build
from dying import killed_in_the_middle, killed_once, marked, refused
from outside import ROOT

from builder.engine import ray_cluster
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions, code_sha256
from core.build import manifest_of
from core.errors import UserError
from core.store import CRAWL

# Ray's own notices about itself are not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HELPERS = ROOT / "tests/helpers"


@pytest.fixture(scope="module")
def engine():
    """A cluster on this machine, whose workers find what tests call."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    path = f"{ROOT}{os.pathsep}{HELPERS}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        with ray_cluster.cluster(None, 2, code_sha256) as one:
            yield one


def test_results_come_in_the_order_of_the_calls(engine, tmp_path):
    assert engine.map("numbers", marked, [(tmp_path, n) for n in range(40)]) == list(range(40))
    assert len(list(tmp_path.iterdir())) == 40


def test_a_worker_that_dies_costs_nothing_but_its_call(engine, tmp_path):
    assert engine.map("numbers", killed_once, [(tmp_path, n) for n in range(8)]) == list(range(8))
    assert (tmp_path / "died").exists()


def test_an_error_of_ours_ends_all_and_is_itself(engine):
    with pytest.raises(UserError, match="the fifth; leave it out"):
        engine.map("numbers", refused, [(n,) for n in range(50)])


def test_a_worker_with_other_code_is_refused_by_name(engine):
    other = ray_cluster.Cluster(code_sha256, "0123456789abcdef")
    with pytest.raises(UserError, match=r"the node \S+ has other code or libraries") as caught:
        other.map("numbers", refused, [(0,)])
    assert engine.version in str(caught.value) and "0123456789abcdef" in str(caught.value)


def test_a_build_has_the_bytes_of_a_local_one_though_a_worker_dies(engine, tmp_path):
    local = tiny_build(tmp_path, "--no-probe")
    (tmp_path / "work").mkdir()
    (tmp_path / "w" / CRAWL).rename(tmp_path / "work" / CRAWL)
    ids = sorted(path.parent.name for path in (tmp_path / "work" / CRAWL).glob("*/crawl.json"))
    options = BuildOptions(tmp_path / "work", annotator="foreground")
    died = tmp_path / "died"
    engine.map("manuals", killed_in_the_middle, [(m, options, died) for m in ids for _ in range(2)])
    assert died.exists() and len(ids) == 2, "each was made by two workers at a time"
    out = tmp_path / "again" / "lego-arta"
    assemble(ids, options, AssembleOptions(out, "demo", probe=False, engine=engine))
    ours, theirs = (manifest_of(build)["files"] for build in (local, out))
    assert {n: e for n, e in ours.items() if n.startswith("data/")} == {
        n: e for n, e in theirs.items() if n.startswith("data/")
    }


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

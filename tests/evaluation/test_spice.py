"""SPICE itself, as far as Java, its package and its parser are there, and what helps without."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from outside import NO_SPICE
from scored import gold, score, write
from spatial_build import contradicting

from core.build import Place
from core.errors import UserError
from core.items import Item
from core.metrics import Said
from evaluation import command as evaluate
from evaluation import spice
from evaluation.score import Results

SINGLE = Item(
    "1", "spatial", "test", "m", "s", None, "", "in", "", None, (), frozenset(),
    Place(Path(), 0, 0), conversation="single", relations=("in",), relations_image=(),
    names=("yellow ball", "water"), references=("A yellow ball is floating in the water.",),
)  # fmt: skip
OPEN = dataclasses.replace(SINGLE, conversation="open")
CHOICE = dataclasses.replace(SINGLE, conversation="classification")


@pytest.fixture
def ready():
    """SPICE can run here; the network is not asked."""
    try:
        from pycocoevalcap.spice import get_stanford_models as parser
    except ImportError:
        pytest.skip(NO_SPICE)
    lib = Path(parser.__file__).parent / "lib"
    if not shutil.which("java") or not all((lib / name).is_file() for name in spice.PARSER_JARS):
        pytest.skip(NO_SPICE)


def test_spice_is_told_before_any_work_where_java_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["score", str(tmp_path / "none"), str(tmp_path / "none.jsonl"), "--spice"]
    assert evaluate.main([*command, "--out", str(tmp_path / "s")]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: --spice: java") and "install" in said
    assert not (tmp_path / "s").exists()


def test_spice_without_its_package_says_how_to_get_it(tmp_path, monkeypatch):
    """Java is there, or seems so; the package is not where Python looks."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(__import__("sys").modules, spice.PACKAGE, raising=False)
    with pytest.raises(UserError, match="-m pip install pycocoevalcap"):
        spice.check()


def test_every_description_is_scored_and_nothing_else():
    items = [SINGLE, OPEN, CHOICE, OPEN, SINGLE]
    saids = [Said("1. A ball\nin water."), Said("a\n b \nc\nd"), Said("in"), Said("only"),
             Said(None)]  # fmt: skip
    assert spice.descriptions_of(items, saids) == [
        (0, "A ball in water."), (1, "a"), (1, "b"), (1, "c"), (3, "only"), (3, ""), (3, ""),
        (4, ""),
    ]  # fmt: skip


def test_who_says_nothing_has_no_spice_and_needs_no_java(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    values = {"bleu4": 20.0, "mbleu4": 100.0, "z1": 50.0}
    found = spice.scores_of([SINGLE, OPEN], [Said(None), Said("")], values)
    assert found["spice"] == found["spice_open"] == 0.0
    assert found["z2"] == pytest.approx(8) and found["z3"] == pytest.approx(-25)
    assert found["overall"] == pytest.approx(0.2 * 50 + 0.3 * 8 + 0.5 * -25)
    alone = spice.scores_of([SINGLE], [Said("")], values)
    assert alone["spice_open"] is None and alone["z3"] is None and alone["overall"] is None


def test_files_without_spatial_answers_are_told():
    results = Results([], {}, [], [])
    assert spice.add(results) == {} and "spatial" in results.warnings[0]


def test_spice_of_known_sentences(ready):
    """The same scene graph is 1, a disjoint one 0, half of it in between."""
    reference = [["A yellow ball is floating in the water."]] * 3
    same, half, other = spice.spice(
        reference, ["A yellow ball is floating in the water.", "A ball in the water.", "Two dogs."]
    )
    assert same == pytest.approx(1) and other == 0 and 0.3 < half < 1


def test_the_command_adds_a_table(ready, tmp_path):
    build = contradicting(tmp_path)
    write(tmp_path / "p.spatial.jsonl", gold(build, "spatial"))
    scores = score(build, tmp_path / "s", tmp_path / "p.spatial.jsonl", "--spice")
    (run,) = (one for one in scores["scores"] if one["name"] == "p")
    assert run["spice"]["spice"] > 80 and run["spice"]["z1"] == 100
    assert (tmp_path / "s" / "spatial.spice.csv").is_file()

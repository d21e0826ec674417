"""SPICE itself, as far as Java, its package and its parser are there, and what helps without."""

import dataclasses
import shutil
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from loopback import running
from outside import NO_SPICE_PARSER
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


# Where Java says what it found: an archive of its own, which this stands for; what a sentence says
# is here its set of words.
STAND_IN = f"""#!{sys.executable}
import json, sys
words = sys.argv[1:]
assert words[:4] == ["-jar", "-Xmx8G", "spice-1.0.jar", words[3]], words
told = []
for one in json.load(open(words[3])):
    said = set(one["test"].lower().rstrip(".").split())
    wanted = set(" ".join(one["refs"]).lower().replace(".", "").split())
    shared = len(said & wanted)
    f = 2 * shared / (len(said) + len(wanted)) if shared else float("nan")
    told.append({{"image_id": one["image_id"], "scores": {{"All": {{"f": f}}}}}})
json.dump(told[::-1], open(words[words.index("-out") + 1], "w"))
"""


@pytest.fixture(scope="module")
def parser():
    """The module of pycocoevalcap that fetches the parser, with Java on the PATH."""
    found = pytest.importorskip(
        "pycocoevalcap.spice.get_stanford_models", reason="needs pycocoevalcap"
    )
    if not shutil.which("java"):
        pytest.skip("needs java: apt-get install default-jre-headless")
    return found


@pytest.fixture
def without_parser(parser, tmp_path, monkeypatch):
    """SPICE of pycocoevalcap in a folder of its own, where it takes the parser for fetched."""
    from pycocoevalcap.spice import spice as module

    (tmp_path / "spice").mkdir()
    (tmp_path / "spice" / module.SPICE_JAR).symlink_to(Path(module.__file__).with_name(
        module.SPICE_JAR))  # fmt: skip
    monkeypatch.setattr(module, "__file__", str(tmp_path / "spice" / "spice.py"))
    monkeypatch.setattr(module, "get_stanford_models", lambda: None)


@pytest.fixture
def stand_in(without_parser, tmp_path, monkeypatch):
    """The same with another program for Java, which reads and writes what SPICE's does."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(STAND_IN)
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(java.parent))
    monkeypatch.setattr(spice, "check", lambda: None)


@pytest.fixture
def ready(parser):
    """SPICE can run here; the network is not asked."""
    if spice.missing_jars(Path(parser.__file__).parent / "lib"):
        pytest.skip(NO_SPICE_PARSER)


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


class Proxy(BaseHTTPRequestHandler):
    """Answers whatever is asked with a page of its own."""

    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>Log in</html>")

    def log_message(self, *told):
        """Nothing on the terminal."""


@pytest.mark.parametrize("status", [200, 404], ids=["no archive", "refused"])
def test_a_parser_that_can_not_be_fetched_is_told_with_the_cure(
    parser, tmp_path, monkeypatch, status
):
    handler = type("Answering", (Proxy,), {"status": status})
    with running(HTTPServer(("127.0.0.1", 0), handler)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps an older proxy
        monkeypatch.setattr(parser, "SPICEDIR", str(tmp_path))
        monkeypatch.setattr(parser, "__file__", str(tmp_path / "get_stanford_models.py"))
        with pytest.raises(UserError, match=r"put stanford-corenlp-3.6.0.jar and .* into") as error:
            spice.check()
    assert str(tmp_path / "lib") in str(error.value) and "\n" not in str(error.value)


def test_a_parser_of_which_half_is_there_is_not_taken_for_whole(parser, tmp_path, monkeypatch):
    monkeypatch.setattr(parser, "SPICEDIR", str(tmp_path))
    monkeypatch.setattr(parser, "__file__", str(tmp_path / "get_stanford_models.py"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / spice.PARSER_JARS[0]).touch()  # the package looks for no other
    with pytest.raises(UserError, match=r"lacks it\); put stanford-corenlp-3.6.0-models.jar of"):
        spice.check()
    (tmp_path / "lib" / spice.PARSER_JARS[1]).touch()
    spice.check()


def test_java_that_gives_up_is_a_line(without_parser):
    """The real SPICE in the real Java, which finds no parser."""
    with pytest.raises(UserError, match="Java ended with status 1"):
        spice.spice([["A ball."]], ["A ball."])


def test_scores_are_those_of_their_own_answers(stand_in):
    """In another order than they were asked in; an empty answer is not asked about."""
    references = [["one two"], ["three four"], ["five"], ["six"], ["seven"]]
    answers = ["one two", "", "five six", "nothing", "Seven."]
    assert spice.spice(references, answers) == pytest.approx([1, 0, 2 / 3, 0, 1])


def test_the_command_adds_a_table_of_what_java_says(stand_in, tmp_path):
    build = contradicting(tmp_path)
    write(tmp_path / "p.spatial.jsonl", gold(build, "spatial"))
    scores = score(build, tmp_path / "s", tmp_path / "p.spatial.jsonl", "--spice")
    (run,) = (one for one in scores["scores"] if one["name"] == "p")
    # A phrase of several that are right has their words, but not all of them.
    assert 30 < run["spice"]["spice"] < 100 and run["spice"]["z1"] == 100
    bleu4, one = run["values"]["bleu4"], run["spice"]
    assert one["z2"] == pytest.approx(0.4 * bleu4 + 0.6 * one["spice"])
    assert one["overall"] == pytest.approx(0.2 * one["z1"] + 0.3 * one["z2"] + 0.5 * one["z3"])
    (line,) = (tmp_path / "s" / "spatial.spice.csv").read_text().splitlines()[1:]
    assert line.split(",")[:2] == ["p [full]", f"{one['spice']:.2f}"]


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

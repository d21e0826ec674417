"""Models asked about a whole build: nothing twice, memory that runs out, several processes."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from asked import ASKED, answered, parsed_manuals
from command import tiny_site
from dying import KilledOnce
from hypothesis import given
from hypothesis import strategies as st
from needs_torch import torch
from outside import MODEL_TEST, ROOT
from tiny_detectors import make_owlv2

from builder import command as build_command
from builder import make
from builder.annotate import answers, asking, owlv2
from builder.annotate.models import Answer, Model, ModelOptions
from builder.annotate.options import options_of
from builder.engine.devices import in_processes
from core.build import records
from core.cli import pip_install
from core.errors import UserError
from core.records import Annotation, load
from core.store import ANNOTATE, ANSWERS

pytestmark = MODEL_TEST


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_owlv2(tmp_path_factory.mktemp("models") / "owlv2")


@pytest.fixture
def options(place):
    return ModelOptions((("owlv2", str(place)),), batch_size=4)


@pytest.fixture
def work(tmp_path):
    return parsed_manuals(tmp_path)


@pytest.fixture
def batches(monkeypatch):
    """How many rows the model was asked about, call by call."""
    seen = []
    opened = owlv2.open_model

    def open_model(options, device):
        model = opened(options, device)
        return Model(model.prepare, lambda rows: seen.append(len(rows)) or model.answer(rows))

    monkeypatch.setattr(owlv2, "open_model", open_model)
    return seen


def test_nothing_is_asked_twice(work, options, batches):
    """Neither in a second manual that shows the same, nor in a second run."""
    asking.ask_all(work, ASKED, ["owlv2"], options)
    assert batches == [4, 2]
    before = answered(work)
    asking.ask_all(work, ASKED, ["owlv2"], options)
    assert (batches, len(before)) == ([4, 2], 6)


def test_a_run_that_was_stopped_goes_on_with_what_is_left(work, options, batches, monkeypatch):
    asking.ask_all(work, ASKED, ["owlv2"], options)
    whole = answered(work)
    for name in sorted(whole)[:3]:
        next((work / ANSWERS).glob(f"*/*/{name}")).unlink()
    batches.clear()
    asking.ask_all(work, ASKED, ["owlv2"], options)
    assert batches == [3]
    assert answered(work) == whole


def test_another_question_or_model_setting_is_asked_anew(work, options, batches):
    asking.ask_all(work, ASKED, ["owlv2"], options)
    other = ModelOptions(options.places, dtype="float32")
    asking.ask_all(work, ASKED, ["owlv2"], other)
    assert sum(batches) == 12 and len(answered(work)) == 12


def test_memory_that_runs_out_halves_the_batch_and_changes_no_answer(work, options, batches):
    """The model is really run; only its memory is made small."""
    asking.ask_all(work, ASKED[:1], ["owlv2"], options)
    expected = answered(work)
    for path in (work / ANSWERS).glob("*/*/*.json"):
        path.unlink()
    opened, sizes = owlv2.open_model, []

    def small(options, device):
        model = opened(options, device)

        def answer(rows):
            sizes.append(len(rows))
            if len(rows) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return model.answer(rows)

        return Model(model.prepare, answer)

    owlv2.open_model = small
    try:
        asking.ask_all(work, ASKED[:1], ["owlv2"], ModelOptions(options.places, batch_size=6))
    finally:
        owlv2.open_model = opened
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    assert answered(work) == expected


@pytest.fixture
def alone(work, options):
    """What the first manual is answered in this process; its answers are gone again."""
    asking.ask_all(work, ASKED[:1], ["owlv2"], options)
    expected = answered(work)
    shutil.rmtree(work / ANSWERS)
    return expected


def test_two_processes_answer_as_one_does(work, options, alone):
    asking.ask_all(work, ASKED[:1], ["owlv2"], replace(options, devices=("cpu", "cpu")))
    assert answered(work) == alone


def test_a_process_that_fails_is_told_in_a_line(work, options):
    opens = partial(asking.Asker, work, "owlv2", options)
    with pytest.raises(UserError, match="--devices cuda:7: can't be used"):
        list(in_processes("owlv2", opens, ["cuda:7"], [([],)]))


def test_a_process_that_is_killed_is_told_in_a_line(work, options):
    opens = partial(KilledOnce, work, "owlv2", options, work / "died")
    items = asking.open_questions(work, ASKED[:1], "owlv2", answers.identity_of("owlv2", options))
    calls = [(items[:2],), (items[2:],)]
    with pytest.raises(UserError, match=r"its process was ended .* run again"):
        list(in_processes("owlv2", opens, ["cpu"], calls))
    assert len(answered(work)) < 6


def test_one_picture_that_is_too_much_is_told():
    def answer(rows):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] : can't allocate memory: 9 bytes")

    with pytest.raises(UserError, match="not even do for one picture"):
        asking.answer_backing_off(answer, [1, 2, 3], 3)


def test_other_errors_of_a_model_are_not_taken_for_that():
    def answer(rows):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        asking.answer_backing_off(answer, [1, 2, 3], 3)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_backing_off_answers_every_row_once_in_order(number, size, fits):
    def answer(rows):
        if len(rows) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [Answer((row, row)) for row in rows]

    done, left = asking.answer_backing_off(answer, list(range(number)), size)
    assert [a.size_wh[0] for a in done] == list(range(number))
    assert left <= size and (left <= fits or number <= fits)


# The main command ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return tiny_site(tmp_path_factory.mktemp("site"))


def arguments(site: Path, work: Path) -> list[str]:
    return ["--source", str(site), "--workers", "1", "--no-probe", "--work", str(work / "work"),
            "--out", str(work / "lego-arta")]  # fmt: skip


def test_a_build_of_a_consensus(site, place, tmp_path, capsys):
    """Foreground and a detector that knows nothing: everything is listed for a look."""
    asked = ["--annotator", "foreground,owlv2", "--model", f"owlv2={place}"]
    assert make.main([*arguments(site, tmp_path), *asked, "--batch-size", "3"]) == 0
    manifest = json.loads((tmp_path / "lego-arta/build.json").read_text())
    assert manifest["options"]["annotator"] == "foreground,owlv2"
    assert [text.split("'")[1] if "'" in text else text for text in manifest["annotators"]] == [
        "foreground", "owlv2",
    ]  # fmt: skip
    annotations = [
        annotation
        for path in (tmp_path / "work" / ANNOTATE).glob("*/annotations.json")
        for annotation in load(path, dict[str, Annotation]).values()
    ]
    assert annotations and len(answered(tmp_path / "work")) > 4
    both = [label for a in annotations for label in a.labels if len(label.candidates) == 2]
    assert both
    for label in both:
        assert [c.annotator for c in label.candidates] == ["foreground", "owlv2"]
        assert label.instances_px in [c.instances_px for c in label.candidates]
    listed = [
        item
        for item in records(tmp_path / "lego-arta", manifest, "disagreements")
        if not item["error"]
    ]
    assert listed and all(min(b["agreement"] for b in i["labels"]) < 0.75 for i in listed)
    rows = pq.read_table(next((tmp_path / "lego-arta/data/object").glob("train*"))).to_pylist()
    assert {row["provenance"]["annotator"] for row in rows} == {"foreground+owlv2"}
    assert max(row["confidence"] for row in rows) < 0.9
    assert "rows where annotators disagree" in capsys.readouterr().out
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "work" / ANSWERS).rglob("*.json")}
    assert (
        make.main([*arguments(site, tmp_path), *asked, "--devices", "cpu"]) == 0
    )  # all of it is there
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "work" / ANSWERS).rglob("*.json")}
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--annotator", "minigpt-v2"], "--model minigpt-v2=...: say where it lies"),
        (
            ["--annotator", "minigpt-v2", "--model", "minigpt-v2=/none.pth",
             "--model", "eva-vit=/none.pth", "--model", "llama=/none"],
            "--model llama=/none: its tokenizer.model can't be read",
        ),
        (["--annotator", "owlv2", "--model", "owlv2=/nowhere"], "--model owlv2=/nowhere: can't be"),
        (["--annotator", "owlv2", "--model", "owlv2=PLACE", "--devices", "cuda:7"],
         "--devices cuda:7: can't be used"),
        (["--annotator", "owlv2", "--model", "owlv2=PLACE", "--devices", "cuda:7,cuda:8"],
         "--devices cuda:"),
    ],
    ids=["nothing said", "files", "folder", "device", "devices"],
)  # fmt: skip
def test_a_model_that_cannot_be_used_is_one_line(arguments, said, place, work):
    arguments = [a.replace("PLACE", str(place)) for a in arguments]
    options = build_command.parser().parse_args(arguments)
    with pytest.raises(UserError) as error:
        asking.ask_all(work, ASKED, answers.with_models(options.annotator), options_of(options))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--annotator", "foreground,nobody"],
        ["--annotator", "foreground,foreground"],
        ["--annotator", ""],
        ["--model", "owlv2"],
        ["--model", "=x"],
        ["--batch-size", "0"],
        ["--dtype", "int8"],
    ],
)
def test_wrong_options_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        make.main(arguments)
    assert error.value.code == 2
    assert arguments[0] in capsys.readouterr().err


BLOCKED = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    missing = name.split(".")[0] in ("torch", "transformers", "sentencepiece", "tokenizers")
    return None if missing else find(name, path, target)

PathFinder.find_spec = staticmethod(find_spec)
from builder import make
assert make.main(sys.argv[1:]) == 0
assert make.main([*sys.argv[1:], "--annotator", "owlv2"]) == 1
"""


def test_the_default_build_works_without_torch(site, tmp_path):
    command = [sys.executable, "-c", BLOCKED, *arguments(site, tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "lego-arta/data").glob("*/*.parquet"))
    last = done.stderr.strip().splitlines()[-1]
    assert last == (f"error: --annotator owlv2: torch is not installed; {pip_install('annotate')}")

"""`--family`: boxes as a family of models writes them, in exports."""

import json
from pathlib import Path

import pytest
from export_build import all_rows
from exported import error_of, records, run
from painted_build import painted_build, same_share

from builder.export import command as export
from core.answers import parse_boxes
from evaluation.families import FAMILIES


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


@pytest.mark.parametrize(
    ("name", "family"),
    [("llava-jsonl", "qwen-vl"), ("llava", "MAGAer13/mplug-owl2-llama2-7b"), ("llava", "llava"),
     ("llamafactory", "Qwen/Qwen3-VL-8B-Instruct"), ("vlm-r1", "internvl")],
)  # fmt: skip
def test_boxes_are_those_of_the_family(build, tmp_path, name, family):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", name, "--family", family, "--config", "object")
    wanted = FAMILIES[{"MAGAer13/mplug-owl2-llama2-7b": "mplug-owl2",
                       "Qwen/Qwen3-VL-8B-Instruct": "qwen3-vl"}.get(family, family)]  # fmt: skip
    record = json.loads((out / "export.json").read_text())
    assert (record["boxes"], record["frame"]) == (wanted.boxes, wanted.frame)
    (path,) = out.glob("object_train.json*")
    for line in records(path)[:5]:
        answer = line["conversations"][1]["value"]
        assert parse_boxes(answer).status == "ok"
        same_share(answer, rows[line["id"]], wanted.frame)
    if family == "qwen-vl":
        assert answer.startswith("<ref>") and ")</box>" in answer


def test_what_is_given_overrules_the_family(build, tmp_path):
    more = ["--family", "qwen3-vl", "--frame", "norm100", "--config", "object"]
    record = json.loads((run(build, tmp_path / "x", "llava", *more) / "export.json").read_text())
    assert (record["boxes"], record["frame"]) == ("json", "norm100")


def test_fixed_examples_follow_the_family(build, tmp_path):
    more = ["--family", "qwen-vl", "--examples", "fixed", "--config", "object"]
    out = run(build, tmp_path / "x", "llava-jsonl", *more)
    shown = records(out / "object_train.jsonl")[0]["conversations"]
    assert [parse_boxes(turn["value"]).frame for turn in shown[1::2]] == ["norm1000"] * 3


def test_none_and_formats_that_can_t(build, tmp_path, capsys):
    words = [str(build), "--out", str(tmp_path / "x"), "--config", "object", "--family"]
    assert export.main([*words, "qwen-vl", "--format", "ms-swift"]) == 1
    assert "ms-swift can't hold it" in error_of(capsys)
    for family, form, said in (("gpt-4o", "llava", "is of none"), ("llava", "coco", "--family: ")):
        with pytest.raises(SystemExit):
            export.main([*words, family, "--format", form])
        assert said in capsys.readouterr().err

"""In-context examples of exports: the benchmark's own, of train, never of the row's manual."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import load_dataset
from export_build import all_rows, export_build
from exported import error_of, records, run

from builder.export import command as export
from builder.export.chat import QWEN_SETTING
from core.items import load_items
from evaluation.examples import Chooser
from evaluation.prompts import Setting, build_prompt

LINES = ("llamafactory", "llava-jsonl", "internvl", "llava")


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=5, test_manuals=2)


def lines_of(out: Path, name: str) -> list[dict]:
    paths = sorted(out.glob("state_t*.json*"))
    assert len(paths) == 2, name
    return [line for path in paths for line in records(path)]


def prompts(build: Path, setting: Setting) -> dict:
    """What `evaluate run` would ask of every state row, examples and all."""
    choose = Chooser(load_items(build, "state", "train"), setting)
    items = [i for split in ("train", "test") for i in load_items(build, "state", split)]
    return {item.id: build_prompt(item, setting, choose(item)) for item in items}


@pytest.mark.parametrize("source", ["dynamic", "fixed-train"])
@pytest.mark.parametrize("pictures", ["yes", "no"])
@pytest.mark.parametrize("name", LINES)
def test_they_are_those_of_the_benchmark(build, tmp_path, name, pictures, source, capsys):
    """Turn for turn, with pictures and without; llava takes one picture, the row's own."""
    more = ["--config", "state", "--examples", source, "--example-pictures", pictures]
    if (name, pictures) == ("llava", "yes"):
        words = [str(build), "--format", name, "--out", str(tmp_path / "x"), *more]
        assert export.main(words) == 1
        assert "--example-pictures yes: llava takes one picture a row; give no" in error_of(capsys)
        return
    rows, out = all_rows(build), run(build, tmp_path / "x", name, *more)
    setting = Setting(examples=source, example_pictures=pictures, example_manuals="other")
    wanted, some = prompts(build, setting), 0
    for line in lines_of(out, name):
        row, prompt = rows[line["id"]], wanted[line["id"]]
        said = [turn["value"].replace("<image>", "").strip() for turn in line["conversations"]]
        assert said[:-1] == [turn.text.strip() for turn in prompt.turns]
        signs = ["<image>" in turn["value"] for turn in line["conversations"]]
        assert signs[:-1] == [turn.image is not None for turn in prompt.turns]
        for example in prompt.examples:
            assert example.item.split == "train" and example.item.manual_id != row["manual_id"]
        some += len(prompt.examples) == 2
    assert some == len(wanted)
    record = json.loads((out / "export.json").read_text())
    assert (record["example_pictures"], record["example_manuals"]) == (pictures == "yes", "other")
    told = (out / "README.md").read_text()
    assert ("text alone" in told) == (pictures == "no") and "never of the row's own" in told


def test_of_the_own_manual_where_that_is_asked_for(build, tmp_path):
    """R9's way, for rows of train: the demonstrations of LEGO-R1."""
    setting = Setting(examples="dynamic", example_manuals="any")
    own = sum(
        example.item.manual_id == prompt.item.manual_id
        for prompt in prompts(build, setting).values() for example in prompt.examples
    )  # fmt: skip
    assert own > 0
    more = ["--config", "state", "--examples", "dynamic", "--example-manuals", "any"]
    out = run(build, tmp_path / "x", "llamafactory", *more)
    wanted = prompts(build, setting)
    for line in lines_of(out, "llamafactory"):
        said = [turn["value"].removeprefix("<image>") for turn in line["conversations"]]
        assert said[:-1] == [turn.text for turn in wanted[line["id"]].turns]


@pytest.mark.parametrize("pictures", ["yes", "no", "as-question"])
@pytest.mark.parametrize("blind", [False, True])
def test_pictures_of_examples_do_not_hang_on_the_question_s(build, tmp_path, pictures, blind):
    more = ["--config", "state", "--examples", "dynamic", "--example-pictures", pictures]
    out = run(build, tmp_path / "x", "llamafactory", *more, *["--without", "image"] * blind)
    shown = pictures == "yes" or (pictures == "as-question" and not blind)
    for line in lines_of(out, "llamafactory"):
        signs = [turn["value"].count("<image>") for turn in line["conversations"]]
        assert signs == [int(shown), 0, int(shown), 0, int(not blind), 0]
        assert len(line["images"]) == sum(signs)
        assert all((out / image).is_file() for image in line["images"])


def test_a_format_that_needs_the_picture_keeps_it(build, tmp_path, capsys):
    words = [str(build), "--format", "internvl", "--out", str(tmp_path / "x")]
    assert export.main([*words, "--without", "image"]) == 1
    assert "internvl takes no row without a picture" in error_of(capsys)


def test_parts_of_questions_can_be_left_out(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "llava", "--config", "state", "--without", "directive")
    for line in lines_of(out, "llava"):
        said = line["conversations"][0]["value"].removeprefix("<image>\n")
        assert rows[line["id"]]["query"] == f"{said} Just tell me Yes or No."


@pytest.mark.parametrize("pictures", ["yes", "no"])
@pytest.mark.parametrize("name", ["verl", "easyr1", "vlm-r1"])
def test_examples_before_rewards(build, tmp_path, monkeypatch, name, pictures):
    """verl has turns, EasyR1 and VLM-R1 one text, of which each picture has its number."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    more = ["--config", "state", "--examples", "dynamic", "--example-pictures", pictures]
    out = run(build, tmp_path / "x", name, *more, "--template", "think")
    setting = replace(QWEN_SETTING, examples="dynamic", example_pictures=pictures, template="think",
                      example_manuals="other")  # fmt: skip
    wanted, images = prompts(build, setting), 3 if pictures == "yes" else 1
    if name == "vlm-r1":
        lines = lines_of(out, name)
        asked = {line["id"]: line["conversations"][0]["value"] for line in lines}
        assert all(len(line["image"]) == 3 if images == 3 else line["image"] for line in lines)
    else:
        rows = load_dataset("parquet", data_files=list(map(str, out.rglob("*.parquet"))))["train"]
        assert all(len(row["images"]) == images for row in rows)
        key = (lambda row: row["id"]) if name == "easyr1" else lambda row: row["extra_info"]["id"]
        asked = {key(row): row["prompt"] for row in rows}
        script = (out / "train.sh").read_text()
        tokens = int(script.split("data.max_prompt_length=")[1].split()[0])
        assert tokens > 2600 * images
    assert asked.keys() == wanted.keys()
    for row_id, prompt in asked.items():
        turns = wanted[row_id].turns
        if name == "verl":
            assert [turn["role"] for turn in prompt] == [turn.role for turn in turns]
            said = [turn["content"].removeprefix("<image>") for turn in prompt]
            assert said == [turn.text for turn in turns]
            assert "".join(turn["content"] for turn in prompt).count("<image>") == images
            continue
        assert prompt.startswith("<image>" * images) and prompt.count("<image>") == images
        which = " (picture 1)" if images == 3 else ""
        first = f"Example{which}: {turns[0].text.strip()}\nAnswer: {turns[1].text}\n"
        assert first in prompt and prompt.endswith(turns[-1].text)

"""What exports say: at their end, in their README and scripts, and when they can't do as asked."""

import json
import logging
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from export_build import all_rows, export_build
from exported import ASKING, error_of, records, run

from builder.export import command as export
from builder.export.describe import FITS
from builder.export.run import FORMATS, configs_of, format_of
from builder.export.units import Request, every_unit
from builder.sources.released import importing as legacy
from core.items import load_items
from evaluation.prompts import Setting, ask

TRAINED = ("llava", "llamafactory", "vlm-r1", "otter", "ms-swift")
# Trained by this project's own recipe (`test_messages.py` runs it).
BY_RECIPE = ("messages",)
# Their scripts run in `test_verl.py`.
GRPO = ("verl", "easyr1")
LINES = ("llava-jsonl", "internvl")  # in `test_export_lines.py`


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(
        tmp_path_factory.mktemp("b") / "lego-arta", masks=True, manuals=3, test_manuals=1
    )


# At the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_the_last_line_names_the_models_and_the_command(build, tmp_path, name, capsys):
    out = run(build, tmp_path / "my data", name)
    last = capsys.readouterr().out.splitlines()[-1]
    record = json.loads((out / "export.json").read_text())
    assert last.startswith(f"{out}: {record['rows']:,} rows; ")
    if name in ASKING:
        assert f"boxes fit {FITS[record['frame']]}" in last
    assert ("boxes fit" in last) == (name != "webdataset")
    if name not in (*TRAINED, *BY_RECIPE, *GRPO, *LINES):
        assert "README.md" in last
        return
    words = shlex.split(last.split("train: ")[1])
    if name in BY_RECIPE:
        assert "train sft" in " ".join(words) and str(out) in words
        return
    script = {"llamafactory": "sft.yaml"}.get(name, "train.sh")
    assert words[-1].endswith(script) and str(out) in " ".join(words)
    assert (out / script).is_file()


@pytest.mark.parametrize("frame", sorted({*FITS}))
def test_every_frame_names_its_models(build, tmp_path, frame, capsys):
    out = run(build, tmp_path / "x", "llamafactory", "--config", "object", "--frame", frame)
    assert f"boxes fit {FITS[frame]};" in capsys.readouterr().out
    assert f"They fit {FITS[frame]}" in (out / "README.md").read_text()


def test_an_export_without_boxes_says_nothing_of_them(build, tmp_path, capsys):
    run(build, tmp_path / "x", "llamafactory", "--config", "state", "scene")
    assert "boxes fit" not in capsys.readouterr().out


@pytest.mark.parametrize("name", TRAINED)
def test_the_printed_command_runs_the_script_where_it_stands(build, tmp_path, name, capsys):
    """Pasted as it is, with a trainer in the place that REPO names, which only says what it got."""
    run(build, tmp_path / "it's here", name)
    line = capsys.readouterr().out.splitlines()[-1].split("train: ")[1]
    for program in ("torchrun", "deepspeed", "accelerate", "llamafactory-cli", "swift"):
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$0" "$@"\n')
        path.chmod(0o755)
    (tmp_path / "repo" / "src" / "open-r1-multimodal").mkdir(parents=True)
    line = re.sub(r"REPO=\S+", f"REPO={tmp_path / 'repo'}", line)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    said = subprocess.run(["bash", "-c", line], env=environment, text=True, capture_output=True)
    assert said.returncode == 0, said.stderr
    where, _, *given = said.stdout.splitlines()
    files = {"vlm-r1": "scene_train.jsonl", "llava": "scene_train.json",
             "otter": "otter_train.yaml", "llamafactory": "sft.yaml",
             "ms-swift": "scene_train.jsonl"}  # fmt: skip
    named = [word for text in given for word in re.split("[:=]", text) if files[name] in word]
    assert named and all((Path(where) / word).is_file() for word in named)


# Test rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRAINED, *BY_RECIPE, *GRPO, *LINES])
def test_nothing_starts_a_training_on_test_rows(build, tmp_path, name, capsys):
    out = run(build, tmp_path / "x", name, "--split", "test")
    assert "train: " not in capsys.readouterr().out
    assert not (out / "train.sh").exists() and not (out / "sft.yaml").exists()
    readme = (out / "README.md").read_text()
    assert "No train rows are in it" in readme
    for file in re.findall(r"`([\w.-]+\.(?:json|jsonl|yaml|sh|parquet))`", readme):
        if file not in ("sft.yaml", "train.sh"):
            assert (out / file).is_file(), file


@pytest.mark.parametrize("splits", [["train"], ["test"], ["train", "test"]])
def test_otter_s_readme_names_the_files_that_are_there(build, tmp_path, splits):
    out = run(build, tmp_path / "x", "otter", "--split", *splits)
    named = set(re.findall(r"otter_\w+\.yaml", (out / "README.md").read_text()))
    assert named == {path.name for path in out.glob("otter_*.yaml")}
    assert named == {f"otter_{split}.yaml" for split in splits}


# Examples and templates --------------------------------------------------------------------------


def test_examples_are_only_promised_where_there_are_some(build, tmp_path):
    rows = len(all_rows(build))
    few = run(build, tmp_path / "few", "otter", "--shots", "40")
    assert "no row found any" in (few / "README.md").read_text()
    assert set(yaml.safe_load((few / "otter_train.yaml").read_text())) == {"IMAGE_TEXT"}
    some = (run(build, tmp_path / "some", "otter") / "README.md").read_text()
    linked = int(re.search(rf"up to 2 a row; (\d+) of {rows} rows have some", some)[1])
    lines = [entry for path in (tmp_path / "some").glob("*_instructions.json")
             for entry in json.loads(path.read_text())["data"].values()]  # fmt: skip
    assert linked == sum(bool(entry["rel_ins_ids"]) for entry in lines) > 0
    every = (
        run(build, tmp_path / "x", "vlm-r1", "--examples", "dynamic", "--example-manuals", "any")
        / "README.md"
    ).read_text()
    assert f"{rows} of {rows} rows have some" in every


def test_otter_has_answer_tags_of_its_own(build, tmp_path, capsys):
    for more in ([], ["--examples", "none"]):
        assert export.main([str(build), "--format", "otter", "--template", "think",
                            "--out", str(tmp_path / "x"), *more]) == 1  # fmt: skip
        line = error_of(capsys)
        assert "--template think" in line and "<answer>" in line and "itself" in line
    assert not (tmp_path / "x").exists()


def test_examples_that_cannot_be_said_are_told_apart_from_none(tmp_path, capsys):
    def mute(config, row):
        return {**row, "answer": "<image>"} if row["manual_id"].startswith("lego-1000") else row

    build = export_build(tmp_path / "b", mute, manuals=2, test_manuals=1)
    assert export.main([str(build), "--format", "vlm-r1", "--config", "scene", "--examples",
                        "dynamic", "--out", str(tmp_path / "x")]) == 1  # fmt: skip
    line = error_of(capsys)
    assert "train rows of scene" in line and "vlm-r1" in line


CUTTING = {
    "llava": ["Say ASSISTANT: yes.", "Put </s> on top.", "See <image>.", "<s> first."],
    "llamafactory": ["Put it <|im_end|> here.", "A <|image_pad|> more.", "See <image>.", "<video>"],
    "vlm-r1": ["Put it <|im_end|> here.", "A <|vision_start|> more.", "See <image>."],
    "otter": ["Put it <|endofchunk|> here.", "<answer> it.", "See <image>."],
}


@pytest.mark.parametrize("name", CUTTING)
def test_tokens_that_cut_a_sample_are_dropped(tmp_path, name):
    """Trainers find the end of a turn, a picture or what is learnt by them, wherever they stand."""
    texts = iter(CUTTING[name])

    def spoil(config, row):
        text = next(texts, None) if config == "scene" else None
        return {**row, "answer": text} if text else row

    build = export_build(tmp_path / "b", spoil, manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", name, "--config", "scene", "--examples", "none")
    reasons = [line["reason"] for line in records(out / "dropped.jsonl")]
    assert reasons == ["reserved_token"] * len(CUTTING[name])


@pytest.mark.parametrize("config", ["scene", "object", "state"])
def test_a_legacy_export_of_one_task_has_the_lists_of_all(build, tmp_path, config):
    """Its reader opens all three; the other two hold no array."""
    out = run(build, tmp_path / "x", "legacy", "--config", config)
    lists = {path.name: path.read_text() for path in (out / "qwen_data").iterdir()}
    assert set(lists) == {"grounding_qwen.jsonl", "object_qwen_new.jsonl", "state_qwen.jsonl"}
    assert sum(bool(text) for text in lists.values()) == 1
    pages = legacy.read_pages(out).pages
    found = {told.config for page in pages for told in page.rows}
    assert found == {config}


def test_fixed_examples_bring_their_frame_along(build, tmp_path):
    """They speak of percent, so the question does too, whatever the format's own frame is."""
    for name in ("llamafactory", "vlm-r1"):
        out = run(build, tmp_path / name, name, "--examples", "fixed", "--config", "object")
        assert json.loads((out / "export.json").read_text())["frame"] == "norm100"
        for line in records(out / "object_train.jsonl"):
            human = [t["value"] for t in line["conversations"] if t["from"] == "human"][-1]
            assert "normalized to [0,100]" in human


@pytest.mark.parametrize(("name", "form"), [("llamafactory", "json"), ("vlm-r1", "fenced")])
def test_the_benchmark_asks_in_the_words_of_the_export(build, tmp_path, name, form):
    out = run(build, tmp_path / "x", name)
    setting = Setting(examples="none", boxes=form, frame="resized_px")
    for config in ("scene", "object", "state"):
        asked = {item.id: ask(item, setting) for item in load_items(build, config, "train")}
        lines = records(out / f"{config}_train.jsonl")
        said = {line["id"]: line["conversations"][0]["value"] for line in lines}
        assert said == {row_id: f"<image>{text}" for row_id, text in asked.items()}


# Frames in scripts and recipes -------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["--min-pixels", "50176"], ["--max-pixels", "401408"],
                                  ["--frame", "px"]], ids=" ".join)  # fmt: skip
def test_what_decides_the_frame_is_in_every_script_and_recipe(build, tmp_path, more):
    """Read back: the bounds are those that the record and the README name."""
    pixels = {}
    for name in ("llamafactory", "vlm-r1"):
        out = run(build, tmp_path / name, name, *more)
        record = json.loads((out / "export.json").read_text())
        if name == "llamafactory":
            recipe = yaml.safe_load((out / "sft.yaml").read_text())
            found = [recipe["image_min_pixels"], recipe["image_max_pixels"]]
        else:
            script = (out / "train.sh").read_text()
            found = [
                int(re.search(rf"--{word}_pixels (\d+)", script)[1]) for word in ("min", "max")
            ]
        assert record["frame"] == ("px" if "px" in more else "resized_px")
        assert record["pixels"] == (None if "px" in more else found)
        if record["pixels"]:
            assert f"{found[0]:,} to {found[1]:,} pixels" in (out / "README.md").read_text()
        pixels[name] = found
    given = {more[0]: int(more[1])} if more and more[0] != "--frame" else {}
    wanted = [given.get("--min-pixels", 56 * 56), given.get("--max-pixels", 2600 * 28 * 28)]
    assert pixels == dict.fromkeys(pixels, wanted)


# Folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--format", "vlm-r1"], "--format llamafactory there, vlm-r1 here"),
        (["--frame", "px"], "--frame resized_px there, px here"),
        (["--limit", "5"], "--limit not given there, 5 here"),
        (
            ["--config", "scene", "object"],
            "--config scene object state mask there, scene object here",
        ),
        (["--split", "test"], "--split train test there, test here"),
        (["--max-pixels", "99999"], "--max-pixels 3136 2038400 there, 3136 99999 here"),
        (["--examples", "dynamic"], "--examples none there, dynamic here"),
        (["--min-confidence", "0.5"], "--min-confidence 0.0 there, 0.5 here"),
        (["--merge"], "--merge not given there, given here"),
        (["--seed", "7"], "--seed 42 there, 7 here"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_another_export_in_the_folder_is_told_by_what_differs(llama, build, capsys, more, words):
    before = {path: path.stat().st_mtime_ns for path in llama.rglob("*")}
    command = [str(build), "--format", "llamafactory", "--out", str(llama), *more]
    assert export.main(command) == 1
    line = error_of(capsys)
    assert words in line and "choose another folder" in line
    assert before == {path: path.stat().st_mtime_ns for path in llama.rglob("*")}


@pytest.fixture(scope="module")
def llama(build, tmp_path_factory) -> Path:
    return run(build, tmp_path_factory.mktemp("l") / "x", "llamafactory")


def test_another_build_in_the_folder_is_told(llama, tmp_path, capsys):
    other = export_build(tmp_path / "b", manuals=2, test_manuals=1)
    assert export.main([str(other), "--format", "llamafactory", "--out", str(llama)]) == 1
    assert "another build there" in error_of(capsys)


@pytest.mark.parametrize("name", FORMATS)
def test_signs_of_patterns_in_paths(tmp_path, name, capsys, monkeypatch):
    """Brackets, stars and braces in folders: written and read, or refused by the sign's name."""
    folder = tmp_path / "we[ird] *? {a,b} $x 'q'"
    build = export_build(folder / "lego-arta", masks=True, manuals=2, test_manuals=1)
    out = folder / "out [1]"
    status = export.main([str(build), "--format", name, "--out", str(out)])
    if name == "llamafactory":
        assert status == 1 and "pattern at '*'" in error_of(capsys)
        assert not out.exists()
        return
    assert status == 0
    assert json.loads((out / "export.json").read_text())["rows"]
    assert not list(folder.glob(".*"))


def test_llamafactory_really_cannot_read_below_such_a_folder(build, tmp_path, monkeypatch):
    """Why it is refused. When this fails, the refusal can go."""
    run(build, tmp_path / "x", "llamafactory", "--config", "scene").rename(tmp_path / "we[ird]")
    monkeypatch.chdir(tmp_path / "we[ird]")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    with pytest.raises(FileNotFoundError):
        load_dataset("json", data_files=["./scene_train.jsonl"], split="train")


# Progress ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_progress_counts_rows(build, tmp_path, name, caplog):
    with caplog.at_level(logging.INFO, "lego_arta"):
        run(build, tmp_path / "x", name)
    configs = configs_of(format_of(name))
    request = Request(build, tmp_path, name, configs, ("train", "test"))
    rows = sum(len(unit.rows) for unit in every_unit(request))
    steps = [re.fullmatch(r"rows: (\d+) of (\d+)", text) for text in caplog.messages]
    counts = [(int(step[1]), int(step[2])) for step in steps if step]
    assert counts[-1] == (rows, rows) and {total for _, total in counts} == {rows}
    assert counts == sorted(counts)

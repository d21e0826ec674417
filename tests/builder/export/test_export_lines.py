"""`--format llava-jsonl` and `internvl`: their loaders' rules, and boxes on what the models see."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from export_build import all_rows, export_build
from exported import error_of, records, run
from painted_build import (
    enclosed,
    llava_picture,
    painted_build,
    qwen_picture,
    qwen_processor,
    same_share,
)
from PIL import Image

from builder.export import command as export
from core.answers import parse_boxes
from core.frames import from_norm100

SIDE = 448
# The build has one manual of train.
OWN_MANUAL = ["--examples", "dynamic", "--example-manuals", "any"]


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


def launched(script: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """Where a script starts torchrun, and with which words; REPO is an empty folder."""
    fake = tmp_path / "bin" / "torchrun"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "repo").mkdir(exist_ok=True)
    said = subprocess.run(
        ["bash", str(script)], text=True, capture_output=True, check=True, cwd=tmp_path,
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", "REPO": str(tmp_path / "repo")},
    ).stdout.splitlines()  # fmt: skip
    return Path(said[0]), said[1:]


# qwen-vl-finetune --------------------------------------------------------------------------------


def qwen_messages(line: dict) -> list[dict]:
    """Its `_build_messages`: a picture from the pool for each `<image>`, none left over."""
    pool, messages = list(line["image"]), []
    for turn in line["conversations"]:
        if turn["from"] != "human":
            messages.append({"role": "assistant", "content": turn["value"]})
            continue
        content = []
        for text in re.split("(<image>|<video>)", turn["value"]):
            if text == "<image>":
                content.append({"image": pool.pop(0)})
            elif text.strip():
                content.append({"text": text.strip()})
        messages.append({"role": "user", "content": content})
    assert not pool
    return messages


@pytest.mark.parametrize(
    "more",
    [[], ["--max-pixels", "200000"], ["--min-pixels", "900000", "--max-pixels", "1100000"],
     OWN_MANUAL],
    ids=["default", "most", "least", "examples"],
)  # fmt: skip
def test_qwen_vl_finetune(build, tmp_path, more):
    """Messages by its rule, the picture by Qwen's processor with the bounds of the script."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "llava-jsonl", *more)
    _, words = launched(out / "train.sh", tmp_path)
    given = dict(itertools.pairwise(words))
    bounds = int(given["--min_pixels"]), int(given["--max_pixels"])
    assert list(bounds) == json.loads((out / "export.json").read_text())["pixels"]
    seen = 0
    for file in registered(out, tmp_path)[0]:
        for line in records(Path(file))[:3]:
            row, messages = rows[line["id"]], qwen_messages(line)
            assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2)
            last = [part["image"] for part in messages[-2]["content"] if "image" in part]
            assert last == line["image"][-1:]
            assert (out / last[0]).read_bytes() == row["image"]["bytes"]
            if row["config"] == "object":
                with Image.open(out / last[0]) as image:
                    made = qwen_processor(bounds)(images=[image], return_tensors="np")
                picture = qwen_picture(made)
                enclosed(picture, messages[-1]["content"], row)
                same_share(messages[-1]["content"], row, "resized_px", picture.shape[1::-1])
                seen += 1
    assert seen
    if more == OWN_MANUAL:
        assert any(len(line["image"]) > 1 for line in records(out / "object_train.jsonl"))


def registered(out: Path, tmp_path: Path) -> tuple[list[str], list[str]]:
    """(files, folders) that train.py tells qwen-vl-finetune of; its package is one of two lines."""
    package = tmp_path / "repo" / "qwen-vl-finetune" / "qwenvl" / "data"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("data_dict = {}\n")
    code = (
        "import json, runpy; runpy.run_path('train.py', run_name='told');"
        "from qwenvl import data; print(json.dumps(data.data_dict))"
    )
    environment = {**os.environ, "REPO": str(tmp_path / "repo")}
    said = subprocess.run([sys.executable, "-c", code], cwd=out, env=environment, text=True,
                          capture_output=True, check=True).stdout  # fmt: skip
    told = json.loads(said)
    _, words = launched(out / "train.sh", tmp_path)
    assert list(told) == words[words.index("--dataset_use") + 1].split(",")
    return [e["annotation_path"] for e in told.values()], [e["data_path"] for e in told.values()]


def test_the_files_that_are_registered_are_train_s(build, tmp_path):
    out = run(build, tmp_path / "it's here", "llava-jsonl")
    files, folders = registered(out, tmp_path)
    wanted = [out / f"{config}_train.jsonl" for config in ("scene", "object", "state")]
    assert list(map(Path, files)) == wanted and set(map(Path, folders)) == {out}


# LLaVA-NeXT and OneVision ------------------------------------------------------------------------


def llava_next_samples(data_path: Path) -> list[dict]:
    """Its reading of a YAML: paths from where it was started, the format by the suffix, and a
    share only where the strategy is a word and a number.
    """
    samples = []
    for one in yaml.safe_load(data_path.read_text())["datasets"]:
        text, suffix = Path(one["json_path"]).read_text(), Path(one["json_path"]).suffix
        assert suffix in (".json", ".jsonl")
        found = json.loads(text) if suffix == ".json" else list(map(json.loads, text.splitlines()))
        how, _, number = one.get("sampling_strategy", "all").partition(":")
        assert not number and how == "all"  # first:, end: and random: would take a part
        samples += found
    return samples


@pytest.mark.parametrize("examples", ["none", "dynamic"])
def test_llava_next(build, tmp_path, monkeypatch, examples):
    """A single picture is squeezed to a square, before its tiles; several are padded each."""
    rows, frame = all_rows(build), "norm1000" if examples == "none" else "padded_norm"
    out = run(build, tmp_path / "x", "llava-jsonl", "--examples", examples, "--frame", frame,
              "--example-manuals", "any")  # fmt: skip
    monkeypatch.chdir(out)
    samples, seen = llava_next_samples(Path("llava_next.yaml")), 0
    assert {line["id"] for line in samples} == {
        i for i, row in rows.items() if row["split"] == "train"
    }
    for line in samples:
        turns, files = line["conversations"], [Path(".", name) for name in line["image"]]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * (len(turns) // 2)
        asked = [turn["value"] for turn in turns[::2]]
        # It brings the picture of a turn to the front itself; a picture for each, in this order.
        assert all(text.rfind("<image>") <= 0 for text in asked)
        assert sum(text.count("<image>") for text in asked) == len(files)
        assert files[-1].read_bytes() == rows[line["id"]]["image"]["bytes"]
        assert all(path.is_file() for path in files)
        single = len(files) == 1
        if rows[line["id"]]["config"] == "object" and single == (examples == "none") and seen < 4:
            if single:
                with Image.open(files[0]) as opened:
                    picture, unit = np.asarray(opened.convert("RGB").resize((384, 384))), 0.384
            else:
                picture, unit = llava_picture(files[-1]), 336
            enclosed(picture, turns[-1]["value"], rows[line["id"]], unit)
            same_share(turns[-1]["value"], rows[line["id"]], frame)
            seen += 1
    assert seen == 4


# InternVL ----------------------------------------------------------------------------------------


def internvl_picture(image: Image.Image, most: int) -> np.ndarray:
    """Its `dynamic_preprocess` without the thumbnail: stretched to the nearest grid of tiles."""
    grids = {
        (wide, high)
        for number in range(1, most + 1)
        for wide in range(1, number + 1)
        for high in range(1, number + 1)
        if wide * high <= most
    }
    ratio, area = image.width / image.height, image.width * image.height
    best, nearest = (1, 1), float("inf")
    for wide, high in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        away = abs(ratio - wide / high)
        if away < nearest or (away == nearest and area > 0.5 * SIDE * SIDE * wide * high):
            best, nearest = (wide, high), away
    return np.asarray(image.convert("RGB").resize((SIDE * best[0], SIDE * best[1])))


def test_internvl(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "internvl")
    where, words = launched(out / "train.sh", tmp_path)
    assert where == out and "--dynamic_image_size" in words
    meta = json.loads((where / words[words.index("--meta_path") + 1]).read_text())
    assert len(meta) == 3 and all(name.endswith("_train") for name in meta)
    for described in meta.values():
        lines = records(where / described["annotation"])
        assert described["length"] == len(lines) and described["annotation"].endswith("jsonl")
        assert described["repeat_time"] == 1 and described["data_augment"] is False
        for line in lines[:4]:
            row, human, gpt = rows[line["id"]], *line["conversations"]
            assert human["value"].count("<image>") == 1
            with Image.open(where / described["root"] / line["image"]) as image:
                assert image.size == (line["width"], line["height"])
                picture = internvl_picture(image, described["max_dynamic_patch"])
            if row["config"] == "object":
                found = parse_boxes(gpt["value"])
                assert (found.form, found.frame, found.status) == ("tagged", "norm1000", "ok")
                same_share(gpt["value"], row, "norm1000")
                size = picture.shape[1::-1]
                boxes = [
                    {"bbox_2d": from_norm100([v / 10 for v in box.box], "px", size), "label": "x"}
                    for box in found.boxes
                ]
                enclosed(picture, json.dumps(boxes), row)
            else:
                assert gpt["value"] == row["answer"]


def test_internvl_with_several_pictures(build, tmp_path):
    out = run(build, tmp_path / "x", "internvl", "--examples", "dynamic")
    several = 0
    for path in sorted(out.glob("*.jsonl")):
        for line in records(path):
            human = [turn["value"] for turn in line["conversations"] if turn["from"] == "human"]
            assert sum(text.count("<image>") for text in human) == len(line["image"])
            sizes = list(zip(line["width_list"], line["height_list"], strict=True))
            for name, size in zip(line["image"], sizes, strict=True):
                with Image.open(out / name) as image:
                    assert image.size == size
            several += len(line["image"]) > 1
    assert several


@pytest.mark.parametrize("name", ["internvl", "llamafactory"])
def test_tagged_boxes_mean_thousandths(build, tmp_path, name, capsys):
    from builder.export import command as export

    more = ["--boxes", "tagged", "--config", "object"]
    out = run(build, tmp_path / "x", name, *more)  # the frame follows
    assert json.loads((out / "export.json").read_text())["frame"] == "norm1000"
    wrong = [str(build), "--format", name, "--out", str(tmp_path / "y"), *more]
    assert export.main([*wrong, "--frame", "px"]) == 1
    line = error_of(capsys)
    assert "--frame px" in line and "--frame norm1000" in line


@pytest.mark.parametrize("name", ["internvl", "llava-jsonl"])
def test_test_rows_start_no_training(tmp_path, name):
    build = export_build(tmp_path / "b", manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", name, "--split", "test")
    assert not {"train.sh", "train.py", "meta.json", "llava_next.yaml"} & {
        path.name for path in out.iterdir()
    }


def test_names_and_sets_of_lego_r1(tmp_path, capsys):
    """75 % and 25 % are the split, 5 % are of both and keep groups whole; LLaMA-Factory's lists
    name them as LEGO-R1's did."""
    build = export_build(tmp_path / "b", manuals=12, steps=6, test_manuals=3)
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "llamafactory", "--names", "lego-r1", "--template", "plain")
    info = json.loads((out / "dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in info.items()} == {
        f"lego_dataset_{share}_{task}": f"converted_dataset_{share}_{task}.jsonl"
        for share in (75, 25, 5) for task in ("grnd", "obj", "state")
    }  # fmt: skip
    for task, config in (("grnd", "scene"), ("obj", "object"), ("state", "state")):
        ids = {share: [json.loads(line)["id"] for line in
                       (out / f"converted_dataset_{share}_{task}.jsonl").read_text().splitlines()]
               for share in (75, 25, 5)}  # fmt: skip
        for share, split in ((75, "train"), (25, "test")):
            assert set(ids[share]) == {
                r["id"] for r in rows.values() if (r["config"], r["split"]) == (config, split)
            }
        every = set(ids[75]) | set(ids[25])
        assert set(ids[5]) <= every and 0.01 < len(ids[5]) / len(every) < 0.12
    groups = [rows[row_id]["group_id"] for row_id in ids[5]]  # of state
    assert {groups.count(group) for group in groups} == {4}
    recipe = (out / "sft.yaml").read_text()
    assert "lego_dataset_75_grnd,lego_dataset_75_obj,lego_dataset_75_state" in recipe
    words = ["--config", "state", "--names", "lego-r1", "--template", "think"]
    cot = run(build, tmp_path / "cot", "llamafactory", *words)
    assert (cot / "converted_dataset_5_cot_state.jsonl").is_file()
    words = [str(build), "--format", "llava", "--out", str(tmp_path / "no"), "--names", "lego-r1"]
    assert export.main(words) == 1
    assert "llava has no such names" in error_of(capsys)

"""`--format verl` and `easyr1`: their loaders' rules, the real resize, scripts and rewards.

Neither can be installed beside the other libraries here (verl brings a package called `tests`), so
what they do to a row is written out, but for Qwen's own helper, which verl calls.
"""

import io
import itertools
import json
import math
import re
import subprocess
from pathlib import Path

import pytest
from datasets import load_dataset
from export_build import all_rows
from exported import run
from outside import READER_TEST
from painted_build import enclosed, painted_build, qwen_picture, qwen_processor, same_share
from PIL import Image
from swift_trainer import qwen_vl_utils

from core.cli import ROOT
from core.frames import RELEASED_PIXELS
from scripts.train import verl_reward

pytestmark = READER_TEST
BOUNDS = {
    "default": [],
    "least": ["--min-pixels", "900000", "--max-pixels", "1100000"],
    "most": ["--max-pixels", "200000"],
}


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def arguments(script: Path, tmp_path: Path, **environment: str) -> dict[str, str]:
    """What a script gives to Python, by name."""
    fake = tmp_path / "bin" / "python3"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    said = subprocess.run(
        ["bash", str(script)], text=True, capture_output=True, check=True,
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", **environment},
    ).stdout.splitlines()  # fmt: skip
    return dict(line.split("=", 1) for line in said if "=" in line)


def verl_messages(row: dict) -> list[dict]:
    """`RLHFDataset._build_messages`: a picture for each `<image>`, its other fields beside it."""
    images = iter(row["images"])
    messages = []
    for message in row["prompt"]:
        content = []
        for text in filter(None, re.split("(<image>|<video>|<audio>)", message["content"])):
            if text == "<image>":
                image = dict(next(images))
                image["image"] = Image.open(io.BytesIO(image["bytes"]))
                content.append({"type": "image", **image})
            else:
                content.append({"type": "text", "text": text})
        messages.append({**message, "content": content})
    assert next(images, None) is None
    return messages


@pytest.mark.parametrize("more", BOUNDS.values(), ids=BOUNDS)
def test_verl(build, tmp_path, more):
    """Qwen's own helper resizes within the bounds that the row carries, then Qwen's processor."""
    helper, rows = qwen_vl_utils(), all_rows(build)
    out = run(build, tmp_path / "x", "verl", *more)
    given = arguments(out / "train.sh", tmp_path, LEGO_ARTA=str(ROOT))
    assert Path(given["reward.custom_reward_function.path"]).is_file()
    files = re.findall(r"'([^']+)'", given["data.train_files"])
    assert sorted(files) == sorted(map(str, out.glob("*-train-*.parquet"))) and len(files) == 3
    seen = 0
    for file in files:
        loaded = load_dataset("parquet", data_files=file)["train"]
        for row in loaded.select(range(2)):
            source, answer = rows[row["extra_info"]["id"]], row["reward_model"]["ground_truth"]
            assert row["images"][0]["bytes"] == source["image"]["bytes"]
            content = verl_messages(row)[0]["content"]
            assert [part["type"] for part in content] == ["image", "text"]
            image = helper.fetch_image(content[0], image_patch_size=14)
            assert "<think> </think>" in content[1]["text"]
            if source["config"] == "object":
                made = qwen_processor(RELEASED_PIXELS)(images=[image], return_tensors="np")
                picture = qwen_picture(made)
                enclosed(picture, answer, source)
                same_share(answer, source, "resized_px", picture.shape[1::-1])
                seen += 1
            else:
                assert answer == f"<answer>{source['answer']}</answer>"
    assert seen


def easyr1_picture(image: Image.Image, least: int, most: int) -> Image.Image:
    """Its `process_image`."""
    for outside in (lambda size: size > most, lambda size: size < least):
        area = image.width * image.height
        if outside(area):
            factor = math.sqrt((most if area > most else least) / area)
            image = image.resize((int(image.width * factor), int(image.height * factor)))
    return image.convert("RGB")


@pytest.mark.parametrize("more", BOUNDS.values(), ids=BOUNDS)
def test_easyr1(build, tmp_path, more):
    """Its loader takes the folder; its own resize with the script's bounds, then the processor."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "easyr1", *more)
    (tmp_path / "repo").mkdir()
    given = arguments(out / "train.sh", tmp_path, LEGO_ARTA=str(ROOT), REPO=str(tmp_path / "repo"))
    bounds = int(given["data.min_pixels"]), int(given["data.max_pixels"])
    assert list(bounds) == json.loads((out / "export.json").read_text())["pixels"]
    # Its newer versions know no worker.reward.reward_type; all take a batch without it.
    assert [key for key in given if ".reward." in key] == [
        "worker.reward.reward_function", "worker.reward.reward_function_kwargs.rewards"
    ]  # fmt: skip
    file, name = given["worker.reward.reward_function"].rsplit(":", 1)
    assert Path(file).is_file() and callable(getattr(verl_reward, name))
    loaded = load_dataset("parquet", data_dir=given["data.train_files"], split="train")
    assert set(loaded["id"]) == {i for i, row in rows.items() if row["split"] == "train"}
    keys = (given["data.prompt_key"], given["data.answer_key"], given["data.image_key"])
    objects = [row for row in loaded if row["task"] == "object"]
    for row in itertools.islice(objects, 4):
        prompt, answer, images = (row[key] for key in keys)
        assert prompt.startswith("<image>") and prompt.count("<image>") == len(images) == 1
        image = easyr1_picture(images[0], *bounds)
        picture = qwen_picture(qwen_processor(RELEASED_PIXELS)(images=[image], return_tensors="np"))
        enclosed(picture, answer, rows[row["id"]])
        same_share(answer, rows[row["id"]], "resized_px", picture.shape[1::-1])


def test_rewards_by_both_ways_of_calling(build, tmp_path):
    """What verl and EasyR1 call, on exported solutions: the right answer earns most, noise none."""
    out = run(build, tmp_path / "x", "easyr1", "--split", "train")
    rows = load_dataset("parquet", data_dir=str(out / "train"), split="train")
    most = {"scene": 3.0, "object": 2.0, "state": 2.0}  # of the task, and 1 of the form
    for task, best in most.items():
        solution = next(row["answer"] for row in rows if row["task"] == task)
        right, wrong = f"<think>so</think>{solution}", "hm"
        made = verl_reward.compute_scores(
            [{"response": text, "ground_truth": solution} for text in (right, wrong)]
        )
        assert [one["overall"] for one in made] == [pytest.approx(best), 0.0]
        score = verl_reward.compute_score("lego-arta", right, solution, {"task": task})
        assert score["score"] == pytest.approx(best) and score["format"] == 1.0


@pytest.mark.parametrize("name", ["verl", "easyr1"])
def test_plain_answers_have_solutions_in_tags_too(build, tmp_path, name):
    out = run(build, tmp_path / "x", name, "--template", "plain", "--config", "state")
    files = [str(path) for path in out.rglob("*train*.parquet")]
    row = load_dataset("parquet", data_files=files, split="train")[0]
    answer = row["answer"] if name == "easyr1" else row["reward_model"]["ground_truth"]
    assert re.fullmatch(r"<answer>(Yes|No)\.</answer>", answer)

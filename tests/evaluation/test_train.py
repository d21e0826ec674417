"""The tuning recipes end to end on tiny random models, and the rewards through TRL's own call."""

import csv
import json
import re
import shlex
import sys
from dataclasses import replace

import pytest
import yaml
from benchmark_build import write_build
from export_build import all_rows
from needs_torch import torch
from outside import MODEL_TEST, ROOT
from painted_build import enclosed, painted_build, qwen_picture, qwen_processor, same_share
from PIL import Image
from tiny_models import MAKERS, make_encoder

from core.frames import MAX_PIXELS
from core.items import load_items
from evaluation.prompts import FRAME_WORDS
from evaluation.rewards import ALL_REWARDS, REWARDS
from evaluation.training import PLAIN, THINK, Bounds, training_rows
from scripts.train import command as train
from scripts.train import common, curves

pytest.importorskip("trl", reason="needs the extra `train`")
pytestmark = [*MODEL_TEST, pytest.mark.usefixtures("own_cache")]
TINY = ("--max-steps", "2", "--max-samples", "6", "--debug")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b"), manuals=3, test_manuals=1)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return MAKERS["qwen"](tmp_path_factory.mktemp("m") / "tiny-qwen")


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def test_sft_two_steps(build, qwen, tmp_path, capsys):
    out = tmp_path / "sft"
    assert train.main(["sft", str(build), "--out", str(out), "--model", str(qwen), *TINY]) == 0
    assert "adapter saved after 2 steps" in capsys.readouterr().out
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["r"] == 8
    saved = weights(out)
    assert saved and not any("visual" in name for name in saved)  # the vision side is frozen
    moved = [value for name, value in saved.items() if "lora_B" in name]
    assert any(value.abs().sum() > 0 for value in moved)  # lora_B starts at zero
    assert all(torch.isfinite(value).all() for value in saved.values())


def test_grpo_two_steps(build, qwen, tmp_path, capsys):
    out = tmp_path / "grpo"
    arguments = [str(build), "--out", str(out), "--model", str(qwen), *TINY]
    assert train.main(["grpo", *arguments, "--max-completion-length", "8"]) == 0
    assert "adapter saved after 2 steps" in capsys.readouterr().out
    config = json.loads((out / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (8, 64, 0.05)
    assert weights(out)


def test_grpo_goes_on_from_what_sft_has_learnt(build, qwen, tmp_path, capsys):
    """The adapter of SFT is trained on, and the policy is held to it; curves are written."""
    sft, both = tmp_path / "sft", tmp_path / "both"
    shared = [str(build), "--model", str(qwen), *TINY]
    assert train.main(["sft", *shared, "--out", str(sft)]) == 0
    further = re.search(r"go on with rewards: (.*)", capsys.readouterr().out)[1]
    assert shlex.split(further)[1:3] == ["train", "grpo"] and f"--adapter {sft}" in further
    encoder = make_encoder(tmp_path / "bert")
    rewards = ["--rewards", "accuracy", "format", "state_acc", "semantic"]
    more = ["--adapter", str(sft), "--embedding", str(encoder), "--max-completion-length", "8"]
    assert train.main(["grpo", *shared, "--out", str(both), *rewards, *more]) == 0
    before, after = weights(sft), weights(both)
    assert before.keys() == after.keys() and not (both / "ref").exists()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved
    for name in before:  # a step of 1e-5: it began where SFT ended
        assert (before[name] - after[name]).abs().max() < 1e-3
    alphas = {
        json.loads((f / "adapter_config.json").read_text())["lora_alpha"] for f in (sft, both)
    }
    assert alphas == {16}  # SFT's own: another would scale what it learnt
    with (both / "log.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == ["1", "2"]
    for name in rewards[1:]:
        assert all(0 <= float(line[f"rewards/{name}/mean"]) <= 1 for line in lines)
    for out in (sft, both):
        with Image.open(out / "curves.png") as picture:
            assert picture.format == "PNG" and picture.size == (960, 480)
    assert curves.curves_of(lines[0]) == {f"rewards/{name}/mean": name for name in rewards[1:]}


def test_an_adapter_that_is_none_is_told_before_any_work(build, tmp_path, capsys):
    arguments = ["grpo", str(build), "--out", str(tmp_path / "o"), "--adapter", str(tmp_path)]
    assert train.main(arguments) == 1
    assert "no adapter in it" in capsys.readouterr().err


def test_the_rewards_through_trl_s_own_call(build, qwen, tmp_path):
    """`GRPOTrainer._calculate_rewards` on a mixed batch with answers of known worth."""
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import GRPOConfig, GRPOTrainer

    rows = training_rows(build, ["scene", "object", "state"], THINK)
    rewards = [*REWARDS.values(), ALL_REWARDS["penalised"]]
    trainer = GRPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(qwen),
        processing_class=AutoProcessor.from_pretrained(qwen),
        train_dataset=rows,
        reward_funcs=rewards,
        args=GRPOConfig(
            output_dir=str(tmp_path), report_to="none", per_device_train_batch_size=2,
            num_generations=2, bf16=False, use_cpu=True,
        ),
    )  # fmt: skip
    inputs = [next(row for row in rows if row["task"] == t) for t in ("state", "object", "scene")]
    prompts = [row["prompt"] for row in inputs]
    right = [f"<think>so</think>{row['solution']}" for row in inputs]
    said = [[{"role": "assistant", "content": text}] for text in right]
    found = trainer._calculate_rewards(inputs, prompts, said, [[1]] * 3)
    # columns: accuracy, format, state_acc, grnd, penalised
    assert found.tolist() == [
        pytest.approx([0.0, 1.0, 1.0, 0.0, 0.0]),
        pytest.approx([1.0, 1.0, 0.0, 0.0, 1.0]),
        pytest.approx([0.0, 1.0, 0.0, 2.0, 0.0]),
    ]
    wrong = [[{"role": "assistant", "content": "hm"}] for _ in inputs]
    assert trainer._calculate_rewards(inputs, prompts, wrong, [[1]] * 3).sum() == 0


def test_training_rows_are_the_train_split_s(build):
    rows = training_rows(build, ["scene", "object", "state"], PLAIN)
    train = {c: load_items(build, c, "train") for c in ("scene", "object", "state")}
    assert sorted(rows["id"]) == sorted(item.id for items in train.values() for item in items)
    by_id = {item.id: item for items in train.values() for item in items}
    for row in rows.select(range(20)):
        item = by_id[row["id"]]
        assert row["image"].size == (80, 60) and row["task"] == item.config
        if item.config != "object":
            assert row["prompt"][0]["content"] == item.query
            assert row["completion"][0]["content"] == item.answer
        else:
            assert json.loads(row["completion"][0]["content"])[0]["bbox_2d"]
        assert row["solution"] == f"<answer>{row['completion'][0]['content']}</answer>"
    few = training_rows(build, ["scene", "state"], PLAIN, max_samples=3)
    assert len(few) == 6
    assert few["id"][:] == training_rows(build, ["scene", "state"], PLAIN, 3)["id"][:]


@pytest.mark.parametrize("most", [MAX_PIXELS, 200_000])
def test_boxes_are_in_the_frame_that_the_prompt_names(tmp_path, most):
    """They lie on the parts in what Qwen2.5-VL's processor makes of the picture."""
    build, bounds = painted_build(tmp_path / "lego-arta"), Bounds(3136, most)
    every, processor = all_rows(build), qwen_processor(bounds)
    for row in training_rows(build, ["object"], replace(THINK, pixels=bounds)).select(range(5)):
        assert FRAME_WORDS["resized_px"] in row["prompt"][0]["content"]
        picture = qwen_picture(processor(images=[row["image"]], return_tensors="np"))
        enclosed(picture, row["solution"], every[row["id"]])
        same_share(row["solution"], every[row["id"]], "resized_px", picture.shape[1::-1])


def test_boxes_of_another_model_s_pixels_are_refused(build, tmp_path, capsys):
    other = MAKERS["llava"](tmp_path / "tiny")
    arguments = [str(build), "--out", str(tmp_path / "o"), "--model", str(other)]
    assert train.main(["sft", *arguments]) == 1
    assert "--format messages --frame norm1000" in capsys.readouterr().err


def test_the_recipes_have_the_papers_numbers():
    """R13."""
    recipe = yaml.safe_load((ROOT / "scripts/train/llamafactory_sft.yaml").read_text())
    expected = {
        "model_name_or_path": "Qwen/Qwen2.5-VL-7B-Instruct", "lora_rank": 8, "lora_target": "all",
        "template": "qwen2_vl", "cutoff_len": 4096, "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8, "learning_rate": 1e-4, "num_train_epochs": 3.0,
        "lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "bf16": True,
        "video_max_pixels": 16384, "finetuning_type": "lora", "stage": "sft",
    }  # fmt: skip
    assert {key: recipe[key] for key in expected} == expected
    assert "max_samples" not in recipe
    zero = json.loads((ROOT / "scripts/train/zero2.json").read_text())
    assert zero["zero_optimization"]["stage"] == 2
    assert MAX_PIXELS == 2_038_400


def test_where_a_training_is_logged(build, tmp_path, capsys, monkeypatch):
    """The trainer is told; what is not installed is told before any work."""
    out = ["sft", str(build), "--out", str(tmp_path / "o"), "--model", "none/such"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert train.main([*out, "--report-to", "wandb"]) == 1
    assert re.search(r"wandb is not installed; \S+ -m pip install wandb$", capsys.readouterr().err)
    options = train.parser().parse_args([*out, "--report-to", "tensorboard"])
    assert common.shared_arguments(options, False)["report_to"] == "tensorboard"
    plain = train.parser().parse_args(out)
    assert common.shared_arguments(plain, False)["report_to"] == "none"


def test_the_attention_asked_for_is_the_model_s(build, qwen, tmp_path, capsys):
    arguments = ["sft", str(build), "--out", str(tmp_path), "--model", str(qwen), "--attention"]
    options = train.parser().parse_args([*arguments, "eager"])
    common.prepare(options)
    assert common.load(options)[0].config._attn_implementation == "eager"
    assert train.main([*arguments, "flash_attention_2"]) == 1
    assert "flash-attn is not installed" in capsys.readouterr().err


def test_bad_input_gives_one_line(build, tmp_path, capsys):
    for arguments in ([str(tmp_path), "--model", "x"], [str(build), "--model", str(tmp_path)]):
        for recipe in ("sft", "grpo"):
            assert train.main([recipe, *arguments, "--out", str(tmp_path / "o")]) == 1
            assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "o").exists()

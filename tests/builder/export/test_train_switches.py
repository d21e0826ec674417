"""Where a training is logged, who shards it, which rewards it has: told to every script that is
written, by environment variables, and found in the words that it starts its trainer with."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from export_build import export_build
from exported import run

from core.cli import ROOT
from scripts.train import verl_reward

LAUNCHERS = ("torchrun", "swift", "python3", "deepspeed", "accelerate")
# What REPORT_TO=wandb and DEEPSPEED=own.json come out as; verl and EasyR1 shard by FSDP alone.
LOGGED = {
    "llava": ["--report_to", "wandb"],
    "internvl": ["--report_to", "wandb"],
    "llava-jsonl": ["--report_to", "wandb"],
    "ms-swift": ["--report_to", "wandb"],
    "vlm-r1": ["--report_to", "wandb"],
    "otter": ["--report_to_wandb"],
    "verl": ["trainer.logger=['console','wandb']"],
    "easyr1": ["trainer.logger=['console','wandb']"],
}
SHARDED = {name: ["--deepspeed", "own.json"] for name in LOGGED if name not in ("verl", "easyr1")}
SHARDED["otter"] = ["--config_file=own.json"]


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=2, test_manuals=1)


def words(script: Path, folder: Path, **environment: str) -> list[str]:
    """The words that a script starts its trainer with."""
    (folder / "bin").mkdir(exist_ok=True)
    for path in (folder / "bin" / name for name in LAUNCHERS):
        path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        path.chmod(0o755)
    for name in ("src/open-r1-multimodal", "internvl_chat"):
        (folder / "repo" / name).mkdir(parents=True, exist_ok=True)
    given = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "REPO": str(folder / "repo"),
             "LEGO_ARTA": str(ROOT), **environment}  # fmt: skip
    done = subprocess.run(["bash", str(script)], env=given, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def holds(said: list[str], wanted: list[str]) -> bool:
    return any(said[at : at + len(wanted)] == wanted for at in range(len(said)))


@pytest.mark.parametrize("name", LOGGED)
def test_scripts_log_and_shard_as_they_are_told(build, tmp_path, name):
    script = run(build, tmp_path / "x", name) / "train.sh"
    told = words(script, tmp_path, REPORT_TO="wandb", DEEPSPEED="own.json")
    assert holds(told, LOGGED[name])
    assert holds(told, SHARDED[name]) if name in SHARDED else "own.json" not in " ".join(told)
    plain = words(script, tmp_path)
    assert not any("wandb" in word for word in plain) and "own.json" not in " ".join(plain)


@pytest.mark.parametrize("name", ["llamafactory", "llava-jsonl", "ms-swift"])
def test_zero_2_lies_beside_what_takes_it(build, tmp_path, name):
    out = run(build, tmp_path / "x", name)
    assert (out / "zero2.json").read_bytes() == (ROOT / "scripts/train/zero2.json").read_bytes()
    if name == "llamafactory":
        recipe = (out / "sft.yaml").read_text()
        assert yaml.safe_load(recipe)["report_to"] == "none"
        assert "deepspeed=zero2.json report_to=wandb" in recipe


@pytest.mark.parametrize(
    ("name", "option"),
    [("verl", "++reward.custom_reward_function.reward_kwargs.rewards='{}'"),
     ("easyr1", "worker.reward.reward_function_kwargs.rewards={}")],
)  # fmt: skip
def test_the_four_rewards_are_named_and_can_be_chosen(build, tmp_path, name, option):
    script = run(build, tmp_path / "x", name) / "train.sh"
    assert option.format("accuracy format state_acc grnd") in words(script, tmp_path)
    two = words(script, tmp_path, REWARDS="accuracy format")
    assert option.format("accuracy format") in two
    assert "accuracy format state_acc grnd" in script.read_text()


def test_the_chosen_rewards_alone_are_summed():
    said, gold = "<think>so</think><answer>Yes.</answer>", "<answer>Yes.</answer>"
    both = verl_reward.compute_score("lego-arta", said, gold)
    assert both == {"score": 2.0, "accuracy": 0.0, "format": 1.0, "state_acc": 1.0, "grnd": 0.0}
    two = verl_reward.compute_score("lego-arta", said, gold, rewards="accuracy format")
    assert two == {"score": 1.0, "accuracy": 0.0, "format": 1.0}
    (batch,) = verl_reward.compute_scores(
        [{"response": said, "ground_truth": gold}], rewards="state_acc"
    )
    assert batch == {"overall": 1.0, "state_acc": 1.0}


@pytest.mark.parametrize(("name", "gpus"), [("infer", 1), ("tune", 2)])
def test_slurm_templates(tmp_path, name, gpus):
    """Their help, what they ask Slurm for, and that they run what they are given."""
    script = ROOT / f"scripts/slurm/{name}.sh"
    lines = script.read_text().splitlines()
    assert [line for line in lines if "--gpus" in line and line[:7] == "#SBATCH"] == [
        f"#SBATCH --gpus={gpus}"
    ]
    # Slurm reads options up to the first command.
    assert max(i for i, line in enumerate(lines) if line[:7] == "#SBATCH") < lines.index(
        "set -euo pipefail"
    )
    help_ = subprocess.run(["bash", script, "--help"], text=True, capture_output=True, check=True)
    assert help_.stdout.startswith(f"usage: sbatch scripts/slurm/{name}.sh COMMAND...")
    (tmp_path / "v/bin").mkdir(parents=True)
    (tmp_path / "v/bin/activate").write_text("export FOUND=here\n")
    asked = ["bash", script, "sh", "-c", 'echo "$FOUND ${GPUS:-}" "$@"', "-", "two words"]
    done = subprocess.run(asked, text=True, capture_output=True, check=True,
                          env={**os.environ, "VENV": str(tmp_path / "v")})  # fmt: skip
    assert done.stdout == ("here 2 two words\n" if gpus == 2 else "here  two words\n")

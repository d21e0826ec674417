"""The recipes of LLaVA's script, started with a stand-in for deepspeed that tells its words."""

import subprocess

import pytest

from builder.export.llava import training_script

PAPER = {"--model_name_or_path": "liuhaotian/llava-v1.6-vicuna-13b", "--num_train_epochs": "1",
         "--learning_rate": "2e-4", "--lora_enable": "True", "--fp16": "True", "--bf16": "False",
         }  # fmt: skip


def started(tmp_path, **environment: str) -> subprocess.CompletedProcess:
    """The script run in a folder that stands for LLaVA."""
    fake, repo = tmp_path / "bin" / "deepspeed", tmp_path / "repo"
    fake.parent.mkdir(exist_ok=True)
    repo.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    script = tmp_path / "my data" / "train.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text(training_script("all_train.json"))
    return subprocess.run(
        ["bash", str(script)], text=True, capture_output=True, cwd=tmp_path,
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", "REPO": str(repo), **environment},
    )  # fmt: skip


def options(said: str) -> dict[str, str]:
    """Its options by name; none is given twice."""
    words = said.splitlines()[1:]
    names, values = words[::2], words[1::2]
    assert len(set(names)) == len(names) == len(values)
    assert all(name.startswith("--") for name in names)
    return dict(zip(names, values, strict=True))


def test_without_a_recipe_it_is_that_of_llava_1_5(tmp_path):
    found = options(started(tmp_path).stdout)
    assert found["--model_name_or_path"] == "liuhaotian/llava-v1.5-7b"
    assert found["--per_device_train_batch_size"] == "16" and found["--bf16"] == "True"
    assert found["--gradient_accumulation_steps"] == "1" and found["--tf32"] == "True"
    assert found["--data_path"] == str(tmp_path / "my data" / "all_train.json")
    assert found == options(started(tmp_path, RECIPE="llava-1.5").stdout)


@pytest.mark.parametrize("gpus", [1, 2, 4, 8, 16])
def test_the_papers_batch_is_16_whatever_the_number_of_gpus(tmp_path, gpus):
    found = options(started(tmp_path, RECIPE="vsd", GPUS=str(gpus)).stdout)
    assert PAPER.items() <= found.items() and "--tf32" not in found
    each = int(found["--per_device_train_batch_size"])
    assert gpus * each * int(found["--gradient_accumulation_steps"]) == 16


def test_another_model_may_be_given_and_another_recipe_is_refused(tmp_path):
    found = options(started(tmp_path, RECIPE="vsd", MODEL="mine").stdout)
    assert found["--model_name_or_path"] == "mine"
    assert int(found["--per_device_train_batch_size"]) * 8 == 16
    other = started(tmp_path, RECIPE="best")
    assert other.returncode == 2 and other.stdout == ""
    assert other.stderr == "RECIPE=best: no such recipe; give llava-1.5 or vsd\n"

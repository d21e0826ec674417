"""`--format messages`: what TRL makes of the file, from the chat to the model's input, and training
from it.
"""

import io
import json
import re
from pathlib import Path

import needs_torch  # noqa: F401
import numpy as np
import pytest
from datasets import load_dataset
from export_build import all_rows
from exported import run
from outside import MODEL_TEST
from painted_build import enclosed, painted_build, qwen_picture, same_share
from PIL import Image
from tiny_models import MAKERS

from evaluation.rewards import ALL_REWARDS, REWARDS
from evaluation.training import PLAIN, THINK, rows_of
from scripts.train import command as train

pytest.importorskip("trl", reason="needs the extra `train`")
pytestmark = [*MODEL_TEST, pytest.mark.usefixtures("own_cache")]
TINY = ("--max-steps", "2", "--max-samples", "4", "--debug")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return MAKERS["qwen"](tmp_path_factory.mktemp("m") / "tiny-qwen")


@pytest.fixture(scope="module")
def small(build, tmp_path_factory):
    """An export for training: pictures of few pixels."""
    more = ["--max-pixels", "12544"]
    return run(build, tmp_path_factory.mktemp("e") / "small", "messages", *more)


def readme_code(out: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)


def bounded(qwen: Path, out: Path):
    """The processor as the export's README sets it up."""
    names: dict = {}
    code = readme_code(out)[1]
    assert "Qwen/Qwen2.5-VL-7B-Instruct" in code
    exec(code.replace("Qwen/Qwen2.5-VL-7B-Instruct", str(qwen)), names)
    return names["processor"]


def test_every_column_of_every_row(build, tmp_path, monkeypatch):
    """As `load_dataset` reads the folder, in the way that its README says."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "messages")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(readme_code(out)[0], names)
    assert len(names["rows"]) == sum(r["config"] == "scene" and r["split"] == "train"
                                     for r in rows.values())  # fmt: skip
    seen = set()
    for config in ("scene", "object", "state"):
        for split, lines in load_dataset("x", config).items():
            for line in lines:
                row = rows[line["id"]]
                assert (row["config"], row["split"]) == (line["task"], split) == (config, split)
                picture = Image.open(io.BytesIO(row["image"]["bytes"]))
                assert np.array_equal(line["images"][0], picture) and len(line["images"]) == 1
                assert line["size_wh"] == list(picture.size)
                user, assistant = line["messages"]
                assert [part["type"] for part in user["content"]] == ["image", "text"]
                assert line["prompt"][0]["content"].startswith(user["content"][1]["text"].rstrip())
                assert "<think> </think>" in line["prompt"][0]["content"]
                assert assistant["content"] == [{"type": "text", "text": line["answer"]}]
                assert line["solution"] == f"<answer>{line['answer']}</answer>"
                told = json.loads(line["answer"]) if config == "object" else []
                assert [box["bbox_2d"] for box in told] == line["boxes"]
                assert [box["label"] for box in told] == line["labels"]
                if config != "object":
                    assert line["answer"] == row["answer"]
                seen.add(line["id"])
    assert seen == set(rows)


BOUNDS = {
    "default": [],
    "least": ["--min-pixels", "900000", "--max-pixels", "1100000"],
    "most": ["--max-pixels", "200000"],
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
def test_boxes_lie_on_the_parts_that_the_model_sees(build, qwen, tmp_path, bounds):
    """TRL's collator for supervised tuning, on the rows as they are."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    rows = all_rows(build)
    out = run(build, tmp_path / "x", "messages", "--config", "object", *bounds)
    processor = bounded(qwen, out)
    collate = DataCollatorForVisionLanguageModeling(processor)
    for line in load_dataset(str(out), "object", split="train").select(range(4)):
        batch = collate([line])
        text = processor.tokenizer.decode(batch["input_ids"][0])
        assert line["answer"] in text and text.index("<|image_pad|>") < text.index("[object]")
        grid = batch["image_grid_thw"][0]
        assert text.count("<|image_pad|>") == int(grid.prod()) // 4
        picture = qwen_picture(batch)
        enclosed(picture, line["answer"], rows[line["id"]])
        same_share(line["answer"], rows[line["id"]], "resized_px", picture.shape[1::-1])


def test_prompts_and_rewards_as_trl_takes_them(build, qwen, small):
    """`GRPOTrainer` on the exported columns: its own call of rewards, right answers and wrong."""
    from transformers import AutoModelForImageTextToText
    from trl import GRPOConfig, GRPOTrainer

    files = [str(path) for path in small.glob("*-train-*.parquet")]
    rows = load_dataset("parquet", data_files=files, split="train")
    rows = rows.select_columns(["prompt", "images", "solution", "task"])
    trainer = GRPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(qwen),
        processing_class=bounded(qwen, small),
        train_dataset=rows,
        reward_funcs=[*REWARDS.values(), ALL_REWARDS["penalised"]],
        args=GRPOConfig(
            output_dir=str(small.parent / "t"), report_to="none", per_device_train_batch_size=2,
            num_generations=2, bf16=False, use_cpu=True,
        ),
    )  # fmt: skip
    inputs = [next(row for row in rows if row["task"] == t) for t in ("state", "object", "scene")]
    prompts = [row["prompt"] for row in inputs]
    right = [f"<think>so</think>{row['solution']}" for row in inputs]
    said = [[{"role": "assistant", "content": text}] for text in right]
    # columns: accuracy, format, state_acc, grnd, penalised
    assert trainer._calculate_rewards(inputs, prompts, said, [[1]] * 3).tolist() == [
        pytest.approx([0.0, 1.0, 1.0, 0.0, 0.0]),
        pytest.approx([1.0, 1.0, 0.0, 0.0, 1.0]),
        pytest.approx([0.0, 1.0, 0.0, 2.0, 0.0]),
    ]


@pytest.mark.parametrize("recipe", ["sft", "grpo"])
def test_two_steps_from_the_exported_file(small, qwen, tmp_path, capsys, recipe):
    more = ["--max-completion-length", "8"] if recipe == "grpo" else []
    out = tmp_path / "tuned"
    words = [recipe, str(small), "--out", str(out), "--model", str(qwen), *TINY, *more]
    assert train.main(words) == 0
    said = capsys.readouterr().out
    assert "adapter saved after 2 steps" in said and "evaluate" not in said  # it is no build
    assert (out / "adapter_model.safetensors").is_file()


def test_recipes_read_a_build_and_its_export_alike(build, small):
    """The same rows; of the export with its own boxes, and the rewards' prompt for `think`."""
    for setting, column in ((PLAIN, "completion"), (THINK, "solution")):
        ours = {row["id"]: row for row in rows_of(build, ["scene", "state"], setting)}
        theirs = {row["id"]: row for row in rows_of(small, ["scene", "state"], setting)}
        assert ours.keys() == theirs.keys()
        for row_id, row in theirs.items():
            text, other = (one["prompt"][0]["content"] for one in (row, ours[row_id]))
            assert (text if setting is THINK else text[1]["text"]) == other
            if column == "completion":
                assert row[column][0]["content"][0]["text"] == ours[row_id][column][0]["content"]
            else:
                assert row[column] == ours[row_id][column]
    few = rows_of(small, ["scene", "state"], PLAIN, max_samples=1)
    assert sorted(few["task"]) == ["scene", "state"]
    assert few["id"][:] == rows_of(small, ["scene", "state"], PLAIN, 1)["id"][:]


def test_what_recipes_refuse_of_an_export(build, small, tmp_path, capsys):
    other = run(build, tmp_path / "llava", "llava", "--config", "scene")
    tests = run(build, tmp_path / "tests", "messages", "--config", "scene", "--split", "test")
    for folder, more, words in (
        (small, ["--max-pixels", "9000"], ("12544", "--max-pixels 9000")),
        (other, [], ("export for llava", "--format messages")),
        (tests, [], ("no train rows", "--split train")),
    ):
        arguments = ["sft", str(folder), "--out", str(tmp_path / "o"), "--model", "x", *more]
        assert train.main(arguments) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and all(word in said for word in words), said

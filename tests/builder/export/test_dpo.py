"""`--format dpo`: what is wrong in a pair is what is told, and TRL's own trainer reads it."""

from collections import defaultdict

import needs_torch  # noqa: F401
import pytest
from datasets import load_dataset
from export_build import all_rows, export_build
from exported import run
from outside import MODEL_TEST
from painted_build import painted_build
from tiny_models import MAKERS

from core.answers import parse_boxes

pytest.importorskip("trl", reason="needs the extra `train`")
pytestmark = [*MODEL_TEST, pytest.mark.usefixtures("own_cache")]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


def pairs(out, config: str, rows: dict):
    """(row, chosen, rejected, what is wrong) of every line of both splits."""
    for split, lines in load_dataset(str(out), config).items():
        for line in lines:
            row = rows[line["id"]]
            assert (row["config"], row["split"]) == (line["task"], split) == (config, split)
            (chosen,), (rejected,) = line["chosen"], line["rejected"]
            assert chosen["role"] == rejected["role"] == "assistant"
            yield row, chosen["content"], rejected["content"], line["rejected_kind"]


def test_wrong_answers_are_near_at_hand(tmp_path):
    build = export_build(tmp_path / "b", manuals=2, test_manuals=1)
    rows = all_rows(build)
    out = run(build, tmp_path / "percent", "dpo", "--boxes", "angle", "--frame", "norm100")
    for _, chosen, rejected, kind in pairs(out, "state", rows):
        assert {chosen, rejected} == {"Yes.", "No."} and kind == "other_word"
    for row, chosen, rejected, kind in pairs(out, "object", rows):
        assert chosen == row["answer"] and kind == "other_part"
        right, wrong = parse_boxes(chosen).boxes, parse_boxes(rejected).boxes
        assert [box.label for box in wrong] == [box.label for box in right]
        elsewhere = [tuple(map(round, d["box_norm100"])) for d in row["distractors"]]
        assert {box.box for box in wrong} <= set(elsewhere)
        assert not {box.box for box in wrong} & {box.box for box in right}
    steps = defaultdict(dict)
    for row in rows.values():
        if row["config"] == "scene":
            steps[row["session_id"], row["split"]][row["step_num"]] = row["answer"]
    for row, chosen, rejected, kind in pairs(out, "scene", rows):
        own = steps[row["session_id"], row["split"]]
        later = [text for number, text in sorted(own.items()) if number > row["step_num"]
                 and text != chosen]  # fmt: skip
        assert chosen == row["answer"] != rejected and kind == "other_step"
        assert rejected == later[0] if later else rejected in own.values()


def test_where_nobody_told_the_other_parts_boxes_go_to_the_next_cell(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "dpo", "--config", "object", "--boxes", "angle", "--frame",
              "norm100")  # fmt: skip
    for row, chosen, rejected, _ in pairs(out, "object", rows):
        right, wrong = parse_boxes(chosen).boxes, parse_boxes(rejected).boxes
        for before, after in zip(right, wrong, strict=True):
            moved = [a - b for a, b in zip(after.box, before.box, strict=True)]
            expected = {0: [50, 0], 1: [-50, 50], 2: [50, 0], 3: [-50, -50]}[row["cell"]] * 2
            assert moved == pytest.approx(expected, abs=1)


def test_trl_reads_and_trains_on_it(build, tmp_path):
    """`DPOTrainer` with its own collator: chosen and rejected differ in completion alone."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import DPOConfig, DPOTrainer

    out = run(build, tmp_path / "x", "dpo", "--merge", "--max-pixels", "12544", "--limit", "2")
    rows = load_dataset(str(out), split="train")
    assert set(rows["task"]) == {"scene", "object", "state"}
    qwen = MAKERS["qwen"](tmp_path / "qwen")
    trainer = DPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(qwen),
        ref_model=AutoModelForImageTextToText.from_pretrained(qwen),
        args=DPOConfig(
            output_dir=str(tmp_path / "t"), report_to="none", per_device_train_batch_size=2,
            max_steps=2, bf16=False, use_cpu=True, max_length=None, logging_steps=1,
            save_strategy="no",
        ),
        train_dataset=rows.select_columns(["prompt", "images", "chosen", "rejected"]),
        processing_class=AutoProcessor.from_pretrained(qwen, min_pixels=3136, max_pixels=12544),
    )  # fmt: skip
    batch = trainer.data_collator([rows[0], rows[1]])
    chosen, rejected = batch["input_ids"].chunk(2)
    mask, other = batch["completion_mask"].chunk(2)
    for k in range(2):
        assert torch.equal(chosen[k][mask[k] == 0][:20], rejected[k][other[k] == 0][:20])
        text = trainer.processing_class.tokenizer.decode(chosen[k][mask[k] == 1])
        assert rows[k]["chosen"][0]["content"] in text
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert len(losses) == 2 and losses[0] == pytest.approx(0.6931, abs=1e-3)  # ln 2: still alike

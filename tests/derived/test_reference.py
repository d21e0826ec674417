"""Attempts beside the manual's picture: the same states, seen anew, not told by equal pixels."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.build import picture_bytes, read_rows
from core.items import load_items
from evaluation.prompts import Setting, build_prompt


@pytest.fixture(scope="module")
def beside(demo, tmp_path_factory):
    return derive(demo / "lego-arta", tmp_path_factory.mktemp("reference") / "set", "reference")


def test_every_state_has_the_right_picture_of_its_group_beside_it(demo, beside, own_cache):
    assert list(violations(beside)) == []
    states = {one.id: one for one in read_rows(demo / "lego-arta", "state", "test")}
    rows = pq.read_table(beside / "data" / "state_reference").to_pylist()
    assert {told["source_ids"][1] for told in rows} == states.keys()
    for told in rows:
        right, own = (states[name] for name in told["source_ids"])
        assert right.columns["label"] == 1
        assert right.columns["group_id"] == own.columns["group_id"]
        assert told["label"] == own.columns["label"] and told["answer"] == own.columns["answer"]
        assert own.columns["instruction"] == told["instruction"]
        assert told["images"][0]["bytes"] == picture_bytes(right.place)
        assert told["difference"] > 0
    # A right attempt is never the reference itself, and no camera is used twice.
    assert len({told["images"][1]["bytes"] for told in rows}) == len(rows)
    loaded = load_dataset(str(beside), "state_reference", split="test")
    reference, attempt = (np.asarray(image) for image in loaded[0]["images"])
    assert reference.shape == attempt.shape and (reference != attempt).any()


def test_scores_have_what_pixels_answer_and_models_see_both(beside, tmp_path):
    file = write(tmp_path / "gold.state_reference.jsonl", gold(beside, "state_reference"))
    scores = score(beside, tmp_path / "out", file, "--no-report", "--workers", "1")
    assert row(scores, "gold", "state_reference")["values"]["f1"] == 100
    assert row(scores, "always-yes", "state_reference")["values"]["balanced_acc"] == 50
    assert "least-different" in {one["name"] for one in scores["scores"]}
    (item, *_) = load_items(beside, "state_reference", "test")
    turn = build_prompt(item, Setting(examples="none", pictures="single")).turns[-1]
    assert len(turn.images) == 2 and "in this order: manual, attempt." in turn.text
    assert "The first picture is the manual's, the second is my attempt." in turn.text

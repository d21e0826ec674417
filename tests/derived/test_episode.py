"""Episodes: turns of one step, asked with all that was said and shown before."""

from collections import Counter

import pyarrow.parquet as pq
import pytest
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.build import picture_bytes as bytes_at
from core.build import read_rows
from core.items import load_items, picture_bytes
from core.metrics import Said
from evaluation.prompts import Setting, build_prompt
from tasks.episode.score import answered


@pytest.fixture(scope="module")
def episodes(demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("episode") / "set"
    return derive(demo / "lego-arta", out, "episode", "--split", "train", "test")


def rows_of(build):
    return pq.read_table(build / "data" / "episode").to_pylist()


def test_a_set_is_valid_and_its_conversations_are_of_one_step(demo, episodes):
    assert list(violations(episodes)) == []
    every = {r.id: r.columns for config in ("object", "scene", "state")
             for r in read_rows(demo / "lego-arta", config)}  # fmt: skip
    for told in rows_of(episodes):
        sources = [every[name] for name in told["source_ids"]]
        assert {s["session_id"] for s in sources} == {told["session_id"]}
        assert {s["instruction"] for s in sources[1:]} <= {told["instruction"]}
        said = [turn["text"] for turn in told["history"] if turn["role"] == "assistant"]
        assert len(said) == len(told["history"]) / 2


def test_checks_are_balanced_and_no_turn_tells_the_next(episodes):
    rows = rows_of(episodes)
    answers = {name: Counter(r["answer"] for r in rows if r["turn"] == name)
               for name in ("check", "recheck")}  # fmt: skip
    for counts in answers.values():
        assert set(counts) == {"Yes.", "No."}
        assert abs(counts["Yes."] - counts["No."]) <= 2  # one a split
    turns = Counter(r["turn"] for r in rows)
    assert turns["find"] == turns["place"] == turns["check"] > turns["fix"] == turns["recheck"] > 0


def test_a_turn_is_asked_after_those_before_it_with_their_pictures(demo, episodes):
    every = {r.id: r for config in ("object", "scene", "state")
             for r in read_rows(demo / "lego-arta", config)}  # fmt: skip
    items = load_items(episodes, "episode", "test")
    item = next(i for i in items if i.derived["turn"] == "recheck")
    turns = build_prompt(item, Setting(examples="none")).turns
    assert [turn.role for turn in turns] == ["user", "assistant"] * 4 + ["user"]
    shown = [picture_bytes(turn.image) for turn in turns if turn.image is not None]
    expected = [bytes_at(every[name].place) for name in item.derived["source_ids"]]
    assert shown == expected
    blind = build_prompt(item, Setting(examples="none", image=False)).turns
    assert all(turn.image is None for turn in blind)


def test_gold_is_right_and_constants_are_at_chance(episodes, tmp_path):
    file = write(tmp_path / "gold.episode.jsonl", gold(episodes, "episode"))
    scores = score(episodes, tmp_path / "out", file, "--no-report", "--workers", "1")
    values = row(scores, "gold", "episode")["values"]
    assert {values[n] for n in ("find_iou", "place_rouge_l", "check_acc", "fix_facts_f1",
                                "recheck_acc")} == {100.0}  # fmt: skip
    yes, no = (row(scores, name, "episode")["values"] for name in ("always-yes", "always-no"))
    assert yes["check_acc"] + no["check_acc"] == pytest.approx(100)
    assert yes["recheck_acc"] + no["recheck_acc"] == pytest.approx(100)


def test_each_turn_is_judged_as_its_task(episodes):
    for item in load_items(episodes, "episode", "test")[:5]:
        assert answered(item, Said(item.answer)).goodness == 1
        assert answered(item, Said("")).goodness == 0

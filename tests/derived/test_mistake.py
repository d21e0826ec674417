"""Mistakes: the kind, where it is and belongs, the correction's facts, how hard it is to see."""

import pytest
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.build import picture_bytes, read_rows
from core.items import load_items
from core.metrics import Said
from tasks.mistake.score import answer_text, answered, fields_of, kind_said
from tasks.mistake.text import facts
from tasks.state.difficulty import difficulty, shift_studs

FAR = "Move the plate 2x3 four studs to the left."


@pytest.fixture(scope="module")
def mistakes(demo, tmp_path_factory):
    return derive(demo / "lego-arta", tmp_path_factory.mktemp("mistake") / "set", "mistake")


def test_every_wrong_state_is_asked_about(demo, mistakes):
    assert list(violations(mistakes)) == []
    states = {r.id: r for r in read_rows(demo / "lego-arta", "state", "test")}
    wrong = {name for name, r in states.items() if r.columns["label"] == 0}
    rows = list(read_rows(mistakes, "mistake", "test"))
    assert {r.columns["source_ids"][0] for r in rows} == wrong
    for one in rows:
        source = states[one.columns["source_ids"][0]]
        assert picture_bytes(one.place) == picture_bytes(source.place)
        assert one.columns["correction"] in one.columns["answer"]
        assert one.columns["error_box_px"] == source.columns["part_box_px"]
    assert {r.columns["difficulty"] for r in rows} <= {None, "easy", "medium", "hard"}


def test_gold_answers_are_right_and_a_constant_one_is_not(mistakes, tmp_path):
    file = write(tmp_path / "gold.mistake.jsonl", gold(mistakes, "mistake"))
    scores = score(mistakes, tmp_path / "out", file, "--no-report", "--workers", "1")
    values = row(scores, "gold", "mistake")["values"]
    assert values["kind_acc"] == values["facts_f1"] == values["solved"] == 100
    assert values["error_iou"] > 93 and values["correct_iou"] > 93  # whole percent
    constant = row(scores, "always-shift", "mistake")["values"]
    assert constant["kind_acc"] < 50 and constant["solved"] == 0 and constant["facts_f1"] < 25


def test_each_field_counts_by_itself(mistakes):
    items = load_items(mistakes, "mistake", "test")
    item = next(i for i in items if i.derived["negative_kind"] == "wrong_color")
    boxes = fields_of(item.answer)
    said = answer_text("wrong_part", boxes["Is at"], "{<0><0><1><1>}", item.derived["correction"])
    counts = answered(item, Said(said)).counts
    assert counts["kind_right"] == 0 and counts["error_box_iou"] > 0.9
    assert counts["correct_box_iou"] < 0.1 and counts["facts_found"] == counts["facts"] > 0
    for text in ("", "I don't know.", item.query):
        assert answered(item, Said(text)).counts["solved"] == 0
        assert answered(item, Said(text)).counts["kind_right"] == 0


@pytest.mark.parametrize(
    ("said", "kind"),
    [("shift", "shift"), ("Wrong colour.", "wrong_color"), ("wrong_part", "wrong_part"),
     ("fine", None)],
)  # fmt: skip
def test_kinds_are_read(said, kind):
    assert kind_said(said) == kind


def test_facts_are_the_same_in_other_words():
    assert facts(FAR) == facts("Please slide the plate 2×3 by 4 studs to the left")
    assert facts(FAR) != facts(FAR.replace("left", "right"))
    near = facts("The colour is wrong: take the reddish brown brick 1x3, not the bright red one.")
    assert {"do color", "color reddish brown", "color bright red", "part brick 1x3"} == near


@pytest.mark.parametrize(
    ("kind", "sentence", "fraction", "level"),
    [
        ("shift", FAR, 0.1, "easy"),  # studs, where they are said
        ("shift", "Move it one stud to the left and two studs to the back.", 0.1, "medium"),
        ("shift", "Move it one stud to the left.", 0.9, "hard"),
        ("shift", "move it 12 % to the left in the picture.", 0.31, "easy"),
        ("shift", "move it 12 % to the left in the picture.", 0.2, "medium"),
        ("shift", "move it 4 % up in the picture.", 0.06, "hard"),
        ("rotate", "Turn it a quarter.", 0.0, None),
    ],
)
def test_difficulty_is_how_far_a_part_was_moved(kind, sentence, fraction, level):
    assert difficulty(kind, sentence, fraction) == level
    assert shift_studs("Turn it.") is None

"""Harder detection: grids of pictures that are alike, equal parts as right, absent ones."""

from collections import Counter

import numpy as np
import pytest
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.boxtext import box_answer
from core.build import read_rows
from core.items import Item, load_items
from core.metrics import Said
from derived.hard_detection import Kind, kind_of
from derived.source import pixels_of
from tasks.hard_detection.score import answered
from tasks.hard_detection.text import NONE


@pytest.fixture(scope="module")
def hard(demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("hard") / "set"
    return derive(demo / "lego-arta", out, "hard-detection", "--grid", "2", "3")


def rows_of(build):
    return list(read_rows(build, "hard_detection", "test"))


def test_a_set_is_valid_and_its_questions_are_of_all_kinds(hard):
    assert list(violations(hard)) == []
    rows = [r.columns for r in rows_of(hard)]
    counts = {(r["grid"], r["question"]) for r in rows}
    assert counts == {(g, q) for g in (2, 3) for q in ("one", "all", "absent")}
    # Most of what stands beside a part is like it.
    alike = [sum(one.startswith("same_") for one in r["relations"]) for r in rows]
    assert np.mean([number > 0 for number in alike]) > 0.7
    assert all("equal" not in r["relations"] for r in rows if r["question"] == "absent")


def test_boxes_are_where_something_is_and_nothing_else_is_equal(hard):
    for one in rows_of(hard)[:20]:
        rgb, told = pixels_of(one), one.columns
        background = np.median(rgb.reshape(-1, 3), axis=0)
        for entry in (*told["targets"], *told["distractors"]):
            for x0, y0, x1, y1 in entry["instances_px"]:
                inside = rgb[round(y0) : round(y1), round(x0) : round(x1)]
                assert (np.abs(inside - background).max(axis=2) > 20).mean() > 0.2
        kinds = {kind_of(entry["label"]) for entry in told["targets"]}
        assert not kinds & {kind_of(entry["label"]) for entry in told["distractors"]}


def test_kinds_are_parts_and_colours():
    assert kind_of("bright green bricks 1x1") == kind_of("Bright green brick 1×1")
    assert kind_of("bright green brick 1x1") == Kind("brick 1x1", "bright green")


def item(question, targets, equal=(), grid=2):
    """A picture of 200 by 200 pixels; boxes are percent."""

    def entry(boxes):
        px = [[2 * v for v in box] for box in boxes]
        x0, y0 = (min(box[k] for box in boxes) for k in (0, 1))
        x1, y1 = (max(box[k] for box in boxes) for k in (2, 3))
        return {"box_norm100": [x0, y0, x1, y1], "box_px": [2 * v for v in (x0, y0, x1, y1)],
                "instances_px": px}  # fmt: skip

    return Item(
        "i", "hard_detection", "test", "m", "s", 0, "q", "a", "", None, (), frozenset(), None,
        instances_norm100=tuple(tuple(box) for box in targets), size_wh=(200, 200),
        derived={"question": question, "equal_parts": [entry(boxes) for boxes in equal],
                 "grid": grid},
    )  # fmt: skip


A, B, C = (5, 5, 45, 45), (55, 5, 95, 45), (55, 55, 95, 95)


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (item("one", [A]), [A], 1),
        (item("one", [A]), [B], 0),
        (item("one", [A], [[B]]), [B], 1),  # equal parts are as right
        (item("one", [A], [[B]]), [A, B], 0),  # one was asked for
        (item("one", [A, B]), [A, B], 1),
        (item("one", [A, B]), [(5, 5, 95, 45)], 1),  # one box around both
        (item("one", [A, B]), [A], 0),
        (item("all", [A, B, C]), [C, A, B], 1),
        (item("all", [A, B, C]), [A, B], 0),
        (item("all", [A, B]), [A, A], 0),  # the same one twice
        (item("absent", []), [A], 0),
    ],
)
def test_sets_are_compared(asked, answer, right):
    said = Said(box_answer([("part", box) for box in answer]))
    assert answered(asked, said).counts["set_right"] == right


@pytest.mark.parametrize("text", [NONE, "None.", "[]", "It is not in the picture.", "There isn't."])
def test_saying_that_it_is_absent_is_right_only_where_it_is(text):
    assert answered(item("absent", []), Said(text)).counts["set_right"] == 1
    assert answered(item("one", [A]), Said(text)).counts["set_right"] == 0
    assert answered(item("one", [A]), Said(text)).counts["none_of_present"] == 1


def test_silence_and_the_question_said_back_are_no_answer(hard):
    (asked, *_) = load_items(hard, "hard_detection", "test")
    for text in ("", asked.query):
        assert answered(item("absent", []), Said(text)).counts["set_right"] == 0


def test_gold_answers_are_right_and_baselines_are_where_chance_is(hard, tmp_path):
    file = write(tmp_path / "gold.hard_detection.jsonl", gold(hard, "hard_detection"))
    scores = score(hard, tmp_path / "out", file, "--no-report", "--workers", "1")
    assert row(scores, "gold", "hard_detection")["values"]["set_acc"] == 100
    questions = Counter(
        one.columns["question"] for one in read_rows(hard, "hard_detection", "test")
    )
    absent = 100 * questions["absent"] / questions.total()
    assert row(scores, "always-none", "hard_detection")["values"]["set_acc"] == pytest.approx(
        absent
    )
    assert absent == pytest.approx(33.3, abs=1)
    assert row(scores, "a-picture", "hard_detection")["values"]["set_acc"] < 15
    assert row(scores, "copy-query", "hard_detection")["values"]["set_acc"] == 0

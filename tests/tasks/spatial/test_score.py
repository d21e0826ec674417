"""Scores of spatial answers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.build import Place
from core.items import Item
from core.metrics import Said
from evaluation.samples import metric, score_sample
from tasks import TASKS
from tasks.spatial import score

BALL = Item(
    "1", "spatial", "test", "m", "s", None, "", "in", "", None, (), frozenset(),
    Place(Path(), 0, 0), conversation="classification", relations=("in", "on"),
    relations_image=("on",), names=("yellow ball", "water"),
    references=("Yellow ball in water.", "A yellow ball is floating in the water."),
)  # fmt: skip


def _scores(items, answers):
    counts = [
        score_sample(i, Said(a)).counts for i, a in zip(items, answers, strict=True)
    ]  # fmt: skip
    sums = {key: np.array(sum(one[key] for one in counts)) for key in counts[0]}
    return {name: float(metric("spatial", name).of(sums))
            for name in ("z1", "z2", "z3", "overall", "accuracy", "mbleu4", "f1_in")}  # fmt: skip


def test_the_published_figures():
    """LLaVA-VSD, Table 2: from parts to the overall score."""
    two, three = (
        score.z2(np.array(51.9585), np.array(75.6158)),
        score.z3(np.array(0.6916), np.array(45.809)),
    )
    assert score.overall(np.array(78.8728), two, three) == pytest.approx(59.3998, abs=1e-4)


@pytest.mark.parametrize(
    ("answer", "said"),
    [("in", {"in"}), ("In.", {"in"}), ("**to the left of**", {"left"}), ("next to", {"next"}),
     ("The yellow ball is in the water.", {"in"}), ("on, under", {"on", "under"}), ("", set()),
     ("I can't tell", set())],
)  # fmt: skip
def test_choices_are_read(answer, said):
    assert score.chosen(BALL, answer) == said


def test_a_choice_is_right_when_it_holds():
    found = _scores([BALL] * 4, ["in", "on", "under", ""])
    assert found["z1"] == pytest.approx(100 * 2 * 2 / (2 * 2 + 1 + 2))
    assert found["accuracy"] == 25.0  # the one that says most is asked for
    assert found["f1_in"] == pytest.approx(100 * 2 * 1 / (1 + 4))


def test_phrases_and_three_sentences():
    single = dataclasses.replace(BALL, conversation="single")
    perfect = _scores([single], ["A yellow ball is floating in the water."])
    assert perfect["z2"] == pytest.approx(100)
    wrong = _scores([single], ["A yellow ball is floating under the water."])
    assert 0 < wrong["z2"] < 80
    three = dataclasses.replace(BALL, conversation="open")
    same = _scores([three], ["\n".join(["Yellow ball in water."] * 3)])
    lines = ("Yellow ball in water.", "There floats something yellow, a ball, within the water.",
             "The yellow ball sits in the water.")  # fmt: skip
    other = _scores([three], [" \n ".join(lines)])
    assert same["mbleu4"] == pytest.approx(100) and other["mbleu4"] < 40
    assert other["z3"] > same["z3"] + 20
    assert _scores([three], ["Yellow ball in water."])["z3"] < same["z3"]


def test_other_kinds_of_questions_do_not_count():
    single = dataclasses.replace(BALL, conversation="single")
    found = _scores([BALL, single], ["in", "Yellow ball in water."])
    assert found["z1"] == found["accuracy"] == 100 and found["z2"] == pytest.approx(100)
    assert np.isnan(found["z3"])


@pytest.mark.parametrize(
    ("said", "gold", "points"),
    [("in", "in", 1), ("on", "in", 0), ("The ball is in the water.", "Yellow ball in water.", 1),
     ("The ball is in the water, under a tree.", "Yellow ball in water.", 0.5), ("", "in", 0)],
)  # fmt: skip
def test_rewards(said, gold, points):
    assert TASKS["spatial"].score.reward(said, gold) == points


def test_baselines_answer_everything():
    items = [dataclasses.replace(BALL, conversation=kind)
             for kind in ("classification", "single", "open")]  # fmt: skip
    for baseline in TASKS["spatial"].score.baselines.values():
        answers = baseline(items, [])
        assert answers[0] == "on" and answers[1] == "yellow ball on water."
        assert len(answers[2].splitlines()) == 3

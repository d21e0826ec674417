"""How answers fail: each kind on answers that models are known to give (thesis, 9.1)."""

import json

import pytest
from benchmark_build import write_build
from scored import gold, score, write

from core.items import load_items
from core.metrics import Said
from evaluation.failures import count_failures, failure_of
from evaluation.samples import score_sample


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b") / "build", manuals=4, test_manuals=2)


def kind(build, config: str, answer: str | None, shown=(), wanted=lambda item: True) -> str | None:
    item = next(item for item in load_items(build, config, "test") if wanted(item))
    said = Said(answer, shown=shown)
    return failure_of(item, said, score_sample(item, said))


@pytest.mark.parametrize(
    ("config", "answer", "expected"),
    [
        ("object", None, "no answer"),
        ("object", "```python\nfrom PIL import Image\nimage_path = 'x.png'\n```", "code"),
        ("object", "import cv2\nimg = cv2.imread('a.png')", "code"),
        ("object", "<p>1 light purple brick</p><125><48><145><97></s>", "coordinates outside"),
        ("object", "The 1 light purple brick 2x6 is on the left side.", "place in words"),
        ("object", "<p>a</p> {<1><1><2><2>} and <p>b</p> {<3><3><4><4>} and "
         "<p>c</p> {<5><5><6><6>}", "another number of boxes"),
        ("scene", "In the image, there is a small Lego-like object with a red liquid.", "caption"),
        ("scene", "A white table is shown.", "caption"),
        ("scene", "I'm sorry, but I can't help with that.", "refusal"),
        ("scene", "Put it on it. Put it on it. Put it on it. Put it on it.", "repeats itself"),
        ("scene", "Build structure.", "wrong"),
        ("state", "Yes. No.", "both yes and no"),
        ("state", "banana", "not readable"),
    ],
)  # fmt: skip
def test_what_a_failed_answer_is(build, config, answer, expected):
    assert kind(build, config, answer) == expected


def test_answers_of_examples_and_questions(build):
    shown = "<p>1 part</p> {<57><15><82><35>}"
    assert kind(build, "object", shown, (shown,)) == "example copied"
    query = load_items(build, "scene", "test")[0].query
    assert kind(build, "scene", query) == "question said back"


def test_right_answers_fail_in_nothing(build):
    for config in ("scene", "object", "state"):
        items = load_items(build, config, "test")
        saids = [Said(item.answer) for item in items]
        assert count_failures(items, saids, list(map(score_sample, items, saids))) == {}


def test_tables_count_failures_and_cost_and_the_report_shows_runs_side_by_side(build, tmp_path):
    right = gold(build, "state")
    write(tmp_path / "p/right.state.jsonl", right)
    lines = [
        {"id": name, "answer": "banana" if k < 3 else answer, "seconds": 1 + k / 10,
         "tokens_in": 100, "tokens_out": 5}
        for k, (name, answer) in enumerate(right)
    ]  # fmt: skip
    (tmp_path / "p/fruit.state.jsonl").write_text("\n".join(map(json.dumps, lines)))
    scores = score(build, tmp_path / "s", tmp_path / "p", "--shown", "1")
    found = {one["name"]: one for one in scores["scores"] if not one["baseline"]}
    assert (found["right"]["failures"], found["fruit"]["failures"]) == ({}, {"not readable": 3})
    number = len(right)
    assert (tmp_path / "s/state.failures.csv").read_text().splitlines() == [
        "run,failed,not readable", f"fruit,3 of {number},3", f"right,0 of {number},0",
    ]  # fmt: skip
    cost = (tmp_path / "s/cost.csv").read_text().splitlines()
    mean = 1 + (number - 1) / 20
    assert cost[0] == 'run,task,s/answer,"s, 95 %",tokens in,tokens out'
    assert cost[1].startswith(f"fruit [full],state,{mean:g},") and cost[1].endswith(",100,5")
    assert len(cost) == 2  # the other run recorded nothing
    page = (tmp_path / "s/report.html").read_text()
    start = page.index("the same items by all runs")
    block = page[start : page.index("<h2>", start)]
    assert block.count("<figure") == 2 and "fruit \u2717 not read" in block
    assert "right \u2713 right" in block and "banana" in block

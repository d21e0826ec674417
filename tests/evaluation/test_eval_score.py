"""The whole command on whole builds: what perfect, shuffled and constant answers score."""

import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from benchmark_build import write_build
from outside import ROOT
from scored import gold, row, score, write

from core import cli
from core.items import load_items
from evaluation import command as evaluate
from evaluation.prompts import take_apart
from tasks import TASKS

CONFIGS = ("scene", "object", "state")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Twelve test manuals: enough for intervals."""
    return write_build(tmp_path_factory.mktemp("b") / "build", manuals=18, test_manuals=12)


def test_a_perfect_predictor_scores_100_everywhere(build, tmp_path, capsys):
    for config in CONFIGS:
        write(tmp_path / f"p/perfect.{config}.jsonl", gold(build, config))
    scores = score(build, tmp_path / "s", tmp_path / "p")
    for config in CONFIGS:
        values = row(scores, "perfect", config)["values"]
        for metric in TASKS[config].score.metrics:
            expected = 100.0 if metric.up else 0.0
            if metric.name in ("t_acc_novel", "e_acc_novel", "demo_copy_rate"):
                assert values[metric.name] in (None, expected)  # nothing to count
            elif metric.name == "iou_sum_r1":
                assert values[metric.name] >= 100.0  # a sum (A13)
            else:
                assert values[metric.name] == pytest.approx(expected), (config, metric.name)
    assert "always-yes" in capsys.readouterr().out


def test_a_perfect_predictor_in_other_words(build, tmp_path):
    """The same boxes in thousandths and JSON, in tags; Yes in a sentence."""
    items = load_items(build, "object", "test")
    said = []
    for item in items:
        numbers = [[10 * int(v) for v in re.findall(r"<(\d+)>", part)]
                   for part in re.findall(r"\{(.*?)\}", item.answer)]  # fmt: skip
        names = re.findall(r"<p>(.*?)</p>", item.answer)
        boxes = [{"bbox_2d": b, "label": n} for b, n in zip(numbers, names, strict=True)]
        said.append((item.id, f"<think>hm</think><answer>{json.dumps(boxes)}</answer>"))
    write(tmp_path / "json.object.jsonl", said)
    state = [(name, f"{answer[:-1]}, I think so.") for name, answer in gold(build, "state")]
    write(tmp_path / "json.state.jsonl", state)
    scores = score(build, tmp_path / "s", tmp_path)
    found = row(scores, "json", "object")
    assert (found["frame"], found["values"]["iou"], found["values"]["e_acc"]) == (
        "norm1000", 100.0, 100.0,
    )  # fmt: skip
    assert row(scores, "json", "state")["values"]["f1"] == 100.0
    # said to be percents, the same boxes are nowhere
    declared = score(build, tmp_path / "d", tmp_path / "json.object.jsonl", "--frame", "norm100")
    assert row(declared, "json", "object")["values"]["iou"] < 5


def test_a_perfect_predictor_on_the_demo_s_own_rows(demo, tmp_path):
    """Real texts and boxes, not those that tests make up."""
    built = demo / "lego-arta"
    for config in CONFIGS:
        write(tmp_path / f"p/perfect.{config}.jsonl", gold(built, config))
        for item in load_items(built, config, "train"):
            parts = take_apart(item.query, config)
            assert parts.token and parts.instruction and parts.directive
    scores = score(built, tmp_path / "s", tmp_path / "p")
    for config, names in (
        ("scene", ("rouge1", "bleu")),
        ("object", ("iou", "e_acc", "count_acc", "iou_parts")),
        ("state", ("f1", "tnr", "mcc")),
    ):
        values = row(scores, "perfect", config)["values"]
        assert [values[name] for name in names] == pytest.approx([100.0] * len(names))
    assert row(scores, "always-yes", "state")["values"]["f1"] == pytest.approx(40.0)


def test_a_shuffled_predictor_is_at_chance(build, tmp_path):
    rng = random.Random(0)
    for config in CONFIGS:
        answers = gold(build, config)
        texts = [text for _, text in answers]
        rng.shuffle(texts)
        ids = [name for name, _ in answers]
        write(tmp_path / f"shuffled.{config}.jsonl", list(zip(ids, texts, strict=True)))
    scores = score(build, tmp_path / "s", tmp_path)
    state = row(scores, "shuffled", "state")
    low, high = state["intervals"]["j"]
    assert low <= 0 <= high  # no discrimination within the interval
    assert state["values"]["balanced_acc"] == pytest.approx(50, abs=6)
    assert state["values"]["f1"] == pytest.approx(25, abs=9)  # a quarter said Yes, at random
    assert row(scores, "shuffled", "object")["values"]["iou"] < 20
    # a random row's instruction has its part's name by luck only
    assert row(scores, "shuffled", "scene")["values"]["t_acc"] < 45


def test_rows_that_name_nothing_are_counted(build, tmp_path):
    write(tmp_path / "m.scene.jsonl", gold(build, "scene"))
    found = row(score(build, tmp_path / "s", tmp_path), "m", "scene")
    items = load_items(build, "scene", "test")
    bare = [item for item in items if not {t for t, _ in item.entities} & {"theme", "colorinfo"}]
    assert found["without_keywords"] == len(bare)


def test_the_baselines_come_with_every_table(build, tmp_path):
    write(tmp_path / "m.state.jsonl", gold(build, "state"))
    write(tmp_path / "m.object.jsonl", gold(build, "object"))
    scores = score(build, tmp_path / "s", tmp_path)
    yes = row(scores, "always-yes", "state")["values"]
    assert (yes["f1"], yes["fpr"], yes["balanced_acc"], yes["mcc"]) == (40.0, 100.0, 50.0, 0.0)
    assert row(scores, "always-no", "state")["values"]["tnr"] == 100.0
    assert row(scores, "copy-query", "state")["values"]["parse_rate"] == 0.0
    assert row(scores, "majority", "state")["values"]["f1"] == 0.0
    assert row(scores, "no-image", "state")["values"]["balanced_acc"] == 50.0
    # E_ACC is had by saying the query back, without a box
    echo = row(scores, "copy-query", "object")["values"]
    assert echo["e_acc"] > 80 and echo["iou"] == 0
    text = (tmp_path / "s/object.csv").read_text()
    assert (
        next(line for line in text.splitlines() if line.startswith("copy-query")).split(",")[2]
        == "/"
    )
    assert row(scores, "no-image", "object")["values"]["parse_rate"] == 100.0


def test_what_is_not_answered_counts_as_wrong(build, tmp_path, capsys):
    answers = gold(build, "state")
    write(tmp_path / "half.state.jsonl", answers[: len(answers) // 2])
    scores = score(build, tmp_path / "s", tmp_path / "half.state.jsonl")
    half = row(scores, "half", "state")
    assert half["statuses"]["missing"] == half["total"] - half["answered"]
    assert half["values"]["balanced_acc"] == pytest.approx(50, abs=1)
    assert "the others count as wrong" in capsys.readouterr().out
    common = score(build, tmp_path / "c", tmp_path / "half.state.jsonl", "--common")
    assert row(common, "half", "state")["values"]["f1"] == 100.0


def test_models_that_can_t_be_told_apart_are_said_so(build, tmp_path, capsys):
    rng = random.Random(1)
    answers = gold(build, "state")
    for name in ("one", "two"):
        noisy = [(i, t if rng.random() < 0.7 else "No.") for i, t in answers]
        write(tmp_path / f"p/{name}.state.jsonl", noisy)
    write(tmp_path / "p/best.state.jsonl", answers)
    scores = score(build, tmp_path / "s", tmp_path / "p")
    inside = {(d["a"], d["b"]): d["inside"] for d in scores["differences"] if d["metric"] == "f1"}
    assert inside == {("best", "one"): False, ("best", "two"): False, ("one", "two"): True}
    told = capsys.readouterr().out
    assert "state: one and two can't be told apart on f1 " in told
    assert "best and one can't be told apart on f1" not in told
    low, high = row(scores, "one", "state")["intervals"]["f1"]
    assert low < row(scores, "one", "state")["values"]["f1"] < high


class Strict(HTMLParser):
    """Balanced tags, no addresses."""

    VOID = ("meta", "img", "rect", "br", "link")

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.images = [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name not in ("href", "onload", "onerror")
            if name == "src":
                assert value.startswith("data:image/webp;base64,")
                self.images += 1

    def handle_startendtag(self, tag, attrs):
        assert tag == "rect"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_report_stands_alone_and_escapes(build, tmp_path):
    evil = '</dd><script>alert(1)</script> <57><15><82><35> & "x"'
    items = load_items(build, "object", "test")
    write(tmp_path / "p/<b>evil.object.jsonl",
          [(item.id, evil) for item in items])  # fmt: skip
    score(build, tmp_path / "s", tmp_path / "p")
    text = (tmp_path / "s/report.html").read_text()
    page = Strict()
    page.feed(text)
    assert not page.open and page.images >= 4
    assert "<script" not in text and any("<script>alert(1)" in part for part in page.texts)
    assert "<b>evil" not in text
    assert not re.search(r"https?://", text)
    assert text.count('class="said"') >= 4 and text.count('class="gold"') >= 4


def test_the_report_marks_what_is_wrong_and_explains_its_columns(build, tmp_path, capsys):
    answers = gold(build, "state")
    other = {"Yes.": "No.", "No.": "Yes."}
    write(tmp_path / "p/m.state.jsonl",
          [(name, other[said]) if n % 2 else (name, said) for n, (name, said) in enumerate(answers)]
          )  # fmt: skip
    write(tmp_path / "p/m.object.jsonl", [(n, "nowhere") for n, _ in gold(build, "object")])
    write(tmp_path / "p/m.scene.jsonl", gold(build, "scene"))
    score(build, tmp_path / "s", tmp_path / "p")
    text = (tmp_path / "s/report.html").read_text()
    cards = re.findall(r'<figure class="card (\w+)"><span class="mark-on">(.*?)</span>', text)
    assert cards.count(("right", "\u2713 right")) == cards.count(("wrong", "\u2717 wrong")) == 4
    assert cards.count(("wrong", "\u2717 not read")) >= 4  # boxes
    told = capsys.readouterr().out.splitlines()
    for start in ("T_ACC: the share", "E_ACC: the share", "balanced: mean of"):
        assert sum(line.startswith(start) for line in told) == 1 and start in text


def test_the_same_scores_every_time_and_by_any_number_of_processes(build, tmp_path):
    for config in CONFIGS:
        write(tmp_path / f"p/m.{config}.jsonl", gold(build, config))
    first = score(build, tmp_path / "a", tmp_path / "p", "--workers", "1")
    second = score(build, tmp_path / "b", tmp_path / "p", "--workers", "2")
    assert first == second
    none = score(build, tmp_path / "c", tmp_path / "p", "--resamples", "0")
    assert set(row(none, "m", "state")["intervals"].values()) == {None}


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("m.jsonl", ['{"id": "a", "answer": "b"}'], "its task is not known"),
        ("m.state.jsonl", ['{"id": "a", "answer": "b"}'], "none of its ids"),
        ("m.state.jsonl", ["{broken", '{"id": "a", "answer": "b"}'], "line 1: not a prediction"),
        ("m.state.jsonl", ['{"id": 3, "answer": "b"}', ""], "line 1: not a prediction"),
    ],
)
def test_bad_files_give_one_line(build, tmp_path, capsys, name, lines, said):
    path = tmp_path / name
    path.write_text("\n".join(lines))
    assert evaluate.main(["score", str(build), str(path), "--out", str(tmp_path / "s")]) == 1
    errors = capsys.readouterr().err
    assert said in errors and errors.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_other_bad_input_gives_one_line(build, tmp_path, capsys):
    for arguments, said in (
        (["score", str(build), str(tmp_path)], "no *.jsonl in it"),
        (["score", str(tmp_path), str(tmp_path / "x.jsonl")], "can't be read"),
        (["run", str(tmp_path), "--model", "baseline:majority", "--config", "state"], "make one"),
        (["run", str(build), "--model", "openai:x", "--config", "state"], "--base-url"),
        (["run", str(build), "--model", "openai:", "--config", "state"], "name a model"),
        (["run", str(build), "--model", "baseline:x", "--config", "state"], "unknown"),
        (["run", str(build), "--model", "baseline:always-no", "--config", "scene"], "only for"),
        (["run", str(build), "--model", "m", "--config", "state", "--without", "x"], "no such"),
    ):
        extra = ["--out", str(tmp_path / "o")] if arguments[0] == "run" else []
        assert evaluate.main([*arguments, *extra]) == 1
        errors = capsys.readouterr().err
        assert said in errors and errors.count("\n") == 1, arguments
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(["run", str(build), "--model", "m"])
    assert stopped.value.code == 2


def test_baselines_and_replays_run_too(build, tmp_path, capsys):
    out = tmp_path / "p"
    run = ["run", str(build), "--config", "scene", "--out", str(out)]
    assert evaluate.main([*run, "--model", "baseline:no-image"]) == 0
    (made,) = out.glob("*.jsonl")
    lines = [json.loads(line) for line in made.read_text().splitlines()]
    assert len(lines) == len(gold(build, "scene"))
    assert all(line["prompt"][-1]["image"] == line["id"] for line in lines)
    # its answers, played back under another name, score the same
    assert evaluate.main([*run, "--model", f"replay:{made}", "--name", "again"]) == 0
    scores = score(build, tmp_path / "s", out)
    again, first = row(scores, "again", "scene"), next(
        s for s in scores["scores"] if s["name"] == "no-image" and not s["baseline"]
    )  # fmt: skip
    assert again["values"] == first["values"]
    # what a replay lacks is an item without an answer, and asked again next time
    short = write(tmp_path / "short.jsonl", [(lines[0]["id"], "x")])
    capsys.readouterr()
    assert evaluate.main([*run, "--model", f"replay:{short}"]) == 0
    assert f"{len(lines) - 1} items have no answer" in capsys.readouterr().out


def test_the_four_settings_make_table_8_4(build, tmp_path):
    for setting in ("full", "no-instruction", "no-examples", "neither"):
        for config in CONFIGS:
            run = ["run", str(build), "--config", config, "--out", str(tmp_path / "p")]
            made = ["--model", "baseline:majority", "--setting", setting, "--name", "m"]
            assert evaluate.main([*run, *made]) == 0
    score(build, tmp_path / "s", tmp_path / "p")
    lines = (tmp_path / "s/settings.m.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["✓", "✓"], ["✗", "✓"], ["✓", "✗"], ["✗", "✗"],
    ]  # fmt: skip
    assert (tmp_path / "s/scene.neither.csv").exists()


def test_answers_of_another_build_are_refused(build, tmp_path, capsys):
    other = write_build(tmp_path / "other", manuals=4, test_manuals=2)
    run = ["run", str(other), "--config", "state", "--out", str(tmp_path / "p")]
    assert evaluate.main([*run, "--model", "baseline:always-no"]) == 0
    assert evaluate.main(["score", str(build), str(tmp_path / "p")]) == 1
    assert "another build" in capsys.readouterr().err
    # and another run of the same name is not mixed in
    assert evaluate.main([*run, "--model", "baseline:majority", "--name", "always-no"]) == 1
    assert "another run (model" in capsys.readouterr().err


def test_scoring_needs_neither_torch_nor_the_builder():
    code = (
        "import sys; import evaluation.score, evaluation.report; "
        "print([n for n in ('torch', 'transformers', 'builder', 'cv2') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_extra_one_line_says_so(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(cli.EXTRAS, "evaluate", ("nltk", "no_such_module"))
    for arguments in (
        ["score", str(build), str(tmp_path)],
        ["run", str(build), "--model", "baseline:majority", "--config", "state"],
    ):
        assert evaluate.main(arguments) == 1
        said = capsys.readouterr().err
        assert "no_such_module is not installed" in said and said.count("\n") == 1
        assert said.endswith(f"{cli.pip_install('evaluate')}\n")


def test_help_teaches(capsys):
    for arguments in (["--help"], ["run", "--help"], ["score", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            evaluate.main(arguments)
        assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "--base-url" in text and "replay:" in text

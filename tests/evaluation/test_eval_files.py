"""Runs and prediction files: nothing half-written, nothing scored that was not answered."""

import json
from dataclasses import replace

import pytest
from benchmark_build import write_build
from scored import gold, row, score, write

from core.frames import Seen, fitting_frames
from core.items import load_items
from evaluation import command as evaluate
from evaluation.baselines import baselines_of


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b") / "build", manuals=5, test_manuals=3)


def run(build, out, model, *more, config="state"):
    arguments = ["run", str(build), "--config", config, "--model", model, "--out", str(out)]
    return evaluate.main([*arguments, *more])


def test_a_run_without_an_answer_leaves_nothing(build, tmp_path, capsys):
    empty = write(tmp_path / "empty.jsonl", [("strange", "Yes.")])
    out = tmp_path / "p"
    assert run(build, out, f"replay:{empty}") == 1
    assert "not in the replay file" in capsys.readouterr().err and not out.exists()


def test_a_run_goes_on_in_a_file_that_holds_nothing(build, tmp_path):
    out = tmp_path / "p"
    assert run(build, out, "baseline:always-no") == 0
    (path,) = out.glob("*.jsonl")
    path.write_text("")  # as a run left it that was killed at once
    assert run(build, out, "baseline:majority", "--name", "always-no") == 0
    assert len(path.read_text().splitlines()) == len(gold(build, "state"))


def test_all_configs_in_one_go(build, tmp_path):
    assert run(build, tmp_path / "p", "baseline:majority", config="all") == 0
    names = {path.name for path in (tmp_path / "p").glob("*.jsonl")}
    assert names == {f"majority.{c}.full.jsonl" for c in ("scene", "object", "state")}
    scores = score(build, tmp_path / "s", tmp_path / "p")
    assert {s["config"] for s in scores["scores"]} == {"scene", "object", "state"}


def test_all_configs_are_those_that_a_baseline_answers(build, tmp_path):
    assert run(build, tmp_path / "p", "baseline:place", config="all") == 0
    assert {p.name for p in (tmp_path / "p").glob("*.jsonl")} == {"place.state.full.jsonl"}


def test_files_without_an_answer_are_left_out_and_told(build, tmp_path, capsys):
    answers = gold(build, "state")
    folder = tmp_path / "p"
    write(folder / "good.state.jsonl", answers)
    (folder / "empty.state.jsonl").write_text("")
    failed = [{"id": name, "answer": None, "error": "HTTP 400: no"} for name, _ in answers]
    (folder / "failed.state.jsonl").write_text("".join(json.dumps(f) + "\n" for f in failed))
    scores = score(build, tmp_path / "s", folder)
    assert {s["name"] for s in scores["scores"] if not s["baseline"]} == {"good"}
    told = capsys.readouterr().out
    assert "empty.state.jsonl: no answer in it" in told and "(HTTP 400: no)" in told
    (folder / "good.state.jsonl").unlink()
    assert evaluate.main(["score", str(build), str(folder), "--out", str(tmp_path / "t")]) == 1
    assert "nothing to score" in capsys.readouterr().err and not (tmp_path / "t").exists()


def test_what_is_odd_about_a_file_is_told(build, tmp_path, capsys):
    answers = gold(build, "state")
    name, wrong = answers[0][0], {"Yes.": "No.", "No.": "Yes."}[answers[0][1]]
    path = write(tmp_path / "m.state.jsonl",
                 [(name, wrong), *answers, ("strange", "Yes.")])  # fmt: skip
    with path.open("a") as file:
        file.write(json.dumps({"id": name, "answer": None, "error": "timeout"}) + "\n")
    scores = score(build, tmp_path / "s", path)
    assert row(scores, "m", "state")["values"]["f1"] == 100.0  # the last answer counts
    told = capsys.readouterr().out
    assert "1 of its answers are of no item" in told and "1 ids have two different" in told


def test_answers_that_were_cut_are_told(build, tmp_path, capsys):
    out = tmp_path / "p"
    assert run(build, out, "baseline:majority", "--max-new-tokens", "5") == 0
    (path,) = out.glob("*.jsonl")
    lines = [json.loads(line) | {"tokens_out": 5} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    score(build, tmp_path / "s", out)
    assert f"{len(lines)} answers were cut at --max-new-tokens 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("boxes", "frames"),
    [
        ([(10, 20, 90, 95)], ["norm100", "norm1000"]),  # one box, in the corner or in percent
        ([(10, 20, 90, 95)] * 8, ["norm100"]),
        ([(0.1, 0.2, 0.9, 1.0)], ["norm1"]),
        ([(10, 20, 900, 690)], ["px", "norm1000"]),  # of 960 x 720: both hold it
        ([(10, 20, 980, 990)], ["norm1000"]),
        ([(10, 20, 1500, 900)], ["px"]),
    ],
)
def test_frames_that_range_alone_does_not_tell(boxes, frames):
    size = (1600, 1200) if frames == ["px"] else (960, 720)
    assert fitting_frames([Seen(boxes, size)]) == frames


def test_a_frame_that_is_a_guess_is_told(build, tmp_path, capsys):
    write(tmp_path / "m.object.jsonl", gold(build, "object")[:2])
    score(build, tmp_path / "s", tmp_path / "m.object.jsonl")
    assert "may be in norm100 or norm1000" in capsys.readouterr().out
    score(build, tmp_path / "s", tmp_path / "m.object.jsonl", "--frame", "norm100")
    assert "may be in" not in capsys.readouterr().out


def test_an_unread_answer_has_no_right_count(build, tmp_path):
    """A box that runs backwards is none."""
    said = [(name, "<p>a</p> {<90><90><10><10>}") for name, _ in gold(build, "object")]
    write(tmp_path / "m.object.jsonl", said)
    found = row(score(build, tmp_path / "s", tmp_path), "m", "object")["values"]
    assert (found["count_acc"], found["parse_rate"]) == (0.0, 0.0)


def test_state_baselines_that_do_not_look(build):
    """Yes to the first of every four; where the part lies tells what it tells in train."""
    items, train = (load_items(build, "state", split) for split in ("test", "train"))
    first = baselines_of("state")["first-of-four"](items, train)
    assert first.count("Yes.") * 4 == len(items)
    assert {items[i].group_id for i, said in enumerate(first) if said == "Yes."} == {
        item.group_id for item in items
    }
    unknown = [replace(item, part_box_px=None) for item in train]
    assert set(baselines_of("state")["place"](items, unknown)) == {None}
    moved = [[_at(item, 40.0 if item.is_yes else 5.0) for item in some] for some in (items, train)]
    assert baselines_of("state")["place"](*moved) == [item.answer for item in items]


def _at(item, x0):
    return replace(item, part_box_px=(x0, 5.0, x0 + 4 + item.step_num, 9.0))

"""Raters on where things are: which pairs they see, what they may say, what a build makes of it."""

import json
import re

import msgspec
import numpy as np
import pytest
from spatial_build import contradicting

from builder.release import validate
from builder.release.reviews import read_reviews
from core.build import read_rows
from core.relations import CONVERSATIONS, OPPOSITE, RELATIONS, WORDS
from review import agreement, checks, page, results, rows, score
from review import command as review
from review.criteria import HOLDS, HOLDS_NOT, RATINGS
from review.results import RESULT_FORMAT, Answer, Key, Result

TASK = RATINGS["spatial"]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return contradicting(tmp_path_factory.mktemp("spatial"))


def made(build, out, *options) -> tuple[dict, Key]:
    command = ["make", str(build), "--task", "spatial", "--out", str(out), *options]
    assert review.main(command) == 0
    return page.read_page(out)[0], results.read_key(page.key_path(out))


def pairs_of(build) -> dict[str, dict]:
    """The rows that ask for a relation, by id."""
    every = [row.columns for row in read_rows(build, "spatial")]
    return {row["id"]: row for row in every if CONVERSATIONS[row["conversation_type"]] ==
            "classification"}  # fmt: skip


def saying(*relations: str) -> dict[str, int | None]:
    """The scores of a page on which these words are ticked."""
    return {name: HOLDS if name in relations else HOLDS_NOT for name in RELATIONS}


def result_of(key: Key, answers: dict[str, dict], number: int) -> Result:
    """A rater's file."""
    said = {name: Answer(scores, "", 9000.0, "2026-01-01T10:00:00Z")
            for name, scores in answers.items()}  # fmt: skip
    return Result(
        RESULT_FORMAT, key.page_id, "spatial", f"Rater {number}", f"{number:032x}", 0, len(said),
        "2026-01-01T09:00:00Z", said, "2026-01-01T20:00:00Z", len(said), True,
    )  # fmt: skip


def test_every_pair_is_asked_about_once_and_those_that_differ_come_first(build, tmp_path, capsys):
    data, key = made(build, tmp_path / "p.html", "--checks", "none")
    pairs = pairs_of(build)
    assert {item.row for item in key.items.values()} == set(pairs) and len(pairs) == 5
    assert len({row["pair_id"] for row in pairs.values()}) == len(pairs)
    # Every rater begins with the one that differs; that of the other manual is in no test.
    assert not data["rotate"] and "1 of them come first" in capsys.readouterr().out
    (differs,) = (row for row in pairs.values() if row["relations_agree"] is False)
    assert key.items["q0001"].row == differs["id"]
    assert differs["relations_text"] == ["under"] and differs["relations_image"][0] == "on"
    for item in data["items"]:
        row = pairs[key.items[item["id"]].row]
        assert key.items[item["id"]].relation == row["relations"][0]
        assert [box["name"] for box in item["boxes"]] == [
            row["subject"]["label"], row["object"]["label"],
        ]  # fmt: skip
        assert [box["px"] for box in item["boxes"]] == [
            row["subject"]["box_px"], row["object"]["box_px"],
        ]  # fmt: skip
        # Neither the answer nor the step's own words, which say it.
        assert row["instruction"] not in json.dumps(data)
        assert "box 1, blue" in item["text"] and "box 2, pink" in item["text"]
    assert "relation" not in json.dumps(data["items"])


def test_the_colours_that_are_told_are_those_of_the_boxes():
    """Blue has most blue; pink more red than blue, and next to no green."""
    css = (page.FOLDER / "page.css").read_text()
    values = [re.search(rf"\.box-{n} {{ --box: #(\w\w)(\w\w)(\w\w)", css) for n in (0, 1)]
    (r, g, b), (red, green, blue) = ([int(v, 16) for v in found.groups()] for found in values)
    assert b > 1.5 * max(r, g) and red > blue > 3 * green


def test_check_questions_are_true_by_the_scene(demo, tmp_path):
    build = demo / "lego-arta"
    data, key = made(build, tmp_path / "p.html", "--n", "8")
    known = {name: item.known for name, item in key.items.items() if item.row is None}
    assert len(known) == 3 and len(key.items) == 11
    by_boxes = {}
    for row in pairs_of(build).values():
        names = (row["subject"]["label"], row["object"]["label"])
        boxes = (tuple(row["subject"]["box_px"]), tuple(row["object"]["box_px"]))
        by_boxes[names, boxes] = row["relations_scene"]
    swapped = 0
    for item in data["items"]:
        if item["id"] not in known:
            continue
        (holds,) = (name for name, said in known[item["id"]].items() if said == HOLDS)
        (not_so,) = (name for name, said in known[item["id"]].items() if said == HOLDS_NOT)
        assert not_so == OPPOSITE[holds]
        names, boxes = zip(*((b["name"], tuple(b["px"])) for b in item["boxes"]), strict=True)
        scene = by_boxes.get((names, boxes))
        if scene is None or holds not in scene:
            scene = by_boxes[names[::-1], boxes[::-1]]
            assert OPPOSITE[holds] in scene and holds not in scene
            swapped += 1
        else:
            assert not_so not in scene
    assert swapped <= 1


def test_a_row_with_another_row_of_its_relation_taken_the_other_way_round(demo):
    """Exchanged things stand in the opposite relation, and the sentence names them so."""
    row = next(
        row for row in read_rows(demo / "lego-arta", "spatial")
        if rows.is_choice(row) and row.columns["relations"][0] == "left"
    )  # fmt: skip
    question = checks._other_way_round(row)
    assert question.known == {"right": HOLDS, "left": HOLDS_NOT} and question.row is None
    assert question.boxes[0].name == row.columns["object"]["label"]
    assert question.text.startswith(f"The {row.columns['object']['label']} (box 1, blue)")


def test_a_page_without_checkable_pairs_says_what_helps(build, tmp_path, capsys):
    command = ["make", str(build), "--task", "spatial", "--out", str(tmp_path / "p.html")]
    assert review.main(command) == 1
    assert "--checks none" in capsys.readouterr().err


def test_denied_relations_leave_the_build_and_confirmed_ones_are_weighed(build, tmp_path):
    """Three raters: the contradiction is denied by all, two pairs by one each, and of one a rater
    can't tell. Whole pairs go or get the weight."""
    out = tmp_path / "p.html"
    _, key = made(build, out, "--checks", "none")
    pairs, names = pairs_of(build), list(key.items)
    own = {name: key.items[name].relation for name in names}
    files = []
    for number in range(3):
        answers = {name: saying(own[name], "left") for name in names}
        answers[names[0]] = saying("on")
        answers[names[1]] = saying(own[names[1]]) if number else saying()
        answers[names[2]] = saying("in") if number == 0 else answers[names[2]]
        answers[names[3]] = dict.fromkeys(RELATIONS) if number == 1 else answers[names[3]]
        files.append(tmp_path / f"{number}.json")
        files[-1].write_bytes(msgspec.json.encode(result_of(key, answers, number)))
    command = ["score", *map(str, files), "--out", str(tmp_path / "s")]
    assert review.main(command) == 0
    found = json.loads((tmp_path / "s" / "review.json").read_text())
    # By hand: of 14 judgements that could be made 9 confirm.
    assert found["holds"]["confirmed"]["value"] == pytest.approx(9 / 14)
    assert [rule["criterion"] for rule in found["acceptance"]["rules"]] == [score.TOGETHER] * 2
    report = (tmp_path / "s" / "review.html").read_text()
    assert "to the left of" in report and "none" in report
    reviews, _ = read_reviews([tmp_path / "s" / "review.json"])
    assert reviews.rejected == (key.items[names[0]].row,)
    weights = dict(reviews.weights)
    assert weights[key.items[names[1]].row] == pytest.approx(2 / 3)
    assert weights[key.items[names[2]].row] == pytest.approx(2 / 3)
    assert weights[key.items[names[3]].row] == 1
    after = contradicting(tmp_path / "after", reviews=reviews)
    assert list(validate.violations(after)) == []
    left = {row.columns["pair_id"]: row.columns for row in read_rows(after, "spatial")}
    gone = pairs[key.items[names[0]].row]["pair_id"]
    assert set(left) == {row["pair_id"] for row in pairs.values()} - {gone}
    for name in names[1:3]:
        pair = pairs[key.items[name].row]["pair_id"]
        rows_of_pair = [r.columns for r in read_rows(after, "spatial")
                        if r.columns["pair_id"] == pair]  # fmt: skip
        assert len(rows_of_pair) == 4  # a choice, two phrases, three sentences
        for row in rows_of_pair:
            assert row["sample_weight"] == pytest.approx(2 / 3, abs=1e-6)


def test_answers_with_opposites_are_noted(build, tmp_path):
    _, key = made(build, tmp_path / "p.html", "--checks", "none")
    answers = dict.fromkeys(key.items, saying("left", "right"))
    (rater,) = results.checked([result_of(key, answers, 1)], key, TASK)
    assert rater.counted and any("opposite" in note for note in rater.notes)
    (other,) = results.checked([result_of(key, dict.fromkeys(key.items, saying("on")), 2)], key,
                               TASK)  # fmt: skip
    assert not any("opposite" in note for note in other.notes)


def test_kappa_of_several_words_is_fleiss_over_all_decisions():
    """The same as Fleiss' kappa of one long list of yes-or-no questions."""
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 3, (40, 9, 1))
    values = np.where(rng.random((40, 9, 4)) < 0.1, 3 - truth, truth).astype(float)
    together = agreement.fleiss_of_several(values)
    assert together.value == pytest.approx(agreement.fleiss(values.reshape(360, 4), 2).value)
    assert together.low < together.value < together.high and together.n == 40
    values[0, 0, 0] = np.nan  # who can't tell takes the whole sample out
    assert agreement.fleiss_of_several(values).n == 39


def test_the_nine_words_are_the_criteria_in_their_order():
    assert [c.name for c in TASK.criteria] == list(RELATIONS)
    assert [c.title for c in TASK.criteria] == list(WORDS.values())

"""Result files and statistics: raters with known errors, wrong files, what a build gets."""

import itertools
import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raters import careful, key_of, ratings, true_kappa, truth_of
from sklearn.metrics import cohen_kappa_score

from builder.release.reviews import Reviews, read_reviews
from core.errors import UserError
from core.records import dump
from review import agreement, results, score
from review import command as review
from review.criteria import RATINGS

SHARES = {"precision": (0.1, 0.2, 0.7), "clearness": (0.15, 0.25, 0.6)}
STATE_SHARES = {"relevance": (0.3, 0.7), "similarity": (0.4, 0.6)}
ERRORS = (0.04, 0.08, 0.1, 0.12, 0.15)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Enough for the intervals that are looked at here, and a fifth of the time."""
    monkeypatch.setattr(agreement, "RESAMPLES", 200)


def study(task: str, samples: int, errors=ERRORS, shares=None, seed: int = 0) -> dict:
    """The summary of a study with raters of these error rates."""
    key, raters = raters_of(task, samples, errors, shares, seed)
    return score.summary(key, RATINGS[task], raters)


def raters_of(task: str, samples: int, errors=ERRORS, shares=None, seed: int = 0):
    """The key and the raters of such a study, checks all right."""
    shares = shares or (SHARES if task == "object" else STATE_SHARES)
    key = key_of(task, samples)
    truth = truth_of(key, shares, seed)
    said = [careful(key, ratings(key, truth, e, 10 * seed + n)) for n, e in enumerate(errors)]
    return key, results.checked(said, key, RATINGS[task])


def values_of(task: str, name: str, *arguments, **options) -> np.ndarray:
    """Scores (samples, raters) of such a study."""
    key, raters = raters_of(task, *arguments, **options)
    samples = [question for question, item in key.items.items() if item.row is not None]
    return score.matrix(raters, samples, RATINGS[task].criterion(name))


# Agreement ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "name"), [("object", "precision"), ("state", "similarity")])
def test_five_raters_with_known_errors_have_the_kappa_that_follows_from_them(task, name):
    """With samples enough that chance is out of it: within 0.03 of the true one."""
    shares = {**SHARES, **STATE_SHARES}[name]
    values, true = values_of(task, name, 3000), true_kappa(shares, ERRORS)
    assert 0.4 < true < 0.9
    assert abs(agreement.fleiss(values, len(shares)).value - true) < 0.03
    pairs = agreement.cohen(values, len(shares), weighted=False)
    assert abs(np.nanmean(pairs) - true) < 0.03


def test_a_hundred_samples_are_right_on_average_and_their_interval_holds_the_truth():
    """The paper's size: one study is a draw, so 30 of them."""
    true = true_kappa(SHARES["precision"], ERRORS)
    kappas = [
        agreement.fleiss(values_of("object", "precision", 100, seed=seed), 3) for seed in range(30)
    ]
    assert abs(np.mean([k.value for k in kappas]) - true) < 0.03
    assert sum(k.low <= true <= k.high for k in kappas) >= 25


@st.composite
def matrices(draw):
    labels = draw(st.sampled_from([2, 3]))
    raters, samples = draw(st.integers(2, 4)), draw(st.integers(3, 25))
    values = draw(
        st.lists(
            st.lists(st.sampled_from([*range(1, labels + 1)] * 5 + [math.nan]),
                     min_size=raters, max_size=raters),
            min_size=samples, max_size=samples,
        )
    )  # fmt: skip
    return np.array(values, float), labels


@given(matrices())
@settings(max_examples=60)
def test_cohens_kappas_are_those_of_another_library(case):
    """scikit-learn computes the same from the two columns; both leave out what one can't tell."""
    values, labels = case
    for weighted in (False, True):
        found = agreement.cohen(values, labels, weighted)
        for a, b in itertools.combinations(range(values.shape[1]), 2):
            both = values[np.isfinite(values[:, [a, b]]).all(axis=1)][:, [a, b]].astype(int)
            if len(np.unique(both)) < 2:
                assert math.isnan(found[a, b])
                continue
            other = cohen_kappa_score(
                *both.T, labels=range(1, labels + 1), weights="linear" if weighted else None
            )
            assert found[a, b] == found[b, a] == pytest.approx(other, abs=1e-9)


@given(matrices())
@settings(max_examples=60)
def test_fleiss_kappa_follows_its_definition(case):
    values, labels = case
    complete = values[np.isfinite(values).all(axis=1)].astype(int)
    found = agreement.fleiss(values, labels)
    if len(complete) < 2 or len(np.unique(complete)) < 2:
        assert math.isnan(found.value)
        return
    number, raters = complete.shape
    shares = np.array([(complete == s).mean() for s in range(1, labels + 1)])
    same = [np.mean([x == y for x, y in itertools.permutations(row, 2)]) for row in complete]
    expected = (shares**2).sum()
    assert found.value == pytest.approx((np.mean(same) - expected) / (1 - expected), abs=1e-9)
    assert found.n == number and raters > 1


def test_everybody_the_same_is_not_defined_and_not_a_pass():
    found = study("state", 30, shares={"relevance": (0, 1), "similarity": (0, 1)}, errors=[0, 0, 0])
    assert found["criteria"]["relevance"]["fleiss"]["value"] is None
    assert found["criteria"]["relevance"]["same"] == 1
    assert not found["acceptance"]["passed"]
    assert "not defined" in found["acceptance"]["rules"][0]["found"]


def test_means_are_on_the_papers_scales():
    """Stored from 1, told from 0: 0-2 for objects, 0-1 for states."""
    for task, best in (("object", 2), ("state", 1)):
        names = [c.name for c in RATINGS[task].criteria]
        top = {name: tuple([0.0] * best + [1.0]) for name in names}
        found = study(task, 20, shares=top, errors=[0, 0])
        assert [found["criteria"][n]["mean"]["value"] for n in names] == [best, best]
        assert found["criteria"][names[0]]["scale"] == [0, best]


@pytest.mark.parametrize(("errors", "passed"), [((0.02, 0.03, 0.05), True), ((0.3,) * 3, False)])
def test_the_papers_rule_is_a_pass_or_a_fail(errors, passed):
    rule = study("object", 200, errors=errors)["acceptance"]
    assert rule["passed"] is passed
    assert {r["rule"] for r in rule["rules"] if not r["passed"]} <= {"kappa above 0.6"}
    assert len(rule["rules"]) == 4


def test_bias_and_drift_of_one_rater_are_found():
    key, task = key_of("object", 200), RATINGS["object"]
    shares = {"precision": (0.0, 1.0, 0.0), "clearness": (0.2, 0.2, 0.6)}
    truth = truth_of(key, shares)
    said = [careful(key, ratings(key, truth, 0.05, n)) for n in range(3)]
    names = list(key.items)
    # A rater who began in the middle, is always one milder on one and ever milder on the other.
    offset, answers = 100, dict(said[2].answers)
    for index, name in enumerate(names):
        seen = (index - offset) % len(names)
        scores = dict(answers[name].scores)
        if key.items[name].row is not None:
            scores["precision"] = 3 if seen > len(names) / 2 else 2
            scores["clearness"] = min(3, truth[name]["clearness"] + 1)
        answers[name] = msgspec.structs.replace(answers[name], scores=scores)
    said[2] = msgspec.structs.replace(said[2], answers=answers, offset=offset)
    raters = score.summary(key, task, results.checked(said, key, task))["raters"]
    drifts = [r["criteria"]["precision"]["drift"] for r in raters]
    biases = [r["criteria"]["clearness"]["bias"] for r in raters]
    assert drifts[2]["low"] > 0.8
    assert biases[2]["low"] > 0.25
    # The others began at the first sample: to them what that rater saw last came first.
    assert all(0.5 < d["value"] < 1.0 for d in drifts[:2])
    assert all(b["value"] < 0 for b in biases[:2])


def test_the_most_disputed_samples_come_first():
    key, task = key_of("object", 40), RATINGS["object"]
    truth = truth_of(key, SHARES)
    said = [ratings(key, truth, 0, n) for n in range(3)]
    rows = [name for name, item in key.items.items() if item.row is not None]
    for name, scores in ((rows[7], (1, 3)), (rows[20], (2, 3))):
        for rater, precision in zip(said, (*scores, scores[1]), strict=True):
            answer = rater.answers[name]
            fields = {"precision": precision, "clearness": 3}
            rater.answers[name] = msgspec.structs.replace(answer, scores=fields, comment="hm")
    found = score.summary(key, task, results.checked(said, key, task))
    assert [one["sample"] for one in found["disputed"]] == [rows[7], rows[20]]
    assert found["disputed"][0]["scores"]["precision"] == {
        "Rater 0": 1, "Rater 1": 3, "Rater 2": 3,
    }  # fmt: skip
    assert found["disputed"][0]["comments"]["Rater 1"] == "hm"


# The gate -----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["object", "state"])
def test_who_clicks_at_random_is_gated_out_and_who_looks_is_not(task):
    """200 of each: nearly every random one goes, careful ones (3 % errors) nearly all stay."""
    key = key_of(task, 100)
    truth = truth_of(key, SHARES if task == "object" else STATE_SHARES)
    asked = [name for name, item in key.items.items() if item.row is None]

    def counted(error: float | None) -> float:
        kept = 0
        for number in range(200):
            result = ratings(key, {n: truth[n] for n in asked}, error, number)
            answers = {n: result.answers.get(n) or results.Answer(truth[n], "", 9e3) for n in truth}
            result = msgspec.structs.replace(result, answers=answers)
            kept += results.checked([result], key, RATINGS[task])[0].counted
        return kept / 200

    assert counted(None) <= 0.04
    assert counted(0.03) >= 0.95


def test_a_random_rater_among_five_does_not_touch_the_kappa():
    key, task = key_of("object", 100), RATINGS["object"]
    truth = truth_of(key, SHARES)
    good = [careful(key, ratings(key, truth, e, n)) for n, e in enumerate(ERRORS[:3])]
    random_one = ratings(key, truth, None, 77)
    alone = score.summary(key, task, results.checked(good, key, task))
    found = score.summary(key, task, results.checked([*good, random_one], key, task))
    assert [r["counted"] for r in found["raters"]] == [True] * 3 + [False]
    assert "check questions" in found["raters"][3]["problems"][0]
    assert found["criteria"] == alone["criteria"]
    assert found["judgements"] == alone["judgements"]


def changed(result, **changes):
    return msgspec.structs.replace(result, **changes)


def test_unfinished_and_hurried_files_do_not_count_and_say_why():
    key, task = key_of("object", 30), RATINGS["object"]
    truth = truth_of(key, SHARES)
    whole = ratings(key, truth, 0, 1)
    some = dict(list(whole.answers.items())[:-5])
    half = {n: msgspec.structs.replace(a, scores={"precision": 3}) for n, a in some.items()}
    fast = {n: msgspec.structs.replace(a, ms=700) for n, a in whole.answers.items()}

    def problems(answers, **options):
        return results.checked([changed(whole, answers=answers)], key, task, **options)[0].problems

    assert problems(whole.answers) == ()
    assert problems(some) == ("28 of 33 samples answered",)
    assert problems(some, partial=True) == ()
    assert "0 of 33 samples answered" in problems(half)
    assert "too fast" in problems(fast)[0]
    assert score.summary(key, task, results.checked([changed(whole, answers={})], key, task))


def test_a_rater_who_saved_twice_counts_once_with_the_fuller_file():
    key, task = key_of("object", 10), RATINGS["object"]
    whole = ratings(key, truth_of(key, SHARES), 0, 1)
    early = changed(
        whole, answers=dict(list(whole.answers.items())[:4]), answered=4, complete=False,
        saved_at="2026-01-01T21:00:00.000Z",
    )  # fmt: skip
    raters = results.checked([whole, early], key, task)
    assert len(raters) == 1 and raters[0].counted
    same_name = changed(whole, rater_id="f" * 32)
    names = [rater.name for rater in results.checked([whole, same_name], key, task)]
    assert len(set(names)) == 2


def test_high_similarity_with_low_relevance_is_told():
    key, task = key_of("state", 20), RATINGS["state"]
    said = ratings(key, truth_of(key, {"relevance": (1, 0), "similarity": (0, 1)}), 0, 1)
    rater = results.checked([said], key, task)[0]
    assert rater.counted and "20 samples of high similarity and low relevance" in rater.notes[0]


# Files --------------------------------------------------------------------------------------


def damage(result, **changes) -> bytes:
    data = json.loads(msgspec.json.encode(result))
    data.update(changes)
    return json.dumps(data).encode()


def test_files_that_are_no_answers_to_the_page_are_one_line(tmp_path, capsys):
    key = key_of("object", 5)
    good = ratings(key, truth_of(key, SHARES), 0, 1)
    name = next(iter(good.answers))
    answer = {"scores": {"precision": 3, "clearness": 3}, "ms": 1}
    (tmp_path / "page.key.json").write_bytes(dump(key))
    bad = {
        "empty": b"",
        "list": b"[]",
        "binary": b"\xff\xfe\x00",
        "bom": b"\xef\xbb\xbf{}",
        "other page": damage(good, page_id="00" * 16),
        "other task": damage(good, task="state"),
        "format": damage(good, format="lego-arta review result 9"),
        "unknown question": damage(good, answers={"q9999": answer}),
        "score": damage(good, answers={name: {**answer, "scores": {"precision": 4}}}),
        "zero": damage(good, answers={name: {**answer, "scores": {"precision": 0}}}),
        "criterion": damage(good, answers={name: {**answer, "scores": {"beauty": 1}}}),
        "time": damage(good, answers={name: {**answer, "ms": -1}}),
        "offset": damage(good, offset=99),
        "no id": damage(good, rater_id=""),
        "text": damage(good, answers={name: {**answer, "ms": "1"}}),
    }
    for what, data in bad.items():
        file = tmp_path / "result.json"
        file.write_bytes(data)
        out = tmp_path / "out"
        command = ["score", str(file), "--key", str(tmp_path / "page.key.json"), "--out", str(out)]
        assert review.main(command) == 1, what
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and said[0].startswith("error:") and "result.json" in said[0], what
        assert not out.exists()


def test_the_command_writes_report_and_json_and_finds_the_key(tmp_path, capsys, monkeypatch):
    key = key_of("object", 40)
    truth = truth_of(key, SHARES)
    (tmp_path / "page.key.json").write_bytes(dump(key))
    (tmp_path / "other.key.json").write_bytes(dump(msgspec.structs.replace(key, page_id="0" * 32)))
    (tmp_path / "broken.key.json").write_text("{")
    files = []
    for number, error in enumerate((0.02, 0.05, 0.08, None)):
        said = ratings(key, truth, error, number)
        said = said if error is None else careful(key, said)
        said.answers["q0003"] = msgspec.structs.replace(
            said.answers["q0003"], comment="<img src=x onerror=alert(1)> swapped"
        )
        said = changed(said, rater="</td><script>alert(2)</script>") if number == 0 else said
        files.append(tmp_path / f"r{number}.json")
        files[-1].write_bytes(msgspec.json.encode(said))
    out = tmp_path / "scores"
    assert review.main(["score", *map(str, files), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "NOT COUNTED" in text and "acceptance: " in text and "--reviews" in text
    found = json.loads((out / "review.json").read_text())
    assert found["criteria"]["precision"]["fleiss"]["value"] > 0.6
    assert len(found["judgements"]) == 3 * 40
    html = (out / "review.html").read_text()
    assert "<script" not in html and "<img src=x" not in html and "&lt;script&gt;" in html
    assert html.count("<svg role=") == 3
    assert "default-src 'none'" in html


def test_one_rater_and_screening_have_scores_but_no_verdict(tmp_path):
    key = key_of("screening", 30)
    said = ratings(key, truth_of(key, {"verdict": (0.2, 0.8)}), 0, 1)
    (tmp_path / "s.key.json").write_bytes(dump(key))
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(said))
    assert review.main(["score", str(tmp_path / "r.json"), "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "review.json").read_text())
    assert found["acceptance"] is None and found["criteria"]["verdict"]["fleiss"]["value"] is None
    rejected = {one["row"] for one in found["judgements"] if one["rejects"]}
    reviews, _ = read_reviews([tmp_path / "out" / "review.json"])
    assert set(reviews.rejected) == rejected and 0 < len(rejected) < 30
    assert set(dict(reviews.weights).values()) == {1.0}


# What a build gets --------------------------------------------------------------------------


def review_file(tmp_path, name, judgements, task="object", page="p", passed=True):
    file = tmp_path / name
    rows = [
        {"row": row, "rater": rater, "points": points, "rejects": rejects}
        for row, rater, points, rejects in judgements
    ]
    data = {
        "format": "lego-arta review 1", "task": task, "page_id": page, "judgements": rows,
        "acceptance": {"passed": passed}, "criteria": {},
    }  # fmt: skip
    file.write_text(json.dumps(data))
    return file


def test_two_of_three_reject_and_one_opinion_does_not(tmp_path):
    votes = ((2, 3), (1, 3), (1, 1), (1, 2), (2, 2), (3, 5), (4, 5), (4, 6))
    said = [
        (f"{rejecting} of {raters}", f"rater {number}", 0.5, number < rejecting)
        for rejecting, raters in votes
        for number in range(raters)
    ]
    reviews, remarks = read_reviews([review_file(tmp_path, "a.json", said)])
    assert set(reviews.rejected) == {"2 of 3", "2 of 2", "4 of 5", "4 of 6"}
    assert {row for row, _ in reviews.weights} == {"1 of 3", "1 of 1", "1 of 2", "3 of 5"}
    assert reviews.disputed == ("1 of 1", "1 of 2", "1 of 3", "3 of 5")
    assert {i for i, said in reviews.decided().verdicts.items() if said == "accepted"} == set()
    assert remarks == []


def test_reviews_add_up_and_the_same_rating_counts_once(tmp_path):
    one = review_file(tmp_path, "a.json", [("x", "ann", 0.0, True), ("y", "ann", 1.0, False)])
    again = review_file(tmp_path, "b.json", [("x", "ann", 0.0, True), ("y", "bo", 0.5, False)])
    reviews, _ = read_reviews([one, again])
    assert reviews == Reviews((), (("x", 0.0), ("y", 0.75)), disputed=("x",))
    other = review_file(tmp_path, "c.json", [("x", "bo", 0.25, True)], passed=False)
    reviews, remarks = read_reviews([one, again, other])
    assert reviews.rejected == ("x",) and len(remarks) == 1 and "c.json" in remarks[0]
    assert read_reviews([other, again, one])[0] == reviews  # in any order
    assert read_reviews([])[0] == Reviews() and not Reviews()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "lego-arta review 2", "task": "", "page_id": "", '
     '"judgements": []}',
     '{"format": "lego-arta review 1", "task": "object", "page_id": "", "judgements": '
     '[{"row": "a", "rater": "b", "points": 7, "rejects": false}]}'],
)  # fmt: skip
def test_a_file_that_is_no_review_is_one_line(text, tmp_path):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match=r"--reviews .*r\.json"):
        read_reviews([tmp_path / "r.json"])

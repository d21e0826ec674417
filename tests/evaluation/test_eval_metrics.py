"""Metrics: values worked out by hand, the libraries' own, and what constant answers must score."""

import itertools

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef

from core.build import Place
from core.items import Item
from core.matching import match, mean_over_all, whole_percents
from core.metrics import Said
from core.text_scores import bleu_method1, contains, label_similarity, rouge, token_overlap_f1
from evaluation import bootstrap
from evaluation.samples import evaluate, score_sample
from synthesis.boxes import iou
from tasks import TASKS
from tasks.object.score import keywords as object_keywords

HERE = Place(__import__("pathlib").Path("x"), 0, 0)


def item(config, answer, query="", entities=(), is_yes=None, manual="m", instances=()):
    """An item with what scoring reads."""
    return Item(
        "id", config, "test", manual, "s", 1, query, answer, answer, None, tuple(entities),
        frozenset(), HERE, is_yes, instances_norm100=tuple(instances), size_wh=(200, 100),
    )  # fmt: skip


def scores(pairs):
    """Metrics of (item, Said) pairs."""
    samples = [score_sample(each, said) for each, said in pairs]
    names = samples[0].counts
    sums = {name: np.array(sum(s.counts[name] for s in samples)) for name in names}
    config = pairs[0][0].config
    return {name: float(value) for name, value in evaluate(config, sums).items()}


# One Yes to three No, as the dataset has it.
GOLD = [True, False, False, False] * 25


def state_scores(answers):
    return scores([
        (item("state", "Yes." if gold else "No.", is_yes=gold), Said(answer))
        for gold, answer in zip(GOLD, answers, strict=True)
    ])  # fmt: skip


def test_always_yes_has_an_f1_of_40():
    """features.md 1.4: always-Yes F1 40.0, TNR 0, FPR 100; always-No F1 0, TNR 100."""
    yes = state_scores(["Yes."] * 100)
    assert (yes["f1"], yes["tnr"], yes["fpr"], yes["tpr"]) == (40.0, 0.0, 100.0, 100.0)
    assert (yes["balanced_acc"], yes["j"], yes["mcc"]) == (50.0, 0.0, 0.0)
    no = state_scores(["No."] * 100)
    assert (no["f1"], no["tnr"], no["fpr"]) == (0.0, 100.0, 0.0)


def test_a_coin_has_an_f1_of_a_third():
    """Half of each class said Yes: tp 12.5, fp 37.5, fn 12.5 -> 1/3."""
    coin = ["Yes." if index // 4 % 2 else "No." for index in range(96)]
    pairs = [
        (item("state", "", is_yes=gold), Said(said))
        for gold, said in zip(GOLD[:96], coin, strict=True)
    ]
    assert scores(pairs)["f1"] == pytest.approx(100 / 3)


def test_gpt_4o_s_numbers_hang_together():
    """features.md: F1 40.54 at FPR 43.06 and 1:3 means J = .152 (ten things, 4)."""
    recall = 0.4054 * (1 + 3 * 0.4306) / (2 - 0.4054)  # solves F1 = 2r / (r + 3 fpr + 1)
    n = {name: np.array(0.0) for name in ("unread_yes", "unread_no", "r1_tp", "r1_fp", "r1_fn")}
    sums = {
        **n, "tp": np.array(recall), "fn": np.array(1 - recall), "fp": np.array(3 * 0.4306),
        "tn": np.array(3 * 0.5694), "r1_unread_yes": np.array(0.0), "n": np.array(4.0),
        "parsed": np.array(4.0), "demo_copied": np.array(0.0), "demo_shown": np.array(0.0),
    }  # fmt: skip
    result = evaluate("state", sums)
    assert float(result["f1"]) == pytest.approx(40.54, abs=0.02)
    assert float(result["j"]) == pytest.approx(15.2, abs=0.05)
    assert float(result["balanced_acc"]) == pytest.approx(57.6, abs=0.05)


def test_unread_answers_are_neither_yes_nor_no():
    """1 of 1 Yes unread, 1 of 3 No unread, 1 said Yes, 1 said No: TNR 1/3, FPR 1/3, F1 0."""
    said = ["perhaps", "dunno", "Yes.", "No."]
    result = scores([
        (item("state", "", is_yes=gold), Said(answer))
        for gold, answer in zip(GOLD[:4], said, strict=True)
    ])  # fmt: skip
    assert result["tnr"] == result["fpr"] == pytest.approx(100 / 3)
    assert (result["f1"], result["parse_rate"]) == (0.0, 50.0)
    # LEGO-R1's: an invalid answer is a No (it. 1), or left out (it. 2)
    assert result["f1_state_r1_invalid_is_no"] == 0.0


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["Yes.", "No.", "?"])), min_size=2))
@settings(max_examples=60)
def test_state_metrics_are_scikit_learn_s(answers):
    pairs = [(item("state", "", is_yes=gold), Said(said)) for gold, said in answers]
    result = scores(pairs)
    gold = [int(yes) for yes, _ in answers]
    said = [{"Yes.": 1, "No.": 0, "?": 2}[word] for _, word in answers]
    f1 = f1_score(gold, said, labels=[1], average="macro", zero_division=0)
    if sum(gold) or 1 in said:
        assert result["f1"] == pytest.approx(100 * f1)
    mcc = matthews_corrcoef(gold, said)
    assert result["mcc"] == pytest.approx(100 * mcc, abs=1e-9)
    if 0 < sum(gold) < len(gold):
        with np.errstate(all="ignore"):
            recalls = [np.mean([s == g for s, g in zip(said, gold, strict=True) if g == c])
                       for c in (0, 1)]  # fmt: skip
        assert result["balanced_acc"] == pytest.approx(100 * np.mean(recalls))
        if 2 not in said:
            theirs = balanced_accuracy_score(gold, said)
            assert result["balanced_acc"] == pytest.approx(100 * theirs)
            macro = f1_score(gold, said, average="macro", zero_division=0)
            assert result["macro_f1"] == pytest.approx(100 * macro)


QUERY = "[grounding] After I find 1 red plate 2x4.\nTell me what to do for the current situation. "


def scene(answer, said, entities=(("theme", "plate 2x4"), ("colorinfo", "red"))):
    return (item("scene", answer, QUERY, entities), Said(said))


def test_t_acc_by_hand():
    """Keywords 2 + 1 + 0; found 1 + 1; the green one is not in the query."""
    result = scores([
        scene("Put the red plate 2x4 there.", "Put the PLATE  2×4 there."),
        scene("Take the green arch.", "the green arch", [("colorinfo", "green")]),
        scene("Turn it.", "Turn it.", [("verb", "Turn")]),
    ])  # fmt: skip
    assert result["t_acc"] == pytest.approx(100 * 2 / 3)
    assert result["t_acc_strict"] == 50.0  # of the two with keywords
    assert result["t_acc_novel"] == 100.0


@pytest.mark.parametrize(
    ("text", "keyword", "found"),
    [("a plate 2x4.", "plate 2x4", True), ("a plate 2x40", "plate 2x4", False),
     ("plates", "plate", False), ("Plate\n 2×4", "plate 2x4", True), ("1x2x⅔ tile", "1x2x⅔", True),
     ("incredible", "red", False)],
)  # fmt: skip
def test_keywords_stand_at_word_bounds(text, keyword, found):
    assert contains(text, keyword) is found


def test_no_novel_keyword_gives_no_number():
    result = scores([scene("Put the red plate 2x4.", "x")])
    assert np.isnan(result["t_acc_novel"]) and result["t_acc"] == 0.0


SENTENCES = st.lists(
    st.sampled_from("put the Plate red on top of brick 2x4 , . left".split()), max_size=14
).map(" ".join)


@given(st.lists(st.tuples(SENTENCES.filter(bool), SENTENCES), min_size=1, max_size=6))
@settings(max_examples=80)
def test_bleu_is_sacrebleu_s_and_nltk_s(pairs):
    result = scores([scene(gold, said) for gold, said in pairs])
    golds, saids = [" ".join(g.split()) for g, _ in pairs], [" ".join(s.split()) for _, s in pairs]
    theirs = sacrebleu.corpus_bleu(
        saids, [golds], lowercase=True, smooth_method="floor", smooth_value=0.1
    )
    assert result["bleu"] == pytest.approx(theirs.score, abs=1e-6)
    sentences = [
        float(
            sentence_bleu([g.lower().split()], s.lower().split(),
                          smoothing_function=SmoothingFunction().method1)
        )
        if s.split()
        else 0.0
        for g, s in pairs
    ]  # fmt: skip
    if not any("." in g + s for g, s in pairs):  # nltk's tokenizer parts a final stop only
        assert result["bleu_sentence"] == pytest.approx(100 * np.mean(sentences), abs=1e-6)


def test_rouge_by_hand():
    """4 of 5 said and 4 of 6 wanted words: F1 8/11; the longest common row has 3: 6/11."""
    found = rouge("put the red plate on top", "put plate red the there")
    assert found.rouge1 == pytest.approx(8 / 11)
    assert found.rouge_l == pytest.approx(2 * 2 / 11)
    assert rouge("plates", "plate").rouge1 == 1.0  # stemmed
    assert rouge("put it", "").rouge1 == 0.0


def test_bleu_method1_by_hand():
    """Precisions 4/4, 2/3, .1/2, .1/1; as long as wanted."""
    expected = (1.0 * (2 / 3) * (0.1 / 2) * (0.1 / 1)) ** 0.25
    assert bleu_method1("a b c d", "a b d c") == pytest.approx(
        (1.0 * (1 / 3) * (0.1 / 2) * (0.1 / 1)) ** 0.25
    )
    assert bleu_method1("a b c d", "A b c e") == pytest.approx(
        ((3 / 4) * (2 / 3) * (1 / 2) * (0.1 / 1)) ** 0.25
    )
    assert expected < 1


def test_token_overlap_is_of_the_whole_text():
    """R17: {put, it, there} and {put, it}: F1 4/5."""
    assert token_overlap_f1("Put it there.", "put put it") == pytest.approx(0.8)
    assert token_overlap_f1("", "") == 1.0
    assert token_overlap_f1("a", "") == 0.0


@pytest.mark.parametrize(
    ("a", "b", "value"), [("", "", 1.0), ("a", "", 0.0), ("", "a", 0.0), ("1 a b", "1 a c", 2 / 3)]
)
def test_label_similarity(a, b, value):
    assert label_similarity(a, b) == pytest.approx(value)


BOXES = st.lists(
    st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 20)] * 2).map(
        lambda v: (float(v[0]), float(v[1]), float(v[0] + v[2]), float(v[1] + v[3]))
    ),
    max_size=4,
)


@given(BOXES, BOXES)
def test_the_assignment_is_the_best_there_is(gold, predicted):
    few, many = sorted((gold, predicted), key=len)
    best = max(
        (sum(iou(a, b) for a, b in zip(few, order, strict=False))
         for order in itertools.permutations(many, len(few))),
        default=0.0,
    )  # fmt: skip
    pairs = match(gold, predicted)
    assert sum(pair.iou for pair in pairs) == pytest.approx(best)
    assert len(pairs) == min(len(gold), len(predicted))
    assert mean_over_all(pairs, len(gold), len(predicted)) <= 1 + 1e-9


GOLD_TWO = "<p>1 red plate</p> {<0><0><10><10>} and <p>1 blue brick</p> {<50><50><60><60>}"
ENTITIES = [("colorinfo", "red"), ("theme", "plate 2x4"), ("colorinfo", "blue"), ("theme", "brick")]


def boxed(said, frame="norm100", **more):
    return scores([(item("object", GOLD_TWO, "", ENTITIES, **more), Said(said, frame))])


def test_object_metrics_by_hand():
    """One right, one half over (IoU 1/3), none invented."""
    result = boxed("<p>1 red plate</p> {<0><0><10><10>} and <p>1 brick</p> {<55><50><65><60>}")
    assert result["iou"] == pytest.approx(100 * (1 + 1 / 3) / 2)
    assert (result["iou_at_50"], result["count_acc"], result["parse_rate"]) == (50, 100, 100)
    assert result["iou_matched_mean"] == result["iou"]
    assert result["iou_sum_r1"] == pytest.approx(100 * 4 / 3)  # can pass 100 (A13)
    assert object_keywords(item("object", GOLD_TWO, "", ENTITIES)) == [
        "red", "plate", "blue", "brick",
    ]  # fmt: skip
    assert (result["e_acc"], result["e_acc_strict"]) == (75, 0)


def test_a_missing_and_an_invented_box_cost():
    assert boxed("<0><0><10><10>")["iou"] == 50.0
    assert boxed("<0><0><10><10>")["iou_matched_mean"] == 100.0
    three = "<0><0><10><10> <50><50><60><60> <1><1><2><2>"
    assert boxed(three)["iou"] == pytest.approx(200 / 3)
    assert boxed(three)["count_acc"] == 0.0


def test_what_can_t_be_read_is_zero_in_the_mean():
    gold = item("object", GOLD_TWO, "", ENTITIES)
    result = scores([(gold, Said(GOLD_TWO)), (gold, Said("on the left")), (gold, Said(None))])
    assert result["iou"] == pytest.approx(100 / 3)
    assert result["parse_rate"] == pytest.approx(100 / 3)


def test_saying_nothing_is_not_an_answer():
    assert boxed("[]")["parse_rate"] == 100.0 and boxed("[]")["iou"] == 0.0
    assert boxed("")["parse_rate"] == boxed("<think>well")["parse_rate"] == 0.0


def test_pixels_are_as_good_as_percents():
    """The picture is 200 x 100."""
    said = '[{"bbox_2d": [0, 0, 20, 10], "label": ""}, {"bbox_2d": [100, 50, 120, 60]}]'
    assert boxed(said, "px")["iou"] == 100.0
    assert boxed(said, "norm100")["iou"] < 60
    # a third of a percent beside the rounded gold is not held against anyone
    assert boxed("<0.3><0><10.4><10> <50><50><60><60>")["iou"] == 100.0


def test_equal_parts_may_be_boxed_one_by_one():
    """B10: a label of two parts has one box in the answer; two good boxes of parts count too."""
    gold = item("object", "<p>2 red plates</p> {<0><0><30><10>}", "", ENTITIES,
                instances=[(0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)])  # fmt: skip
    result = scores([(gold, Said("<0><0><10><10> <20><0><30><10>"))])
    assert result["iou_parts"] == 100.0
    assert result["iou"] == pytest.approx(100 * (1 / 3) / 2)
    assert scores([(gold, Said("<0><0><30><10>"))])["iou_parts"] == 100.0


@pytest.mark.parametrize(
    ("box", "whole"),
    [((14.1, 20.0, 14.3, 60.0), (14, 20, 15, 60)), ((8.5, 7.49, 90, 100), (9, 7, 90, 100)),
     ((99.6, 99.7, 100, 100), (99, 99, 100, 100)), ((5, 5, 1, 1), (5, 5, 1, 1))],
)  # fmt: skip
def test_whole_percents_are_those_of_the_answers(box, whole):
    assert whole_percents(box) == whole
    from core.boxtext import rounded

    if box[0] < box[2]:
        assert rounded(box) == whole


def test_copied_demos_are_counted():
    """Ten things, 7: models gave back the very boxes of the examples."""
    demo = "<p>1 black plate</p> {<57><15><82><35>}"
    gold = item("object", GOLD_TWO, "", ENTITIES)
    result = scores([
        (gold, Said("<p>1 light purple brick</p><57><15><82><35>", shown=[demo])),
        (gold, Said(GOLD_TWO, shown=[demo])),
        (gold, Said(GOLD_TWO)),
    ])  # fmt: skip
    assert result["demo_copy_rate"] == 50.0


def test_a_metric_s_name_is_its_own():
    for config, task in TASKS.items():
        metrics = task.score.metrics
        assert len({each.name for each in metrics}) == len(metrics), config


def test_intervals_draw_whole_manuals():
    """Ten manuals of 100 equal rows each: rows in one manual must not narrow the interval."""
    rng = np.random.default_rng(0)
    rights = rng.integers(0, 2, 10)
    values = np.repeat(rights, 100)[:, None].astype(float)
    clusters = np.repeat([f"m{i}" for i in range(10)], 100)
    sums = bootstrap.cluster_sums(values, clusters)
    assert sums.ravel().tolist() == (100 * rights).tolist()
    drawn = bootstrap.weights(10, 4000) @ np.column_stack([sums.ravel(), np.full(10, 100)])
    found = bootstrap.interval(drawn[:, 0] / drawn[:, 1])
    spread = np.sqrt(rights.mean() * (1 - rights.mean()) / 10)  # of ten, not of a thousand
    assert (found.high - found.low) / (2 * 1.96 * spread) == pytest.approx(1, abs=0.2)


def test_resamples_are_the_same_for_everyone():
    assert (bootstrap.weights(5, 20) == bootstrap.weights(5, 20)).all()
    assert (bootstrap.weights(5, 20).sum(axis=1) == 5).all()
    draws = np.array([1.0, 2.0, np.nan])
    assert bootstrap.interval(np.array([np.nan])) is None
    assert bootstrap.difference(draws, draws) == (0.0, 0.0)

"""Which box is whose, who is chosen of several, and how sure that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.annotate import consensus, labelling
from builder.annotate.consensus import agreement, combine
from builder.annotate.labelling import annotation_of, fitting
from builder.annotate.models import Answer, Detection, Question, Reading
from core.part_names import PartLabel
from core.records import REVIEW_AGREEMENT, Annotation, LabelBox, needs_review
from synthesis.boxes import iou

RED, BLUE = PartLabel(2, "red", "tiles 1x2"), PartLabel(1, "dark blue", "hose")
LEFT, RIGHT, LOW = (10.0, 10.0, 40.0, 40.0), (60.0, 10.0, 90.0, 40.0), (10.0, 60.0, 40.0, 90.0)
SIZE = (100, 100)


def annotation(*detections: Detection, labels=(RED, BLUE), dropped=None) -> Annotation:
    question = Question("0" * 64, ("Find these.",), tuple(labels))
    return annotation_of(question, Answer(SIZE), Reading(list(detections), dropped or {}), "owlv2")


def boxes_of(result: Annotation) -> list:
    return [label.instances_px for label in result.labels]


# Labels --------------------------------------------------------------------------------------


def test_each_label_gets_its_best_box_and_copies_up_to_its_number():
    result = annotation(
        Detection(1, "", LOW, 0.6),
        Detection(0, "", RIGHT, 0.5),
        Detection(0, "", LEFT, 0.9),
        Detection(0, "", LOW, 0.7),  # the hose, which looks a little like a tile
        Detection(0, "", (45, 45, 55, 55), 0.46),  # a third copy of two
    )
    assert boxes_of(result) == [[LEFT, RIGHT], [LOW]]
    assert [label.confidence for label in result.labels] == [0.5, 0.6]
    assert (result.confidence, result.error) == (0.5, None)
    assert result.answer.startswith("<p>2 red tiles</p> {<10><10><90><40>} and <p>1 dark blue hose")


def test_boxes_that_say_the_same_are_one_part():
    result = annotation(
        Detection(0, "", LEFT, 0.9), Detection(0, "", (11, 10, 41, 40), 0.8), labels=(RED,)
    )
    assert boxes_of(result) == [[LEFT]]


def test_weak_boxes_are_no_copies():
    result = annotation(Detection(0, "", LEFT, 0.9), Detection(0, "", RIGHT, 0.3), labels=(RED,))
    assert boxes_of(result) == [[LEFT]]


def test_words_say_whose_a_box_is_when_the_model_does_not():
    result = annotation(
        Detection(None, "a blue hose", LOW, None), Detection(None, "Red tile", LEFT, None)
    )
    assert boxes_of(result) == [[LEFT], [LOW]]
    assert fitting("red tile 1×2", RED) == 1
    assert fitting("", RED) == labelling.NO_WORD_FITS


def test_boxes_outside_are_dropped_and_counted_those_over_the_edge_cut():
    result = annotation(
        Detection(0, "", (-20, 50, 30, 130), 0.5), Detection(0, "", (120, 0, 130, 5), 0.9),
        labels=(RED,),
    )  # fmt: skip
    assert boxes_of(result) == [[(0, 50, 30, 100)]]
    assert result.dropped == {"box_outside_or_without_area": 1}


def test_no_box_is_an_error_and_one_missing_is_not_yet():
    assert annotation().error == "no_box_in_answer"
    partly = annotation(Detection(0, "", LEFT, 0.5))
    assert (partly.error, boxes_of(partly), partly.confidence) == (None, [[LEFT], []], 0.0)


COORDINATE = st.floats(-50, 150, allow_nan=False)
DETECTION = st.builds(
    Detection,
    st.one_of(st.none(), st.integers(0, 3)),
    st.sampled_from(["", "red tile", "hose", "ImageContent"]),
    st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE),
    st.one_of(st.none(), st.floats(0, 1)),
)


@given(st.lists(DETECTION, max_size=12))
def test_any_detections_make_a_valid_annotation(detections):
    result = annotation(*detections)
    assert len(result.labels) in (0, 2)
    for label in result.labels:
        assert 0 <= label.confidence <= 1
        assert len(label.instances_px) <= max(1, label.count)
        for x0, y0, x1, y1 in label.instances_px:
            assert 0 <= x0 < x1 <= 100 and 0 <= y0 < y1 <= 100
    every = [box for label in result.labels for box in label.instances_px]
    assert all(iou(a, b) <= labelling.SAME_IOU_MIN for a in every for b in every if a is not b)


# Consensus -----------------------------------------------------------------------------------


def said(name: str, *labels: list, confidence=1.0, error=None) -> Annotation:
    """What an annotator says of RED and BLUE."""
    texts = [RED.text, BLUE.text]
    boxes = [
        LabelBox(text, 1, list(instances), confidence if instances else 0.0)
        for text, instances in zip(texts, labels, strict=False)
    ]
    return Annotation("0" * 64, name, SIZE, [] if error else boxes, "", confidence, error)


def near(box, by=1.0):
    return (box[0] + by, box[1], box[2] + by, box[3])


def test_foreground_alone_keeps_its_own_word():
    alone = said("foreground", [LEFT], [LOW], confidence=0.9)
    assert combine([alone], [RED, BLUE]) == alone


def test_a_model_alone_says_that_nobody_confirms_it():
    result = combine([said("minigpt-v2", [LEFT], [LOW])], [RED, BLUE])
    assert result.confidence == 0.5
    assert [label.agreement for label in result.labels] == [None, None]
    assert [c.annotator for c in result.labels[0].candidates] == ["minigpt-v2"]
    assert not needs_review(result)


def test_the_one_that_agrees_best_with_the_others_is_chosen():
    result = combine(
        [said("foreground", [RIGHT], [LOW]), said("owlv2", [LEFT], [LOW]),
         said("minigpt-v2", [near(LEFT, 2)], [LOW]), said("qwen-vl", [near(LEFT)], [LOW])],
        [RED, BLUE],
    )  # fmt: skip
    red, blue = result.labels
    assert red.instances_px == [near(LEFT)]
    assert [candidate.annotator for candidate in red.candidates] == [
        "foreground", "owlv2", "minigpt-v2", "qwen-vl",
    ]  # fmt: skip
    overlaps = [iou(a, b) for a, b in ((LEFT, near(LEFT)), (LEFT, near(LEFT, 2)))]
    assert red.agreement == pytest.approx((2 * overlaps[0] + overlaps[1]) / 6, abs=1e-3)
    assert red.confidence == pytest.approx(0.5 * 0.5 + 0.5 * 2 * overlaps[0] / 3, abs=1e-3)
    assert (blue.agreement, blue.confidence) == (1.0, 1.0)
    assert (result.annotator, result.error) == ("foreground+owlv2+minigpt-v2+qwen-vl", None)
    assert result.confidence == red.confidence
    assert needs_review(result)


def test_of_two_the_surer_is_chosen_then_the_first_named():
    weak, strong = (said(n, [b], [LOW], confidence=c) for n, b, c in
                    (("foreground", LEFT, 0.3), ("owlv2", near(LEFT), 0.8)))  # fmt: skip
    for order in ([weak, strong], [strong, weak]):
        assert combine(order, [RED, BLUE]).labels[0].instances_px == [near(LEFT)]
    # A model's score was never fitted to drawings: it counts half.
    sure = said("foreground", [LEFT], [LOW], confidence=0.6)
    assert combine([strong, sure], [RED, BLUE]).labels[0].instances_px == [LEFT]
    equal = [said("owlv2", [LEFT], [LOW]), said("qwen-vl", [near(LEFT)], [LOW])]
    assert combine(equal, [RED, BLUE]).labels[0].instances_px == [LEFT]


def test_who_finds_nothing_agrees_with_nobody():
    result = combine(
        [said("foreground", [LEFT], [LOW]), said("owlv2", error="no_box_in_answer")], [RED, BLUE]
    )
    assert [(label.agreement, label.confidence) for label in result.labels] == [(0, 0.5), (0, 0.5)]
    assert needs_review(result) and result.error is None


def test_instances_are_matched_whatever_their_order():
    assert agreement([LEFT, RIGHT], [RIGHT, LEFT]) == 1
    assert agreement([LEFT, RIGHT], [(10, 10, 90, 40)]) == 1  # counted differently: unions
    assert agreement([LEFT], []) == 0
    assert agreement([LEFT], [RIGHT]) == 0


def test_a_label_that_nobody_found_is_an_error_that_is_listed():
    half = [said(name, [LEFT], []) for name in ("foreground", "owlv2")]
    result = combine(half, [RED, BLUE])
    assert result.error == "no_box_for_every_label" and needs_review(result)
    nothing = [said(name, error="no_part_found") for name in ("foreground", "owlv2")]
    assert combine(nothing, [RED, BLUE]).error == "no_annotator_found_it"
    assert combine(nothing[1:], [RED, BLUE]).error == "no_part_found"
    assert combine(nothing, []).error == "no_label_in_text"


INSTANCES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 39), st.integers(1, 39)).map(
        lambda v: (float(v[0]), float(v[1]), float(v[0] + v[2]), float(v[1] + v[3]))
    ),
    max_size=3,
)
NAMES = ("foreground", "owlv2", "minigpt-v2")


@given(st.lists(st.tuples(INSTANCES, INSTANCES), min_size=2, max_size=3), st.floats(0, 1))
def test_the_chosen_boxes_are_somebodys_and_numbers_stay_in_range(given_boxes, own):
    several = [
        said(name, *labels, confidence=own)
        for name, labels in zip(NAMES, given_boxes, strict=False)
    ]
    result = combine(several, [RED, BLUE])
    for index, label in enumerate(result.labels):
        offered = [s.labels[index].instances_px for s in several if s.labels[index].instances_px]
        assert label.instances_px in (offered or [[]])
        assert 0 <= label.confidence <= 1 and 0 <= label.agreement <= 1
        assert [c.instances_px for c in label.candidates] == offered
        if len(offered) < 2:
            assert label.confidence <= 0.5 and label.agreement == 0
            assert label.agreement < REVIEW_AGREEMENT
    assert combine(several, [RED, BLUE]) == result


@given(INSTANCES, INSTANCES)
def test_agreement_is_symmetric_and_whole_with_oneself(a, b):
    assert agreement(a, b) == pytest.approx(agreement(b, a))
    assert agreement(a, a) == pytest.approx(1.0 if a else 0.0)


def test_own_words_are_of_annotators_there_are():
    from builder.annotate import ANNOTATORS

    assert set(consensus.OWN_WORD) <= set(ANNOTATORS)

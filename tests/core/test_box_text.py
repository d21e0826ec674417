"""Reading MiniGPT-v2's answers: whatever it says, a box or a counted drop, never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.boxtext import box_answer, read_boxes

PIECES = st.sampled_from(
    ["<p>", "</p>", "{", "}", "<delim>", "<unk>", "<", ">", "<5>", "<-3>", "<500>", "<100>", "<0>",
     "<9999999>", "red tiles", "ImageContent", " ", "\n", "1x2", "é", "<p>a</p>",
     "{<1><2><3><4>}", "<28><17><73><50>", "</s>", "###"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_gives_boxes_in_range_or_counted_drops(text):
    found = read_boxes(text)
    for phrase, (x0, y0, x1, y1) in found.boxes:
        assert 0 <= x0 < x1 <= 100 and 0 <= y0 < y1 <= 100
        assert phrase.replace(" ", "").lower() != "imagecontent"
        assert phrase == " ".join(phrase.split()) and not set(phrase) & set("<{}")
    assert all(number > 0 for number in found.dropped.values())


SIDES = st.lists(st.integers(0, 100), min_size=2, max_size=2, unique=True).map(sorted)
PHRASE = st.text("abc xyz0123456789", min_size=1).map(lambda s: " ".join(s.split())).filter(bool)


@given(st.lists(st.tuples(PHRASE, SIDES, SIDES), min_size=1, max_size=5))
def test_what_is_written_is_read_back(items):
    boxes = [(phrase, (float(x0), float(y0), float(x1), float(y1)))
             for phrase, (x0, x1), (y0, y1) in items]  # fmt: skip
    assert read_boxes(box_answer(boxes)).boxes == boxes
    assert read_boxes(box_answer(boxes).replace("{", "").replace("}", "")).boxes == boxes


A, B = (28.0, 17.0, 73.0, 50.0), (1.0, 40.0, 96.0, 85.0)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("<p>2 red tiles</p> {<28><17><73><50>}", [("2 red tiles", A)]),
        ("<p>2 red tiles</p> <28><17><73><50>", [("2 red tiles", A)]),
        ("{<28><17><73><50>}", [("", A)]),
        ("<28> <17> < 73 ><50></s>", [("", A)]),
        ("<p>a</p> {<28><17><73><50>}<delim>{<1><40><96><85>}", [("a", A), ("a", B)]),
        ("<p>a</p> <28><17><73><50><delim><1><40><96><85>", [("a", A), ("a", B)]),
        ("<p>a</p> {<28><17><73><50>} and <p>b</p> {<1><40><96><85>}.", [("a", A), ("b", B)]),
        # Both are lost by the released reader.
        ("<p>a</p>{<28><17><73><50>}<p>b</p>{<1><40><96><85>}", [("a", A), ("b", B)]),
        ("<p>a</p> {<28><17><73><50><unk>}\n<p>a</p> {<1><40><96><85>}", [("a", A), ("a", B)]),
        ("<p>tiles 1x2</p>\n{<28><17><73><50>}", [("tiles 1x2", A)]),
        # Out of range: clamped.
        ("{<28><-17><730><50>}", [("", (28.0, 0.0, 100.0, 50.0))]),
    ],
)  # fmt: skip
def test_every_form_is_read(text, boxes):
    found = read_boxes(text)
    assert found.boxes == boxes
    assert not found.dropped


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("<p>ImageContent</p> {<1><2><3><4>}", {"image_content": 1}),
        ("<p> Image Content </p> {<1><2><3><4>}<delim>{<5><6><7><8>}", {"image_content": 2}),
        ("{<50><2><50><4>}", {"box_without_area": 1}),
        ("{<50><9><60><4>}", {"box_without_area": 1}),
        ("{<120><9><160><40>}", {"box_without_area": 1}),  # wholly outside
        ("{<1><2><3>}", {"not_four_numbers": 1}),
        ("{<1><2><3><4><5>}", {"not_four_numbers": 1}),
        ("", {}),
        ("There is a red tile.", {}),
    ],
)
def test_what_is_no_box_is_dropped_and_counted(text, dropped):
    assert read_boxes(text) == ([], dropped)


def test_noise_does_not_take_good_boxes_with_it():
    found = read_boxes("<p>ImageContent</p> {<1><2><3><4>} <p>a</p> {<28><17><73><50>}")
    assert found == ([("a", A)], {"image_content": 1})


def test_a_runaway_answer_is_bounded():
    found = read_boxes("<p>a</p> {<1><2><3><4>}" * 5000)
    assert 100 <= len(found.boxes) <= 1000
    assert read_boxes("<" * 200_000 + "1" * 200_000).boxes == []

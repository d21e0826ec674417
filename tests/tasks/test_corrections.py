"""The sentence that says what is wrong: what it must say for every kind, and that it is true."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Instruction, Vlm
from synthesis.negatives import KINDS, Wrong
from tasks.state.corrections import correction, parts_asked_for, placed

EOP = ["Find 1 black plate 2x6."]
LIST = ["Collect the following 2 pieces:", "1 black plate 2x6,", "1 red tile 1x2."]
RGB = np.zeros((2, 2, 3), np.uint8)
SIZE_WH = (960, 540)


def _wrong(kind: str, shift: tuple[int, int] = (0, 0), turn: int = 0) -> Wrong:
    return Wrong(kind, RGB, None, shift, 0.0, turn)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        # Too far right and too low: back to the left and up.
        (
            _wrong("shift", (115, 27)),
            "The part is in the wrong place: move it 12 % to the left and 5 % up in the picture.",
        ),
        (
            _wrong("shift", (-96, -54)),
            "The part is in the wrong place: move it 10 % to the right and 10 % down in the "
            "picture.",
        ),
        # A direction that hardly matters is left out.
        (
            _wrong("shift", (200, 20)),
            "The part is in the wrong place: move it 21 % to the left in the picture.",
        ),
        (
            _wrong("shift", (0, -270)),
            "The part is in the wrong place: move it 50 % down in the picture.",
        ),
        # It was turned counterclockwise by so many quarters.
        (
            _wrong("rotate", turn=1),
            "The part is turned the wrong way: in the picture, turn it clockwise by a quarter.",
        ),
        (
            _wrong("rotate", turn=2),
            "The part is turned the wrong way: in the picture, turn it by half a turn.",
        ),
        (
            _wrong("rotate", turn=3),
            "The part is turned the wrong way: in the picture, turn it counterclockwise by a "
            "quarter.",
        ),
        (
            _wrong("mirror"),
            "The part is the wrong way round: its left and right are exchanged; turn it.",
        ),
        (_wrong("wrong_color"), "The part has the wrong colour: use 1 black plate 2x6."),
        (
            _wrong("wrong_part"),
            "This is another part: take it away and put 1 black plate 2x6 there.",
        ),
        (
            _wrong("missing"),
            "The step has not been done yet: add 1 black plate 2x6.",
        ),
        (
            _wrong("extra", (50, 0)),
            "There is one part too many: take the outlined one away, the other is right.",
        ),
    ],
)
def test_sentences_golden(wrong, expected):
    assert correction(wrong, EOP, SIZE_WH) == expected


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            _wrong("shift", (115, 27)),
            "The parts are in the wrong place: move them 12 % to the left and 5 % up in the "
            "picture.",
        ),
        (
            _wrong("rotate", turn=2),
            "The parts are turned the wrong way: in the picture, turn them by half a turn.",
        ),
        (
            _wrong("mirror"),
            "The parts are the wrong way round: their left and right are exchanged; turn them.",
        ),
        (_wrong("wrong_color"), "The parts have the wrong colour: use 2 red bricks."),
        (
            _wrong("wrong_part"),
            "These are not the parts asked for: take them away and put 2 red bricks there.",
        ),
        (_wrong("missing"), "The step has not been done yet: add 2 red bricks."),
        (
            _wrong("extra"),
            "There are parts too many: take the outlined ones away, the others are right.",
        ),
    ],
)
def test_several_parts_are_spoken_of_in_the_plural(wrong, expected):
    assert correction(wrong, ["Find 2 red bricks."], SIZE_WH, several=True) == expected


@pytest.mark.parametrize(
    ("tags", "found", "number"),
    [
        ([("det", "it")], 1, 1),
        ([("det", "them")], 3, 3),
        ([("det", "the 3"), ("colorinfo", "red"), ("theme", "bricks 1x4")], 3, 3),
        ([("det", "the"), ("colorinfo", "red"), ("theme", "bricks 1x4")], 2, 2),
        ([("det", "the"), ("theme", "roof tiles 1x2x⅔")], 2, 2),
        ([("det", "the"), ("theme", "glass 1x4")], 2, 1),
        ([("det", "the two"), ("theme", "plates 2x2")], 4, 2),
        # Two were found, and this step places the first of them.
        ([("det", "one")], 2, 1),
        ([("det", "the"), ("theme", "plate 2x6"), ("target", "the bricks 2x8")], 2, 1),
        ([("det", "the"), ("theme", "plate 2x6"), ("verb", "Put"), ("det", "the"),
          ("theme", "brick 1x2")], 2, 2),
        ([("det", "2"), ("verb", "Put"), ("det", "the other 2")], 4, 4),
        # Never more than were found, and all of them where nothing says how many.
        ([("det", "it"), ("verb", "Turn"), ("det", "it")], 1, 1),
        ([("verb", "Attach")], 2, 2),
        ([], 1, 1),
    ],
)  # fmt: skip
def test_the_words_of_a_step_say_how_many_parts_it_places(tags, found, number):
    step = Instruction(0, ["Put it there."], Vlm(), None, [{tag: text} for tag, text in tags])
    assert placed(step, found) == number


def test_every_kind_has_a_sentence_and_no_other():
    for kind in KINDS:
        sentence = correction(_wrong(kind, (100, 0), 1), EOP, SIZE_WH)
        assert sentence.endswith(".") and "  " not in sentence and "None" not in sentence
    with pytest.raises(ValueError, match="melted"):
        correction(_wrong("melted"), EOP, SIZE_WH)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (EOP, "1 black plate 2x6"),
        (["Collect 2 red tiles 1x2."], "2 red tiles 1x2"),
        (["find 1 axle"], "1 axle"),  # small, and no full stop
        (["FINDINGS: 1 axle."], "FINDINGS: 1 axle"),  # another word
        (["Find 1 black plate", "2x6."], "1 black plate 2x6"),
        (LIST, "the following 2 pieces: 1 black plate 2x6, and 1 red tile 1x2"),
        ([], "the part asked for"),
    ],
)
def test_parts_asked_for_golden(lines, expected):
    assert parts_asked_for(lines) == expected


@given(
    st.tuples(st.integers(-900, 900), st.integers(-900, 900)).filter(any),
    st.tuples(st.integers(64, 2000), st.integers(64, 2000)),
)
def test_following_the_words_brings_the_part_back(shift, size_wh):
    """Within the rounding, and the small direction that is not told."""
    sentence = correction(_wrong("shift", shift), EOP, size_wh)
    told = dict.fromkeys("xy", 0.0)
    for percent, way in re.findall(r"(\d+) % (to the left|to the right|up|down)", sentence):
        axis = "x" if way.startswith("to") else "y"
        sign = 1 if way in ("to the right", "down") else -1
        told[axis] = sign * int(percent) / 100 * size_wh["xy".index(axis)]
    assert any(told.values())
    larger = max(map(abs, shift))
    for axis, moved, size in zip("xy", shift, size_wh, strict=True):
        if told[axis] == 0:
            assert abs(moved) < 0.2 * larger
        else:
            assert np.sign(told[axis]) == -np.sign(moved)
            assert abs(told[axis] + moved) <= size / 100

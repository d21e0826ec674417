"""What a text asks for: labels, phrases, sizes, colours. A wrong label is a wrong gold answer."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import instruction, label_entities

from core import boxtext, part_names
from core.boxtext import box_answer, round_half_up
from core.colors import COLORS, color_lab
from core.part_names import PartLabel, part_kind, part_labels, phrases, size_of

WHITE = (255.0, 255.0, 255.0)


@pytest.mark.parametrize(
    ("text", "entities", "expected"),
    [
        # the thesis' line
        (
            ["Find 2 transparent red flat tiles 1x2."],
            label_entities(("2", "transparent red", "flat tiles 1x2")),
            [(2, "transparent red", "flat tiles 1x2")],
        ),
        # a Collect list; the heading's number is no part
        (
            ["Collect the following 3 pieces:", "2 black plates 1x3,", "1 dark grey plate 1x2."],
            [
                {"this_line": "Collect the following 3 pieces:"},
                {"verb": "Collect"},
                {"det": "3"},
                *label_entities(("2", "black", "plates 1x3"), ("1", "dark grey", "plate 1x2")),
            ],
            [(2, "black", "plates 1x3"), (1, "dark grey", "plate 1x2")],
        ),
        # the same list in one line
        (
            ["Collect the following 2 pieces: 1 black plate, and 1 red tile."],
            [{"this_line": ""}, {"det": "2"}, {"det": "1"}, {"colorinfo": "black"},
             {"theme": "plate"}, {"det": "1"}, {"colorinfo": "red"}, {"theme": "tile"}],
            [(1, "black", "plate"), (1, "red", "tile")],
        ),
        # a colour in two tags
        (
            ["Find 1 transparent red tile."],
            [{"det": "1"}, {"colorinfo": "transparent"}, {"colorinfo": "red"}, {"theme": "tile"}],
            [(1, "transparent red", "tile")],
        ),
        # no number, a word, an article with a number
        (["Find a wheel."], [{"det": "a"}, {"theme": "wheel"}], [(1, "", "wheel")]),
        (["Find two wheels."], [{"det": "Two"}, {"theme": "wheels"}], [(2, "", "wheels")]),
        (["Find the 4 wheels."], [{"det": "the 4"}, {"theme": "wheels"}], [(4, "", "wheels")]),
        (["Find the wheel."], [{"det": "the"}, {"theme": "wheel"}], [(1, "", "wheel")]),
        # absurd numbers are held to what a picture may mean
        (["Find 0 wheels."], [{"det": "0"}, {"theme": "wheels"}], [(1, "", "wheels")]),
        (["..."], [{"det": "99999999999"}, {"theme": "wheels"}], [(999, "", "wheels")]),
        # a text without a part
        (["Find it."], [{"this_line": "Find it."}, {"verb": "Find"}], []),
        ([], [], []),
    ],
)  # fmt: skip
def test_labels_from_tags(text, entities, expected):
    assert part_labels(instruction(text, entities)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # untagged, one line
        (["Find 2 red flat tiles 1x2."], [(2, "red", "flat tiles 1x2")]),
        # untagged list: heading, commas, a final "and"
        (
            ["Collect the following 3 pieces:", "2 black bricks 1x2, and", "1 red tile 1x1."],
            [(2, "black", "bricks 1x2"), (1, "red", "tile 1x1")],
        ),
        # "and" as the beginning of the last line
        (["Collect:", "1 red tile,", "and 1 tyre."], [(1, "red", "tile"), (1, "", "tyre")]),
        # a colour that ends in "and" stays
        (["Find 1 brick in sand"], [(1, "", "brick in sand")]),
        # heading and list on one line
        (
            ["Collect the following 2 pieces: 1 transparent red tile 1x1, and 1 black plate."],
            [(1, "transparent red", "tile 1x1"), (1, "black", "plate")],
        ),
        # a number in words
        (["Find a bright yellow brick."], [(1, "bright yellow", "brick")]),
        # a sentence that names no number of parts
        (["Turn the model round."], []),
    ],
)  # fmt: skip
def test_labels_from_plain_text(lines, expected):
    assert part_labels(instruction(lines)) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # the thesis' phrase drops the size
        ([(2, "transparent red", "flat tiles 1x2")], ["2 transparent red flat tiles"]),
        # with × and a fraction too
        ([(1, "red", "roof tile 1×2×⅔")], ["1 red roof tile"]),
        # "with ..." and "without ..." go
        ([(1, "bright yellow", "plate 1x2 with vertical clasp on long side")],
         ["1 bright yellow plate"]),
        ([(1, "grey", "plate without studs")], ["1 grey plate"]),
        # two that would read the same keep everything
        ([(1, "red", "brick 1x2"), (1, "red", "brick 1x4")],
         ["1 red brick 1x2", "1 red brick 1x4"]),
        # only the ambiguous ones do
        ([(1, "red", "brick 1x2"), (1, "blue", "brick 1x4"), (1, "red", "brick 1x8")],
         ["1 red brick 1x2", "1 blue brick", "1 red brick 1x8"]),
        # a number tells them apart already
        ([(1, "red", "brick 1x2"), (2, "red", "brick 1x4")], ["1 red brick", "2 red brick"]),
        # a theme that begins with a number keeps it
        ([(1, "", "2x4 brick")], ["1 2x4 brick"]),
        # no colour
        ([(3, "", "wheels")], ["3 wheels"]),
    ],
)  # fmt: skip
def test_phrases(labels, expected):
    assert phrases([PartLabel(*label) for label in labels]) == expected


@pytest.mark.parametrize(
    ("theme", "expected"),
    [
        ("plate 1x2", (1, 2)),
        ("plate 1×2", (1, 2)),  # multiplication sign
        ("brick 1x2x5", (1, 2, 5)),  # three dimensions
        ("roof tile 1x2x⅔", (1, 2, 2 / 3)),  # a fraction alone
        ("brick 1x2x1⅓", (1, 2, 4 / 3)),  # a mixed number
        ("roof tile 1×2×⅔", (1, 2, 2 / 3)),
        ("tile 1 x 2", (1, 2)),  # spaces
        ("technic beam 0.5x4", (0.5, 4)),  # decimals
        ("wheel", None),  # none
        ("plate type 2", None),  # a number that is no size
        ("box x2", None),
    ],
)
def test_sizes(theme, expected):
    found = size_of(theme)
    assert found == (expected if expected is None else pytest.approx(expected))


@given(st.text(max_size=40) | st.text("0123456789x×⅔½ .", max_size=20))
def test_any_theme_has_a_size_or_none(theme):
    size = size_of(theme)
    assert size is None or (len(size) >= 2 and all(value >= 0 for value in size))


# Kinds: a distractor must not show the target's part -------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Grey plate 1×2", "grey plates 1x2"),  # number, capitals, multiplication sign
        ("dish 2x2", "dishes 2x2"),
        ("box", "boxes"),
        ("brush", "brushes"),
        ("hinge brick", "hinge bricks"),
        ("glass for window", "glasses for windows"),
        ("hose", "hoses"),
        ("base", "bases"),
        ("axle", "axles"),
        ("leaf", "leaves"),
        ("knife", "knives"),
        ("canopy 4x6", "canopies 4x6"),
        ("lens", "lenses"),
        ("wall  element", "wall element"),  # spaces
    ],
)
def test_singular_and_plural_are_one_part(one, other):
    """Else the collage would show the asked-for part twice and box it once."""
    assert part_kind(PartLabel(1, "red", one)) == part_kind(PartLabel(2, "red", other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("red", "plate 1x2"), ("blue", "plate 1x2")),  # colour
        (("red", "plate 1x2"), ("red", "plate 1x4")),  # size
        (("red", "plate 1x2"), ("red", "tile 1x2")),  # shape
        (("red", "plate 1x2"), ("transparent red", "plate 1x2")),  # transparency
    ],
)
def test_different_parts_are_different_kinds(one, other):
    assert part_kind(PartLabel(1, *one)) != part_kind(PartLabel(1, *other))


# Box text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        # Table 4.1
        (
            [("2 transparent red flat tiles", (28.0, 17.0, 73.0, 50.0))],
            "<p>2 transparent red flat tiles</p> {<28><17><73><50>}",
        ),
        # several phrases are joined by " and " (Table 11.3)
        (
            [("1 black plate", (57, 15, 82, 35)), ("1 bright yellow plate", (82, 25, 93, 36))],
            "<p>1 black plate</p> {<57><15><82><35>} and "
            "<p>1 bright yellow plate</p> {<82><25><93><36>}",
        ),
        # halves go up, always (7.5 and 8.5 must not meet at 8)
        ([("x", (7.5, 8.5, 36.5, 99.5))], "<p>x</p> {<8><9><37><100>}"),
        # the whole picture
        ([("x", (0, 0, 100, 100))], "<p>x</p> {<0><0><100><100>}"),
    ],
)
def test_box_answer(targets, expected):
    assert box_answer(targets) == expected


@given(st.floats(0, 100))
def test_rounding_is_to_the_nearest(value):
    assert abs(round_half_up(value) - value) <= 0.5


# Colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("Bright  Red", "bright red"),  # capitals and spaces
        ("sticker on bright red", "bright red"),  # other words
        ("light stone grey", "medium stone grey"),  # synonyms
    ],
)
def test_colour_names_that_mean_one_colour(name, same_as):
    assert color_lab(name, WHITE) == pytest.approx(color_lab(same_as, WHITE))


def test_the_longest_name_wins():
    """ "dark red" is not red, "light blue" not blue."""
    for long, short in (("dark red", "red"), ("light blue", "blue"), ("reddish brown", "brown")):
        assert np.linalg.norm(color_lab(long, WHITE) - color_lab(short, WHITE)) > 5


def test_a_transparent_colour_lets_the_background_through():
    solid, clear = color_lab("red", WHITE), color_lab("transparent red", WHITE)
    assert clear[0] > solid[0] + 10
    dark = color_lab("transparent red", (0.0, 0.0, 0.0))
    assert dark[0] < clear[0]


@pytest.mark.parametrize("name", ["", "shiny", "infrared", "1x2"])
def test_unknown_names_have_no_colour(name):
    assert color_lab(name, WHITE) is None


def test_every_colour_is_a_colour():
    for name, rgb in COLORS.items():
        assert name == " ".join(name.lower().split())
        assert all(0 <= value <= 255 for value in rgb)


def test_the_examples_in_the_docstrings_are_true():
    for module in (part_names, boxtext):
        assert doctest.testmod(module).failed == 0

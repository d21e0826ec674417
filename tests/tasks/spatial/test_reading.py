"""What sentences say of places: clauses of instructions, and descriptions of two things."""

import pytest

from core.relations import (
    OPPOSITE,
    RELATIONS,
    WORDS,
    by_information,
    label_of,
    read_relations,
)
from tasks.spatial.reading import Placing, read_placing


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Put it horizontally on the table.", ("on", "table", ())),
        ("Put them on top, side by side, in the middle.", ("on", None, ())),
        ("Put it on top of the plate 2x4, in the back left.",
         ("on", "the plate 2x4", ("behind", "left"))),
        ("Put the 2 bricks 1x2 vertically on top, one on the left and one on the right.",
         ("on", None, ())),
        ("Put the roof tile 1x2 on top, slope to the left.", ("on", None, ())),
        ("Put them horizontally, one behind the other, at the front.",
         (None, None, ("in front of",))),
        ("Attach it underneath the brick 2x4.", ("under", "the brick 2x4", ())),
        ("Attach it horizontally from below.", ("under", None, ())),
        ("Put the flat tile 1x8 horizontally in front of the previous piece.",
         ("in front of", None, ())),
        ("Put the tile vertically in front of the mailbox, on the leftmost column.",
         ("in front of", "the mailbox", ("left",))),
        ("Put it on the mailbox.", ("on", "the mailbox", ())),
        ("Put it between the two arches.", ("in", "the two arches", ())),
        ("Insert it into the frame.", ("in", "the frame", ())),
        ("Put the technic pin 1/2 into the wheel rim 11.2x10.4, studs to the right.",
         ("in", "the wheel rim 11.2x10.4", ())),
        ("Put it next to the arch, studs to the back.", ("next", "the arch", ())),
        ("Put the brick on the right side of the white arch.", ("right", "the white arch", ())),
        ("Attach the wagon cover vertically.", (None, None, ())),
        ("Put it vertically at the very front of the model.", (None, None, ("in front of",))),
        ("Attach it on top, on the left, leaving 2 studs free on the right.",
         ("on", None, ("left",))),
        ("", (None, None, ())),
    ],
)  # fmt: skip
def test_clauses_of_instructions(line, said):
    assert read_placing(line) == Placing(*said)


def test_words_of_a_parts_shape_are_no_place():
    line = "Put the brick 1x2 with two studs on one side horizontally on top."
    assert read_placing(line, ["brick 1x2 with two studs on one side"]).relation == "on"


def test_a_part_that_is_called_it_is_not_its_anchor():
    line = "Put it behind the round brick 1x1, on the left."
    assert read_placing(line, ["brick 1x1"]).anchor == "the round brick 1x1"


def test_labels_and_words_are_a_bijection():
    assert [label_of(WORDS[name]) for name in RELATIONS] == list(RELATIONS)
    assert len(set(WORDS.values())) == len(RELATIONS) == 9
    assert sorted(by_information(list(RELATIONS))) == sorted(RELATIONS)
    assert all(OPPOSITE[OPPOSITE[one]] in (one, "on", "above") for one in OPPOSITE)


@pytest.mark.parametrize(
    ("sentence", "relations"),
    [
        ("a yellow ball is floating in the water.", {"in"}),
        ("Yellow ball in water.", {"in"}),
        ("there are bushes in front of the clock.", {"in front of"}),
        ("a building is shown next to a tree .", {"next"}),
        ("a chair sitting under a wooden table.", {"under"}),
        ("the cat is to the left of the dog", {"left"}),
        ("The cup stands on top of the shelf, above the sink.", {"on", "above"}),
        ("a sign on the left side of the road", {"left"}),
        ("nothing is said here", set()),
    ],
)
def test_descriptions(sentence, relations):
    assert read_relations(sentence) == relations

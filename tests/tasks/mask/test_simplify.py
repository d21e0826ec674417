"""Sentences back to the things in them."""

import itertools

import pytest

from core.part_names import part_kind
from core.records import PartLabel
from tasks.mask.simplify import simplify, without_number


@pytest.mark.parametrize(
    ("sentence", "things"),
    [
        ("Find 2 transparent red flat tiles 1x2.", ["2 transparent red flat tiles 1x2"]),
        ("Collect the following 2 pieces: 1 black plate 2x6, and 1 red tile 1x2.",
         ["1 black plate 2x6", "1 red tile 1x2"]),
        ("Put it vertically on top of the plate 1x2 with clip, in the back left.",
         ["plate 1x2 with clip"]),
        ("The newest piece, and the brown plate 2x4 that it was put on.", ["brown plate 2x4"]),
        ("Did I do it correctly for put the arch behind the 3 roof tiles 1x2x⅔.",
         ["arch", "3 roof tiles 1x2x⅔"]),
        ("What is next to the table, and the table too.", ["table"]),
        ("Every piece that is not dark stone grey.", []),
        ("What was found last.", []),
        ("", []),
    ],
)  # fmt: skip
def test_things_of_a_sentence(sentence, things):
    assert simplify(sentence) == things


def test_a_known_name_counts_whatever_it_is_called():
    assert simplify("Put the red thingummy on top.") == []
    assert simplify("Put the red thingummies on top.", ["red thingummy"]) == ["red thingummies"]


def test_sentences_of_the_demo_give_the_parts_that_their_tags_name(demo):
    from core.build import read_rows

    read = 0
    for row in read_rows(demo / "lego-arta", "object"):
        tags = [(e["tag"], e["text"]) for e in row.columns["entities"]]
        told = [f"{color} {theme}" for (a, color), (b, theme) in itertools.pairwise(tags)
                if (a, b) == ("colorinfo", "theme")]  # fmt: skip
        said = simplify(row.columns["instruction"])
        assert list(map(_kind, said)) == list(map(_kind, told)), row.columns["instruction"]
        read += 1
    assert read > 50


def _kind(phrase: str) -> str:
    return part_kind(PartLabel(1, "", without_number(phrase)))

"""Parts in other languages: words, endings, what is left out; rows ask for the same boxes."""

import pytest
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.build import picture_bytes, read_rows
from core.colors import COLORS
from derived.kinds import LANGUAGES
from derived.part_phrases import COLOR_WORDS, NOUNS, part_phrase
from tasks.queries import take_apart


@pytest.mark.parametrize(
    ("count", "label", "said"),
    [
        (1, "red brick 2x4", ("1 roten Stein 2x4", "1 rode steen 2x4", "1 brique rouge 2x4")),
        (2, "white round plates 1x1",
         ("2 weiße Rundplatten 1x1", "2 witte ronde platen 1x1", "2 plaques rondes blanches 1x1")),
        (1, "black wheel", ("1 schwarzes Rad", "1 zwart wiel", "1 roue noire")),
        (2, "black wheels", ("2 schwarze Räder", "2 zwarte wielen", "2 roues noires")),
        (3, "dark green arches 1x4",
         ("3 dunkelgrüne Bögen 1x4", "3 donkergroene bogen 1x4", "3 arches vert foncé 1x4")),
        (1, "transparent blue cone 1x1",
         ("1 durchsichtigen blauen Kegel 1x1", "1 doorzichtige blauwe kegel 1x1",
          "1 cône transparent bleu 1x1")),
        (1, "orange inverted roof tile 2x2",
         ("1 orangefarbenen umgekehrten Dachstein 2x2", "1 oranje omgekeerde dakpan 2x2",
          "1 tuile inversée orange 2x2")),
        (4, "flat tiles 1x2x⅔", ("4 Fliesen 1x2x⅔", "4 tegels 1x2x⅔", "4 plaques lisses 1x2x⅔")),
        (1, "grey plate 1x2 with clip", (None, None, None)),
        (1, "red helicopter", (None, None, None)),
    ],
)  # fmt: skip
def test_a_part_in_words(count, label, said):
    assert tuple(part_phrase(count, label, language) for language in LANGUAGES) == said


def test_the_lexicon_is_of_known_colours_and_every_word_has_its_ending():
    assert COLOR_WORDS.keys() <= COLORS.keys()
    for language in LANGUAGES:
        for color in COLOR_WORDS:
            for noun in NOUNS:
                for count in (1, 2):
                    said = part_phrase(count, f"{color} {noun}", language)
                    assert said and said.startswith(f"{count} ") and "  " not in said


def test_rows_ask_in_the_language_for_the_same_boxes(demo, tmp_path):
    built = derive(demo / "lego-arta", tmp_path / "set", "languages", "--language", "de", "fr")
    assert list(violations(built)) == []
    source = {one.id: one for one in read_rows(demo / "lego-arta", "object", "test")}
    rows = list(read_rows(built, "object", "test"))
    of_language = {}
    for one in rows:
        own, theirs = one.columns, source[one.columns["source_ids"][0]].columns
        of_language.setdefault(own["language"], set()).add(own["source_ids"][0])
        assert picture_bytes(one.place) == picture_bytes(source[own["source_ids"][0]].place)
        assert take_apart(own["query"], "object").directive
        for mine, their in zip(own["targets"], theirs["targets"], strict=True):
            assert {**mine, "label": ""} == {**their, "label": ""}
            assert mine["label"] in own["query"] and their["label"] not in own["query"]
    assert of_language["de"] == of_language["fr"] and 0 < len(of_language["de"]) <= len(source)
    file = write(tmp_path / "gold.object.jsonl", gold(built, "object"))
    scores = score(built, tmp_path / "out", file, "--no-report", "--workers", "1")
    assert row(scores, "gold", "object")["values"]["e_acc"] == 100

"""Manuals in other languages are found: questions in English must not stand around their texts."""

import pytest
from makers import div_row, find_line, page, put_line
from manual_pages import drops_of, parsed

from builder.sources.language import language_of
from builder.sources.language_words import WORDS

FIND, PUT = "/pics/Gate-1_eop_A.png", "/pics/Gate-1_step_B.png"
# Two rows each, as short as a page can be.
MANUALS = {
    "de": ["Suche 1 roten Stein 2x4.", "Setze ihn auf den Tisch."],
    "fr": ["Trouvez 1 brique rouge 2x4.", "Posez-la sur la table, devant vous."],
    "es": ["Busca 1 ladrillo rojo 2x4.", "Ponlo sobre la mesa."],
    "it": ["Trova 1 mattoncino rosso 2x4.", "Mettilo sul tavolo."],
    "nl": ["Zoek 1 rode steen 2x4.", "Leg hem op de tafel."],
    "da": ["Find 1 rød klods 2x4.", "Sæt den på bordet med siden mod dig."],
    "sv": ["Leta fram 1 röd kloss 2x4.", "Lägg den på bordet."],
    "pt": ["Encontre 1 tijolo vermelho 2x4.", "Coloque-o sobre a mesa."],
    "pl": ["Znajdź 1 czerwony klocek 2x4.", "Połóż go na stole."],
    "cs": ["Najdi 1 červenou kostku 2x4.", "Polož ji na stůl."],
    "fi": ["Etsi 1 punainen palikka 2x4.", "Aseta se pöydälle."],
    "hu": ["Keress 1 piros 2x4 elemet.", "Tedd az asztalra."],
    "tr": ["1 kırmızı 2x4 tuğla bulun.", "Masaya koyun."],
    "ja": ["赤いブロック2x4を1個見つけます。", "机の上に置きます。"],
    "zh": ["找到1块红色2x4积木。", "把它放在桌子上。"],
    "ko": ["빨간색 2x4 브릭 1개를 찾으세요.", "탁자 위에 놓으세요."],
    "el": ["Βρες 1 κόκκινο τουβλάκι 2x4.", "Βάλ' το στο τραπέζι."],
}


def manual(lines: list[str], lang: str | None = "en", body: str = "") -> str:
    html = page(div_row(FIND, f"<p>{lines[0]}</p>") + div_row(PUT, f"<p>{lines[1]}</p>") + body)
    return html.replace(' lang="en"', f' lang="{lang}"' if lang is not None else "")


@pytest.mark.parametrize("lang", ["own", "en", "en-GB", "", None])
@pytest.mark.parametrize("code", MANUALS)
def test_a_manual_in_another_language_is_one_drop_that_names_it(code, lang):
    made = parsed(manual(MANUALS[code], code if lang == "own" else lang))
    assert made.instructions == []
    ((item, reason, detail),) = drops_of(made)
    assert item == "manual" and reason == f"manual_in_{NAME[code]}"
    assert MANUALS[code][0] in detail


NAME = {
    "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "nl": "Dutch",
    "da": "Danish", "sv": "Swedish", "pt": "Portuguese", "pl": "Polish", "cs": "Czech",
    "fi": "Finnish", "hu": "Hungarian", "tr": "Turkish", "ja": "Japanese", "zh": "Chinese",
    "ko": "Korean", "el": "Greek",
}  # fmt: skip


@pytest.mark.parametrize("lang", ["de", "de-AT", "fr", "x-klingon", "", None, "en-US", "EN_gb"])
def test_an_english_manual_is_read_whatever_its_page_declares(lang):
    """A theme's `lang` is often a default that nobody looked at."""
    lines = [find_line(1, "red", "brick 2x4"), put_line("brick 2x4", "on the table")]
    made = parsed(manual(lines, lang))
    assert [i.VLM.task_label for i in made.instructions] == ["object", "scene"]
    assert made.drops == []


def test_what_the_words_do_not_tell_is_taken_from_the_page():
    bare = ["2x4.", "Millennium Falcon."]
    assert [d.reason for d in parsed(manual(bare, "de-CH")).drops] == ["manual_in_German"]
    assert [d.reason for d in parsed(manual(bare, "eu")).drops] == ["manual_in_eu"]
    assert len(parsed(manual(bare, "en")).instructions) == 2
    head = '<meta http-equiv="Content-Language" content="nl">'
    html = manual(bare, None).replace("<head>", f"<head>{head}")
    assert [d.reason for d in parsed(html).drops] == ["manual_in_Dutch"]
    html = manual(bare, "en").replace('class="manual', 'lang="fr" class="manual')
    assert [d.reason for d in parsed(html).drops] == ["manual_in_French"]


def test_a_long_text_in_no_known_language_is_not_taken_for_english():
    basque = (
        "Bilatu adreilu gorri bat eta jarri mahai gainean zure aurrean berriro ezkerretik eskuinera"
    )
    made = parsed(manual([basque, basque + " hemen"]))
    assert [d.reason for d in made.drops] == ["manual_in_an_unknown_language"]


def test_rows_in_another_language_in_an_english_manual_are_left_out():
    """They keep their places: the next step's part is not the one before the last."""
    lines = ["Find 1 red brick 2x4.", "Put it on the table."]
    body = div_row("/pics/Gate-3_eop_C.png", "<p>Suche 2 blaue Steine.</p>")
    body += div_row("/pics/Gate-3_step_D.png", "<p>Put the 2 blue bricks on top.</p>")
    body += div_row("/pics/Gate-5_step_F.png", "<p>Press it down.</p><p>Drücke sie fest auf.</p>")
    made = parsed(manual(lines, "en", body))
    assert [i.VLM.task_label for i in made.instructions] == ["object", "scene", None, "scene", None]
    assert [i.text for i in made.instructions][2] == []
    assert drops_of(made) == [
        ("row 2", "row_in_German", "Suche 2 blaue Steine."),
        ("row 4", "row_in_German", "Press it down. Drücke sie fest auf."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Place de la Concorde",  # names of models
        "Notre-Dame de Paris",
        "Los Angeles",
        "El Fuego",
        "Café Corner",
        "Das Boot",
        "Le Mans",
        "Van Gogh",
        "Volkswagen T1",
        "Snap!",
        "Plate 2x4",
        "Ω",
    ],
)
def test_names_are_no_other_language(text):
    assert language_of(text, "en") == "en" and language_of(text) == "en"


def test_no_word_of_another_language_is_an_english_one():
    for code, words in WORDS.items():
        assert code == "en" or not words & WORDS["en"], code

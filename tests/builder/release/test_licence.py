"""Whose pictures these are: a source says it, and everything that is published repeats it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from makers import saved_site, tiny_manual

from builder import make
from builder.release import validate
from builder.sources.known import source_of
from builder.sources.terms import ADDRESSES, FAIR_PLAY, FAIR_PLAY_URL, Terms, stated
from core.errors import UserError

LEGO, NOBODY = ("other", FAIR_PLAY, FAIR_PLAY_URL), ("unknown", None, None)


def terms_of(source: str) -> Terms:
    return source_of(source).terms(source)


def named(terms: Terms) -> tuple[str, str | None, str | None]:
    return terms.licence, terms.licence_name, terms.licence_url


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("demo", ("apache-2.0", None, ADDRESSES["apache-2.0"])),
        ("https://legoaudioinstructions.com/instructions/", LEGO),
        ("HTTP://www.LegoAudioInstructions.com:8080/?pagenumber=2", LEGO),
        # Another site is not the LEGO Group's, whatever it is called.
        ("https://legoaudioinstructions.com.example.org/instructions/", NOBODY),
        ("https://mylegoaudioinstructions.com/instructions/", NOBODY),
        ("https://example.org/legoaudioinstructions.com/", NOBODY),
        ("https://user@example.org/instructions/", NOBODY),
        ("saved-site", NOBODY),
        ("./demo", NOBODY),
        ("legoaudioinstructions.com", NOBODY),
        ("legacy:ARTA_LEGO", NOBODY),
    ],
)
def test_a_source_says_its_terms(source, expected):
    terms = terms_of(source)
    assert named(terms) == expected
    assert ("LEGO Group's and" in terms.attribution) == (expected == LEGO)
    assert ("Not known" in terms.attribution) == (expected == NOBODY)


@pytest.mark.parametrize(
    ("given", "expected", "words"),
    [
        ((None, None, None), NOBODY, ["Nobody has stated whose"]),
        (("CC-BY-4.0", None, "Kits by Ann."),
         ("cc-by-4.0", None, "https://creativecommons.org/licenses/by/4.0/"),
         ["Kits by Ann.", "[CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/)"]),
        (("cc-by-nc-sa-3.0", "https://x.example/terms", None),
         ("cc-by-nc-sa-3.0", None, "https://x.example/terms"), ["Nobody has stated whose"]),
        (("Kit Terms 2", "https://x.example/terms", "Ann's\n\nown."),
         ("other", "kit-terms-2", "https://x.example/terms"), ["Ann's own.", "Kit Terms 2"]),
        ((FAIR_PLAY, None, None), LEGO, ["LEGO Group's"]),
        ((FAIR_PLAY, None, "Saved by Ann."), LEGO, ["Saved by Ann.", "LEGO Group's"]),
        ((None, None, "Kits by Ann."), NOBODY, ["Kits by Ann.", "**not known**"]),
    ],
)  # fmt: skip
def test_a_person_may_say_what_a_source_does_not(given, expected, words):
    terms = stated(terms_of("saved-site"), *given)
    assert named(terms) == expected
    assert all(word in terms.attribution for word in words)
    assert "LEGO is a trademark" in terms.attribution  # not ours to leave out


@pytest.mark.parametrize(
    ("source", "given", "words"),
    [
        ("demo", ("mit", None, None), ["--licence", "apache-2.0", "leave it out"]),
        ("https://legoaudioinstructions.com/", ("mit", None, None), ["--licence", FAIR_PLAY]),
        ("https://legoaudioinstructions.com/", (None, None, "Ann's"), ["--attribution"]),
        ("site", ("cc-by-nd-3.0", None, None), ["cc-by-nd-3.0", "--licence-url"]),
        ("site", ("my own", None, None), ["my own", "--licence-url"]),
        ("site", ("my own", "terms.html", None), ["terms.html", "web address"]),
        ("site", (None, "https://x.example/", None), ["--licence-url", "--licence NAME"]),
        ("site", (" ", None, None), ["--licence", "empty"]),
        ("site", ("mit", None, ""), ["--attribution", "empty"]),
    ],
)
def test_what_nobody_could_look_up_is_refused(source, given, words):
    with pytest.raises(UserError) as caught:
        stated(terms_of(source), *given)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


# In what is published ------------------------------------------------------------------------


def built(folder: Path, *more: str) -> dict:
    """Build from the site in `folder`; the manifest."""
    places = ["--work", str(folder / "w"), "--out", str(folder / "lego-arta"), "--workers", "1"]
    site = ["--source", str(folder / "site"), "--no-probe", "--debug"]
    assert make.main([*site, *places, *more]) == 0
    return json.loads((folder / "lego-arta/build.json").read_text())


@pytest.fixture
def folder(tmp_path) -> Path:
    saved_site(tmp_path / "site", tiny_manual().rows[:8])
    return tmp_path


def told(build: Path) -> dict[str, object]:
    """The licence as every file around the rows tells it."""
    card = DatasetCard((build / "README.md").read_text())
    infos = json.loads((build / "dataset_infos.json").read_text())
    about = {"card": card.data.license, "infos": {info["license"] for info in infos.values()},
             "name": card.data.get("license_name"), "link": card.data.get("license_link"),
             "text": card.text.split("## Licence")[1].split("##")[0]}  # fmt: skip
    if (build / "croissant.json").exists():
        about["croissant"] = json.loads((build / "croissant.json").read_text()).get("license")
    return about


def test_an_unknown_site_is_published_as_nobodys(folder, capsys):
    manifest = built(folder)
    assert "licence of the pictures and texts: not known; --licence" in capsys.readouterr().out
    about = told(folder / "lego-arta")
    assert manifest["terms"]["licence"] == about["card"] == "unknown"
    assert about["infos"] == {"unknown"}
    assert about["name"] is about["link"] is about["croissant"] is None
    assert "Not known" in about["text"] and "fair-play" not in about["text"]
    assert list(validate.violations(folder / "lego-arta")) == []


def test_a_stated_licence_stands_everywhere_and_in_a_recipe(folder, capsys):
    """Also where only the licence is new; and who makes the dataset again need not state it."""
    built(folder)
    stating = ["--licence", "cc-by-nc-4.0", "--attribution", "Kits by Ann."]
    manifest = built(folder, *stating, "--recipe")
    address = ADDRESSES["cc-by-nc-4.0"]
    for build in (folder / "lego-arta", folder / "lego-arta-recipe"):
        about = told(build)
        assert about["card"] == "cc-by-nc-4.0" and about["infos"] == {"cc-by-nc-4.0"}
        assert "Kits by Ann." in about["text"] and address in about["text"]
        assert list(validate.violations(build)) == []
    assert told(folder / "lego-arta")["croissant"] == address
    assert manifest["terms"]["licence_url"] == address
    again = folder / "again"
    again.mkdir()
    shutil.copytree(folder / "site", again / "site")
    assert built(again, "--from-recipe", str(folder / "lego-arta-recipe")) == manifest
    assert "the same as the release" in capsys.readouterr().out


def test_a_licence_that_no_list_has_is_named_with_its_address(folder):
    built(folder, "--licence", "Kit Terms 2", "--licence-url", "https://x.example/terms")
    about = told(folder / "lego-arta")
    assert (about["card"], about["name"]) == ("other", "kit-terms-2")
    assert about["link"] == about["croissant"] == "https://x.example/terms"
    assert about["infos"] == {"kit-terms-2"}
    assert list(validate.violations(folder / "lego-arta")) == []
    for name, pattern in (("README.md", "license: other"), ("croissant.json", r'"license": "\S+"'),
                          ("dataset_infos.json", '"license": "kit-terms-2"')):  # fmt: skip
        path = folder / "lego-arta" / name
        text = path.read_text()
        path.write_text(re.sub(pattern, lambda found: found[0].replace("t", "T"), text))
        found = list(validate.violations(folder / "lego-arta"))
        assert any(name in line and "licence" in line for line in found), name
        path.write_text(text)


def test_a_licence_for_the_demo_stops_before_any_work(tmp_path, capsys):
    places = ["--work", str(tmp_path / "w"), "--out", str(tmp_path / "o")]
    assert make.main(["--licence", "mit", *places]) == 1
    assert "--licence: the terms of manuals drawn by" in capsys.readouterr().err
    assert not list((tmp_path / "w").rglob("*.png"))

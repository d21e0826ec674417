"""A source added from outside, in a module of its own: nothing else has to know it."""

import json
import sys

import pytest
from makers import saved_site, tiny_manual

from builder import make
from builder.release import validate
from builder.sources import known
from core.build import MANIFEST, read_rows

SHELF = '''
"""Manuals on a shelf at home."""
from pathlib import Path

from builder.sources.audio.saved import import_site
from builder.sources.source import Source
from builder.sources.terms import ADDRESSES, Terms
from core.store import CRAWL

SHELF = Source(
    forms=("shelf:DIR",),
    help="manuals on a shelf at home (shelf:DIR)",
    is_mine=lambda source: source.startswith("shelf:"),
    terms=lambda source: Terms("manuals on my shelf", "mit", "Ann's own drawings.",
                               licence_url=ADDRESSES["mit"]),
    bring=lambda options, engine: import_site(
        Path(options.source.removeprefix("shelf:"), options.board),
        options.work / CRAWL, options.limit, engine,
    ),
    add_options=lambda parser: parser.add_argument("--board", default="top"),
)
'''


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The source in the list, for one test."""
    (tmp_path / "home_shelf.py").write_text(SHELF)
    monkeypatch.syspath_prepend(tmp_path)
    import home_shelf

    monkeypatch.setattr(known, "SOURCES", [*known.SOURCES[:-1], home_shelf.SHELF,
                                           known.SOURCES[-1]])  # fmt: skip
    yield home_shelf.SHELF
    del sys.modules["home_shelf"]


def test_a_new_source_is_a_module_and_a_line(shelf, tmp_path, capsys):
    saved_site(tmp_path / "boards" / "low", tiny_manual().rows[:8])
    out, source = tmp_path / "lego-arta", f"shelf:{tmp_path / 'boards'}"
    command = ["--source", source, "--board", "low", "--out", str(out), "--no-probe",
               "--work", str(tmp_path / "w"), "--workers", "1", "--debug"]  # fmt: skip
    assert make.main(command) == 0
    manifest = json.loads((out / MANIFEST).read_bytes())
    assert (manifest["options"]["source"], manifest["ready_made"]) == (source, False)
    assert manifest["terms"]["licence"] == "mit"
    assert {row.columns["manual_id"] for row in read_rows(out, "scene")} == {
        "lego-60001-test-readscr"
    }
    assert manifest["rows"]["object"].values() and list(validate.violations(out)) == []
    # An older build does not say so: its source tells.
    del manifest["ready_made"]
    (out / MANIFEST).write_text(json.dumps(manifest))
    assert list(validate.violations(out)) == []
    card = (out / "README.md").read_text()
    assert "license: mit" in card and "manuals on my shelf" in card
    assert "Ann's own drawings." in card.split("## Licence")[1]
    assert "not known" not in capsys.readouterr().out


def test_the_help_tells_of_it_and_slips_of_its_options_are_told(shelf, capsys):
    with pytest.raises(SystemExit):
        make.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "shelf:DIR" in told and "manuals on a shelf at home" in told and "--board" in told

"""What the README and docs/ say can be pasted, and leads somewhere."""

import re
import shlex

import pytest
from outside import ROOT, parser_of
from pasting import PAGES, in_help, on_page

from scripts.main import COMMANDS


def _takes(line: str) -> bool:
    """Whether our command takes the words of a line."""
    _, name, *arguments = shlex.split(line, comments=True)
    try:
        parser_of(name).parse_args(arguments)
    except SystemExit as stopped:  # --help ends so too
        return stopped.code == 0
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_the_program_takes(page):
    for line in on_page(page):
        assert _takes(line), line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_a_help_text_can_be_pasted(name):
    """It names the program by its place, and the program takes the words."""
    text = parser_of(name).format_help()
    assert not re.search(r"(?<![\w./-])(python3?|pip) (?=-m|install|scripts|builder)", text)
    for line in in_help(name):
        assert _takes(line), line


def test_the_pages_hold_commands():
    assert sum(len(on_page(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_front_page_stays_short():
    """A stranger reads a page and a half; the rest has pages of its own."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120

"""What the README and docs/ say can be pasted, and leads somewhere."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from builder import command_line

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^\s*\.venv/bin/python (?:scripts/\w+|builder/make)\.py\b.*$", re.MULTILINE)
INLINE = re.compile(r"`(\.venv/bin/python (?:scripts/\w+|builder/make)\.py\b[^`]*)`")


def _commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in COMMAND.findall(text)] + INLINE.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_the_program_takes(page, capsys):
    for command in _commands(page):
        _, script, *arguments = shlex.split(command, comments=True)
        assert (ROOT / script).is_file(), command
        if script == "builder/make.py":
            parser = command_line.parser()
        else:
            parser = importlib.import_module(f"scripts.{Path(script).stem}").parser()
        try:
            parser.parse_args(arguments)
        except SystemExit as stopped:  # --help ends so too
            assert stopped.code == 0, f"{page.name}: {command}\n{capsys.readouterr().err}"


def test_the_pages_hold_commands():
    assert sum(len(_commands(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_front_page_stays_short():
    """A stranger reads a page and a half; the rest has pages of its own."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120

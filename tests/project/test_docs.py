"""What the README and docs/ say can be pasted, and leads somewhere."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from outside import ROOT

from builder import command_line
from core.cli import command

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^\s*\.venv/bin/python (?:scripts/\w+|builder/make)\.py\b.*$", re.MULTILINE)
INLINE = re.compile(r"`(\.venv/bin/python (?:scripts/\w+|builder/make)\.py\b[^`]*)`")


def _commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in COMMAND.findall(text)] + INLINE.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_the_program_takes(page, capsys):
    for line in _commands(page):
        _, script, *arguments = shlex.split(line, comments=True)
        assert (ROOT / script).is_file(), line
        try:
            _parser_of(script).parse_args(arguments)
        except SystemExit as stopped:  # --help ends so too
            assert stopped.code == 0, f"{page.name}: {line}\n{capsys.readouterr().err}"


def _parser_of(script: str):
    if script == "builder/make.py":
        return command_line.parser()
    return importlib.import_module(f"scripts.{Path(script).stem}").parser()


def _helps() -> dict[str, str]:
    """Every command's help, as it is printed; the recipes share one that needs an extra."""
    scripts = [
        path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "scripts").glob("*.py"))
    ]
    named = ["builder/make.py", *(name for name in scripts if "__init__" not in name)]
    return {name: _parser_of(name).format_help() for name in named}


def test_every_command_of_a_help_text_can_be_pasted(capsys):
    """It names the Python that runs and a script by its place, and the script takes the words."""
    python, seen = re.escape(shlex.split(command("scripts/export.py"))[0]), 0
    for name, text in _helps().items():
        assert not re.search(r"(?<![\w./-])(python3?|pip) (?=-m|install|scripts|builder)", text), (
            name
        )
        text = text.split("\n\n", 1)[1].replace("\\\n", " ")  # after the usage
        for line in re.findall(rf"{python} ([^\n#`]+)", text):
            script, *arguments = shlex.split(line)
            place = (Path.cwd() / script).resolve()
            if script == "-m" or "train" in script:
                continue
            seen += 1
            relative = place.relative_to(ROOT).as_posix()
            try:
                _parser_of(relative).parse_args(arguments)
            except SystemExit as stopped:
                assert stopped.code == 0, f"{name}: {line}\n{capsys.readouterr().err}"
    assert seen > 25


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

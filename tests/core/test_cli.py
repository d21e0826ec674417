"""What all commands share: one line with a cure for slips and errors, lines that can be pasted."""

import doctest
import errno
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from outside import ROOT

from core import cli
from core.cli import Parser, command, pip_install
from core.errors import UserError, describe


def parser() -> Parser:
    result = Parser("any", "What it does.\n\n    lego-arta any ask x\n")
    result.add_argument("--source")
    result.add_argument("--split", choices=["manual", "paper"])
    result.add_argument("--limit", type=cli.positive)
    commands = result.add_subparsers(metavar="ask|score", required=True)
    ask = commands.add_parser("ask")
    ask.add_argument("build")
    ask.add_argument("--config", choices=["scene", "object"], nargs="+", required=True)
    commands.add_parser("score")
    return result


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--sorce x ask b", "--sorce: no such option; did you mean --source?"),
        ("--sorce=x ask b", "--sorce: no such option; did you mean --source?"),
        ("-source x ask b", "-source: no such option; did you mean --source?"),
        ("--sour x ask b", "--sour: no such option; did you mean --source?"),
        ("--xyz ask b", "--xyz: no such option"),
        ("--split manul ask b", "--split manul: unknown; did you mean manual?"),
        ("--split Paper ask b", "--split Paper: unknown; did you mean paper?"),
        ("--split x ask b", "--split x: unknown; give one of manual, paper"),
        ("--split", "--split: expected one argument"),
        ("--limit -1 ask b", "--limit -1: give a whole number from 1 up"),
        ("--limit many ask b", "--limit many: give a whole number from 1 up"),
        ("scor b", "scor: unknown; did you mean score?"),
        # What is missing is not told before the slip that is the reason for it.
        ("ask --confg scene b", "--confg: no such option; did you mean --config?"),
        ("ask b --config objct", "--config objct: unknown; did you mean object?"),
        ("ask --config scene --", "the following arguments are required: build"),
        ("ask b c --config scene", "c: not expected here"),
        ("score --config scene", "--config: no such option"),
    ],
)
def test_a_slip_gets_one_line_that_says_what_was_meant(line, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line.split())
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {said} (all options: {command('any')}")
    assert err.count("\n") == 1 and err.endswith("--help)\n")


def test_values_that_look_like_options_are_none():
    options = parser().parse_args(["--source", "-1", "ask", "--config", "scene", "--", "--odd"])
    assert (options.source, options.build) == ("-1", "--odd")


def test_help_shows_commands_as_they_run_here(capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--help"])
    assert ended.value.code == 0
    assert f"    {command('any', 'ask', 'x')}\n" in capsys.readouterr().out


@pytest.mark.parametrize("standing", ["checkout", "bin", "elsewhere"])
@pytest.mark.parametrize("installed", [True, False])
def test_a_printed_line_runs_our_command_from_where_it_was_printed(
    installed, standing, tmp_path, monkeypatch
):
    """Also beside the program, where its bare name would be looked up in PATH."""
    folder = tmp_path / "a b"
    (folder / "bin").mkdir(parents=True)
    (folder / "scripts").mkdir()
    (folder / "scripts/main.py").write_text("import sys; print(sys.argv[1:])")
    (folder / "bin/python").symlink_to(sys.executable)
    if installed:
        text = f"#!{sys.executable}\nimport sys; print(sys.argv[1:])"
        (folder / "bin/lego-arta").write_text(text)
        (folder / "bin/lego-arta").chmod(0o755)
    monkeypatch.setattr(cli, "ROOT", folder)
    monkeypatch.setattr(sys, "executable", str(folder / "bin/python"))
    monkeypatch.chdir({"checkout": folder, "bin": folder / "bin"}.get(standing, tmp_path))
    line = command("say", "my build", "it's")
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout == "['say', 'my build', \"it's\"]\n"


def test_pip_lines_name_the_checkout_and_one_of_its_extras(tmp_path, monkeypatch):
    for folder in (ROOT, ROOT / "tests", tmp_path):
        monkeypatch.chdir(folder)
        python, *words = shlex.split(pip_install("review"))
        assert Path(python).absolute() == Path(sys.executable)
        assert words[:4] == ["-m", "pip", "install", "-c"] and Path(words[4]).is_file()
        checkout, _, extra = words[6].partition("[")
        assert words[5] == "-e" and Path(checkout).resolve() == ROOT and extra == "review]"


IMPORTED_AS = {"universal_pathlib": "upath"}


def test_extras_are_those_of_the_project():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for extra, modules in cli.EXTRAS.items():
        named = {requirement.split(">")[0].replace("-", "_") for requirement in extras[extra]}
        assert {IMPORTED_AS.get(name, name) for name in named} == set(modules)


def test_a_missing_extra_is_named_with_the_line_that_brings_it(monkeypatch):
    cli.require("review", "score")
    monkeypatch.setitem(cli.EXTRAS, "review", ("matplotlib", "no_such_module"))
    with pytest.raises(UserError, match="score: no_such_module is not installed; ") as error:
        cli.require("review", "score")
    assert str(error.value).endswith(pip_install("review"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("a line\n  and more"), "a line and more"),
        (OSError(errno.ENOSPC, "No space", "out"), "no space left on the disk (out)"),
        (PermissionError(errno.EACCES, "Denied", "out"), "out: not allowed"),
        (FileNotFoundError(errno.ENOENT, "Missing", "in"), "in: not there"),
        (IsADirectoryError(errno.EISDIR, "Folder", "tmp", None, "out"), "out: a folder stands"),
        (ValueError("odd"), "ValueError: odd; run again with --debug"),
    ],
)
def test_errors_are_one_line_with_a_cure(error, said, capsys):
    def work() -> None:
        raise error

    assert describe(error).startswith(said)
    assert cli.run(work) == 1
    assert capsys.readouterr().err == f"error: {describe(error)}\n"
    with pytest.raises(type(error)):
        cli.run(work, debug=True)


def test_ctrl_c_says_how_to_go_on(capsys):
    def work() -> None:
        raise KeyboardInterrupt

    assert cli.run(work) == 1
    assert capsys.readouterr().err == "stopped; run the same command again to go on\n"


def test_examples_in_docstrings_hold():
    found = doctest.testmod(cli)
    assert found.attempted and not found.failed

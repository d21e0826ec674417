"""`make` finds out at once that it has the wrong Python; no .venv that such a one left stays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from outside import ROOT

OLD = """#!/bin/sh
[ "$1" = --version ] && { echo "Python 3.8.18"; exit 0; }
[ "$2" = "" ] && exit 0
case "$2" in *version_info*) exit 1;; esac
echo "the old one was run: $*" >&2; exit 9
"""
# Makes a .venv as far as `make` goes on to use it; its pip notes what it was asked for.
NEW = """#!/bin/sh
case "$*" in
  "-c "|*version_info*) exit 0;;
  "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *"pip install"*) echo "$*" >> pip.log; [ ! -e broken ] && cp "$0" .venv/bin/lego-arta;;
  build) echo built;;
  *) exit 9;;
esac
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A folder with our Makefile, in a world of two Pythons: `old` and `new`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("old", OLD), ("python3.12", NEW)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    for name in ("sh", "make", "mkdir", "cp", "rm", "touch", "test", "grep"):
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "setup.py", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run `make` there; variables of a `make` that runs these tests are none of its business."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *words], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("python", "found"), [("old", "Python 3.8.18"), ("no-python", "not there")]
)
def test_a_wrong_python_is_named_with_one_that_would_do(checkout, python, found):
    done = make(checkout, f"PYTHON={python}", "dataset")
    assert done.returncode
    said = done.stderr.splitlines()[0]
    assert said == (
        f"error: Python 3.10 or newer is needed, {python} is {found}; "
        "choose another: make PYTHON=python3.12 dataset"
    )
    assert not (checkout / ".venv").exists()
    cure = said.partition("make ")[2].split()
    assert make(checkout, *cure).stdout.splitlines()[-1] == "built"


def test_what_a_wrong_python_left_is_cleared(checkout):
    left = checkout / ".venv/lib/python3.8/site-packages/old.py"
    left.parent.mkdir(parents=True)
    left.touch()
    assert make(checkout, "PYTHON=python3.12", "dataset").returncode == 0
    assert not left.exists()


def test_an_install_that_was_stopped_is_begun_anew(checkout):
    (checkout / "broken").touch()
    assert make(checkout, "PYTHON=python3.12", "dataset").returncode
    half = checkout / ".venv/half-installed.py"
    half.touch()
    (checkout / "broken").unlink()
    assert make(checkout, "PYTHON=python3.12", "dataset").returncode == 0
    assert not half.exists()


def test_a_whole_environment_is_kept_and_brought_up_to_date(checkout):
    """Installing torch again for every changed line of pyproject.toml would take minutes."""
    make(checkout, "PYTHON=python3.12", "dataset")
    kept = checkout / ".venv/kept.py"
    kept.touch()
    assert make(checkout, "PYTHON=old", "dataset").returncode == 0  # nothing to install
    assert len((checkout / "pip.log").read_text().splitlines()) == 1
    os.utime(checkout / "pyproject.toml", (2**31, 2**31))
    assert make(checkout, "PYTHON=python3.12", "dataset").returncode == 0
    assert kept.exists() and len((checkout / "pip.log").read_text().splitlines()) == 2

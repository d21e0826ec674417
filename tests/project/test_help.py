"""`--help` of every command: after the base install, at once, and doing nothing else."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from outside import ROOT

from core.cli import EXTRAS

SCRIPTS = {
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("scripts/**/*.py")
    if path.name != "__init__.py"
}
# What both recipes share, and what verl is given the path of.
NO_COMMANDS = {"scripts/train/common.py", "scripts/train/verl_reward.py"}
COMMANDS = ["builder/make.py", *sorted(SCRIPTS - NO_COMMANDS)]
# What the base install brings and takes long to import: half a second would not do for them.
SLOW = {"datasets", "pandas", "scipy", "sklearn", "huggingface_hub", "httpx", "bs4", "jsonschema"}
OUTSIDE = {name for modules in EXTRAS.values() for name in modules} | {"psutil", "playwright"}
# Runs one command after the other, each with its own modules, as if nothing but the base install
# was there; prints {command: [status, its first line, slow modules]}.
RUNNER = """
import contextlib, io, json, runpy, sys
commands, slow, outside = json.loads(sys.argv[1])

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in outside:
            raise ModuleNotFoundError(f"no {name}", name=name)

sys.meta_path.insert(0, Missing())
told = {}
for command in commands:
    out, status = io.StringIO(), None
    sys.argv = [command, "--help"]
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(command, run_name="__main__")
        except SystemExit as ended:
            status = ended.code
    told[command] = [status, out.getvalue(), sorted(set(slow) & set(sys.modules))]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict:
    """What every command says to `--help`, all in one process: their imports add up."""
    asked = json.dumps([COMMANDS, sorted(SLOW), sorted(OUTSIDE)])
    before = _files()
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, asked], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout) | {"written": sorted(_files() - before)}


def _files() -> set[tuple[str, int]]:
    """The files of the checkout that are no caches, and when they were written."""
    folders = [ROOT, *(path for path in ROOT.iterdir() if path.name[0] != "." and path.is_dir())]
    return {(str(path.relative_to(ROOT)), path.stat().st_mtime_ns)
            for folder in folders for path in folder.iterdir() if path.is_file()}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_the_base_install_alone_and_nothing_slow(told, command):
    status, text, slow = told[command]
    assert status == 0 and slow == []
    assert text.startswith("usage: ") and command in text.splitlines()[0]


def test_asking_for_help_leaves_everything_as_it_was(told):
    assert told["written"] == []


def test_scripts_are_commands_and_nothing_else():
    for name in COMMANDS:
        assert 'if __name__ == "__main__":' in (ROOT / name).read_text(encoding="utf-8"), name


def test_what_documented_commands_write_is_ignored_by_git(told, tmp_path):
    """Their outputs, named in the documents, in help texts, or taken if none is named."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    texts += [text for name in COMMANDS for text in (told[name][1],)]
    named = {name for text in texts for name in re.findall(r"--out ([\w./-]+)", text)}
    assert {"lego-arta", "data/llava", "object.html"} <= named
    # Capitals stand for any folder; what lies in docs/ is to be committed.
    named = {name for name in named if not name.isupper() and name.split("/")[0] != "docs"}
    named |= {"predictions", "scores", "gallery", "review-scores", "swatches.html", "review.html",
              "sheet.png", "object.key.json", "lego-arta-recipe", ".work"}  # fmt: skip
    shutil.copy(ROOT / ".gitignore", tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q"], check=True)
    asked = [name if Path(name).suffix else f"{name}/file" for name in sorted(named)]
    done = subprocess.run([*git, "check-ignore", *asked], capture_output=True, text=True)
    assert done.stdout.split() == asked

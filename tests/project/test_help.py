"""`--help` of every command: after the base install, at once, and doing nothing else."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from outside import ROOT

from core.cli import EXTRAS, command
from scripts.main import COMMANDS, main

NAMES = ["", *COMMANDS]
# Scripts that were there before the commands, by the command that each stands for.
SCRIPTS = {"builder/make.py": "build", "scripts/contact_sheet.py": "sheet",
           "scripts/train/sft.py": "train sft", "scripts/train/grpo.py": "train grpo"}  # fmt: skip
SCRIPTS |= {f"scripts/{name}.py": name for name in COMMANDS if name not in
            {"build", "derive", "diff", "gallery", "leakage", "sheet", "train", "vsd"}}  # fmt: skip
# What the base install brings and takes long to import: half a second would not do for them.
SLOW = {"datasets", "pandas", "scipy", "sklearn", "huggingface_hub", "httpx", "bs4", "jsonschema"}
OUTSIDE = {name for modules in EXTRAS.values() for name in modules} | {"psutil", "playwright"}
# Runs the commands as if nothing but the base install was there; prints {name: [status, text,
# slow modules]}.
RUNNER = """
import contextlib, io, json, sys
from scripts.main import main
names, slow, outside = json.loads(sys.argv[1])

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in outside:
            raise ModuleNotFoundError(f"no {name}", name=name)

sys.meta_path.insert(0, Missing())
told = {}
for name in names:
    out, status = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            main([*name.split(), "--help"])
        except SystemExit as ended:
            status = ended.code
    told[name] = [status, out.getvalue(), sorted(set(slow) & set(sys.modules))]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict:
    """What every command says to `--help`, all in one process: their imports add up."""
    asked = json.dumps([NAMES, sorted(SLOW), sorted(OUTSIDE)])
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


@pytest.mark.parametrize("name", NAMES)
def test_help_needs_the_base_install_alone_and_nothing_slow(told, name):
    status, text, slow = told[name]
    assert status == 0 and slow == []
    assert text.startswith(f"usage: {command(name).strip()} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(told, name):
    examples = told[name][1].partition("options:")[2]
    assert re.search(rf"(?m)^ *{re.escape(command(name))}\b", examples)


@pytest.mark.parametrize(("script", "name"), SCRIPTS.items())
def test_scripts_are_other_names_of_commands(script, name, tmp_path):
    """Also where their own folder would be looked into first, which holds a `review.py`."""
    done = subprocess.run(
        [sys.executable, ROOT / script, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"lego-arta {name} " in done.stdout or f"main.py {name} " in done.stdout


def test_a_word_that_is_no_command_is_told_in_a_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["exprt"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: exprt: unknown; did you mean export? (all")


def test_asking_for_help_leaves_everything_as_it_was(told):
    assert told["written"] == []


def test_what_documented_commands_write_is_ignored_by_git(told, tmp_path):
    """Their outputs, named in the documents, in help texts, or taken if none is named."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    texts += [told[name][1] for name in NAMES]
    named = {name for text in texts for name in re.findall(r"--out ([\w./-]+)", text)}
    assert {"lego-arta", "data/llava", "object.html"} <= named
    # Capitals stand for any folder; what lies in docs/ is to be committed, what starts with /
    # or with an address's scheme lies elsewhere.
    elsewhere = ("docs", "", "s3")
    named = {n for n in named if not n.isupper() and n.split("/")[0] not in elsewhere}
    named |= {"predictions", "scores", "gallery", "review-scores", "swatches.html", "review.html",
              "sheet.png", "object.key.json", "lego-arta-recipe", ".work"}  # fmt: skip
    shutil.copy(ROOT / ".gitignore", tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q"], check=True)
    asked = [name if Path(name).suffix else f"{name}/file" for name in sorted(named)]
    done = subprocess.run([*git, "check-ignore", *asked], capture_output=True, text=True)
    assert done.stdout.split() == asked

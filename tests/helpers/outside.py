"""What tests take from outside: the manual site beside the checkout, a demo build, real models."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent
# Made from real LEGO models; it is no part of the project: tests marked manual_site skip without.
MANUAL_SITE = ROOT.parent / "shared" / "manual-site"
NO_MANUAL_SITE = "the manual site does not stand beside the checkout"
# CAD models and the parts they need, neither of the project: tests marked cad_models skip without.
CAD_MODELS = ROOT.parent / "shared" / "ldraw"
NO_CAD_MODELS = "the CAD models do not stand beside the checkout"
# A slice of the released data of visual spatial description: tests marked vsd_files skip without.
VSD_FILES = ROOT.parent / "shared" / "vsd"
NO_VSD_FILES = "the files of visual spatial description do not stand beside the checkout"
# 450 MB of one server that nobody needs for anything else. Java and the package that asks it must
# be there in CI: what they do without it is tested.
NO_SPICE_PARSER = "the parser of SPICE, which nlp.stanford.edu alone has, is not here"
# Libraries' own notices about themselves are not ours.
MODEL_TEST = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
# Those of readers of what we write, which leave files open, too.
READER_TEST = [*MODEL_TEST, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def demo_build(folder: Path) -> Path:
    """`folder`, with a build of two manuals of the demo by the command itself, as users run it:
    lego-arta, its work in w, and said, what the command printed.
    """
    said = subprocess.run(
        [sys.executable, str(ROOT / "scripts/main.py"), "build", "--limit", "2",
         "--work", str(folder / "w"), "--out", str(folder / "lego-arta")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in said.stderr
    (folder / "said").write_text(said.stdout)
    return folder


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one of our commands."""
    return importlib.import_module(COMMANDS[name][0]).parser()

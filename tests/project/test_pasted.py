"""Every command that we print, pasted as printed into a folder with a build: it works, or says in a
line what it lacks. So do the commands that these print in their turn.

There is no network, no token but the loopback Hub's, no torch, and a demo has two manuals.
"""

import functools
import importlib
import os
import re
import shlex
import socket
import sys
from pathlib import Path

import huggingface_hub
import pasting
import pytest
from hub_server import serving
from hub_store import User

from benchmarks import truth_masks
from benchmarks.command import BENCHES
from builder.sources.demo import source
from core.cli import EXTRAS, ROOT, pip_install
from scripts.main import COMMANDS

# What can't be had here, by words of the line, and what the line must say then.
LACKS = {
    "s3://": "nobody answers at http://127.0.0.1:1 (AWS_ENDPOINT_URL)",
    "--masks maps": ": no such folder; give one with ID.png",
    "--masks predicted:maps": "--masks predicted:maps: no such folder",
    "--mask-model ": "torch is not installed",
    "--diversify endpoint": "nobody answers at localhost:8000",
    "ldraw:path": "no such file or folder",
    "--ray-address auto": "no Ray cluster answers there",
    "vsd VSDv1": "no such file; VSD's lie at",
    "probe ": "fewer than 12 state groups",
    "openai:gpt-4o": "nobody answers at api.openai.com:443",
    "--model Qwen/": "torch is not installed",
    "minigpt-v2=": "no such file; give its path, or ORG/NAME/FILE on the Hub",
    "--compare foreground,owlv2": "torch is not installed",
    "lego-arta train ": "is not installed",
    "sighted ": "torch is not installed",
    "legoaudioinstructions.com": "nobody answers at legoaudioinstructions.com:443",
}
# Minutes each; their words are tried in test_docs.py.
LONG = ("build --limit 200",)
# Writes into the checkout; test_make.py compares what it would write.
ELSEWHERE = (" infos",)


def _lines() -> dict[str, str]:
    """Where each line that we print stands, by the line."""
    found = {line: page.name for page in pasting.PAGES for line in pasting.on_page(page)}
    found |= {line: f"{name} --help" for name in COMMANDS for line in pasting.in_help(name)}
    return {line: found[line] for line in {_bare(line): line for line in found}.values()}


def _bare(line: str) -> str:
    """What is asked for, whatever the program is called there, without the comment."""
    return " ".join(line.partition("#")[0].split()[1:])


LINES = _lines()
BENCH = [line for line in LINES if " bench " in line]
RUN = [line for line in LINES if line not in BENCH
       and not any(words in line for words in LONG + ELSEWHERE)]  # fmt: skip
TRIED = {_bare(line) for line in RUN}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hub")) as server:
        server.store.users["hf_ann"] = User("ann", ("ORG",))
        yield server


@pytest.fixture(scope="module")
def prepared(demo, tmp_path_factory):
    return pasting.prepare(demo, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def place(prepared, tmp_path, monkeypatch, hub) -> Path:
    """A fresh folder to paste into, on a machine without a network and without torch."""
    known = socket.getaddrinfo

    def no_network(host, *more, **options):
        if host not in ("127.0.0.1", "localhost", None):
            raise socket.gaierror(socket.EAI_AGAIN, "no network")
        return known(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # workers would import all anew
    monkeypatch.setattr(source, "MANUALS", 2)  # those of the build
    monkeypatch.setattr(truth_masks, "MANUALS_MOST", 1)
    for name in (*EXTRAS["annotate"], *EXTRAS["train"]):
        monkeypatch.setitem(sys.modules, name, None)
    # `auto` would find the cluster of another test that runs beside this one.
    nothing = functools.cache(set)
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", nothing)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda folder: None)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_ann")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    folder = pasting.fresh(prepared, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("line", RUN, ids=[line.partition(" ")[2][:80] for line in RUN])
def test_a_printed_line_works_or_says_what_it_lacks(line, place, capsys):
    said = works_or_says(line, capsys)
    for hint in pasting.in_output(said):
        # The examples of a help are pasted as they are, each in its own test.
        if "--help" not in line or _bare(hint) not in TRIED:
            works_or_says(hint, capsys)


def works_or_says(line: str, capsys) -> str:
    """Paste a line, look at how it ends; what it said."""
    code = pasting.pasted(line)
    said = capsys.readouterr()
    lack = next((LACKS[words] for words in LACKS if words in line and "--help" not in line), None)
    if lack is None:
        assert code == 0, f"{line} ({LINES.get(line)}): {said.err}"
    else:
        (error,) = [one for one in said.err.splitlines() if one.startswith("error: ")]
        # 2 is wrong usage, and says where all options are.
        assert code == (2 if "(all options: " in error else 1), said.err
        assert "Traceback" not in said.err, said.err
        assert lack in error
    return said.out + said.err


@pytest.mark.parametrize("line", BENCH)
def test_what_measures_for_minutes_is_there(line):
    name = pasting.words_of(line)[1]
    assert callable(getattr(importlib.import_module(BENCHES[name][0]), f"bench_{name}"))


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_line_that_installs_names_what_is_there(extra, tmp_path, monkeypatch):
    """From any folder; what pip itself does is its own."""
    monkeypatch.chdir(tmp_path)
    python, *words = shlex.split(pip_install(extra))
    assert words[:3] == ["-m", "pip", "install"] and os.access(python, os.X_OK)
    assert Path(words[words.index("-c") + 1]).is_file()
    folder, named = re.fullmatch(r"(.*)\[(\w+)\]", words[-1]).groups()
    assert Path(folder).samefile(ROOT) and named == extra

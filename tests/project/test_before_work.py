"""What is wrong with a command is told before any work: nothing is drawn, fetched or written."""

import argparse
import functools
import shlex
import socket
import subprocess
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import huggingface_hub
import pytest
from outside import parser_of
from PIL import Image

from builder import make
from builder.annotate import owlv2
from builder.engine.local import Workers
from builder.sources import kinds
from builder.sources.audio import crawl
from builder.sources.demo import manuals as demo
from builder.sources.kinds import check_source
from core import cli, net, storage
from core.errors import UserError

UNWRITABLE = "/proc/nowhere/lego-arta"


@pytest.fixture
def no_work(monkeypatch, tmp_path):
    """A build that fails the test where it would begin; returns what `make` says to arguments."""

    def work(*_):
        raise AssertionError("the work began")

    for module, name in ((demo, "draw_manual"), (crawl, "crawl_site"), (Workers, "map")):
        monkeypatch.setattr(module, name, work)

    def told(*words: object) -> int:
        places = ["--out", tmp_path / "out" / "lego-arta", "--work", tmp_path / "work"]
        return make.main([str(word) for word in (*places, *words)])

    return told


def one_line(capsys) -> str:
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    return said.removeprefix("error: ").rstrip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--boundary-colors {tmp}/none.json", "--boundary-colors {tmp}/none.json: not a JSON"),
        ("--reviews {tmp}/none.json", "--reviews {tmp}/none.json: not a review"),
        ("--annotator minigpt-v2", "--model minigpt-v2=...: say where it lies"),
        ("--annotator owlv2 --model owlv2={tmp}/none", "--model owlv2={tmp}/none: no such folder"),
        ("--annotator owlv2 --model owlv2={tmp}", "--model owlv2={tmp}: no config.json in it"),
        ("--model owlv2=one-word", "--model owlv2=one-word: no such folder"),
        ("--model eva-vit={tmp}", "--model eva-vit={tmp}: a folder; give the checkpoint file"),
        ("--model eva-vit=./none.pth", "--model eva-vit=./none.pth: no such file"),
        ("--source http://127.0.0.1:{port}/x/", "--source http://127.0.0.1:{port}/x/: nobody"),
        ("--from-recipe {tmp}/none", "--from-recipe {tmp}/none: "),
        ("--push --repo-id lab/x", "no Hub token found; run `"),
    ],
)
def test_a_build_looks_before_it_works(no_work, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with socket.socket() as unheard:  # a port that is ours, and nobody listens at
        unheard.bind(("127.0.0.1", 0))
        names = {"tmp": tmp_path, "port": unheard.getsockname()[1]}
        assert no_work(*words.format(**names).split()) == 1
    assert one_line(capsys).startswith(said.format(**names))
    assert not (tmp_path / "out" / "lego-arta").exists()


def test_a_missing_extra_is_told_first(no_work, monkeypatch, capsys):
    monkeypatch.setattr(owlv2, "NEEDS", ("no_such_module",), raising=False)
    assert no_work("--annotator", "owlv2") == 1
    assert one_line(capsys) == (
        f"--annotator owlv2: no_such_module is not installed; {cli.pip_install('annotate')}"
    )


@pytest.mark.parametrize("device", ["cuda:99", "gpu0"])
def test_a_device_that_is_not_here_is_told_first(no_work, monkeypatch, capsys, device):
    pytest.importorskip("torch")
    monkeypatch.setattr(owlv2, "NEEDS", (), raising=False)
    assert no_work("--annotator", "owlv2", "--devices", f"cpu,{device}") == 1
    assert one_line(capsys).startswith(f"--devices {device}: can't be used (")


def test_a_recipe_that_can_not_be_written_is_told_first(no_work, tmp_path, capsys):
    """It lies beside the build, and was only looked at when all was built."""
    beside = tmp_path / "out" / "lego-arta-recipe"
    beside.mkdir(parents=True)
    (beside / "thesis.txt").write_text("years of work")
    assert no_work("--recipe") == 1
    assert str(beside) in one_line(capsys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--annotator", "foregrund"], "--annotator foregrund: unknown; did you mean foreground?"),
        (["--model", "owl=x/y"], "--model owl: no model; did you mean owlv2?"),
        (["--split", "manul"], "--split manul: unknown; did you mean manual?"),
        (["--templates", "readble"], "--templates readble: unknown; did you mean readable?"),
        (["--sorce", "demo"], "--sorce: no such option; did you mean --source?"),
        (["--push", "--repo-id", "a--b/c"], "--repo-id a--b/c: give it as ORG/NAME"),
        (["--work", UNWRITABLE], f"--work {UNWRITABLE}: can't be written there"),
    ],
)
def test_a_slip_is_told_first(no_work, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        no_work(*words)
    assert ended.value.code == 2
    assert one_line(capsys).startswith(said)


# Where things are written ------------------------------------------------------------------------


def parsers():
    """Every parser of every command that takes --out for what it writes."""
    for name in ("build", "evaluate", "export", "gallery", "overview", "review", "sheet",
                 "swatches", "train"):  # fmt: skip
        yield pytest.param(functools.partial(parser_of, name), id=name)


@pytest.mark.parametrize("parser", list(parsers()))
def test_every_output_is_tried_when_the_command_line_is_read(parser):
    command = parser()
    several = [
        one
        for action in command._actions
        if isinstance(action, argparse._SubParsersAction)
        for one in action.choices.values()
    ]
    for one in several or [command]:
        (out,) = (action for action in one._actions if action.dest == "out")
        assert out.type in (cli.writable, storage.anywhere)
        assert out.default is None or isinstance(out.default, str)  # else it would not be tried


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    wanted = tmp_path / "new" / "folder" / "file.html"
    assert cli.writable(str(wanted)) == wanted
    assert cli.writable(str(tmp_path)) == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", [UNWRITABLE, "x" * 300])
def test_a_place_that_can_not_be_written_is_told(place):
    with pytest.raises(argparse.ArgumentTypeError, match="choose a place that you may write to"):
        cli.writable(place)


# What a source is --------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with what people give for a site."""
    (tmp_path / "my site").mkdir()
    (tmp_path / "my site" / "a.html").write_text("<!DOCTYPE html><html></html>")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        archive.write(tmp_path / "my site" / "a.html", "a.html")
    with tarfile.open(tmp_path / "site.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "my site" / "a.html", "a.html")
    (tmp_path / "manual.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "page.mhtml").write_bytes(b"From: <Saved by Blink>\r\nMIME-Version: 1.0\r\n")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    (tmp_path / "notes.txt").write_text("to do")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("manual.pdf", "a PDF; lego-arta reads web pages"),
        ("page.mhtml", "a page saved as MHTML; save it as a complete web page"),
        ("rows.parquet", "a Parquet file; give the manuals"),
        ("pictures/a.png", "a picture; give the folder"),
        ("my site/a.html", "a single page; give the folder that holds it: --source 'my site'"),
        ("notes.txt", "a file; give demo, the address"),
        ("picturs", "no such folder; did you mean pictures?"),
        ("demmo", "no such folder; did you mean demo?"),
        ("example.org/manuals", "no such folder; if it is an address, give https://example.org"),
        ("what", "no such folder; give demo, the address"),
        ("file:///home/me/site", "give the folder by its path, without file://"),
        ("ftp://example.org/", "only http:// and https://"),
    ],
)
def test_a_source_is_told_for_what_it_is(here, source, said):
    with pytest.raises(UserError) as caught:
        check_source(source)
    assert str(caught.value).startswith(f"--source {source}: {said}")


@pytest.mark.parametrize("archive", ["site.zip", "site.tar.gz"])
def test_an_archive_is_told_with_a_line_that_unpacks_it(here, archive):
    with pytest.raises(UserError) as caught:
        check_source(archive)
    unpack = str(caught.value).partition("unpack it (")[2].partition(") and give --source ")
    subprocess.run(shlex.split(unpack[0]), check=True)
    assert (here / unpack[2] / "a.html").is_file()


def test_folders_without_pages_say_what_is_in_them(here):
    assert "only 1 .png in it, no page (.html)" in str(kinds.without_pages(Path("pictures")))
    assert ": empty, no page (.html)" in str(kinds.without_pages(Path("empty")))
    (here / "empty" / "build.json").write_text("{}")
    assert "a build or a recipe of lego-arta" in str(kinds.without_pages(Path("empty")))


# Whether somebody answers ------------------------------------------------------------------------


def test_a_server_that_listens_and_one_behind_a_proxy_are_not_told(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        net.check_answers("--source", f"http://127.0.0.1:{server.getsockname()[1]}/x")
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": "http://proxy:1"})
    monkeypatch.setattr("urllib.request.proxy_bypass", lambda host: False)
    net.check_answers("--source", "http://no-such-host.invalid/")


def test_silence_is_told_in_seconds(monkeypatch):
    """A port that swallows what is sent, or a name that nobody looks up: 18 s once."""
    monkeypatch.setattr(net, "TIMEOUT_S", 0.2)
    told = threading.Event()

    def looked_up(*_, **__):
        raise OSError(told.wait(60))

    monkeypatch.setattr("socket.getaddrinfo", looked_up)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"nobody answers at h:80 \(not within 0.2 s\)"):
        net.check_answers("--source", "http://h/")
    assert time.monotonic() - started < 18
    told.set()


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://h:port/", "x"])
def test_what_is_no_address_is_told(address):
    with pytest.raises(UserError, match="address"):
        net.check_answers("--base-url", address)

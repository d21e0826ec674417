"""The main command, and builds by it: of a tiny site in a second."""

import contextlib
import io
import subprocess
from pathlib import Path

from makers import saved_site, tiny_manual

from builder.command import main

TINY = ("lego-60001-a-readscr", "lego-60002-b-readscr", "lego-60003-c-readscr")


def make(*arguments: object) -> subprocess.CompletedProcess:
    """Run the command in this process, with its imports done; what it would end with and say."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def tiny_site(root: Path, manuals: int = 2) -> Path:
    """A saved site of small manuals of six steps, which all show the same; returns `root`."""
    for manual_id in TINY[:manuals]:
        saved_site(root, tiny_manual().rows, manual_id)
    return root


def tiny_build(folder: Path, *options: object, manuals: int = 2) -> Path:
    """A build of such a site, `folder`/lego-arta; the site is in site, its work in w."""
    site = tiny_site(folder / "site", manuals)
    out = folder / "lego-arta"
    run = make("--source", site, "--work", folder / "w", "--out", out, "--workers", 1, *options)
    assert run.returncode == 0, run.stderr
    return out


def one_line_error(run: subprocess.CompletedProcess, *words: str) -> str:
    """The single line an error is told in; fails on a traceback, and on another status than 1."""
    assert run.returncode == 1, run.stderr
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    assert "Traceback" not in run.stderr, run.stderr
    errors = [line for line in lines if line.startswith("error:")]
    assert len(errors) == 1, run.stderr
    for word in words:
        assert word in errors[0], errors[0]
    return errors[0]

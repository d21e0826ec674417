"""A folder in which what we print can be pasted, and the command in tests' own process."""

import csv
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import raters
from outside import ROOT, parser_of
from scored import gold, write

from builder.engine.local import standing_in
from builder.release.recipe import write_recipe
from core import selection
from core.build import manifest_of, read_rows
from core.cli import command
from core.records import dump
from core.store import DEMO
from review import page, results
from scripts.main import main

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINE = re.compile(r"^ *\.venv/bin/lego-arta .*$", re.MULTILINE)
_INLINE = re.compile(r"`(\.venv/bin/lego-arta [^`]*)`")


def on_page(page: Path) -> list[str]:
    """The commands of ours that a page shows, with their comments."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in _LINE.findall(text)] + _INLINE.findall(text)


def in_help(name: str) -> list[str]:
    """The commands of ours that a help shows."""
    text = parser_of(name).format_help().replace("\\\n", " ")
    return re.findall(rf"(?m)^ *({re.escape(_program())} [^\n#]+)", text)


def in_output(said: str) -> list[str]:
    """The commands of ours that something printed."""
    found = re.findall(rf"{re.escape(_program())} [^`\n]+", said)
    # With [-h] it is usage, not a command; one in brackets ends with them.
    return [re.sub(r"(--help)\)$", r"\1", line) for line in found if " [-h]" not in line]


def words_of(line: str) -> list[str]:
    """The words behind the program's name, as a shell in the current folder makes them."""
    words = []
    for word in shlex.split(line, comments=True)[1:]:
        words += sorted(map(str, Path().glob(word))) if "*" in word else [word]
    return words


def pasted(line: str) -> int:
    """Run a line; returns its exit status."""
    try:
        return main(words_of(line))
    except SystemExit as ended:
        return int(ended.code or 0)


def _program() -> str:
    return command("x").removesuffix(" x")


def prepare(demo: Path, folder: Path) -> Path:
    """All that printed commands take for granted: a build, its work, and what people made of it."""
    fresh(demo / "lego-arta", folder / "lego-arta")
    fresh(demo / "w", folder / ".work")
    write_recipe(folder / "lego-arta")
    fresh(demo / "lego-arta", folder / "lego-arta-old")
    with standing_in(folder):
        done = [
            "export lego-arta --format legacy --split train --limit 4 --out path/to/ARTA_LEGO",
            "review make lego-arta --task object --n 10 --checks none --out object.html",
            "leakage lego-arta --out subsets",
            "derive lego-arta hard-detection --limit 3 --out data/hard",
            "derive lego-arta robust --config object --corruption jpeg --limit 1 --out data/robust",
            "derive lego-arta sequence --limit 2 --out data/sequence",
            "evaluate run data/robust --config object --model baseline:copy-query --out seen",
            "evaluate run data/hard --config hard_detection --out answers"
            " --model baseline:always-none",
        ]
        assert [main(line.split()) for line in done] == [0] * len(done)
        shutil.copytree(folder / ".work" / DEMO / "site", "path/to/saved-site")
        Path("saved-site").symlink_to("path/to/saved-site")
        build = Path("lego-arta")
        write(Path("answers.jsonl"), gold(build, "scene"))
        assert (
            main("evaluate run lego-arta --config scene --model replay:answers.jsonl".split()) == 0
        )
        Path("boundary-colors.json").write_text("{}")
        _select(build)
        _rate()
    return folder


def _select(build: Path) -> None:
    """The files that a gallery saves, for a group of states."""
    manifest = manifest_of(build)
    assert manifest
    group = next(read_rows(build, "state", columns=["group_id"])).columns["group_id"]
    found = [row.id for row in read_rows(build, "state", columns=["id", "group_id"])
             if row.columns["group_id"] == group]  # fmt: skip
    whose = {"name": build.name, "fingerprint": manifest["fingerprint"]}
    chosen = {"format": selection.FORMAT, "build": whose, "ids": found}
    Path("lego-arta-selection.json").write_text(json.dumps(chosen))
    with Path("lego-arta-selection.csv").open("w", newline="") as file:
        lines = csv.DictWriter(file, selection.COLUMNS, restval="")
        lines.writeheader()
        same = {"config": "state", "build": build.name, "fingerprint": whose["fingerprint"]}
        lines.writerows({"id": one, **same} for one in found)


def _rate() -> None:
    """What two raters of object.html saved, and its scores."""
    key = results.read_key(page.key_path(Path("object.html")))
    truth = raters.truth_of(key, {"precision": (0.1, 0.2, 0.7), "clearness": (0.1, 0.2, 0.7)})
    for number in (1, 2):
        rated = raters.ratings(key, truth, 0.1, number)
        Path(f"review-object-{number}.json").write_bytes(dump(rated))
    assert pasted("x review score review-object-*.json --key object.key.json") == 0


def fresh(prepared: Path, folder: Path) -> Path:
    """The prepared folder once more: hard links, for commands replace files and write into none.

    Locks stay behind: a lock is held on the file itself, whatever its names.
    """
    return shutil.copytree(
        prepared, folder, copy_function=os.link, symlinks=True,
        ignore=shutil.ignore_patterns("*.lock"),
    )  # fmt: skip

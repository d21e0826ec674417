"""Which models a --source names, what each manual is called, and whose the models are."""

import glob
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.sources.ldraw.reader import decode
from builder.sources.terms import ADDRESSES, OTHER, OURS, UNKNOWN, Terms
from core.errors import UserError
from core.store import sha256

PREFIX = "ldraw:"
SUFFIXES = (".ldr", ".mpd")
MOST_BYTES = 64 * 2**20  # of a model; the largest known has a tenth of it
AUTHORS_NAMED = 30  # in a build's attribution; each manual's page names its own
LICENCES = {
    "ccal version 2.0": "cc-by-2.0",
    "cc by 2.0": "cc-by-2.0",
    "cc by 4.0": "cc-by-4.0",
    "cc0": "cc0-1.0",
}
LIBRARY_URL = "https://library.ldraw.org"
LEGAL_URL = "https://www.ldraw.org/legal-info.html"
_HEAD = re.compile(r"^\s*0\s+(?:(Author:)|(!LICENSE))\s+(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"^(\d{3,7})(?:-\d+)?(?!\d)[\s_-]*")


@dataclass(frozen=True)
class ModelFile:
    """A model on disk, in an archive where `member` is its name there."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2] if self.member else self.path.name

    def read(self) -> bytes:
        """Its bytes; raises `UserError` when it is too large, or damaged in its archive."""
        if self.member:
            try:
                with zipfile.ZipFile(self.path) as archive:
                    size = archive.getinfo(self.member).file_size
                    data = archive.read(self.member) if size <= MOST_BYTES else b""
            # what zipfile raises for damaged, encrypted and unknown content
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                raise UserError(f"{self.path}: {self.name} can't be read ({error})") from None
        else:
            size = self.path.stat().st_size
            data = self.path.read_bytes() if size <= MOST_BYTES else b""
        if size > MOST_BYTES:
            raise UserError(f"{self.path}: {self.name} has {size:,} bytes; no model is so large")
        return data


def find_models(source: str) -> list[ModelFile]:
    """The models of a --source, sorted by path; raises `UserError` where there are none."""
    text = source.removeprefix(PREFIX).strip()
    if not text:
        raise UserError(f"--source {source}: give a model, a folder or a pattern after {PREFIX}")
    path = Path(text).expanduser()
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*")) if _is_model(p.name) and p.is_file()]
        found = [ModelFile(p) for p in files]
    elif path.is_file():
        found = _in_file(source, path)
    else:
        names = sorted(glob.iglob(str(path), recursive=True))  # noqa: PTH207 (absolute patterns)
        found = [ModelFile(Path(name)) for name in names if _is_model(name)]
        if not names and not glob.has_magic(text):
            raise UserError(f"--source {source}: no such file or folder")
    if not found:
        raise UserError(f"--source {source}: no .ldr or .mpd model there; give one or their folder")
    return found


def _is_model(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _in_file(source: str, path: Path) -> list[ModelFile]:
    if _is_model(path.name):
        return [ModelFile(path)]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [ModelFile(path, name) for name in sorted(archive.namelist()) if _is_model(name)]
    raise UserError(f"--source {source}: not a model; give a .ldr or .mpd file, or a zip of them")


def titles_of(models: Sequence[ModelFile]) -> list[tuple[str, str, str]]:
    """(manual id, set number or "", title) of each model; ids are told apart by the file's path."""
    found: list[tuple[str, str, str]] = []
    for model in models:
        stem = model.name.rpartition(".")[0]
        match = _NUMBER.match(stem)
        number = match[1] if match else ""
        title = " ".join((stem[match.end() :] if match else stem).replace("_", " ").split())
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower().replace("'", "")).strip("-") or "model"
        if re.fullmatch(r"[a-z]", slug.partition("-")[0]):
            slug = f"model-{slug}"  # a single letter would be the part of a set
        manual_id = "-".join(filter(None, ("lego", number, slug[:60].strip("-"), "readscr")))
        if any(manual_id == other for other, _, _ in found):
            place = f"{model.path.name}/{model.member or model.path.parent.name}"
            told = sha256(f"{place}/{model.name}".encode())[:6]
            manual_id = f"{manual_id.removesuffix('-readscr')}-{told}-readscr"
        found.append((manual_id, number, title or stem))
    return found


def authors_and_licences(text: str) -> tuple[list[str], list[str]]:
    """Authors and licence lines of a model and of what is in it, each once."""
    authors: dict[str, None] = {}
    licences: dict[str, None] = {}
    for author, _, words in _HEAD.findall(text):
        (authors if author else licences)[" ".join(words.split())] = None
    return list(authors), list(licences)


def licence_ids(licences: Sequence[str]) -> set[str]:
    """The Hub's names of licence lines; `other` for one that is not known."""
    found = set()
    for line in licences:
        names = [name for words, name in LICENCES.items() if words in line.lower()]
        found.add(names[0] if names else OTHER)
    return found


def terms_of(models: Sequence[ModelFile], with_unlicensed: bool = False) -> Terms:
    """Whose the models are and on what terms, in the words of their own headers."""
    authors: dict[str, None] = {}
    licences: dict[str, None] = {}
    without = 0
    count = 0
    for model in models:
        try:
            own_authors, own_licences = authors_and_licences(decode(model.read()))
        except (OSError, UserError):
            continue  # drawing it records why it can't be read
        count += 1
        without += not own_licences
        if own_licences or with_unlicensed:
            authors |= dict.fromkeys(own_authors)
            licences |= dict.fromkeys(own_licences)
    count -= 0 if with_unlicensed else without
    described = f"manuals drawn from open CAD models in the LDraw format ({count})"
    whole = _attribution(list(authors), list(licences), without if with_unlicensed else 0)
    ids = licence_ids(list(licences))
    if (without and with_unlicensed) or not ids:
        return Terms(described, UNKNOWN, whole)
    if len(ids) == 1 and OTHER not in ids:
        (only,) = ids
        return Terms(described, only, whole, licence_url=ADDRESSES[only])
    name = "cc-by" if OTHER not in ids else "ldraw-models"
    return Terms(described, OTHER, whole, name, LEGAL_URL)


def _attribution(authors: list[str], licences: list[str], without: int) -> str:
    named = ", ".join(sorted(authors, key=str.lower)[:AUTHORS_NAMED])
    more = len(authors) - AUTHORS_NAMED
    by = f"{named} and {more} more" if more > 0 else named or "authors who do not name themselves"
    said = "; ".join(sorted(licences)) or "none stated"
    lines = [
        f"Drawn by lego-arta from models by {by} (licence lines of the models: {said}), with parts "
        f"of the [LDraw Parts Library]({LIBRARY_URL}) by its many authors (CC BY 2.0 and 4.0). "
        "Every manual's page names its own authors.",
    ]
    if without:
        lines.append(
            f"**{without} of the models have no licence line**: find out on what terms they may be "
            "used before you publish them."
        )
    return " ".join([*lines, OURS])

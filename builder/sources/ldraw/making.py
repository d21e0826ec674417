"""From a model's file to its manual, once: what was drawn from the same before is kept.

`root/models/<id>.json` is written last: when it is there and was made from the same, the manual is
whole.
"""

import collections
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder.sources.ldraw import manuals
from builder.sources.ldraw.colours import read_config
from builder.sources.ldraw.library import open_library
from builder.sources.ldraw.mesh import Meshes
from builder.sources.ldraw.models import ModelFile, authors_and_licences
from builder.sources.ldraw.pieces import Lost, ModelError, take_apart
from builder.sources.ldraw.reader import LdrFile, decode, read_model
from builder.sources.ldraw.session_pages import IMAGE_FOLDER, Manual, supply_of
from builder.sources.ldraw.steps import sessions_of
from core import code
from core.errors import UserError
from core.records import Drop
from core.store import sha256, write_bytes

LINES_TOLD = 5


@dataclass(frozen=True)
class Wanted:
    """A manual to be drawn, and with what."""

    root: Path
    model: ModelFile
    manual_id: str
    title: str
    library: Path
    seed: int
    max_steps: int | None
    without_missing: bool
    allow_unlicensed: bool


class Made(msgspec.Struct, frozen=True):
    """`models/<id>.json`: a model that has been dealt with, and how it went. `from_what` is the
    hash of all that the manual depends on; `steps` is 0 where there is none."""

    from_what: str
    steps: int
    pictures: int
    drops: list[Drop]


def make_manual(wanted: Wanted) -> Made:
    """Draw the manual of a model, or find that it is there; its record is written last."""
    done = wanted.root / "models" / f"{wanted.manual_id}.json"
    try:
        data = wanted.model.read()
    except (OSError, UserError) as error:
        item = wanted.model.name
        return Made(
            "", 0, 0, [Drop(wanted.manual_id, "crawl", item, "unreadable_model", str(error))]
        )
    from_what = _from_what(wanted, data)
    known = _read(done)
    if known is not None and known.from_what == from_what:
        return known
    done.unlink(missing_ok=True)
    for folder in (wanted.root / "site" / wanted.manual_id, images_of(wanted)):
        shutil.rmtree(folder, ignore_errors=True)
    manual = Manual(
        wanted.root, wanted.manual_id, wanted.title, "", read_config(_config(wanted)), wanted.seed
    )
    try:
        _draw(wanted, manual, data)
    except ModelError as error:
        manual.drop(wanted.model.name, error.reason, error.detail)
    if not manual.steps:
        shutil.rmtree(wanted.root / "site" / wanted.manual_id, ignore_errors=True)
    made = Made(from_what, manual.steps, manual.pictures, manual.drops)
    write_bytes(done, msgspec.json.encode(made) + b"\n")
    return made


def images_of(wanted: Wanted) -> Path:
    """Where the pictures of a manual lie."""
    return wanted.root / "site" / IMAGE_FOLDER / wanted.manual_id


def _config(wanted: Wanted) -> Path:
    return open_library(wanted.library).config


def _from_what(wanted: Wanted, data: bytes) -> str:
    library = open_library(wanted.library)
    told: Sequence[Any] = (
        sha256(data), str(wanted.library.resolve()), len(library.files),
        sha256(library.config.read_bytes()), wanted.manual_id, wanted.title, wanted.seed,
        wanted.max_steps, wanted.without_missing, wanted.allow_unlicensed, code.of(__name__),
    )  # fmt: skip
    return sha256(repr(told).encode())


def _read(done: Path) -> Made | None:
    try:
        return msgspec.json.decode(done.read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return None


def _draw(wanted: Wanted, manual: Manual, data: bytes) -> None:
    files = read_model(data, wanted.model.name)
    if not files:
        raise ModelError("no_parts", "nothing in it can be read as LDraw")
    _tell_lines(manual, files)
    authors, licences = authors_and_licences(decode(data))
    if not licences and not wanted.allow_unlicensed:
        raise ModelError(
            "no_licence", "no !LICENSE line says that it may be used; --allow-unlicensed takes it"
        )
    manual.credit = (
        f"Drawn by lego-arta from the model {wanted.model.name} by "
        f"{', '.join(authors) or 'an author who is not named'}. "
        f"{'; '.join(licences) or 'No licence is stated.'} Parts: LDraw Parts Library."
    )
    own = {name: file for name, file in files.items() if file.is_part}
    meshes = Meshes(open_library(wanted.library), own)
    raw, lost = take_apart(files, meshes, manual.colours)
    _tell_lost(wanted, manual, lost)
    sessions, left = manuals.cut(sessions_of(raw), wanted.max_steps)
    if left:
        manual.drop(wanted.model.name, "beyond_max_steps", f"{left} steps more in the model")
    manual.supply = supply_of(sessions)
    manuals.draw_sessions(manual, sessions, whole=not left)


def _tell_lines(manual: Manual, files: dict[str, LdrFile]) -> None:
    """Record lines that are none of LDraw's, and references that lead out of the library."""
    for file in files.values():
        if file.nonsense:
            some = ", ".join(map(str, file.nonsense[:LINES_TOLD]))
            told = f"{len(file.nonsense)} lines can't be read: {some}"
            manual.drop(file.name, "unreadable_lines", told)
        for name in dict.fromkeys(file.refused):
            manual.drop(file.name, "refused_path", name)


def _tell_lost(wanted: Wanted, manual: Manual, lost: list[Lost]) -> None:
    """Record the parts that can't be drawn, by step. A model that lacks one goes on without it
    only where that was asked for; a part without a name is left out of the texts' model anyhow."""
    for one in lost:
        manual.drop(f"{one.file}, step {one.step + 1}", one.reason, one.name)
    names = collections.Counter(one.name for one in lost if one.reason != "nameless_part")
    if names and not wanted.without_missing:
        some = ", ".join(list(names)[:LINES_TOLD])
        raise ModelError(
            "parts_missing", f"{len(names)} can't be drawn ({some}); --without-missing goes on"
        )

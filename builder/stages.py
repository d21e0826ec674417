"""The stages, the modules that each of them runs, and the keys under which results are kept.

A stage's key is a hash of its code (every file that these modules reach by imports, see
`core/code.py`), its inputs, its options and the versions of its libraries. A result with another
key is made anew.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from builder.annotate import ANNOTATORS, READERS
from core import code
from tasks import part_modules

STAGES = {
    "demo": ("builder.sources.demo.site",),
    "crawl": ("builder.sources.audio.crawl",),
    "saved": ("builder.sources.audio.saved",),
    "legacy": ("builder.sources.released.importing",),
    "pictures": ("core.pictures.images",),  # what kind of picture a file is, looked at once
    "parse": ("builder.parse.manual",),
    "annotate": ("builder.annotate.manual",),
    "tasks": ("tasks.manual",),
    "imported": ("builder.sources.released.rows",),
}
# What comes after: manuals' rows put together.
ASSEMBLE = "builder.release.assemble"
# The parts of tasks that a stage uses; "text" where it is not here.
PARTS = {"tasks": ("text", "rows"), ASSEMBLE: ("text", "rows", "show")}
# What imports annotators by their names.
_BY_NAME = "builder.annotate.answers"


def key(stage: str, *parts: object, annotators: str = "") -> str:
    """The key of a result: `parts` are its inputs and options, `annotators` who is asked for it."""
    return _hash(stage, code_of(stage, annotators), *parts)


def build_key(*parts: object) -> str:
    """The key of a build: its manifest holds the hash of all code, so it depends on all of it."""
    return _hash("build", code_sha256(), *parts)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def code_of(stage: str, annotators: str = "", root: Path | None = None) -> str:
    """Hash of a stage's code and libraries, in a checkout (this one); `annotators` with commas."""
    return code.of(*STAGES[stage], root=root, chosen=_chosen(annotators.split(","), stage))


def code_sha256(root: Path | None = None) -> str:
    """Hash of all code and libraries that a build may depend on: of every stage and annotator."""
    return code.of(*_all_modules(), root=root, chosen=_chosen(ANNOTATORS, ASSEMBLE))


def library_versions() -> dict[str, str]:
    """Versions of the libraries that a build may depend on, by package."""
    reached = code.closure(*_all_modules(), chosen=_chosen(ANNOTATORS, ASSEMBLE))
    return dict(sorted(code.versions(reached.libraries).items()))


def _all_modules() -> list[str]:
    return [ASSEMBLE, *(module for modules in STAGES.values() for module in modules)]


def _chosen(annotators: Iterable[str], stage: str) -> tuple[tuple[str, str], ...]:
    """Annotators, what reads their answers, and the parts of tasks that a stage uses. An annotator
    that is not known here ran elsewhere: the rows of an imported dataset have it."""
    tables = (ANNOTATORS, READERS)
    names = sorted(set(annotators))
    chosen = [(_BY_NAME, table[name]) for name in names for table in tables if name in table]
    return (*chosen, *part_modules(*PARTS.get(stage, ("text",))))

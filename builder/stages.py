"""The stages that make a manual's rows, in one table, and the keys under which results are kept.

A stage reads the folders of those before it and writes its own: a pure function of one manual and
the options, run in worker processes. Its key is a hash of its code (every file that its module
reaches by imports, see `core/code.py`), its inputs, its options and the versions of its libraries;
a result with another key is made anew. What a stage does lies in a module of its own, so that its
key holds that module's code and no other's.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from builder.annotate import ANNOTATORS, FILE, FROM_FILE, READERS, answers
from builder.annotate import manual as annotate
from builder.annotate.models import ModelOptions, place_identity
from builder.parse import manual as parse
from builder.sources import known
from builder.sources.source import ReadyMade
from core import code, store
from core.mirror import Mirror
from core.store import ANNOTATE, CRAWL, PARSE, ROWS
from tasks import manual as tasks
from tasks import part_modules
from tasks.context import TaskOptions

# What comes after: manuals' rows put together.
ASSEMBLE = "builder.release.assemble"
# The parts of tasks that a build uses; a stage uses "text" where it doesn't say more.
BUILD_PARTS = ("text", "rows", "show")


@dataclass(frozen=True)
class BuildOptions:
    """What a build's rows depend on besides the manuals."""

    work: Path
    annotator: str = "exact"  # or several, with commas: their consensus
    models: ModelOptions = field(default_factory=ModelOptions)
    tasks: TaskOptions = field(default_factory=TaskOptions)
    ready_made: ReadyMade | None = None  # rows that come with the manuals
    # Where the folders of `work` lie for all machines; `work` is scratch then.
    shared: Mirror | None = None


class Stage(NamedTuple):
    """One stage: `make` fills the folder of a manual, below `folder` in --work.

    `inputs` are (folder, file) that it reads of the manual; `options` give what it depends on of
    the build's. `module` is where its code begins, `parts` are those of tasks that it uses.
    """

    name: str
    folder: str
    module: str
    inputs: tuple[tuple[str, str], ...]
    make: Callable[[str, BuildOptions, Path], None]
    options: Callable[[str, BuildOptions], Sequence[object]] = lambda manual_id, build: ()
    parts: tuple[str, ...] = ("text",)


CRAWLED = (CRAWL, "crawl.json")
PARSED = (PARSE, "manual.json")
ANNOTATED = (ANNOTATE, "annotations.json")
STAGES = (
    Stage(
        "parse", PARSE, parse.__name__, (CRAWLED,),
        lambda manual_id, build, target: parse.write_manual(
            build.work / CRAWL / manual_id / "crawl.json", target
        ),
    ),
    Stage(
        "annotate", ANNOTATE, annotate.__name__, (PARSED,),
        lambda manual_id, build, target: annotate.write_annotations(
            build.work, manual_id, build.annotator, build.models, target
        ),
        lambda manual_id, build: identities(build),
    ),
    Stage(
        "tasks", ROWS, tasks.__name__, (PARSED, ANNOTATED),
        lambda manual_id, build, target: tasks.write_rows(
            build.work, manual_id, build.tasks.of_manual(manual_id), target
        ),
        lambda manual_id, build: [build.tasks.of_manual(manual_id), *mask_models(build)],
        ("text", "rows"),
    ),
)  # fmt: skip


def ready_made_stage(rows: ReadyMade) -> Stage:
    """The only stage of manuals that come with their rows."""
    return Stage(
        "ready_made", ROWS, rows.module, (CRAWLED,),
        lambda manual_id, build, target: import_module(rows.module).write_rows(
            build.work / CRAWL / manual_id, build.tasks.image_format, target
        ),
        lambda manual_id, build: [build.tasks.image_format],
    )  # fmt: skip


def build_manual(manual_id: str, build: BuildOptions) -> tuple[str, bool]:
    """Bring a manual's stages up to date; returns its id and whether anything was done."""
    stages = (ready_made_stage(build.ready_made),) if build.ready_made else STAGES
    return manual_id, _bring_up_to_date(stages, manual_id, build)


def parse_manual(manual_id: str, work: Path, shared: Mirror | None = None) -> bool:
    """The first stage alone, which models need before they are asked; whether it was run."""
    return _bring_up_to_date(STAGES[:1], manual_id, BuildOptions(work, shared=shared))


def _bring_up_to_date(stages: Sequence[Stage], manual_id: str, build: BuildOptions) -> bool:
    if build.shared is None:
        done = [run(stage, manual_id, build) for stage in stages]
        return any(done)
    with build.shared.attempt(manual_id) as shared:
        own = replace(build, work=shared.scratch, shared=shared)
        done = [run(stage, manual_id, own) for stage in stages]
        return any(done)


def run(stage: Stage, manual_id: str, build: BuildOptions) -> bool:
    """Bring one stage of a manual up to date; whether there was anything to do."""
    shared, place = build.shared, f"{stage.folder}/{manual_id}"
    files = [f"{folder}/{manual_id}/{file}" for folder, file in stage.inputs]
    key = _hash(
        stage.name,
        code_of(stage, build.annotator),
        *stage.options(manual_id, build),
        *(
            store.sha256(shared.file(file) if shared else (build.work / file).read_bytes())
            for file in files
        ),
    )
    if shared:
        if shared.is_done(place, key):
            return False
        _bring_inputs(stage, manual_id, build, shared)
    done = store.stage(build.work / place, key, lambda folder: stage.make(manual_id, build, folder))
    if shared:
        shared.push(place)
    return done


def _bring_inputs(stage: Stage, manual_id: str, build: BuildOptions, shared: Mirror) -> None:
    """What a stage reads of a manual, from the shared storage."""
    for folder in dict.fromkeys((CRAWL, *(folder for folder, _ in stage.inputs))):
        if not (build.work / folder / manual_id).exists():  # else this attempt has it
            shared.pull(f"{folder}/{manual_id}")
    if stage.folder == ANNOTATE:
        # There is none about a picture that can't be read; of one that is missing the stage tells.
        wanted = answers.files_of(build.work, manual_id, build.annotator, build.models)
        shared.pull_if_there(*wanted)


def identities(build: BuildOptions) -> list[str]:
    """Who annotates: the name, for a model what its answers depend on, for a file what is in it."""
    return [_identity(name, build.models) for name in build.annotator.split(",")]


def mask_models(build: BuildOptions) -> list[str]:
    """What the masks of a build depend on besides its options: the files of a segmenter."""
    place = build.tasks.mask_model
    return [] if place is None else [place_identity(place)]


def _identity(name: str, models: ModelOptions) -> str:
    if name.startswith(FILE):
        return str(answers.module_of(name).identity(name))
    return answers.identity_of(name, models) if answers.needs_model(name) else name


# Keys --------------------------------------------------------------------------------------------


def build_key(*parts: object) -> str:
    """The key of a build: its manifest holds the hash of all code, so it depends on all of it."""
    return _hash("build", code_sha256(), *parts)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def code_of(stage: Stage, annotators: str, root: Path | None = None) -> str:
    """Hash of a stage's code and libraries, in a checkout (this one); `annotators` with commas."""
    return code.of(stage.module, root=root, chosen=_chosen(annotators.split(","), stage.parts))


def code_sha256(root: Path | None = None) -> str:
    """Hash of all code and libraries that a build may depend on: of all stages, sources and
    annotators, which `ASSEMBLE` reaches through this module."""
    return code.of(ASSEMBLE, root=root, chosen=every_choice())


def versions() -> dict[str, str]:
    """What must be the same wherever a build is worked on: the hash of its code, and libraries."""
    own = code.of(ASSEMBLE, chosen=every_choice(), with_libraries=False)
    return {"code": own[:16], **library_versions()}


def library_versions() -> dict[str, str]:
    """Versions of the libraries that a build may depend on, by package."""
    reached = code.closure(ASSEMBLE, chosen=every_choice())
    return dict(sorted(code.versions(reached.libraries).items()))


def every_choice() -> tuple[tuple[str, str], ...]:
    """All that this and other modules import by names that are computed, for `core/code.py`."""
    rows = [(__name__, source.ready_made.module) for source in known.SOURCES if source.ready_made]
    return (*_chosen((*ANNOTATORS, FILE), BUILD_PARTS), *rows)


def _chosen(annotators: Iterable[str], parts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Annotators, what reads their answers, and parts of tasks. An annotator that is not known
    here ran elsewhere: rows that came with their manuals have it."""
    tables = (ANNOTATORS, READERS)
    names = sorted(set(annotators))
    chosen = [(answers.__name__, table[name]) for name in names for table in tables
              if name in table]  # fmt: skip
    if any(name.startswith(FILE) for name in names):
        chosen.append((answers.__name__, FROM_FILE))
    return (*chosen, *part_modules(*parts))

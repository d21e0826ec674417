"""Stages 2 to 4 for one manual: parse, annotate, tasks. A pure function of its crawl folder.

Runs in worker processes; each stage reads the folder before it and writes only its own. What a
stage does lies in a module of its own, so that its key holds that module's code and no other's.
"""

from dataclasses import dataclass, field
from pathlib import Path

from builder import stages
from builder.annotate import answers
from builder.annotate.manual import write_annotations
from builder.annotate.models import ModelOptions
from builder.parse import manual as parse
from builder.sources.released import rows as legacy_rows
from core import store
from core.store import ANNOTATE, CRAWL, PARSE, ROWS
from tasks import manual as tasks
from tasks.context import TaskOptions


@dataclass(frozen=True)
class BuildOptions:
    """What a build's rows depend on besides the source."""

    work: Path
    annotator: str = "foreground"  # or several, with commas: their consensus
    models: ModelOptions = field(default_factory=ModelOptions)
    tasks: TaskOptions = field(default_factory=TaskOptions)


def build_manual(manual_id: str, options: BuildOptions) -> tuple[str, bool]:
    """Bring a manual's stages up to date; returns its id and whether anything was done."""
    work, annotator = options.work, options.annotator
    done = [parse_manual(manual_id, work)]
    parsed = _sha256(work / PARSE / manual_id / "manual.json")
    done.append(
        store.stage(
            work / ANNOTATE / manual_id,
            stages.key("annotate", *identities(options), parsed, annotators=annotator),
            lambda target: write_annotations(work, manual_id, annotator, options.models, target),
        )
    )
    annotated = _sha256(work / ANNOTATE / manual_id / "annotations.json")
    own = options.tasks.of_manual(manual_id)
    done.append(
        store.stage(
            work / ROWS / manual_id,
            stages.key("tasks", own, parsed, annotated),
            lambda target: tasks.write_rows(work, manual_id, own, target),
        )
    )
    return manual_id, any(done)


def parse_manual(manual_id: str, work: Path) -> bool:
    """Stage 2 alone, which models need before they are asked; whether anything was done."""
    crawled = work / CRAWL / manual_id / "crawl.json"
    return store.stage(
        work / PARSE / manual_id,
        stages.key("parse", _sha256(crawled)),
        lambda target: parse.write_manual(crawled, target),
    )


def build_imported(manual_id: str, options: BuildOptions) -> tuple[str, bool]:
    """Bring the rows of an imported manual up to date; its id and whether anything was done."""
    folder, image_format = options.work / CRAWL / manual_id, options.tasks.image_format
    return manual_id, store.stage(
        options.work / ROWS / manual_id,
        stages.key("imported", image_format, _sha256(folder / "crawl.json")),
        lambda target: legacy_rows.write_rows(folder, image_format, target),
    )


def identities(options: BuildOptions) -> list[str]:
    """Who annotates: the name, and for a model what its answers depend on."""
    return [
        answers.identity_of(name, options.models) if answers.needs_model(name) else name
        for name in options.annotator.split(",")
    ]


def _sha256(path: Path) -> str:
    return store.sha256(path.read_bytes())

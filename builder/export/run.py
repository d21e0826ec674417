"""One export from request to finished folder: the format's files, README.md and export.json."""

import importlib
import json
import os
from types import ModuleType
from typing import Any

from builder.export import FORMATS
from builder.export.describe import dropped_counts, write_description
from builder.export.job import RECORD, check_build, working
from builder.export.options import options_of
from builder.export.units import Request
from core.build import shards
from core.cli import require
from core.errors import UserError
from evaluation.examples import OF_TRAIN, is_share
from evaluation.prompts import Setting, check_form, shows_examples
from tasks import EVERY_TASK

BYTES_FOR_WORKERS = 128 * 2**20
ANSWER_TAGS = ("<think>", "</think>", "<answer>", "</answer>")  # of --template think
WORKERS = 4  # each takes about 120 MB; disks are seldom faster than these


def format_of(name: str) -> ModuleType:
    """The module of a format; raises `UserError` that lists the known ones."""
    if name not in FORMATS:
        raise UserError(f"--format {name}: unknown; one of {', '.join(FORMATS)}")
    return importlib.import_module(f"builder.export.{name.replace('-', '_')}")


def configs_of(module: ModuleType) -> tuple[str, ...]:
    """The tasks that a format can hold: its CONFIGS, else all."""
    return getattr(module, "CONFIGS", tuple(EVERY_TASK))


def check(request: Request) -> ModuleType:
    """The format, if it can do what is asked for; raises `UserError`."""
    module = format_of(request.format)
    known = configs_of(module)
    wrong = [config for config in request.configs if config not in known]
    if wrong:
        raise UserError(
            f"--config {wrong[0]}: {request.format} can't hold it; one of {', '.join(known)}"
        )
    if hasattr(module, "EXTRA"):
        require(module.EXTRA, f"--format {request.format}")
    out = str(request.out.resolve())
    signs, why = getattr(module, "NOT_IN_PATHS", ("", ""))
    for sign in signs:
        if sign in out:
            raise UserError(f"--out {out}: {why} {sign!r}; choose a folder without it")
    if request.merge and not getattr(module, "MERGES", True):
        raise UserError(f"--merge: {request.format} has one layout for all tasks; leave it out")
    known_names = getattr(module, "NAMES", ("plain",))
    if request.names not in known_names:
        raise UserError(
            f"--names {request.names}: {request.format} has no such names; leave it out"
        )
    if request.names != "plain" and request.merge:
        raise UserError(
            f"--merge: --names {request.names} has a file a task; leave one of them out"
        )
    _check_setting(request.setting, request.format, module)
    return module


def _check_setting(setting: Setting, name: str, module: ModuleType) -> None:
    for option, value, known in (
        ("--boxes", setting.boxes, getattr(module, "BOXES", None)),
        ("--frame", setting.frame, getattr(module, "FRAMES", None)),
    ):
        if known and value not in known:
            raise UserError(f"{option} {value}: {name} can't hold it; one of {', '.join(known)}")
    check_form(setting, "--frame")
    taken = [token for token in getattr(module, "RESERVED", ()) if token in ANSWER_TAGS]
    if setting.template == "think" and taken:
        raise UserError(
            f"--template think: {name} marks answers with {taken[0]} itself, so no "
            "answer may hold it; leave --template out"
        )
    if not setting.image and not getattr(module, "BLIND", False):
        raise UserError(f"--without image: {name} takes no row without a picture; leave it out")
    if setting.examples in OF_TRAIN and shows_examples(setting) != getattr(
        module, "EXAMPLES_SEEN", shows_examples(setting)
    ):
        seen = module.EXAMPLES_SEEN
        raise UserError(
            f"--example-pictures {setting.example_pictures}: {name} "
            + ("links pictures; give yes" if seen else "takes one picture a row; give no")
        )
    if setting.examples not in module.EXAMPLES:
        raise UserError(
            f"--examples {setting.examples}: {name} has no place for them; "
            f"one of {', '.join(module.EXAMPLES)}"
        )
    if setting.examples == "fixed" and not is_share(setting.frame):
        raise UserError(
            f"--frame {setting.frame}: the fixed examples speak of percent, without a picture; "
            "give --examples dynamic or none, or --frame norm100"
        )


def export(request: Request, workers: int | None = None) -> dict[str, Any]:
    """Carry out a request; returns what export.json says. A finished export is left as it is.

    Without `workers`, small exports take no process but this one, others one a core up to WORKERS.
    """
    module = check(request)
    manifest = check_build(request.build)
    options = options_of(module, request, manifest)
    with working(request, manifest, workers or _workers(request), options) as job:
        if job is not None:
            written = module.write(job)
            rows = sum(n for what, n in job.counts.items() if what.startswith("rows: "))
            if not rows:
                raise UserError(
                    f"not one row could be expressed in {request.format}: {dropped_counts(job)}; "
                    "nothing is written"
                )
            write_description(job, module, options, written, rows)
    found: dict[str, Any] = json.loads((request.out / RECORD).read_bytes())
    return found


def _workers(request: Request) -> int:
    """One a core up to a few; none for what is done before they would have started."""
    if request.limit:
        return 1
    paths = [
        p for c in request.configs for s in request.splits for p in shards(request.build, c, s)
    ]
    large = sum(path.stat().st_size for path in paths) >= BYTES_FOR_WORKERS
    return min(WORKERS, os.cpu_count() or 1) if large else 1

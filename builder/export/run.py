"""One export from request to finished folder: the format's files, README.md and export.json."""

import importlib
import json
import os
import string
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from builder import folders
from builder.export.job import DROPPED, README, RECORD, Job, check_build, working
from builder.export.units import Request, shards
from builder.records import UserError
from evaluation.frames import MAX_PIXELS, MIN_PIXELS
from evaluation.prompts import FRAME_WORDS, Setting

# By the name on the command line. Each module has CONFIGS, SETTING (how is asked; None for formats
# that keep the columns), EXAMPLES (which can be shown), README and write(job).
FORMATS = {
    "llava": "LLaVA: one JSON list, pictures beside it",
    "otter": "Otter: MIMIC-IT JSON, pictures in Parquet",
    "llamafactory": "LLaMA-Factory: ShareGPT lines, dataset_info.json, SFT recipe",
    "vlm-r1": "VLM-R1: GRPO lines and a launch script",
    "legacy": "the folder layout of the originally released dataset",
    "coco": "COCO detection JSON",
    "webdataset": "tar shards of a picture and a JSON a row",
}
BYTES_FOR_WORKERS = 128 * 2**20
WORKERS = 4  # each takes about 120 MB; disks are seldom faster than these
TEMPLATE = Path(__file__).with_name("readme.md")
NO_LEAK = "No state label can be read off a file name, an id or the order of rows."


def format_of(name: str) -> ModuleType:
    """The module of a format; raises `UserError` that lists the known ones."""
    if name not in FORMATS:
        raise UserError(f"--format {name}: unknown; one of {', '.join(FORMATS)}")
    return importlib.import_module(f"builder.export.{name.replace('-', '_')}")


def check(request: Request) -> ModuleType:
    """The format, if it can do what is asked for; raises `UserError`."""
    module = format_of(request.format)
    wrong = [config for config in request.configs if config not in module.CONFIGS]
    if wrong:
        raise UserError(
            f"--config {wrong[0]}: {request.format} can't hold it; "
            f"one of {', '.join(module.CONFIGS)}"
        )
    if request.merge and not getattr(module, "MERGES", True):
        raise UserError(f"--merge: {request.format} has one layout for all tasks; leave it out")
    if request.setting.examples not in module.EXAMPLES:
        raise UserError(
            f"--examples {request.setting.examples}: {request.format} has no place for them; "
            f"one of {', '.join(module.EXAMPLES)}"
        )
    if request.setting.examples == "fixed" and request.setting.frame != "norm100":
        raise UserError(
            f"--frame {request.setting.frame}: the fixed examples speak of percent; "
            "give --examples dynamic or none, or --frame norm100"
        )
    return module


def export(request: Request, workers: int | None = None) -> dict[str, Any]:
    """Carry out a request; returns what export.json says. A finished export is left as it is.

    Without `workers`, small exports take no process but this one, others one a core up to WORKERS.
    """
    module = check(request)
    manifest = check_build(request.build)
    with working(request, manifest, workers or _workers(request)) as job:
        if job is not None:
            written = module.write(job)
            rows = sum(n for what, n in job.counts.items() if what.startswith("rows: "))
            if not rows:
                raise UserError(
                    f"not one row could be expressed in {request.format}: {dropped_counts(job)}; "
                    "nothing is written"
                )
            _describe(job, module, written, rows)
    return json.loads((request.out / RECORD).read_bytes())


def _workers(request: Request) -> int:
    """One a core up to a few; none for what is done before they would have started."""
    if request.limit:
        return 1
    paths = [
        p for c in request.configs for s in request.splits for p in shards(request.build, c, s)
    ]
    large = sum(path.stat().st_size for path in paths) >= BYTES_FOR_WORKERS
    return min(WORKERS, os.cpu_count() or 1) if large else 1


def dropped_counts(job: Job) -> dict[str, int]:
    """Rows left out, by reason."""
    return {
        what.removeprefix("dropped: "): number
        for what, number in sorted(job.counts.items())
        if what.startswith("dropped: ")
    }


def _describe(job: Job, module: ModuleType, written: list[str], rows: int) -> None:
    request, setting = job.request, job.request.setting
    asks = module.SETTING is not None
    dropped = dropped_counts(job)
    record = {
        "format": request.format,
        "fingerprint": job.fingerprint,
        "build": {key: job.manifest[key] for key in ("version", "fingerprint")},
        "configs": request.configs,
        "splits": request.splits,
        "merged": request.merge,
        "min_confidence": request.min_confidence,
        "limit": request.limit,
        "boxes": setting.boxes if asks else None,
        "frame": setting.frame if asks else module.FRAME,
        "pixels": setting.pixels,
        "template": setting.template if asks else None,
        "previous": setting.previous if asks else None,
        "examples": setting.examples if asks else None,
        "shots": setting.shots if asks and setting.examples != "none" else 0,
        "seed": request.seed,
        "rows": rows,
        "dropped": dropped,
    }
    how = module.README.format(
        folder=request.out.name,
        first=written[0],
        names="`, `".join(written),
        glob=module.glob(written) if hasattr(module, "glob") else "",
    )
    text = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        format=request.format,
        rows=f"{rows:,}",
        build=request.build.name,
        version=job.manifest["version"],
        configs=", ".join(request.configs),
        splits=" and ".join(request.splits),
        dropped=_dropped_text(dropped),
        how=how.strip(),
        frame=_frame_text(setting) if asks else module.FRAME,
        answers=_answers_text(setting) if asks else "the columns of the rows",
        examples=_examples_text(setting) if asks else "none",
        min_confidence=f"{request.min_confidence:g}",
        limit=f", at most {request.limit} a config and split" if request.limit else "",
        pictures=getattr(module, "PICTURES", "the build's own bytes, named by their hash"),
        leaks=getattr(module, "LEAKS", NO_LEAK),
    )
    folders.write_bytes(job.folder / README, text.encode())
    folders.write_bytes(job.folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")


def _dropped_text(dropped: Mapping[str, int]) -> str:
    if not dropped:
        return "Nothing was left out."
    counted = ", ".join(f"{number:,} {reason}" for reason, number in dropped.items())
    return f"Left out, for the format can't say them: {counted} (`{DROPPED}` lists them)."


def _frame_text(setting: Setting) -> str:
    form = {"angle": "`<p>name</p> {<x0><y0><x1><y1>}`", "json": "JSON `bbox_2d`"}[setting.boxes]
    words = FRAME_WORDS[setting.frame]
    if setting.frame == "resized_px":
        least, most = setting.pixels or (MIN_PIXELS, MAX_PIXELS)
        words = ("in pixels after Qwen's resize to sides that are multiples of 28, "
                 f"{least:,} to {most:,} pixels in all")  # fmt: skip
    return f"{form}, x0, y0, x1, y1 {words} (`{setting.frame}`)"


def _answers_text(setting: Setting) -> str:
    text = {"plain": "plain", "think": "in `<answer>` tags; the question asks for `<think>` too"}
    before = "; the question begins with the previous instruction" if setting.previous else ""
    return text[setting.template] + before


def _examples_text(setting: Setting) -> str:
    if setting.examples == "none":
        return "none"
    return f"{setting.examples}, up to {setting.shots} a row"

"""What an export says of itself: export.json, README.md and the line at its end."""

import json
import shlex
import string
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from builder.export.deployed import told
from builder.export.job import DROPPED, README, RECORD, Job
from builder.export.units import Request
from core import store
from core.cli import ROOT, pasteable
from core.frames import MAX_PIXELS, MIN_PIXELS
from evaluation.examples import OF_TRAIN
from evaluation.prompts import FRAME_WORDS, PARTS, Setting, shows_examples
from tasks import EVERY_TASK

TEMPLATE = Path(__file__).with_name("readme.md")
NO_LEAK = "No state label can be read off a file name, an id or the order of rows."
# Which models' own boxes are in a frame. The others have to learn it.
FITS = {
    "norm100": "MiniGPT-v2",
    "norm1000": "Qwen3-VL, Qwen-VL and InternVL",
    "px": "trainers that scale boxes with the picture",
    "resized_px": "Qwen2.5-VL",
    "padded_norm": "LLaVA-1.5",
}
_FORMS = {
    "angle": "`<p>name</p> {<x0><y0><x1><y1>}`",
    "json": "JSON `bbox_2d`",
    "fenced": "JSON `bbox_2d` in a code block",
    "tagged": "`<ref>name</ref><box>[[x0, y0, x1, y1]]</box>`",
    "qwen-vl": "`<ref>name</ref><box>(x0,y0),(x1,y1)</box>`",
    "lego-r1": "JSON `bbox_2d`",
    "words": "a place in words (upper left)",
}
_RESIZED_BY = {
    "qwen": "the processor alone resizes",
    "vlm-r1": "VLM-R1 brings sides under 28 there first",
    "llamafactory": "LLaMA-Factory shrinks pictures to these bounds first, then the processor "
    "rounds the sides",
    "easyr1": "EasyR1 brings pictures to these bounds first, then the processor rounds the sides",
}


def dropped_counts(job: Job) -> dict[str, int]:
    """Rows left out, by reason."""
    return {
        what.removeprefix("dropped: "): number
        for what, number in sorted(job.counts.items())
        if what.startswith("dropped: ")
    }


def write_description(
    job: Job, module: ModuleType, options: Mapping[str, Any], written: list[str], rows: int
) -> None:
    """README.md and export.json of an export whose files are written."""
    request, setting = job.request, job.request.setting
    asks = module.SETTING is not None
    dropped = dropped_counts(job)
    text = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        format=request.format,
        rows=f"{rows:,}",
        build=request.build.name,
        version=job.manifest["version"],
        configs=", ".join(request.configs),
        splits=" and ".join(request.splits),
        dropped=_dropped_text(dropped),
        how=_how(job, module, written),
        frame=_frame_text(setting) if asks else module.FRAME,
        answers=_answers_text(setting) if asks else "the columns of the rows",
        examples=_examples_text(job, rows) if asks else "none",
        min_confidence=f"{request.min_confidence:g}",
        limit=_limits_text(request),
        pictures=_pictures_text(request, module),
        leaks=getattr(module, "LEAKS", NO_LEAK),
    )
    front = getattr(module, "front_matter", lambda job, names: "")(job, written)
    store.write_bytes(job.folder / README, f"{front}{text}".encode())
    record = {
        **options,
        "fingerprint": job.fingerprint,
        "rows": rows,
        "dropped": dropped,
        "fits": _fits(request, module),
        "train": trains(job, module),
    }
    store.write_bytes(job.folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")


def _pictures_text(request: Request, module: ModuleType) -> str:
    if request.look:
        return told(request.look)
    return str(getattr(module, "PICTURES", "the build's own bytes, named by their hash"))


def _limits_text(request: Request) -> str:
    limit = f", at most {request.limit} a config and split" if request.limit else ""
    chosen = f", only those of a list of {len(request.ids):,} ids" if request.ids else ""
    return limit + chosen


def trains(job: Job, module: ModuleType) -> bool:
    """Whether an export holds something to train on, and its format has a trainer."""
    return hasattr(module, "TRAIN") and "train" in job.request.splits


def command(out: Path, module: ModuleType) -> str:
    """The line that trains from the export in `out`."""
    return str(module.TRAIN.format(folder=shlex.quote(str(out))))


def last_words(out: Path, module: ModuleType, record: Mapping[str, Any]) -> str:
    """The line at the end: rows, which models the boxes fit, what to do next."""
    words = [f"{out}: {record['rows']:,} rows"]
    if record["fits"]:
        words.append(f"boxes fit {record['fits']}")
    if record["train"]:
        line = command(out, module).replace("path/to/lego-arta", shlex.quote(str(ROOT)))
        words.append(f"train: {pasteable(line)}")
    else:
        words.append(f"{README} there says how to read it")
    return "; ".join(words)


def _fits(request: Request, module: ModuleType) -> str | None:
    if module.SETTING is None:
        return getattr(module, "FITS", None)
    return (
        FITS[request.setting.frame]
        if any(EVERY_TASK[c].text.in_boxes for c in request.configs)
        else None
    )


def _how(job: Job, module: ModuleType, written: list[str]) -> str:
    """The format's own part of the README, and how to train."""
    folder = job.request.out.name
    how = module.README.format(
        folder=shlex.quote(folder),
        name=folder,
        first=written[0],
        names="`, `".join(written),
        config="default" if job.request.merge else job.request.configs[0],
        glob=module.glob(written) if hasattr(module, "glob") else "",
        **(module.words(job) if hasattr(module, "words") else {}),
    ).strip()
    if not hasattr(module, "TRAIN"):
        return str(how)
    if not trains(job, module):
        return f"{how}\n\nNo train rows are in it, so nothing here starts a training."
    return f"{how}\n\n```bash\n{command(Path(folder), module)}\n```"


def _dropped_text(dropped: Mapping[str, int]) -> str:
    if not dropped:
        return "Nothing was left out."
    counted = ", ".join(f"{number:,} {reason}" for reason, number in dropped.items())
    return f"Left out, for the format can't say them: {counted} (`{DROPPED}` lists them)."


def _frame_text(setting: Setting) -> str:
    words = FRAME_WORDS[setting.frame]
    if setting.frame == "resized_px":
        least, most = setting.pixels or (MIN_PIXELS, MAX_PIXELS)
        words = ("in pixels after Qwen's resize to sides that are multiples of 28, "
                 f"{least:,} to {most:,} pixels in all; {_RESIZED_BY[setting.resize]}")  # fmt: skip
    fits = f"They fit {FITS[setting.frame]}"
    return f"{_FORMS[setting.boxes]}, x0, y0, x1, y1 {words} (`{setting.frame}`). {fits}"


def _answers_text(setting: Setting) -> str:
    text = {"plain": "plain", "think": "in `<answer>` tags; the question asks for `<think>` too"}
    before = "; the question begins with the previous instruction" if setting.previous else ""
    gone = [part for part in PARTS if not getattr(setting, part)]
    return text[setting.template] + before + (f"; without {', '.join(gone)}" if gone else "")


def _examples_text(job: Job, rows: int) -> str:
    setting, number = job.request.setting, job.counts["with examples"]
    if setting.examples == "none":
        return "none"
    if not number:
        return f"{setting.examples} were asked for, but no row found any"
    told = [setting.examples]
    if setting.examples in OF_TRAIN:
        told.append("with their pictures" if shows_examples(setting) else "text alone")
        told += ["never of the row's own manual"] * (setting.example_manuals == "other")
    told.append(f"up to {setting.shots} a row")
    return f"{', '.join(told)}; {number:,} of {rows:,} rows have some"

"""A build in the files that trainers read.

    lego-arta export lego-arta --format llava --merge --out data/llava
    lego-arta export lego-arta --format llamafactory --out data/lf
    lego-arta export lego-arta --format vlm-r1 --config object --split train --out data/r1
    lego-arta export lego-arta --format webdataset --out data/wds
    # pictures with all hidden but what is asked for: by the build's own masks, by a model's maps
    lego-arta export lego-arta --format llava --deploy overlay-crop --out data/masked
    lego-arta export lego-arta --format llava --deploy blur --masks predicted:maps --out data/maps

A stopped export goes on where it was. Rows that a format can't express are listed in
dropped.jsonl, never changed. The README.md in the folder says how to train from it.
"""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.export import FORMATS
from core import build as builds
from core.cli import Parser, positive, run, share, warn, whole, writable
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS
from core.names import SPLITS
from core.storage import option_place
from evaluation.examples import SOURCES
from evaluation.families import FAMILIES, Family
from evaluation.families import chosen as chosen_family
from evaluation.prompts import (
    EXAMPLE_MANUALS,
    EXAMPLE_PICTURES,
    FORM_FRAMES,
    FORMS,
    PARTS,
    Setting,
)
from tasks import EVERY_TASK
from tasks.looks import Look, add_options, look_of

if TYPE_CHECKING:
    from builder.export.units import Request

FRAMES = ("norm100", "norm1000", "px", "resized_px", "padded_norm")


def parser() -> Parser:
    """The command line."""
    formats = "\n".join(f"{name:<13} {text}" for name, text in FORMATS.items())
    result = Parser("export", f"{__doc__}\n{formats}")
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--format", required=True, choices=list(FORMATS), help="see below")
    add("--out", type=writable, required=True, metavar="DIR", help="new or empty")
    add("--config", nargs="+", choices=EVERY_TASK, help="tasks (all that the format can hold)")
    add("--split", nargs="+", choices=SPLITS, default=list(SPLITS), help="(both)")
    add("--merge", action="store_true", help="all tasks in one file a split")
    add("--min-confidence", type=share, default=0.0, metavar="C", help="only surer rows (0)")
    add("--limit", type=positive, metavar="N", help="at most N rows a task and split")
    add(
        "--ids", type=Path, metavar="FILE",
        help="only these rows: a selection that a gallery saved (JSON, CSV), or an id a line",
    )  # fmt: skip
    add(
        "--names", choices=("plain", "lego-r1"), default="plain",
        help="of files: lego-r1, for llamafactory: converted_dataset_75_grnd.jsonl and so on, with "
        "its third set, 5 %% of all rows whatever their split (%(default)s)",
    )  # fmt: skip
    add("--seed", type=whole, default=42, help="of the choice of examples (%(default)s)")
    add(
        "--workers", type=positive, metavar="N",
        help="processes (one a core, at most 4, for large builds; dynamic examples take one)",
    )  # fmt: skip
    asked = result.add_argument_group("questions and answers", "of formats made of them")
    asked.add_argument(
        "--boxes",
        choices=FORMS,
        help="angle: <p>name</p> {<x0><y0><x1><y1>}; json: bbox_2d and label; fenced: json in a "
        "code block; tagged: <ref>name</ref><box>[[x0, y0, x1, y1]]</box>; qwen-vl: "
        "<ref>name</ref><box>(x0,y0),(x1,y1)</box>; lego-r1: json, asked "
        "for in LEGO-R1's words; words: places for people, as in upper left (fenced for vlm-r1, "
        "tagged for internvl, lego-r1 for legacy, "
        "angle for llava and otter, else json)",
    )
    asked.add_argument(
        "--frame",
        choices=FRAMES,
        help="of boxes: percent (norm100, of otter and legacy), thousandths (norm1000, of "
        "internvl), pixels (px, of ms-swift), shares of the picture padded to a square "
        "(padded_norm, of llava), pixels after Qwen's resize (resized_px, of all others)",
    )
    asked.add_argument(
        "--family",
        metavar="NAME|ID",
        help="--boxes and --frame of a family of models, or of that of a model's id: "
        f"{', '.join(FAMILIES)}",
    )
    asked.add_argument("--min-pixels", type=positive, help=f"of that resize ({MIN_PIXELS})")
    asked.add_argument("--max-pixels", type=positive, help=f"of that resize ({MAX_PIXELS})")
    asked.add_argument(
        "--template", choices=("plain", "think"), help="think: <think> and <answer> (plain)"
    )
    asked.add_argument("--previous", action="store_true", help="say the previous instruction too")
    asked.add_argument(
        "--examples",
        choices=SOURCES,
        help="solved examples before a question: dynamic: train rows, chosen for each; "
        "fixed-train: the same train rows for all; fixed: the thesis' two, text only; "
        "none (dynamic for otter, else none)",
    )
    asked.add_argument(
        "--example-pictures",
        choices=EXAMPLE_PICTURES,
        help="of train rows: shown, left out, or as the question's own (no for llava, which takes "
        "one, else as-question)",
    )
    asked.add_argument(
        "--example-manuals",
        choices=EXAMPLE_MANUALS,
        help="of train rows: never the question's own, as a test row's are, or that first (any for "
        "otter, which links rows of a manual, else other)",
    )
    asked.add_argument(
        "--without",
        action="append",
        default=[],
        choices=PARTS,
        help="leave a part of the question out (repeatable); image: llamafactory alone",
    )
    asked.add_argument("--shots", type=positive, metavar="N", help="examples a row (2)")
    add_options(result)
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def request_of(options: argparse.Namespace, command_line: argparse.ArgumentParser) -> "Request":
    """The request that a command line means; wrong usage ends the program."""
    from builder.export.run import configs_of, format_of
    from builder.export.units import Request

    module = format_of(options.format)
    names = ("boxes", "frame", "template", "previous", "examples", "shots",
             "example_pictures", "example_manuals")  # fmt: skip
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    given |= dict.fromkeys(options.without, False)
    resize = {"min_pixels": options.min_pixels, "max_pixels": options.max_pixels}
    if module.SETTING is None and (given or options.family or any(resize.values())):
        first = next(iter(given), "family" if options.family else "max_pixels").replace("_", "-")
        command_line.error(f"--{first}: {options.format} asks no questions; leave it out")
    given.setdefault("example_manuals", getattr(module, "EXAMPLE_MANUALS", "other"))
    if options.family:
        family = _family(options.family, command_line)
        given.setdefault("boxes", family.boxes)
        given.setdefault("frame", FORM_FRAMES.get(given["boxes"], family.frame))
        if not family.shows_examples:
            given.setdefault("example_pictures", "no")
    if given.get("boxes") in FORM_FRAMES:
        given.setdefault("frame", FORM_FRAMES[given["boxes"]])
    if given.get("examples") == "fixed":
        given.setdefault("frame", "norm100")  # those speak of percent
    setting = dataclasses.replace(module.SETTING or Setting(examples="none"), **given)
    if any(resize.values()) and setting.frame != "resized_px":
        command_line.error("--min-pixels and --max-pixels belong to --frame resized_px")
    if setting.frame == "resized_px":
        pixels = (options.min_pixels or MIN_PIXELS, options.max_pixels or MAX_PIXELS)
        if pixels[0] > pixels[1]:
            command_line.error(f"--min-pixels {pixels[0]} is above --max-pixels {pixels[1]}")
        setting = dataclasses.replace(setting, pixels=pixels)
    else:
        setting = dataclasses.replace(setting, pixels=None)
    return Request(
        build=options.build,
        out=options.out,
        format=options.format,
        configs=tuple(c for c in EVERY_TASK if c in options.config)
        if options.config
        else _there(options.build, configs_of(module)),
        splits=tuple(split for split in SPLITS if split in options.split),
        merge=options.merge,
        min_confidence=options.min_confidence,
        limit=options.limit,
        setting=setting,
        seed=options.seed,
        names=options.names,
        look=_look(options, command_line),
    )


def _family(text: str, command_line: argparse.ArgumentParser) -> Family:
    try:
        return chosen_family(text)[1]
    except UserError as error:
        command_line.error(str(error))


def _look(options: argparse.Namespace, command_line: argparse.ArgumentParser) -> Look | None:
    try:
        return look_of(options.deploy, options.masks, options.mask_threshold)
    except UserError as error:
        command_line.error(str(error))


def _there(build: Path, configs: Sequence[str]) -> tuple[str, ...]:
    """Those of some tasks that a build has rows of; all where it has none, which is told later."""
    here = builds.configs_of(build)
    return tuple(c for c in configs if c in here) or tuple(configs)


def chosen(request: "Request", file: Path | None) -> "Request":
    """The request for the rows of `--ids FILE`; says which groups are only in part among them."""
    if file is None:
        return request
    from builder.export.chosen import ids_of
    from builder.export.job import check_build

    check_build(request.build)
    ids, notes = ids_of(request.build, file)
    warn(notes)
    return dataclasses.replace(request, ids=ids)


def main(argv: list[str] | None = None) -> int:
    """Run an export; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    command_line = parser()
    options = command_line.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    request = request_of(options, command_line)

    def work() -> None:
        from builder.export.describe import last_words
        from builder.export.run import export, format_of

        done = export(chosen(request, options.ids), options.workers)
        warn(done["missing"])
        for reason, number in done["dropped"].items():
            print(f"left out: {number:,} {reason.replace('_', ' ')} (dropped.jsonl)")
        print(last_words(options.out, format_of(options.format), done))

    return run(work, options.debug)

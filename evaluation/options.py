"""The benchmark: ask a model about a build's test split, score its answers.

    # a model run here (any image-text-to-text model of the Hub, or a folder)
    lego-arta evaluate run lego-arta --model Qwen/Qwen2.5-VL-7B-Instruct --config all
    # an OpenAI-compatible endpoint (vLLM, llama.cpp, hosted); the key from OPENAI_API_KEY
    lego-arta evaluate run lego-arta --model openai:gpt-4o --config object \\
        --base-url https://api.openai.com/v1 --concurrency 8
    # answers that another program wrote: JSONL with id and answer
    lego-arta evaluate run lego-arta --model replay:answers.jsonl --config scene
    # a model that sees only what the masks of a row leave, and all ways of hiding in one table
    lego-arta evaluate run lego-arta --model Qwen/Qwen2.5-VL-7B-Instruct --config object \\
        --deploy overlay-crop --masks predicted:maps
    lego-arta evaluate masking lego-arta --model Qwen/Qwen2.5-VL-7B-Instruct --config object
    # scores of everything in predictions/: tables, CSV, JSON and a report to look at
    lego-arta evaluate score lego-arta predictions
    # on a cluster with Slurm, one GPU a job
    sbatch scripts/slurm/infer.sh \\
        lego-arta evaluate run lego-arta --model Qwen/Qwen2.5-VL-7B-Instruct --config all \\
        --attention flash_attention_2 --batch-size 3
    # prompts as a family of models wants them, for a program of one's own; replay: reads answers
    lego-arta evaluate prompts lego-arta --config object --family mplug-owl2 --out prompts
    # maps of pixels that a model of masks predicted
    lego-arta evaluate masks lego-arta --masks maps
"""

import argparse
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from core.cli import Parser, not_negative, positive, whole, writable
from core.frames import FRAMES
from core.names import SPLITS
from core.storage import option_place
from evaluation import masks_command
from evaluation.examples import SOURCES
from evaluation.families import FAMILIES
from evaluation.prompts import EXAMPLE_MANUALS, EXAMPLE_PICTURES, FORMS, PAPER_SETTINGS
from evaluation.runners import ATTENTION, RunnerOptions
from evaluation.scoring_options import add_resamples, add_scoring
from tasks import EVERY_TASK
from tasks.looks import add_options

SHOWN = 4  # best and worst answers of a run in a report


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("evaluate", __doc__)
    commands = result.add_subparsers(
        dest="command", required=True, metavar="run|masking|score|masks|prompts|tsv"
    )
    asking = commands.add_parser("run", help="ask a model")
    _add_run(asking)
    add_options(asking)
    masking = commands.add_parser(
        "masking", help="ask a model with and without masks: one table, a line a method"
    )
    _add_run(masking)
    add_options(masking, several=True)
    _add_table(masking)
    _add_score(commands.add_parser("score", help="score answers"))
    masks_command.add_parser(commands)
    prompts = commands.add_parser(
        "prompts", help="write prompts and pictures, for a program that answers elsewhere"
    )
    _add_asked(prompts, EVERY_TASK)
    prompts.add_argument("--out", type=writable, required=True, metavar="DIR", help="new or empty")
    prompts.add_argument("--model", metavar="ID", help="whose --family auto is")
    prompts.add_argument("--max-pixels", type=positive, help="of pictures in --family qwen2.5-vl")
    _add_prompt(prompts)
    tsv = commands.add_parser("tsv", help="write a VLMEvalKit TSV")
    tsv.add_argument("build", type=option_place, metavar="BUILD", help="a build folder")
    tsv.add_argument("--config", choices=EVERY_TASK, required=True)
    tsv.add_argument("--split", choices=SPLITS, default="test", help="(%(default)s)")
    tsv.add_argument("--out", type=writable, required=True, metavar="FILE.tsv")
    for one in commands.choices.values():
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def _add_run(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    _add_asked(command, (*EVERY_TASK, "all"))
    add(
        "--model",
        required=True,
        metavar="ID|DIR|openai:NAME|replay:FILE|baseline:NAME",
        help="who is asked: a Hub id or folder (run here with transformers), a model of an "
        "OpenAI-compatible endpoint, a file of answers, or a baseline",
    )
    add("--out", type=writable, default="predictions", help="folder of answers (%(default)s)")
    add("--name", help="the model's name in tables (default: from --model)")
    add("--tuned", action="store_true", help="a model tuned on lego-arta: the w/ column")
    _add_prompt(command)
    model = command.add_argument_group("model")
    defaults = RunnerOptions("")
    model.add_argument(
        "--max-new-tokens", type=positive, default=defaults.max_new_tokens, help="(%(default)s)"
    )
    model.add_argument(
        "--temperature", type=not_negative, default=0.0, help="(%(default)s: greedy)"
    )
    model.add_argument(
        "--batch-size", type=positive, default=1,
        help="prompts at a time, of models run here (%(default)s; LEGO-R1: 3)",
    )  # fmt: skip
    model.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 (%(default)s)")
    model.add_argument("--dtype", default="auto", help="bfloat16, float32 (%(default)s)")
    model.add_argument(
        "--attention", choices=ATTENTION,
        help="flash_attention_2 (LEGO-R1's) needs the package flash-attn (the model's own choice)",
    )  # fmt: skip
    model.add_argument(
        "--max-pixels", type=positive, help="bound on a picture (LEGO-R1: 2038400, 2600*28*28)"
    )
    model.add_argument("--adapter", metavar="DIR|ID", help="a LoRA adapter to put on; --tuned")
    endpoint = command.add_argument_group("endpoint")
    endpoint.add_argument("--base-url", metavar="URL", help="up to and with /v1")
    endpoint.add_argument(
        "--api-key-env", default=defaults.api_key_env, metavar="VAR", help="(%(default)s)"
    )
    endpoint.add_argument(
        "--concurrency", type=positive, default=4, help="requests at a time (%(default)s)"
    )
    endpoint.add_argument("--requests-per-minute", type=not_negative, metavar="N", help="at most")
    endpoint.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="sent with every request, e.g. seed=7 or reasoning_effort=low (repeatable)",
    )
    endpoint.add_argument(
        "--timeout", type=not_negative, default=120.0, metavar="S", help="(%(default)s)"
    )
    endpoint.add_argument(
        "--cache", type=Path, help="folder of answers by request hash (default: in --out)"
    )


def _add_asked(command: argparse.ArgumentParser, configs: Collection[str]) -> None:
    add = command.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--config", choices=configs, required=True, help="the task, or all of them")
    add("--split", choices=SPLITS, default="test", help="(%(default)s)")
    add("--limit", type=positive, metavar="N", help="ask only the first N items")
    add("--seed", type=whole, default=42, help="of the dynamic examples (%(default)s)")


def _add_prompt(command: argparse.ArgumentParser) -> None:
    prompt = command.add_argument_group("prompt")
    prompt.add_argument(
        "--setting",
        choices=list(PAPER_SETTINGS),
        default="full",
        help="the four of the thesis' Table 8.4 (%(default)s: instruction and examples)",
    )
    prompt.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PART",
        help="leave out token, instruction, directive, image or examples (repeatable)",
    )
    prompt.add_argument(
        "--examples",
        choices=SOURCES,
        help="fixed: the thesis' two, text only; dynamic: train rows, of the same manual if "
        "there are any, with pictures; fixed-train: the same train rows before every question, "
        "with pictures; none",
    )
    prompt.add_argument(
        "--example-pictures",
        choices=EXAMPLE_PICTURES,
        help="of train rows: shown, left out, or as the question's own (as-question)",
    )
    prompt.add_argument(
        "--example-manuals",
        choices=EXAMPLE_MANUALS,
        help="of train rows: the question's own first, or never that (any)",
    )
    prompt.add_argument(
        "--pictures",
        choices=("sheet", "single"),
        help="of rows with several pictures: all on one sheet (the default), or one by one",
    )
    prompt.add_argument("--shots", type=positive, metavar="N", help="examples a prompt (2)")
    prompt.add_argument("--previous", action="store_true", help="say the previous instruction too")
    prompt.add_argument(
        "--template",
        choices=("plain", "think"),
        help="think: ask for <think> and <answer>, boxes as JSON (plain)",
    )
    prompt.add_argument(
        "--boxes",
        choices=FORMS,
        help="form of boxes asked for: <p>name</p> {<x0><y0><x1><y1>} (angle), JSON, JSON in a "
        "code block (fenced), <ref>name</ref><box>[[..]]</box> (tagged), "
        "<ref>name</ref><box>(..),(..)</box> (qwen-vl), JSON in LEGO-R1's words",
    )
    prompt.add_argument(
        "--family",
        metavar="auto|NAME|ID",
        help="boxes in the form and frame of the model's family, told by its id (auto), or of "
        f"another: {', '.join(FAMILIES)} (the papers' form, the same for all models)",
    )
    prompt.add_argument(
        "--example-frame",
        choices=FRAMES,
        help="frame of the boxes asked for and in examples (norm100)",
    )


def _add_score(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("build", type=option_place, metavar="BUILD", help="the build that was asked about")
    add("predictions", type=Path, nargs="+", metavar="FILE|DIR", help="JSONL files, or folders")
    add_scoring(command)
    add(
        "--frame",
        choices=("auto", *FRAMES),
        default="auto",
        help="what predicted coordinates are in (%(default)s: told by their range, a file at a "
        "time); resized_px: pixels of the picture as the model saw it, recorded or by Qwen's rule",
    )
    add("--common", action="store_true", help="score only items that every file answers")
    add(
        "--ids",
        type=Path,
        metavar="FILE",
        help="score only these rows: a subset of `lego-arta leakage --out` (unseen_parts.json), a "
        "selection that a gallery saved, or an id a line",
    )
    add(
        "--spice",
        action="store_true",
        help="score spatial descriptions by SPICE itself, too, not only by the lite one; needs "
        "Java and the package pycocoevalcap",
    )
    add("--no-report", action="store_true", help="write no report.html")
    add(
        "--shown",
        type=positive,
        default=SHOWN,
        metavar="N",
        help="best and worst answers of a run that the report shows (%(default)s)",
    )
    add("--workers", type=positive, default=os.cpu_count() or 1, help="(%(default)s)")


def _add_table(command: argparse.ArgumentParser) -> None:
    table = command.add_argument_group("table")
    table.add_argument(
        "--scores", type=writable, default="scores/masking", metavar="DIR",
        help="folder of the table as Markdown, CSV and JSON (%(default)s)",
    )  # fmt: skip
    add_resamples(table)


def _parameter(text: str) -> tuple[str, Any]:
    """`name=value`; the value as JSON where it is some."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text}: give NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value

"""What `lego-arta evaluate` does; `options` has its command line."""

import argparse
import dataclasses
import functools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from core.cli import command, require, run
from core.errors import UserError
from core.frames import MIN_PIXELS, RELEASED_PIXELS
from core.selection import check_build, read_selection
from evaluation import masks_command
from evaluation.examples import is_share
from evaluation.families import chosen
from evaluation.options import parser
from evaluation.prompts import FORM_FRAMES, Setting, setting_of
from evaluation.runners import RunnerOptions, make_runner, split_model
from tasks import EVERY_TASK
from tasks.looks import METHODS, look_of

if TYPE_CHECKING:
    from evaluation.predictions import Prediction
    from evaluation.run import Asked
    from evaluation.runners import Answering

WARNINGS_PRINTED = 12


def run_command(options: argparse.Namespace) -> None:
    """`run`."""
    look = look_of(options.deploy, options.masks, options.mask_threshold)
    for asked, open_model in _runs(options):
        _ask(dataclasses.replace(asked, look=look), open_model)
    scoring = command("evaluate", "score", options.build, options.out)
    print(f"score it with: {scoring}")
    if look and look.is_gold:
        print("mind: gold masks may give answers away; the tables of score leave this run out")


def masking_command(options: argparse.Namespace) -> None:
    """`masking`."""
    require("evaluate", "masking")
    from evaluation import masking
    from evaluation.deployed import NoMask
    from evaluation.tables import terminal

    looks = [look_of(name, options.masks, options.mask_threshold) for name in METHODS
             if name in options.methods]  # fmt: skip
    tables, without = [], list[str]()
    for asked, open_model in _runs(options):
        try:
            runs = masking.runs_of(asked, [look for look in looks if look])
        except NoMask as error:
            if options.config != "all":
                raise
            without.append(str(error))
            continue
        for each in runs:
            _ask(each, open_model)
        tables.append(masking.compare(runs, options.resamples))
    if not tables:
        raise UserError(without[0])
    for line in without:
        print(f"left out: {line}")
    masking.write(options.scores, tables)
    for one in tables:
        print(terminal(one.table, sys.stdout.isatty()) + "\n")
        for warning in one.warnings:
            print(f"mind: {warning}")
    print(f"{options.scores}: masking.json, masking.md and a CSV a task")


def _runs(options: argparse.Namespace) -> "Iterator[tuple[Asked, Callable[[], Answering]]]":
    """The runs that options ask for, a task each, and what opens their one model."""
    from core.build import shards
    from evaluation.run import Asked

    kind, model = split_model(options.model)
    if kind == "baseline":
        require("evaluate", f"--model {options.model}")
    configs = [options.config]
    if options.config == "all":
        configs = [c for c in EVERY_TASK if shards(options.build, c, options.split)]
        if kind == "baseline":  # most answer some tasks only
            from evaluation.baselines import baselines_of

            configs = [c for c in configs if model in baselines_of(c)]
        configs = configs or [next(iter(EVERY_TASK))]  # whose reading says what is missing
    setting, runner_options = _setting(options), _runner_options(options, model)
    open_model = functools.cache(lambda: make_runner(kind, runner_options))
    for config in configs:
        asked = Asked(
            build=options.build,
            config=config,
            kind=kind,
            setting=setting,
            options=runner_options,
            out=options.out,
            split=options.split,
            name=options.name,
            tuned=options.tuned or bool(options.adapter),
            limit=options.limit,
            seed=options.seed,
        )
        yield asked, open_model


def _ask(asked: "Asked", open_model: "Callable[[], Answering]") -> None:
    """One run, and what a person should know of it."""
    from evaluation.run import run as ask

    failed: list[str] = []
    name = asked.config if asked.look is None else f"{asked.config}, {asked.look.method}"
    ask(asked, _progress(name, failed), open_model)
    print(asked.path)
    if failed:
        why = Counter(failed).most_common(1)[0][0]
        again = "run the same command again to ask them again"
        print(f"{len(failed):,} items have no answer ({why}); {again}")


def _setting(options: argparse.Namespace) -> Setting:
    think = options.template == "think"
    boxes, frame, shown = options.boxes, options.example_frame, options.example_pictures
    if options.family:
        _, family = chosen(options.family, split_model(options.model)[1] if options.model else None)
        frame = frame or FORM_FRAMES.get(boxes or family.boxes, family.frame)
        boxes = boxes or family.boxes
        shown = shown or (None if family.shows_examples else "no")
    resized = frame == "resized_px"
    made = setting_of(
        options.setting,
        options.without,
        examples=options.examples,
        example_pictures=shown,
        example_manuals=options.example_manuals,
        pictures=options.pictures,
        shots=options.shots,
        previous=options.previous or None,
        template=options.template,
        boxes=boxes or ("lego-r1" if think else None),
        frame=frame,
        pixels=(MIN_PIXELS, options.max_pixels or RELEASED_PIXELS[1]) if resized else None,
    )
    in_boxes = options.config == "all" or EVERY_TASK[options.config].text.in_boxes
    if options.family and in_boxes and made.examples == "fixed" and not is_share(made.frame):
        raise UserError(
            f"--family {options.family}: its boxes are {made.frame}, and the fixed examples speak "
            "of percent; give --examples fixed-train, dynamic or none"
        )
    return made


def _runner_options(options: argparse.Namespace, model: str) -> RunnerOptions:
    return RunnerOptions(
        model=model,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        batch_size=options.batch_size,
        device=options.device,
        dtype=options.dtype,
        attention=options.attention,
        max_pixels=options.max_pixels,
        adapter=options.adapter,
        base_url=options.base_url,
        api_key_env=options.api_key_env,
        concurrency=options.concurrency,
        requests_per_minute=options.requests_per_minute,
        timeout_s=options.timeout,
        cache=options.cache or options.out / "cache",
        parameters=dict(options.parameter),
    )


def prompts_command(options: argparse.Namespace) -> None:
    """`prompts`."""
    from evaluation import prompt_files
    from evaluation.families import family_of
    from evaluation.run import Asked

    name = chosen(options.family, options.model)[0] if options.family else None
    if name is None and options.model:
        name = family_of(options.model)
    asked = Asked(
        build=options.build, config=options.config, kind="", setting=_setting(options),
        options=RunnerOptions(options.model or ""), out=options.out, split=options.split,
        limit=options.limit, seed=options.seed,
    )  # fmt: skip
    number = prompt_files.write(asked, name, options.out)
    print(f"{options.out}: {number:,} prompts; their answers, lines of id and answer, are read by "
          "--model replay:FILE")  # fmt: skip


def _progress(
    config: str, failed: list[str]
) -> "Callable[[Iterable[Prediction], int], Iterator[Prediction]]":
    """A bar over the answers, or a line every tenth; collects why some failed."""
    from tqdm import tqdm

    def progress(predictions: "Iterable[Prediction]", total: int) -> "Iterator[Prediction]":
        hidden = not sys.stderr.isatty()
        bar = tqdm(predictions, desc=config, total=total, disable=hidden)
        for done, prediction in enumerate(bar, 1):
            if prediction.error is not None:
                failed.append(prediction.error)
            yield prediction
            if hidden and done * 10 // total > (done - 1) * 10 // total:
                print(f"{config}: {done:,} of {total:,}", file=sys.stderr)

    return progress


def score_command(options: argparse.Namespace) -> None:
    """`score`."""
    require("evaluate", "score")
    from evaluation import report
    from evaluation.score import ScoreOptions, score
    from evaluation.standings import CONFUSION, tables_of, write_scores
    from evaluation.tables import terminal

    if options.spice:
        from evaluation import spice

        spice.check()
    ids = None
    if options.ids:
        chosen = read_selection("--ids", options.ids)
        check_build("--ids", options.build, options.ids, chosen)
        ids = frozenset(chosen.ids)
    results = score(
        options.build,
        options.predictions,
        ScoreOptions(
            split=options.split,
            frame=options.frame,
            resamples=options.resamples,
            common=options.common,
            ids=ids,
            baselines=not options.no_baselines,
            workers=options.workers,
        ),
    )
    tables = tables_of(results)
    if options.spice:
        tables |= spice.add(results)
    write_scores(options.out, results, tables)
    if not options.no_report:
        path = options.out / "report.html"
        report.write_report(path, results, list(tables.values()), options.shown)
    color = sys.stdout.isatty()
    for stem, table in tables.items():
        if not stem.endswith(".all") and f".{CONFUSION}." not in stem:
            print(terminal(table, color) + "\n")
    for warning in results.warnings[:WARNINGS_PRINTED]:
        print(f"mind: {warning}")
    if len(results.warnings) > WARNINGS_PRINTED:
        print(f"mind: {len(results.warnings) - WARNINGS_PRINTED} more in scores.md")
    shown = "scores.json, scores.md" + ("" if options.no_report else ", report.html")
    print(f"\n{options.out}: {shown} and a CSV a table; every metric with its interval is there")


def tsv_command(options: argparse.Namespace) -> None:
    """`tsv`."""
    from evaluation import vlmeval

    rows = vlmeval.write_tsv(options.build, options.config, options.split, options.out)
    print(f"{options.out}: {rows:,} rows")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    commands = {
        "run": run_command,
        "masking": masking_command,
        "score": score_command,
        "masks": masks_command.masks_command,
        "prompts": prompts_command,
        "tsv": tsv_command,
    }
    return run(lambda: commands[options.command](options), options.debug)

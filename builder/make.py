"""Build the dataset: manuals in, a loadable folder out.

python builder/make.py                                    # the demo, no network needed
python builder/make.py --source https://legoaudioinstructions.com/instructions/
python builder/make.py --source saved-site/ --split paper
"""

import argparse
import errno
import json
import logging
import os
import shlex
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, from anywhere

from builder.parallel import run_parallel, start_server

if __name__ == "__main__" and not {"-h", "--help"} & set(sys.argv):
    start_server()  # workers' imports and the ones below go on at the same time

from builder import probes, push, recipe, stats
from builder.annotate import asking, models
from builder.assemble import AssembleOptions, assemble, check_out
from builder.crawl import CrawlOptions, crawl_site
from builder.folders import CRAWL, DEMO, TASKS, working_in
from builder.media import IMAGE_FORMATS
from builder.pipeline import COLORS_FILE, BuildOptions, SessionColors, build_manual, parse_manual
from builder.records import UserError, load
from builder.reviews import Reviews, from_json, read_reviews
from builder.sources import demo, legacy, legacy_rows, saved
from builder.split import MODES
from builder.tasks.context import TaskOptions
from builder.tasks.state import HEX_RE, NEGATIVES, POSITIVES

log = logging.getLogger("lego_arta")

DEMO_MANUALS = 12
EXIT_OK, EXIT_FAILED = 0, 1  # argparse exits with 2 on wrong usage


def parser() -> argparse.ArgumentParser:
    """The command line, the whole of it."""
    result = argparse.ArgumentParser(
        prog="make.py",
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = result.add_argument
    add(
        "--source",
        default="demo",
        metavar="demo|URL|DIR|legacy:DIR",
        help="where manuals come from: drawn here (demo, the default), a listing page to crawl, "
        "a folder with a saved site, or one in the layout of the originally released dataset",
    )
    add("--out", type=Path, default=Path("lego-arta"), help="the build folder (%(default)s)")
    add(
        "--work",
        type=Path,
        default=Path(".work"),
        help="intermediate stages; keep it and a re-run only does what changed (%(default)s)",
    )
    add(
        "--split",
        choices=MODES,
        default="manual",
        help="whole sets apart (%(default)s), or the paper's random 25 %%",
    )
    add("--image-format", choices=IMAGE_FORMATS, default="webp", help="lossless (%(default)s)")
    add("--seed", type=int, default=42, help="for every random choice (%(default)s)")
    add(
        "--workers",
        type=_positive,
        default=os.cpu_count() or 1,
        help="processes; the result does not depend on it (%(default)s)",
    )
    add(
        "--limit",
        type=_positive,
        metavar="N",
        help=f"take at most N manuals; for the demo, draw N ({DEMO_MANUALS})",
    )
    add(
        "--reviews",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="review.json files of scripts/review.py score: rows that raters rejected are left "
        "out, the others they judged weigh what they said",
    )
    state = result.add_argument_group("state examples")
    state.add_argument(
        "--negatives",
        choices=NEGATIVES,
        default="paper",
        help="%(default)s: the part moved; typed: also turned, mirrored, of a wrong colour, "
        "another part, missing, one too many",
    )
    state.add_argument(
        "--positives",
        choices=POSITIVES,
        default="matched",
        help="%(default)s: made like the negatives, so that nothing but the mistake tells them "
        "apart; original: the manual's own picture, as in the paper (leaks the answer)",
    )
    state.add_argument(
        "--boundary-colors",
        type=Path,
        metavar="FILE",
        help='JSON of sessions whose outline was set by hand: {"manual/session": "#FF00FF" or '
        "null for none}; scripts/swatches.py makes a page to fill it in",
    )
    state.add_argument(
        "--no-probe",
        action="store_true",
        help="do not look for shortcuts that give the answer away; without it a build that has one "
        "fails",
    )
    models.add_options(result.add_argument_group("boxes"))
    crawl = result.add_argument_group("crawling")
    crawl.add_argument(
        "--delay",
        type=_not_negative,
        default=CrawlOptions.delay_s,
        metavar="S",
        help="seconds between requests to a host (%(default)s)",
    )
    crawl.add_argument(
        "--concurrency",
        type=_positive,
        default=CrawlOptions.concurrency,
        metavar="N",
        help="requests at a time to a host (%(default)s)",
    )
    crawl.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="also fetch from this host, e.g. where images lie (repeatable)",
    )
    crawl.add_argument("--contact", metavar="MAIL", help="told to the site in the User-Agent")
    without = result.add_argument_group("without pictures", "when they may not be passed on")
    without.add_argument(
        "--recipe",
        action="store_true",
        help="also write OUT-recipe: rows with addresses, sha256 and edits instead of pixels; "
        "--push then pushes that",
    )
    without.add_argument(
        "--from-recipe",
        type=Path,
        metavar="DIR",
        help="make the full dataset of a recipe from your own --source, byte by byte the same; "
        "its options count, not yours",
    )
    publish = result.add_argument_group("publishing", "push the build to the Hub in one commit")
    publish.add_argument("--push", action="store_true", help="push it when it is built and checked")
    push.add_options(publish)
    add("--debug", action="store_true", help="show the traceback of an error")
    return result  # fmt: skip


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1 up")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give a number of seconds, 0 or more")
    return value


def main(argv: list[str] | None = None) -> int:
    """Run a build; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    command_line = parser()
    options = command_line.parse_args(argv)
    publish = push.options_of(options, command_line) if options.push else None
    if options.repo_id and not options.push:
        command_line.error("--repo-id without --push: nothing would be pushed; add --push")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        build(options)
        out = recipe.write_recipe(options.out) if options.recipe else options.out
        if publish:
            push.push(out, publish)
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return EXIT_FAILED
    except Exception as error:
        if options.debug:
            raise
        print(f"error: {describe(error)}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def describe(error: Exception) -> str:
    """One line for a person: what happened, and what to do about it."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left on the disk ({error.filename or 'output'}); free some and run again"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file stands where a folder is needed; choose another place"
    if isinstance(error, PermissionError):
        return f"{error.filename}: not allowed; choose a folder you may write to"
    if isinstance(error, BrokenProcessPool):
        return "a worker process was killed (out of memory?); run again with fewer --workers"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}; run again with --debug for the traceback"


def build(options: argparse.Namespace) -> dict:
    """All stages in order; returns the manifest of the build."""
    options.out = options.out.resolve()  # "." and links have no name to put a new folder beside
    if not options.source.strip():
        raise UserError("--source is empty; give demo, the URL of a listing page, or a folder")
    check_out(options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)  # now, not after all the work
    if options.work.resolve().is_relative_to(options.out):
        raise UserError(
            f"--work {options.work}: it lies in --out and a new build would delete it; "
            "choose a folder outside"
        )
    if legacy.is_source(options.source):
        # What is imported was made elsewhere: these say how, for the card and the manifest.
        options.annotator, options.negatives, options.positives = "legacy", "paper", "original"
        if options.recipe or options.from_recipe:
            raise UserError("--recipe: an imported dataset holds no edits that could be repeated")
    with working_in(options.work):
        return run_stages(options)


def run_stages(options: argparse.Namespace) -> dict:
    """Crawl, the manuals, the build folder, the report."""
    started = time.monotonic()
    wanted = follow_recipe(options) if options.from_recipe else None
    reviews = from_json(wanted["options"]["reviews"]) if wanted else reviews_of(options.reviews)
    manual_ids = crawl_stage(options)
    if wanted:
        manual_ids = recipe.check_sources(wanted, options.work, manual_ids)
    task = BuildOptions(
        options.work,
        options.annotator,
        models.options_of(options),
        TaskOptions(
            options.seed,
            options.image_format,
            options.negatives,
            options.positives,
            tuple(sorted(wanted["options"]["boundary_colors"].items()))
            if wanted
            else colors_by_hand(options.boundary_colors),
        ),
    )
    # The largest first: a long manual that starts last would leave the other workers idle.
    crawled = options.work / CRAWL
    manual_ids = sorted(manual_ids, key=lambda m: -(crawled / m / "crawl.json").stat().st_size)
    if names := asking.with_models(task.annotator):
        run_parallel(
            "texts", parse_manual, [(m, options.work) for m in manual_ids], options.workers
        )
        asking.ask_all(options.work, manual_ids, names, task.models)
    calls = [(manual_id, task) for manual_id in manual_ids]
    make_rows = legacy_rows.build_manual if legacy.is_source(options.source) else build_manual
    results = run_parallel("manuals", make_rows, calls, options.workers)
    check_sessions(task, manual_ids)
    log.info("writing %s", options.out)
    manifest = assemble(
        manual_ids,
        task,
        AssembleOptions(
            options.out,
            wanted["options"]["source"] if wanted else options.source,
            options.split,
            options.seed,
            not options.no_probe,
            options.workers,
            reviews,
        ),
    )
    built = sum(done for _, done in results)
    report(manifest, options.out, built, len(manual_ids), time.monotonic() - started)
    if wanted:
        recipe.check_result(wanted, options.out)
    return manifest


def reviews_of(files: list[Path]) -> Reviews:
    """What raters decided, by the --reviews files; says what is odd about them."""
    reviews, remarks = read_reviews(files)
    for remark in remarks:
        log.warning(remark)
    return reviews


def colors_by_hand(file: Path | None) -> tuple[tuple[str, str | None], ...]:
    """The sessions of a --boundary-colors file; raises `UserError` when it is not one."""
    if file is None:
        return ()
    try:
        colors = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"--boundary-colors {file}: not a JSON file ({error}); "
            "make one with scripts/swatches.py"
        ) from None
    if not isinstance(colors, dict):
        raise UserError(
            f'--boundary-colors {file}: give an object like {{"manual/session": "#FF00FF"}}'
        )
    for session, color in colors.items():
        if color is not None and not (isinstance(color, str) and HEX_RE.fullmatch(color)):
            raise UserError(
                f"--boundary-colors {file}: {session} has {color!r}; give #RRGGBB or null"
            )
    return tuple(sorted(colors.items()))


def check_sessions(task: BuildOptions, manual_ids: list[str]) -> None:
    """A colour set by hand for a session that a manual does not have is a slip; `UserError`.

    Sessions of manuals that are not in this build are told, for they may be left out on purpose.
    """
    for session, _ in task.tasks.boundary_colors:
        manual_id = session.split("/")[0]
        if manual_id not in manual_ids:
            log.warning("--boundary-colors: %s: its manual is not in this build", session)
        else:
            known = load(task.work / TASKS / manual_id / COLORS_FILE, dict[str, SessionColors])
            if session not in known:
                raise UserError(
                    f"--boundary-colors: {session} is no session; {manual_id} has {sorted(known)}"
                )


def follow_recipe(options: argparse.Namespace) -> dict:
    """Read the recipe and take over its options; returns its manifest."""
    wanted = recipe.read_recipe(options.from_recipe)
    for name in ("annotator", "split", "seed", "image_format", "negatives", "positives"):
        setattr(options, name, wanted["options"][name])
    return wanted


def crawl_stage(options: argparse.Namespace) -> list[str]:
    """Stage 1: manuals on disk, whatever the source; returns their ids."""
    crawl_dir = options.work / CRAWL
    if "://" in options.source and not legacy.is_source(options.source):
        agent = CrawlOptions().user_agent
        crawl_options = CrawlOptions(
            delay_s=options.delay,
            concurrency=options.concurrency,
            allowed_hosts=tuple(options.allow_host),
            user_agent=f"{agent} contact: {options.contact}" if options.contact else agent,
        )
        return crawl_site(options.source, crawl_dir, crawl_options, options.limit)
    if legacy.is_source(options.source):
        return legacy.import_all(options.source, crawl_dir, options.limit, options.workers)
    site = demo_site(options) if options.source == "demo" else Path(options.source)
    if legacy.is_legacy(site):
        raise UserError(
            f"--source {site}: a folder in the released dataset's layout; "
            f"give --source {legacy.PREFIX}{site}"
        )
    pages = saved.find_pages(site)[: options.limit]
    return run_parallel(
        "pages",
        saved.import_manual,
        [(site, page, crawl_dir) for page in pages],
        options.workers,
    )


def demo_site(options: argparse.Namespace) -> Path:
    """Draw the demo's manuals as a saved site."""
    root, count = options.work / DEMO, options.limit or DEMO_MANUALS
    run_parallel(
        "drawings",
        demo.draw_manual,
        [(root, index, options.seed) for index in range(count)],
        options.workers,
    )
    return demo.finish_site(root, count, options.seed)


def report(manifest: dict, out: Path, built: int, manuals: int, seconds: float) -> None:
    """The end of a run: statistics, drops, where the dataset is and how to load it."""
    print()
    print(stats.render(stats.table_4_3(manifest["statistics"])))
    print()
    for task, reasons in manifest["drop_counts"].items():
        for reason, number in reasons.items():
            print(f"left out ({task}): {number:,} {reason.replace('_', ' ')}")
    for what, number in manifest["screened_counts"].items():
        print(f"turned down (state): {number:,} {what.replace('_', ' ')}")
    if reviewed := manifest["review_counts"]:
        told = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in reviewed.items())
        print(f"rows reviewed: {told}")
    if manifest["review"]:
        print(f"to look at (object): {len(manifest['review']):,} rows where annotators disagree, "
              f"`review` in {out / 'build.json'}")  # fmt: skip
    for result in manifest["probes"]:
        print(probes.line(result))
    print()
    for config, splits in manifest["rows"].items():
        print(f"{config:<7} " + ", ".join(f"{number:,} {name}" for name, number in splits.items()))
    print(f"\n{out}: {manuals} manuals, {built} of them (re)built, in {seconds:.1f} s")
    print(f'load it from {out.resolve().parent} with: load_dataset("{out.name}", "state")')
    print(f"look at it first: python scripts/review.py gallery {shlex.quote(str(out))}")


if __name__ == "__main__":
    sys.exit(main())

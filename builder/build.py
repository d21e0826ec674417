"""All stages of a build in order, from its source to the folder that loads."""

import argparse
import contextlib
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from builder import probes, sharing
from builder.annotate import FILE, answers, asking, from_file
from builder.annotate.options import options_of as model_options_of
from builder.engine import Engine
from builder.engine.local import Workers
from builder.release import recipe, stats
from builder.release.assemble import AssembleOptions, assemble, check_out
from builder.release.reviews import Reviews, from_json, read_reviews
from builder.release.rewritten import CONFIGS as REWRITTEN_CONFIGS
from builder.release.rewritten import Rewritten
from builder.sources import known
from builder.sources.source import ReadyMade, Source
from builder.sources.terms import UNKNOWN, Terms, stated
from builder.stages import BuildOptions, build_manual, parse_manual, versions
from core.build import Manifest, loading_call, records_file
from core.cli import command
from core.errors import UserError
from core.mirror import Mirror
from core.names import RAW
from core.records import Drop, Manual, SessionColors, load
from core.shards import SHARD_BYTES
from core.storage import is_shared, make_folder
from core.store import COLORS_FILE, CRAWL, PARSE, ROWS
from tasks import EXAMPLE, TASKS
from tasks.context import TaskOptions
from tasks.mask import prompted
from tasks.options import HEX_RE

log = logging.getLogger("lego_arta")


def build(options: argparse.Namespace) -> Manifest:
    """All stages in order; returns the manifest of the build."""
    options.out = options.out.resolve()  # "." and links have no name to put a new folder beside
    if not options.source.strip():
        raise UserError(f"--source is empty; give one of {', '.join(known.forms())}")
    source = known.source_of(options.source)
    source.check(options.source)
    check_out(options.out)
    if options.diversify == "endpoint":
        check_endpoint(options)
    if options.mask_model:
        prompted.check(options.mask_model)
    if options.recipe:
        check_out(recipe.recipe_folder(options.out))
    make_folder(options.out.parent)  # now, not after all the work
    if is_shared(options.out) == is_shared(options.work) and (
        options.work.resolve().is_relative_to(options.out)
    ):
        raise UserError(
            f"--work {options.work}: it lies in --out and a new build would delete it; "
            "choose a folder outside"
        )
    if source.ready_made:
        take_over(options, source.ready_made)
    with sharing.work_of(options) as shared, engine_of(options) as engine:
        return run_stages(options, source, engine, shared)


def check_endpoint(options: argparse.Namespace) -> None:
    """Raise `UserError` where nobody can be asked for other words."""
    from builder.rewriting.endpoint import endpoint_of

    endpoint_of(options.endpoint_model, options.endpoint_url, options.endpoint_key_env)
    if options.recipe:
        raise UserError(
            "--recipe: what a model says can't be repeated from a recipe; leave --recipe out, or "
            "build with --diversify rules"
        )


def rewritten_by(options: argparse.Namespace, manual_ids: list[str]) -> Rewritten:
    """Ask the endpoint for other words; who was asked and what was kept."""
    from builder.rewriting.endpoint import endpoint_of, rewrite_all

    model, url = options.endpoint_model, options.endpoint_url
    endpoint = endpoint_of(model, url, options.endpoint_key_env)
    return Rewritten(model, url, rewrite_all(options.work, manual_ids, endpoint))


@contextlib.contextmanager
def engine_of(options: argparse.Namespace) -> Iterator[Engine]:
    """What runs the stages: processes of this machine, or a Ray cluster for as long."""
    if options.engine == "local":
        yield Workers(options.workers)
        return
    from builder.engine.ray_cluster import cluster

    options.work = options.work.resolve()  # workers stand elsewhere
    with cluster(options.ray_address, options.workers, versions) as engine:
        yield engine


def take_over(options: argparse.Namespace, rows: ReadyMade) -> None:
    """The options that say how rows were made elsewhere, for the card and the manifest."""
    vars(options).update(rows.options)
    if options.templates != "paper":
        raise UserError("--templates: an imported dataset keeps its own queries; leave it out")
    if options.recipe or options.from_recipe:
        raise UserError("--recipe: an imported dataset holds no edits that could be repeated")


def run_stages(
    options: argparse.Namespace, source: Source, engine: Engine, shared: Mirror | None
) -> Manifest:
    """Crawl, the manuals, the build folder, the report."""
    started = time.monotonic()
    wanted = follow_recipe(options) if options.from_recipe else None
    reviews = from_json(wanted["options"]["reviews"]) if wanted else reviews_of(options.reviews)
    terms = recipe.terms_of(wanted) if wanted else _terms(options, source.terms(options.source))
    task = BuildOptions(
        options.work,
        options.annotator,
        model_options_of(options),
        TaskOptions(
            options.seed,
            RAW.get(options.image_format, options.image_format),
            options.negatives,
            options.positives,
            options.templates,
            boundary_colors=tuple(sorted(wanted["options"]["boundary_colors"].items()))
            if wanted
            else colors_by_hand(options.boundary_colors),
            diversify=options.diversify == "rules",
            scenes=options.scenes,
            mask_model=options.mask_model,
        ),
        source.ready_made,
        shared,
    )
    answers.check_models(task.annotator, task.models)
    files = [name for name in task.annotator.split(",") if name.startswith(FILE)]
    for name in files:
        from_file.read_answers(name)  # now, not after all the work
    here = sharing.engine_here(options, engine, shared)
    asking.check_devices(answers.with_models(task.annotator), task.models, here)
    manual_ids, crawl_drops, own_terms = sharing.bring(source, options, here, shared)
    if own_terms and not wanted:
        terms = _terms(options, own_terms)
    if wanted:
        manual_ids = recipe.check_sources(options.from_recipe, wanted, options.work, manual_ids)
        crawl_drops = recipe.crawl_drops(options.from_recipe, wanted)
    # The largest first: a long manual that starts last would leave the other workers idle.
    crawled = options.work / CRAWL
    manual_ids = sorted(manual_ids, key=lambda m: -(crawled / m / "crawl.json").stat().st_size)
    if names := answers.with_models(task.annotator):
        engine.map("texts", parse_manual, [(m, options.work, shared) for m in manual_ids])
        with sharing.asking(shared, manual_ids):
            asking.ask_all(options.work, manual_ids, names, task.models, here)
    calls = [(manual_id, task) for manual_id in manual_ids]
    results = engine.map("manuals", build_manual, calls)
    if shared:
        shared.pull_all(ROWS, manual_ids)
    check_sessions(task, manual_ids)
    rewritten = None
    if options.diversify == "endpoint":
        with sharing.rewriting(shared, manual_ids, list(REWRITTEN_CONFIGS)):
            rewritten = rewritten_by(options, manual_ids)
    if files and shared:
        shared.pull_all(PARSE, manual_ids)
    strange = [drop for name in files for drop in answers_of_no_row(task, manual_ids, name)]
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
            engine,
            options.shard_size * 10**6,
            reviews,
            (*crawl_drops, *strange),
            terms,
            options.weights,
            rewritten,
        ),
    )
    built = sum(done for _, done in results)
    report(manifest, options.out, built, len(manual_ids), time.monotonic() - started)
    if wanted:
        recipe.check_result(wanted, options.out)
    return manifest


def _terms(options: argparse.Namespace, terms: Terms) -> Terms:
    """The terms of a source, with what the command line states of one that says nothing."""
    return stated(terms, options.licence, options.licence_url, options.attribution)


def check_sessions(task: BuildOptions, manual_ids: list[str]) -> None:
    """A colour set by hand for a session that a manual does not have is a slip; `UserError`.

    Sessions of manuals that are not in this build are told, for they may be left out on purpose.
    """
    for session, _ in task.tasks.boundary_colors:
        manual_id = session.split("/")[0]
        if manual_id not in manual_ids:
            log.warning("--boundary-colors: %s: its manual is not in this build", session)
        else:
            known = load(task.work / ROWS / manual_id / COLORS_FILE, dict[str, SessionColors])
            if session not in known:
                raise UserError(
                    f"--boundary-colors: {session} is no session; {manual_id} has {sorted(known)}"
                )


def answers_of_no_row(task: BuildOptions, manual_ids: list[str], name: str) -> list[Drop]:
    """Lines of an `--annotator file:` that are of no row to annotate, as drops."""
    if task.ready_made:
        return []
    manuals = (load(task.work / PARSE / m / "manual.json", Manual) for m in sorted(manual_ids))
    rows = ((m.manual_id, row) for m in manuals for row in answers.rows_to_annotate(m))
    return from_file.unmatched(name, rows)


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
            f"make one with: {command('swatches')}"
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


def follow_recipe(options: argparse.Namespace) -> Manifest:
    """Read the recipe and take over its options; returns its manifest."""
    wanted = recipe.read_recipe(options.from_recipe)
    for name in ("annotator", "split", "seed", "image_format", "negatives", "positives",
                 "templates", "diversify", "scenes", "weights", "mask_model"):  # fmt: skip
        if name in wanted["options"]:  # recipes of earlier versions lack later ones
            setattr(options, name, wanted["options"][name])
    options.shard_size = wanted["options"].get("shard_bytes", SHARD_BYTES) // 10**6
    return wanted


def report(manifest: Manifest, out: Path, built: int, manuals: int, seconds: float) -> None:
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
    if asked := manifest.get("rewritten"):
        for config, counts in asked["counts"].items():
            counted = ", ".join(f"{n:,} {what}" for what, n in counts.items())
            print(f"other words by {asked['model']} ({config}): {counted}")
    if disagreements := manifest["records"]["disagreements"]:
        print(f"to look at (object): {disagreements:,} rows where annotators disagree, "
              f"{out / records_file('disagreements')}")  # fmt: skip
    for result in manifest["probes"]:
        print(probes.line(result))
    if not manifest["probes"]:
        print("probes: not checked, too few state groups to tell anything, or --no-probe")
    print()
    for config, splits in manifest["rows"].items():
        print(f"{config:<14} " + ", ".join(f"{number:,} {name}" for name, number in splits.items()))
    if manifest["terms"]["licence"] == UNKNOWN:
        print(
            "\nlicence of the pictures and texts: not known; --licence and --attribution state it"
        )
    print(f"\n{out}: {manuals} manuals, {built} of them (re)built, in {seconds:.1f} s")
    some = next(c for c in (EXAMPLE, *reversed(TASKS)) if any(manifest["rows"][c].values()))
    print(f"load it with: {loading_call(out, some)}")
    print(f"look at it first: {command('gallery', out)}")

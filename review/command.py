"""Let people look at a build: a rating page, the statistics of what they say, a gallery.

    lego-arta review make lego-arta --task object --n 100 --out object.html
    lego-arta review make lego-arta --task screening --out screening.html
    lego-arta review score review-*.json --key object.key.json
    lego-arta build --reviews review-scores/review.json

A page is one file: send it to the raters, they send back the JSON that it saves. Keep the key that
`make` writes beside it: it says which rows the samples are and what the check questions expect.
"""

import argparse
from pathlib import Path

from core.build import read_manifest
from core.cli import Parser, command, positive, require, run, warn, whole, writable
from core.records import dump
from core.storage import option_place
from core.store import write_bytes
from review import fitting, gallery_command, page, results, rows, sampling
from review.criteria import RATINGS


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("review", __doc__)
    commands = result.add_subparsers(dest="command", required=True, metavar="make|score|gallery")
    _add_make(commands.add_parser("make", help="write a rating page"))
    _add_score(commands.add_parser("score", help="score what raters saved"))
    gallery_command.add_options(commands.add_parser("gallery", help="browse a build"))
    for one in commands.choices.values():
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return result


def _add_make(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--task", choices=sorted(RATINGS), required=True, help="what is judged")
    add("--n", type=positive, metavar="N", help="rows drawn (100; 1000 for screening)")
    add("--seed", type=whole, default=42, help="of the draw (%(default)s)")
    add("--out", type=writable, default="review.html", help="the page (%(default)s)")
    add(
        "--checks",
        choices=sampling.CHECKS,
        default="mixed",
        help="where questions with known answers stand: among the others (%(default)s), first as "
        "in the paper, or none",
    )


def _add_score(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("results", type=Path, nargs="+", metavar="RESULT", help="JSON files that a page saved")
    add(
        "--key",
        type=Path,
        metavar="FILE",
        help="the key of their page (default: the one that fits, beside the results or here)",
    )
    add(
        "--page",
        type=Path,
        metavar="FILE",
        help="the page, for pictures of disputed samples (default: beside the key, if it is there)",
    )
    add("--out", type=writable, default="review-scores", help="folder (%(default)s)")
    add(
        "--max-wrong",
        type=int,
        default=results.WRONG_MAX,
        metavar="N",
        help="scores on check questions that may be wrong (%(default)s)",
    )
    add("--partial", action="store_true", help="count unfinished files too")


def make_command(options: argparse.Namespace) -> None:
    """`make`."""
    task = RATINGS[options.task]
    manifest = read_manifest(options.build)
    warn(rows.missing_rows(options.build, manifest, (task.config,)))
    drawn = sampling.sample(
        options.build, task, options.n or task.samples, options.seed, options.checks
    )
    questions, side_px = fitting.fitted(drawn.questions)
    in_order = options.checks == "first" or drawn.unsure > 0
    html, key = page.page_and_key(task, questions, manifest, rotate=not in_order)
    page.write_page(options.out, html, key)
    samples = sum(question.row is not None for question in questions)
    megabytes = options.out.stat().st_size / 1e6
    checks = len(questions) - samples
    print(
        f"{options.out}: {samples:,} of {drawn.candidates:,} "
        f"{'pairs' if task.several else 'rows'}, {checks} check questions, {megabytes:.1f} MB"
    )
    if drawn.unsure:
        print(f"{drawn.unsure:,} of them come first: their text and picture say opposite things")
    if side_px:
        print(f"pictures are at most {side_px} px here, to keep the page small")
    if megabytes * 1e6 > fitting.PAGE_BYTES:
        print("that is much for a mail: hand it over as a file, or give a smaller --n")
    print(f"{page.key_path(options.out)}: its key, for score; keep it from the raters")


def score_command(options: argparse.Namespace) -> None:
    """`score`."""
    require("review", "score")
    from review import report, score

    key_file = options.key or results.find_key(options.results[0])
    key = results.read_key(key_file)
    task = page.task_named(key.task)
    read = [results.read_result(path, key, task) for path in options.results]
    raters = results.checked(read, key, task, options.max_wrong, options.partial)
    found = score.summary(key, task, raters)
    page_file = options.page or page.page_path(key_file)
    pictured = page.read_page(page_file) if options.page or page_file.is_file() else None
    if pictured and pictured[0]["page_id"] != key.page_id:
        pictured = None  # another page has taken its place
    write_bytes(options.out / "review.json", dump(found))
    report.write_report(options.out / "review.html", found, key, task, raters, pictured)
    if len(raters) < len(read):
        print(f"{len(read) - len(raters)} files are older ones of the same raters")
    for rater in raters:
        told = "; ".join([*rater.problems, *rater.notes]) or "all well"
        print(f"{rater.name}: {'counted' if rater.counted else 'NOT COUNTED'}; {told}")
    print(options.out / "review.html")
    if not found["judgements"]:
        print("no rater counted, so there is nothing to say of the build")
        return
    for line in terminal(found):
        print(line)
    taking = command("build", "--reviews", options.out / "review.json")
    print(f"the next build takes it: {taking}")


def terminal(found: dict) -> list[str]:
    """Means, kappas and the verdict as lines."""

    def text(value: dict | None) -> str:
        if value is None or value["value"] is None:
            return "not defined"
        if value["low"] is None:  # too few samples for an interval
            return f"{value['value']:.2f}"
        return f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"

    lines = []
    for one in found["criteria"].values():
        weighted = one["cohen_weighted"]
        lines.append(
            f"{one['title']}: mean {text(one['mean'])} of {one['scale'][1]}; Fleiss' kappa "
            f"{text(one['fleiss'])}"
            + (f"; Cohen's {text(one['cohen'])}" if one["cohen"] else "")
            + (f", weighted {text(weighted)}" if weighted else "")
        )
    if found["holds"]:
        lines.append(f"all words together: Fleiss' kappa {text(found['holds']['fleiss'])}")
        lines.append(f"the rows' own relation holds: {text(found['holds']['confirmed'])}")
    if found["confirmed"]:
        lines.append(f"the rows' own answer holds: {text(found['confirmed'])}")
    rule = found["acceptance"]
    if rule:
        failed = [f"{r['criterion']}: {r['found']}" for r in rule["rules"] if not r["passed"]]
        lines.append(f"acceptance: {'PASS' if rule['passed'] else 'FAIL, ' + '; '.join(failed)}")
    return lines


COMMANDS = {"make": make_command, "score": score_command, "gallery": gallery_command.browse}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: COMMANDS[options.command](options), options.debug)

"""Build the dataset: manuals in, a loadable folder out.

lego-arta build                                    # the demo, no network needed
lego-arta build --source https://legoaudioinstructions.com/instructions/
lego-arta build --source saved-site/ --split paper
lego-arta build --work s3://bucket/work --out s3://bucket/lego-arta    # docs/scale.md
"""

import logging
import os
import sys
from pathlib import Path

from builder.annotate.options import add_options as add_annotators
from builder.engine.local import start_server
from builder.publish.options import add_options as add_publishing
from builder.publish.options import options_of
from builder.release.split import MODES
from builder.sources import known
from core.cli import Parser, positive, run, whole, writable
from core.names import RAW, WEIGHTS
from core.storage import anywhere, is_shared
from tasks.options import NEGATIVES, POSITIVES, SCENES
from tasks.queries import TEMPLATES


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("build", __doc__)
    add = result.add_argument
    add(
        "--source",
        default=known.forms()[0],
        metavar="|".join(known.forms()),
        help="where manuals come from: " + "; ".join(source.help for source in known.SOURCES),
    )
    add(
        "--out",
        type=anywhere,
        default="lego-arta",
        help="the build folder (%(default)s), or shared storage such as s3://bucket/lego-arta",
    )
    add(
        "--work",
        type=anywhere,
        default=".work",
        help="intermediate stages; keep it and a re-run only does what changed (%(default)s); a "
        "folder, or shared storage such as s3://bucket/work",
    )
    add(
        "--scratch",
        type=writable,
        metavar="DIR",
        help="where manuals of a --work on shared storage are worked on (a folder of the system's "
        "for temporary files)",
    )
    add(
        "--split",
        choices=MODES,
        default="manual",
        help="whole sets apart (%(default)s), or the paper's random 25 %%",
    )
    add(
        "--templates",
        choices=TEMPLATES,
        default="paper",
        help="words of queries: the papers', to compare with them (%(default)s), or plain English "
        "with quoted instructions (readable)",
    )
    add(
        "--scenes",
        choices=SCENES,
        default=SCENES[0],
        help="a scene row starts from what was asked for last in its sub-assembly (%(default)s; "
        "eop_distance says how many rows before), or only from what was asked for just before the "
        "step (direct)",
    )
    add(
        "--diversify",
        choices=("none", "rules", "endpoint"),
        default="none",
        help="answers of spatial rows as they are, or put into other words: by rules, or by a "
        "model of an OpenAI-compatible endpoint, which is asked for instructions of mask rows, "
        "too, and whose sentences are kept where they still say the same; a row says so in its "
        "column diversified",
    )
    add("--endpoint-model", metavar="NAME", help="of --diversify endpoint")
    add("--endpoint-url", metavar="URL", help="of its endpoint, up to and with /v1")
    add(
        "--endpoint-key-env",
        default="OPENAI_API_KEY",
        metavar="VAR",
        help="environment variable with its key (%(default)s)",
    )
    add(
        "--image-format",
        choices=("webp", "png", *RAW),
        default="webp",
        help="all lossless (%(default)s); raw: pixels, packed by row group, for streaming and "
        "small disks (docs/scale.md)",
    )
    add(
        "--shard-size",
        type=positive,
        default=500,
        metavar="MB",
        help="of a file at most (%(default)s), or more where a folder would hold over 10,000",
    )
    add("--seed", type=whole, default=42, help="for every random choice (%(default)s)")
    add(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        help="processes; the result does not depend on it (%(default)s)",
    )
    add("--limit", type=positive, metavar="N", help="take at most N manuals")
    many = result.add_argument_group(
        "many machines", "that share the disk of --work and --out (docs/scale.md)"
    )
    many.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what runs all after the crawl: processes of this machine (%(default)s), or the "
        "nodes of a Ray cluster; the result does not depend on it",
    )
    many.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="of the cluster's head, or auto for the one that this node belongs to; without it one "
        "of --workers processes is started here for as long as the build takes",
    )
    add(
        "--reviews",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="review.json files of `lego-arta review score`: rows that raters rejected are left "
        "out, the others they judged weigh what they said; or selections that a gallery saved: "
        "their rows are left out",
    )
    add(
        "--weights",
        choices=WEIGHTS,
        default=WEIGHTS[0],
        help="sample_weight of rows that nobody rated, besides masks: how sure their labels are "
        "(%(default)s), or what the mask of the same step or parts weighs (discriminator)",
    )
    add(
        "--mask-model",
        metavar="PLACE",
        help="a promptable segmenter (SAM) that is asked for masks of pictures nobody drew, too: a "
        "folder, or a Hub id such as facebook/sam-vit-base; needs the extra `annotate`",
    )
    whose = result.add_argument_group(
        "licence", "of pictures and texts whose source says nothing of itself, for the card"
    )
    whose.add_argument(
        "--licence",
        metavar="NAME",
        help="one that the Hub knows, such as cc-by-4.0, or lego-fair-play (the LEGO Group's own), "
        "or any other with --licence-url; without it the card says that nobody knows",
    )
    whose.add_argument("--licence-url", metavar="URL", help="where that licence stands")
    whose.add_argument("--attribution", metavar="TEXT", help="whose they are: a sentence")
    state = result.add_argument_group("state examples")
    state.add_argument(
        "--negatives",
        choices=NEGATIVES,
        default="rendered",
        help="%(default)s: what else could have been built, drawn by a source that draws its "
        "pictures (demo, ldraw), and as paper for other manuals; balanced: also the config "
        "state_balanced, which neither picture nor text alone can answer; paper: the part moved "
        "within the picture; typed: also turned, mirrored, of a wrong colour, another part, "
        "missing, one too many",
    )
    state.add_argument(
        "--positives",
        choices=POSITIVES,
        default="matched",
        help="%(default)s: made like the negatives, so that nothing but the mistake tells them "
        "apart; original: the manual's own picture, and plain pasting, as in the paper (leaks)",
    )
    state.add_argument(
        "--boundary-colors",
        type=Path,
        metavar="FILE",
        help='JSON of sessions whose outline was set by hand: {"manual/session": "#FF00FF" or '
        "null for none}; `lego-arta swatches` makes a page to fill it in",
    )
    state.add_argument(
        "--no-probe",
        action="store_true",
        help="do not look for shortcuts that give the answer away; without it a build that has one "
        "fails",
    )
    add_annotators(result.add_argument_group("boxes"))
    for source in known.SOURCES:
        source.add_options(result)
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
    add_publishing(publish)
    add("--debug", action="store_true", help="show the traceback of an error")
    return result  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run a build; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    command_line = parser()
    options = command_line.parse_args(argv)
    publish = options_of(options, command_line) if options.push else None
    if options.ray_address and options.engine != "ray":
        command_line.error("--ray-address without --engine ray: nobody would be asked; add it")
    if options.repo_id and not options.push:
        command_line.error("--repo-id without --push: nothing would be pushed; add --push")
    if options.push_format and (options.recipe or not options.push):
        command_line.error(
            f"--push-format {options.push_format}: "
            + ("a recipe has no pictures; leave --recipe out" if options.recipe
               else "nothing would be pushed; add --push")
        )  # fmt: skip
    if options.scratch and not is_shared(options.work):
        command_line.error(
            f"--scratch {options.scratch}: only a --work on shared storage needs it; leave it out"
        )
    if is_shared(options.out) and options.recipe:
        command_line.error(
            f"--out {options.out}: --recipe reads a build of this machine; build it here, or copy "
            "it here when it is made"
        )
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if options.workers > 1 and options.engine == "local":
        start_server()  # its imports and those below go on at the same time

    def work() -> None:
        from builder.build import build
        from builder.publish import push
        from builder.release.recipe import write_recipe

        if publish:
            push.check(publish)  # now, not after all the work
        build(options)
        out = write_recipe(options.out) if options.recipe else options.out
        if publish:
            push.push(out, publish)

    return run(work, options.debug)

"""Build the dataset: manuals in, a loadable folder out.

python builder/make.py                                    # the demo, no network needed
python builder/make.py --source https://legoaudioinstructions.com/instructions/
python builder/make.py --source saved-site/ --split paper
"""

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from builder.annotate.options import add_options as add_annotators
from builder.publish import options
from builder.release.split import MODES
from builder.sources import known
from core.cli import Parser, command, positive, whole, writable
from core.errors import UserError
from core.names import IMAGE_FORMATS
from tasks.options import HEX_RE, NEGATIVES, POSITIVES
from tasks.queries import TEMPLATES

if TYPE_CHECKING:
    from builder.release.reviews import Reviews

log = logging.getLogger("lego_arta")


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("builder/make.py", __doc__)
    add = result.add_argument
    add(
        "--source",
        default=known.forms()[0],
        metavar="|".join(known.forms()),
        help="where manuals come from: " + "; ".join(source.help for source in known.SOURCES),
    )
    add("--out", type=writable, default="lego-arta", help="the build folder (%(default)s)")
    add(
        "--work",
        type=writable,
        default=".work",
        help="intermediate stages; keep it and a re-run only does what changed (%(default)s)",
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
    add("--image-format", choices=IMAGE_FORMATS, default="webp", help="lossless (%(default)s)")
    add("--seed", type=whole, default=42, help="for every random choice (%(default)s)")
    add(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        help="processes; the result does not depend on it (%(default)s)",
    )
    add("--limit", type=positive, metavar="N", help="take at most N manuals")
    add(
        "--reviews",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="review.json files of scripts/review.py score: rows that raters rejected are left "
        "out, the others they judged weigh what they said; or selections that a gallery saved: "
        "their rows are left out",
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
        default="paper",
        help="%(default)s: the part moved; typed: also turned, mirrored, of a wrong colour, "
        "another part, missing, one too many",
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
        "null for none}; scripts/swatches.py makes a page to fill it in",
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
    options.add_options(publish)
    add("--debug", action="store_true", help="show the traceback of an error")
    return result  # fmt: skip


def reviews_of(files: list[Path]) -> "Reviews":
    """What raters decided, by the --reviews files; says what is odd about them."""
    from builder.release.reviews import read_reviews

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
            f"make one with: {command('scripts/swatches.py')}"
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

"""Open CAD models as a source: each is drawn as a manual, and read as any saved site is."""

from __future__ import annotations

import argparse
from pathlib import Path

from builder.engine import Engine
from builder.sources.ldraw.models import PREFIX, find_models, terms_of, titles_of
from builder.sources.source import Manuals, Source
from builder.sources.terms import Terms
from core import store
from core.cli import positive
from core.errors import UserError


def check(source: str) -> None:
    """Raise `UserError` where there is no model."""
    find_models(source)


def terms(source: str) -> Terms:
    """What the models say of themselves."""
    return terms_of(find_models(source))


def bring(options: argparse.Namespace, engine: Engine) -> Manuals:
    """Draw the manuals of the models, at most as many as --limit says, and import them."""
    from builder.sources.audio.saved import import_site
    from builder.sources.ldraw.library import find_library
    from builder.sources.ldraw.making import Wanted, make_manual
    from builder.sources.ldraw.site import finish_site

    library = find_library(options.ldraw_library)
    models = find_models(options.source)[: options.limit]
    root = options.work / store.LDRAW
    wanted = [
        Wanted(
            root, model, manual_id, f"{number} {title}".strip(), library, options.seed,
            options.max_steps, options.without_missing, options.allow_unlicensed,
        )
        for model, (manual_id, number, title) in zip(models, titles_of(models), strict=True)
    ]  # fmt: skip
    made = engine.map("drawings", make_manual, [(one,) for one in wanted])
    drawn = [one for one, record in zip(wanted, made, strict=True) if record.steps]
    drops = [drop for record in made for drop in record.drops]
    if not drawn:
        why = f"{drops[0].item}: {drops[0].detail}" if drops else "nothing in them could be drawn"
        raise UserError(f"--source {options.source}: no manual could be drawn ({why})")
    site = finish_site(root, drawn)
    imported = import_site(site, options.work / store.CRAWL, None, engine)
    whose = terms_of([one.model for one in drawn], options.allow_unlicensed)
    return Manuals(imported.manual_ids, [*drops, *imported.drops], whose)


def add_options(parser: argparse.ArgumentParser) -> None:
    """With what models are drawn."""
    add = parser.add_argument_group("CAD models", f"of --source {PREFIX}MODELS").add_argument
    add("--ldraw-library", type=Path, metavar="DIR",
        help="the LDraw parts library (LDRAWDIR, or a usual place)")  # fmt: skip
    add(
        "--max-steps",
        type=positive,
        metavar="N",
        help="draw only the first N steps of a model, sub-assemblies first, as it is built",
    )
    add("--without-missing", action="store_true",
        help="draw models without the parts that are missing; else they are left out")  # fmt: skip
    add("--allow-unlicensed", action="store_true",
        help="draw models too that have no licence line")  # fmt: skip


LDRAW = Source(
    forms=(f"{PREFIX}MODELS",),
    help=f"CAD models in the LDraw format, drawn as manuals ({PREFIX}MODELS: a file, a folder, a "
    "pattern or a zip)",
    is_mine=lambda source: source.startswith(PREFIX),
    terms=terms,
    bring=bring,
    check=check,
    add_options=add_options,
)

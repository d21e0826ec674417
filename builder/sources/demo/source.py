"""The demo as a source: its manuals are drawn as a site, and read as any saved site is."""

import argparse

from builder.engine import Engine
from builder.sources.source import Manuals, Source
from builder.sources.terms import ADDRESSES, Terms
from core import store

MANUALS = 12  # where no --limit says how many
TERMS = Terms(
    "manuals drawn by lego-arta's own demo source",
    "apache-2.0",
    "The pictures and texts were drawn by lego-arta itself: Apache-2.0, no LEGO material.",
    licence_url=ADDRESSES["apache-2.0"],
)


def bring(options: argparse.Namespace, engine: Engine) -> Manuals:
    """Draw the manuals, as many as --limit says, and import them."""
    from builder.sources.audio.saved import import_site
    from builder.sources.demo.manuals import draw_manual
    from builder.sources.demo.site import finish_site

    root, count = options.work / store.DEMO, options.limit or MANUALS
    calls = [(root, index, options.seed) for index in range(count)]
    engine.map("drawings", draw_manual, calls)
    site = finish_site(root, count, options.seed)
    return import_site(site, options.work / store.CRAWL, options.limit, engine)


DEMO = Source(
    forms=("demo",),
    help=f"drawn here (demo, the default: {MANUALS} manuals, or as many as --limit says)",
    is_mine=lambda source: source == "demo",
    terms=lambda source: TERMS,
    bring=bring,
)

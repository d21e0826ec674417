"""The originally released dataset as a source, or a folder in its layout: manuals with rows."""

import argparse

from builder.engine import Engine
from builder.sources.released.layout import PREFIX
from builder.sources.source import Manuals, ReadyMade, Source
from builder.sources.terms import unknown
from core.store import CRAWL


def bring(options: argparse.Namespace, engine: Engine) -> Manuals:
    """Import the manuals of the folder."""
    from builder.sources.released.importing import import_all

    return import_all(options.source, options.work / CRAWL, options.limit, engine)


RELEASED = Source(
    forms=(f"{PREFIX}DIR",),
    help=f"a folder in the layout of the originally released dataset ({PREFIX}DIR)",
    is_mine=lambda source: source.startswith(PREFIX),
    # The layout holds no licence, and other manuals than LEGO's may lie in it.
    terms=lambda source: unknown("the originally released dataset, or a folder in its layout"),
    bring=bring,
    ready_made=ReadyMade(
        "builder.sources.released.rows",
        {"annotator": "legacy", "negatives": "paper", "positives": "original"},
    ),
)

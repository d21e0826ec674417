"""What a source is: it brings manuals to disk and says whose they are.

A source is a folder beside this file and a line in `sources/known.py`; docs/adding.md goes through
one. Its `source.py` is read for every command's help, so what is heavy is imported in functions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from builder.engine import Engine
from builder.sources.terms import Terms
from core.records import Drop


class Manuals(NamedTuple):
    """Manuals that are on disk, and what led to none: drops by address or file.

    `terms` are those of just these manuals, where that is known only now.
    """

    manual_ids: list[str]
    drops: list[Drop]
    terms: Terms | None = None


@dataclass(frozen=True)
class ReadyMade:
    """Rows that come with the manuals of a source, instead of being made here.

    `module` has `write_rows(folder, image_format, target)`: from a manual's crawl folder to its
    folder of rows. `options` are the build's that say how the rows were made elsewhere.
    """

    module: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """Where manuals come from. `forms` are what can be given as --source for it, for the help.

    `bring(options, engine)` leaves `crawl.json`, the page and the images of every manual in
    `1_crawl/<manual id>/` (`core.records.CrawledManual`), of at most `options.limit` manuals;
    `options` are the command line's, with those that `add_options` declares. `check` raises
    `UserError` for a --source that can't be read, before anything is done.
    """

    forms: tuple[str, ...]
    help: str
    is_mine: Callable[[str], bool]
    terms: Callable[[str], Terms]
    bring: Callable[[argparse.Namespace, Engine], Manuals]
    check: Callable[[str], None] = lambda source: None
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    ready_made: ReadyMade | None = None

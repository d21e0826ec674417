"""Audio-and-braille manuals as a source: a site to crawl, or one saved in a folder or .zip."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from builder.engine import Engine
from builder.sources.source import Manuals, Source
from builder.sources.terms import Terms, lego, unknown
from core.cli import not_negative, positive
from core.store import CRAWL

LEGO_SITE = "legoaudioinstructions.com"


def is_address(source: str) -> bool:
    """Whether a --source is crawled; else it is a folder."""
    return "://" in source


def terms(source: str) -> Terms:
    """The LEGO Group's for its own site; of other sites, and of folders, nothing is known."""
    if not is_address(source):
        return unknown("a saved site")
    host = (urlsplit(source.strip()).hostname or "").rstrip(".")
    described = "manuals crawled from a listing"
    own = host == LEGO_SITE or host.endswith(f".{LEGO_SITE}")
    return lego(described) if own else unknown(described)


def check(source: str) -> None:
    """Raise `UserError` for what is no folder, no .zip and no address that can be crawled."""
    from builder.sources.audio.zipped import is_zip
    from builder.sources.kinds import check_source

    if not is_zip(Path(source)):
        check_source(source)


def bring(options: argparse.Namespace, engine: Engine) -> Manuals:
    """Crawl the site, or import the folder."""
    folder = options.work / CRAWL
    if not is_address(options.source):
        from builder.sources.audio.saved import import_site
        from builder.sources.audio.zipped import unpacked

        with unpacked(Path(options.source), options.work) as site:
            return import_site(site, folder, options.limit, engine)
    from builder.sources.audio.crawl import CrawlOptions, crawl_site
    from builder.sources.audio.fetch_session import DAY_S

    agent = CrawlOptions().user_agent
    given = {"delay_s": options.delay, "concurrency": options.concurrency}
    if options.max_age is not None:
        given["max_age_s"] = options.max_age * DAY_S
    crawl_options = CrawlOptions(
        refresh=options.refresh,
        allowed_hosts=tuple(options.allow_host),
        user_agent=f"{agent} contact: {options.contact}" if options.contact else agent,
        **{name: value for name, value in given.items() if value is not None},
    )
    return crawl_site(options.source, folder, crawl_options, options.limit)


def add_options(parser: argparse.ArgumentParser) -> None:
    """How politely a site is crawled."""
    add = parser.add_argument_group("crawling").add_argument
    add("--delay", type=not_negative, metavar="S",
        help="seconds between requests to a host (0.5)")  # fmt: skip
    add("--concurrency", type=positive, metavar="N", help="requests at a time to a host (4)")
    add("--allow-host", action="append", default=[], metavar="HOST",
        help="also fetch from this host, e.g. where images lie (repeatable)")  # fmt: skip
    add("--contact", metavar="MAIL", help="told to the site in the User-Agent")
    add("--refresh", choices=("pages", "all", "never"), default="pages",
        help="what to ask again of what --work has: %(default)s, and a picture if its page changed "
        "or its copy is old; all; or never, which asks nothing")  # fmt: skip
    add("--max-age", type=not_negative, metavar="DAYS",
        help="a picture's copy is old after so long (as its server says, else 30)")  # fmt: skip


AUDIO = Source(
    forms=("URL", "DIR", "FILE.zip"),
    help="a listing page to crawl, or a folder or .zip with a saved site",
    is_mine=lambda source: True,
    terms=terms,
    bring=bring,
    check=check,
    add_options=add_options,
)

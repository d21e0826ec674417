"""Stage 1: a listing page -> set pages -> manual pages -> images on disk.

A manual folder's `crawl.json` is written last and names every file by its hash, so a folder that
has one is whole. What is known of each URL (validators, hashes, errors) is appended to a journal
while a run lasts and becomes `report.jsonl` at its end: a killed run goes on where it stood, and
a later run asks for changes only.
"""

import asyncio
import collections
import logging
import sys
from pathlib import Path

import httpx
from msgspec.structs import replace
from tqdm import tqdm

from builder.sources.audio import crawl_store, fetch, manual_page, refresh, web
from builder.sources.audio.crawl_resources import (
    Run,
    entry_of,
    get_image,
    get_page,
    holds,
    together,
)
from builder.sources.audio.crawl_store import INCOMING, PAGE, REPORT, Entry, Journal
from builder.sources.audio.embedded import keep_embedded
from builder.sources.audio.fetch import CrawlOptions as CrawlOptions  # callers take it from here
from builder.sources.audio.links import base_of, is_web_url
from builder.sources.audio.pictures import Picture, is_data, is_placeholder
from builder.sources.source import Manuals
from core.errors import UserError
from core.records import CrawledImage, CrawledManual, Drop, split_slug
from core.store import place_file

_MAX_BARREN_PAGES = 3
_CURES = {
    "robots_disallowed": "its robots.txt forbids this page; ask the site's owner or save the site "
    "by hand and pass the folder",
    "robots_unavailable": "nothing is crawled while robots.txt can't be read; run again later",
    "host_not_allowed": "it redirects to another host; start from that address or allow the host",
    "too_large": "raise max_bytes if this really is the listing page",
    "bad_url": "give an address such as https://host/instructions/",
    refresh.NOT_FETCHED: "no earlier crawl lies in --work; run once without --refresh never",
}

log = logging.getLogger("lego_arta.crawl")


def crawl_site(
    listing_url: str, crawl_dir: Path, options: CrawlOptions, limit: int | None = None
) -> Manuals:
    """Crawl the manuals that a listing page leads to; ids and drops are sorted.

    `limit` is a number of manuals. Raises `UserError` when nothing can be crawled.
    """
    url = _listing_address(listing_url)
    with crawl_store.writable(crawl_dir):
        crawl_dir.mkdir(parents=True, exist_ok=True)
        with crawl_store.open_journal(crawl_dir) as journal:
            crawl_store.sweep(crawl_dir)
            crawl = asyncio.run(_crawl(url, crawl_dir, options, limit, journal))
            crawl_store.close(crawl_dir, journal)
    return crawl


async def _crawl(
    listing_url: str, root: Path, options: CrawlOptions, limit: int | None, journal: Journal
) -> Manuals:
    incoming = root / INCOMING
    incoming.mkdir(exist_ok=True)
    async with fetch.open_session(listing_url, options, incoming) as session:
        run = Run(session, root, options, journal)
        try:
            await _crawl_sets(run, await _list_sets(run, listing_url), limit)
            if not run.manuals:
                reasons = collections.Counter(drop.reason for drop in run.drops.values())
                raise UserError(
                    f"{listing_url}: not one manual behind its sets ({_counted(reasons)}); "
                    f"{root / REPORT} says why, address by address: mend that or start from "
                    "another listing page"
                )
        finally:  # of a run that failed, too: it says what failed
            for fetched in session.robots_fetched():
                journal.note(entry_of(None, "robots", fetched))
            crawl_store.write_report(root, journal)
    _log_summary(run)
    return Manuals(sorted(run.manuals), [run.drops[url] for url in sorted(run.drops)])


def _log_summary(run: Run) -> None:
    asked = [run.journal.entries[url] for url in run.journal.done]
    asked = [entry for entry in asked if entry.attempts and entry.kind != "robots"]
    log.info(
        "%d manuals, %d addresses led to none; asked for %d addresses: %d new or changed, "
        "%d failed; see %s",
        len(run.manuals),
        len(run.drops),
        len(asked),
        sum(run.journal.has_changed(entry) for entry in asked),
        sum(entry.error is not None for entry in asked),
        run.root / REPORT,
    )


def _counted(reasons: collections.Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))


def _leave_out(run: Run, url: str, reason: str, detail: str = "") -> None:
    """Record a link that led to no manual: once, however many pages hold it."""
    if url not in run.drops:
        run.drops[url] = Drop(web.slug_of(url), "crawl", url, reason, detail)
        log.warning("%s: %s%s: left out", url, reason, f" ({detail})" if detail else "")


def _leave_out_failed(run: Run, url: str, entry: Entry) -> None:
    """Record a link whose page can't be had; `entry` is of the last page on the way."""
    at = entry.final_url or entry.url
    _leave_out(run, url, entry.error or "", f"at {at}" if at != url else "")


async def _list_sets(run: Run, listing_url: str) -> list[str]:
    """Set page URLs of all listing pages, in order."""
    sets: dict[str, None] = {}
    seen: set[str] = set()
    url: str | None = listing_url
    barren = 0  # pages in a row with nothing new: a pager may go on for ever
    while url and url not in seen:
        if barren >= _MAX_BARREN_PAGES:
            _leave_out(run, url, "pager_without_end", f"{barren} pages with no new set before it")
            break
        seen.add(url)
        entry, html = await get_page(run, url, "listing")
        if html is None:
            raise _listing_error(run, entry)
        base = entry.final_url or entry.url
        seen.add(base)
        links, url = web.parse_listing(html, base)
        if url and not is_web_url(url):  # made by a script
            _leave_out(run, url, "bad_url", f"the next page after {base}")
            url = None
        barren = 0 if set(links) - sets.keys() else barren + 1
        sets.update(dict.fromkeys(links))
    if not sets:
        raise UserError(
            f"{listing_url}: no a.mtt-instruction-card on it; give the address of the page that "
            "lists the sets, such as https://legoaudioinstructions.com/instructions/"
        )
    log.info("%s: %d sets on %d listing pages", listing_url, len(sets), len(seen))
    return list(sets)


async def _crawl_sets(run: Run, sets: list[str], limit: int | None) -> None:
    limit = sys.maxsize if limit is None else limit
    with tqdm(sets, unit="set", disable=not sys.stderr.isatty()) as bar:
        for set_url in bar:
            if len(run.manuals) >= limit:
                return
            for url in await _manual_links(run, set_url):
                if len(run.manuals) < limit:
                    await _crawl_manual(run, url, quiet=not bar.disable)


async def _manual_links(run: Run, set_url: str) -> list[str]:
    """Pages that may be manuals of a set."""
    entry, html = await get_page(run, set_url, "set")
    if html is None:
        _leave_out_failed(run, set_url, entry)
        return []
    if manual_page.is_manual_page(html):  # a card that leads straight to a manual
        return [set_url]
    links = web.parse_set_page(html, entry.final_url or entry.url)
    if not links:
        run.journal.note(replace(entry, error="no_manual_link"))
        _leave_out(run, set_url, "no_manual_link", "no a.button.icon that leads to a page")
    return links


async def _crawl_manual(run: Run, url: str, quiet: bool) -> None:
    entry, html = await get_page(run, url, "manual")
    if html is None:
        _leave_out_failed(run, url, entry)
        return
    if not manual_page.is_manual_page(html):
        run.journal.note(replace(entry, error="not_a_manual"))
        _leave_out(run, url, "not_a_manual", f"no {manual_page.CONTAINER} on it")
        return
    page_url = entry.final_url or entry.url
    if page_url in run.manuals.values():
        return  # linked from two sets
    manual_id = web.slug_of(page_url)
    if manual_id in run.manuals:
        manual_id = f"{manual_id}-{web.short_hash(page_url)}"
    run.manuals[manual_id] = page_url
    if refresh.is_settled(run.root / manual_id, entry.sha256):
        run.settled.add(manual_id)
    page = manual_page.read_page(html)
    base_url = base_of(page.base_href if page else None, page_url)
    pictures = manual_page.row_pictures(page) if page else []
    crawled = await together(_picture(run, manual_id, each, base_url) for each in pictures)
    record = CrawledManual(
        manual_id=manual_id,
        set_number=split_slug(manual_id)[0],
        title=web.page_title(html),
        url=page_url,
        page_file=PAGE,
        page_sha256=entry.sha256 or "",
        images=crawled,
        charset=entry.charset or None,
    )
    crawl_store.finish_manual(run.root / manual_id, record, run.root / (entry.file or ""))
    failed = sum(image.error is not None for image in crawled)
    log.log(
        logging.DEBUG if quiet else logging.INFO,
        "%s: %d images, %d failed",
        manual_id,
        len(crawled),
        failed,
    )


async def _picture(run: Run, manual_id: str, picture: Picture, base_url: str) -> CrawledImage:
    """A picture of a manual, from the first of its addresses that has it."""
    first: CrawledImage | None = None
    for address in picture.addresses:
        if is_data(address):
            image = await _embedded(run, manual_id, address, picture, base_url)
        else:
            image = await _image(run, manual_id, address, base_url)
        if image.error is None and (first is None or not is_placeholder(image)):
            return replace(image, src=picture.src)
        first = first or replace(image, src=picture.src)
    return first or CrawledImage(picture.src, picture.src, error="bad_url")


async def _embedded(
    run: Run, manual_id: str, uri: str, picture: Picture, base_url: str
) -> CrawledImage:
    """A picture whose bytes are in the page."""
    src = picture.src
    url = web.absolute_image_url(src, base_url) if picture.has_address else src
    limits = run.options.max_bytes, run.options.max_pixels
    async with run.decoders:
        return await asyncio.to_thread(keep_embedded, uri, src, url, run.root / manual_id, *limits)


async def _image(run: Run, manual_id: str, src: str, base_url: str) -> CrawledImage:
    """An image of a manual, asked for once a run however many manuals show it."""
    url = web.absolute_image_url(src, base_url)
    async with run.locks[url]:
        if url not in run.journal.done:
            run.journal.note(await get_image(run, manual_id, url))
        entry = run.journal.entries[url]
    if entry.file is None:
        return CrawledImage(src, url, error=entry.error)
    source = run.root / entry.file
    target = run.root / manual_id / "images" / source.name
    if source != target:
        if not holds(target, entry):
            place_file(source, target)
        # From now on this copy counts: the other manual may no longer show the image.
        run.journal.note(replace(entry, file=target.relative_to(run.root).as_posix()))
    return CrawledImage(
        src, url, f"images/{source.name}", entry.sha256, entry.size_bytes, entry.size_wh
    )


def _listing_address(listing_url: str) -> str:
    """The listing's URL without its fragment; refused if it is none or holds a password."""
    try:
        url = httpx.URL(listing_url.strip()).copy_with(fragment=None)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError(f"{listing_url!r}: not a web address; {_CURES['bad_url']}")
    if url.userinfo:
        raise UserError(
            f"{url.host}: the address holds a user name or password, which would end up in the "
            "records; give it without"
        )
    return str(url)


def _listing_error(run: Run, entry: Entry) -> UserError:
    """Why there is no crawl, in one line."""
    error, detail = entry.error or "", ""
    if error == "robots_unavailable":
        failed = [fetched for fetched in run.session.robots_fetched() if fetched.error]
        if failed and failed[-1].status is None:  # no answer at all: not a matter of robots.txt
            error, detail = failed[-1].error or "", " ".join(failed[-1].detail.split())
        elif failed:
            detail = f"{failed[-1].url} gave {failed[-1].error}"
    cure = _CURES.get(error, "check the address and the network, then run again")
    return UserError(f"{entry.url}: {error}{f' ({detail})' if detail else ''}; {cure}")

"""Stage 1: a listing page -> set pages -> manual pages -> images on disk.

A manual folder's `crawl.json` is written last and names every file by its hash, so a folder that
has one is whole. What is known of each URL (validators, hashes, errors) is appended to a journal
while a run lasts and becomes `report.jsonl` at its end: a killed run goes on where it stood, and
a later run asks for changes only.
"""

import asyncio
import dataclasses
import logging
import sys
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec.structs import replace
from tqdm import tqdm

from builder import crawl_store, fetch, images
from builder.crawl_store import INCOMING, PAGE, PAGES, REPORT, Entry, Journal
from builder.fetch import CrawlOptions as CrawlOptions  # callers take it from here
from builder.fetch import Fetched, Session
from builder.folders import place_file, sha256
from builder.records import CrawledImage, CrawledManual, UserError, split_slug
from builder.sources import web
from builder.sources.charset import decode_html, of_content_type

_MAX_BARREN_PAGES = 3
# Faults of the file itself: asking again is of use only once the server says that it changed.
_FILE_FAULTS = {"truncated_image", "broken_image", "not_an_image", "too_many_pixels"}
_CURES = {
    "robots_disallowed": "its robots.txt forbids this page; ask the site's owner or save the site "
    "by hand and pass the folder",
    "robots_unavailable": "nothing is crawled while robots.txt can't be read; run again later",
    "host_not_allowed": "it redirects to another host; start from that address or allow the host",
    "too_large": "raise max_bytes if this really is the listing page",
    "bad_url": "give an address such as https://host/instructions/",
}

log = logging.getLogger("lego_arta.crawl")
T = TypeVar("T")


@dataclasses.dataclass
class _Run:
    """One crawl at work."""

    session: Session
    root: Path
    options: CrawlOptions
    journal: Journal
    # Whole images in memory at a time: transfers may outrun decoding.
    decoders: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(2))
    locks: dict[str, asyncio.Lock] = dataclasses.field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    manuals: dict[str, str] = dataclasses.field(default_factory=dict)  # id -> page URL


def crawl_site(
    listing_url: str, crawl_dir: Path, options: CrawlOptions, limit: int | None = None
) -> list[str]:
    """Crawl the manuals that a listing page leads to; their ids, sorted.

    `limit` is a number of manuals. Raises `UserError` when nothing can be crawled.
    """
    url = _listing_address(listing_url)
    with crawl_store.writable(crawl_dir):
        crawl_dir.mkdir(parents=True, exist_ok=True)
        with crawl_store.open_journal(crawl_dir) as journal:
            crawl_store.sweep(crawl_dir)
            ids = asyncio.run(_crawl(url, crawl_dir, options, limit, journal))
            crawl_store.close(crawl_dir, journal)
    return ids


async def _crawl(
    listing_url: str, root: Path, options: CrawlOptions, limit: int | None, journal: Journal
) -> list[str]:
    incoming = root / INCOMING
    incoming.mkdir(exist_ok=True)
    async with fetch.open_session(listing_url, options, incoming) as session:
        run = _Run(session, root, options, journal)
        try:
            await _crawl_sets(run, await _list_sets(run, listing_url), limit)
            if not run.manuals:
                raise UserError(
                    f"{listing_url}: not one manual behind its sets; {root / REPORT} says why, "
                    "address by address: mend that or start from another listing page"
                )
        finally:  # of a run that failed, too: it says what failed
            for fetched in session.robots_fetched():
                journal.note(_asked(None, "robots", fetched))
            crawl_store.write_report(root, journal)
    failed = sum(journal.entries[url].error is not None for url in journal.done)
    log.info("%d manuals; %d addresses failed: see %s", len(run.manuals), failed, root / REPORT)
    return sorted(run.manuals)


async def _list_sets(run: _Run, listing_url: str) -> list[str]:
    """Set page URLs of all listing pages, in order."""
    sets: dict[str, None] = {}
    seen: set[str] = set()
    url: str | None = listing_url
    barren = 0  # pages in a row with nothing new: a pager may go on for ever
    while url and url not in seen and barren < _MAX_BARREN_PAGES:
        seen.add(url)
        entry, html = await _page(run, url, "listing")
        if html is None:
            raise _listing_error(run, entry)
        base = entry.final_url or url
        seen.add(base)
        found, url = web.parse_listing(html, base)
        barren = 0 if set(found) - sets.keys() else barren + 1
        sets.update(dict.fromkeys(found))
    if not sets:
        raise UserError(
            f"{listing_url}: no a.mtt-instruction-card on it; give the address of the page that "
            "lists the sets, such as https://legoaudioinstructions.com/instructions/"
        )
    log.info("%s: %d sets on %d listing pages", listing_url, len(sets), len(seen))
    return list(sets)


async def _crawl_sets(run: _Run, sets: list[str], limit: int | None) -> None:
    with tqdm(sets, unit="set", disable=not sys.stderr.isatty()) as bar:
        for set_url in bar:
            for url in await _manual_links(run, set_url):
                if limit is not None and len(run.manuals) >= limit:
                    return
                await _crawl_manual(run, url, quiet=not bar.disable)


async def _manual_links(run: _Run, set_url: str) -> list[str]:
    """Pages that may be manuals of a set."""
    entry, html = await _page(run, set_url, "set")
    if html is None:
        return []
    if web.is_manual_page(html):  # a card that leads straight to a manual
        return [set_url]
    links = web.parse_set_page(html, entry.final_url or set_url)
    if not links:
        run.journal.note(replace(entry, error="no_manual_link"))
        log.warning("%s: no a.button.icon that leads to a page: set left out", set_url)
    return links


async def _crawl_manual(run: _Run, url: str, quiet: bool) -> None:
    entry, html = await _page(run, url, "manual")
    if html is None:
        return
    if not web.is_manual_page(html):
        run.journal.note(replace(entry, error="not_a_manual"))
        log.warning("%s: not_a_manual, no %s on it: left out", url, web.CONTAINER)
        return
    page_url = entry.final_url or url
    if page_url in run.manuals.values():
        return  # linked from two sets
    manual_id = web.slug_of(page_url)
    if manual_id in run.manuals:
        manual_id = f"{manual_id}-{web.short_hash(page_url)}"
    run.manuals[manual_id] = page_url
    srcs = web.image_srcs(html)
    crawled = await together(_image(run, manual_id, src, page_url) for src in srcs)
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


async def _image(run: _Run, manual_id: str, src: str, page_url: str) -> CrawledImage:
    """An image of a manual, asked for once a run however many manuals show it."""
    url = web.absolute_image_url(src, page_url)
    async with run.locks[url]:
        if url not in run.journal.done:
            run.journal.note(await _get_image(run, manual_id, url))
        entry = run.journal.entries[url]
    if entry.file is None:
        return CrawledImage(src, url, error=entry.error)
    source = run.root / entry.file
    target = run.root / manual_id / "images" / source.name
    if source != target:
        if not _holds(target, entry):
            place_file(source, target)
        # From now on this copy counts: the other manual may no longer show the image.
        run.journal.note(replace(entry, file=target.relative_to(run.root).as_posix()))
    return CrawledImage(
        src, url, f"images/{source.name}", entry.sha256, entry.size_bytes, entry.size_wh
    )


async def _get_image(run: _Run, manual_id: str, url: str) -> Entry:
    known = _known(run, url)
    if known and known.file and not known.error and url in run.journal.resumed:
        return replace(known, bytes=0, attempts=0)
    entry, path = await _ask(run, url, "image", known)
    if path is None:
        return entry
    looked, first = await _look(run, entry, path), entry
    if looked.error:  # perhaps only the transfer went wrong: once more
        again, path = await _ask(run, url, "image", None)
        spent = {"bytes": entry.bytes + again.bytes, "attempts": entry.attempts + again.attempts}
        entry = replace(again, **spent)
        if path is None:
            return entry
        looked = await _look(run, entry, path)
        if looked.error and entry.sha256 != first.sha256:
            # Two bad transfers, not one bad file: its validators must not freeze the fault.
            looked = replace(looked, etag=None, last_modified=None)
    return looked if looked.error else _keep(run, looked, path, f"{manual_id}/images")


async def _look(run: _Run, entry: Entry, path: Path) -> Entry:
    """The entry with size and name of the image in `path`; with an error and no file if it is bad.

    Decoding is done in a thread: it takes long enough to hold up other transfers.
    """
    entry = replace(entry, size_bytes=path.stat().st_size)
    try:
        async with run.decoders:
            data, limit = path.read_bytes(), run.options.max_pixels
            info = await asyncio.to_thread(images.inspect_image, data, limit)
    except images.ImageError as err:
        path.unlink()
        log.warning("%s: %s", entry.url, err)
        return replace(entry, error=err.reason)
    name = f"{(entry.sha256 or '')[:16]}{images.EXTENSIONS[info.format]}"
    return replace(entry, file=name, size_wh=info.size_wh)


def _keep(run: _Run, entry: Entry, path: Path, folder: str) -> Entry:
    """Move a whole file into a folder under the entry's name, unless it lies there already."""
    target = run.root / folder / (entry.file or "")
    if _holds(target, entry):
        path.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        path.replace(target)
    return replace(entry, file=target.relative_to(run.root).as_posix())


async def _page(run: _Run, url: str, kind: str) -> tuple[Entry, str | None]:
    """A page's text, or None with the reason in the entry. Bodies are kept to ask for changes."""
    async with run.locks[url]:
        if url not in run.journal.done:
            known = _known(run, url)
            entry, path = await _ask(run, url, kind, known)
            if path is not None:
                name = f"{(entry.sha256 or '')[:16]}.html"
                entry = replace(entry, file=name, size_bytes=path.stat().st_size)
                entry = _keep(run, entry, path, PAGES)
            run.journal.note(entry)
            if entry.error:
                log.warning("%s: %s%s", url, entry.error, ", earlier copy used" * bool(entry.file))
        entry = run.journal.entries[url]
    if entry.file is None:
        return entry, None
    return entry, decode_html((run.root / entry.file).read_bytes(), entry.charset)


async def _ask(run: _Run, url: str, kind: str, known: Entry | None) -> tuple[Entry, Path | None]:
    """Fetch a URL: an entry, and the temporary file of its body if there is a new one."""
    # Only a whole answer tells the charset of a page that was fetched by an older version.
    ask_whole = known is None or (kind != "image" and known.charset is None)
    validators = () if known is None or ask_whole else (known.etag, known.last_modified)
    fetched = await fetch.fetch(run.session, url, *validators)
    if fetched.error:
        log.debug("%s: %s %s", url, fetched.error, fetched.detail)
    return _asked(known, kind, fetched), fetched.path


def _asked(known: Entry | None, kind: str, fetched: Fetched) -> Entry:
    """The entry that a fetch leaves, given what was known before."""
    entry = Entry(
        fetched.url,
        kind,
        fetched.status,
        fetched.wire_bytes,
        fetched.sha256,
        fetched.error,
        fetched.etag,
        fetched.last_modified,
        fetched.attempts,
        fetched.final_url,
        charset=of_content_type(fetched.content_type) or "",
    )
    unchanged = fetched.status == 304 and fetched.error is None
    if known is None or not (unchanged or (fetched.transient and known.file)):
        return entry
    fault = known.error if known.error in _FILE_FAULTS else None
    return replace(
        known,
        kind=kind,
        status=fetched.status,
        bytes=fetched.wire_bytes,
        error=fault if unchanged else fetched.error,
        etag=fetched.etag or known.etag,
        last_modified=fetched.last_modified or known.last_modified,
        attempts=fetched.attempts,
        final_url=fetched.final_url if unchanged else known.final_url,
        # Servers may leave Content-Type out of a 304.
        charset=of_content_type(fetched.content_type) or known.charset,
    )


def _known(run: _Run, url: str) -> Entry | None:
    """What an earlier run left of a URL, if it is still whole on disk and within today's limits."""
    entry = run.journal.entries.get(url)
    if entry is None or entry.size_bytes > run.options.max_bytes:
        return None
    if entry.file is None:
        return entry if entry.error in _FILE_FAULTS - {"too_many_pixels"} else None
    width, height = entry.size_wh or (0, 0)
    if width * height > run.options.max_pixels or not _holds(run.root / entry.file, entry):
        return None
    return entry


def _holds(path: Path, entry: Entry) -> bool:
    """True if the file is there with the very bytes of the entry."""
    return path.is_file() and sha256(path.read_bytes()) == entry.sha256


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order; the first failure stops the rest before it is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


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


def _listing_error(run: _Run, entry: Entry) -> UserError:
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

"""One URL of a crawl: asked for if need be, looked at, kept. The crawl's walk is in `crawl`."""

import asyncio
import dataclasses
import logging
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from builder.sources.audio import fetch, refresh, web
from builder.sources.audio.charset import decode_html, of_content_type
from builder.sources.audio.crawl_store import PAGES, Entry, Journal
from builder.sources.audio.fetch import CrawlOptions, Fetched
from builder.sources.audio.fetch_session import Session
from core import code
from core.pictures import images
from core.records import Drop
from core.store import sha256

# Faults of the file itself: asking again is of use only once the server says that it changed.
_FILE_FAULTS = {*images.FAULTS, "too_many_pixels"}

log = logging.getLogger("lego_arta.crawl")
T = TypeVar("T")


@dataclasses.dataclass
class Run:
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
    drops: dict[str, Drop] = dataclasses.field(default_factory=dict)  # by URL
    # Ids of manuals that an earlier run made whole from the page that their site has now.
    settled: set[str] = dataclasses.field(default_factory=set)


async def get_page(run: Run, url: str, kind: str) -> tuple[Entry, str | None]:
    """A page's text, or None with the reason in the entry. Bodies are kept to ask for changes.

    A page that sends its reader on (`<meta http-equiv=refresh>`) is followed like a redirect; the
    entry is that of the last page.
    """
    seen: set[str] = set()
    for _ in range(fetch.MAX_HOPS):
        entry, html = await _get_page(run, url, kind)
        page_url = entry.final_url or url
        target = web.refresh_target(html, page_url) if html is not None else None
        if target is None:
            return entry, html
        seen |= {url, page_url}
        if target in seen:
            break
        url = target
    entry = replace(entry, error="too_many_redirects")
    run.journal.note(entry)
    return entry, None


async def _get_page(run: Run, url: str, kind: str) -> tuple[Entry, str | None]:
    async with run.locks[url]:
        if url not in run.journal.done:
            known = _known(run, url)
            entry, path = await _ask(run, url, kind, known)
            if path is not None:
                name = f"{(entry.sha256 or '')[:16]}.html"
                entry = replace(entry, file=name, size_bytes=path.stat().st_size)
                entry = _keep(run, entry, path, PAGES)
            run.journal.note(entry)
            if entry.error and entry.file and entry.attempts:
                log.warning("%s: %s, earlier copy used", url, entry.error)
        entry = run.journal.entries[url]
    if entry.file is None:
        return entry, None
    return entry, decode_html((run.root / entry.file).read_bytes(), entry.charset)


async def get_image(run: Run, manual_id: str, url: str) -> Entry:
    """The entry of an image, which lies in the manual's folder if it has a file.

    A bad one is fetched once more, for perhaps only its transfer went wrong.
    """
    known = _known(run, url)
    if known and known.file and not known.error and url in run.journal.resumed:
        return replace(known, bytes=0, attempts=0)
    if known and manual_id in run.settled and refresh.is_fresh(known, run.options):
        return replace(known, bytes=0, attempts=0)
    entry, path = await _ask(run, url, "image", known)
    if path is None:
        return entry
    looked, first = await _look(run, entry, path), entry
    if looked.error:
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


async def _look(run: Run, entry: Entry, path: Path) -> Entry:
    """The entry with size and name of the image in `path`; with an error and no file if it is bad.

    Decoding is done in a thread: it takes long enough to hold up other transfers.
    """
    entry = replace(entry, size_bytes=path.stat().st_size, code=code.of(images.__name__))
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


def _keep(run: Run, entry: Entry, path: Path, folder: str) -> Entry:
    """Move a whole file into a folder under the entry's name, unless it lies there already."""
    target = run.root / folder / (entry.file or "")
    if holds(target, entry):
        path.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        path.replace(target)
    return replace(entry, file=target.relative_to(run.root).as_posix())


async def _ask(run: Run, url: str, kind: str, known: Entry | None) -> tuple[Entry, Path | None]:
    """Fetch a URL: an entry, and the temporary file of its body if there is a new one."""
    if run.options.refresh == "never":
        left = run.journal.entries.get(url)
        failed = left if left and not left.file else None
        return known or failed or Entry(url, kind, error=refresh.NOT_FETCHED), None
    # Only a whole answer tells the charset of a page that was fetched by an older version.
    ask_whole = known is None or (kind != "image" and known.charset is None)
    validators = () if known is None or ask_whole else (known.etag, known.last_modified)
    fetched = await fetch.fetch(run.session, url, *validators)
    if fetched.error:
        log.debug("%s: %s %s", url, fetched.error, fetched.detail)
    return entry_of(known, kind, fetched), fetched.path


def entry_of(known: Entry | None, kind: str, fetched: Fetched) -> Entry:
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
    told = refresh.max_age_of(fetched.cache_control)
    if fetched.error is None:
        entry = replace(entry, checked_at_s=time.time(), max_age_s=told)
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
        # Servers may leave Content-Type and Cache-Control out of a 304.
        charset=of_content_type(fetched.content_type) or known.charset,
        checked_at_s=entry.checked_at_s or known.checked_at_s,
        max_age_s=known.max_age_s if told is None else told,
    )


def _known(run: Run, url: str) -> Entry | None:
    """What an earlier run left of a URL, if it is still whole on disk and within today's limits."""
    entry = run.journal.entries.get(url)
    if entry is None or entry.size_bytes > run.options.max_bytes:
        return None
    if entry.kind == "image" and entry.code != code.of(images.__name__):
        entry = _looked_again(run, entry)
        if entry is None:
            return None
    if entry.file is None:
        return entry if entry.error in _FILE_FAULTS - {"too_many_pixels"} else None
    if entry.size_wh:
        try:
            images.check_size(entry.size_wh, run.options.max_pixels)
        except images.ImageError:
            return None
    return entry if holds(run.root / entry.file, entry) else None


def _looked_again(run: Run, entry: Entry) -> Entry | None:
    """An image on disk as this code sees it, not the code that fetched it; None to ask for it
    anew: it was refused then, or would be now.
    """
    try:
        data = (run.root / (entry.file or "")).read_bytes()
        info = images.inspect_image(data, run.options.max_pixels)
    except (OSError, images.ImageError):
        return None
    return replace(entry, size_wh=info.size_wh, code=code.of(images.__name__))


def holds(path: Path, entry: Entry) -> bool:
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

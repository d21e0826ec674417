"""Polite HTTP: the only module that asks anything of the network (by `fetch_session`'s client).

It says who it is, asks robots.txt first, waits between requests, keeps few connections a host,
honours Retry-After, retries what may pass (time-outs, dropped connections, 429, 5xx), stays on
the allowed hosts through every redirect, and streams bodies to disk under a size limit. What
goes wrong with one URL is a value (`Fetched.error`), not an exception: a crawl goes on.
"""

import asyncio
import dataclasses
import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import tenacity
from protego import Protego

from builder.sources.audio import charset
from builder.sources.audio.fetch_session import (
    CrawlOptions as CrawlOptions,  # callers take them from here
)
from builder.sources.audio.fetch_session import Fetched as Fetched
from builder.sources.audio.fetch_session import (
    FetchError,
    Host,
    Session,
    check_host,
    host_of,
    parse_url,
)
from builder.sources.audio.fetch_session import open_session as open_session
from builder.sources.audio.links import refresh_of, resolve
from core.errors import UserError

RETRY_AFTER_CAP_S = 120.0  # a server that asks for more is asked again after this long
_BACKOFF_CAP_S = 60.0
_HEAD_TIMEOUTS = 2  # connecting and the headers may take this many times `timeout_s` together
_BODY_TIMEOUTS = 20  # and a whole transfer this many times
MAX_HOPS = 10
_SLOW_TRIES = 2
_REDIRECTS = {301, 302, 303, 307, 308}
# So many URLs of a host given up in a row mean that the host is down, not that the URLs are bad.
_GIVE_UP_AFTER = 20

log = logging.getLogger("lego_arta.crawl")


@dataclasses.dataclass
class _Tally:
    attempts: int = 0
    wire_bytes: int = 0


async def fetch(
    session: Session,
    url: str,
    etag: str | None = None,
    last_modified: str | None = None,
    *,
    ask_robots: bool = True,
) -> Fetched:
    """GET a URL into a temporary file; with validators a status of 304 means "unchanged"."""
    options, tally = session.options, _Tally()
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    retrying = tenacity.AsyncRetrying(
        stop=lambda state: state.attempt_number >= _tries(options, state.outcome),
        wait=tenacity.wait_exponential(multiplier=options.backoff_s, max=_BACKOFF_CAP_S)
        + tenacity.wait_random(0, options.backoff_s),
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, FetchError) and e.transient),
        reraise=True,
    )
    try:
        start = parse_url(url)
        sent = {name: value for name, value in headers.items() if value and value.isascii()}
        fetched: Fetched = await retrying(_follow, session, start, sent, tally, ask_robots)
    except FetchError as err:
        fetched = Fetched(
            url,
            err.url,
            int(err.reason[5:]) if err.reason.startswith("http_") else None,
            error=err.reason,
            detail=err.detail,
            transient=err.transient,
        )
    _count_failures(session, fetched)
    return dataclasses.replace(
        fetched, url=url, wire_bytes=tally.wire_bytes, attempts=tally.attempts
    )


def _tries(options: CrawlOptions, outcome: Any) -> int:
    """How often a URL is asked for. A slow one takes long each time: twice is enough."""
    slow = getattr(outcome.exception(), "reason", "") == "too_slow"
    return min(options.retries + 1, _SLOW_TRIES if slow else sys.maxsize)


def retry_after_s(value: str | None, now: datetime) -> float:
    """Seconds a Retry-After header asks for (a number or an HTTP date), capped; 0 if unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_CAP_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if moment.tzinfo is None:  # "-0000" in the header
        moment = moment.replace(tzinfo=timezone.utc)
    return min(max((moment - now).total_seconds(), 0.0), RETRY_AFTER_CAP_S)


async def _follow(
    session: Session, url: httpx.URL, headers: dict[str, str], tally: _Tally, ask_robots: bool
) -> Fetched:
    """One attempt: the request and its redirects, every hop checked before it is made."""
    for hop in range(MAX_HOPS):
        check_host(session, url)
        if ask_robots:
            await _check_robots(session, url)
        tally.attempts += hop == 0
        outcome = await _hop(session, url, headers, tally)
        if isinstance(outcome, Fetched):
            return outcome
        url = outcome
    raise FetchError("too_many_redirects", url, f"more than {MAX_HOPS}")


async def _hop(
    session: Session, url: httpx.URL, headers: dict[str, str], tally: _Tally
) -> Fetched | httpx.URL:
    """One request in its turn: a result, or the URL it redirects to."""
    host = host_of(session, url)
    async with host.slots:
        await _wait_turn(host)
        timeout_s, started = session.options.timeout_s, anyio.current_time()
        try:
            with anyio.fail_after(timeout_s * _HEAD_TIMEOUTS) as limit:
                async with session.client.stream("GET", url, headers=headers) as response:
                    limit.deadline = started + timeout_s * _BODY_TIMEOUTS
                    return await _read(session, host, response, bool(headers), tally)
        except httpx.TimeoutException as err:
            raise FetchError("timeout", url, str(err), transient=True) from err
        except TimeoutError as err:
            seconds = anyio.current_time() - started
            raise FetchError(
                "too_slow", url, f"not done in {seconds:.0f} s", transient=True
            ) from err
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as err:
            raise FetchError("bad_url", url, str(err)) from err
        except httpx.RequestError as err:  # refused, reset, cut short, garbled
            raise FetchError("connection_failed", url, str(err), transient=True) from err


async def _read(
    session: Session, host: Host, response: httpx.Response, conditional: bool, tally: _Tally
) -> Fetched | httpx.URL:
    status, url = response.status_code, response.request.url
    if target := _sent_on_to(response):
        return target
    if status == 429 or status >= 500:
        pause = retry_after_s(response.headers.get("retry-after"), datetime.now(timezone.utc))
        # The whole host rests: the header speaks of the client, not of this one URL.
        host.next_start = max(host.next_start, asyncio.get_running_loop().time() + pause)
        raise FetchError(f"http_{status}", url, transient=True)
    path = digest = None
    if status == 200:
        path, digest = await _receive(response, session, tally)
    elif not (status == 304 and conditional):
        raise FetchError(f"http_{status}", url)
    return Fetched(
        str(url),
        str(url),
        status,
        path,
        digest,
        etag=response.headers.get("etag"),
        last_modified=response.headers.get("last-modified"),
        content_type=response.headers.get("content-type"),
        cache_control=response.headers.get("cache-control"),
    )


def _sent_on_to(response: httpx.Response) -> httpx.URL | None:
    """Where a response sends its reader on: by a redirect or, as browsers do, a Refresh header."""
    url, href = response.request.url, None
    if response.status_code in _REDIRECTS:
        href = response.headers.get("location")
    elif response.status_code == 200:
        href = refresh_of(response.headers.get("refresh", ""))
    if not href:
        return None
    try:
        target = httpx.URL(resolve(href, str(url)))
    except httpx.InvalidURL as err:
        raise FetchError("bad_url", url, f"redirect to {href!r}") from err
    return None if response.status_code == 200 and target == url else target


async def _receive(response: httpx.Response, session: Session, tally: _Tally) -> tuple[Path, str]:
    """Stream a body to a temporary file; what is announced or sent beyond the limit is refused."""
    url, max_bytes = response.request.url, session.options.max_bytes
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise FetchError("too_large", url, f"{announced} bytes announced, limit {max_bytes}")
    handle, name = tempfile.mkstemp(dir=session.incoming, suffix=".part")
    path, digest, size = Path(name), hashlib.sha256(), 0
    try:
        with os.fdopen(handle, "wb") as body:
            async for chunk in _paced(response, session.options):
                size += len(chunk)
                if size > max_bytes:
                    raise FetchError("too_large", url, f"over {max_bytes} bytes sent")
                digest.update(chunk)
                body.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        tally.wire_bytes += response.num_bytes_downloaded
    return path, digest.hexdigest()


async def _paced(response: httpx.Response, options: CrawlOptions) -> AsyncIterator[bytes]:
    """The pieces of a body as they come, as long as it does not come too slowly."""
    started = anyio.current_time()
    pieces = response.aiter_bytes()
    while True:
        received = response.num_bytes_downloaded
        deadline = started + options.grace_s + received / options.min_bytes_per_s
        try:
            with anyio.fail_after(deadline - anyio.current_time()):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError as err:
            seconds = anyio.current_time() - started
            detail = f"{received} bytes in {seconds:.0f} s"
            raise FetchError("too_slow", response.request.url, detail, transient=True) from err
        yield piece


async def _wait_turn(host: Host) -> None:
    """Sleep until this host may be asked again; one waiter at a time keeps the distance."""
    clock = asyncio.get_running_loop().time
    async with host.gate:
        # A Retry-After may move the moment while we sleep, so look again.
        while (wait := host.next_start - clock()) > 0:
            await asyncio.sleep(wait)
        host.next_start = clock() + host.delay_s


async def _check_robots(session: Session, url: httpx.URL) -> None:
    host = host_of(session, url)
    async with host.robots_lock:
        if host.robots_fetched is None:
            await _load_robots(session, host, url.join("/robots.txt"))
    if host.robots is None:
        error = host.robots_fetched.error if host.robots_fetched else ""
        raise FetchError("robots_unavailable", url, f"its robots.txt gave {error}")
    agent = session.options.user_agent.split("/")[0]
    if not host.robots.can_fetch(str(url), agent):
        raise FetchError("robots_disallowed", url)


async def _load_robots(session: Session, host: Host, url: httpx.URL) -> None:
    """Read a host's robots.txt: absent (4xx) allows all, unreadable (5xx, no answer) nothing."""
    fetched = await fetch(session, str(url), ask_robots=False)
    text = ""
    if fetched.path is not None:
        named = charset.of_content_type(fetched.content_type)
        text = charset.decode_plain(fetched.path.read_bytes(), named)
        fetched.path.unlink()
    host.robots_fetched = dataclasses.replace(fetched, path=None)
    absent = fetched.status is not None and 400 <= fetched.status < 500 and not fetched.transient
    if fetched.error is None or absent:
        host.robots = Protego.parse(text)
        asked = host.robots.crawl_delay(session.options.user_agent.split("/")[0]) or 0.0
        if asked > host.delay_s:
            log.info("%s asks for %g s between requests: so be it", url, asked)
            host.delay_s = float(asked)


def _count_failures(session: Session, fetched: Fetched) -> None:
    """Stop the crawl when a host has stopped answering, instead of failing URL by URL."""
    if fetched.status is None and not fetched.transient:
        return  # refused by ourselves: says nothing of the host
    host = host_of(session, httpx.URL(fetched.final_url))
    host.given_up = host.given_up + 1 if fetched.transient else 0
    if host.given_up >= _GIVE_UP_AFTER:
        raise UserError(
            f"{fetched.final_url}: {host.given_up} URLs in a row failed, last with "
            f"{fetched.error}; the host seems down: run again later, the crawl goes on from here"
        )

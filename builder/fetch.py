"""Polite HTTP: the only module that opens a socket.

It says who it is, asks robots.txt first, waits between requests, keeps few connections a host,
honours Retry-After, retries what may pass (time-outs, dropped connections, 429, 5xx), stays on
the allowed hosts through every redirect, and streams bodies to disk under a size limit. What
goes wrong with one URL is a value (`Fetched.error`), not an exception: a crawl goes on.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import anyio
import httpx
import tenacity
from protego import Protego

from builder.records import UserError
from builder.sources import charset

RETRY_AFTER_CAP_S = 120.0  # a server that asks for more is asked again after this long
_BACKOFF_CAP_S = 60.0
_BODY_TIMEOUTS = 20  # a whole transfer may take this many times `timeout_s`
_CHUNK = 1 << 16
_MAX_HOPS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_DEFAULT_PORTS = {"http": 80, "https": 443}
# So many URLs of a host given up in a row mean that the host is down, not that the URLs are bad.
_GIVE_UP_AFTER = 20

log = logging.getLogger("lego_arta.crawl")


def _default_user_agent() -> str:
    try:
        version = importlib.metadata.version("lego-arta")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        version = "0"
    return f"lego-arta/{version} (research dataset builder)"


@dataclasses.dataclass(frozen=True)
class CrawlOptions:
    """How to crawl. `allowed_hosts` ("host" or "host:port") come on top of the listing's own."""

    delay_s: float = 0.5
    concurrency: int = 4
    timeout_s: float = 30.0
    retries: int = 5
    max_bytes: int = 64 * 2**20
    max_pixels: int = 100_000_000
    allowed_hosts: tuple[str, ...] = ()
    user_agent: str = dataclasses.field(default_factory=_default_user_agent)
    backoff_s: float = 0.5


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What came of asking for a URL. `path` is a temporary file that the caller takes over."""

    url: str
    final_url: str
    status: int | None = None
    path: Path | None = None
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    error: str | None = None
    detail: str = ""
    transient: bool = False
    wire_bytes: int = 0
    attempts: int = 0


class FetchError(Exception):
    """One attempt failed; `transient` says whether another one may do better."""

    def __init__(
        self, reason: str, url: httpx.URL | str, detail: str = "", *, transient: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.url, self.detail, self.transient = reason, str(url), detail, transient


@dataclasses.dataclass
class _Host:
    """Where we stand with one origin (scheme, host and port)."""

    slots: asyncio.Semaphore
    delay_s: float
    gate: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    next_start: float = 0.0
    robots_lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    robots: Protego | None = None
    robots_fetched: Fetched | None = None
    given_up: int = 0


@dataclasses.dataclass
class Session:
    """One crawl's connections and what it knows of each host. Made by `open_session`."""

    options: CrawlOptions
    client: httpx.AsyncClient
    incoming: Path  # folder for bodies that are not whole yet
    allowed: frozenset[tuple[str, int]]
    hosts: dict[str, _Host] = dataclasses.field(default_factory=dict)

    def robots_fetched(self) -> list[Fetched]:
        """How asking for each host's robots.txt went."""
        return [host.robots_fetched for host in self.hosts.values() if host.robots_fetched]


@dataclasses.dataclass
class _Tally:
    attempts: int = 0
    wire_bytes: int = 0


@contextlib.asynccontextmanager
async def open_session(
    listing_url: str, options: CrawlOptions, incoming: Path
) -> AsyncIterator[Session]:
    """A session that may ask the listing's host and the allowed ones."""
    async with httpx.AsyncClient(
        headers={"User-Agent": options.user_agent},
        timeout=options.timeout_s,
        limits=httpx.Limits(max_connections=None),  # the limit is kept per host, below
        follow_redirects=False,
    ) as client:
        yield Session(options, client, incoming, _allowed(listing_url, options))


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
        stop=tenacity.stop_after_attempt(options.retries + 1),
        wait=tenacity.wait_exponential(multiplier=options.backoff_s, max=_BACKOFF_CAP_S)
        + tenacity.wait_random(0, options.backoff_s),
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, FetchError) and e.transient),
        reraise=True,
    )
    try:
        start = _parse_url(url)
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
    tally.attempts += 1
    for _ in range(_MAX_HOPS):
        _check_host(session, url)
        if ask_robots:
            await _check_robots(session, url)
        outcome = await _hop(session, url, headers, tally)
        if isinstance(outcome, Fetched):
            return outcome
        url = outcome
    raise FetchError("too_many_redirects", url, f"more than {_MAX_HOPS}")


async def _hop(
    session: Session, url: httpx.URL, headers: dict[str, str], tally: _Tally
) -> Fetched | httpx.URL:
    """One request in its turn: a result, or the URL it redirects to."""
    host = _host(session, url)
    async with host.slots:
        await _wait_turn(host)
        try:
            with anyio.fail_after(session.options.timeout_s * _BODY_TIMEOUTS):
                async with session.client.stream("GET", url, headers=headers) as response:
                    return await _read(session, host, response, bool(headers), tally)
        except (httpx.TimeoutException, TimeoutError) as err:
            raise FetchError("timeout", url, str(err), transient=True) from err
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as err:
            raise FetchError("bad_url", url, str(err)) from err
        except httpx.RequestError as err:  # refused, reset, cut short, garbled
            raise FetchError("connection_failed", url, str(err), transient=True) from err


async def _read(
    session: Session, host: _Host, response: httpx.Response, conditional: bool, tally: _Tally
) -> Fetched | httpx.URL:
    status, url = response.status_code, response.request.url
    location = response.headers.get("location")
    if status in _REDIRECTS and location:
        try:
            return url.join(location).copy_with(fragment=None)
        except httpx.InvalidURL as err:
            raise FetchError("bad_url", url, f"redirect to {location!r}") from err
    if status == 429 or status >= 500:
        pause = retry_after_s(response.headers.get("retry-after"), datetime.now(timezone.utc))
        # The whole host rests: the header speaks of the client, not of this one URL.
        host.next_start = max(host.next_start, asyncio.get_running_loop().time() + pause)
        raise FetchError(f"http_{status}", url, transient=True)
    path = digest = None
    if status == 200:
        path, digest = await _receive(response, session.incoming, session.options.max_bytes, tally)
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
    )


async def _receive(
    response: httpx.Response, incoming: Path, max_bytes: int, tally: _Tally
) -> tuple[Path, str]:
    """Stream a body to a temporary file; what is announced or sent beyond the limit is refused."""
    url = response.request.url
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise FetchError("too_large", url, f"{announced} bytes announced, limit {max_bytes}")
    handle, name = tempfile.mkstemp(dir=incoming, suffix=".part")
    path, digest, size = Path(name), hashlib.sha256(), 0
    try:
        with os.fdopen(handle, "wb") as body:
            async for chunk in response.aiter_bytes(_CHUNK):
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


async def _wait_turn(host: _Host) -> None:
    """Sleep until this host may be asked again; one waiter at a time keeps the distance."""
    clock = asyncio.get_running_loop().time
    async with host.gate:
        # A Retry-After may move the moment while we sleep, so look again.
        while (wait := host.next_start - clock()) > 0:
            await asyncio.sleep(wait)
        host.next_start = clock() + host.delay_s


async def _check_robots(session: Session, url: httpx.URL) -> None:
    host = _host(session, url)
    async with host.robots_lock:
        if host.robots_fetched is None:
            await _load_robots(session, host, url.join("/robots.txt"))
    if host.robots is None:
        error = host.robots_fetched.error if host.robots_fetched else ""
        raise FetchError("robots_unavailable", url, f"its robots.txt gave {error}")
    agent = session.options.user_agent.split("/")[0]
    if not host.robots.can_fetch(str(url), agent):
        raise FetchError("robots_disallowed", url)


async def _load_robots(session: Session, host: _Host, url: httpx.URL) -> None:
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


def _host(session: Session, url: httpx.URL) -> _Host:
    origin = f"{url.scheme}://{url.host}:{_port(url)}"
    if origin not in session.hosts:
        slots = asyncio.Semaphore(max(session.options.concurrency, 1))
        session.hosts[origin] = _Host(slots, session.options.delay_s)
    return session.hosts[origin]


def _count_failures(session: Session, fetched: Fetched) -> None:
    """Stop the crawl when a host has stopped answering, instead of failing URL by URL."""
    if fetched.status is None and not fetched.transient:
        return  # refused by ourselves: says nothing of the host
    host = _host(session, httpx.URL(fetched.final_url))
    host.given_up = host.given_up + 1 if fetched.transient else 0
    if host.given_up >= _GIVE_UP_AFTER:
        raise UserError(
            f"{fetched.final_url}: {host.given_up} URLs in a row failed, last with "
            f"{fetched.error}; the host seems down: run again later, the crawl goes on from here"
        )


def _parse_url(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as err:
        raise FetchError("bad_url", url, str(err)) from err


def _check_host(session: Session, url: httpx.URL) -> None:
    if url.scheme not in _DEFAULT_PORTS or not url.host:
        raise FetchError("bad_url", url, "neither http nor https")
    if (url.host, _port(url)) not in session.allowed:
        raise FetchError("host_not_allowed", url, f"{url.host}:{_port(url)}")


def _port(url: httpx.URL) -> int:
    return url.port or _DEFAULT_PORTS.get(url.scheme, 0)


def _allowed(listing_url: str, options: CrawlOptions) -> frozenset[tuple[str, int]]:
    """(host, port) pairs; without a port both default ports, so http may redirect to https."""
    pairs: set[tuple[str, int]] = set()
    for text in (listing_url, *(f"http://{entry}" for entry in options.allowed_hosts)):
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as err:
            raise UserError(f"{text!r}: no usable address ({err}); give host or host:port") from err
        ports = (url.port,) if url.port else tuple(_DEFAULT_PORTS.values())
        pairs.update((url.host, port) for port in ports)
    return frozenset(pairs)

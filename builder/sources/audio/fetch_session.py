"""What a crawl knows of the hosts it asks: how it may ask, whom, and where it stands with each."""

import asyncio
import contextlib
import dataclasses
import importlib.metadata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import httpx
from protego import Protego

from core.errors import UserError

_DEFAULT_PORTS = {"http": 80, "https": 443}
DAY_S = 24 * 3600

# What a later crawl asks for again: pages, and pictures where there is a reason to; all; nothing.
Refresh = Literal["pages", "all", "never"]


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
    # A body that has come slower than this on the average, once so much time has passed, is given
    # up: at 1 KiB/s one page would hold up the crawl for minutes, and no server that means to
    # answer is that slow for so long.
    min_bytes_per_s: float = 1024.0
    grace_s: float = 30.0
    refresh: Refresh = "pages"
    # How long a picture is taken to be what it was while its page stays the same; None: as long as
    # its server said (Cache-Control), or `UNTOLD_AGE_S`.
    max_age_s: float | None = None


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
    cache_control: str | None = None
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
class Host:
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
    hosts: dict[str, Host] = dataclasses.field(default_factory=dict)

    def robots_fetched(self) -> list[Fetched]:
        """How asking for each host's robots.txt went."""
        return [host.robots_fetched for host in self.hosts.values() if host.robots_fetched]


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


def host_of(session: Session, url: httpx.URL) -> Host:
    """Where we stand with the host of a URL."""
    origin = f"{url.scheme}://{url.host}:{_port(url)}"
    if origin not in session.hosts:
        slots = asyncio.Semaphore(max(session.options.concurrency, 1))
        session.hosts[origin] = Host(slots, session.options.delay_s)
    return session.hosts[origin]


def parse_url(url: str) -> httpx.URL:
    """A URL taken apart; raises `FetchError` if it is none."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as err:
        raise FetchError("bad_url", url, str(err)) from err


def check_host(session: Session, url: httpx.URL) -> None:
    """Raise `FetchError` for a URL that this crawl may not ask for."""
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

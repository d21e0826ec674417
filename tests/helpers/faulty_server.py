"""A loopback web server that misbehaves on demand, and small brick sites to put on it.

`server.pages` maps a path (with its query) to a `Reply`, to a list of them (one a request, the
last one for ever), or to a function of the request handler that does as it likes with the socket.
"""

import contextlib
import dataclasses
import hashlib
import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import running
from PIL import Image


@dataclasses.dataclass
class Reply:
    """An answer; `etag` makes the server answer 304 where the client has this very body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    etag: bool = True
    wait_s: float = 0.0


@dataclasses.dataclass
class Request:
    """What was asked, when, how it was answered and how many body bytes were sent."""

    path: str
    headers: dict[str, str]
    time: float
    status: int = 0
    sent: int = 0


Page = Reply | list[Reply] | Callable[["Handler"], None]


class FaultyServer(ThreadingHTTPServer):
    """Counts and logs what it is asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.log: list[Request] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        # Called with the number of the request, halfway through its body.
        self.halfway: Callable[[int], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self, part: str = "") -> list[str]:
        """Paths of the requests that hold `part`, in order."""
        return [request.path for request in list(self.log) if part in request.path]

    def sent(self, part: str) -> int:
        """Body bytes sent for the paths that hold `part`."""
        return sum(request.sent for request in list(self.log) if part in request.path)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the game."""


class Handler(BaseHTTPRequestHandler):
    """Answers from `server.pages`."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            number = len(server.log)
            self.request_log = Request(self.path, dict(self.headers), time.monotonic())
            server.log.append(self.request_log)
            page = server.pages.get(self.path, Reply(b"nothing here", 404))
            if isinstance(page, list):
                page = page.pop(0) if len(page) > 1 else page[0]
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            if callable(page):
                page(self)
            else:
                self.answer(page, number)
        finally:
            with server.lock:
                server.at_once -= 1

    def answer(self, reply: Reply, number: int = -1) -> None:
        """Send a reply, or 304 without a body."""
        time.sleep(reply.wait_s)
        tag = f'"{hashlib.sha256(reply.body).hexdigest()[:12]}"'
        status, body = reply.status, reply.body
        if reply.etag and status == 200 and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        self.request_log.status = status
        self.send_response(status)
        if reply.etag and reply.status == 200:
            self.send_header("ETag", tag)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            if status != 304 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        self.send_body(body[: len(body) // 2])
        if self.server.halfway:
            self.server.halfway(number)
        self.send_body(body[len(body) // 2 :])

    def send_body(self, data: bytes) -> None:
        """Send bytes and count them."""
        self.wfile.write(data)
        self.request_log.sent += len(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextlib.contextmanager
def serving() -> Iterator[FaultyServer]:
    """A running server on a free port of 127.0.0.1."""
    with running(FaultyServer()) as server:
        yield server


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def short_body(body: bytes) -> Callable[[Handler], None]:
    """Announce more bytes than are sent."""

    def send(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 100))
        handler.end_headers()
        handler.send_body(body)
        handler.close_connection = True

    return send


def endless(handler: Handler) -> None:
    """A body without a length and without an end."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        while True:
            handler.send_body(b"x" * 65536)


def png(seed: int, size_wh: tuple[int, int] = (24, 16)) -> bytes:
    """A small PNG, another one for every seed."""
    width, height = size_wh
    pixels = random.Random(seed).randbytes(width * height * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size_wh, pixels).save(buffer, "PNG")
    return buffer.getvalue()


def manual_html(srcs: list[str], title: str = "LEGO 1 Thing") -> bytes:
    """A manual page with one row an image."""
    rows = "".join(
        f'<div class="row"><div class="image"><img src="{src}"></div>'
        '<div class="text"><div class="txtbox">Put it on top.</div></div></div>'
        for src in srcs
    )
    return (
        f'<html><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f'<img src="/logo.png"><div class="manual-table-container">{rows}</div></body></html>'
    ).encode()


def set_html(hrefs: list[str]) -> bytes:
    """A set page with its buttons, a braille file among them."""
    links = "".join(f'<a class="button icon" href="{href}">Text</a>' for href in hrefs)
    return f'<html>{links}<a class="button icon" href="/braille/1.txt">B</a></html>'.encode()


def listing_html(hrefs: list[str], following: str = "") -> bytes:
    """A listing page; `following` is the inside of its pager."""
    cards = "".join(f'<a class="mtt-instruction-card" href="{href}">S</a>' for href in hrefs)
    return f"<html>{cards}<ul>{following}</ul></html>".encode()


def next_link(href: str, classes: str = "page-link") -> str:
    """The pager's link to the next page."""
    return f'<li class="next"><a class="{classes}" href="{href}">Next</a></li>'


def brick_site(server: FaultyServer, manuals: int = 2, images: int = 3) -> str:
    """Put a whole small site on the server, image names shared by all manuals; its listing URL."""
    for number in range(manuals):
        srcs = [f"/pics/{number}/Step ##{step}.png" for step in range(images)]
        slug = f"/lego-{number}-thing"
        server.pages[f"{slug}/"] = Reply(set_html([f"{slug}-readscr/"]))
        server.pages[f"{slug}-readscr/"] = Reply(manual_html(srcs, f"LEGO {number} Thing"))
        for step in range(images):
            path = f"/pics/{number}/Step%20%23%23{step}.png"
            server.pages[path] = Reply(png(100 * number + step))
    sets = [f"/lego-{number}-thing/" for number in range(manuals)]
    server.pages["/list/"] = Reply(listing_html(sets[:1], next_link("?pagenumber=1")))
    last = next_link("?pagenumber=1", "page-link disabled")
    server.pages["/list/?pagenumber=1"] = Reply(listing_html(sets[1:], last))
    return f"{server.url}/list/"

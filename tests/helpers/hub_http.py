"""The wire of the loopback Hub: connections, bodies, ranges, and what goes wrong on purpose."""

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from hub_store import HubError, Store, User

BLOCK = 2**20


class Cut(Exception):
    """The connection ends here."""


@dataclasses.dataclass
class Fault:
    """What goes wrong with the next `times` requests whose method and path (a regular expression)
    match: an answer of `status`; the connection cut when `cut_after` bytes of the request are read;
    the work done but the answer lost; `wait_s` of silence first; `before` run first.
    """

    method: str
    path: str
    status: int = 0
    body: str = '{"error": "injected"}'
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cut_after: int | None = None
    lose_answer: bool = False
    wait_s: float = 0.0
    before: Callable[[], None] | None = None
    times: int = 1


@dataclasses.dataclass
class Request:
    """A request as it came in; `received` counts bytes of its body."""

    method: str
    path: str
    status: int = 0
    received: int = 0
    time_s: float = dataclasses.field(default_factory=time.monotonic)


class Hub(ThreadingHTTPServer):
    """The server, what it stores, what shall go wrong, what was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, handler: type) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.store = Store(folder)
        self.faults: list[Fault] = []
        self.log: list[Request] = []
        self.multipart_above = 5 * 10**9
        self.part_bytes = 5 * 10**9
        self.parts: dict[tuple[str, int], Path] = {}
        self.secret = "s3cret"
        self.pace_s = 0.0  # sleep at every block of a body, as a slow line would

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def storage_url(self) -> str:
        """Where big files lie: another origin."""
        return f"http://localhost:{self.server_address[1]}/storage"

    def signed(self, oid: str, **query: object) -> str:
        """An address that is good without a token, as S3 gives them."""
        sig = hashlib.sha256(f"{self.secret}{oid}".encode()).hexdigest()[:16]
        rest = "".join(f"&{name}={value}" for name, value in query.items())
        return f"{self.storage_url}/{oid}?X-Amz-Signature={sig}{rest}"

    def received(self, method: str, path: str) -> int:
        """Bytes of request bodies so far for a kind of request."""
        return sum(r.received for r in self.log if r.method == method and re.search(path, r.path))

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The first fault that wants this request."""
        with self.store.lock:
            for fault in self.faults:
                if fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here on purpose: a broken connection is no news."""


class Connection(BaseHTTPRequestHandler):
    """One connection. Paths are matched encoded, so that a branch may hold a slash."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Hub
    routes: ClassVar[list[tuple[str, str, Callable]]] = []

    def _serve(self) -> None:
        split = urlsplit(self.path)
        self.query = dict(parse_qsl(split.query))
        self.entry = Request(self.command, split.path)
        self.server.log.append(self.entry)
        fault = self.server.fault_for(self.command, self.path)
        self.cut_after = fault.cut_after if fault else None
        self.lost = bool(fault and fault.lose_answer)
        self.unread = True
        try:
            if fault:
                time.sleep(fault.wait_s)
                if fault.before:
                    fault.before()
                if fault.status:
                    self.body()
                    headers = {"Content-Type": "application/json", **fault.headers}
                    return self.answer(fault.status, fault.body.encode(), headers)
            self._route(split.path)
        except HubError as error:
            self.drain()
            headers = {"X-Error-Message": error.message, "X-Error-Code": error.code}
            headers = {name: value for name, value in headers.items() if value}
            self.json({"error": error.message}, error.status, headers)
        except (ConnectionError, Cut):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _route(self, path: str) -> None:
        method = "GET" if self.command == "HEAD" else self.command
        for wanted, pattern, function in self.routes:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                values = {name: unquote(value or "") for name, value in match.groupdict().items()}
                return function(self, **values)
        raise HubError(404, f"Cannot {self.command} {path}")

    # In and out ------------------------------------------------------------------------------

    @property
    def user(self) -> User | None:
        """Who asks; an unknown token is an error, none is a stranger."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given and given not in self.server.store.users:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.server.store.users.get(given)

    def blocks(self) -> Iterator[bytes]:
        """The request's body; cut where a fault says so."""
        self.unread = False
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        left = int(self.headers.get("Content-Length", 0))
        while chunked or left:
            if chunked:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return
            else:
                data = self.rfile.read1(min(left, BLOCK))
                left -= len(data)
            if not data:
                raise Cut
            time.sleep(self.server.pace_s)
            self.entry.received += len(data)
            if self.cut_after is not None and self.entry.received >= self.cut_after:
                raise Cut
            yield data

    def body(self) -> bytes:
        """The whole body, for small ones."""
        return b"".join(self.blocks())

    def drain(self) -> None:
        """Read what nobody read, or the next request on this connection is garbled."""
        if self.unread:
            for _ in self.blocks():
                pass

    def answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer with its length; nothing at all if it is to be lost."""
        self.entry.status = status
        if self.lost:
            raise Cut
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON."""
        type_ = {"Content-Type": "application/json; charset=utf-8"}
        self.answer(status, json.dumps(value).encode(), {**type_, **(headers or {})})

    def send_file(self, path: Path, headers: dict[str, str]) -> None:
        """A file, or the range asked for."""
        size = path.stat().st_size
        start, end, status = 0, size - 1, 200
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match:
            start, end, status = int(match[1]), min(int(match[2] or size), size - 1), 206
            headers = {**headers, "Content-Range": f"bytes {start}-{end}/{size}"}
        self.entry.status = status
        self.send_response(status)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - start + 1), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as file:
            file.seek(start)
            left = end - start + 1
            while left > 0 and (data := file.read(min(left, BLOCK))):
                self.wfile.write(data)
                left -= len(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

"""Whether a server can be reached at all: asked before work that would be lost without it."""

import socket
import urllib.request
from urllib.parse import urlsplit

from core.errors import UserError

PORTS = {"http": 80, "https": 443}
TIMEOUT_S = 10.0


def check_answers(option: str, url: str) -> None:
    """Raise `UserError` when nobody listens at the host and port of an address.

    Where a proxy stands between, only it could tell, and is not asked.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError as error:
        raise UserError(f"{option} {url}: no address ({error}); give http://HOST/...") from None
    if not host or not port:
        raise UserError(f"{option} {url}: give an address that begins with http:// or https://")
    proxied = parts.scheme in urllib.request.getproxies()
    if proxied and not urllib.request.proxy_bypass(host):
        return
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        raise UserError(
            f"{option} {url}: nobody answers at {host}:{port} ({error.strerror or error}); check "
            "the address and the network, and that the server runs"
        ) from None

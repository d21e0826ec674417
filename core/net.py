"""Whether a server can be reached at all: asked before work that would be lost without it."""

import socket
import threading
import urllib.request
from urllib.parse import urlsplit

from core.errors import UserError

PORTS = {"http": 80, "https": 443}
TIMEOUT_S = 5.0  # for all of it: the name, and each of its addresses


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
    why = _trouble(host, port)
    if why:
        raise UserError(
            f"{option} {url}: nobody answers at {host}:{port} ({why}); check "
            "the address and the network, and that the server runs"
        )


def _trouble(host: str, port: int) -> str:
    """Why nobody answers there, empty if somebody does.

    On a thread, for looking up a name has no time limit of its own.
    """
    found = [f"not within {TIMEOUT_S:g} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), TIMEOUT_S).close()
            found.append("")
        except OSError as error:
            found.append(error.strerror or str(error))

    asking = threading.Thread(target=connect, daemon=True)
    asking.start()
    asking.join(TIMEOUT_S)
    return found[-1]

"""Real HTTP servers on 127.0.0.1, as long as a test needs them."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from typing import TypeVar

Server = TypeVar("Server", bound=HTTPServer)


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server answers in a thread of its own until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        with contextlib.suppress(OSError):  # it may be closed already
            server.socket.shutdown(socket.SHUT_RDWR)
        server.server_close()
        thread.join()

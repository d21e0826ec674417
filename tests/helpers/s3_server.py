"""A real S3 server on 127.0.0.1 (moto), with something before it that misbehaves on demand."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import s3fs
from loopback import running
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "bricks"
_CODES = {503: "SlowDown", 403: "AccessDenied", 500: "InternalError"}


class Storage:
    """The server: what it was asked, in order, and what it answers instead of doing it.

    `refuse(method, path)` gives a status or None; it may also wait, or kill who asks. `url` is the
    endpoint; paths begin with the bucket.
    """

    def __init__(self) -> None:
        self.app = DomainDispatcherApplication(create_backend_app)
        self.log: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/")
        self.log.append((method, path))
        status = self.refuse(method, path)
        if status is None:
            return self.app(environ, start_response)
        if environ.get("wsgi.input_terminated"):
            environ["wsgi.input"].read()
        elif length := environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"].read(int(length))
        body = f"<Error><Code>{_CODES[status]}</Code><Message>no</Message></Error>".encode()
        start_response(f"{status} no", [("Content-Length", str(len(body)))])
        return [body]

    def files(self, folder: str = "") -> dict[str, bytes]:
        """What lies in the bucket below a folder, by its path there."""
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys
        found = {name: keys[name].value for name in list(keys) if name.startswith(folder)}
        return {name.removeprefix(folder).lstrip("/"): data for name, data in found.items()}

    def written(self, part: str = "") -> list[str]:
        """Paths of uploads that hold `part`, in order."""
        return [path for method, path in list(self.log) if method == "PUT" and part in path]


@contextlib.contextmanager
def s3_storage() -> Iterator[Storage]:
    """A running server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    storage = Storage()
    with running(make_server("127.0.0.1", 0, storage, threaded=True)) as server:
        storage.url = f"http://127.0.0.1:{server.server_port}"
        yield storage
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()


def emptied(storage: Storage, patch: pytest.MonkeyPatch) -> Storage:
    """The server with an empty bucket and no faults, which the environment names as the endpoint;
    nobody remembers connections of earlier tests."""
    told = {"AWS_ENDPOINT_URL": storage.url, "AWS_ACCESS_KEY_ID": "ann", "AWS_DEFAULT_REGION":
            "us-east-1", "AWS_SECRET_ACCESS_KEY": "hidden-from-all"}  # fmt: skip
    for name, value in told.items():
        patch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    storage.refuse = lambda method, path: None
    storage.log.clear()
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, "us-east-1")
    return storage

"""Manners and nerves of the HTTP layer, against a real server on the loopback."""

import asyncio
import gzip
import hashlib
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from faulty_server import Reply, endless, hang_up, serving, short_body

from builder.sources.audio import fetch
from builder.sources.audio.crawl import together
from builder.sources.audio.fetch import CrawlOptions, retry_after_s
from core.errors import UserError

QUICK = {"delay_s": 0.0, "backoff_s": 0.01, "retries": 2, "timeout_s": 60.0}
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def ask(server, folder, *paths, validators=(None, None), **options):
    """Fetch paths (or URLs) at once in one session; the results in order."""

    async def work():
        chosen = CrawlOptions(**{**QUICK, **options})
        async with fetch.open_session(f"{server.url}/list/", chosen, folder) as session:
            urls = [path if "://" in path else server.url + path for path in paths]
            # As the crawler does: no request outlives the session, even if one raises.
            return await together(fetch.fetch(session, url, *validators) for url in urls)

    return asyncio.run(work())


def test_a_body_lands_in_a_file_with_its_hash(server, tmp_path):
    body = bytes(range(256)) * 1000
    server.pages["/a"] = Reply(body, headers={"Last-Modified": "Mon, 06 May 2024 07:08:09 GMT"})
    (got,) = ask(server, tmp_path, "/a")
    assert got.path.read_bytes() == body and got.sha256 == hashlib.sha256(body).hexdigest()
    assert (got.status, got.error, got.attempts, got.wire_bytes) == (200, None, 1, len(body))
    assert got.etag and got.last_modified


def test_one_identified_user_agent(server, tmp_path):
    server.pages["/a"] = Reply(b"a", 302, {"Location": "/b"})
    server.pages["/b"] = Reply(b"b")
    ask(server, tmp_path, "/a", "/c")
    agents = {request.headers["User-Agent"] for request in server.log}
    assert len(agents) == 1 and len(server.log) == 4
    assert agents.pop().startswith("lego-arta/")


@pytest.mark.parametrize(
    ("robots", "error"),
    [
        ("User-agent: *\nDisallow: /private/", "robots_disallowed"),
        ("User-agent: lego-arta\nDisallow: /\n\nUser-agent: *\nAllow: /", "robots_disallowed"),
        ("User-agent: github\nDisallow: /", None),
        ("<html>no robots here</html>", None),
    ],
)
def test_robots_rules(server, tmp_path, robots, error):
    server.pages["/robots.txt"] = Reply(robots.encode())
    server.pages["/private/a"] = Reply(b"a")
    (got,) = ask(server, tmp_path, "/private/a")
    assert got.error == error
    assert server.asked("private") == ([] if error else ["/private/a"])


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_robots_in_other_charsets(server, tmp_path, charset):
    rules = "User-agent: *\nDisallow: /private/".encode(charset)
    server.pages["/robots.txt"] = Reply(rules)
    server.pages["/private/a"] = server.pages["/b"] = Reply(b"a")
    got = ask(server, tmp_path, "/private/a", "/b")
    assert [each.error for each in got] == ["robots_disallowed", None]


def test_robots_of_a_redirects_target_count(server, tmp_path):
    server.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private/")
    server.pages["/a"] = Reply(status=301, headers={"Location": "/private/a"})
    assert ask(server, tmp_path, "/a")[0].error == "robots_disallowed"
    assert not server.asked("private")


def test_robots_are_asked_once_and_5xx_forbids_all(server, tmp_path):
    server.pages["/robots.txt"] = Reply(b"", 503)
    got = ask(server, tmp_path, "/a", "/b")
    assert [each.error for each in got] == ["robots_unavailable"] * 2
    assert server.asked() == ["/robots.txt"] * 3


def test_crawl_delay_of_robots_wins_if_longer(server, tmp_path):
    server.pages["/robots.txt"] = Reply(b"User-agent: *\nCrawl-delay: 0.2")
    ask(server, tmp_path, "/a", "/b", "/c", delay_s=0.01)
    times = [request.time for request in server.log][1:]
    assert times[-1] - times[0] > 0.3, "two gaps of 0.2 s, less what the network blurs"


def test_delay_and_concurrency_per_host(server, tmp_path):
    paths = [f"/{number}" for number in range(8)]

    def full(handler):
        while server.most_at_once < 3:
            time.sleep(0.005)
        time.sleep(0.02)  # a fourth would come now
        handler.answer(Reply(b"x"))

    server.pages.update(dict.fromkeys(paths, full))
    ask(server, tmp_path, *paths, concurrency=3)
    assert server.most_at_once == 3
    server.log.clear()
    ask(server, tmp_path, *paths[:4], delay_s=0.1)
    times = sorted(request.time for request in server.log)
    assert times[-1] - times[0] > 0.3, "four gaps of 0.1 s, less what the network blurs"


@pytest.mark.parametrize("fault", [Reply(b"", 500), Reply(b"", 429), hang_up, short_body(b"x")])
def test_passing_faults_are_retried(server, tmp_path, fault):
    server.pages["/a"] = [fault, fault, Reply(b"good")]
    (got,) = ask(server, tmp_path, "/a")
    assert (got.error, got.attempts, got.path.read_bytes()) == (None, 3, b"good")
    assert len(list(tmp_path.iterdir())) == 1, "no part of a failed attempt stays"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reply(b"", 502), "http_502"),
        (hang_up, "connection_failed"),
        (short_body(b"x" * 500), "connection_failed"),
        (Reply(b"x", wait_s=30.0), "timeout"),
    ],
)
def test_lasting_faults_are_values(server, tmp_path, fault, error):
    server.pages["/robots.txt"] = Reply(b"")
    server.pages["/a"] = fault
    (got,) = ask(server, tmp_path, "/a", timeout_s=1.0, retries=1)
    assert (got.error, got.attempts, got.transient, got.path) == (error, 2, True, None)
    assert not list(tmp_path.iterdir())


def in_pieces(*pieces):
    """A page whose body comes in pieces, with a pause of half a second between two."""

    def send(handler):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(map(len, pieces))
        for piece in (head + pieces[0], *pieces[1:]):
            time.sleep(0 if piece.startswith(head) else 0.5)
            handler.wfile.write(piece)

    return send


def test_a_body_that_drips_is_given_up_below_a_rate(server, tmp_path):
    server.pages["/drips"] = server.pages["/soon"] = in_pieces(*[b"x"] * 60)
    server.pages["/pauses"] = in_pieces(b"x" * 10_000, b"y")
    got = ask(server, tmp_path, "/drips", "/pauses", min_bytes_per_s=10, grace_s=0.3)
    assert [(each.error, each.attempts, each.transient) for each in got] == [
        ("too_slow", 2, True),  # of the three tries that other faults get
        (None, 1, False),
    ]
    assert [file.stat().st_size for file in tmp_path.iterdir()] == [10_001]
    assert ask(server, tmp_path, "/soon", grace_s=0.3, retries=0)[0].attempts == 1


def test_headers_that_drip_are_given_up(server, tmp_path):
    def send(handler):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.1)

    server.pages["/a"] = send
    (got,) = ask(server, tmp_path, "/a", timeout_s=2.0, retries=0)
    assert (got.error, got.attempts) == ("too_slow", 1)


def test_4xx_is_not_retried(server, tmp_path):
    server.pages["/b"] = Reply(b"", 403)
    got = ask(server, tmp_path, "/a", "/b")
    assert [(each.error, each.attempts) for each in got] == [("http_404", 1), ("http_403", 1)]


def test_retry_after_rests_the_whole_host(server, tmp_path):
    server.pages["/a"] = [Reply(b"", 429, {"Retry-After": "1"}), Reply(b"a")]
    server.pages["/b"] = Reply(b"b")
    got = ask(server, tmp_path, "/a", "/b", concurrency=1)
    assert [each.error for each in got] == [None, None]
    refused = next(request.time for request in server.log if request.path == "/a")
    later = [request.time for request in server.log if request.time > refused]
    assert len(later) == 2 and all(moment - refused > 0.95 for moment in later)


def test_retry_after_is_read_in_every_form():
    soon = format_datetime(NOW + timedelta(seconds=7), usegmt=True)
    assert retry_after_s("3", NOW) == 3
    assert retry_after_s(soon, NOW) == 7
    assert retry_after_s(soon.replace("GMT", "-0000"), NOW) == 7
    past = format_datetime(NOW - timedelta(days=1), usegmt=True)
    for value in (None, "", "soon", "-5", "²", past):
        assert retry_after_s(value, NOW) == 0
    assert retry_after_s("9" * 30, NOW) == fetch.RETRY_AFTER_CAP_S
    far = format_datetime(NOW + timedelta(days=9), usegmt=True)
    assert retry_after_s(far, NOW) == fetch.RETRY_AFTER_CAP_S


def test_redirects_are_followed_but_not_off_the_host(server, tmp_path):
    with serving() as other:
        other.pages["/x"] = Reply(b"secret")
        port = other.server_address[1]
        targets = [
            f"{other.url}/x",
            f"http://localhost:{port}/x",
            f"//127.0.0.1:{port}/x",
            f"http://127.0.0.1:{server.server_address[1]}@127.0.0.1:{port}/x",
            "ftp://127.0.0.1/x",
            "file:///etc/hosts",
            "javascript:x",
            "mailto:a@b.c",
        ]
        for number, target in enumerate(targets):
            server.pages[f"/{number}"] = Reply(status=302, headers={"Location": target})
        server.pages["/good"] = Reply(status=308, headers={"Location": "deep\\..\\there"})
        server.pages["/there"] = Reply(b"ok")
        got = ask(server, tmp_path, *(f"/{n}" for n in range(len(targets))), "/good")
        assert {each.error for each in got[:4]} == {"host_not_allowed"}
        assert {each.error for each in got[4:-1]} == {"bad_url"}
        assert got[-1].path.read_bytes() == b"ok" and got[-1].final_url == f"{server.url}/there"
        assert not other.log
        allowed = ask(server, tmp_path, "/0", allowed_hosts=(f"127.0.0.1:{port}",))
        assert allowed[0].error is None and other.asked() == ["/robots.txt", "/x"]


def test_redirect_loops_end(server, tmp_path):
    server.pages["/a"] = Reply(status=302, headers={"Location": "/a"})
    assert ask(server, tmp_path, "/a")[0].error == "too_many_redirects"


def test_urls_off_the_host_are_never_asked(server, tmp_path):
    urls = ["http://example.invalid/", "http://127.0.0.1:1/", "ftp://127.0.0.1/a", "http://"]
    urls += ["http://127.0.0.1.evil.invalid/", "https://" + "x" * 70_000]
    got = ask(server, tmp_path, *urls)
    expected = ["host_not_allowed"] * 2 + ["bad_url"] * 2 + ["host_not_allowed", "bad_url"]
    assert [each.error for each in got] == expected and not server.log


def test_size_limit_while_streaming(server, tmp_path):
    server.pages["/told"] = Reply(b"x" * 5000)
    server.pages["/endless"] = endless
    server.pages["/packed"] = Reply(
        gzip.compress(bytes(500_000)), headers={"Content-Encoding": "gzip"}
    )
    got = ask(server, tmp_path, "/told", "/endless", "/packed", max_bytes=4000)
    assert [each.error for each in got] == ["too_large"] * 3
    assert got[0].wire_bytes == 0 and not list(tmp_path.iterdir())
    assert sum(each.wire_bytes for each in got) < 2**20


def test_a_length_that_lies_low_gives_only_that_much(server, tmp_path):
    server.pages["/a"] = Reply(b"x" * 5000, headers={"Content-Length": "10"})
    (got,) = ask(server, tmp_path, "/a", max_bytes=4000)
    assert got.path.read_bytes() == b"x" * 10


def test_gzip_bodies_are_unpacked(server, tmp_path):
    packed = gzip.compress(b"hello" * 100)
    server.pages["/a"] = Reply(packed, headers={"Content-Encoding": "gzip"})
    (got,) = ask(server, tmp_path, "/a")
    assert got.path.read_bytes() == b"hello" * 100 and got.wire_bytes == len(packed)


def test_conditional_requests(server, tmp_path):
    server.pages["/a"] = Reply(b"a")
    (first,) = ask(server, tmp_path, "/a")
    (again,) = ask(server, tmp_path, "/a", validators=(first.etag, "some date"))
    assert (again.status, again.path, again.wire_bytes, again.error) == (304, None, 0, None)
    assert server.log[-1].headers["If-Modified-Since"] == "some date"
    server.pages["/b"] = Reply(status=304)
    assert ask(server, tmp_path, "/b")[0].error == "http_304", (
        "304 to a plain question is no answer"
    )


def test_a_host_that_is_down_stops_the_crawl(server, tmp_path):
    server.pages["/robots.txt"] = Reply(b"")
    paths = [f"/{number}" for number in range(30)]
    server.pages.update({path: Reply(b"", 503) for path in paths})
    with pytest.raises(UserError, match=r"20 URLs in a row failed.*run again later"):
        ask(server, tmp_path, *paths, retries=0)


def test_allowed_hosts_that_are_none(server, tmp_path):
    with pytest.raises(UserError, match="give host or host:port"):
        ask(server, tmp_path, "/a", allowed_hosts=("a b:c",))

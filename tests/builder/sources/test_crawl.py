"""Whole crawls against a real server on the loopback: what ends up on disk, and what was asked."""

import dataclasses
import errno
import gzip
import itertools
import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from faulty_server import (
    Reply,
    brick_site,
    hang_up,
    listing_html,
    manual_html,
    next_link,
    png,
    serving,
    set_html,
    short_body,
)
from outside import MANUAL_SITE, ROOT

from builder.parse.manual import parse_manual
from builder.sources.audio import crawl, crawl_store
from builder.sources.audio.crawl import CrawlOptions, crawl_site
from builder.sources.source import Manuals
from core.errors import UserError
from core.records import CrawledManual, load
from core.store import sha256

QUICK = {"refresh": "all", "delay_s": 0.0, "backoff_s": 0.01, "retries": 2, "timeout_s": 5.0}
KILLED = """
import sys
from pathlib import Path
from builder.sources.audio.crawl import CrawlOptions, crawl_site
crawl_site(sys.argv[1], Path(sys.argv[2]), CrawlOptions(delay_s=0, backoff_s=0.01))
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def crawl_of(url, folder, limit=None, **options) -> Manuals:
    return crawl_site(url, folder, CrawlOptions(**{**QUICK, **options}), limit)


def run(url, folder, limit=None, **options) -> list[str]:
    return crawl_of(url, folder, limit, **options).manual_ids


def record(folder, manual_id) -> CrawledManual:
    return load(folder / manual_id / "crawl.json", CrawledManual)


def report(folder) -> dict[str, dict]:
    lines = (folder / "report.jsonl").read_text().splitlines()
    return {entry["url"]: entry for entry in map(json.loads, lines)}


def tree(folder) -> dict[str, bytes]:
    """Every file but the report, which tells of one run."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "report.jsonl"]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def stats(folder) -> dict[str, tuple[int, int]]:
    files = [folder / name for name in tree(folder)]
    return {str(file): (file.stat().st_mtime_ns, file.stat().st_ino) for file in files}


def one_manual(server, srcs, slug="lego-7-a-thing-readscr"):
    """A site of one manual with these srcs; its listing URL."""
    server.pages["/list/"] = Reply(listing_html(["/set/"]))
    server.pages["/set/"] = Reply(set_html([f"/{slug}/"]))
    server.pages[f"/{slug}/"] = Reply(manual_html(srcs))
    return f"{server.url}/list/"


def errors_of(server, folder, srcs, **options) -> list[str | None]:
    (manual_id,) = run(one_manual(server, srcs), folder, **options)
    return [image.error for image in record(folder, manual_id).images]


def test_a_small_site_ends_up_on_disk(server, tmp_path):
    assert run(brick_site(server), tmp_path) == ["lego-0-thing-readscr", "lego-1-thing-readscr"]
    crawled = record(tmp_path, "lego-1-thing-readscr")
    assert (crawled.set_number, crawled.title) == ("1", "LEGO 1 Thing")
    assert crawled.url == f"{server.url}/lego-1-thing-readscr/"
    page = (tmp_path / crawled.manual_id / crawled.page_file).read_bytes()
    assert page == server.pages["/lego-1-thing-readscr/"].body
    assert sha256(page) == crawled.page_sha256
    assert [image.src for image in crawled.images] == [f"/pics/1/Step ##{n}.png" for n in range(3)]
    for number, image in enumerate(crawled.images):
        data = (tmp_path / crawled.manual_id / image.file).read_bytes()
        assert data == png(100 + number) and image.sha256 == sha256(data)
        assert image.file == f"images/{image.sha256[:16]}.png"
        assert (image.size_wh, image.size_bytes, image.error) == ((24, 16), len(data), None)
        assert image.url == f"{server.url}/pics/1/Step%20%23%23{number}.png"
    kinds = Counter(entry["kind"] for entry in report(tmp_path).values())
    assert kinds == {"robots": 1, "listing": 2, "set": 2, "manual": 2, "image": 6}
    assert not server.asked("braille") and not server.asked("logo")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["report.jsonl"]
    agents = {request.headers["User-Agent"] for request in server.log}
    assert len(agents) == 1 and agents.pop().startswith("lego-arta/")


def test_second_run_asks_conditionally_and_rewrites_nothing(server, tmp_path):
    url = brick_site(server)
    run(url, tmp_path)
    before, asked = stats(tmp_path), len(server.log)
    server.log.clear()
    run(url, tmp_path)
    assert stats(tmp_path) == before and len(server.log) == asked
    assert {r.status for r in server.log if r.path != "/robots.txt"} == {304}
    assert server.sent("pics") == server.sent("readscr") == 0
    seen = report(tmp_path).values()
    assert sum(entry["bytes"] for entry in seen if entry["kind"] != "robots") == 0


def test_pictures_of_pages_that_stay_the_same_are_not_asked_for(server, tmp_path):
    url = brick_site(server)
    run(url, tmp_path)
    before, seen = stats(tmp_path), report(tmp_path)
    server.log.clear()
    assert run(url, tmp_path, refresh="pages") == run(url, tmp_path, refresh="pages")
    assert stats(tmp_path) == before and not server.asked("pics")
    assert report(tmp_path).keys() == seen.keys() and server.asked("readscr")
    server.pages["/pics/1/Step%20%23%230.png"] = Reply(png(5))
    page = server.pages["/lego-1-thing-readscr/"]
    server.pages["/lego-1-thing-readscr/"] = Reply(page.body + b"<!-- new -->")
    run(url, tmp_path, refresh="pages")
    assert {path.split("/")[2] for path in server.asked("pics")} == {"1"}
    assert server.sent("pics") == len(png(5))
    next(tmp_path.glob("lego-0-*/images/*")).write_bytes(b"spoilt")
    run(url, tmp_path, refresh="pages")
    assert len(server.asked("pics/0")) == 1


def test_a_page_that_changed_just_before_a_failure_has_its_pictures_asked_for(server, tmp_path):
    url = brick_site(server, manuals=1)
    run(url, tmp_path)
    page = server.pages["/lego-0-thing-readscr/"]
    server.pages["/lego-0-thing-readscr/"] = Reply(page.body + b"<!-- new -->")
    server.pages["/pics/0/Step%20%23%230.png"] = Reply(png(5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crawl, "together", None)  # it fails where pictures begin
        with pytest.raises(TypeError):
            run(url, tmp_path, refresh="pages")
    server.log.clear()
    run(url, tmp_path, refresh="pages")
    assert server.sent("pics") == len(png(5))


@pytest.mark.parametrize(
    "told, given_s, asked",
    [
        ("max-age=3600", None, False),
        ("public, max-age=0", None, True),
        ("no-cache", None, True),
        (None, None, False),
        (None, 0, True),
        ("max-age=0", 60, False),
    ],
)
def test_old_copies_are_asked_about(server, tmp_path, told, given_s, asked):
    url = one_manual(server, ["/a.png"])
    server.pages["/a.png"] = Reply(png(1), headers={"Cache-Control": told} if told else {})
    run(url, tmp_path)
    server.log.clear()
    run(url, tmp_path, refresh="pages", max_age_s=given_s)
    assert [r.status for r in server.log if r.path == "/a.png"] == [304] * asked


def test_never_asks_nothing_and_says_what_it_lacks(server, tmp_path):
    url = brick_site(server)
    message = user_error(url, tmp_path, refresh="never")
    assert "not_fetched; no earlier crawl" in message
    server.pages["/lego-1-thing-readscr/"] = Reply(status=404)
    first, before = crawl_of(url, tmp_path), tree(tmp_path)
    server.log.clear()
    assert crawl_of(url, tmp_path, refresh="never") == first and tree(tmp_path) == before
    lost = next(tmp_path.glob("lego-0-*/images/*"))
    lost.unlink()
    run(url, tmp_path, refresh="never")
    images = record(tmp_path, "lego-0-thing-readscr").images
    assert [image.error for image in images].count("not_fetched") == 1
    assert not server.log
    run(url, tmp_path, refresh="pages")
    assert tree(tmp_path) == before


def test_without_validators_the_second_run_still_rewrites_nothing(server, tmp_path):
    url = brick_site(server)
    for page in server.pages.values():
        page.etag = False
    run(url, tmp_path)
    before = stats(tmp_path)
    run(url, tmp_path)
    assert stats(tmp_path) == before
    assert server.sent("pics") == 2 * sum(len(png(n)) for n in (0, 1, 2, 100, 101, 102))


def test_only_what_changed_is_fetched_and_the_old_goes(server, tmp_path):
    url = brick_site(server)
    run(url, tmp_path)
    before = stats(tmp_path)
    server.pages["/pics/0/Step%20%23%231.png"] = Reply(png(77))
    server.log.clear()
    run(url, tmp_path)
    assert server.sent("pics") == len(png(77))
    after = stats(tmp_path)
    fresh = tmp_path / "lego-0-thing-readscr" / "images" / f"{sha256(png(77))[:16]}.png"
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {str(fresh), str(tmp_path / "lego-0-thing-readscr" / "crawl.json")}
    assert len(after) == len(before)


def test_a_spoilt_file_on_disk_is_fetched_again(server, tmp_path):
    url = brick_site(server)
    run(url, tmp_path)
    whole = tree(tmp_path)
    victim = next(tmp_path.glob("*/images/*"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    run(url, tmp_path)
    assert tree(tmp_path) == whole


@pytest.mark.parametrize(
    "pager",
    [next_link("/list/?p=2", "page-link disabled"), "", next_link("/list/"), next_link("#")],
)
def test_listing_ends(server, tmp_path, pager):
    brick_site(server)
    server.pages["/list/"] = Reply(listing_html(["/lego-0-thing/"], pager))
    assert run(f"{server.url}/list/", tmp_path) == ["lego-0-thing-readscr"]
    assert server.asked("/list/") == ["/list/"]


def test_a_pager_that_goes_round_or_on_for_ever_ends(server, tmp_path):
    brick_site(server)
    cards = ["/lego-0-thing/"]
    for here, there in itertools.pairwise(["", *(f"?p={n}" for n in range(1, 50))]):
        server.pages[f"/list/{here}"] = Reply(listing_html(cards, next_link(there)))
    assert run(f"{server.url}/list/", tmp_path) == ["lego-0-thing-readscr"]
    assert server.asked("/list/") == ["/list/", "/list/?p=1", "/list/?p=2", "/list/?p=3"]


def test_limit_is_a_number_of_manuals(server, tmp_path):
    url = brick_site(server, manuals=4)
    assert len(run(url, tmp_path, limit=2)) == 2
    assert not server.asked("lego-3")


def test_a_set_with_two_manuals_and_a_page_that_is_none(server, tmp_path, caplog):
    one_manual(server, [])
    server.pages["/set/"] = Reply(
        set_html(["/lego-9-a-x-readscr/", "/news/", "/lego-9-b-y-mobile"])
    )
    server.pages["/lego-9-a-x-readscr/"] = server.pages["/lego-9-b-y-mobile"] = Reply(
        manual_html([])
    )
    server.pages["/news/"] = Reply(b"<p>News</p>")
    with caplog.at_level(logging.INFO, "lego_arta.crawl"):
        assert run(f"{server.url}/list/", tmp_path) == ["lego-9-a-x-readscr", "lego-9-b-y-mobile"]
    assert report(tmp_path)[f"{server.url}/news/"]["error"] == "not_a_manual"
    assert "/news/: not_a_manual" in caplog.text and "lego-9-a-x-readscr: 0 images" in caplog.text


def test_a_set_without_buttons_and_a_dead_set_are_recorded(server, tmp_path):
    brick_site(server)
    server.pages["/list/"] = Reply(listing_html(["/bare/", "/dead/", "/lego-0-thing/"]))
    server.pages["/bare/"] = Reply(b"<p>Soon</p>")
    assert run(f"{server.url}/list/", tmp_path) == ["lego-0-thing-readscr"]
    seen = report(tmp_path)
    assert seen[f"{server.url}/bare/"]["error"] == "no_manual_link"
    assert seen[f"{server.url}/dead/"]["error"] == "http_404"


def test_bad_images_are_fetched_once_more_then_recorded(server, tmp_path):
    server.pages["/cut.png"] = Reply(png(1)[:-300])
    server.pages["/html.png"] = Reply(b"<html>sorry</html>")
    server.pages["/flaky.png"] = [Reply(png(2)[:-300]), Reply(png(2))]
    server.pages["/short.png"] = short_body(png(3))
    server.pages["/gone.png"] = hang_up
    server.pages["/wide.png"] = Reply(png(4, (200, 100)))
    server.pages["/big.png"] = Reply(os.urandom(80_000))
    names = ["cut", "html", "flaky", "short", "gone", "wide", "big", "none"]
    srcs = [f"/{name}.png" for name in names]
    limits = {"max_pixels": 19_999, "max_bytes": 70_000}
    assert errors_of(server, tmp_path, srcs, **limits) == [
        "truncated_image",
        "not_an_image",
        None,
        "connection_failed",
        "connection_failed",
        "too_many_pixels",
        "too_large",
        "http_404",
    ]
    asked = Counter(server.asked(".png"))
    assert asked["/cut.png"] == asked["/html.png"] == asked["/flaky.png"] == 2
    assert asked["/none.png"] == asked["/big.png"] == 1
    assert asked["/short.png"] == asked["/gone.png"] == 3, "by the retries"
    server.log.clear()
    run(f"{server.url}/list/", tmp_path, **limits)
    assert server.sent("/cut.png") == server.sent("/html.png") == 0, "known to be bad, unchanged"
    server.pages["/cut.png"] = Reply(png(1))
    run(f"{server.url}/list/", tmp_path, **limits)
    assert record(tmp_path, "lego-7-a-thing-readscr").images[0].error is None


def test_images_off_the_host_or_forbidden_are_not_asked(server, tmp_path):
    server.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private/")
    with serving() as other:
        other.pages["/x.png"] = server.pages["/a.png"] = Reply(png(1))
        server.pages["/away.png"] = Reply(status=302, headers={"Location": f"{other.url}/x.png"})
        srcs = [f"{other.url}/x.png", "/away.png", "/private/x.png", "data:image/png;base64,AA"]
        srcs += ["file:///etc/hosts", "http://[x/", f"{server.url}/a.png"]
        errors = errors_of(server, tmp_path, srcs)
        assert errors[:5] == [
            "host_not_allowed",
            "host_not_allowed",
            "robots_disallowed",
            "not_an_image",
            "bad_url",
        ]
        assert errors[5] in ("bad_url", "host_not_allowed") and errors[6] is None
        assert not other.log and not server.asked("private")
        extra = (other.url.removeprefix("http://"),)
        assert errors_of(server, tmp_path, srcs, allowed_hosts=extra)[:2] == [None, None]


def test_sets_off_the_host_are_not_asked(server, tmp_path):
    with serving() as other:
        brick_site(other)
        brick_site(server)
        server.pages["/list/"] = Reply(
            listing_html([f"{other.url}/lego-1-thing/", "/lego-0-thing/", "mailto:a@b.c"])
        )
        server.pages["/lego-0-thing/"] = Reply(
            set_html([f"{other.url}/lego-1-thing-readscr/", "/lego-0-thing-readscr/"])
        )
        assert run(f"{server.url}/list/", tmp_path) == ["lego-0-thing-readscr"]
        assert not other.log


LOST = {
    "/away/": "host_not_allowed",  # a set page that redirects to another host
    "/round/": "too_many_redirects",
    "/gone/": "http_404",
    "/private/": "robots_disallowed",
    "/huge/": "too_large",
    "/bare/": "no_manual_link",
    "/news/": "not_a_manual",
    "/manual-away/": "host_not_allowed",
    "/manual-round/": "too_many_redirects",
    "/manual-gone/": "http_404",
    "/manual-refused/": "http_403",
}


@pytest.fixture
def lossy(server):
    """A site of two good manuals and all that may be wrong on the way to others; its listing."""
    brick_site(server)
    away = {"Location": "http://other.invalid/x"}
    server.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private/")
    for path in ("/away/", "/manual-away/"):
        server.pages[path] = Reply(status=302, headers=away)
    server.pages["/round/"] = Reply(status=302, headers={"Location": "/round/"})
    server.pages["/manual-round/"] = Reply(b'<meta http-equiv=refresh content="0; url=/back/">')
    server.pages["/back/"] = Reply(b'<meta http-equiv=refresh content="0; url=/manual-round/">')
    server.pages["/huge/"] = Reply(gzip.compress(bytes(200_000)), 200, {"Content-Encoding": "gzip"})
    server.pages["/bare/"] = Reply(b'<p>Soon</p><a class="button icon" href="/x.pdf">P</a>')
    server.pages["/news/"] = Reply(b"<p>News</p>")
    server.pages["/manual-refused/"] = Reply(status=403)
    buttons = ["/news/", "/manual-away/", "/manual-round/", "/manual-gone/", "/manual-refused/"]
    buttons += ["http://third.invalid/manual/", "mailto:a@b.c", "/lego-0-thing-readscr/"]
    server.pages["/lego-0-thing/"] = Reply(set_html(buttons))
    cards = ["/away/", "/round/", "/gone/", "/private/", "/huge/", "/bare/", "/bare/"]
    cards += ["http://other.invalid/set/", "http://[", "mailto:a@b.c", "/lego-0-thing/"]
    server.pages["/list/"] = Reply(listing_html(cards, next_link("?pagenumber=1")))
    return f"{server.url}/list/"


def drops_of(crawled: Manuals, server) -> dict[str, str]:
    assert {drop.task for drop in crawled.drops} == {"crawl"}
    return {drop.item.removeprefix(server.url): drop.reason for drop in crawled.drops}


def test_every_link_that_leads_to_no_manual_is_a_drop(server, tmp_path, lossy):
    elsewhere = dict.fromkeys(
        ("http://other.invalid/set/", "http://third.invalid/manual/"), "host_not_allowed"
    )
    lost = {**LOST, **elsewhere, "mailto:a@b.c": "bad_url"}
    first = crawl_of(lossy, tmp_path, max_bytes=100_000)
    assert len(first.manual_ids) == 2
    found = drops_of(first, server)
    assert found.pop("http://[") in ("bad_url", "host_not_allowed") and found == lost
    told = {drop.item.removeprefix(server.url): drop for drop in first.drops}
    assert told["/away/"].detail == "at http://other.invalid/x"
    assert told["/away/"].manual_id == "away"
    again = crawl_of(lossy, tmp_path, max_bytes=100_000)
    assert again == first, "also where nothing has changed since"
    server.pages["/lego-1-thing/"] = server.pages["/lego-0-thing-readscr/"] = Reply(status=503)
    assert crawl_of(lossy, tmp_path, max_bytes=100_000) == first, "and with earlier copies"


def test_what_works_again_is_no_drop_and_what_was_not_reached_neither(server, tmp_path, lossy):
    crawl_of(lossy, tmp_path, max_bytes=100_000)
    server.pages["/gone/"] = Reply(set_html(["/manual-gone/"]))
    server.pages["/manual-gone/"] = Reply(manual_html([]))
    server.pages["/huge/"] = Reply(manual_html([]))
    found = crawl_of(lossy, tmp_path, max_bytes=100_000)
    assert {"manual-gone", "huge"} <= set(found.manual_ids)
    lost = drops_of(found, server)
    assert lost.keys() - LOST.keys() and LOST.keys() - lost.keys() == {
        "/gone/", "/manual-gone/", "/huge/",
    }  # fmt: skip
    server.pages["/gone/"] = Reply(status=404)
    assert drops_of(crawl_of(lossy, tmp_path, limit=1, max_bytes=100_000), server) == {
        path: LOST[path] for path in ("/away/", "/round/", "/gone/", "/private/")
    }


def test_a_killed_crawl_goes_on_to_the_same_drops(server, tmp_path, lossy):
    server.pages["/huge/"] = Reply(b"<p>Soon</p>")
    whole = crawl_of(lossy, tmp_path / "whole")
    server.log.clear()
    kill_at(server, lossy, tmp_path / "killed", 12)
    assert (tmp_path / "killed" / ".journal.jsonl").exists()
    assert crawl_of(lossy, tmp_path / "killed") == whole


def test_pagers_that_end_nowhere_are_drops(server, tmp_path):
    brick_site(server)
    server.pages["/list/"] = Reply(listing_html(["/lego-0-thing/"], next_link("javascript:next()")))
    assert drops_of(crawl_of(f"{server.url}/list/", tmp_path), server) == {
        "javascript:next()": "bad_url"
    }


def test_a_run_says_how_many_addresses_it_asked_for_and_how_many_had_changed(
    server, tmp_path, caplog
):
    url = brick_site(server)
    caplog.set_level(logging.INFO, "lego_arta.crawl")
    run(url, tmp_path)
    asked = len(server.log) - 1  # robots.txt is not counted
    assert f"asked for {asked} addresses: {asked} new or changed, 0 failed" in caplog.text
    caplog.clear()
    run(url, tmp_path)
    assert f"asked for {asked} addresses: 0 new or changed, 0 failed" in caplog.text
    caplog.clear()
    server.pages["/pics/0/Step%20%23%231.png"] = Reply(png(77))
    server.pages["/pics/0/Step%20%23%232.png"] = Reply(status=404)
    run(url, tmp_path)
    assert f"asked for {asked} addresses: 1 new or changed, 1 failed" in caplog.text


def test_pages_that_refresh_at_once_are_followed(server, tmp_path):
    def sends_on(content: str, more: str = "") -> Reply:
        return Reply(f'<meta http-equiv="Refresh" content="{content}">{more}'.encode())

    brick_site(server, manuals=3)
    server.pages["/start/"] = sends_on("0; url=/list/")
    server.pages["/lego-0-thing/"] = sends_on("1;URL='/set-0/'")
    server.pages["/set-0/"] = Reply(set_html(["/old-0/"]))
    server.pages["/old-0/"] = sends_on("0, url=lego-0-thing-readscr/", '<base href="/">')
    server.pages["/lego-1-thing/"] = Reply(headers={"Refresh": "0; url=/set-1/"})
    server.pages["/set-1/"] = Reply(set_html(["/lego-1-thing-readscr/"]))
    read = manual_html([]).decode()
    server.pages["/lego-1-thing-readscr/"] = sends_on("0; url=#top", read)
    server.pages["/lego-2-thing-readscr/"] = sends_on("900; url=/", read)
    found = crawl_of(f"{server.url}/start/", tmp_path)
    assert found == Manuals([f"lego-{n}-thing-readscr" for n in range(3)], [])
    assert record(tmp_path, found.manual_ids[0]).url == f"{server.url}/lego-0-thing-readscr/"
    server.log.clear()
    assert crawl_of(f"{server.url}/start/", tmp_path) == found
    server.pages["/old-0/"] = sends_on("0; url=http://other.invalid/")
    server.pages["/lego-2-thing-readscr/"] = sends_on(
        "0; url=/away/", "<noscript><meta http-equiv=refresh content='0; url=/no/'></noscript>"
    )
    assert drops_of(crawl_of(f"{server.url}/start/", tmp_path), server) == {
        "/old-0/": "host_not_allowed",
        "/lego-2-thing-readscr/": "http_404",
    }


def test_links_are_read_as_browsers_read_them(server, tmp_path):
    brick_site(server)
    base = '<base href="/deep/"><base href="http://other.invalid/">'
    cards = listing_html(["..\\lego-0-thing\\", " /lego-1-\nthing/#x "]).decode()
    server.pages["/list/"] = Reply((base + cards).encode())
    server.pages["/lego-0-thing/"] = Reply(
        b'<base href="javascript:x">' + set_html([f"{server.url}\\lego-0-thing-readscr\\"])
    )
    found = crawl_of(f"{server.url}/list/", tmp_path)
    assert found == Manuals(["lego-0-thing-readscr", "lego-1-thing-readscr"], [])


def test_hostile_names_stay_in_the_crawl_folder(server, tmp_path):
    folder = tmp_path / "crawl"
    slugs = ["..%2f..%2fevil", "%2e%2e", "report.jsonl", ".pages", "a%00b", "x" * 300, "A%20b"]
    one_manual(server, [])
    server.pages["/set/"] = Reply(set_html([f"/m/{slug}/" for slug in slugs]))
    srcs = ["../../../../up.png", "/..%2f..%2fetc.png", "/a/%2e%2e/b.png", "/images/\\..\\c.png"]
    for slug in slugs:
        server.pages[f"/m/{slug}/"] = server.pages[f"/m/{slug}"] = Reply(manual_html(srcs))
    for path in ("/up.png", "/..%2f..%2fetc.png", "/a/%2e%2e/b.png", "/images/%5C..%5Cc.png"):
        server.pages[path] = Reply(png(1))
    ids = run(f"{server.url}/list/", folder)
    assert {path.name for path in tmp_path.iterdir()} == {"crawl", ".crawl.lock"}
    assert all(re.fullmatch(r"[a-z0-9_-]{1,120}", manual_id) for manual_id in ids)
    assert len(ids) >= 6 and "a-b" in ids
    assert {path.name for path in folder.glob("*/*")} <= {"page.html", "crawl.json", "images"} | {
        path.name for path in folder.glob(".pages/*")
    }
    assert (folder / "report.jsonl").is_file()


def test_one_name_in_two_manuals_and_one_image_in_two_manuals(server, tmp_path):
    url = brick_site(server)
    shared = ["/pics/0/Step ##0.png", "/pics/1/Step ##0.png"]
    for number in (0, 1):
        server.pages[f"/lego-{number}-thing-readscr/"] = Reply(manual_html(shared))
    ids = run(url, tmp_path)
    one, two = (record(tmp_path, manual_id) for manual_id in ids)
    assert one.images == two.images and one.images[0].sha256 != one.images[1].sha256
    assert all((tmp_path / m / i.file).is_file() for m in ids for i in one.images)
    assert len(server.asked("pics")) == 2, "asked for once"
    server.pages["/lego-0-thing-readscr/"] = Reply(manual_html(shared[:1]))
    server.log.clear()
    run(url, tmp_path)
    run(url, tmp_path)
    assert server.sent("pics") == 0
    assert len(list(tmp_path.glob("lego-0-thing-readscr/images/*"))) == 1


def test_two_pages_with_one_slug_get_two_folders(server, tmp_path):
    one_manual(server, [])
    server.pages["/set/"] = Reply(set_html(["/a/lego-1-x/", "/b/lego-1-x/"]))
    server.pages["/a/lego-1-x/"] = server.pages["/b/lego-1-x/"] = Reply(manual_html([]))
    one, two = run(f"{server.url}/list/", tmp_path)
    assert one == "lego-1-x" and two.startswith("lego-1-x-")


def test_trouble_on_a_later_run_keeps_the_earlier_copy(server, tmp_path):
    url = brick_site(server)
    run(url, tmp_path)
    before = tree(tmp_path)
    server.pages["/pics/0/Step%20%23%231.png"] = Reply(status=503)
    server.pages["/lego-1-thing-readscr/"] = hang_up
    assert len(run(url, tmp_path)) == 2
    assert tree(tmp_path) == before
    seen = report(tmp_path)
    assert seen[f"{server.url}/pics/0/Step%20%23%231.png"]["error"] == "http_503"
    assert seen[f"{server.url}/lego-1-thing-readscr/"]["error"] == "connection_failed"


TEXT = "Don”t press „l”été."


def charset_site(server, charset, text) -> tuple[str, str]:
    """One manual whose charset stands in the header alone; its listing URL and its page's path."""
    url, path = one_manual(server, ["/a.png"]), "/lego-7-a-thing-readscr/"
    page = manual_html(["/a.png"]).decode().replace('<meta charset="utf-8">', "")
    body = page.replace("Put it on top.", text).encode(charset)
    server.pages[path] = Reply(body, headers={"Content-Type": f"text/html; charset={charset}"})
    server.pages["/a.png"] = Reply(png(1))
    return url, path


def crawled_text(folder, manual_id="lego-7-a-thing-readscr") -> list[str]:
    crawled = record(folder, manual_id)
    return (
        parse_manual((folder / manual_id / "page.html").read_bytes(), crawled).instructions[0].text
    )


@pytest.mark.parametrize("charset", ["windows-1252", "iso-8859-16", "utf-16", "utf-8"])
def test_the_headers_charset_reaches_the_text(server, tmp_path, charset):
    url, path = charset_site(server, charset, TEXT)
    run(url, tmp_path)
    assert crawled_text(tmp_path) == [TEXT]
    server.log.clear()
    run(url, tmp_path)  # answered by 304s, which say no charset
    assert {r.status for r in server.log if r.path != "/robots.txt"} == {304}
    assert crawled_text(tmp_path) == [TEXT]
    server.pages[path] = dataclasses.replace(server.pages[path], status=503)
    run(url, tmp_path)
    assert crawled_text(tmp_path) == [TEXT], "of the earlier copy"


def test_the_charset_of_pages_that_an_older_version_fetched_is_asked_for(server, tmp_path):
    url, path = charset_site(server, "windows-1251", "щ")
    run(url, tmp_path)
    old = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    for entry in old:
        del entry["charset"]
    (tmp_path / "report.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in old))
    crawl_json = tmp_path / "lego-7-a-thing-readscr" / "crawl.json"
    crawl_json.write_bytes(crawl_json.read_bytes().replace(b'"windows-1251"', b"null"))
    server.log.clear()
    server.pages[path], whole = (
        dataclasses.replace(server.pages[path], status=503),
        server.pages[path],
    )
    assert run(url, tmp_path) == ["lego-7-a-thing-readscr"], "the earlier copy is not lost"
    server.pages[path] = whole
    run(url, tmp_path)
    assert crawled_text(tmp_path) == ["щ"]
    assert server.sent("/a.png") == 0, "pictures have no charset"
    server.log.clear()
    run(url, tmp_path)
    assert {r.status for r in server.log if r.path != "/robots.txt"} == {304}


def user_error(url, folder, **options) -> str:
    with pytest.raises(UserError) as caught:
        run(url, folder, **options)
    assert "\n" not in str(caught.value) and ";" in str(caught.value)
    return str(caught.value)


def test_errors_for_the_user(server, tmp_path):
    listing = f"{server.url}/list/"
    assert "http_404; check the address" in user_error(listing, tmp_path)
    server.pages["/list/"] = Reply(b"<p>Hello</p>")
    assert "no a.mtt-instruction-card on it; give" in user_error(listing, tmp_path)
    server.pages["/list/"] = Reply(listing_html(["/dead/"]))
    assert "not one manual behind its sets" in user_error(listing, tmp_path)
    assert report(tmp_path)[f"{server.url}/dead/"]["error"] == "http_404"
    server.pages["/list/"] = Reply(status=302, headers={"Location": "http://example.invalid/"})
    assert "host_not_allowed" in user_error(listing, tmp_path)
    server.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /")
    assert "robots_disallowed; its robots.txt forbids" in user_error(listing, tmp_path)
    server.pages["/robots.txt"] = Reply(status=503)
    message = user_error(listing, tmp_path)
    assert "/robots.txt gave http_503" in message and "run again later" in message
    assert "connection_failed" in user_error("http://127.0.0.1:1/list/", tmp_path, retries=0)
    for url in ("ftp://x/", "nonsense", "http://", ""):
        assert "not a web address; give" in user_error(url, tmp_path)
    message = user_error("http://me:secret@127.0.0.1/", tmp_path)
    assert "secret" not in message
    (tmp_path / "file").touch()
    assert "give another folder" in user_error(listing, tmp_path / "file")


def test_two_runs_in_one_folder_are_refused(server, tmp_path):
    url = brick_site(server)
    with crawl_store.open_journal(tmp_path):
        assert "another crawl is at work" in user_error(url, tmp_path)


@pytest.mark.parametrize("when", ["body", "record"])
def test_a_full_disk_is_the_users_and_leaves_nothing_half(server, tmp_path, monkeypatch, when):
    url = brick_site(server)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if when == "record":
            patch.setattr(crawl_store, "write_bytes", full)
        else:
            patch.setattr(crawl.Path, "replace", full)
        assert "No space left" in user_error(url, tmp_path)
    assert not list(tmp_path.glob("*/crawl.json"))
    undisturbed = tmp_path / "undisturbed"
    run(url, undisturbed)
    run(url, tmp_path / "crawl")
    assert tree(tmp_path / "crawl") == tree(undisturbed)


def journalled_images(folder) -> set[str]:
    """Paths of the images that the killed run had brought home."""
    journal = folder / ".journal.jsonl"
    found = set()
    for line in journal.read_bytes().splitlines() if journal.exists() else []:
        entry = json.loads(line)
        if entry["kind"] == "image" and entry["file"]:
            found.add("/" + entry["url"].split("/", 3)[3])
    return found


def kill_at(server, url, folder, number) -> None:
    """Crawl in a process that is killed halfway through the body of the n-th request."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", KILLED, url, str(folder)], env=environment)

    def halfway(request: int) -> None:
        if request == number:
            os.kill(process.pid, signal.SIGKILL)

    server.halfway = halfway
    try:
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        server.halfway = None


def test_killed_anywhere_it_goes_on_to_the_same_end(server, tmp_path):
    url = brick_site(server, manuals=3, images=5)
    run(url, tmp_path / "whole")
    whole, requests = tree(tmp_path / "whole"), len(server.log)
    chance = random.Random(20240506)
    points = [chance.randrange(low, low + 5) for low in range(2, requests - 5, 6)]
    assert len(points) >= 3
    for number in points:
        folder = tmp_path / str(number)
        server.log.clear()
        kill_at(server, url, folder, number)
        for manual in folder.glob("*/crawl.json"):
            assert manual.read_bytes() == whole[manual.relative_to(folder).as_posix()]
        complete = journalled_images(folder)
        server.log.clear()
        run(url, folder)
        assert tree(folder) == whole
        assert not complete & set(server.asked("pics")), "not even asked for again"
        assert report(folder).keys() == report(tmp_path / "whole").keys()
    assert complete, "the last point lies behind some images"


def test_killed_again_and_again_while_it_goes_on(server, tmp_path):
    url = brick_site(server, manuals=2, images=4)
    run(url, tmp_path / "whole")
    for number in (6, 7):
        server.log.clear()
        kill_at(server, url, tmp_path / "crawl", number)
    journal = tmp_path / "crawl" / ".journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])  # and the last line is torn
    run(url, tmp_path / "crawl")
    assert tree(tmp_path / "crawl") == tree(tmp_path / "whole")


def test_an_old_journal_is_asked_about(server, tmp_path):
    url = brick_site(server)
    kill_at(server, url, tmp_path, 9)
    complete = journalled_images(tmp_path)
    old = time.time() - 10 * crawl_store.RESUME_WITHIN_S
    os.utime(tmp_path / ".journal.jsonl", (old, old))
    server.log.clear()
    run(url, tmp_path)
    assert complete and complete <= set(server.asked("pics"))
    assert {r.status for r in server.log if r.path in complete} == {304}


@pytest.mark.manual_site
def test_the_manual_site(tmp_path):
    command = [sys.executable, str(MANUAL_SITE / "serve.py"), "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as site:
        try:
            url = (site.stdout.readline() if site.stdout else "").strip()
            ids = run(url, tmp_path)
            first = stats(tmp_path)
            assert run(url, tmp_path) == ids
        finally:
            site.kill()
    assert stats(tmp_path) == first
    seen = report(tmp_path)
    assert Counter(entry["kind"] for entry in seen.values()) == {
        "robots": 1,
        "listing": 3,
        "set": 7,
        "manual": 8,
        "image": 452,
    }
    assert sum(entry["bytes"] for entry in seen.values() if entry["kind"] == "image") == 0
    assert not [entry for entry in seen if "wp-admin" in entry or "braille" in entry]
    truth = json.loads((MANUAL_SITE / "truth.json").read_text())
    for manual in truth["manuals"]:
        crawled = record(tmp_path, Path(manual["manual_page"]).name)
        rows = [row for row in manual["rows"] if row["src"]]
        assert [image.src for image in crawled.images] == list(
            dict.fromkeys(row["src"] for row in rows)
        )
        for image in crawled.images:
            source = (
                MANUAL_SITE / "site" / next(row["image"] for row in rows if row["src"] == image.src)
            )
            copy = tmp_path / crawled.manual_id / (image.file or "none")
            assert image.error or copy.read_bytes() == source.read_bytes()
    bad = [image for i in ids for image in record(tmp_path, i).images if image.error]
    assert sorted((image.error, image.url.rsplit("/", 1)[1]) for image in bad) == [
        ("http_404", "Car-35_step_AJ.png"),
        ("truncated_image", "sm04-tie-fighter-28_step_Step%20%23%23AC.png"),
    ]

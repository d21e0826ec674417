"""Addresses in pages mean what browsers take them for."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.sources.audio import charset, links, web
from builder.sources.audio.links import base_of, refresh_of, resolve

PAGE = "https://host/a/b.html"
# Every one as `new URL(href, PAGE)` has it in Chromium, less the fragment.
ADDRESSES = [
    ("c", "https://host/a/c"),
    ("/c/", "https://host/c/"),
    ("\\c\\d", "https://host/c/d"),
    ("..\\c", "https://host/c"),
    ("\\\\other\\c", "https://other/c"),
    ("https:\\\\other\\c", "https://other/c"),
    ("HTTPS://other/c", "https://other/c"),
    ("?q=\\", "https://host/a/b.html?q=\\"),
    ("c#\\d", "https://host/a/c"),
    ("  \t/c\n/d\r\x01 ", "https://host/c/d"),
    ("", "https://host/a/b.html"),
    ("#top", "https://host/a/b.html"),
    ("//other/c", "https://other/c"),
    ("./../../c", "https://host/c"),
    ("mailto:a\\b@c", "mailto:a\\b@c"),
    ("javascript:x('\\n')", "javascript:x('\\n')"),
]


@pytest.mark.parametrize(("href", "url"), ADDRESSES)
def test_addresses(href, url):
    assert resolve(href, PAGE) == url


@pytest.mark.browser
def test_a_browser_reads_these_addresses_so(browser):
    read = (
        "([hrefs, base]) => hrefs.map(h => {let u = new URL(h, base); u.hash = ''; return u.href})"
    )
    tab = browser.new_page()
    assert tab.evaluate(read, [[href for href, _ in ADDRESSES], PAGE]) == [u for _, u in ADDRESSES]
    tab.close()


@pytest.mark.parametrize(
    ("base_href", "base"),
    [
        (None, PAGE),
        ("", PAGE),
        ("/c/", "https://host/c/"),
        ("..\\d\\", "https://host/d/"),
        ("https://other/", "https://other/"),
        ("javascript:x", PAGE),
        ("data:,x", PAGE),
    ],
)
def test_bases(base_href, base):
    assert base_of(base_href, PAGE) == base


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0;url=/c", "/c"),
        ("0; URL = '/c d' x", "/c d"),
        ('1 , url="/c', "/c"),
        ("0 /c", "/c"),
        ("0;/c?url=d", "/c?url=d"),
        (".5; url=c", "c"),
        ("10.9; url=c", "c"),
        ("11; url=c", None),
        ("9" * 400 + "; url=c", None),
        ("0", None),
        ("0;", None),
        ("0; url=", None),
        ("", None),
        ("url=/c", None),
        ("0x; url=/c", None),
        ("-1; url=/c", None),
    ],
)
def test_refreshes(content, target):
    assert refresh_of(content) == target


@given(st.text(alphabet="0;=,uURLl '\"./\\#?:ahtp[]\t") | st.text())
def test_no_address_raises(text):
    page = f'<base href="{text}"><a class="mtt-instruction-card button icon" href="{text}">'
    page += f'<meta http-equiv=refresh content="0;{text}">'
    for url in web.parse_listing(page, PAGE)[0]:
        assert isinstance(web.slug_of(url), str)
    assert all(links.is_web_url(url) for url in web.parse_set_page(page, PAGE))
    web.refresh_target(page, PAGE)


def test_examples():
    assert all(doctest.testmod(module).failed == 0 for module in (links, charset))

"""Addresses in pages, read as browsers read them (URL Standard, HTML Standard)."""

import re
from urllib.parse import urldefrag, urljoin

# A page that sends its reader on after longer than this is meant to be read.
REFRESH_WITHIN_S = 10.0
_REFRESH = re.compile(
    r"\s*(?P<delay_s>\d+|(?=\.))[\d.]*(?:\s*[;,]\s*|\s+|$)(?:url\s*=\s*)?"
    r"""(?:"(?P<a>[^"]*)|'(?P<b>[^']*)|(?P<c>.*))""",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


def resolve(href: str, base_url: str) -> str:
    """The absolute URL of a link without its fragment; a link that is none is given back as it is.

    >>> resolve("..\\\\b\\n/?q=\\\\#top", "https://host/a/c/")
    'https://host/a/b/?q=\\\\'
    """
    text = re.sub(r"[\t\r\n]", "", href.strip("".join(map(chr, range(33)))))
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", text)
    if scheme is None or scheme[1].lower() in ("http", "https"):
        path, rest = re.fullmatch(r"([^?#]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        text = path.replace("\\", "/") + rest
    try:
        return urldefrag(urljoin(base_url, text)).url
    except ValueError:  # such as "http://["
        return text


def base_of(base_href: str | None, page_url: str) -> str:
    """What links of a page are relative to: its first `<base href>`, else its own URL."""
    base = resolve(base_href or "", page_url)
    return base if is_web_url(base) else page_url


def is_web_url(url: str) -> bool:
    """Whether a URL is one of a page, not of a mail address, a script, ..."""
    return url.startswith(("http://", "https://"))


def refresh_of(content: str) -> str | None:
    """Where a Refresh header or a `<meta http-equiv=refresh>` sends to at once, as written.

    None if it sends nowhere, or lets the page be read first.

    >>> refresh_of("0; URL='/there'"), refresh_of("5"), refresh_of("300; url=/slow")
    ('/there', None, None)
    """
    match = _REFRESH.match(content)
    if match is None or float(match["delay_s"] or 0) > REFRESH_WITHIN_S:
        return None
    return (match["a"] or match["b"] or match["c"] or "").strip() or None

"""The site's HTML: what a crawler must know of it, as pure functions of the page's text.

Listing pages hold cards that link to set pages, a set page links to its manuals (a set may have
an a and a b manual), a manual page holds the rows with the images.
"""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from builder.sources.audio import dom
from builder.sources.audio.links import base_of, is_web_url, refresh_of, resolve

# Endings of links that are pages; anything else behind a button is a file to download (.txt
# for braille readers, .pdf, ...).
_PAGE_SUFFIXES = {"", ".html", ".htm", ".php"}
_NAME_LIMIT = 100
# Characters that are kept as they are in a src; `%` is looked at apart.
_SRC_SAFE = "/:?&=@+,;!$'()*~-._[]"


def parse_listing(html: str, page_url: str) -> tuple[list[str], str | None]:
    """(set page URLs in page order, URL of the next listing page or None at the end).

    Links that are no web addresses are among them, so that they can be told.
    """
    page = dom.tree(html)
    sets = _links(page, "a.mtt-instruction-card[href]", page_url)
    anchor = page.css_first("li.next a[href]")
    if anchor is None or "disabled" in dom.classes(anchor):
        return sets, None
    return sets, _links(page, "li.next a[href]", page_url)[0]


def parse_set_page(html: str, page_url: str) -> list[str]:
    """URLs behind the set page's buttons that may be manual pages, in page order.

    Downloads are left out by their ending. Whether a candidate is a manual shows only when it is
    fetched (`manual_page`): the slugs vary too much to go by them.
    """
    urls = _links(dom.tree(html), "a.button.icon[href]", page_url)
    return [
        url
        for url in urls
        if is_web_url(url) and url != page_url and _suffix(url) in _PAGE_SUFFIXES
    ]


def refresh_target(html: str, page_url: str) -> str | None:
    """Where the page sends its reader on by itself, None if nowhere else."""
    page = dom.tree(html)
    for meta in page.css("meta[http-equiv][content]"):
        # With scripts, as browsers have them, nothing in a <noscript> counts.
        if dom.attribute(meta, "http-equiv").lower() == "refresh" and not dom.is_in(
            meta, "noscript"
        ):
            href = refresh_of(dom.attribute(meta, "content"))
            url = resolve(href, base_of(dom.base_href(page), page_url)) if href else page_url
            return url if is_web_url(url) and url != page_url else None
    return None


def page_title(html: str) -> str:
    """The page's title with its white space collapsed; the first heading where there is none."""
    page = dom.tree(html)
    for name in ("title", "h1"):
        node = page.css_first(name)
        text = " ".join(node.text().split()) if node is not None else ""
        if text:
            return text
    return ""


def absolute_image_url(src: str, base_url: str) -> str:
    """The URL to ask for an image.

    Raw `#`, spaces and characters outside ASCII are percent-encoded: the site's file names hold
    `#`, so it never starts a fragment. What is encoded already stays as it is. A backslash before
    the query is a slash, as in browsers.
    """
    path, mark, query = re.sub(r"[\t\r\n]", "", src).strip().partition("?")
    text = path.replace("\\", "/") + mark + query
    encoded = quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text), safe=_SRC_SAFE + "%")
    try:
        return urljoin(base_url, encoded)
    except ValueError:  # such as "http://[": the fetcher calls it a bad URL
        return encoded


def slug_of(url: str) -> str:
    """A folder name for a page: the last segment of its path, made harmless."""
    parts = [part for part in _path(url).split("/") if part]
    if parts and re.fullmatch(r"index\.\w+", parts[-1]):
        parts.pop()
    name = unquote(parts[-1]) if parts else ""
    return safe_name(re.sub(r"\.(html?|php)$", "", name))


def safe_name(name: str) -> str:
    """`name` as a folder name of `a-z 0-9 _ -` only.

    A name that had to be changed by more than case and spaces gets a hash of the original, so
    two hostile names never end up in one folder.
    """
    name = unicodedata.normalize("NFC", name)  # the same whichever system stored it
    plain = name.lower().replace(" ", "-")
    clean = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-")[:_NAME_LIMIT]
    if clean and clean == plain:
        return clean
    return f"{clean or 'manual'}-{short_hash(name)}"


def short_hash(text: str) -> str:
    """Eight hex digits that tell two names apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _links(page: LexborHTMLParser, selector: str, page_url: str) -> list[str]:
    """Where the selected elements lead, each address once."""
    base_url = base_of(dom.base_href(page), page_url)
    return list(
        dict.fromkeys(resolve(dom.attribute(a, "href"), base_url) for a in page.css(selector))
    )


def _suffix(url: str) -> str:
    return PurePosixPath(unquote(_path(url))).suffix.lower()


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # such as "http://["
        return url

"""A manual page as a browser shows it: rows of a picture and lines, and what stands around them.

Every text and every picture from the page's first container to its last row is in a row or in
what is left unread, so nothing of a page is lost without a word.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser

from builder.sources.audio import dom
from builder.sources.audio.dom import Event, classes
from builder.sources.audio.lines import Line, lines_of, text_of
from builder.sources.audio.manual_rows import TEXT_BOXES, Segment, is_container, segments
from builder.sources.audio.pictures import Picture, pictures_in
from core.image_names import says_what_it_shows

CONTAINER = "div.manual-table-container"
# `--sf-img-7: url("data:...")` and `var(--sf-img-7)`.
_KEPT_IN_STYLE = re.compile(r"""(--sf-img-\d+)\s*:\s*url\(\s*["']?(data:[^"')]+)""")
_USED_FROM_STYLE = re.compile(r"var\((--sf-img-\d+)\)")


class PageRow(NamedTuple):
    """A row of a manual page, and what of it is no part of the instruction.

    `more_pictures` are those beside the one it shows, `text_outside` is its text outside of its
    text boxes, `hidden` what a browser keeps from sight, `language` the nearest `lang` attribute.
    """

    picture: Picture | None
    lines: list[Line]
    more_pictures: list[Picture]
    text_outside: str
    hidden: str
    language: str

    @property
    def is_hidden(self) -> bool:
        """Whether a browser shows nothing of it."""
        return bool(self.hidden) and not (self.picture or self.lines or self.text_outside)


class Unread(NamedTuple):
    """What a page shows outside of its rows, after so many of them."""

    rows_before: int
    text_outside: str
    more_pictures: list[Picture]


class ManualPage(NamedTuple):
    """A manual page; `base_href` and `language` are as written, empty where there is none."""

    rows: list[PageRow]
    unread: list[Unread]
    base_href: str
    language: str


def is_manual_page(html: str) -> bool:
    """True if the page holds the container of a manual's rows."""
    return bool(_containers(dom.tree(html)))


def read_page(html: str) -> ManualPage | None:
    """Read a manual page; None if it holds no container of rows."""
    page = dom.tree(_with_pictures_of_styles(html))
    containers = _containers(page)
    if not containers:
        return None
    rows: list[PageRow] = []
    unread: list[Unread] = []
    for segment in segments(page):
        if segment.row is not None:
            rows.append(_row(segment))
            continue
        text, pictures = text_of(segment.events), pictures_in(segment.events)
        if text or pictures:
            unread.append(Unread(len(rows), text, pictures))
    language = dom.language(containers[0]) or _language_of_head(page)
    return ManualPage(rows, unread, dom.base_href(page), language)


def row_pictures(page: ManualPage) -> list[Picture]:
    """The pictures that rows show, in page order, each once."""
    pictures = {row.picture.src: row.picture for row in reversed(page.rows) if row.picture}
    return [pictures[src] for src in dict.fromkeys(r.picture.src for r in page.rows if r.picture)]


def _with_pictures_of_styles(html: str) -> str:
    """The page with pictures in place that SingleFile keeps once, in a style, for several rows."""
    kept = dict(_KEPT_IN_STYLE.findall(html))
    return _USED_FROM_STYLE.sub(lambda m: f"url({kept.get(m[1], '')})", html) if kept else html


def _language_of_head(page: LexborHTMLParser) -> str:
    for meta in page.css("meta[http-equiv]"):
        if dom.attribute(meta, "http-equiv").lower() == "content-language":
            return dom.attribute(meta, "content")
    return ""


def _containers(page: LexborHTMLParser) -> list[Any]:
    return [node for node in page.css("div[class]") if is_container(node)]


def _row(segment: Segment) -> PageRow:
    events, node = segment.events, segment.row
    pictures = list(dict.fromkeys(pictures_in(events)))
    boxed = {a for picture in pictures_in(_within(events, "image")) for a in picture.addresses}
    pictures.sort(
        key=lambda picture: (
            not says_what_it_shows(picture.src),
            boxed.isdisjoint(picture.addresses),
        )
    )
    box = next((name for name in TEXT_BOXES if any(True for _ in _within(events, name))), None)
    return PageRow(
        pictures[0] if pictures else None,
        list(lines_of(_within(events, box) if box else events)),
        pictures[1:],
        text_of(_within(events, box, inside=False)) if box else "",
        text_of(events, hidden=True),
        dom.language(node),
    )


def _within(events: Iterable[Event], name: str, inside: bool = True) -> Iterator[Event]:
    """The events inside `div`s of a class, or outside of them."""
    depth = 0
    for event in events:
        is_box = event.kind != "text" and event.node.tag == "div" and name in classes(event.node)
        if is_box and event.kind == "begin":
            depth += 1
        if (depth > 0) == inside:
            yield event
        if is_box and event.kind == "end" and depth:
            depth -= 1

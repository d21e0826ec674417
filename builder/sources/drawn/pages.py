"""HTML of a drawn site: manual, set and listing pages in the real site's shape."""

from collections.abc import Sequence
from html import escape

from builder.sources.drawn.lines import Line

CARDS_A_PAGE = 12
DEMO = "Drawn by the demo source."


def _page(title: str, body: Sequence[str], kind: str, by: str = DEMO) -> str:
    head = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f"<title>{escape(title)}</title>",
        "</head>",
        f'<body class="{kind}">',
        '<header><nav><a href="/instructions/">All manuals</a></nav></header>',
        "<main>",
        f"<h1>{escape(title)}</h1>",
    ]
    foot = ["</main>", f"<footer><p>{escape(by)}</p></footer>", "</body>", "</html>"]
    return "\n".join([*head, *body, *foot, ""])


def _line_html(line: Line) -> str:
    html = ""
    for tag, text in line:
        word = f'<span class="{tag}">{escape(text)}</span>' if tag else escape(text)
        html += word if tag == "suffix" or not html else f" {word}"
    return f"<p>{html}</p>"


def manual_page(
    title: str, rows: Sequence[tuple[str | None, Sequence[Line]]], by: str = DEMO
) -> str:
    """A manual page: rows of (img src as to be written, lines); a row may have no picture.

    `by` says at the foot whose it is.
    """
    body = ['<div class="manual-table-container">']
    for src, lines in rows:
        image = f'<img src="{escape(src)}" alt="">' if src else ""
        body += ['<div class="row">', f'<div class="image">{image}</div>', '<div class="text">']
        body += ['<div class="txtbox">', *map(_line_html, lines), "</div>", "</div>", "</div>"]
    return _page(title, [*body, "</div>"], "page-manual", by)


def set_page(title: str, links: Sequence[tuple[str, str]]) -> str:
    """A set page: (href, words) of its manuals, then of its braille texts."""
    body = [f'<a class="button icon" href="{escape(h)}">{escape(words)}</a>' for h, words in links]
    return _page(title, ['<div class="buttons">', *body, "</div>"], "page-set")


def listing_page(cards: Sequence[tuple[str, str, str]], number: int, pages: int) -> str:
    """Listing page `number` of `pages` (from 0): (href, set number, title) of its sets."""
    body = ['<div class="mtt-instruction-cards">']
    for href, set_number, title in cards:
        words = f"<span>{escape(set_number)}</span> <span>{escape(title)}</span>"
        body.append(f'<a class="mtt-instruction-card" href="{escape(href)}">{words}</a>')
    body += ["</div>", '<ul class="pagination">']
    last = number >= pages - 1
    target, extra = (number, " disabled") if last else (number + 1, "")
    if number:
        back = "/instructions/" if number == 1 else f"?pagenumber={number - 1}"
        body.append(f'<li class="prev"><a class="page-link" href="{back}">Previous</a></li>')
    body.append(
        f'<li class="next"><a class="page-link{extra}" href="?pagenumber={target}">Next</a></li>'
    )
    return _page("Instructions", [*body, "</ul>"], "page-instructions")

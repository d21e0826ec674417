"""Rows and drops together hold what Chromium shows of a page: no less, no more, in its order."""

import re

import pytest
from makers import div_row, page, table_row
from manual_pages import LINES, PAIRS, parsed
from outside import MANUAL_SITE

from core.records import Manual

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.browser

ROWS = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS]
TABLE = [table_row(src, f"<p>{line}</p>") for src, line in PAIRS]
SHORT = [row[: -len("</div>")] for row in ROWS]
CELL = f"<tr><td><table>{''.join(TABLE[1:3])}</table></td></tr>"
BROKEN = {
    "whole": page("".join(ROWS)),
    "unclosed rows": page("".join(SHORT)),
    "unclosed boxes": page("".join(row[: -3 * len("</div>")] for row in ROWS)),
    "second container": page(
        f"{ROWS[0]}</div><h2>Bag 2</h2><div class='manual-table-container'>{ROWS[1]}"
    ),
    "stray end tag": page(f"{ROWS[0]}</div></main></div>Bag 2{''.join(ROWS[1:])}"),
    "unclosed tags": page(f"<p><b><i>Now{ROWS[0]}<a href=x>Then{''.join(ROWS[1:])}"),
    "text around rows": page(f"Start{ROWS[0]}<h3>Bag 2</h3><img src='/b.png'>{ROWS[1]}End"),
    "text around boxes": page(ROWS[0].replace('<div class="text">', '<div class="text">Part 1 ')),
    "text in a table": page(f"Before{''.join(TABLE)}<tr>lost<td>cell</td></tr>", table=True),
    "table ends early": page(f"{''.join(TABLE[:2])}</table>{''.join(TABLE[2:])}", table=True),
    "table in a table": page(f"{TABLE[0]}{CELL}{TABLE[3]}", table=True),
    "div in a table": page(f"<tr><td>1</td></tr><div>Two</div>{TABLE[0]}", table=True),
    "hidden": page(
        ROWS[0].replace("<p>", '<p><span hidden>Old</span><b style="display:none">er</b>')
        + ROWS[1].replace('"row"', '"row" hidden')
        + "<template>No</template><noscript>Please switch on scripts</noscript><!-- No -->"
        "<style>p {}</style><script>1</script><dialog>No</dialog><dialog open>Yes</dialog>"
        "<details open><summary>More</summary>words</details><select><option>A</select>"
    ),
    "blocks": page(
        div_row(
            None,
            "<ul><li>One<li>Two</ul><dl><dt>Three<dd>Four</dl>Fi<b>v</b>e<br>Six<blockquote>Seven"
            "</blockquote>Eight<span style='display:block'>Nine</span>Ten<h4>Eleven</h4>Twelve",
        )
    ),
}
SHOWN = """() => {
  document.querySelectorAll("h1, header, footer").forEach(e => e.remove());
  document.querySelectorAll("select").forEach(e => e.remove());  // what a control holds is no text
  const pictures = [...document.images].filter(i => i.checkVisibility());
  return [document.body.innerText, pictures.map(i => i.getAttribute("src"))];
}"""


@pytest.fixture(scope="module")
def shown(browser):
    """What a browser shows of a page: its text, and the addresses of its pictures."""
    tab = browser.new_page()

    def read(html: str) -> tuple[str, list[str]]:
        tab.set_content(html, wait_until="domcontentloaded")
        return tuple(tab.evaluate(SHOWN))

    yield read
    tab.close()


def held(manual: Manual, html: str) -> tuple[list[str], list[str]]:
    """Words and pictures of rows and drops, sorted; a duplicate row is held by the one before."""
    texts = [line for i in manual.instructions for line in i.text]
    texts += [d.detail for d in manual.drops if d.reason == "unread_text"]
    pictures = [i.img.removeprefix("https://site.example") for i in manual.instructions if i.img]
    pictures += [d.detail for d in manual.drops if d.reason == "unread_picture"]
    for drop in manual.drops:
        if drop.reason == "duplicate_row":
            number = int(drop.item.split()[1])
            same = max(i for i in range(len(manual.instructions))
                       if manual.instructions[i].instruction_id < number)  # fmt: skip
            texts += manual.instructions[same].text
            pictures.append(drop.detail)
    return sorted(" ".join(texts).split()), sorted(pictures)


def check(html: str, shown) -> None:
    text, pictures = shown(html)
    assert held(parsed(html), html) == (sorted(text.split()), sorted(pictures))


@pytest.mark.parametrize("html", BROKEN.values(), ids=BROKEN)
def test_broken_pages(html, shown):
    check(html, shown)


def test_lines_are_broken_where_the_browser_breaks_them(shown):
    text, _ = shown(BROKEN["blocks"])
    (instruction,) = parsed(BROKEN["blocks"]).instructions
    assert instruction.text == [line.strip() for line in text.splitlines() if line.strip()]
    assert len(instruction.text) == 12


def test_the_pages_are_broken(shown):
    """Texts that stand where they should not are among them, or the tests above prove nothing."""
    reasons = {d.reason for html in BROKEN.values() for d in parsed(html).drops}
    assert {"unread_text", "unread_picture", "hidden_row", "hidden_text"} <= reasons
    assert all(line in " ".join(shown(BROKEN["unclosed rows"])[0].split()) for line in LINES)


@pytest.mark.manual_site
def test_the_pages_of_the_manual_site(shown):
    files = sorted((MANUAL_SITE / "site").glob("*/index.html"))
    pages = [file.read_text(encoding="utf-8") for file in files]
    manuals = [html for html in pages if re.search("manual-table-container", html)]
    assert len(manuals) == 8
    for html in manuals:
        check(html, shown)

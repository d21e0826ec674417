"""What of a page becomes rows, and that all else it shows is recorded (broken pages above all)."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import div_row, page, table_row
from manual_pages import LINES, PAIRS, check_page, drops_of, parsed, rows_of
from outside import MANUAL_SITE

from builder.sources.drawn import pages
from core.records import Manual

# Rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgotten", [1, 2, 3])
@pytest.mark.parametrize("which", ["all", "second"])
def test_a_row_ends_where_an_inner_one_begins(forgotten, which):
    """A theme that forgets `</div>`: browsers show rows in rows, one below the other."""
    rows = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS]
    for number in range(len(rows)):
        if which == "all" or number == 1:
            rows[number] = rows[number][: -forgotten * len("</div>")]
    manual = parsed(page("".join(rows)))
    assert rows_of(manual) == PAIRS and manual.drops == []


def test_every_container_is_read_and_what_stands_between_them_is_recorded():
    rows = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS]
    html = page(
        f"{''.join(rows[:2])}</div><h2>Bag 2</h2><img src='/bag.png'>"
        f"<div class='x manual-table-container'>{''.join(rows[2:])}"
    )
    manual = parsed(html)
    assert rows_of(manual) == PAIRS
    assert drops_of(manual) == [
        ("after row 1", "unread_text", "Bag 2"),
        ("after row 1", "unread_picture", "/bag.png"),
    ]


def test_a_container_in_a_container_is_read_once():
    rows = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS]
    inner = f'<div class="manual-table-container">{"".join(rows[1:4])}</div>'
    manual = parsed(page(rows[0] + inner + rows[4]))
    assert rows_of(manual) == PAIRS and manual.drops == []


@pytest.mark.parametrize("stray", ["</div>", "</div></div></main>", "</section></div>"])
def test_rows_after_a_stray_end_tag_are_read(stray):
    rows = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS]
    footer = '<div class="row"><p>About us</p></div><footer>Imprint</footer>'
    html = page("".join(rows[:2]) + stray + "".join(rows[2:])).replace("</body>", footer)
    manual = parsed(html)
    assert rows_of(manual) == PAIRS
    assert manual.drops == [], "the footer is no part of the manual"


def test_frames_around_the_rows_are_no_rows():
    """Themes put containers and rows into grids of their own, which are called rows, too."""
    rows = "".join(div_row(src, f"<p>{line}</p>") for src, line in PAIRS)
    grid = '<div class="row"><div class="col">{}</div></div>'
    inside = parsed(page(grid.format(rows)))
    around = parsed(
        page(rows).replace("<body>", '<body><div class="row">').replace("</body>", "</div></body>")
    )
    for manual in (inside, around):
        assert rows_of(manual) == PAIRS and manual.drops == []
        assert [i.instruction_id for i in manual.instructions] == list(range(len(PAIRS)))


@pytest.mark.parametrize(
    "row",
    [
        # the text in a grid of its own
        '<div class="row"><div class="image"><img src="{src}"></div><div class="text">'
        '<div class="row"><div class="txtbox">{line}</div></div></div></div>',
        # picture and text in rows of a grid
        '<div class="row"><div class="row"><img src="{src}"></div>'
        '<div class="row"><p>{line}</p></div></div>',
        # the picture in a table of its own
        '<div class="row"><table><tr><td><img src="{src}"></td></tr></table>{line}</div>',
        # picture and text in rows of a table
        '<div class="row"><table><tr><td><img src="{src}"></td></tr>'
        "<tr><td>{line}</td></tr></table></div>",
        # the text in a table
        '<div class="row"><div class="image"><img src="{src}"></div><div class="text">'
        '<div class="txtbox"><table><tr><td>{line}</td></tr></table></div></div></div>',
    ],
)
def test_a_row_that_is_a_grid_stays_one_row(row):
    manual = parsed(page("".join(row.format(src=src, line=line) for src, line in PAIRS)))
    assert rows_of(manual) == PAIRS and manual.drops == []


def test_tables_in_tables_of_older_pages():
    rows = [table_row(src, f"<p>{line}</p>") for src, line in PAIRS]
    nested_text = table_row(PAIRS[1][0], f"<table><tr><td>{LINES[1]}</td></tr></table>")
    inner = f"<tr><td><table>{''.join(rows[2:4])}</table></td></tr>"
    manual = parsed(page(rows[0] + nested_text + inner + rows[4], table=True))
    assert rows_of(manual) == PAIRS and manual.drops == []


def test_a_second_table_after_a_stray_end_is_read():
    first, second = ([table_row(*pair) for pair in part] for part in (PAIRS[:2], PAIRS[2:]))
    html = page("".join(first) + "</table></div><table>" + "".join(second), table=True)
    assert rows_of(parsed(html)) == PAIRS


def test_text_and_pictures_outside_of_the_rows_parts_are_recorded():
    src, line = PAIRS[1]
    row = (
        f'<div class="row"><div class="image"><img src="{src}"><img src="/pics/zoom.gif">'
        f'<small>Step 1 of 5</small></div><div class="text"><div class="txtbox">{line}</div>'
        "<p>See also the video.</p></div></div>"
    )
    manual = parsed(page(f"<h2>The gate</h2>{row}<p>Well done!</p>"))
    assert rows_of(manual) == [PAIRS[1]]
    assert drops_of(manual) == [
        ("row 0", "unread_text", "Step 1 of 5 See also the video."),
        ("row 0", "unread_picture", "/pics/zoom.gif"),
        ("before row 0", "unread_text", "The gate"),
        ("after row 0", "unread_text", "Well done!"),
    ]


def test_a_page_whose_rows_are_not_understood_says_so():
    items = "".join(f'<li><img src="{src}">{line}</li>' for src, line in PAIRS)
    manual = parsed(page(f"<ul>{items}</ul>"))
    assert manual.instructions == []
    assert [d.reason for d in manual.drops] == ["unread_text", *["unread_picture"] * len(PAIRS)]


def test_what_browsers_hide_is_no_instruction_and_is_recorded():
    rows = [div_row(src, f"<p>{line}</p>") for src, line in PAIRS[:3]]
    rows[0] = rows[0].replace('"row"', '"row" style="display: none"')
    rows[1] = rows[1].replace("</p>", "</p><p hidden>Old text.</p><template>No</template>")
    rows[2] = rows[2].replace("<p>", '<p hidden="until-found">')
    manual = parsed(page("".join(rows)))
    assert rows_of(manual) == PAIRS[1:3]
    assert drops_of(manual) == [
        ("row 0", "hidden_row", LINES[0]),
        ("row 1", "hidden_text", "Old text."),
    ]


def test_blocks_of_every_kind_end_a_line():
    html = "<blockquote>One.</blockquote>Two.<figcaption>Three.</figcaption><span style='color:red;"
    html += "display:block'>Four.</span>Five<img src='/x.png'>six."
    manual = parsed(page(div_row(None, html)))
    assert manual.instructions[0].text == ["One.", "Two.", "Three.", "Four.", "Five six."]


def test_thousands_of_open_tags_are_no_crash():
    html = page('<div class="row">' * 3_000 + "<table><tr><td>" * 1_000 + "One")
    assert [d.reason for d in parsed(html).drops] == ["text_only_row"]


# All that is shown is read or recorded -------------------------------------------------------


def words_read(manual: Manual) -> Counter:
    """Words and addresses of pictures that rows and drops hold."""
    texts = [text for i in manual.instructions for text in i.text]
    texts += [d.detail for d in manual.drops if d.reason in ("unread_text", "unread_picture")]
    texts += [i.img or "" for i in manual.instructions]
    return Counter(re.findall(r"word\d+", " ".join(texts)))


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "word", "word", "word", "<img src='/word.png'>", "<img src='/G-1_step_word.png'>",
            '<div class="row">', '<div class="row">', "</div>", "</div>", '<div class="txtbox">',
            '<div class="text">', '<div class="image">', "<table>", "</table>", "<tr>", "<td>",
            "</td>", "</tr>", "<p>", "</p>", "<b>", "</b>", "<a href=x>", "</a>", "<h2>", "<ul>",
            "<li>", "<br>", "</section>", '<div class="manual-table-container">',
            '<span class="theme">', "</span>", "<form>", "</body>", "<!--", "-->",
        ]
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=300)
@given(FRAGMENTS)
def test_whatever_a_page_is_like_every_word_and_picture_is_read_or_recorded(fragments):
    numbers = iter(range(1000))
    body = "".join(re.sub("word", lambda _: f"word{next(numbers)} ", f) for f in fragments)
    # A row at the end, so that all of it lies between the first container and the last row.
    html = f'<div class="manual-table-container">{body}--></b></a></table></table></table>'
    html += div_row("/pics/Gate-1_step_B.png", "<p>Put it on the table.</p>")
    text = re.sub(r"<!--.*?-->", "", html)
    manual = parsed(html)
    # The same row twice in a row is a drop that holds its picture only.
    if not any(drop.reason == "duplicate_row" for drop in manual.drops):
        assert words_read(manual) == Counter(re.findall(r"word\d+", text))


@pytest.mark.manual_site
def test_the_pages_of_the_manual_site_are_read_whole():
    pages = [p for p in (MANUAL_SITE / "site").glob("*/index.html") if is_manual(p)]
    assert len(pages) == 8
    for file in pages:
        check_page(file.read_text(encoding="utf-8"))


def is_manual(path: Path) -> bool:
    return "manual-table-container" in path.read_text(encoding="utf-8")


def test_pages_in_the_shape_of_the_demo_are_read_whole():
    rows = [
        (None, [[(None, "Welcome.")]]),
        *[
            (src, [[("verb", line.split()[0]), (None, line.split(" ", 1)[1])]])
            for src, line in PAIRS
        ],
    ]
    check_page(pages.manual_page("A manual", rows))

"""Pages into records: texts paired with the wrong picture would poison every task (T2-T5)."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import (
    IMAGE_FOLDER,
    crawled_image,
    crawled_manual,
    div_row,
    find_line,
    page,
    put_line,
    table_row,
    tagged,
)

from builder.parse.manual import SCHEMA_FILE, parse_manual, validate_json
from builder.sources.audio.charset import decode_html
from builder.sources.audio.manual_page import read_page, row_pictures
from core.errors import UserError
from core.image_names import file_name, parse_image_name
from core.records import Manual, Vlm, dump, load

TILES = [
    ("verb", "Find"),
    ("det", "2"),
    ("colorinfo", "transparent red"),
    ("theme", "flat tiles 1x2"),
    ("suffix", "."),
]
TILES_ENTITIES = [
    {"this_line": "Find 2 transparent red flat tiles 1x2."},
    *({tag: text} for tag, text in TILES),
]


def _src(name: str) -> str:
    return IMAGE_FOLDER + name


def _parse(rows: str, *images, table: bool = False) -> Manual:
    return parse_manual(page(rows, table), crawled_manual(images))


def _one(*boxes: str, name: str = "Car-28_eop_AG.png"):
    """The instruction of a page with a single row."""
    image = crawled_image(_src(name))
    (instruction,) = _parse(div_row(_src(name), *boxes), image).instructions
    return instruction


# Table 4.1 ----------------------------------------------------------------------------------


def test_table_4_1():
    """The thesis' example record, with nulls where it writes "None"."""
    image = crawled_image(_src("Car-28_eop_AG.png"))
    rows = "".join(div_row(None, f"<p>Row {number}.</p>") for number in range(95))
    rows += div_row(image.src, tagged(TILES))
    record = json.loads(dump(_parse(rows, image).instructions[95]))
    assert record == {
        "instruction_id": 95,
        "text": ["Find 2 transparent red flat tiles 1x2."],
        "VLM": {
            "img_path": image.file,
            "parts_img_path": None,
            "id_sign": "Car",
            "step_num": 28,
            "step_class": "eop",
            "other_sign": "AG",
            "background_rect": None,
            "color_list": [],
            "bound_color": [],
            "task_label": "object",
            "query": "Find 2 transparent red flat tiles 1x2.",
            "MiniGPTv2_output": None,
        },
        "img": image.url,
        "entities": TILES_ENTITIES,
        "img_sha256": image.sha256,
    }
    assert list(record)[:5] == ["instruction_id", "text", "VLM", "img", "entities"]


# Both page forms ----------------------------------------------------------------------------


@pytest.mark.parametrize("table", [False, True], ids=["div rows", "old table"])
def test_both_page_forms_give_the_same_records(table):
    row = table_row if table else div_row
    names = ["Start.png", "Car-0_eop_A.png", "Car-1_step_B.png"]
    images = [crawled_image(_src(name)) for name in names]
    rows = (
        row(images[0].src, "<p>Let us start building!</p>")
        + row(images[1].src, find_line(1, "red", "brick 2x4"))
        + row(images[2].src, put_line("brick 2x4", "on the table") + "<p>Turn it round.</p>")
    )
    manual = _parse(rows, *images, table=table)
    assert [i.text for i in manual.instructions] == [
        ["Let us start building!"],
        ["Find 1 red brick 2x4."],
        ["Put the brick 2x4 on the table.", "Turn it round."],
    ]
    assert [i.VLM.task_label for i in manual.instructions] == [None, "object", "scene"]
    assert [i.img_sha256 for i in manual.instructions] == [image.sha256 for image in images]
    assert [drop.reason for drop in manual.drops] == ["start_image"]


# Oddities of the site: what the row becomes, and the drop that says why no task uses it --------


@pytest.mark.parametrize(
    ("row", "image", "reason", "text", "label"),
    [
        # an introduction without a picture is neither a step nor an eop
        (
            div_row(None, "<p>This is a manual.</p>"),
            None,
            "text_only_row",
            "This is a manual.",
            None,
        ),
        # Collect without a picture: kept for its text, but there is nothing to box
        (
            div_row(None, tagged([("verb", "Collect"), (None, "1 red brick.")])),
            None,
            "no_image",
            "Collect 1 red brick.",
            None,
        ),
        # an empty text box must not take the next row's text
        (
            div_row(_src("Car-1_step_B.png"), ""),
            crawled_image(_src("Car-1_step_B.png")),
            "row_without_text",
            "",
            None,
        ),
        # no text box at all
        (
            div_row(_src("Car-1_step_B.png")),
            crawled_image(_src("Car-1_step_B.png")),
            "row_without_text",
            "",
            None,
        ),
        # the server had no such file
        (
            div_row(_src("Car-1_step_B.png"), "<p>Put it on.</p>"),
            crawled_image(_src("Car-1_step_B.png"), None, "http_404"),
            "http_404",
            "Put it on.",
            None,
        ),
        # the file was cut
        (
            div_row(_src("Car-1_step_B.png"), "<p>Put it on.</p>"),
            crawled_image(_src("Car-1_step_B.png"), None, "truncated_image"),
            "truncated_image",
            "Put it on.",
            None,
        ),
        # an image the crawl knows nothing of
        (
            div_row(_src("Car-1_step_B.png"), "<p>Put it on.</p>"),
            None,
            "image_not_crawled",
            "Put it on.",
            None,
        ),
        # a name that says nothing
        (
            div_row(_src("logo.png"), "<p>Put it on.</p>"),
            crawled_image(_src("logo.png")),
            "unrecognised_image_name",
            "Put it on.",
            None,
        ),
        # fullscreeneop is an object-finding row
        (
            div_row(_src("Car-3_fullscreeneop_D.png"), find_line(2, "grey", "plates 1x2")),
            crawled_image(_src("Car-3_fullscreeneop_D.png")),
            None,
            "Find 2 grey plates 1x2.",
            "object",
        ),
        # raw # and spaces in src belong to the file name
        (
            div_row(_src("sm01-island-0_step_Step ##E.png"), "<p>Put it on.</p>"),
            crawled_image(_src("sm01-island-0_step_Step ##E.png")),
            None,
            "Put it on.",
            "scene",
        ),
        # an img whose src is empty is no picture
        (div_row(" ", "<p>Put it on.</p>"), None, "text_only_row", "Put it on.", None),
    ],
    ids=lambda value: value if isinstance(value, str) and "<" not in value else "",
)
def test_oddities(row, image, reason, text, label):
    manual = _parse(row, *([image] if image else []))
    (instruction,) = manual.instructions
    assert " ".join(instruction.text) == text
    assert instruction.VLM.task_label == label
    assert [drop.reason for drop in manual.drops] == ([reason] if reason else [])
    assert (instruction.VLM.img_path is None) == (image is None or image.file is None)


def test_a_row_that_stands_twice_is_kept_once_and_listed():
    images = [crawled_image(_src(f"Car-{n}_step_X.png")) for n in (1, 3)]
    first, second = (div_row(i.src, "<p>Put it on.</p>") for i in images)
    manual = _parse(first + first + second, *images)
    assert [i.VLM.step_num for i in manual.instructions] == [1, 3]
    assert [(d.item, d.reason) for d in manual.drops] == [("row 1", "duplicate_row")]


def test_row_numbers_stay_the_pages_after_a_duplicate():
    """Ids of all later rows would change when the site mends a duplicate."""
    image = crawled_image(_src("Car-1_step_B.png"))
    row = div_row(image.src, "<p>Put it on.</p>")
    manual = _parse(row + row + div_row(None, "<p>The end.</p>"), image)
    assert [i.instruction_id for i in manual.instructions] == [0, 2]


def test_the_same_text_with_another_picture_is_no_duplicate():
    images = [crawled_image(_src(f"Car-{n}_step_X.png")) for n in (1, 2)]
    rows = "".join(div_row(i.src, "<p>Repeat this step.</p>") for i in images)
    assert len(_parse(rows, *images).instructions) == 2


# Lines, words and tags ----------------------------------------------------------------------

TILE_LINE = tagged(TILES)


@pytest.mark.parametrize(
    ("boxes", "lines"),
    [
        # each block is a line
        (["<p>One.</p><p>Two.</p>"], ["One.", "Two."]),
        # <br> ends a line
        (["One.<br>Two.<br/>Three."], ["One.", "Two.", "Three."]),
        # two text boxes are joined in order
        (["<p>One.</p>", "<p>Two.</p>"], ["One.", "Two."]),
        # nested blocks and lists
        (["<div><div>One.</div><ul><li>Two.</li><li>Three.</li></ul></div>"],
         ["One.", "Two.", "Three."]),
        # text around a block
        (["One.<div>Two.</div>Three."], ["One.", "Two.", "Three."]),
        # inline markup does not break a line or a word
        (["<p>Pu<b>t</b> <i>the <u>brick</u></i> on<span>.</span></p>"], ["Put the brick on."]),
        # comments are no text
        (["<p>One<!-- Two -->.</p><!-- Three -->"], ["One."]),
        # no-break spaces and line breaks in the source are spaces
        (["<p>One&nbsp;&nbsp;two\n\t three.</p>"], ["One two three."]),
        # entities are characters
        (["<p>Plate 2&times;4, 1x2x&#8532;, don&rsquo;t &amp; &eacute;.</p>"],
         ["Plate 2×4, 1x2x⅔, don’t & é."]),
        # markup written as text stays text
        (["<p>Type &lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;.</p>"],
         ["Type <script>alert(1)</script> <b>."]),
        # scripts and styles are no instruction
        (["<script>var a = 1;</script><style>p {}</style><p>One.</p>"], ["One."]),
        # a break inside markup is a break, and the words around it stay in their lines
        (["<p>Put <b>it<br>on</b> top.</p>"], ["Put it", "on top."]),
        (["<b><p>One.</p><p>Two.</p></b>"], ["One.", "Two."]),
        # zero-width and control characters are nothing
        (["<p>O\u200bn\u00ade\u0007.</p>"], ["One."]),
        # empty lines vanish
        (["<p> </p><p>&nbsp;</p><p>One.</p>"], ["One."]),
    ],
)  # fmt: skip
def test_lines_of_a_row(boxes, lines):
    instruction = _one(*boxes)
    assert instruction.text == lines
    assert [e["this_line"] for e in instruction.entities if "this_line" in e] == lines


@pytest.mark.parametrize(
    ("html", "entities"),
    [
        # the thesis' line
        (tagged(TILES), TILES_ENTITIES[1:]),
        # nested tags: the outer first
        ('<p><span class="target">the <span class="theme">plate 1x2</span></span></p>',
         [{"target": "the plate 1x2"}, {"theme": "plate 1x2"}]),
        # a tag inside markup
        ('<p><b><i class="verb">Put</i></b></p>', [{"verb": "Put"}]),
        # other classes beside the tag's, and tags of other names, are looked through
        ('<p><span class="big colorinfo">red</span><span class="note">x</span></p>',
         [{"colorinfo": "red"}]),
        # a line that carries its own class, as older pages have it
        ('<span class="this_line"><span class="det">2</span> bricks</span>', [{"det": "2"}]),
        # empty tags say nothing
        ('<p><span class="det"> </span>brick</p>', []),
        # entities in tags
        ('<p><span class="theme">plate 1&times;2&nbsp;</span></p>', [{"theme": "plate 1×2"}]),
        # markup as text in a tag
        ('<p><span class="theme">&lt;script&gt;</span></p>', [{"theme": "<script>"}]),
        # a tag across lines belongs to none of them alone, and stops nothing
        ('<p><span class="theme">plate<br>1x2</span></p>', None),
    ],
)  # fmt: skip
def test_tagged_words(html, entities):
    found = [e for e in _one(html).entities if "this_line" not in e]
    if entities is not None:
        assert found == entities


def test_an_eop_with_several_pieces_lists_its_tags_line_by_line():
    heading = tagged(
        [("verb", "Collect"), (None, "the following"), ("det", "2"), (None, "pieces"),
         ("suffix", ":")]
    )  # fmt: skip
    lines = [[("det", "1"), ("theme", "plate 1x2")], [("det", "1"), ("theme", "tile 1x1")]]
    found = _one(heading + "".join(map(tagged, lines))).entities
    assert [next(iter(e)) for e in found] == [
        "this_line", "verb", "det", "suffix",
        "this_line", "det", "theme",
        "this_line", "det", "theme",
    ]  # fmt: skip


# Image names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Car-28_eop_AG.png", ("Car", 28, "eop", "AG")),  # the thesis' example
        ("sm01-island-0_step_Step ##E.png", ("sm01-island", 0, "step", "Step ##E")),  # Table 4.2
        ("car_0006_step_A.png", ("car", 6, "step", "A")),  # padded number
        ("Start.png", (None, None, "start", None)),  # no session, no number
        ("Car-3_fullscreeneop_D.png", ("Car", 3, "fullscreeneop", "D")),  # not "eop" with a sign
        ("Sub-assembly-14-5_step_F.png", ("Sub-assembly-14", 5, "step", "F")),  # numbers in signs
        ("0006_step.png", (None, 6, "step", None)),  # no sign at all
        ("CAR-12_STEP_b.JPG", ("CAR", 12, "step", "b")),  # capitals
        ("Car-28_eop.png", ("Car", 28, "eop", None)),  # no other sign
        ("Car-28_eop_step_A.png", ("Car", 28, "eop", "step_A")),  # a class in the other sign
        ("step-stool-3_eop_A.png", ("step-stool", 3, "eop", "A")),  # a class in the session sign
        ("sm02-door-step-4_eop_C.png", ("sm02-door-step", 4, "eop", "C")),  # at its end
        ("kick-start-3_step_A.png", ("kick-start", 3, "step", "A")),
        ("Start-2_step_C.png", ("Start", 2, "step", "C")),  # a session called Start
        ("Car.v2-7_step_A.png", ("Car.v2", 7, "step", "A")),  # a dot in the sign
        ("Fusée-4_step_É.png", ("Fusée", 4, "step", "É")),  # other letters
        ("Car-12345_step_A.png", None),  # five digits are no step number: nothing raised
        ("Doorstep_1.png", (None, None, None, None)),  # "step" inside a word
        ("logo.png", (None, None, None, None)),  # nothing at all
        ("", (None, None, None, None)),  # an src that ends in a slash
        (".png", (None, None, None, None)),
        ("../../etc/passwd", (None, None, None, None)),  # hostile path
        ("-" * 3000 + "_" * 3000 + ".png", (None, None, None, None)),  # hostile length
        ("a\x00b\n-1_step_A.png", None),  # control characters: nothing raised
        ("٣_step_A.png", None),  # digits of other scripts: nothing raised
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str) else "",
)
def test_image_names(name, expected):
    found = parse_image_name(name)
    if expected is not None:
        assert found == expected


@pytest.mark.parametrize(
    ("src", "expected"),
    [
        ("/a/b/Car-28_eop_AG.png", "Car-28_eop_AG.png"),
        ("/a/Step%20%23%23E.png", "Step ##E.png"),  # encoded
        ("/a/Step ##E.png", "Step ##E.png"),  # raw: # is part of the name
        ("./images/x.png?ver=3", "x.png"),  # a cache-busting query
        ("https://cdn.example/x%2525.png", "x%25.png"),  # decoded once
        ("x%ff.png", "x\ufffd.png"),  # not UTF-8: no error
        ("/a/", ""),
    ],
)
def test_file_names(src, expected):
    assert file_name(src) == expected


@settings(max_examples=150)
@given(st.text(alphabet="Car-_0123456789stepoftull.#% é", max_size=60) | st.text(max_size=60))
def test_any_name_is_read_without_error(name):
    found = parse_image_name(file_name(name))
    assert found.step_class in (None, "eop", "step", "start", "fullscreeneop")
    assert found.step_num is None or 0 <= found.step_num <= 9999


# Encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "utf-8"),  # what the site does
        ("utf-8", None),  # no declaration: the web's default
        ("windows-1252", "windows-1252"),  # an older page that says so
        ("utf-8-sig", None),  # a byte order mark
    ],
)
def test_pages_are_read_in_their_encoding(encoding, declared):
    text = "Voilà – plate 2×4, l’été."
    html = page(div_row(None, f"<p>{text}</p>")).replace(
        '<meta charset="utf-8">', f'<meta charset="{declared}">' if declared else ""
    )
    manual = parse_manual(html.encode(encoding), crawled_manual())
    assert manual.instructions[0].text == [text]


@pytest.mark.parametrize("name", ["Fusée-4_step_É.png", "Car-1_step_×.png"])
def test_a_page_in_no_known_encoding_still_finds_the_pictures_its_crawler_found(name):
    """The crawler and the parser must read the same src out of the same bytes."""
    row = div_row(_src(name), "<p>Put it on, près du bord.</p>")
    data = page(row).replace('<meta charset="utf-8">', "").encode("windows-1252")
    (picture,) = row_pictures(read_page(decode_html(data)))
    manual = parse_manual(data, crawled_manual([crawled_image(picture.src)]))
    assert manual.drops == []


def test_the_servers_charset_counts_before_the_pages():
    text = "Don’t press – l’été."
    crawled = msgspec.structs.replace(crawled_manual(), charset="windows-1252")
    data = page(div_row(None, f"<p>{text}</p>")).encode("windows-1252")
    assert b'charset="utf-8"' in data
    assert parse_manual(data, crawled).instructions[0].text == [text]


def test_a_row_whose_bytes_mean_nothing_in_the_pages_charset_is_a_drop():
    rows = div_row(_src("Car-1_step_A.png"), "<p>Put it on.</p>") + div_row(
        _src("Car-2_step_B.png"), "<p>Don’t press.</p>"
    )
    data = page(rows).encode().replace("’".encode(), b"\x92")  # in a page that says it is UTF-8
    images = [crawled_image(_src(f"Car-{name}.png")) for name in ("1_step_A", "2_step_B")]
    manual = parse_manual(data, crawled_manual(images))
    assert [(d.item, d.reason, d.detail) for d in manual.drops] == [
        ("row 1", "undecodable_text", "Don\ufffdt press.")
    ]
    assert [i.VLM.task_label for i in manual.instructions] == ["scene", None]


# Failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("html", ["", "<p>Not found</p>", b"\xff\xfe\x00garbage", b"\x89PNG\r\n"])
def test_a_page_that_is_no_manual_is_an_error_that_names_it(html):
    with pytest.raises(UserError, match=r"lego-60001-test-readscr: no div\.manual-table-container"):
        parse_manual(html, crawled_manual())


def test_a_container_without_rows_is_a_manual_without_instructions():
    assert _parse("").instructions == []


def test_deep_nesting_is_no_crash():
    """Hostile or broken generators nest thousands of tags."""
    html = "<div>" * 5000 + "One." + "</div>" * 5000
    try:
        _parse(div_row(None, html))
    except UserError:
        pass


ROWS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.builds(div_row, st.none() | st.text(max_size=20), st.text(max_size=40)),
        st.builds(
            lambda tag, a, b: f'<div class="row"><{tag} class="{a}">{b}',
            st.sampled_from(["div", "span", "td", "p", "script", "img src=x", "table", "!--"]),
            st.sampled_from(["txtbox", "text", "image", "verb", "theme", "row"]),
            st.text(max_size=20),
        ),
        st.builds("&#{};".format, st.integers(0, 0x110000)),
    ),
    max_size=6,
)


@settings(max_examples=150)
@given(ROWS)
def test_any_page_gives_a_valid_manual_that_round_trips(tmp_path_factory, rows):
    """Whatever stands in a page: no exception but UserError, and JSON that the schema allows."""
    try:
        manual = parse_manual(page("".join(rows)), crawled_manual())
    except UserError:
        return
    validate_json(json.loads(dump(manual)))
    file = tmp_path_factory.getbasetemp() / "manual.json"
    file.write_bytes(dump(manual))
    assert load(file, Manual) == manual


# Schema and records -------------------------------------------------------------------------


def test_the_shipped_schema_is_that_of_the_records():
    """People validate their own manuals against the file; it must not lag behind the code."""
    shipped = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    own = msgspec.json.schema(Manual)
    assert shipped["$defs"] == own["$defs"]
    assert shipped["$ref"] == own["$ref"]
    assert shipped["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"instructions": None}, r"\$\.instructions"),  # a list is missing
        ({"surprise": 1}, r"\$"),  # a key nobody knows
        ({"title": 3}, r"\$\.title"),  # a wrong type
    ],
)
def test_json_that_is_no_manual_is_refused_with_its_place(change, place):
    good = json.loads(dump(_parse("")))
    validate_json(good)
    with pytest.raises(UserError, match=place):
        validate_json({**good, **change})


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"img_path": 3}'])
def test_a_broken_record_file_is_an_error_that_says_what_to_do(tmp_path: Path, data):
    file = tmp_path / "manual.json"
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"manual\.json: not a Manual record .*delete the file"):
        load(file, Manual)


def test_a_missing_record_file_is_a_user_error(tmp_path: Path):
    with pytest.raises(UserError, match="not a Vlm record"):
        load(tmp_path / "none.json", Vlm)

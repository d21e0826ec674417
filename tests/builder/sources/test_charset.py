"""Pages are read as browsers read them: the very text, whatever names its charset."""

import pytest
from faulty_server import Reply, serving
from hypothesis import given, settings
from hypothesis import strategies as st
from webencodings.labels import LABELS

from builder.sources.audio.charset import LOST, decode_html, decode_plain, of_content_type

TEXT = "Don’t press – turn it “left” first, près du bord."
CP1252 = TEXT.encode("cp1252")


def meta(label: str) -> bytes:
    return f'<meta charset="{label}">'.encode()


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "utf-8", TEXT),
        ("windows-1252", "cp1252", TEXT),
        *((label, "cp1252", TEXT) for label in ("iso-8859-1", "us-ascii", "Latin1", " ASCII ")),
        *((label, "utf-8", TEXT) for label in ("utf-16", "UTF-16BE", "ucs-2", "unicode", "utf8")),
        ("x-user-defined", "cp1252", TEXT),
        ("iso-8859-9", "cp1254", "’ğ"),
        ("iso-8859-11", "cp874", "“ก"),
        ("iso-8859-8-i", "iso8859-8", "א"),
        ("iso-8859-15", "iso8859-15", "€"),
        ("windows-1251", "cp1251", "“щ”"),
        ("koi8-u", "koi8-u", "їґ"),
        ("x-mac-cyrillic", "mac-cyrillic", "щ†"),
        ("macintosh", "mac-roman", "é’"),
        ("shift_jis", "cp932", "①髙"),
        ("x-sjis", "cp932", "①髙"),
        ("euc-kr", "cp949", "똠방각하"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("gb2312", "gb18030", "镕€丂"),
        ("big5", "big5hkscs", "啫"),
        ("big5-hkscs", "big5hkscs", "啫"),
        ("euc-jp", "euc_jp", "手順"),
        ("iso-2022-jp", "iso2022_jp", "手順"),
    ],
)  # fmt: skip
def test_a_label_means_what_browsers_mean_by_it(label, codec, text):
    assert decode_html(meta(label) + text.encode(codec)).endswith(text)
    if "utf" not in label.lower() and label not in ("ucs-2", "unicode", "x-user-defined"):
        named = of_content_type(f"text/html; charset={label}")
        assert decode_html(text.encode(codec), named) == text


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("windows-1252", b"\x81\x8d\x9d", "\x81\x8d\x9d"),
        ("windows-1253", b"\x98\xd2", "\x98" + LOST),
        ("gbk", b"\x80", "€"),
        ("koi8-u", b"\xae\xbe", "ўЎ"),
        ("euc-jp", b"\xa1\xc1", "\uff5e"),
        ("iso-2022-kr", b"\x1b$)Cab", LOST),
        ("hz-gb-2312", b"<script>", LOST),
        ("utf-8", b"a\xffb", f"a{LOST}b"),
    ],
)
def test_bytes_that_python_reads_otherwise(label, data, text):
    assert decode_plain(data, of_content_type(f"text/html;charset={label}")) == text


def test_mark_before_header_before_meta():
    utf8, header = TEXT.encode(), of_content_type("text/html; charset=iso-8859-1")
    assert decode_html(b"\xef\xbb\xbf" + meta("koi8-r") + utf8, header).endswith(TEXT)
    assert decode_html(meta("koi8-r") + CP1252, header).endswith(TEXT)
    assert decode_html(meta("windows-1252") + CP1252).endswith(TEXT)
    assert decode_html(meta("windows-1252") + CP1252, of_content_type("text/html")).endswith(TEXT)
    unknown = of_content_type("text/html; charset=klingon")
    assert decode_html(meta("klingon") + meta("windows-1252") + CP1252, unknown).endswith(TEXT)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "head", ["", '<?xml version="1.0" encoding="utf-16"?>', '<meta charset="utf-16">']
)
def test_utf_16_with_and_without_a_mark(codec, head):
    page = f"{head}<p>{TEXT}</p>"
    assert decode_html(page.encode(codec)) == page
    assert decode_html(("\ufeff" + page).encode(codec)) == page


def test_a_page_that_declares_nothing():
    assert decode_html(b"<p>" + TEXT.encode()) == f"<p>{TEXT}"
    assert decode_html(b"<p>" + CP1252) == f"<p>{TEXT}"
    assert decode_html(b"") == ""


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("text/html; charset=Latin1", "windows-1252"),
        ('text/html;charset="UTF-8"', "utf-8"),
        ("text/html; boundary=x; CHARSET = utf8 ", "utf-8"),
        ("text/html", None),
        ("text/html; charset=", None),
        ("text/html; charset=klingon", None),
        ("", None),
        (None, None),
        (";;;=", None),
    ],
)
def test_content_types(header, name):
    assert of_content_type(header) == name


# What a head says, and which charset that is; None where it declares none.
HEADS = [
    (b"<meta charset=koi8-r>", "koi8-r"),
    (b"<!doctype html><html><HEAD><META CharSet = 'koi8-r' />", "koi8-r"),
    (b"<meta/charset=koi8-r>", "koi8-r"),
    (b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
    (b"<meta content='text/html; charset = \"koi8-r\"; x' http-equiv=content-type>", "koi8-r"),
    (b'<meta name=x content="text/html; charset=koi8-r">', None),
    (b'<meta content="text/html; charset=koi8-r">', None),
    (b"<meta charset=koi8-r content='a; charset=big5' http-equiv=content-type>", "koi8-r"),
    (b"<meta charset=big5><meta charset=koi8-r>", "big5"),
    (b"<meta charset=none><meta charset=koi8-r>", "koi8-r"),
    (b"<meta charset><meta charset=koi8-r>", "koi8-r"),
    (b"<!-- <meta charset=big5> --><meta charset=koi8-r>", "koi8-r"),
    (b"<!--><meta charset=koi8-r>", "koi8-r"),
    (b"<!-- <meta charset=big5> ->", None),
    (b"<link title='<meta charset=big5>'><meta charset=koi8-r>", "koi8-r"),
    (b"<metal charset=big5><meta charset=koi8-r>", "koi8-r"),
    (b"</meta charset=big5><meta charset=koi8-r>", "koi8-r"),
    (b"< meta charset=big5><meta charset=koi8-r>", "koi8-r"),
    (b"<? <meta charset=big5 ?><meta charset=koi8-r>", "koi8-r"),
    (b"<body><p><meta charset=koi8-r>", "koi8-r"),
    (b"<!-- " + b"x" * 1100 + b" --><title>T</title><meta charset=koi8-r>", "koi8-r"),
    (b"<body>" + b"x" * 1100 + b"<p>y</p><meta charset=koi8-r>", None),
    (b'<?xml version="1.0" encoding="koi8-r"?><p>', "koi8-r"),
    (b"<?xml version='1.0' encoding = 'utf-16' ?><p>", "utf-8"),
    (b'<?xml version="1.0" encoding="big5"?><meta charset=koi8-r>', "koi8-r"),
    (b' <?xml version="1.0" encoding="koi8-r"?>', None),
    (b"<meta charset=utf-16be>", "utf-8"),
    (b"<meta charset=x-user-defined>", "windows-1252"),
    (b"<meta charset=csisolatin5>", "windows-1254"),
]  # fmt: skip
BODY = b"<p>" + bytes(range(0xC0, 0xFF)) + b"</p>"  # no UTF-8


@pytest.mark.parametrize(("head", "name"), HEADS)
def test_where_a_page_declares_its_charset(head, name):
    expected = decode_plain(head + BODY, name or "windows-1252")
    assert decode_html(head + BODY) == expected


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([head for head, _ in HEADS]) | st.binary(max_size=30), max_size=4),
    st.none() | st.sampled_from(sorted(set(LABELS.values()))) | st.text(max_size=9),
)
def test_no_bytes_and_no_label_raise(pieces, charset):
    assert isinstance(decode_html(b"".join(pieces), charset), str)
    assert of_content_type(f"text/html; charset={charset}") in {None, *LABELS.values()}


def test_a_hostile_page_is_read_in_one_go():
    for piece in (
        b"<!--",
        b"<a ",
        b"<meta charset='",
        b"<",
        b"<meta content=charset charset ",
        b"<?xml ",
    ):
        decode_html(piece * 20_000)


@pytest.mark.browser
def test_a_browser_says_the_same(browser):
    """Chromium's own word on every label, every single byte and every head above."""
    labels = sorted(label for label in LABELS if LABELS[label] != "replacement")
    tab = browser.new_page()
    names = tab.evaluate("labels => labels.map(label => new TextDecoder(label).encoding)", labels)
    assert dict(zip(labels, names, strict=True)) == {label: LABELS[label] for label in labels}
    single = sorted({name for name in names if not name.startswith(("utf-16", "iso-2022"))})
    decode = """names => names.map(name => Array.from({length: 256},
                (_, byte) => new TextDecoder(name).decode(Uint8Array.of(byte))))"""
    for name, chars in zip(single, tab.evaluate(decode, single), strict=True):
        ours = [decode_plain(bytes([byte]), name) for byte in range(256)]
        odd = [b for b in range(256) if ours[b] != chars[b] and chars[b] != LOST]
        assert (name, odd) in (("windows-1255", [0xCA]), (name, []))
    with serving() as server:
        for number, (head, _) in enumerate(HEADS):
            server.pages[f"/{number}"] = Reply(head + BODY, headers={"Content-Type": "text/html"})
        for number, (_, name) in enumerate(HEADS):
            tab.goto(f"{server.url}/{number}")
            if name:  # of a page that says nothing it makes a guess
                assert tab.evaluate("document.characterSet").lower() == name
    tab.close()

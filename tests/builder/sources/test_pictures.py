"""Which picture a row shows, however its page names it, from a saved site and from a server."""

import base64
import unicodedata
from pathlib import Path

import pytest
from faulty_server import Reply, listing_html, png, serving, set_html
from makers import crawled_image, crawled_manual, page

from builder.parse.manual import parse_manual
from builder.sources.audio import saved
from builder.sources.audio.crawl import CrawlOptions, crawl_site
from builder.sources.audio.embedded import bytes_of
from builder.sources.audio.manual_page import read_page, row_pictures
from builder.sources.audio.responsive import best_candidates, matches_full_size
from core.records import CrawledImage, CrawledManual, load

STEP = "/pics/Car-1_step_B.png"
BIG_WH, SMALL_WH = (90, 70), (24, 16)
BIG, OTHER, SMALL = png(1, BIG_WH), png(2, BIG_WH), png(3, SMALL_WH)
GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
SVG = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 3 2'/%3E"


def uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def row(picture: str, text: str = "Put it on the table.") -> str:
    return (
        f'<div class="row"><div class="image">{picture}</div>'
        f'<div class="text"><div class="txtbox"><p>{text}</p></div></div></div>'
    )


def pictures(picture: str) -> list:
    read = read_page(page(row(picture)))
    assert read is not None
    return row_pictures(read)


# Every way to name one picture; %s is its address.
LOADED_LATE = {
    "data-src": f'<img class="lazyload" src="{GIF}" data-src="%s">',
    "a drawing as placeholder": f'<img src="{SVG}" data-lazy-src="%s">',
    "a file as placeholder": '<img src="/pics/blank.gif" data-original="%s">',
    "an unknown script": '<img src="/pics/spinner.gif" data-whatever-full="%s">',
    "no src": '<img data-ll-src="%s">',
    "hidden until then": '<img style="display:none;visibility:hidden" data-cfsrc="%s">',
    "noscript": '<img src="/pics/blank.gif"><noscript><img src="%s"></noscript>',
    "noscript first": f'<noscript><img src="%s"></noscript><img src="{GIF}">',
    "noscript only": '<noscript><img src="%s"></noscript>',
    "noscript in a link": f'<a><img src="{GIF}"></a><noscript><a><img src="%s"></a></noscript>',
    "srcset": '<img alt="" srcset="/pics/blank.gif 1x, %s 2x">',
    "data-srcset": f'<img src="{GIF}" srcset="{GIF} 1w" data-srcset="/s.png 300w, %s 1200w">',
    "sizes of one picture": '<img src="/pics/Car-1_step_B-300x200.png" srcset="/pics/'
    'Car-1_step_B-300x200.png 300w, %s 1500w" sizes="100vw">',
    "source": '<picture><source type="image/webp" srcset="%s"><img src="/b.gif"></picture>',
    "source for wide windows": '<picture><source media="(max-width: 600px)" srcset="/pics/narrow'
    '-1_step_B.png"><source media="(min-width: 601px)" srcset="%s"><img></picture>',
    "source loaded late": f'<picture><source data-srcset="%s"><img src="{GIF}"></picture>',
    "source of no known type": '<picture><source type="image/jxl" srcset="/pics/other-1_step_B'
    '.jxl"><img src="%s"></picture>',
    "amp": '<amp-img src="%s" width="9" height="9"></amp-img>',
    "background": "<div style=\"background: #fff url('%s') center\"></div>",
    "background loaded late": '<div class="lazy" data-bg="url(%s)"></div>',
    "drawing": '<svg><image href="%s" width="9" height="9"/></svg>',
    "plain": '<img src="\n %s ">',
}  # fmt: skip


@pytest.mark.parametrize("html", LOADED_LATE.values(), ids=LOADED_LATE)
def test_the_picture_that_a_browser_ends_up_showing(html):
    (picture,) = pictures(html.replace("%s", STEP))
    assert picture.src == picture.addresses[0] == STEP
    manual = parse_manual(
        page(row(html.replace("%s", STEP))), crawled_manual([crawled_image(STEP)])
    )
    assert [i.VLM.task_label for i in manual.instructions] == ["scene"] and not manual.drops


@pytest.mark.parametrize(
    "html",
    [
        '<img src="%s" data-large-file="/pics/Car-9_step_Z.png">',  # it is what stands in src
        '<img src="%s"><noscript><img src="//counter.example/pixel?id=1"></noscript>',
        '<img src="/pics/loupe.gif"><img src="%s">',
        '<div style="background:url(/pics/frame.png)"><img src="%s"></div>',
    ],
)
def test_other_pictures_are_not_taken_for_it(html):
    picture = pictures(html.replace("%s", STEP))[0]
    assert picture.src == STEP


def test_an_img_without_any_address_is_no_picture():
    for attributes in ("", 'src=""', 'src=" "', 'src="#"', 'src="about:blank"', 'alt="a"'):
        assert pictures(f"<img {attributes}>") == []


@pytest.mark.parametrize(
    ("srcset", "best"),
    [
        ("a.png", ["a.png"]),
        ("a.png, b.png 2x", ["b.png", "a.png"]),
        ("a.png 1.5x,b.png 3x, c.png 2x", ["b.png", "c.png", "a.png"]),
        ("a.png 300w, b.png 1200w 800h", ["b.png", "a.png"]),
        ("a,b.png 1x, c.png,", ["a,b.png", "c.png"]),  # commas belong to addresses
        ("data:,a 1x, b.png 2x", ["b.png", "data:,a"]),
        ("a.png (1, 2), b.png 2x", ["b.png", "a.png"]),
        (" , ,", []),
        ("a.png 1e400x, b.png huge", ["a.png", "b.png"]),
    ],
)
def test_srcset_is_read_as_the_standard_says_the_largest_first(srcset, best):
    assert best_candidates(srcset) == best


@pytest.mark.parametrize(
    ("media", "holds"),
    [
        ("", True),
        ("screen and (min-width: 1200px)", True),
        ("(max-width: 767.98px)", False),
        ("(max-width: 40em), (min-width: 60rem)", True),
        ("(min-width: 30em) and (max-height: 500px)", False),
        ("print", False),
        ("(orientation: portrait)", False),
        ("(prefers-color-scheme: dark)", False),
    ],
)
def test_media_conditions_at_full_size(media, holds):
    assert matches_full_size(media) is holds


def test_data_uris_are_read_as_browsers_do():
    packed = base64.b64encode(BIG).decode()
    for text in (packed, packed.rstrip("="), packed[:40] + "\n " + packed[40:], packed + "%3D%3D"):
        assert bytes_of(f"DATA:image/png;base64,{text}") == BIG
    assert bytes_of("data:image/png;charset=x,%89PNG") == b"\x89PNG"
    for text in ("data:image/png;base64", "data:;base64,A", "data:;base64,!!!!", "x"):
        with pytest.raises(ValueError, match=r"."):
            bytes_of(text)


# From disk ------------------------------------------------------------------------------------


def write(file: Path, data: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def imported(root: Path, html: str, folder: str = "lego-7-thing-readscr") -> CrawledManual:
    """The record of a saved page with that HTML."""
    file = write(root / folder / "index.html", html.encode())
    out = root.parent / "out"
    return load(out / saved.import_manual(root, file, out) / "crawl.json", CrawledManual)


def image_of(root: Path, picture: str, head: str = "") -> CrawledImage:
    html = page(row(picture)).replace("<head>", f"<head>{head}")
    (image,) = imported(root, html).images
    return image


@pytest.mark.parametrize("html", LOADED_LATE.values(), ids=LOADED_LATE)
def test_a_saved_site(tmp_path, html):
    root = tmp_path / "site"
    write(root / STEP[1:], BIG), write(root / "pics" / "blank.gif", SMALL)
    image = image_of(root, html.replace("%s", STEP))
    assert (image.src, image.url, image.error) == (STEP, STEP[1:], None)
    assert (tmp_path / "out" / "lego-7-thing-readscr" / image.file).read_bytes() == BIG


def test_a_page_that_a_browser_saved_keeps_the_first_address_beside_the_local_file(tmp_path):
    """Only `src` is rewritten; what scripts and `srcset` name is still on the web."""
    root = tmp_path / "site"
    write(root / "lego-7-thing-readscr" / "page_files" / "Car-1_step_B.png", BIG)
    write(root / "lego-7-thing-readscr" / "page_files" / "blank.gif", SMALL)
    web = "https://host.example/Car-1_step_B.png"
    local = "./page_files/Car-1_step_B.png"
    for html in (f'data-src="{web}"', f'srcset="{web} 2x"', f'data-savepage-src="{web}"'):
        image = image_of(root, f'<img src="{local}" {html}>')
        assert image.error is None and image.size_wh == BIG_WH
    image = image_of(root, f'<img src="./page_files/blank.gif" data-src="{web}">')
    assert (image.src, image.error) == (web, "missing_file"), "a placeholder is not the picture"


@pytest.mark.parametrize(
    ("base", "src"),
    [
        ("/pics/", "Car-1_step_B.png"),
        ("../pics/", "./Car-1_step_B.png"),
        ("https://host.example/pics/x.html", "Car-1_step_B.png"),
        ("\\pics\\", "Car-1_step_B.png"),
        ("/elsewhere/", "/pics/Car-1_step_B.png"),
        ("/elsewhere/", "../pics/Car-1_step_B.png"),  # saved: beside the page after all
        ("", "..\\pics\\Car-1_step_B.png"),
        ("", "\\pics\\Car-1_step_B.png"),
        ("", "/pics/Car-1_step_B.png?x=a\\b"),
    ],
)
def test_addresses_of_a_saved_page(tmp_path, base, src):
    root = tmp_path / "site"
    write(root / STEP[1:], BIG)
    image = image_of(root, f'<img src="{src}">', f'<base href="{base}">' if base else "")
    assert (image.url, image.error) == (STEP[1:], None)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_name_is_the_same_however_its_accents_are_stored(tmp_path, form, stored, encoded):
    root = tmp_path / "site"
    name = unicodedata.normalize("NFC", "pics/é/Gâte-1_step_É.png")
    write(root / unicodedata.normalize(stored, name), BIG)
    src = unicodedata.normalize(form, f"/{name}")
    src = "".join(f"%{b:02X}" if b > 127 else chr(b) for b in src.encode()) if encoded else src
    image = image_of(root, f'<img src="{src}">')
    assert image.error is None
    manual = parse_manual(page(row(f'<img src="{src}">')), crawled_manual([image]))
    assert manual.instructions[0].VLM.id_sign == unicodedata.normalize("NFC", "Gâte")


SAVERS = {
    "SingleFile": '<img src="{uri}" data-sf-original-src="{src}">',
    "Save Page WE": '<img data-savepage-src="{src}" data-savepage-currentsrc="{src}" src="{uri}">',
    "WebScrapBook": '<img src="{uri}" data-scrapbook-orig-attr-src-20250101="{src}">',
    "loaded late before": '<img src="{uri}" data-src="{src}">',
    "its alt text": '<img src="{uri}" alt="Car-1_step_B.png">',
}


@pytest.mark.parametrize("html", SAVERS.values(), ids=SAVERS)
def test_pages_with_their_pictures_in_them(tmp_path, html):
    src = "https://host.example" + STEP
    image = image_of(tmp_path / "site", html.format(uri=uri(BIG), src=src))
    assert image.error is None and image.size_wh == BIG_WH
    assert "Car-1_step_B.png" in image.src and len(image.src) < 100
    assert image.url in (STEP[1:], "Car-1_step_B.png"), "the path it had on its site"
    assert (tmp_path / "out" / "lego-7-thing-readscr" / image.file).read_bytes() == BIG


def test_a_picture_that_a_saver_keeps_once_for_several_rows(tmp_path):
    style = f'<style>:root{{--sf-img-3: url("{uri(BIG)}")}}</style>'
    html = (
        f'<img src="{SVG}" style="background-image:var(--sf-img-3)!important" '
        f'data-sf-original-src="{STEP}">'
    )
    image = image_of(tmp_path / "site", html, style)
    assert (image.src, image.error, image.size_wh) == (STEP, None, BIG_WH)


def test_a_picture_without_a_name_says_so_in_a_line_and_never_in_base64(tmp_path):
    html = page(row(f'<img src="{uri(BIG)}">') + row(f'<img src="{uri(OTHER)}" alt="gate">'))
    record = imported(tmp_path / "site", html)
    assert len({image.src for image in record.images}) == 2
    manual = parse_manual(html, record)
    assert [d.reason for d in manual.drops] == ["picture_without_name"] * 2
    assert "save the page" in manual.drops[0].detail
    crawl_json = tmp_path / "out" / "lego-7-thing-readscr" / "crawl.json"
    assert b"base64" not in crawl_json.read_bytes()


@pytest.mark.parametrize(
    ("text", "error"),
    [("data:image/png;base64,!", "broken_image"), (uri(b"<html>"), "not_an_image")],
)
def test_embedded_bytes_that_are_no_picture_are_recorded(tmp_path, text, error):
    image = image_of(tmp_path / "site", f'<img src="{text}" data-sf-original-src="{STEP}">')
    assert (image.src, image.error) == (STEP, error)


# From a server --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def crawled(server, folder: Path, rows: list[str], head: str = "") -> list[CrawledImage]:
    html = page("".join(rows)).replace("<head>", f"<head>{head}")
    server.pages["/list/"] = Reply(listing_html(["/set/"]))
    server.pages["/set/"] = Reply(set_html(["/lego-7-thing-readscr/"]))
    server.pages["/lego-7-thing-readscr/"] = Reply(html.encode())
    options = CrawlOptions(delay_s=0, backoff_s=0.01, retries=1, timeout_s=5)
    crawl_site(f"{server.url}/list/", folder, options)
    return load(folder / "lego-7-thing-readscr" / "crawl.json", CrawledManual).images


def test_a_crawled_site(tmp_path):
    """The functions that find pictures on disk find them on the web: one page of all forms."""
    srcs = [f"/pics/Car-{number}_step_B.png" for number in range(len(LOADED_LATE))]
    rows = [
        row(html.replace("%s", src)) for html, src in zip(LOADED_LATE.values(), srcs, strict=True)
    ]
    with serving() as server:
        server.pages.update({src: Reply(png(n, BIG_WH)) for n, src in enumerate(srcs)})
        images = crawled(server, tmp_path, rows)
        assert [image.src for image in images] == srcs
        assert [image.url for image in images] == [server.url + src for src in srcs]
        assert {image.error for image in images} == {None}
        assert not server.asked("blank") and not server.asked("spinner")


def test_addresses_of_a_crawled_page(tmp_path):
    rows = [row('<img src="Car-1_step_A.png">'), row(r'<img src="..\pics\Car-2_step_B.png">')]
    rows += [row(f'<img src="{uri(OTHER)}" data-sf-original-src="Car-3_step_C.png">')]
    rows += [row('<img src="/pics/Car-2_step_B.png" data-src="/no/Car-4_step_D.png">')]
    rows += [row('<img src="/pics/small.png" data-src="/no/Car-5_step_E.png">')]
    with serving() as server:
        for name in ("Car-1_step_A.png", "Car-2_step_B.png"):
            server.pages[f"/pics/{name}"] = Reply(BIG)
        server.pages["/pics/small.png"] = Reply(SMALL)
        images = crawled(server, tmp_path, rows, '<base href="/pics/">')
        assert [image.error for image in images] == [None] * 4 + ["http_404"]
        assert images[0].url == f"{server.url}/pics/Car-1_step_A.png"
        assert images[2].url == f"{server.url}/pics/Car-3_step_C.png"
        assert not server.asked("Car-3"), "its bytes are in the page"
        folder = tmp_path / "lego-7-thing-readscr"
        assert (folder / images[2].file).read_bytes() == OTHER
        assert images[3].src == "/no/Car-4_step_D.png" and images[3].url.endswith(
            "Car-2_step_B.png"
        )

"""A saved site: every way a src may be written, and none that leads out of it."""

import os
import stat
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from faulty_server import manual_html, png
from outside import MANUAL_SITE

from builder.sources.audio import saved, zipped
from core.errors import UserError
from core.pictures import images
from core.records import CrawledManual, load


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def site(root: Path, srcs: list[str], folder: str = "lego-7-a-thing-readscr") -> Path:
    return write(root / folder / "index.html", manual_html(srcs, "LEGO 7 Thing"))


def imported(root: Path, page: Path, out: Path, **limits) -> CrawledManual:
    manual_id = saved.import_manual(root, page, out, **limits)
    return load(out / manual_id / "crawl.json", CrawledManual)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file): (file.stat().st_mtime_ns, file.stat().st_ino) for file in files}


def test_pages_are_found_by_what_they_hold(tmp_path):
    one, two = site(tmp_path, ["a.png"]), write(tmp_path / "b.HTM", manual_html([]))
    write(tmp_path / "about.html", b"<p>About</p>")
    write(tmp_path / "talk.html", b"<p>manual-table-container</p>")
    assert saved.find_pages(tmp_path) == ([two, one], [])
    assert saved.manual_id_of(tmp_path, one) == "lego-7-a-thing-readscr"
    assert saved.manual_id_of(tmp_path, two) == "b"
    assert saved.manual_id_of(one.parent, one) == "lego-7-a-thing-readscr"
    assert saved.manual_id_of(tmp_path, tmp_path / "LEGO 7 Thing.html") == "lego-7-thing"


@pytest.mark.parametrize("charset", ["utf-16", "utf-8-sig"])
def test_a_page_saved_with_a_byte_order_mark_is_read(charset, tmp_path):
    page = site(tmp_path, ["a.png"])
    page.write_bytes(page.read_text(encoding="utf-8").encode(charset))
    assert saved.find_pages(tmp_path).pages == [page]
    record = imported(tmp_path, page, tmp_path / "out")
    assert record.title == "LEGO 7 Thing" and [image.src for image in record.images] == ["a.png"]


def test_no_pages_is_one_line_for_the_user(tmp_path):
    with pytest.raises(UserError, match="no such folder; give") as caught:
        saved.find_pages(tmp_path / "nowhere")
    assert "\n" not in str(caught.value)
    write(tmp_path / "index.html", b"<p>Nothing</p>")
    with pytest.raises(UserError, match=r"holds div\.manual-table-container; save"):
        saved.find_pages(tmp_path)


def packed(folder: Path, out: Path) -> Path:
    """A .zip of a folder and of what macOS adds."""
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
        archive.writestr(f"__MACOSX/{folder.name}/._index.html", b"\0")
    return out


def test_a_zip_is_read_as_the_folder_that_was_packed(tmp_path):
    page = site(tmp_path / "my site", ["/pics/a.png"])
    write(tmp_path / "my site" / "pics" / "a.png", png(1))
    archive, work = packed(tmp_path / "my site", tmp_path / "site.zip"), tmp_path / "work"
    with zipped.unpacked(archive, work) as root:
        assert root.name == "my site"
        (inside,) = saved.find_pages(root).pages
        record = imported(root, inside, tmp_path / "out")
    assert record == imported(tmp_path / "my site", page, tmp_path / "again")
    assert not list(work.iterdir())


def test_what_is_wrong_with_a_zip_names_the_zip(tmp_path):
    empty = packed(write(tmp_path / "s" / "a.png", png(1)).parent, tmp_path / "s.zip")
    with pytest.raises(UserError) as caught, zipped.unpacked(empty, tmp_path / "w") as root:
        saved.find_pages(root)
    assert str(caught.value).startswith(f"--source {empty}: only 1 .png in it")
    empty.write_bytes(empty.read_bytes().replace(b"IHDR", b"IHDX", 1))
    with pytest.raises(UserError, match="can't be unpacked") as caught:
        zipped.unpacked(empty, tmp_path / "w").__enter__()
    assert "\n" not in str(caught.value)


def test_two_pages_of_one_name_are_refused(tmp_path):
    site(tmp_path / "x", []), site(tmp_path / "y", [])
    with pytest.raises(UserError, match="same manual id 'lego-7-a-thing-readscr'"):
        saved.find_pages(tmp_path)


def test_every_way_to_write_a_src(tmp_path):
    root, out = tmp_path / "site", tmp_path / "out"
    files = {
        "/pics/a b##1.png": "pics/a b##1.png",
        "/pics/c%20d%23%232.png": "pics/c d##2.png",
        "./images/e.png": "lego-7-a-thing-readscr/images/e.png",
        "../other/f.png": "other/f.png",
        "http://host.example/pics/g.png": "pics/g.png",
        "https://host.example/h%C3%A9.png": "host.example/hé.png",
        "//host.example/i.png": "host.example/i.png",
        "/pics/j.png?ver=2": "pics/j.png",
        "/pics/k?x=1.png": "pics/k?x=1.png",
        "/pics/l%20m.png": "pics/l%20m.png",
        "/pics/100%.png": "pics/100%.png",
        "/pics/n.png#top": "pics/n.png",
    }
    for seed, name in enumerate(files.values()):
        write(root / name, png(seed))
    record = imported(root, site(root, list(files)), out)
    assert [image.src for image in record.images] == list(files)
    assert [image.error for image in record.images] == [None] * len(files)
    assert [image.url for image in record.images] == list(files.values())
    for seed, image in enumerate(record.images):
        assert (out / record.manual_id / image.file).read_bytes() == png(seed)
        assert image.size_wh == (24, 16) and image.size_bytes == len(png(seed))
    assert (record.set_number, record.title) == ("7", "LEGO 7 Thing")
    assert record.url == "lego-7-a-thing-readscr/index.html"


def test_nothing_outside_the_site_is_read(tmp_path):
    root = tmp_path / "site"
    secret = write(tmp_path / "secret.png", png(1))
    (root / "pics").mkdir(parents=True)
    (root / "pics" / "link.png").symlink_to(secret)
    (root / "out").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    bad = ["../../secret.png", "/../secret.png", "/pics/%2e%2e/%2e%2e/secret.png", "/pics/link.png"]
    bad += ["/out/secret.png", f"//..{secret}", "https://../secret.png"]
    missing = ["/no.png", "/loop.png", "/" + "x" * 5000, "/nul%00.png", "/pics", f"{secret}"]
    missing += ["file:///etc/hosts", "http://[x/y.png"]
    record = imported(root, site(root, bad + missing), tmp_path / "out")
    errors = {image.src: image.error for image in record.images}
    assert errors == dict.fromkeys(bad, "outside_site") | dict.fromkeys(missing, "missing_file")
    assert not list((tmp_path / "out").rglob("*.png"))


def test_a_page_linked_from_outside_is_no_page(tmp_path):
    page = write(tmp_path / "elsewhere.html", manual_html([]))
    site(tmp_path / "site", [])
    (tmp_path / "site" / "x.html").symlink_to(page)
    assert [page.name for page in saved.find_pages(tmp_path / "site").pages] == ["index.html"]


def test_bad_files_are_recorded(tmp_path):
    write(tmp_path / "cut.png", png(1)[:-200])
    write(tmp_path / "text.png", b"<html>")
    write(tmp_path / "big.png", png(1, (300, 300)))
    write(tmp_path / "wide.png", png(1, (100, 100)))
    srcs = ["/cut.png", "/text.png", "/big.png", "/wide.png"]
    page = site(tmp_path, srcs)
    record = imported(tmp_path, page, tmp_path / "out", max_bytes=100_000, max_pixels=9_999)
    expected = ["truncated_image", "not_an_image", "too_large", "too_many_pixels"]
    assert [image.error for image in record.images] == expected


def test_importing_again_is_cheap_and_right(tmp_path, monkeypatch):
    root, out = tmp_path / "site", tmp_path / "out"
    first, second = write(root / "a.png", png(1)), write(root / "b.png", png(2))
    page = site(root, ["/a.png", "/b.png"])
    before_import = imported(root, page, out)
    before = snapshot(out)
    decoded = []
    monkeypatch.setattr(
        images,
        "inspect_image",
        lambda *args, old=images.inspect_image: decoded.append(1) or old(*args),
    )
    assert imported(root, page, out) == before_import
    assert snapshot(out) == before and not decoded
    # The same size and date, other pixels: only the hash tells.
    date = second.stat()
    second.unlink()
    write(second, png(3)), os.utime(second, ns=(date.st_atime_ns, date.st_mtime_ns))
    record = imported(root, page, out)
    assert len(decoded) == 1 and record.images[0] == before_import.images[0]
    assert (out / record.manual_id / record.images[1].file).read_bytes() == png(3)
    assert len(list(out.rglob("images/*"))) == 2, "the image that went is gone here too"
    assert first.read_bytes() == png(1)


def test_a_changed_or_spoilt_copy_is_mended(tmp_path):
    root, out = tmp_path / "site", tmp_path / "out"
    write(root / "a.png", png(1))
    page = site(root, ["/a.png"])
    record = imported(root, page, out)
    copy = out / record.manual_id / record.images[0].file
    copy.unlink()
    copy.write_bytes(b"half")
    (out / record.manual_id / "page.html").unlink()
    assert imported(root, page, out) == record
    assert copy.read_bytes() == png(1)
    assert (out / record.manual_id / "page.html").read_bytes() == page.read_bytes()


def test_the_saved_site_itself_stays_untouched(tmp_path):
    root = tmp_path / "site"
    file, page = write(root / "a.png", png(1)), site(root, ["/a.png"])
    file.chmod(0o444), page.chmod(0o444)
    imported(root, page, tmp_path / "out")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, page)] == [0o444, 0o444]


def refreshing(target: str, body: str = "") -> bytes:
    head = f'<meta http-equiv="Refresh" content="0; url={target}">'
    return f"<html><head>{head}</head><body>{body}</body></html>".encode()


def test_a_page_that_sends_its_reader_on_is_not_the_manual(tmp_path):
    """Mirroring tools leave such pages where a site redirects."""
    page = site(tmp_path, ["a.png"])
    moved = '<div class="manual-table-container">This manual has moved.</div>'
    write(tmp_path / "lego-7" / "index.html", refreshing("../lego-7-a-thing-readscr/", moved))
    write(tmp_path / "lego-8.html", refreshing("https://h.example/lego-7-a-thing-readscr/", moved))
    assert saved.find_pages(tmp_path) == ([page], [])
    # One whose target is not here is what there is of the manual, or a loss that is recorded.
    kept = write(tmp_path / "lego-9.html", refreshing("https://h.example/lego-9-new/", moved))
    write(tmp_path / "lego-10.html", refreshing("https://h.example/lego-10-new/"))
    pages, drops = saved.find_pages(tmp_path)
    assert pages == [page, kept]
    assert [(d.manual_id, d.item, d.reason, d.detail) for d in drops] == [
        ("lego-10", "lego-10.html", "page_not_saved",
         "it sends its reader on to https://h.example/lego-10-new/")
    ]  # fmt: skip
    # A page that only loads itself again, or much later, is a page like any other.
    again = write(tmp_path / "lego-11.html", refreshing("lego-11.html", moved))
    slow = refreshing("lego-9.html", moved).replace(b"0; url", b"600; url")
    later = write(tmp_path / "lego-12.html", slow)
    assert saved.find_pages(tmp_path).pages == [again, later, page, kept]


def test_a_page_in_an_archive_file_says_how_to_save_it(tmp_path):
    data = manual_html(["a.png"]).replace(b"manual-table", b"manual-=\r\ntable")
    write(tmp_path / "LEGO 7.mhtml", b"From: <Saved by Blink>\r\n\r\n" + data)
    write(tmp_path / "about.mht", b"About")
    with pytest.raises(UserError, match=r"LEGO 7\.mhtml: .*save this one as HTML"):
        saved.find_pages(tmp_path)
    page = site(tmp_path, [])
    pages, drops = saved.find_pages(tmp_path)
    assert pages == [page] and [(d.item, d.reason) for d in drops] == [
        ("LEGO 7.mhtml", "unsupported_page")
    ]


@pytest.mark.parametrize("name", ["we[ird] *dir?", "a #1 100% b%20c", 'it\'s "q" & (1)', "é ß"])
def test_any_name_of_a_folder_will_do(tmp_path, name):
    """Glob signs, spaces, quotes, `#` and `%` in the site's path, a page's and a picture's."""
    root = tmp_path / name / "site"
    write(root / "pics" / f"{name}-1_step_B.png", png(1))
    page = site(root, [f"/pics/{quote(name)}-1_step_B.png"], f"lego-7 {name}")
    assert saved.find_pages(root).pages == [page]
    record = imported(root, page, tmp_path / name / "out")
    (image,) = record.images
    assert image.error is None and image.url == f"pics/{name}-1_step_B.png"
    again = imported(root, page, tmp_path / name / "out")
    assert again == record and (tmp_path / name / "out" / record.manual_id / image.file).is_file()


@pytest.mark.manual_site
def test_the_manual_site(tmp_path):
    pages = saved.find_pages(MANUAL_SITE / "site").pages
    records = [imported(MANUAL_SITE / "site", page, tmp_path) for page in pages]
    assert len(records) == 8
    errors = [image.error for record in records for image in record.images if image.error]
    assert sorted(errors) == ["missing_file", "truncated_image"]

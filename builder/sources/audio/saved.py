"""A saved site: a folder with the pages and images of manuals, as a browser or a mirroring tool
leaves them. It becomes the same crawl folder that the crawler makes.

A page's `src` may mean many files (a path from the site's root, one beside the page, a whole
URL; encoded or raw), but only ever one inside the folder that was given.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import msgspec

from builder.engine import Engine
from builder.sources import kinds
from builder.sources.audio import web
from builder.sources.audio.charset import decode_html
from builder.sources.audio.crawl_store import PAGE, RECORD, finish_manual, writable
from builder.sources.audio.embedded import keep_embedded
from builder.sources.audio.fetch import CrawlOptions
from builder.sources.audio.links import base_of
from builder.sources.audio.manual_page import CONTAINER, is_manual_page, read_page, row_pictures
from builder.sources.audio.pictures import Picture, is_data, is_placeholder
from builder.sources.audio.saved_scene import bring_scene
from builder.sources.released.layout import PREFIX, is_released
from builder.sources.source import Manuals
from core import code
from core.errors import UserError
from core.pictures import images
from core.records import CrawledImage, CrawledManual, Drop, split_slug
from core.store import DONE, is_done, place_file, sha256, write_bytes

_PAGES = {".html", ".htm"}
_ARCHIVES = {".mhtml", ".mht", ".maff", ".webarchive"}
_ARCHIVE = "pages in an archive file can't be read; save this one as HTML with its pictures"
_MARK = b"manual-table-container"  # a quick look before a page is parsed
_SITE = "https://saved.invalid"  # no host: only paths of addresses on it are used
_LIMITS = CrawlOptions()  # a saved image is held to the same limits as a crawled one


class SavedSite(NamedTuple):
    """The manual pages in a folder, sorted by their path in it, and pages that can't be read."""

    pages: list[Path]
    drops: list[Drop]


def import_site(root: Path, crawl_dir: Path, limit: int | None, engine: Engine) -> Manuals:
    """Bring the manuals of a saved site, at most `limit`, into crawl folders."""
    if is_released(root):
        raise UserError(
            f"--source {root}: a folder in the released dataset's layout; "
            f"give --source {PREFIX}{root}"
        )
    found = find_pages(root)
    calls = [(root, page, crawl_dir) for page in found.pages[:limit]]
    return Manuals(engine.map("pages", import_manual, calls), found.drops)


def find_pages(root: Path) -> SavedSite:
    """Look for manual pages in a folder; raises `UserError` if there are none."""
    if not root.is_dir():
        raise kinds.no_folder(root)
    pages: list[Path] = []
    drops: list[Drop] = []
    files = _files_of_pages(root)
    if not files:
        raise kinds.without_pages(root)
    for page in files:
        reason, detail = _why_no_manual(root, page)
        if reason is None:
            pages.append(page)
        elif reason:
            path = page.relative_to(root).as_posix()
            drops.append(Drop(manual_id_of(root, page), "crawl", path, reason, detail))
    if not pages:
        told = f" ({drops[0].item}: {drops[0].detail})" if drops else ""
        raise UserError(
            f"{root}: no .html file in it holds {CONTAINER}{told}; save the manual pages "
            "themselves (not the set pages) with their images, or give another folder"
        )
    _check_ids(root, pages)
    return SavedSite(pages, drops)


def manual_id_of(root: Path, page: Path) -> str:
    """The manual's id: the folder's name for an index.html, else the page's name."""
    folder = page.parent if page.parent != root else root.resolve()
    name = folder.name if page.stem.lower() == "index" else page.stem
    return web.safe_name(name)


class SavedPage(NamedTuple):
    """A page of the saved site at work: where it is, where its pictures go, what holds for them.

    `sizes` are format and size by sha256 of the images that an earlier import decoded.
    """

    root: Path
    page: Path
    base_href: str
    folder: Path
    sizes: dict[str, images.ImageInfo]
    max_bytes: int = _LIMITS.max_bytes
    max_pixels: int = _LIMITS.max_pixels


def import_manual(
    root: Path,
    page: Path,
    crawl_dir: Path,
    max_bytes: int = _LIMITS.max_bytes,
    max_pixels: int = _LIMITS.max_pixels,
) -> str:
    """Bring one saved page and its images into the crawl folder; the manual's id.

    Every file is hashed each time, which is quick, and decoded only if its hash is new: a
    date or a size can lie, so what has changed is never missed.
    """
    data = page.read_bytes()
    html = decode_html(data)
    manual_id = manual_id_of(root, page)
    folder = crawl_dir / manual_id
    manual = read_page(html)
    with writable(folder):
        place = SavedPage(
            root, page, manual.base_href if manual else "", folder, _known_sizes(folder),
            max_bytes, max_pixels,
        )  # fmt: skip
        pictures = row_pictures(manual) if manual else []
        record = CrawledManual(
            manual_id=manual_id,
            set_number=split_slug(manual_id)[0],
            title=web.page_title(html),
            url=page.relative_to(root).as_posix(),
            page_file=PAGE,
            page_sha256=sha256(data),
            images=[import_picture(place, picture) for picture in pictures],
            scene_sha256=bring_scene(page, folder),
        )
        finish_manual(folder, record, page)
        if not is_done(folder, code.of(images.__name__)):
            write_bytes(folder / DONE, code.of(images.__name__).encode())
    return manual_id


def import_picture(place: SavedPage, picture: Picture) -> CrawledImage:
    """A picture of a page brought into the crawl folder from the first address that has it."""
    first: CrawledImage | None = None
    for address in picture.addresses:
        if is_data(address):
            path = unquote(urlsplit(_url_of(place, picture.src)).path).lstrip("/")
            url = path if picture.has_address else picture.src
            limits = place.max_bytes, place.max_pixels
            image = keep_embedded(address, picture.src, url, place.folder, *limits)
        else:
            image = import_image(place, address)
        if image.error is None and (first is None or not is_placeholder(image)):
            return msgspec.structs.replace(image, src=picture.src)
        first = first or msgspec.structs.replace(image, src=picture.src)
    return first or CrawledImage(picture.src, picture.src, error="missing_file")


def import_image(place: SavedPage, src: str) -> CrawledImage:
    """One image of a page brought into the manual's crawl folder, or the reason why not."""
    file, error = resolve_src(place, src)
    if file is None:
        return CrawledImage(src, src, error=error)
    # The path as it stands in the saved site: what a crawled image's URL is for a crawled one.
    url = file.relative_to(place.root.resolve()).as_posix()
    if file.stat().st_size > place.max_bytes:
        return CrawledImage(src, url, error="too_large")
    data = file.read_bytes()
    digest = sha256(data)
    try:
        info = place.sizes.get(digest) or images.inspect_image(data, place.max_pixels)
        images.check_size(info.size_wh, place.max_pixels)
    except images.ImageError as err:
        return CrawledImage(src, url, error=err.reason)
    target = place.folder / "images" / f"{digest[:16]}{images.EXTENSIONS[info.format]}"
    if not (target.is_file() and sha256(target.read_bytes()) == digest):
        place_file(file, target)
    return CrawledImage(src, url, f"images/{target.name}", digest, len(data), info.size_wh)


def resolve_src(place: SavedPage, src: str) -> tuple[Path | None, str | None]:
    """(file, None) of an image inside the site, or (None, why not)."""
    inside, error = place.root.resolve(), "missing_file"
    for candidate in _candidates(place, src):
        try:
            real = _as_stored(candidate).resolve()  # follows links, so they can't lead out
            if not real.is_relative_to(inside):
                error = "outside_site"
            elif real.is_file():
                return real, None
        except (OSError, RuntimeError, ValueError):
            continue  # a name no file can have: too long, a loop of links, a NUL in it
    return None, error


def _url_of(place: SavedPage, src: str) -> str:
    """Where a browser would look for a picture if the folder were served at `_SITE`."""
    page_url = f"{_SITE}/{quote(place.page.relative_to(place.root).as_posix())}"
    return web.absolute_image_url(src, base_of(place.base_href, page_url))


def _as_stored(path: Path) -> Path:
    """A path with its names as the disk has them, where accents may be stored in another form."""
    if str(path).isascii() or path.exists():
        return path
    parent = _as_stored(path.parent)
    wanted = unicodedata.normalize("NFC", path.name)
    beside = sorted(parent.iterdir()) if parent.is_dir() else []
    return next((p for p in beside if unicodedata.normalize("NFC", p.name) == wanted), path)


def _candidates(place: SavedPage, src: str) -> Iterator[Path]:
    """Files that a src may mean, likeliest first."""
    if place.base_href:
        yield from _files_at(place, _url_of(place, src).removeprefix(_SITE))
    yield from _files_at(place, src)


def _files_at(place: SavedPage, address: str) -> Iterator[Path]:
    try:
        scheme, host = urlsplit(address).scheme.lower(), unquote(urlsplit(address).netloc)
    except ValueError:
        scheme, host = "", ""
    if scheme and scheme not in ("http", "https"):
        return  # data:, file: and the like are no files of the site
    rest = re.sub(r"^[a-zA-Z]+:", "", address) if scheme else address
    path = re.sub(r"^//[^/]*", "", rest)
    for text in _readings(path):
        if host:
            yield place.root / text.lstrip("/")
            yield place.root / host / text.lstrip("/")
        elif text.startswith("/"):
            yield place.root / text.lstrip("/")
        else:
            yield place.page.parent / text


def _readings(path: str) -> Iterator[str]:
    """A path as a name on disk: decoded or raw, with or without a query or fragment."""
    slashed = path.replace("\\", "/")  # a backslash is a slash, as in browsers
    stems = (slashed, slashed.split("?")[0], re.split(r"[?#]", slashed)[0], path)
    for stem in dict.fromkeys(stems):
        yield from dict.fromkeys((unquote(stem), stem))


def _known_sizes(folder: Path) -> dict[str, images.ImageInfo]:
    """Format and size by sha256 of the images that an earlier import decoded, by this code."""
    if not is_done(folder, code.of(images.__name__)):
        return {}
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=CrawledManual)
    except (OSError, msgspec.DecodeError):
        return {}
    formats = {extension: name for name, extension in images.EXTENSIONS.items()}
    return {
        image.sha256: images.ImageInfo(formats[Path(image.file).suffix], image.size_wh)
        for image in record.images
        if image.file and image.sha256 and image.size_wh and Path(image.file).suffix in formats
    }


def _files_of_pages(root: Path) -> list[Path]:
    """Saved pages below a folder; hidden folders and links to folders are left out."""
    files: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]  # .work, .git
        files += [Path(folder) / n for n in names if Path(n).suffix.lower() in _PAGES | _ARCHIVES]
    return sorted(files, key=lambda file: file.relative_to(root).as_posix())


def _why_no_manual(root: Path, page: Path) -> tuple[str | None, str]:
    """(None, "") for a manual, else a reason for a drop and its detail; "" for other pages."""
    if not page.resolve().is_relative_to(root.resolve()) or not page.is_file():
        return "", ""  # a link that leads out of the site
    data = page.read_bytes()
    if page.suffix.lower() in _ARCHIVES:
        is_manual = _MARK in data.replace(b"=\r\n", b"").replace(b"=\n", b"")
        return ("unsupported_page", _ARCHIVE) if is_manual else ("", "")
    # Some editors save pages as UTF-16.
    if not (_MARK in data or b"\0" in data or b"refresh" in data.lower()):
        return "", ""
    html = decode_html(data)
    place = SavedPage(root, page, "", root, {})
    target = web.refresh_target(html, _url_of(place, ""))
    if target and _page_at(place, target):
        return "", ""  # a browser shows the other page
    if is_manual_page(html):
        return None, ""
    return ("page_not_saved", f"it sends its reader on to {target}") if target else ("", "")


def _page_at(place: SavedPage, url: str) -> bool:
    """Whether the page of an address is in the folder, and is another one."""
    address = url.removeprefix(_SITE) or "/"
    found = (resolve_src(place, src)[0] for src in (address, f"{address.rstrip('/')}/index.html"))
    return any(file is not None and file != place.page.resolve() for file in found)


def _check_ids(root: Path, pages: list[Path]) -> None:
    """Two pages with one id would overwrite each other for ever."""
    seen: dict[str, Path] = {}
    for page in pages:
        other = seen.setdefault(manual_id_of(root, page), page)
        if other != page:
            raise UserError(
                f"{page}: gives the same manual id {manual_id_of(root, page)!r} as {other}; "
                "rename one of the two, or its folder if it is an index.html"
            )

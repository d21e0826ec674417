"""A saved site: a folder with the pages and images of manuals, as a browser or a mirroring tool
leaves them. It becomes the same crawl folder that the crawler makes.

A page's `src` may mean many files (a path from the site's root, one beside the page, a whole
URL; encoded or raw), but only ever one inside the folder that was given.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from builder import images
from builder.crawl_store import PAGE, RECORD, finish_manual, writable
from builder.fetch import CrawlOptions
from builder.folders import place_file, sha256
from builder.records import CrawledImage, CrawledManual, UserError, split_slug
from builder.sources import web
from builder.sources.charset import decode_html

_PAGE_SUFFIXES = {".html", ".htm"}
_MARK = b"manual-table-container"  # a quick look before a page is parsed
_LIMITS = CrawlOptions()  # a saved image is held to the same limits as a crawled one


def find_pages(root: Path) -> list[Path]:
    """The manual pages in a folder, sorted by their path in it."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the folder that holds the saved site")
    pages = [page for page in _html_files(root) if _is_manual(root, page)]
    if not pages:
        raise UserError(
            f"{root}: no .html file in it holds {web.CONTAINER}; save the manual pages themselves "
            "(not the set pages) with their images, or give another folder"
        )
    _check_ids(root, pages)
    return pages


def manual_id_of(root: Path, page: Path) -> str:
    """The manual's id: the folder's name for an index.html, else the page's name."""
    folder = page.parent if page.parent != root else root.resolve()
    name = folder.name if page.stem.lower() == "index" else page.stem
    return web.safe_name(name)


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
    with writable(folder):
        sizes = _known_sizes(folder)
        srcs = web.image_srcs(html)
        imported = [
            import_image(root, page, src, folder, sizes, max_bytes, max_pixels) for src in srcs
        ]
        record = CrawledManual(
            manual_id=manual_id,
            set_number=split_slug(manual_id)[0],
            title=web.page_title(html),
            url=page.relative_to(root).as_posix(),
            page_file=PAGE,
            page_sha256=sha256(data),
            images=imported,
        )
        finish_manual(folder, record, page)
    return manual_id


def resolve_src(root: Path, page: Path, src: str) -> tuple[Path | None, str | None]:
    """(file, None) of an image inside `root`, or (None, why not)."""
    inside, error = root.resolve(), "missing_file"
    for candidate in _candidates(root, page, src):
        try:
            real = candidate.resolve()  # follows links, so they can't lead out
            if not real.is_relative_to(inside):
                error = "outside_site"
            elif real.is_file():
                return real, None
        except (OSError, RuntimeError, ValueError):
            continue  # a name no file can have: too long, a loop of links, a NUL in it
    return None, error


def import_image(
    root: Path,
    page: Path,
    src: str,
    folder: Path,
    sizes: dict[str, images.ImageInfo],
    max_bytes: int,
    max_pixels: int,
) -> CrawledImage:
    """One image of a page brought into the manual's crawl folder, or the reason why not."""
    file, error = resolve_src(root, page, src)
    if file is None:
        return CrawledImage(src, src, error=error)
    # The path as it stands in the saved site: what a crawled image's URL is for a crawled one.
    url = file.relative_to(root.resolve()).as_posix()
    if file.stat().st_size > max_bytes:
        return CrawledImage(src, url, error="too_large")
    data = file.read_bytes()
    digest = sha256(data)
    try:
        info = sizes.get(digest) or images.inspect_image(data, max_pixels)
        images.check_size(info.size_wh, max_pixels)
    except images.ImageError as err:
        return CrawledImage(src, url, error=err.reason)
    target = folder / "images" / f"{digest[:16]}{images.EXTENSIONS[info.format]}"
    if not (target.is_file() and sha256(target.read_bytes()) == digest):
        place_file(file, target)
    return CrawledImage(src, url, f"images/{target.name}", digest, len(data), info.size_wh)


def _candidates(root: Path, page: Path, src: str) -> Iterator[Path]:
    """Files that a src may mean, likeliest first."""
    try:
        scheme, host = urlsplit(src).scheme.lower(), unquote(urlsplit(src).netloc)
    except ValueError:
        scheme, host = "", ""
    if scheme and scheme not in ("http", "https"):
        return  # data:, file: and the like are no files of the site
    rest = re.sub(r"^[a-zA-Z]+:", "", src) if scheme else src
    path = re.sub(r"^//[^/]*", "", rest)
    for text in _readings(path):
        if host:
            yield root / text.lstrip("/")
            yield root / host / text.lstrip("/")
        elif text.startswith("/"):
            yield root / text.lstrip("/")
        else:
            yield page.parent / text


def _readings(path: str) -> Iterator[str]:
    """A path as a name on disk: decoded or raw, with or without a query or fragment."""
    stems = (path, path.split("?")[0], re.split(r"[?#]", path)[0])
    for stem in dict.fromkeys(stems):
        yield from dict.fromkeys((unquote(stem), stem))


def _known_sizes(folder: Path) -> dict[str, images.ImageInfo]:
    """Format and size by sha256 of the images that an earlier import decoded."""
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


def _html_files(root: Path) -> list[Path]:
    """HTML files below a folder; hidden folders and links to folders are left out."""
    files = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]  # .work, .git
        files += [
            Path(folder) / name for name in names if Path(name).suffix.lower() in _PAGE_SUFFIXES
        ]
    return sorted(files, key=lambda file: file.relative_to(root).as_posix())


def _is_manual(root: Path, page: Path) -> bool:
    if not page.resolve().is_relative_to(root.resolve()) or not page.is_file():
        return False  # a link that leads out of the site
    data = page.read_bytes()
    likely = _MARK in data or b"\0" in data  # UTF-16: some editors save pages so
    return likely and web.is_manual_page(decode_html(data))


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

"""Makers of small real data: drawn pictures whose truth is known, records, pages, crawl folders."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from core.records import CrawledImage, CrawledManual, Instruction, Vlm, dump, split_slug
from core.store import CRAWL

RGB = tuple[int, int, int]

WHITE: RGB = (255, 255, 255)
PAPER: RGB = (242, 247, 252)
MAGENTA: RGB = (255, 0, 255)
RED, GREEN, BLUE, YELLOW, GREY = (
    (180, 0, 0), (0, 133, 43), (30, 90, 168), (250, 200, 10), (138, 146, 141),
)  # fmt: skip
SIZE_WH = (480, 360)
IMAGE_FOLDER = "/wp-content/themes/mtt-wordpress-theme/assets/manual/manual-images/60001/"


# Pictures ------------------------------------------------------------------------------------


class Brick(NamedTuple):
    """A flat drawn part: a box in pixels [x0, y0, x1, y1) and its colour."""

    box: tuple[int, int, int, int]
    color: RGB


@dataclass(frozen=True)
class StepPicture:
    """A drawn step and its truth: visible pixels of the new part, and the outline's pixels."""

    rgb: np.ndarray
    part: np.ndarray
    outline: np.ndarray


def plain(size_wh: tuple[int, int] = SIZE_WH, color: RGB = PAPER) -> np.ndarray:
    """One colour everywhere."""
    return np.full((size_wh[1], size_wh[0], 3), color, np.uint8)


def graded(size_wh: tuple[int, int] = SIZE_WH, low: int = 215, high: int = 250) -> np.ndarray:
    """A soft grey gradient from top left to bottom right."""
    ys, xs = np.mgrid[0 : size_wh[1], 0 : size_wh[0]]
    values = low + (high - low) * (xs / size_wh[0] + ys / size_wh[1]) / 2
    return np.repeat(np.rint(values).astype(np.uint8)[..., None], 3, axis=2)


def draw_part(rgb: np.ndarray, brick: Brick) -> None:
    """Draw a part into a picture: a face, a darker lower side, and dark edges."""
    x0, y0, x1, y1 = brick.box
    side = tuple(int(value * 0.7) for value in brick.color)
    rgb[y0:y1, x0:x1] = brick.color
    rgb[y0 + (y1 - y0) * 2 // 3 : y1, x0:x1] = side
    cv2.rectangle(rgb, (x0, y0), (x1 - 1, y1 - 1), (40, 40, 40), 1)


def parts_picture(parts: Sequence[Brick], background: np.ndarray | None = None) -> np.ndarray:
    """An object-finding picture: parts alone on a background."""
    rgb = (plain() if background is None else background).copy()
    for part in parts:
        draw_part(rgb, part)
    return rgb


def as_jpeg(rgb: np.ndarray, quality: int = 85) -> np.ndarray:
    """The pixels after a JPEG file (colours subsampled, as most are)."""
    data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy()


def png_bytes(pixels: np.ndarray) -> bytes:
    """A PNG file of RGB or RGBA pixels."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))[1].tobytes()


def jpeg_bytes(rgb: np.ndarray, quality: int = 85) -> bytes:
    """A JPEG file of RGB pixels."""
    data = cv2.imencode(
        ".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return data.tobytes()


def step_pictures(
    bricks: Sequence[Brick],
    outline: RGB | None = MAGENTA,
    size_wh: tuple[int, int] = SIZE_WH,
    background: RGB = PAPER,
) -> list[StepPicture]:
    """One picture a step: all parts so far, the new one outlined along its visible pixels.

    Drawn at twice the size and averaged, so that rims are blended as in a rendering.
    """
    return [
        _step_picture(bricks[: index + 1], outline, size_wh, background)
        for index in range(len(bricks))
    ]


def _step_picture(
    bricks: Sequence[Brick], outline: RGB | None, size_wh: tuple[int, int], background: RGB
) -> StepPicture:
    large = plain((2 * size_wh[0], 2 * size_wh[1]), background)
    part = np.zeros(large.shape[:2], np.uint8)
    for brick in bricks:
        x0, y0, x1, y1 = box = tuple(2 * value for value in brick.box)
        draw_part(large, Brick(box, brick.color))
        part[:] = 0
        part[y0:y1, x0:x1] = 1
    band = np.zeros_like(part)
    if outline is not None:
        # About 3.6 px outside and 2.4 px inside the part in a picture 960 px wide.
        scale = 2 * size_wh[0] / 960
        band = cv2.dilate(part, disc(round(3.6 * scale))) & (
            1 - cv2.erode(part, disc(round(2.4 * scale)))
        )
        large[band > 0] = outline
    return StepPicture(
        cv2.resize(large, size_wh, interpolation=cv2.INTER_AREA), _half(part), _half(band)
    )


def disc(radius: int) -> np.ndarray:
    """Round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _half(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape[0] // 2, mask.shape[1] // 2
    return mask.reshape(height, 2, width, 2).sum(axis=(1, 3)) >= 2


# A long plate with bricks put on it one after the other.
SESSION_BRICKS = (
    Brick((60, 230, 420, 300), GREY),
    Brick((80, 170, 150, 245), BLUE),
    Brick((300, 160, 400, 245), YELLOW),
    Brick((180, 190, 250, 250), GREEN),
    Brick((90, 110, 140, 180), RED),
    Brick((320, 100, 370, 170), BLUE),
)


# Pages ---------------------------------------------------------------------------------------

Line = Sequence[tuple[str | None, str]]


def tagged(line: Line) -> str:
    """The words of a line as the site tags them: (class or None, words)."""
    html = ""
    for tag, text in line:
        word = f'<span class="{tag}">{escape(text)}</span>' if tag else escape(text)
        html += word if tag == "suffix" or not html else f" {word}"
    return f"<p>{html}</p>"


def find_line(number: int, color: str, theme: str, verb: str = "Find") -> str:
    """`Find 2 red bricks 2x4.` with its tags."""
    return tagged(
        [("verb", verb), ("det", str(number)), ("colorinfo", color), ("theme", theme),
         ("suffix", ".")]
    )  # fmt: skip


def put_line(theme: str, where: str) -> str:
    """`Put the brick 2x4 on top.` with its tags."""
    return tagged(
        [("verb", "Put"), ("det", "the"), ("theme", theme), (None, where), ("suffix", ".")]
    )


@dataclass(frozen=True)
class PageRow:
    """A row to write: the image's file name (None: no img), its file's bytes (None: the file could
    not be fetched) and the HTML of its lines.
    """

    name: str | None
    data: bytes | None = None
    lines: Sequence[str] = ()
    error: str = "http_404"

    @property
    def src(self) -> str | None:
        """The attribute as the page writes it."""
        return None if self.name is None else IMAGE_FOLDER + self.name


def div_row(src: str | None, *boxes: str) -> str:
    """A row of today's pages: text boxes of any HTML."""
    image = f'<img src="{escape(src)}" alt="">' if src is not None else ""
    text = "".join(f'<div class="txtbox">{box}</div>' for box in boxes)
    return f'<div class="row"><div class="image">{image}</div><div class="text">{text}</div></div>'


def table_row(src: str | None, html: str) -> str:
    """A row of older pages."""
    image = f'<img src="{escape(src)}" alt="">' if src is not None else ""
    return f"<tr><td>{image}</td><td>{html}</td></tr>"


def page(rows: str, table: bool = False) -> str:
    """A manual page around its rows."""
    body = f"<table><tbody>{rows}</tbody></table>" if table else rows
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A manual</title></head>'
        f'<body><h1>A manual</h1><div class="manual-table-container">{body}</div></body></html>'
    )


def crawled_image(src: str, data: bytes | None = b"x", error: str = "http_404") -> CrawledImage:
    """The record of one image; without data, of one that could not be had."""
    url = f"https://site.example{src}"
    if data is None:
        return CrawledImage(src, url, error=error)
    digest = hashlib.sha256(data).hexdigest()
    return CrawledImage(src, url, f"images/{digest[:16]}.png", digest, len(data))


def crawled_manual(
    images: Sequence[CrawledImage] = (), manual_id: str = "lego-60001-test-readscr"
) -> CrawledManual:
    """What the crawler says of a manual."""
    return CrawledManual(
        manual_id=manual_id,
        set_number=split_slug(manual_id)[0],
        title="A manual",
        url=f"https://site.example/{manual_id}/",
        page_file="page.html",
        page_sha256="0" * 64,
        images=list(images),
    )


def html_of(rows: Sequence[PageRow]) -> str:
    """The page of a manual of these rows."""
    return page("".join(div_row(row.src, "".join(row.lines)) for row in rows))


def saved_site(
    root: Path, rows: Sequence[PageRow], manual_id: str = "lego-60001-test-readscr"
) -> Path:
    """Write the page and the pictures of a manual as a saved site; returns the page."""
    for row in rows:
        if row.src is not None and row.data is not None:
            file = root / row.src.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(row.data)
    path = root / manual_id / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html_of(rows), encoding="utf-8")
    return path


def crawl_folder(
    work: Path, rows: Sequence[PageRow], manual_id: str = "lego-60001-test-readscr"
) -> str:
    """Leave under `work` what a crawl of one manual leaves; returns the manual's id."""
    folder = work / CRAWL / manual_id
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: dict[str, CrawledImage] = {}
    for row in rows:
        if row.src is None:
            continue
        images[row.src] = record = crawled_image(row.src, row.data, row.error)
        if record.file and row.data is not None:
            (folder / record.file).write_bytes(row.data)
    (folder / "page.html").write_text(html_of(rows), encoding="utf-8")
    (folder / "crawl.json").write_bytes(dump(crawled_manual(list(images.values()), manual_id)))
    return manual_id


# Records -------------------------------------------------------------------------------------


def instruction(
    lines: Sequence[str],
    entities: Sequence[dict[str, str]] = (),
    number: int = 0,
    vlm: Vlm | None = None,
) -> Instruction:
    """An instruction record with the given text and tags."""
    return Instruction(number, list(lines), vlm or Vlm(), None, list(entities))


def label_entities(*labels: tuple[str, str, str]) -> list[dict[str, str]]:
    """Tags of (det, colorinfo, theme) triples, a line each."""
    return [
        entity
        for det, color, theme in labels
        for entity in (
            {"this_line": f"{det} {color} {theme}"}, {"det": det}, {"colorinfo": color},
            {"theme": theme},
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class TinyManual:
    """Rows of a manual with one session, every step preceded by its part; see `tiny_rows`."""

    rows: list[PageRow]
    steps: list[StepPicture]
    find_themes: list[str] = field(default_factory=list)


NAMES = ("grey", "blue", "yellow", "green", "red", "bright blue")
THEMES = ("plate 6x16", "brick 2x3", "brick 2x4", "brick 2x2", "tile 1x2", "wall 1x2x2")


def tiny_manual(
    outline: RGB | None = MAGENTA, sign: str = "Car", themes: Sequence[str] = THEMES
) -> TinyManual:
    """eop and step rows in turn: find a part, then put it on."""
    steps = step_pictures(SESSION_BRICKS, outline)
    rows: list[PageRow] = []
    for index, (brick, step) in enumerate(zip(SESSION_BRICKS, steps, strict=True)):
        x0, y0, x1, y1 = brick.box
        width, height = x1 - x0, y1 - y0
        alone = Brick(
            (240 - width // 2, 180 - height // 2, 240 + width // 2, 180 + height // 2), brick.color
        )
        rows.append(
            PageRow(
                f"{sign}-{2 * index}_eop_{chr(65 + 2 * index)}.png",
                png_bytes(parts_picture([alone])),
                [find_line(1, NAMES[index], themes[index])],
            )
        )
        rows.append(
            PageRow(
                f"{sign}-{2 * index + 1}_step_{chr(66 + 2 * index)}.png",
                png_bytes(step.rgb),
                [put_line(themes[index], f"in place number {index}")],
            )
        )
    return TinyManual(rows, steps, list(themes))

"""A page to look at the boundary colours of sessions and to set them by hand."""

import base64
import html
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from core.cli import command
from core.errors import UserError
from core.pictures.media import read_picture
from core.records import Manual, SessionColors, load
from core.store import COLORS_FILE, CRAWL, ROWS
from tasks.sessions import session_rows

PICTURES, WIDTH_PX = 4, 240
TEMPLATE = Path(__file__).with_name("swatches.html")


class Entry(NamedTuple):
    """One session of the page."""

    session_id: str
    colors: SessionColors
    pictures: list[str]


def entries(work: Path) -> list[Entry]:
    """All sessions of a work folder, doubtful ones first; raises `UserError` when there is none."""
    found = []
    for file in sorted((work / ROWS).glob(f"*/{COLORS_FILE}")):
        manual = load(file.parent / "manual.json", Manual)
        colors = load(file, dict[str, SessionColors])
        crawled = work / CRAWL / manual.manual_id
        for session_id, rows in session_rows(manual).items():
            steps = [row.instruction.VLM.img_path for row in rows if not row.is_eop]
            paths = [crawled / path for path in steps if path]
            chosen = paths[:: max(1, len(paths) // PICTURES)][:PICTURES]
            found.append(Entry(session_id, colors[session_id], [_thumbnail(p) for p in chosen]))
    if not found:
        raise UserError(f"--work {work}: no sessions in it; make some: {command('build')}")
    return sorted(found, key=lambda e: (e.colors.color is not None, e.colors.score, e.session_id))


def _thumbnail(path: Path) -> str:
    image = Image.fromarray(read_picture(path).rgb)
    image.thumbnail((WIDTH_PX, WIDTH_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def page(sessions: list[Entry]) -> str:
    """The whole page as HTML."""
    rows = "\n".join(_row(entry) for entry in sessions)
    return TEMPLATE.read_text(encoding="utf-8").replace("<!-- sessions -->", rows)


def _row(entry: Entry) -> str:
    name = html.escape(entry.session_id, quote=True)
    colors = entry.colors
    state = "set by hand" if colors.by_hand else f"{colors.score:.0%} of the steps vote for it"
    said = f"{colors.color}, {state}" if colors.color else "no colour found"
    buttons = "".join(
        f'<button type="button" data-color="{color}" aria-label="{color}" '
        f'style="background:{color}"></button>'
        for color in dict.fromkeys([*([colors.color] if colors.color else []), *colors.candidates])
    )
    pictures = "".join(f'<img src="{data}" alt="a step of {name}">' for data in entry.pictures)
    return (
        f'<section data-session="{name}" data-color="{colors.color or ""}">'
        f"<h2>{name}</h2><p>{html.escape(said)}: <output></output></p>"
        f'<div class="choices">{buttons}<label>other <input type="color"></label>'
        f'<button type="button" class="none" data-color="">none</button></div>'
        f'<div class="pictures">{pictures}</div></section>'
    )

"""The demo's site around its manuals: set pages, listing, robots.txt, and the truth in one file."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from builder.sources.demo.manuals import BRAILLE_FOLDER, IMAGE_FOLDER, braille_path
from builder.sources.demo.plan import SetPlan, manual_id_of, plan_set
from builder.sources.drawn import pages
from core.errors import UserError
from core.store import write_bytes, writing


def finish_site(root: Path, count: int, seed: int) -> Path:
    """Write the site's own pages and `truth.json` for manuals 0..count-1; returns `root/site`.

    What an earlier run drew beyond these manuals is removed. Memory stays flat: one manual at a
    time is in hand.
    """
    site = root / "site"
    sets = _write_set_pages(site, count, seed)
    _write_listing(site, sets)
    write_bytes(site / "robots.txt", b"User-agent: *\nDisallow: /wp-admin/\nCrawl-delay: 0\n")
    ids = [manual_id_of(index, seed) for index in range(count)]
    listing = [[plan.page for plan in page] for page in _pages(sets)]
    files = _write_truth(root, ids, listing)
    files |= {braille_path(*plan_set(seed, index)) for index in range(count)}
    _remove_strangers(root, set(ids), sets, files)
    return site


def _write_set_pages(site: Path, count: int, seed: int) -> list[SetPlan]:
    """Set pages with the links of the manuals that are there; returns the sets in order."""
    sets: dict[str, SetPlan] = {}
    parts: dict[str, list[int]] = {}
    for index in range(count):
        plan, part = plan_set(seed, index)
        sets[plan.number] = plan
        parts.setdefault(plan.number, []).append(part)
    for number, plan in sets.items():
        texts, braille = [], []
        for part in parts[number]:
            letter = f" {plan.letters[part]}" if plan.letters[part] else ""
            texts.append((f"/{plan.manual_id(part)}/", f"Text for screen reader{letter}"))
            braille.append((f"/{braille_path(plan, part)}", f"Text for braille reader{letter}"))
        page = pages.set_page(f"{number} {plan.title}", texts + braille)
        write_bytes(site / plan.page / "index.html", page.encode())
    return list(sets.values())


def _pages(sets: list[SetPlan]) -> list[list[SetPlan]]:
    n = pages.CARDS_A_PAGE
    return [sets[i : i + n] for i in range(0, max(1, len(sets)), n)]


def _write_listing(site: Path, sets: list[SetPlan]) -> None:
    folder, listing = site / "instructions", _pages(sets)
    for number, page in enumerate(listing):
        cards = [(f"/{plan.page}", plan.number, plan.title) for plan in page]
        html = pages.listing_page(cards, number, len(listing))
        name = f"pagenumber-{number}.html" if number else "index.html"
        write_bytes(folder / name, html.encode())
    for extra in folder.glob("pagenumber-*.html"):
        if int(extra.stem.rpartition("-")[2]) >= len(listing):
            extra.unlink()


def _write_truth(root: Path, ids: list[str], listing: list[list[str]]) -> set[str]:
    """Join the manuals' truth files into `truth.json`; returns the image paths under the site."""
    head = {
        "name": "demo",
        "image_root": "paths are relative to site/; masks to the folder of this file",
        "box_format": "[x1, y1, x2, y2] in pixels of the image, x2 and y2 exclusive",
        "listing_pages": listing,
    }
    images: set[str] = set()
    with writing(root / "truth.json") as temporary, temporary.open("wb") as out:
        out.write(msgspec.json.encode(head)[:-1] + b',"manuals":[')
        for i, manual_id in enumerate(ids):
            record = _read_truth(root, manual_id)
            out.write((b",\n" if i else b"\n") + msgspec.json.encode(record["manual"]))
            images |= {row["image"] for row in record["manual"]["rows"] if row["image"]}
        out.write(b"\n]}\n")
    return images


def _read_truth(root: Path, manual_id: str) -> dict[str, Any]:
    path = root / "truth" / f"{manual_id}.json"
    try:
        record: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as err:
        raise UserError(f"{manual_id}: {path} is missing or broken; draw the manual again") from err
    return record


def _remove_strangers(root: Path, ids: set[str], sets: list[SetPlan], files: set[str]) -> None:
    """Remove manuals, set pages, masks, braille texts and pictures that are not this site's."""
    site = root / "site"
    for truth in (root / "truth").glob("*.json"):
        if truth.stem not in ids:
            truth.unlink()
    for masks in (root / "truth-masks").glob("*"):
        if masks.name not in ids:
            shutil.rmtree(masks)
    pages = ids | {plan.page.rstrip("/") for plan in sets}
    for folder in site.glob("lego-*"):
        if folder.name not in pages:
            shutil.rmtree(folder)
    for path in [*(site / BRAILLE_FOLDER).glob("*"), *(site / IMAGE_FOLDER).glob("*/*")]:
        if path.relative_to(site).as_posix() not in files:
            path.unlink()
    for folder in (site / IMAGE_FOLDER).glob("*"):
        if not any(folder.iterdir()):
            folder.rmdir()

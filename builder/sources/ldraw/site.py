"""The site around the manuals of models: set pages and listing; what is no longer wanted goes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.sources.drawn import pages
from builder.sources.ldraw.making import Wanted
from builder.sources.ldraw.session_pages import IMAGE_FOLDER
from core.store import write_bytes


def finish_site(root: Path, made: Sequence[Wanted]) -> Path:
    """Write the site's own pages for the manuals that there are; returns `root/site`."""
    site = root / "site"
    sets = {one.manual_id.removesuffix("-readscr"): one for one in made}
    for name, one in sets.items():
        links = [(f"/{one.manual_id}/", "Text for screen reader")]
        write_bytes(site / name / "index.html", pages.set_page(one.title, links).encode())
    _write_listing(site, sets)
    _remove_strangers(root, {one.manual_id for one in made} | sets.keys())
    return site


def _write_listing(site: Path, sets: dict[str, Wanted]) -> None:
    names, n = list(sets), pages.CARDS_A_PAGE
    listing = [names[i : i + n] for i in range(0, max(1, len(names)), n)]
    folder = site / "instructions"
    shutil.rmtree(folder, ignore_errors=True)
    for number, page in enumerate(listing):
        cards = [(f"/{name}/", name.split("-")[1], sets[name].title) for name in page]
        html = pages.listing_page(cards, number, len(listing))
        name = f"pagenumber-{number}.html" if number else "index.html"
        write_bytes(folder / name, html.encode())


def _remove_strangers(root: Path, wanted: set[str]) -> None:
    """Remove manuals, set pages and pictures of models that are not in the source any more."""
    for folder in [*(root / "site").glob("lego-*"), *(root / "site" / IMAGE_FOLDER).glob("*")]:
        if folder.name not in wanted:
            shutil.rmtree(folder)

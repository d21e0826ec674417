"""The scene beside a saved page, where the source that drew it left one (`core/scenes.py`)."""

import shutil
from pathlib import Path

from core import scenes
from core.errors import UserError
from core.store import place_file, sha256


def bring_scene(page: Path, folder: Path) -> str | None:
    """Bring the scene of a page that has a folder of its own into the manual's crawl folder.

    Returns the sha256 of its `scene.json`, None where there is none. Files that it does not name
    are not taken, and those of an earlier scene go. Raises `UserError` for a broken one.
    """
    target = folder / scenes.FOLDER
    scene = scenes.load_scene(page.parent) if page.stem.lower() == "index" else None
    if scene is None:
        shutil.rmtree(target, ignore_errors=True)
        return None
    origin = page.parent / scenes.FOLDER
    names = scenes.files_of(scene)
    for name in names:
        if not (origin / name).is_file():
            raise UserError(f"{origin / name}: named by {scenes.FILE} and not there; save it whole")
        if not _same(origin / name, target / name):
            place_file(origin / name, target / name)
    place_file(origin / scenes.FILE, target / scenes.FILE)
    for file in target.iterdir():
        if file.name not in {*names, scenes.FILE}:
            file.unlink()
    return sha256((target / scenes.FILE).read_bytes())


def _same(one: Path, other: Path) -> bool:
    """Whether both are one file already; a copy is made anew, for its bytes may differ."""
    return other.exists() and one.samefile(other)

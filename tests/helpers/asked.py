"""Two manuals that a model is asked about, and what it answered."""

from pathlib import Path

from command import TINY
from makers import crawl_folder, tiny_manual

from builder.stages import parse_manual
from core.store import ANSWERS

ASKED = TINY[:2]


def parsed_manuals(folder: Path) -> Path:
    """`folder` as the work of a build, with two manuals of six eop rows that show the same."""
    for manual_id in ASKED:
        crawl_folder(folder, tiny_manual().rows, manual_id)
        parse_manual(manual_id, folder)
    return folder


def answered(work: Path) -> dict[str, bytes]:
    """The answers in the store, by name."""
    return {path.name: path.read_bytes() for path in (work / ANSWERS).glob("*/*/*.json")}

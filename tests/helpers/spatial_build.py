"""A build whose text and pictures contradict each other about one pair of things."""

from dataclasses import replace
from pathlib import Path

from makers import crawl_folder, put_line, tiny_manual
from review_build import MANUALS

from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions, build_manual

AGAINST = "under the plate 6x16"  # the picture shows the brick on it


def contradicting(folder: Path, **options) -> Path:
    """`folder`/lego-arta: two manuals, each of which says of one brick that it is under what the
    picture shows it on; options are those of `AssembleOptions`."""
    work, rows = folder / "work", list(tiny_manual().rows[:8])
    rows[3] = replace(rows[3], lines=[put_line("brick 2x3", AGAINST)])
    for manual_id in MANUALS:
        crawl_folder(work, rows, manual_id)
        build_manual(manual_id, BuildOptions(work))
    everything = AssembleOptions(folder / "lego-arta", "demo", probe=False, **options)
    assemble(list(MANUALS), BuildOptions(work), everything)
    return folder / "lego-arta"

"""A tiny manual through all stages of the builder, and its rows read back."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from makers import PageRow, crawl_folder
from PIL import Image

from builder.engine.local import ALONE
from builder.sources.audio.saved import import_site
from builder.sources.demo import manuals as demo
from builder.sources.demo.site import finish_site
from builder.stages import BuildOptions, build_manual
from core.records import Manual, ManualStats, load
from core.store import CRAWL, ROWS
from tasks import TASKS
from tasks.context import TaskOptions


class Built(NamedTuple):
    """What the stages left of one manual."""

    rows: dict[str, list[dict]]
    stats: ManualStats
    manual: Manual

    @property
    def drops(self) -> set[tuple[str, str, str]]:
        return {(drop.task, drop.item, drop.reason) for drop in self.stats.drops}


def build(work: Path, rows: list[PageRow], tasks: TaskOptions = TaskOptions()) -> Built:  # noqa: B008
    manual_id = crawl_folder(work, rows)
    build_manual(manual_id, BuildOptions(work, tasks=tasks))
    return read(work, manual_id)


def demo_work(folder: Path, manuals: int, tasks: TaskOptions = TaskOptions()) -> Path:  # noqa: B008
    """`folder`, with the first manuals of the demo drawn there and through all stages."""
    for index in range(manuals):
        demo.draw_manual(folder / "0_demo", index, 42)
    site = finish_site(folder / "0_demo", manuals, 42)
    for manual_id in import_site(site, folder / CRAWL, None, ALONE).manual_ids:
        build_manual(manual_id, BuildOptions(folder, tasks=tasks))
    return folder


def read(work: Path, manual_id: str) -> Built:
    folder = work / ROWS / manual_id
    rows = {config: pq.read_table(folder / f"{config}.parquet").to_pylist() for config in TASKS}
    return Built(
        rows, load(folder / "stats.json", ManualStats), load(folder / "manual.json", Manual)
    )


def pixels_of(row: dict) -> np.ndarray:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return np.asarray(image.convert("RGB"))

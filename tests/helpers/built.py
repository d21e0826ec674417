"""A tiny manual through all stages of the builder, and its rows read back."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from makers import PageRow, crawl_folder
from PIL import Image

from builder.stages import BuildOptions, build_manual
from core.records import Annotation, Manual, ManualStats, load
from core.store import ANNOTATE, CRAWL, PARSE, ROWS
from tasks import TASKS
from tasks.context import Context, TaskOptions


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


def context_of(work: Path, manual_id: str, tasks: TaskOptions = TaskOptions()) -> Context:  # noqa: B008
    """What the tasks make a manual's rows from, of a work folder with the stages before."""
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    return Context(
        load(work / PARSE / manual_id / "manual.json", Manual),
        work / CRAWL / manual_id,
        {int(key): value for key, value in annotations.items()},
        tasks,
    )


def read(work: Path, manual_id: str) -> Built:
    folder = work / ROWS / manual_id
    rows = {config: pq.read_table(folder / f"{config}.parquet").to_pylist() for config in TASKS}
    return Built(
        rows, load(folder / "stats.json", ManualStats), load(folder / "manual.json", Manual)
    )


def pixels_of(row: dict) -> np.ndarray:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return np.asarray(image.convert("RGB"))

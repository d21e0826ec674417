"""CPU time of mask rows besides encoding, and of the discriminator's samples."""

import argparse
import time
from typing import NamedTuple

from benchmarks.truth_masks import context_of, flat_of
from core.errors import UserError
from core.masks import encode_mask, read_mask
from core.store import ROWS
from tasks import TASKS
from tasks.context import Context
from tasks.mask.samples import samples


class Spent(NamedTuple):
    """CPU seconds that rows took besides their encoding, and how many they are."""

    rows: int
    seconds: float

    @property
    def text(self) -> str:
        """For the table."""
        each = self.seconds / self.rows if self.rows else float("nan")
        return f"{self.rows:5d} rows   {1e3 * each:7.1f} ms CPU a row"


def bench_masks(options: argparse.Namespace) -> None:
    """CPU a mask row besides encoding, where the source drew and where programs look, after the
    other tasks, which leave decoded pictures and regions; and CPU of samples a manual."""
    folder = options.work / ROWS
    manual_ids = sorted(path.parent.name for path in folder.glob("*/index.json"))
    if not manual_ids:
        raise UserError(f"--work {options.work}: no manual in it; give the --work of a build")
    manual_ids = manual_ids[: options.manuals]
    drawn = [_spent(context_of(Context, options.work, one)) for one in manual_ids]
    looked = [_spent(flat_of(options.work, one)) for one in manual_ids]
    for name, several in (("the source's masks", drawn), ("machine masks", looked)):
        whole = Spent(sum(one.rows for one in several), sum(one.seconds for one in several))
        print(f"{name:<24}{whole.text}")
    started, number = time.process_time(), 0
    for one in manual_ids:
        number += len(list(samples(context_of(Context, options.work, one))))
    spent = (time.process_time() - started) / len(manual_ids)
    print(f"{'samples':<24}{number:5d}        {spent:7.2f} s CPU a manual")


def _spent(context: Context) -> Spent:
    for config, task in TASKS.items():
        started = time.process_time()
        rows = list(task.rows.make(context))
        if config == "mask":
            spent = time.process_time() - started
            masks = [read_mask(row["mask"]["bytes"]) for row in rows]
            started = time.process_time()
            for mask in masks:
                encode_mask(mask)
            return Spent(len(rows), spent - (time.process_time() - started))
    raise ValueError("no task makes masks")

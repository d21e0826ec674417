"""What loading costs: rows through `datasets` against the bare decode of the same bytes.

Seconds are those of the processor, all threads counted: what else runs on the machine is not.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from core.build import as_patterns, shards
from core.cli import no_build
from tasks import TASKS


def bare(paths: list[Path]) -> float:
    """Seconds to decode every picture, the bytes in memory already."""
    pictures = [
        image["bytes"]
        for path in paths
        for image in pq.read_table(path, columns=["image"]).column("image").to_pylist()
    ]
    return iterate({"image": _decoded(data)} for data in pictures)


def _decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def iterate(rows: Iterator[dict]) -> float:
    """Seconds to go through rows with decoded pictures, holding one at a time.

    Both ways go through here: how memory is handed back costs as much as the decode.
    """
    started = time.process_time()
    for row in rows:
        row["image"].load()  # done already: decoding is the reader's work
    return time.process_time() - started


def bench_load(options: argparse.Namespace) -> None:
    """Map-style and streaming iteration against the bare decode, best of several rounds."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        print(f"{'config':<8}{'rows':>7}{'decode':>10}{'loaded':>10}{'ratio':>7}"
              f"{'streamed':>10}{'ratio':>7}")  # fmt: skip
        for config in TASKS:
            paths = shards(options.out, config, "train")
            if not paths:
                raise no_build(options.out)
            loaded = datasets.load_dataset(
                "parquet", data_files=as_patterns(paths), split="train", cache_dir=cache
            )
            stream = datasets.load_dataset(
                "parquet", data_files=as_patterns(paths), split="train", streaming=True
            )
            # In turn, so that a slow moment of the machine meets all of them.
            times = np.array([[bare(paths), iterate(iter(loaded)), iterate(iter(stream))]
                              for _ in range(options.rounds)])  # fmt: skip
            decode, map_style, streamed = times.min(axis=0)
            print(f"{config:<8}{len(loaded):7,}{decode:8.2f} s{map_style:8.2f} s"
                  f"{map_style / decode:7.2f}{streamed:8.2f} s"
                  f"{streamed / decode:7.2f}")  # fmt: skip

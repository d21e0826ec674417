"""The data of visual spatial description as rows of `spatial` and as LLaVA's JSON, with a script.

lego-arta vsd VSDv1/train.json --v2 VSDv2/train.json --images pictures --out vsd
lego-arta vsd VSDv1/train.json --v2 VSDv2/train.json --single-round --out vsd

The files are those of https://github.com/zhaoyucs/VSD. Pictures are not part of them: rows name
them, and hold those that lie in --images; the others are listed in left_out.json.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.cli import Parser, run
from core.relations import CONVERSATIONS
from tasks.queries import TEMPLATES


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("vsd", __doc__)
    add = result.add_argument
    add("v1", type=Path, metavar="V1.json", help="a released file of VSD v1: short captions")
    add("--v2", type=Path, metavar="V2.json", help="the same split of v2: richer captions")
    add("--images", type=Path, metavar="DIR", help="pictures, named by their img_id")
    add("--out", type=Path, default=Path("vsd"), help="a new folder (%(default)s)")
    add(
        "--templates",
        choices=TEMPLATES,
        default="paper",
        help="questions in the paper's words (%(default)s), or in five wordings each (readable)",
    )
    add("--single-round", action="store_true", help="LLaVA's turns closed by <STOP>, as published")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result  # fmt: skip


def write(options: argparse.Namespace) -> None:
    """Read, write rows and samples, say how many of each kind; raises `UserError`."""
    from builder.export.llava import training_script
    from builder.vsd.conversations import llava_sample, rows
    from builder.vsd.reading import read_vsd
    from core.errors import UserError
    from core.parquet import schema

    if options.out.exists() and any(options.out.iterdir()):
        raise UserError(f"--out {options.out}: there is something in it; choose a new folder")
    items, drops = read_vsd(options.v1, options.v2)
    if options.images and not options.images.is_dir():
        raise UserError(f"--images {options.images}: no such folder")
    made = [row for item in items for row in rows(item, options.images, options.templates)]
    if not made:
        raise UserError(f"{options.v1}: no usable item in it ({len(drops)} left out)")
    options.out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(made, schema=schema("spatial")),
                   options.out / "spatial.parquet", compression="zstd")  # fmt: skip
    samples = [llava_sample(row, options.single_round) for row in made]
    (options.out / "llava.json").write_text(json.dumps(samples, ensure_ascii=False, indent=1))
    script = options.out / "train.sh"
    script.write_text(training_script("llava.json"), encoding="utf-8")
    script.chmod(0o755)
    named = {row["provenance"]["source_images"][0]["path"] for row in made if not row["image"]}
    left_out = {
        "items": [{"item": d.item, "reason": d.reason, "detail": d.detail} for d in drops],
        "pictures": sorted(named),
    }
    (options.out / "left_out.json").write_text(json.dumps(left_out, indent=1))
    counts = Counter(CONVERSATIONS[row["conversation_type"]] for row in made)
    for name in CONVERSATIONS:
        print(f"{name:<14} {counts[name]:,}")
    print(f"{len(made):,} rows of {len(items):,} items in {options.out}; left out: {len(drops):,} "
          f"items or triples, {len(named):,} pictures (left_out.json)")  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: write(options), options.debug)

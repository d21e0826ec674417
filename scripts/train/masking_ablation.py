"""Do machine masks help, and do weights? The small model of masks on parts of the data, one plot.

    lego-arta train masking-ablation lego-arta --out ablation

The build needs masks of both kinds, exact (or human) and machine: docs/masks.md says how to make
one. Four models see as many rows each: exact alone, machine alone, both, both by sample_weight.
All are scored on the test split (arXiv 2405.19783, Figure 10: data, and weights by source).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.cli import positive, require, run_file, whole, writable
from core.errors import UserError
from core.store import write_text, writing
from scripts.train.masking import write_map

TRUE, MACHINE = ("exact", "human"), ("machine",)
# Weights are from 0.1 to 3.
BINS = np.linspace(0, 3, 31)
COLORS = {"exact": "#2a9d6f", "human": "#1f77d0", "machine": "#d9772b"}


class Arm(NamedTuple):
    """One model of the comparison."""

    name: str
    sources: tuple[str, ...]
    weighted: bool


ARMS = (
    Arm("exact", TRUE, False),
    Arm("machine", MACHINE, False),
    Arm("both", TRUE + MACHINE, False),
    Arm("both-weighted", TRUE + MACHINE, True),
)


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments of this recipe."""
    add = command.add_argument
    add("build", type=Path, metavar="BUILD", help="a build folder")
    add("--out", type=writable, required=True, metavar="DIR", help="maps, table and plot")
    add("--side", type=positive, default=96, metavar="PX", help="(%(default)s)")
    add("--epochs", type=positive, default=28, metavar="N",
        help="over both kinds; models of one kind see as many rows (%(default)s)")  # fmt: skip
    add("--batch", type=positive, default=24, metavar="N", help="(%(default)s)")
    add("--seed", type=whole, default=42, help="(%(default)s)")
    add("--debug", action="store_true", help="show the traceback of an error")


def prepare(options: argparse.Namespace) -> None:
    """Refuse what can't be done before any work."""
    require("train", "training", "torch")
    require("review", "the plot", "matplotlib")


def train(options: argparse.Namespace) -> None:
    """Train, predict and score every model; write table, numbers and plot."""
    import torch

    from evaluation.masks import score_maps
    from scripts.train import masking_small
    from scripts.train.masking_data import rows_of, vocabulary

    torch.set_num_threads(1)
    every = rows_of(options.build, "train", options.side)
    weights = {
        source: [s.weight for s in every.samples if s.source == source]
        for source in COLORS
        if any(s.source == source for s in every.samples)
    }
    lacking = [kind for kind in (TRUE, MACHINE) if not set(kind) & weights.keys()]
    if lacking:
        raise UserError(
            f"{options.build}: no train row has a mask of source {' or '.join(lacking[0])}; "
            "docs/masks.md says how to build manuals of both kinds"
        )
    words = vocabulary([text for sample in every.samples for text in sample.texts])
    asked = rows_of(options.build, "test", options.side)
    texts = [sample.query for sample in asked.samples]
    sizes = {}
    for arm in ARMS:
        samples = [sample for sample in every.samples if sample.source in arm.sources]
        sizes[arm.name] = len(samples)
        recipe = masking_small.Recipe(
            side=options.side,
            epochs=round(options.epochs * len(every.samples) / len(samples)),
            batch=options.batch,
            weighted=arm.weighted,
            seed=options.seed,
        )
        network, losses = masking_small.train(every._replace(samples=samples), words, recipe)
        for sample, found in masking_small.predict(network, asked, texts, words):
            write_map(options.out / "maps" / arm.name, sample.id, found)
        print(f"{arm.name}: {len(samples):,} rows, loss {losses[-1]:.4f}", file=sys.stderr)
    results = score_maps(options.build, [options.out / "maps" / arm.name for arm in ARMS])
    scores = {one.name: one.as_json() for one in results.scores}
    told = {
        "rows": sizes,
        "weights": {source: summary(values) for source, values in weights.items()},
        "scores": scores,
        "differences": results.differences,
    }
    write_text(options.out / "ablation.json", json.dumps(told, indent=2) + "\n")
    with writing(options.out / "ablation.svg") as temporary:
        plot(weights, scores, temporary)
    for name, one in scores.items():
        low, high = one["intervals"]["giou"] or (float("nan"),) * 2
        rows = f"{sizes[name]:,} rows" if name in sizes else "baseline"
        print(f"{name:<16}{rows:>12}  gIoU {one['values']['giou']:.2f} [{low:.2f}, {high:.2f}]")
    print(f"{options.out}: ablation.json, ablation.svg, maps of every model")


def summary(weights: Sequence[float]) -> dict[str, Any]:
    """Counts by bin of width 0.1 from 0, and the mean."""
    counts, _ = np.histogram(weights, BINS)
    return {"n": len(weights), "mean": float(np.mean(weights)), "bins": counts.tolist()}


def plot(
    weights: Mapping[str, Sequence[float]], scores: Mapping[str, Mapping[str, Any]], path: Path
) -> None:
    """An SVG: sample weights by source, and gIoU of every model with its interval."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.hist(
        list(weights.values()),
        bins=BINS.tolist(),
        label=[f"{source} ({len(values):,})" for source, values in weights.items()],
        color=[COLORS[source] for source in weights],
    )
    left.set_yscale("log")
    left.set_xlabel("sample weight")
    left.set_ylabel("train rows")
    left.legend(frameon=False)
    for place, one in enumerate(scores.values()):
        value = one["values"]["giou"]
        low, high = one["intervals"]["giou"] or (value, value)
        color = "#777777" if one["baseline"] else "#1f77d0"
        right.plot([low, high], [place, place], color=color, lw=3)
        right.plot(value, place, "o", color=color)
        right.annotate(f"{value:.1f}", (value, place), (0, 6), textcoords="offset points")
    right.set_yticks(range(len(scores)), list(scores))
    right.invert_yaxis()
    right.set_xlabel("gIoU on test, with 95 % interval")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    from scripts.train.command import main

    run_file(__file__, main, "masking-ablation")

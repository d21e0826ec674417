"""Do machine masks help, and do weights? The small model of masks on parts of the data, one plot.

    lego-arta train masking-ablation lego-arta --out ablation

The build needs masks of both kinds, exact (or human) and machine: docs/masks.md says how to make
one. Five models see as many rows each: exact alone, machine alone and by sample_weight, both, both
by sample_weight. All are scored on the test split (arXiv 2405.19783, Figure 10: data, and weights
by source).

    lego-arta train masking-ablation lego-arta --work .work --careless 0.5 --out ablation

takes a build whose pictures were all drawn. Every second manual is given to machines, whose masks
are bad on purpose (`masking_damage.py`), and three models more tell what weights could gain at
best: weights that are the true overlap, rows below 0.5 of it left out, and true masks instead.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.cli import positive, require, run_file, share, whole, writable
from core.errors import UserError
from core.store import write_text, writing
from scripts.train.masking import write_map

if TYPE_CHECKING:
    from scripts.train.masking_damage import Damaged
    from scripts.train.masking_data import Rows, Sample

TRUE, MACHINE = ("exact", "human"), ("machine",)
# Weights are from 0.1 to 3.
BINS = np.linspace(0, 3, 31)
COLORS = {"exact": "#2a9d6f", "human": "#1f77d0", "machine": "#d9772b"}


class Arm(NamedTuple):
    """One model of the comparison: rows of these sources, by their weights or all alike."""

    name: str
    sources: tuple[str, ...]
    weighted: bool
    truth: str = ""  # what it is told of the truth of machine masks


ARMS = (
    Arm("exact", TRUE, False),
    Arm("machine", MACHINE, False),
    Arm("machine-weighted", MACHINE, True),
    Arm("both", TRUE + MACHINE, False),
    Arm("both-weighted", TRUE + MACHINE, True),
)
# Where the truth is known: what weights could gain at best.
KNOWING = (
    Arm("both-by-iou", TRUE + MACHINE, True, "weights"),
    Arm("both-good", TRUE + MACHINE, False, "left-out"),
    Arm("both-true", TRUE + MACHINE, False, "masks"),
)
BAD_IOU = 0.5


class Data(NamedTuple):
    """Rows to train on, and what is known of the machine's among them."""

    rows: "Rows"
    damaged: "list[Damaged]"

    def of(self, arm: Arm) -> "list[Sample]":
        """The rows that a model is trained on."""
        own = [one for one in self.rows.samples if one.source in arm.sources]
        if not arm.truth:
            return own
        told = {one.machine.id: one for one in self.damaged}
        if arm.truth == "left-out":
            return [s for s in own if s.id not in told or told[s.id].iou >= BAD_IOU]
        if arm.truth == "masks":
            return [told[s.id].exact if s.id in told else s for s in own]
        return [s._replace(weight=max(1e-3, told[s.id].iou)) if s.id in told
                else s._replace(weight=1.0) for s in own]  # fmt: skip


def add_options(command: argparse.ArgumentParser) -> None:
    """Arguments of this recipe."""
    add = command.add_argument
    add("build", type=Path, metavar="BUILD", help="a build folder")
    add("--out", type=writable, required=True, metavar="DIR", help="maps, table and plot")
    add("--side", type=positive, default=96, metavar="PX", help="(%(default)s)")
    add("--epochs", type=positive, default=28, metavar="N",
        help="over both kinds; models of one kind see as many rows (%(default)s)")  # fmt: skip
    add("--batch", type=positive, default=24, metavar="N", help="(%(default)s)")
    names = [arm.name for arm in ARMS + KNOWING]
    add("--arms", nargs="+", choices=names, metavar="MODEL",
        help=f"some of {', '.join(names)} (all there can be)")  # fmt: skip
    add("--seed", type=whole, default=42, help="(%(default)s)")
    add("--bad-scans", type=share, metavar="SHARE",
        help="give every second manual to machines, with so many bad scans")  # fmt: skip
    add("--careless", type=share, metavar="SHARE",
        help="the same, so many of its masks from one who is careless")  # fmt: skip
    add("--work", type=Path, default=Path(".work"), metavar="DIR",
        help="of these two: the --work of the build (%(default)s)")  # fmt: skip
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
    data = data_of(options)
    every = data.rows.samples
    weights = {
        source: [s.weight for s in every if s.source == source]
        for source in COLORS
        if any(s.source == source for s in every)
    }
    lacking = [kind for kind in (TRUE, MACHINE) if not set(kind) & weights.keys()]
    if lacking:
        raise UserError(
            f"{options.build}: no train row has a mask of source {' or '.join(lacking[0])}; "
            "docs/masks.md says how to build manuals of both kinds, or give --careless"
        )
    words = vocabulary([text for sample in every for text in sample.texts])
    asked = rows_of(options.build, "test", options.side)
    texts = [sample.query for sample in asked.samples]
    sizes = {}
    arms = [arm for arm in ARMS + (KNOWING if data.damaged else ())
            if arm.name in (options.arms or [arm.name])]  # fmt: skip
    for arm in arms:
        samples = data.of(arm)
        sizes[arm.name] = len(samples)
        recipe = masking_small.Recipe(
            side=options.side,
            epochs=round(options.epochs * len(every) / len(samples)),
            batch=options.batch,
            weighted=arm.weighted,
            seed=options.seed,
        )
        network, losses = masking_small.train(data.rows._replace(samples=samples), words, recipe)
        for sample, found in masking_small.predict(network, asked, texts, words):
            write_map(options.out / "maps" / arm.name, sample.id, found)
        print(f"{arm.name}: {len(samples):,} rows, loss {losses[-1]:.4f}", file=sys.stderr)
    results = score_maps(options.build, [options.out / "maps" / arm.name for arm in arms])
    scores = {one.name: one.as_json() for one in results.scores}
    told: dict[str, Any] = {
        "rows": sizes,
        "weights": {source: summary(values) for source, values in weights.items()},
        "damaged": noise(data.damaged) if data.damaged else None,
        "scores": scores,
        "differences": results.differences,
    }
    write_text(options.out / "ablation.json", json.dumps(told, indent=2) + "\n")
    with writing(options.out / "ablation.svg") as temporary:
        plot(weights, scores, temporary)
    if data.damaged:
        print("machine masks: " + ", ".join(f"{k} {v:.3g}" for k, v in told["damaged"].items()))
    for name, one in scores.items():
        low, high = one["intervals"]["giou"] or (float("nan"),) * 2
        rows = f"{sizes[name]:,} rows" if name in sizes else "baseline"
        print(f"{name:<16}{rows:>12}  gIoU {one['values']['giou']:.2f} [{low:.2f}, {high:.2f}]"
              f"  cIoU {one['values']['ciou']:.2f}")  # fmt: skip
    print(f"{options.out}: ablation.json, ablation.svg, maps of every model")


def data_of(options: argparse.Namespace) -> Data:
    """The rows of the train split; with faults those of every second manual by machines."""
    from scripts.train.masking_damage import Faults, damaged_rows, weighted
    from scripts.train.masking_data import rows_of

    every = rows_of(options.build, "train", options.side)
    if options.bad_scans is None and options.careless is None:
        return Data(every, [])
    manual_ids = sorted({sample.manual_id for sample in every.samples})
    machine = manual_ids[1::2]
    exact = [one for one in every.samples if one.manual_id not in machine]
    faults = Faults(options.bad_scans or 0, options.careless or 0, options.seed)
    found = damaged_rows(options.work, manual_ids, machine, faults, every, options.side)
    return Data(every._replace(samples=[*exact, *weighted(found, len(exact))]), found)


def noise(damaged: "Sequence[Damaged]") -> dict[str, float]:
    """How bad machine masks are, and how far their quality tells it."""
    iou = np.array([one.iou for one in damaged])
    quality = np.array([one.quality for one in damaged])
    known = iou.std() > 0 and quality.std() > 0
    return {
        "rows": len(iou),
        "mean_iou": float(iou.mean()),
        "below_half": float((iou < BAD_IOU).mean()),
        "mean_quality": float(quality.mean()),
        "correlation": float(np.corrcoef(iou, quality)[0, 1]) if known else float("nan"),
    }


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

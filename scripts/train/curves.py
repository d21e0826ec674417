"""What a trainer logged, as a table and a picture beside the adapter."""

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.cli import pip_install

TABLE, PLOT = "log.csv", "curves.png"


def write(history: Sequence[Mapping[str, Any]], out: Path) -> None:
    """`log.csv`, a line a logged step, and `curves.png`: the rewards, or the loss if none are."""
    steps = [entry for entry in history if "loss" in entry]
    columns = list(dict.fromkeys(["step", *(key for entry in steps for key in entry)]))
    with (out / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(steps)
    if importlib.util.find_spec("matplotlib"):
        _plot(steps, curves_of(columns), out / PLOT)
    else:  # no reason to lose a training
        print(f"{out / PLOT}: matplotlib is not installed; {pip_install('review')}")


def curves_of(columns: Sequence[str]) -> dict[str, str]:
    """The columns that are drawn, and their names."""
    means = [column for column in columns if column[:8] == "rewards/" and column[-5:] == "/mean"]
    return {mean: mean.split("/")[1] for mean in means} or {"loss": "loss"}


def _plot(steps: Sequence[Mapping[str, Any]], curves: Mapping[str, str], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for column, name in curves.items():
        there = [entry for entry in steps if column in entry]
        axes.plot([e["step"] for e in there], [e[column] for e in there], label=name, lw=1)
    axes.set_xlabel("step")
    axes.set_ylabel("loss" if "loss" in curves else "mean reward")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)

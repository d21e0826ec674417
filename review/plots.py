"""Plots of a review as SVG that stands in a page: text in the page's colour, no background."""

import functools
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from review.score import KAPPA_ABOVE, PARTS

# Replaced by the page's own text colour, so that a plot can be read in light and dark.
INK = "#010203"
# Told apart by people who see few colours, and clear on white and on near-black.
LINES = ("#1f77d0", "#d9772b", "#2a9d6f", "#c0508f", "#8d7be0", "#a89b1f", "#5f9ea8", "#b0603c")
# By how many labels there are, from the worst to the best.
WORST_TO_BEST = {
    2: ("#d1605e", "#4f9f77"),
    3: ("#d1605e", "#e0a94a", "#4f9f77"),
    4: ("#d1605e", "#e0a94a", "#9a8fd8", "#4f9f77"),
}
STYLE = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "legend.frameon": False,
}  # fmt: skip


def _svg(
    name: str, label: str, size: tuple[float, float], columns: int, draw: Callable[..., None]
) -> str:
    with plt.rc_context({**STYLE, "svg.hashsalt": name}):
        figure, axes = plt.subplots(1, columns, figsize=size, squeeze=False, layout="constrained")
        try:
            draw(*axes[0])
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        finally:
            plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" class="plot" ', 1)


def kappa_rows(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """(name, estimate) of every kappa that is defined."""
    return [
        (f"{criterion['title']}\n{name}", criterion[kind])
        for criterion in found["criteria"].values()
        for kind, name in (
            ("fleiss", "Fleiss"), ("cohen", "Cohen, mean"), ("cohen_weighted", "Cohen, weighted"),
        )
        if criterion[kind] and criterion[kind]["value"] is not None
    ] + [
        ("all words together\nFleiss", found["holds"]["fleiss"])
        for _ in (0,) if found["holds"] and found["holds"]["fleiss"]["value"] is not None
    ]  # fmt: skip


def kappas(found: Mapping[str, Any]) -> str:
    """Kappas of every criterion with their intervals, and the paper's line."""
    rows = kappa_rows(found)

    def draw(axes: Axes) -> None:
        for place, (_, estimate) in enumerate(rows):
            axes.plot([estimate["low"], estimate["high"]], [place, place], color=LINES[0], lw=3)
            axes.plot(estimate["value"], place, "o", color=LINES[0], ms=8)
        axes.axvline(KAPPA_ABOVE, color=LINES[1], ls="--")
        axes.text(KAPPA_ABOVE, -0.75, f" {KAPPA_ABOVE}", color=LINES[1])
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -1)
        axes.set_xlim(min([0.0, *(e["low"] for _, e in rows)]) - 0.02, 1.02)
        axes.set_xlabel("kappa, with 95 % interval")

    return _svg("kappas", "Kappas with intervals", (8, 0.9 + 0.55 * len(rows)), 1, draw)


def scores(found: Mapping[str, Any]) -> str:
    """Share of every label, by rater."""
    names = list(found["criteria"])
    raters = [rater for rater in found["raters"] if rater["counted"]]

    def draw(*all_axes: Axes) -> None:
        for axes, name in zip(all_axes, names, strict=True):
            labels = found["criteria"][name]["labels"]
            colors = WORST_TO_BEST[len(labels)]
            for place, rater in enumerate(raters):
                counts = rater["criteria"][name]["counts"]
                shares = [count / max(1, sum(counts)) for count in counts]
                starts = [0.0, *itertools.accumulate(shares)]
                for share, start, color in zip(shares, starts[:-1], colors, strict=True):
                    axes.barh(place, share, left=start, color=color)
                    if share >= 0.08:
                        axes.text(
                            start + share / 2, place, f"{share:.0%}", ha="center", va="center",
                            color="#000",
                        )  # fmt: skip
            axes.set_yticks(range(len(raters)), [rater["name"] for rater in raters])
            axes.set_ylim(len(raters) - 0.4, -0.6)
            axes.set_xlim(0, 1)
            axes.set_xticks([])
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.set_title(found["criteria"][name]["title"])
            handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors]
            axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.0),
                        ncols=3 if len(labels) < 4 else 2)  # fmt: skip

    size = (5.0 * len(names), 1.3 + 0.45 * len(raters))
    return _svg("scores", "Share of every score, by rater", size, len(names), draw)


def chosen(found: Mapping[str, Any]) -> str:
    """Of words of which several may hold: the share of samples that each rater chose each for."""
    raters = [rater for rater in found["raters"] if rater["counted"]]
    counts = [[c["counts"] for c in rater["criteria"].values()] for rater in raters]
    shares = [[yes / max(1, no + yes) for no, yes in row] for row in counts]

    def draw(axes: Axes) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for place, row in enumerate(shares):
            for column, share in enumerate(row):
                ink = "#fff" if share > 0.6 else "#000"
                axes.text(column, place, f"{share:.0%}", ha="center", va="center", color=ink)
        titles = [criterion["title"] for criterion in found["criteria"].values()]
        axes.set_xticks(range(len(titles)), titles, rotation=25, ha="right")
        axes.set_yticks(range(len(raters)), [rater["name"] for rater in raters])

    size = (9.0, 1.3 + 0.45 * len(raters))
    return _svg("chosen", "Share of samples that each word was chosen for", size, 1, draw)


def _apart(criterion: str, rater: Mapping[str, Any]) -> Sequence[float | None]:
    return rater["criteria"][criterion]["apart_by_part"]


def over_time(found: Mapping[str, Any]) -> str:
    """How far each rater is from the others, and how long a sample takes, by part of a session."""
    raters = [rater for rater in found["raters"] if rater["counted"]]
    criteria = {} if found["holds"] else found["criteria"]  # too many lines for one picture
    parts = [f"{index + 1}/{PARTS}" for index in range(PARTS)]

    def lines(axes: Axes, values: Callable[[Any], Sequence[float | None]]) -> None:
        for index, rater in enumerate(raters):
            points = [float("nan") if v is None else v for v in values(rater)]
            axes.plot(parts, points, "o-", color=LINES[index % len(LINES)], label=rater["name"])

    def draw(*all_axes: Axes) -> None:
        *apart, seconds = all_axes
        for axes, (name, criterion) in zip(apart, criteria.items(), strict=True):
            lines(axes, functools.partial(_apart, name))
            axes.axhline(0, color=INK, lw=0.8)
            low, high = axes.get_ylim()
            reach = max(0.3, -low, high)
            axes.set_ylim(-reach, reach)
            axes.set_title(criterion["title"])
            axes.set_ylabel("points above the others")
        lines(seconds, lambda rater: rater["seconds_by_part"])
        seconds.set_ylim(bottom=0)
        seconds.set_title("Time")
        seconds.set_ylabel("seconds a sample, median")
        seconds.legend(loc="upper left", bbox_to_anchor=(1, 1))
        for axes in all_axes:
            axes.set_xlabel("part of the session")

    size = (3.6 * (len(criteria) + 1) + 1.4, 3.2)
    return _svg("time", "Drift and time, by rater", size, len(criteria) + 1, draw)

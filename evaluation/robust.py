"""What corrupted pictures cost: each copy against its clean row (`lego-arta derive robust`).

Only pairs count: a copy, and the row it was made from. Differences have intervals from whole
manuals drawn again, the same for both sides of a pair.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from core.items import Item
from core.metrics import Metric
from evaluation import bootstrap
from evaluation.samples import evaluate
from evaluation.score import Results, Score
from evaluation.tables import MISSING, Cell, Table, arrow, shown
from tasks import EVERY_TASK

CLEAN = 0  # the severity of a row as it was
ABOUT = (
    "Pairs of a corrupted picture and its clean one, severity 1 to 3; the difference to the same "
    "rows clean, 95 % intervals from manuals drawn again, the same for both; ∎ is a drop or gain "
    "whose interval leaves 0 out."
)
TOLD = "∎"


def robust_tables(results: Results) -> dict[str, Table]:
    """A table a config that has copies, by file stem."""
    made = {}
    for config, items in results.items.items():
        pairs = pairs_of(items)
        own = [row for row in results.scores if row.config == config and not row.baseline]
        runs = [row for row in own if not row.uses_gold_mask]
        if pairs and runs:
            made[f"{config}.robust"] = _table(config, items, pairs, runs, results.options)
    return made


def pairs_of(items: Sequence[Item]) -> dict[tuple[str, int], list[tuple[int, int]]]:
    """Places of (clean row, copy) by corruption and severity, in order."""
    clean = {item.id: index for index, item in enumerate(items)
             if item.derived.get("severity") == CLEAN}  # fmt: skip
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for index, item in enumerate(items):
        told = item.derived
        if told.get("severity") and (of := clean.get(told["source_ids"][0])) is not None:
            found.setdefault((told["corruption"], told["severity"]), []).append((of, index))
    return found


def _table(
    config: str,
    items: Sequence[Item],
    pairs: Mapping[tuple[str, int], list[tuple[int, int]]],
    runs: Sequence[Score],
    options: Mapping[str, object],
) -> Table:
    metrics = [each for each in EVERY_TASK[config].score.metrics if each.main]
    head = ["run", "corruption", "severity", "pairs",
            *(text for each in metrics
              for text in (f"{each.title} {arrow(each)}", "to clean"))]  # fmt: skip
    rows: list[list[Cell]] = []
    rules = []
    for run in runs:
        rules.append(len(rows))
        for (name, severity), places in pairs.items():
            cells = [Cell(run.label), Cell(name), Cell(str(severity)), Cell(f"{len(places):,}")]
            rows.append(cells + _cells(config, metrics, items, places, run, options))
    title = f"{EVERY_TASK[config].text.title}: corrupted pictures"
    return Table(title, head, rows, rules[1:], about=ABOUT)


def _cells(
    config: str,
    metrics: Sequence[Metric],
    items: Sequence[Item],
    places: Sequence[tuple[int, int]],
    run: Score,
    options: Mapping[str, object],
) -> list[Cell]:
    """Every main metric of the copies, and its difference to the clean rows."""
    clusters = [items[copy].manual_id for _, copy in places]
    before, after = (_sums(run, [pair[side] for pair in places], clusters) for side in (0, 1))
    manuals, resamples = len(set(clusters)), int(str(options.get("resamples") or 0))
    drawn = None
    if resamples and manuals > 1:
        drawn = bootstrap.weights(manuals, resamples, int(str(options.get("seed") or 0)))
    cells = []
    for each in metrics:
        one, two = (float(_values(config, sums)[each.name]) for sums in (before, after))
        if not np.isfinite(one) or not np.isfinite(two):
            cells += [Cell(MISSING), Cell(MISSING)]
            continue
        text, mark = f"{two - one:+.2f}", ""
        if drawn is not None:
            between = bootstrap.difference(
                _values(config, after, drawn)[each.name], _values(config, before, drawn)[each.name]
            )
            if between is not None:
                text += f" [{between.low:+.2f}, {between.high:+.2f}]"
                mark = TOLD if between.low > 0 or between.high < 0 else ""
        cells += [Cell(shown(two)), Cell(text, mark=mark)]
    return cells


def _sums(run: Score, places: Sequence[int], clusters: Sequence[str]) -> dict[str, np.ndarray]:
    """Counts by name, summed by manual."""
    samples = [run.samples[place] for place in places]
    names = sorted(samples[0].counts)
    values = np.array([[sample.counts[name] for name in names] for sample in samples])
    return dict(zip(names, bootstrap.cluster_sums(values, clusters).T, strict=True))


def _values(
    config: str, sums: Mapping[str, np.ndarray], drawn: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Metrics of sums by manual: of all manuals, or of each resample."""
    return evaluate(
        config,
        {name: one.sum() if drawn is None else drawn @ one for name, one in sums.items()},
    )

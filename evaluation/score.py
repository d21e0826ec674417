"""`evaluate score`: prediction files against a build's gold answers -> scores of every run."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from core.answers import parse_boxes
from core.errors import UserError
from core.frames import Seen, fitting_frames
from core.items import Item, load_items
from core.metrics import Said
from evaluation import bootstrap
from evaluation.baselines import baselines_of
from evaluation.failures import count_failures
from evaluation.files import PredictionFile, check_belongs, oddities, read_files
from evaluation.predictions import Prediction
from evaluation.samples import evaluate, score_sample
from tasks import EVERY_TASK
from tasks.task import Answered

# Answers are scored in parcels, so that processes have equal work; small jobs stay in this one.
PARCEL = 500
ALONE_BELOW = 4000
GOLD_WARNING = (
    "saw what gold masks leave, which may give answers away: it stands in scores.json alone, and "
    "in the table of evaluate masking"
)


@dataclass
class Score:
    """One row of a table: a run, or a baseline, on one task."""

    name: str
    config: str
    setting: str
    tuned: bool
    baseline: bool
    answered: int
    total: int
    frame: str
    values: dict[str, float | None]
    intervals: dict[str, list[float] | None]
    statuses: dict[str, int]
    # T_ACC and E_ACC leave these samples out: their gold names no colour and no part.
    without_keywords: int = 0
    seconds: float | None = None
    tokens_out: float | None = None
    tokens_in: float | None = None
    seconds_p95: float | None = None
    failures: dict[str, int] = field(default_factory=dict)  # answers that failed, by kind
    # Pictures were seen through masks: how; gold masks may give answers away.
    deploy: str | None = None
    masks: str | None = None
    uses_gold_mask: bool = False
    spice: dict[str, float | None] = field(default_factory=dict)  # --spice alone fills it
    samples: list[Answered] = field(default_factory=list, repr=False)
    draws: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    saids: list[Said] = field(default_factory=list, repr=False)

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.name + (" (tuned)" if self.tuned else "")

    def as_json(self) -> dict[str, Any]:
        """Everything but the single answers."""
        hidden = ("samples", "draws", "saids")
        return {key: value for key, value in self.__dict__.items() if key not in hidden}


@dataclass
class Results:
    """All scores, the items they were computed on, and what a reader must know."""

    scores: list[Score]
    items: dict[str, list[Item]]
    warnings: list[str]
    differences: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """The content of scores.json."""
        return {
            "options": self.options,
            "items": {config: len(items) for config, items in self.items.items()},
            "manuals": {
                config: len({item.manual_id for item in items})
                for config, items in self.items.items()
            },
            "scores": [score.as_json() for score in self.scores],
            "differences": self.differences,
            "warnings": self.warnings,
        }


@dataclass(frozen=True)
class ScoreOptions:
    """How predictions are scored."""

    split: str = "test"
    frame: str = "auto"
    resamples: int = bootstrap.RESAMPLES
    common: bool = False
    ids: frozenset[str] | None = None  # only these rows
    baselines: bool = True
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    seed: int = 42


def score(build: Path, paths: Sequence[Path], options: ScoreOptions) -> Results:
    """Score every file against the split's gold answers; raises `UserError`."""
    files, left_out = read_files(paths)
    by_config: dict[str, list[PredictionFile]] = {}
    for file in files:
        by_config.setdefault(file.run.config, []).append(file)
    told = {key: value for key, value in asdict(options).items() if key != "workers"}
    told["ids"] = None if options.ids is None else len(options.ids)
    results = Results([], {}, left_out, [], told)
    for config in sorted(by_config, key=list(EVERY_TASK).index):
        _score_config(build, config, by_config[config], options, results)
    if not results.scores:
        raise UserError(f"--ids: none of these rows was asked; {results.warnings[-1]}")
    return results


def _score_config(
    build: Path, config: str, files: list[PredictionFile], options: ScoreOptions, results: Results
) -> None:
    items = load_items(build, config, options.split)
    for file in files:
        check_belongs(file, items, options.split)
        results.warnings += oddities(file, items)
        if file.run.uses_gold_mask:
            results.warnings.append(f"{config}: {file.path.name} {GOLD_WARNING}")
    if options.ids is not None:
        items = [item for item in items if item.id in options.ids]
        if not items:
            results.warnings.append(f"{config}: none of --ids is among its {options.split} rows")
            return
    if options.common:  # a run with gold masks is asked what has some, and judged by itself
        judged = [file for file in files if not file.run.uses_gold_mask] or files
        shared = set.intersection(*(file.answered for file in judged))
        items = [item for item in items if item.id in shared]
        if not items:
            raise UserError(f"--common: the {config} files have no answered item in common")
    results.items[config] = items
    clusters = [item.manual_id for item in items]
    manuals = len(set(clusters))
    results.warnings += _manual_warnings(config, manuals)
    drawn = (
        bootstrap.weights(manuals, options.resamples, options.seed)
        if options.resamples and manuals > 1
        else None
    )
    jobs: list[tuple[Score, list[Said]]] = []
    for file in files:
        saids, frames = _saids(file, items, options.frame)
        frame = frames[0]
        if len(frames) > 1:
            results.warnings.append(
                f"{config}: the boxes of {file.path.name} may be in {' or '.join(frames)}; taken "
                f"as {frame}, --frame says it"
            )
        answered = sum(said.answer is not None for said in saids)
        if answered < len(items) and not file.run.uses_gold_mask:
            results.warnings.append(
                f"{config}: {file.path.name} answers {answered:,} of {len(items):,} items; the "
                "others count as wrong (--common scores only what every file answered)"
            )
        jobs.append((_empty_score(file, config, answered, len(items), frame), saids))
    if options.baselines:
        jobs += _baseline_jobs(build, config, items)
    every = _score_all(items, [saids for _, saids in jobs], options.workers)
    fresh = []
    for (row, saids), samples in zip(jobs, every, strict=True):
        _fill(row, samples, clusters, drawn)
        row.saids = saids
        if not row.baseline:
            row.failures = count_failures(items, saids, samples)
        fresh.append(row)
    results.scores += fresh
    honest = [row for row in fresh if not row.uses_gold_mask]
    results.warnings += _unbeaten(config, honest)
    results.differences += _differences(config, [row for row in honest if not row.baseline])
    results.warnings += _told([d for d in results.differences if d["config"] == config])


def _manual_warnings(config: str, manuals: int) -> list[str]:
    if manuals < 2:
        return [f"{config}: all items are of one manual, so there are no intervals"]
    if manuals < bootstrap.FEW_CLUSTERS:
        return [f"{config}: only {manuals} manuals, so intervals are rough"]
    return []


def _empty_score(file: PredictionFile, config: str, answered: int, total: int, frame: str) -> Score:
    run, known = file.run, list(file.predictions.values())
    seconds = [p.seconds for p in known if p.seconds is not None]
    tokens = [p.tokens_out for p in known if p.tokens_out is not None]
    asked = [p.tokens_in for p in known if p.tokens_in is not None]
    return Score(
        run.name, config, run.setting, run.tuned, False, answered, total, frame, {}, {}, {},
        seconds=round(float(np.mean(seconds)), 3) if seconds else None,
        tokens_out=round(float(np.mean(tokens)), 1) if tokens else None,
        tokens_in=round(float(np.mean(asked)), 1) if asked else None,
        seconds_p95=round(float(np.percentile(seconds, 95)), 3) if seconds else None,
        deploy=run.deploy, masks=run.masks, uses_gold_mask=run.uses_gold_mask,
    )  # fmt: skip


def _saids(file: PredictionFile, items: list[Item], frame: str) -> tuple[list[Said], list[str]]:
    """What the file says of every item, and the frames that its boxes may be in, likeliest first.

    Boxes are read in the frame that is declared, else in the first of those.
    """
    found = [file.predictions.get(item.id) for item in items]
    frames = ["norm100" if frame == "auto" else frame]
    if EVERY_TASK[file.run.config].text.in_boxes and frame == "auto":
        frames = _inferred(items, found)
    saids = []
    for prediction in found:
        if prediction is None:
            saids.append(Said(None, frames[0]))
            continue
        demos = tuple(example.get("answer", "") for example in prediction.examples)
        seen = _pair(prediction.resized_wh)
        saids.append(Said(prediction.answer, frames[0], seen, demos, _crop(prediction)))
    return saids, frames


def _inferred(items: list[Item], found: list[Prediction | None]) -> list[str]:
    seen = []
    for item, prediction in zip(items, found, strict=True):
        if prediction is not None and prediction.answer:
            answer = parse_boxes(prediction.answer)
            if answer.frame is None:
                boxes = [box.box for box in answer.boxes]
                size_wh = Said(None, crop_xyxy_px=_crop(prediction)).seen_wh(item.size_wh)
                seen.append(Seen(boxes, size_wh, _pair(prediction.resized_wh)))
    return fitting_frames(seen)


def _crop(prediction: Prediction) -> tuple[int, int, int, int] | None:
    if not prediction.crop_xyxy_px:
        return None
    x0, y0, x1, y1 = prediction.crop_xyxy_px
    return (x0, y0, x1, y1)


def _pair(size: Sequence[int] | None) -> tuple[int, int] | None:
    return (int(size[0]), int(size[1])) if size else None


def _baseline_jobs(build: Path, config: str, items: list[Item]) -> list[tuple[Score, list[Said]]]:
    try:
        train = load_items(build, config, "train")
    except UserError:
        train = []
    jobs = []
    for name, baseline in baselines_of(config).items():
        answers = baseline(items, train)
        answered = sum(answer is not None for answer in answers)
        if answered:
            row = Score(name, config, "", False, True, answered, len(items), "norm100", {}, {}, {})
            jobs.append((row, [Said(answer) for answer in answers]))
    return jobs


def _score_all(items: list[Item], jobs: list[list[Said]], workers: int) -> list[list[Answered]]:
    """Samples of every job, in parallel where it pays."""
    parcels = [
        (items[start : start + PARCEL], [saids[start : start + PARCEL] for saids in jobs])
        for start in range(0, len(items), PARCEL)
    ]
    if workers < 2 or len(items) * len(jobs) < ALONE_BELOW:
        done = [_score_parcel(*parcel) for parcel in parcels]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
            done = list(pool.map(_score_parcel, *zip(*parcels, strict=True)))
    return [[sample for parcel in done for sample in parcel[job]] for job in range(len(jobs))]


def _score_parcel(items: list[Item], jobs: list[list[Said]]) -> list[list[Answered]]:
    """The same items for every job together: their gold is read once."""
    by_item = [
        [score_sample(item, said) for said in saids]
        for item, *saids in zip(items, *jobs, strict=True)
    ]
    return [list(samples) for samples in zip(*by_item, strict=True)]


def _fill(
    row: Score, samples: list[Answered], clusters: list[str], drawn: np.ndarray | None
) -> None:
    """Values and intervals of a row from its samples."""
    names = sorted(samples[0].counts)
    values = np.array([[sample.counts[name] for name in names] for sample in samples])
    by_cluster = bootstrap.cluster_sums(values, clusters)
    point = evaluate(row.config, dict(zip(names, by_cluster.sum(axis=0), strict=True)))
    row.values = {name: _number(value) for name, value in point.items()}
    row.statuses = dict(sorted(Counter(sample.status for sample in samples).items()))
    row.samples = samples
    row.without_keywords = sum(not s.counts.get("with_keywords", 1) for s in samples)
    row.intervals = dict.fromkeys(point)
    if drawn is not None:
        sums = drawn @ by_cluster
        row.draws = evaluate(row.config, dict(zip(names, sums.T, strict=True)))
        for name, draws in row.draws.items():
            found = bootstrap.interval(np.asarray(draws))
            row.intervals[name] = [round(v, 4) for v in found] if found else None


def _number(value: np.ndarray | float) -> float | None:
    number = float(value)
    return round(number, 6) if np.isfinite(number) else None


def _differences(config: str, rows: list[Score]) -> list[dict[str, Any]]:
    """Every pair of runs on every metric: the difference, its interval, is 0 inside?"""
    found = []
    for index, a in enumerate(rows):
        for b in rows[index + 1 :]:
            for each in EVERY_TASK[config].score.metrics:
                one, two = a.values[each.name], b.values[each.name]
                if one is None or two is None or not a.draws or not b.draws:
                    continue
                between = bootstrap.difference(a.draws[each.name], b.draws[each.name])
                if between is None:
                    continue
                found.append(
                    {
                        "config": config,
                        "metric": each.name,
                        "main": each.main,
                        "a": a.label,
                        "a_setting": a.setting,
                        "b": b.label,
                        "b_setting": b.setting,
                        "difference": round(one - two, 4),
                        "interval": [round(between.low, 4), round(between.high, 4)],
                        "inside": between.low <= 0 <= between.high,
                    }
                )
    return found


def _unbeaten(config: str, rows: list[Score]) -> list[str]:
    """Main metrics on which some run is no better than an answer without a model."""
    told = []
    for each in EVERY_TASK[config].score.metrics:
        sign = 1 if each.up else -1
        known = [(sign * value, row) for row in rows
                 if (value := row.values[each.name]) is not None]  # fmt: skip
        best = max((pair for pair in known if pair[1].baseline), default=None, key=lambda p: p[0])
        if not each.main or best is None or each.name in EVERY_TASK[config].score.one_sided:
            continue
        below = [row.label for value, row in known if not row.baseline and value <= best[0]]
        if below:
            told.append(
                f"{config} {each.name}: the baseline {best[1].name} ({sign * best[0]:.2f}) is not "
                f"beaten by {', '.join(dict.fromkeys(below))}"
            )
    return told


def _told(differences: list[dict[str, Any]]) -> list[str]:
    """One line a pair of runs: the main metrics on which they can't be told apart."""
    pairs: dict[tuple[str, str, str], list[str]] = {}
    for d in differences:
        if d["inside"] and d["main"]:
            settings = d["a_setting"] != d["b_setting"]
            one, two = (
                d[side] + (f" [{d[side + '_setting']}]" if settings else "") for side in ("a", "b")
            )
            low, high = d["interval"]
            told = f"{d['metric']} {d['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
            pairs.setdefault((d["config"], one, two), []).append(told)
    return [
        f"{config}: {one} and {two} can't be told apart on {', '.join(told)}"
        for (config, one, two), told in pairs.items()
    ]

"""Shortcut probes: can the answer of a state row be read off anything but the mistake? (B3)

Each probe is a classifier that must not know: it is given one kind of thing that has nothing to do
with whether the step was done right, trained on some manuals and asked about others. An AUC near
0.5 is as it should be; one clearly above 0.60 is a leak, and the build that has it fails.
"""

import collections
import hashlib
import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from builder.probes import looks, patches
from builder.probes.score import Score, auc, cross_validated, numbers_model, score, text_model
from core.build import Row, shard_rows, shards
from core.cli import pip_install
from core.storage import parquet

# Below these nothing can be told, and nothing is probed.
GROUPS_MIN, MANUALS_MIN = 12, 3
# How much a build's own gate looks at: about 20 s of one core.
GATE_GROUPS = 120
# A bounded look takes its groups from so many shards: more would only be read to be passed over.
SHARDS_MOST = 16
PROBES = {
    "names": "id, file name, row order, manual",
    "file": "bytes on disk, width, height, mean colour",
    "text": "query and instruction",
    "noise": "residual histograms, on and off edges",
    "seam": "residual histograms beside the outline",
    "patches": "a small network on 64 x 64 patches",
    "place": "where the part lies, not how it looks",
    "traces": "fine detail of the patches, no shapes",
}
# Patches show how a part meets what is around it too, and a network trained for long learns that;
# `traces` tells that from what pasting leaves. It takes as long again, so builds do without.
GATE_PROBES = tuple(name for name in PROBES if name != "traces")
_ON_PATCHES, _ON_WORDS = {"patches", "traces"}, {"names", "text"}
# Where parts usually go is part of knowing how things are built, and a wrong place is by definition
# not where the part goes. It is told, so that nobody takes it for looking, and fails no build.
TOLD_ONLY = {"place"}
NO_TORCH = "torch is not installed"


# What can be probed: rows done right or wrong, in groups.
CONFIGS = ("state", "state_balanced")


class Seen(NamedTuple):
    """One state row as the probes see it."""

    row_id: str
    group_id: str
    manual_id: str
    label: int
    position: int
    path: str
    text: str
    looks: dict[str, np.ndarray]  # by the probe that asks for them
    patches: np.ndarray | None


class Result(NamedTuple):
    """What a probe found. `score` is None when it could not look, `why` says why."""

    probe: str
    score: Score | None
    rows: int
    why: str = ""

    @property
    def leaks(self) -> bool:
        """Whether this is a shortcut that fails a build."""
        return self.score is not None and self.score.leaks and self.probe not in TOLD_ONLY

    def text(self) -> str:
        """For people: "AUC 0.53 (0.48-0.58)"."""
        if self.score is None:
            return f"not checked, {self.why}"
        return f"AUC {self.score.auc:.2f} ({self.score.low:.2f}-{self.score.high:.2f})"

    def describe(self) -> dict[str, Any]:
        """For build.json and the card."""
        if self.score is None:
            return {"probe": self.probe, "rows": self.rows, "not_run": self.text()}
        return {"probe": self.probe, "rows": self.rows, **self.score._asdict(),
                "leaks": self.leaks}  # fmt: skip


Map = Callable[[str, Callable[..., Any], list[tuple[Any, ...]]], list[Any]]


def one_after_another(
    what: str, function: Callable[..., Any], calls: list[tuple[Any, ...]]
) -> list[Any]:
    """The plain way to run calls; a build passes its worker processes instead."""
    return [function(*call) for call in calls]


def run(
    folder: Path,
    groups_max: int | None = None,
    rename: Callable[[Row], str] | None = None,
    run_calls: Map = one_after_another,
    only: Sequence[str] = GATE_PROBES,
    effort: patches.Effort = patches.QUICK,
    config: str = "state",
) -> list[Result]:
    """Probe the rows under `folder`/data of a config whose rows are done right or wrong.

    `groups_max` bounds how many groups are looked at, spread over all manuals; `rename` gives rows
    other file names, to see that the first probe catches telling ones. Empty when there are too few
    groups to tell anything.
    """
    paths = _some_shards(folder, config, groups_max)
    wanted = _chosen(paths, config, groups_max)
    if len(wanted) < GROUPS_MIN or len(set(wanted.values())) < MANUALS_MIN:
        return []
    number = effort.patches if _ON_PATCHES.intersection(only) and patches.torch_is_there() else 0
    calls = [
        (path, group, start, frozenset(wanted), rename, number, tuple(only))
        for path, group, start in _row_groups(paths)
    ]
    rows = [row for part in run_calls("probes, pictures", look_at_rows, calls) for row in part]
    return _judge(rows, only, effort.epochs, run_calls)


def _judge(rows: Sequence[Seen], only: Sequence[str], epochs: int, run_calls: Map) -> list[Result]:
    """Train and ask every probe; the slow ones a fold at a time, so that all workers have work."""
    labels = np.array([row.label for row in rows])
    manuals = np.array([row.manual_id for row in rows])
    planned = {name: _plan(name, rows, labels, manuals, epochs) for name in only}
    calls = [call for plan in planned.values() for call in plan.calls]
    calls.sort(key=lambda call: call[0] not in _ON_PATCHES)  # the slowest first
    answers = collections.defaultdict(list)
    for call, answer in zip(calls, run_calls("probes, models", _answers, calls), strict=True):
        answers[call[0]].append(answer)
    return [
        Result(name, None, len(rows), plan.why)
        if plan.why
        else Result(name, score(labels, np.sum(answers[name], axis=0), manuals), len(rows))
        for name, plan in planned.items()
    ]


def line(result: dict[str, Any]) -> str:
    """One line of a report from a described result."""
    what = f"probe {result['probe']:<8}"
    if "not_run" in result:
        cure = f"; {pip_install('annotate')}" if NO_TORCH in result["not_run"] else ""
        return f"{what} {result['not_run']}{cure}"
    told_only = result["probe"] in TOLD_ONLY
    verdict = "LEAKS" if result["leaks"] else "told only" if told_only else "ok"
    return f"{what} AUC {result['auc']:.2f} ({result['low']:.2f}-{result['high']:.2f})  {verdict}"


def to_check_again(described: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a build has probes that were not checked for want of torch, which is there now."""
    missed = any(NO_TORCH in result.get("not_run", "") for result in described)
    return missed and patches.torch_is_there()


def leaks(results: Sequence[Result]) -> list[Result]:
    """Those that make a build fail."""
    return [result for result in results if result.leaks]


def _some_shards(folder: Path, config: str, groups_max: int | None) -> list[Path]:
    """The shards to look at: all, or of many some that are the same whenever asked."""
    paths = shards(folder, config)
    if groups_max is None or len(paths) <= SHARDS_MOST:
        return paths
    return sorted(sorted(paths, key=lambda path: _random_order(path.name))[:SHARDS_MOST])


def _random_order(name: str) -> str:
    """A key that sorts names at random, always alike."""
    return hashlib.sha256(name.encode()).hexdigest()


def _row_groups(paths: Sequence[Path]) -> Iterator[tuple[Path, int, int]]:
    """(shard, row group, position of its first row)."""
    start = 0
    for path in paths:
        with parquet(path) as file:
            for group in range(file.num_row_groups):
                yield path, group, start
                start += file.metadata.row_group(group).num_rows


def _chosen(paths: Sequence[Path], config: str, groups_max: int | None) -> dict[str, str]:
    """Manuals by group ids: all, or the same number from every manual in turn; of more manuals than
    groups, one each of some."""
    by_manual: dict[str, dict[str, None]] = {}
    for path in paths:
        for row in shard_rows(path, config, ["manual_id", "group_id"]):
            by_manual.setdefault(row.columns["manual_id"], {})[row.columns["group_id"]] = None
    manuals = list(by_manual)
    if groups_max is not None and len(manuals) > groups_max:
        manuals = sorted(manuals, key=_random_order)[:groups_max]
    queues = [sorted(by_manual[m]) for m in manuals]  # ids are hashes: a random order
    longest = max(map(len, queues), default=0)
    turns = [
        (queue[i], manual)
        for i in range(longest)
        for manual, queue in zip(manuals, queues, strict=True)
        if i < len(queue)
    ]
    return dict(turns[:groups_max])


def look_at_rows(
    path: Path,
    group: int,
    start: int,
    wanted: frozenset[str],
    rename: Callable[[Row], str] | None = None,
    patches_per_picture: int = patches.QUICK.patches,
    only: Sequence[str] = GATE_PROBES,
) -> list[Seen]:
    """Measure the wanted rows of one row group, as far as the probes `only` ask for it."""
    with parquet(path) as file:
        ids = file.read_row_group(group, columns=["group_id"]).column(0).to_pylist()
        if wanted.isdisjoint(ids):  # then its pictures need not be read
            return []
        batch = file.read_row_group(group).to_pylist()
    return [
        _look(row, start + offset, rename, patches_per_picture, only)
        for offset, row in enumerate(batch)
        if row["group_id"] in wanted
    ]


def _look(
    row: Row,
    position: int,
    rename: Callable[[Row], str] | None,
    patches_per_picture: int,
    only: Sequence[str],
) -> Seen:
    found, pieces = {}, None
    if not _ON_WORDS.issuperset(only):
        data = row["image"]["bytes"]
        rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        if "file" in only:
            found["file"] = looks.overall(rgb, len(data))
        if "place" in only:
            found["place"] = looks.place(rgb, row["part_box_px"])
        if "noise" in only or "seam" in only:
            left = looks.residuals(rgb)
            red, green, blue = bytes.fromhex((row["boundary_color"] or "#000000")[1:])
            found["noise"] = looks.noise(rgb, left)
            found["seam"] = looks.seam(rgb, left, (red, green, blue))
        if patches_per_picture and min(rgb.shape[:2]) >= patches.SIDE_PX:
            pieces = patches.patches(rgb, row["id"], patches_per_picture)
    return Seen(
        row["id"],
        row["group_id"],
        row["manual_id"],
        row["label"],
        position,
        rename(row) if rename else row["image"]["path"],
        f"{row['query']}\n{row['instruction']}",
        found,
        pieces,
    )


class _Plan(NamedTuple):
    """Calls of `_answers` whose sum is a probe's answers, or why there are none."""

    calls: list[tuple[Any, ...]]
    why: str = ""


def _plan(
    name: str, rows: Sequence[Seen], labels: np.ndarray, manuals: np.ndarray, epochs: int
) -> _Plan:
    if name not in _ON_PATCHES:
        return _Plan([(name, _features(name, rows), labels, manuals)])
    if not patches.torch_is_there():
        return _Plan([], NO_TORCH)
    if any(row.patches is None for row in rows):
        return _Plan([], f"some pictures are below {patches.SIDE_PX} px")
    stacked = np.stack([row.patches for row in rows if row.patches is not None])
    if name == "traces":
        stacked = patches.fine_detail(stacked)
    return _Plan(
        [
            (name, stacked, labels, manuals, epochs, fold)
            for fold in range(patches.number_of_folds(manuals))
        ]
    )


def _features(name: str, rows: Sequence[Seen]) -> tuple[np.ndarray, ...]:
    """What one probe sees of the rows: an array a model."""
    if name == "names":
        strings = np.array([f"{row.row_id} {row.path} {row.manual_id}" for row in rows], object)
        total = max(row.position for row in rows) + 1
        places = _places_in_group(rows)
        order = [
            (row.position / total, row.position % 2, row.position % 4, place)
            for row, place in zip(rows, places, strict=True)
        ]
        return strings, np.array(order)
    if name == "text":
        return (np.array([row.text for row in rows], object),)
    return (np.stack([row.looks[name] for row in rows]),)


def _answers(
    name: str,
    features: Any,
    labels: np.ndarray,
    manuals: np.ndarray,
    epochs: int = 0,
    fold: int = 0,
) -> np.ndarray:
    """(n,) score of every row by models trained on other manuals; of patches, 0 outside `fold`."""
    importlib.import_module("sklearn.ensemble")  # later, its threads would escape the limit
    with threadpool_limits(1):  # small models: more threads only wait for each other
        if name in _ON_PATCHES:
            return patches.predict_fold(features, labels, manuals, epochs, fold)
        found = [
            cross_validated(
                text_model() if seen.dtype == object else numbers_model(), seen, labels, manuals
            )
            for seen in features
        ]
        return max(found, key=lambda predicted: auc(labels, predicted))


def _places_in_group(rows: Sequence[Seen]) -> list[int]:
    """How many rows of its group stand before each row."""
    counts: collections.Counter[Any] = collections.Counter()
    places = []
    for row in rows:
        places.append(counts[row.group_id])
        counts[row.group_id] += 1
    return places

"""Predicted maps against the masks of a build: overlap, pointing and area.

Counts of a sample add up, so every metric is a formula over sums and intervals come from drawing
manuals again, as for answers (`core.metrics`, `evaluation.bootstrap`).
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.build import BuildRow, picture_bytes, read_rows, shards
from core.cli import command, no_build
from core.errors import UserError
from core.masks import mask_iou, read_map, read_mask
from core.metrics import Counts, Metric, Sums, mean, percent, share
from core.pictures.containers import ImageError
from evaluation import bootstrap
from tasks.mask.baselines import BASELINES

CONFIG = "mask"
SUFFIXES = (".npy", ".png")
# The values of the columns `origin` and `source`, which are numbers in files.
ORIGINS = ("scene", "object", "state", "spatial")
SOURCES = ("exact", "human", "machine")
OTHER_WORDS = "other"  # the level of a query that is none of the row's instructions
COLUMNS = ("id", "manual_id", "query", "mask", "origin", "source", "instruction_variants")


def _mean_of_both(s: Sums) -> np.ndarray:
    """Mean IoU of the two classes of pixels, over summed pixels."""
    target, rest = percent(s["shared"], s["joined"]), percent(s["rest_shared"], s["rest_joined"])
    both: np.ndarray = (target + rest) / 2
    return both


METRICS = (
    Metric("giou", "gIoU", mean("iou"), main=True),
    Metric("ciou", "cIoU", share("shared", "joined")),
    Metric("miou", "mIoU", _mean_of_both),
    Metric("iou_at_50", "IoU@.5", mean("hit_50")),
    Metric("pointing", "pointing", mean("pointed")),
    Metric("area_error", "area error", mean("area_error"), up=False),
)
ABOUT = (
    "Percent. gIoU: mean of the samples' IoU. cIoU: all shared pixels over all joined ones. mIoU: "
    "IoU of target and of the rest, over all pixels, averaged. pointing: the map's maximum lies in "
    "the mask. area error: how far the share of the picture is from the mask's."
)


class Wanted(NamedTuple):
    """A row to be shown the pixels of: its true mask, (H, W) bool, and what it is grouped by."""

    id: str
    manual_id: str
    mask: np.ndarray
    groups: Mapping[str, str]
    row: BuildRow

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of the picture and so of its mask."""
        return self.mask.shape[1], self.mask.shape[0]

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        from PIL import Image

        with Image.open(io.BytesIO(picture_bytes(self.row.place))) as image:
            return np.asarray(image.convert("RGB"))


@dataclass
class MaskScore:
    """One folder of maps or one baseline: values by metric, by group, and what it lacked."""

    name: str
    baseline: bool
    values: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, list[float] | None] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    holes: int = 0
    counts: list[Counts] = field(default_factory=list)
    draws: dict[str, np.ndarray] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Without single samples."""
        names = ("name", "baseline", "holes", "values", "intervals", "groups")
        return {name: getattr(self, name) for name in names}


@dataclass
class MaskResults:
    """Scores of all maps, and differences of each two on the same drawn manuals."""

    scores: list[MaskScore]
    differences: list[dict[str, Any]]
    rows: int
    manuals: int
    warnings: list[str]


# One sample --------------------------------------------------------------------------------------


def counts_of(found: np.ndarray | None, mask: np.ndarray, threshold: float) -> Counts:
    """Counts of one map, (H, W) from 0 to 1, against its mask, (H, W) bool; None is a hole.

    Where several pixels are the maximum, pointing is the share of them that lies in the mask; a map
    of nothing points nowhere.
    """
    if found is None:
        found = np.zeros(mask.shape, np.float32)
    said = found > threshold
    shared, joined = int((said & mask).sum()), int((said | mask).sum())
    iou, most = mask_iou(said, mask), float(found.max())
    return {
        "n": 1.0,
        "shared": shared,
        "joined": joined,
        "rest_shared": mask.size - joined,
        "rest_joined": mask.size - shared,
        "iou": iou,
        "hit_50": float(iou >= 0.5),
        "pointed": float(mask[found == most].mean()) if most > 0 else 0.0,
        "area_error": float(abs(said.mean() - mask.mean())),
    }


# Reading -----------------------------------------------------------------------------------------


def wanted_rows(build: Path, split: str) -> Iterator[Wanted]:
    """The rows of a split with their masks. Raises `UserError`."""
    for row in read_rows(build, CONFIG, split, COLUMNS):
        told = row.columns
        try:
            mask = read_mask((told["mask"] or {}).get("bytes") or b"")
        except ImageError as error:
            raise UserError(
                f"{build}: the mask of {row.id} can't be read ({error.detail}); build it anew"
            ) from error
        levels = [one["level"] for one in told["instruction_variants"]
                  if one["text"] == told["query"]]  # fmt: skip
        groups = {
            "origin": ORIGINS[told["origin"]],
            "level": levels[0] if levels else OTHER_WORDS,
            "source": SOURCES[told["source"]],
        }
        yield Wanted(row.id, told["manual_id"], mask, groups, row)


def ids_of(build: Path, split: str) -> list[str]:
    """The ids of a split's rows; raises `UserError` for a build without any."""
    if not shards(build, CONFIG, split):
        if not (build / "data").is_dir():
            raise no_build(build)
        raise UserError(
            f"{build}: no data/{CONFIG}/{split}-*.parquet in it; make one with: {command('build')}"
        )
    return [row.id for row in read_rows(build, CONFIG, split, ["id"])]


def maps_in(folder: Path, ids: Sequence[str], holes_empty: bool) -> tuple[dict[str, Path], int]:
    """The file of every row's map, and how many of no row there are. Raises `UserError` for holes,
    unless they count as empty, and where a row has two maps."""
    if not folder.is_dir():
        raise UserError(f"--masks {folder}: no such folder; give one with ID.png or ID.npy a row")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES:
            continue
        if path.stem in found:
            raise UserError(
                f"--masks {folder}: {path.stem} has a .png and a .npy; leave one of them"
            )
        found[path.stem] = path
    known = set(ids)
    missing = [name for name in ids if name not in found]
    if len(missing) == len(ids):
        raise UserError(
            f"--masks {folder}: no map of any of the {len(ids):,} rows (ID.png or ID.npy, such as "
            f"{ids[0]}.png); is it of another build or split?"
        )
    if missing and not holes_empty:
        raise UserError(
            f"--masks {folder}: {len(missing):,} of {len(ids):,} rows have no map, the first is "
            f"{missing[0]}; predict them, or count holes as empty maps with --holes empty"
        )
    return found, len(found.keys() - known)


# Scoring -----------------------------------------------------------------------------------------


def score_maps(
    build: Path,
    folders: Sequence[Path],
    split: str = "test",
    threshold: float = 0.5,
    holes_empty: bool = False,
    baselines: bool = True,
    resamples: int = bootstrap.RESAMPLES,
    tell: Callable[[str], None] = lambda line: None,
) -> MaskResults:
    """Score folders of maps and the baselines against a split. `tell` is given a line for every
    map that can't be used; raises `UserError` when there was one."""
    ids = ids_of(build, split)
    files, warnings = [], []
    for folder in folders:
        mine, strange = maps_in(folder, ids, holes_empty)
        files.append(mine)
        if strange:
            warnings.append(f"{folder}: {strange:,} maps of no {split} row are left out")
    scores = [MaskScore(name, False) for name in _names(folders)]
    others = [MaskScore(name, True) for name in BASELINES] if baselines else []
    clusters: list[str] = []
    groups: list[Mapping[str, str]] = []
    bad = 0
    for wanted in wanted_rows(build, split):
        clusters.append(wanted.manual_id)
        groups.append(wanted.groups)
        for score, mine in zip(scores, files, strict=True):
            found = None
            path = mine.get(wanted.id)
            score.holes += path is None
            try:
                found = read_map(path, wanted.size_wh) if path else None
            except ImageError as error:
                bad += 1
                tell(f"{path}: {_without_name(error.detail, path)}")
            score.counts.append(counts_of(found, wanted.mask, threshold))
        rgb = wanted.picture() if others else None
        for score in others:
            if rgb is not None:
                score.counts.append(counts_of(BASELINES[score.name](rgb), wanted.mask, threshold))
    if bad:
        raise UserError(
            f"{bad:,} {'map' if bad == 1 else 'maps'} can't be used; write them anew, grey from 0 "
            "to 1 and of the picture's size, or remove them and give --holes empty"
        )
    every = [*scores, *others]
    manuals = len(set(clusters))
    if manuals < bootstrap.FEW_CLUSTERS:
        few = f"only {manuals} manuals, so intervals are rough"
        warnings.append(few if manuals > 1 else "all rows are of one manual: no intervals")
    drawn = bootstrap.weights(manuals, resamples) if resamples and manuals > 1 else None
    for score in every:
        _fill(score, clusters, groups, drawn)
        if score.holes:
            warnings.append(f"{score.name}: {score.holes:,} rows without a map count as empty")
    return MaskResults(every, _differences(every), len(ids), manuals, warnings)


def _names(folders: Sequence[Path]) -> list[str]:
    """What folders are called: by their last name, where that tells them apart."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _without_name(detail: str, path: Path | None) -> str:
    return detail.removeprefix(f"{path.name}: ") if path else detail


def _fill(
    score: MaskScore,
    clusters: Sequence[str],
    groups: Sequence[Mapping[str, str]],
    drawn: np.ndarray | None,
) -> None:
    """Values and intervals of all samples and of each group of them."""
    names = sorted(score.counts[0])
    values = np.array([[one[name] for name in names] for one in score.counts], float)
    score.values, score.intervals, score.draws = _measured(values, names, clusters, drawn)
    for by in groups[0]:
        for group in sorted({one[by] for one in groups}):
            chosen = np.array([one[by] == group for one in groups])
            # Rows of other groups count nothing, so that all groups are drawn alike.
            own, intervals, _ = _measured(values * chosen[:, None], names, clusters, drawn)
            score.groups.setdefault(by, {})[group] = {
                "n": int(chosen.sum()), "values": own, "intervals": intervals,
            }  # fmt: skip


def _measured(
    values: np.ndarray, names: Sequence[str], clusters: Sequence[str], drawn: np.ndarray | None
) -> tuple[dict[str, float | None], dict[str, list[float] | None], dict[str, np.ndarray]]:
    by_cluster = bootstrap.cluster_sums(values, clusters)
    sums = dict(zip(names, by_cluster.sum(axis=0), strict=True))
    point = {each.name: _number(each.of(sums)) for each in METRICS}
    intervals: dict[str, list[float] | None] = dict.fromkeys(point)
    draws: dict[str, np.ndarray] = {}
    if drawn is not None:
        several = dict(zip(names, (drawn @ by_cluster).T, strict=True))
        for each in METRICS:
            draws[each.name] = np.asarray(each.of(several))
            found = bootstrap.interval(draws[each.name])
            intervals[each.name] = [round(v, 4) for v in found] if found else None
    return point, intervals, draws


def _number(value: np.ndarray | float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _differences(scores: Sequence[MaskScore]) -> list[dict[str, Any]]:
    """Of every folder to all that come after it, baselines last."""
    found = []
    for place, one in enumerate(scores):
        if one.baseline:
            continue
        for other in scores[place + 1 :]:
            for each in METRICS:
                a, b = one.values[each.name], other.values[each.name]
                if a is None or b is None or not one.draws:
                    continue
                between = bootstrap.difference(one.draws[each.name], other.draws[each.name])
                found.append(
                    {
                        "metric": each.name, "a": one.name, "b": other.name,
                        "difference": round(a - b, 6),
                        "interval": [round(v, 4) for v in between] if between else None,
                    }
                )  # fmt: skip
    return found

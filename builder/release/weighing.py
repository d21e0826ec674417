"""How good masks are and what rows weigh, where that depends on all manuals of a build.

Two looks at the notes that the manuals' stages left (`tasks/mask/notes.py`): one for the samples
that the discriminator is fitted to, one for the mean quality. The values of single rows are worked
out when their shard is written, so memory does not grow with the number of rows.
"""

import functools
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder.release import discriminator
from builder.release.discriminator import Reservoir, Sample
from builder.release.reviews import Decided
from builder.release.survey import Manual, Manuals
from core.parquet import Index
from core.records import load
from core.shards import Values
from core.store import ROWS
from tasks.mask.notes import MaskNote, MaskNotes, notes_of
from tasks.mask.quality import WEIGHT_MIN, Discriminator, quality_of, weight_of

CONFIG = "mask"
# By config, the origin of the masks of the same pictures. A spatial row's confidence is that of a
# relation, of which no mask tells.
ORIGINS = {"scene": "scene", "object": "object", "state": "state", "state_balanced": "state"}
# A mask that raters gave so many of all points is as good as one of a careful person.
ACCEPTED_MIN = 0.75
HUMAN = 1  # of `source`
NO_FAILURES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Weighing:
    """What the quality of a build's masks follows from: the discriminator (None: the formula), the
    mean quality, and whether other configs' rows weigh what their masks do."""

    model: Discriminator | None
    mean: float
    masks: int
    others: bool = False

    @property
    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "by": "formula" if self.model is None else "discriminator",
            "masks": self.masks,
            "mean_quality": self.mean,
            "discriminator": msgspec.to_builtins(self.model),
        }


def weigh(manuals: Manuals, seed: int, others: bool) -> Weighing:
    """Fit the discriminator and find the mean quality of all masks that stay in the build."""
    known, unreviewed = Reservoir(seed), Reservoir(seed)
    for manual_id in manuals.manual_ids:
        notes = notes_of(manuals.work / ROWS / manual_id)
        for number, sample in enumerate(notes.samples):
            own = Sample(sample.good, sample.features, manual_id)
            known.add(f"{manual_id} {number}", own)
        for note, features in _machine(notes):
            said = _accepted(note.id, manuals.decided)
            own = Sample(bool(said), features, manual_id)
            (unreviewed if said is None else known).add(note.id, own)
    model = discriminator.fitted(known.samples())
    if model is None:  # what people accepted, against what they did not look at
        model = discriminator.fitted([*known.samples(), *unreviewed.samples()])
    total, number = 0.0, 0
    for manual in manuals:
        qualities = _qualities(manual, manuals, model)
        total += sum(qualities)
        number += len(qualities)
    return Weighing(model, round(total / number, 6) if total else 1.0, number, others)


def _machine(notes: MaskNotes) -> Iterator[tuple[MaskNote, list[float]]]:
    return ((note, note.features) for note in notes.rows if note.features is not None)


def _accepted(row_id: str, decided: Decided) -> bool | None:
    """Whether raters found a mask good; None where they did not judge it."""
    if row_id in decided.rejected:
        return False
    points = decided.weights.get(row_id)
    return None if points is None else points >= ACCEPTED_MIN


def _qualities(manual: Manual, manuals: Manuals, model: Discriminator | None) -> list[float]:
    notes = notes_of(manuals.work / ROWS / manual.manual_id)
    found = _quality_by_id(notes, model, manual.reviewed.weights)
    return [value for row_id, value in found.items() if row_id not in manual.reviewed.left_out]


def _quality_by_id(
    notes: MaskNotes, model: Discriminator | None, points: Mapping[str, float]
) -> dict[str, float]:
    """Quality of every mask row: 1 where the source knows, what people said where they accepted a
    machine's mask, else what the model or the formula says."""
    machine = list(_machine(notes))
    found = {note.id: 1.0 for note in notes.rows if note.exact}
    said = quality_of([features for _, features in machine], model)
    found |= {note.id: float(value) for (note, _), value in zip(machine, said, strict=True)}
    found |= {
        row_id: points[row_id]
        for row_id in found.keys() & points.keys()
        if points[row_id] >= ACCEPTED_MIN and found[row_id] < 1
    }
    return found


def working_out(
    rows: Path, config: str, weighing: Weighing, points: Mapping[str, float]
) -> Callable[[], Values] | None:
    """What gives the values of a manual's rows of a config; None where nothing is to be set."""
    if config != CONFIG and not (weighing.others and config in ORIGINS):
        return None
    return functools.partial(values_of, rows, config, weighing, dict(points))


def values_of(rows: Path, config: str, weighing: Weighing, points: Mapping[str, float]) -> Values:
    """Values by column and row id of a manual's rows of a config. `points` are those of raters by
    id; rows they did not accept weigh what they said."""
    notes = notes_of(rows)
    quality = _quality_by_id(notes, weighing.model, points)
    accepted = {i for i, value in points.items() if value >= ACCEPTED_MIN and i in quality}
    machine = {note.id for note, _ in _machine(notes)}
    weights = {
        note.id: weight_of(
            quality[note.id], weighing.mean,
            1.0 if note.exact or note.id in accepted else WEIGHT_MIN,
        )
        for note in notes.rows
        if note.id in quality
    }  # fmt: skip
    if config == CONFIG:
        human = dict.fromkeys(sorted(accepted & machine), HUMAN)
        return {"quality": quality, "sample_weight": weights, "source": human}
    return {"sample_weight": _of_others(rows, config, notes, weights)}


def _of_others(
    rows: Path, config: str, notes: MaskNotes, weights: Mapping[str, float]
) -> dict[str, float]:
    """Weights of another config's rows: the mean of the masks of their origin and step."""
    index = load(rows / "index.json", Index)
    by_place: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for note in notes.rows:
        if note.origin == ORIGINS[config] and note.id in weights:
            by_place[note.session_id, note.step_num].append(weights[note.id])
    return {
        row.id: round(statistics.fmean(found), 4)
        for row in index[config]
        if (found := by_place.get((row.session_id, row.step_num)))
    }


def set_by_hand(
    config: str,
    weights: Mapping[str, float],
    verdicts: Mapping[str, str],
    failures: Mapping[str, str] = NO_FAILURES,
) -> Values:
    """Values that people set, by column and row id: their verdict; what they did not accept among
    masks weighs what they said and tells how it fails, and what they judged of other configs weighs
    that."""
    values: Values = {
        "sample_weight": {
            row_id: value
            for row_id, value in weights.items()
            if config != CONFIG or value < ACCEPTED_MIN
        },
        "verdict": dict(verdicts),
    }
    return {**values, "failure": dict(failures)} if config == CONFIG and failures else values

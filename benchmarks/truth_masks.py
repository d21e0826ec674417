"""Masks that machines find, against those that the source drew: on its pictures as they are, made
worse as real ones are (`degrade`), and made worse on purpose (`synthesis/worse.py`).

Each manual goes through finding its outline, regions and masks as if nobody had drawn it. Quality
is that of a discriminator which never saw the manual, and that of the fixed formula.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from benchmarks import degrade
from builder.annotate import foreground
from builder.release import discriminator
from builder.release.discriminator import Reservoir, Sample
from core.masks import mask_iou, read_mask
from core.pictures.media import Picture
from core.records import Annotation, Instruction, Manual, load
from core.store import ANNOTATE, CRAWL, PARSE, ROWS
from synthesis.worse import drawn_faults, made_worse, smaller_mask
from tasks.context import Context
from tasks.mask import mixture, rows
from tasks.mask.notes import notes_of
from tasks.mask.quality import Discriminator, quality_of
from tasks.mask.samples import true_mask
from tasks.options import TaskOptions

MANUALS_MOST = 6
Kind = TypeVar("Kind", bound=Context)
Worsen = Callable[[Context, Instruction, Picture], Picture]


class Seen(NamedTuple):
    """A mask that was found: what it shows, its overlap with the true one, and its measures."""

    kind: str
    iou: float
    features: list[float] | None = None


class FlatContext(Context):
    """A manual as if nobody had drawn its pictures, which may be made worse first."""

    worsen: Worsen | None = None
    drawn: Mapping[int, Annotation] = {}

    def picture(self, instruction: Instruction) -> Picture | None:
        """The picture as annotators see it."""
        key = f"seen {instruction.VLM.img_path}"
        found = self._pictures.get(key)
        if found is None:
            found = super().picture(instruction)
            if found is not None and self.worsen is not None:
                found = self.worsen(self, instruction, found)
            if found is not None:
                self._pictures[key] = found
        return found


def as_photographed(context: Context, instruction: Instruction, picture: Picture) -> Picture:
    """Shadows, vignette, half the size, noise, JPEG."""
    annotation = getattr(context, "drawn", {}).get(instruction.instruction_id)
    boxes = [box for label in annotation.labels for box in label.instances_px] if annotation else []
    return degrade.degraded(picture, boxes, instruction.VLM.img_path or "")


def on_purpose(context: Context, instruction: Instruction, picture: Picture) -> Picture:
    """Faults at random, the same for all pictures of a session."""
    session = next(row.session_id for row in context.rows() if row.instruction is instruction)
    faults = drawn_faults(np.random.default_rng(zlib.crc32(f"measured {session}".encode())))
    rng = np.random.default_rng(zlib.crc32(f"noise {instruction.VLM.img_path}".encode()))
    return Picture(made_worse(picture.rgb, faults, rng), None, lossy=True)


CONDITIONS: dict[str, Worsen | None] = {
    "clean": None, "degraded": as_photographed, "worse": on_purpose,
}  # fmt: skip


def mask_measures(work: Path, manual_ids: Sequence[str]) -> dict[str, float]:
    """Mean IoU of parts, of new parts, of these with their anchor; how far quality tells it; none
    of manuals that nobody drew. The first few manuals are looked at."""
    drawn = [one for one in manual_ids if context_of(Context, work, one).scene is not None]
    measures: dict[str, float] = {}
    for condition, worsen in CONDITIONS.items():
        ious: dict[str, list[float]] = defaultdict(list)
        said: dict[str, list[float]] = defaultdict(list)
        truth: list[float] = []
        for manual_id in drawn[:MANUALS_MOST]:
            model = _without(work, drawn, manual_id)
            for one in _seen(work, manual_id, worsen):
                ious[one.kind].append(one.iou)
                if one.features is not None:
                    truth.append(one.iou)
                    said["formula"] += list(quality_of([one.features], None))
                    if model is not None:
                        said["discriminator"] += list(quality_of([one.features], model))
        for kind, values in sorted(ious.items()):
            measures[f"masks_{condition}_{kind}"] = len(values)
            measures[f"masks_{condition}_{kind}_iou"] = float(np.mean(values))
            measures[f"masks_{condition}_{kind}_iou_p10"] = float(np.percentile(values, 10))
        for name, values in said.items():
            if len(values) == len(truth) and np.std(values) and np.std(truth):
                corr = float(np.corrcoef(values, truth)[0, 1])
                measures[f"masks_{condition}_quality_by_{name}_corr"] = corr
    return measures


def _without(work: Path, manual_ids: Sequence[str], left_out: str) -> Discriminator | None:
    """The discriminator of all manuals but one."""
    known = Reservoir(0)
    for manual_id in manual_ids:
        if manual_id != left_out:
            for number, one in enumerate(notes_of(work / ROWS / manual_id).samples):
                sample = Sample(one.good, one.features, manual_id)
                known.add(f"{manual_id} {number}", sample)
    return discriminator.fitted(known.samples())


def _seen(work: Path, manual_id: str, worsen: Worsen | None) -> Iterator[Seen]:
    """Every mask of a manual's find pictures and steps. A row that the source has and machines
    don't is no mask that was found."""
    exact, flat = context_of(Context, work, manual_id), flat_of(work, manual_id, worsen)
    truth = {_place(row): row["mask"]["bytes"] for row in rows.make(exact)}
    for row in flat.rows():
        if row.instruction.VLM.task_label is None:
            continue
        true = true_mask(exact, row)
        if true is None or not true.any():
            continue
        found = mixture.judged(flat, row)
        kind = "parts" if row.is_eop else "new_part"
        if found is None:
            yield Seen(kind, 0.0)
            continue
        mask = found.consensus.chosen.mask
        iou = mask_iou(mask, smaller_mask(true, (mask.shape[1], mask.shape[0])))
        yield Seen(kind, iou, found.features)
    for made in rows.make(flat):
        known = truth.get(_place(made))
        if rows.ORIGINS[made["origin"]] == "scene" and known is not None:
            mask = read_mask(made["mask"]["bytes"])
            true = smaller_mask(read_mask(known), (mask.shape[1], mask.shape[0]))
            yield Seen("new_part_with_anchor", mask_iou(mask, true))


def _place(row: dict) -> tuple:
    """What a row is about, whoever found its pixels: origin, picture, and names in its answer."""
    names = tuple(part.split("</p>")[0] for part in row["answer"].split("<p>")[1:])
    return row["origin"], row["provenance"]["source_images"][0]["path"], names


def flat_of(work: Path, manual_id: str, worsen: Worsen | None = None) -> FlatContext:
    """A manual of a work folder as if nobody had drawn it: the boxes of its find pictures are
    found anew."""
    flat = context_of(FlatContext, work, manual_id)
    flat.__dict__["scene"], flat.worsen, flat.drawn = None, worsen, dict(flat.annotations)
    for row in flat.rows():
        step = row.instruction
        picture = flat.picture(step) if row.is_eop and step.VLM.img_path else None
        if picture is not None:
            said = foreground.annotate(picture, step.img_sha256 or "", step)
            flat.annotations[step.instruction_id] = said
    return flat


def context_of(kind: type[Kind], work: Path, manual_id: str) -> Kind:
    """A manual of a work folder."""
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    return kind(
        load(work / PARSE / manual_id / "manual.json", Manual),
        work / CRAWL / manual_id,
        {int(number): one for number, one in annotations.items()},
        TaskOptions(image_format="bmp"),  # quick to encode
    )

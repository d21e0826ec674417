"""Machine masks that are bad, for pictures whose truth is known.

Some manuals of a build are gone through as if nobody had drawn their pictures. Two things may go
wrong there. Scans may be bad: smaller, blurred, dark at one side, noisy, JPEG
(`synthesis/worse.py`); programs find outline, parts and masks in them as in any build. And whoever
is asked for masks may be careless: marks another place, boxes instead of outlines, half of what is
meant, or too much.

What each row weighs follows from measures that know no truth, with the programs' masks as second
opinions, by a discriminator that was fitted to the other manuals. Rows show the clean picture: the
label is bad, not what is seen.
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.truth_masks import context_of, flat_of
from builder.release import discriminator
from builder.release.discriminator import Sample as Measured
from core.build import Place
from core.errors import UserError
from core.masks import mask_iou, read_mask
from core.pictures.media import Picture
from core.records import Instruction
from core.store import ROWS
from scripts.train.masking_data import Rows, Sample, picture_number, small_target
from synthesis.worse import drawn_faults, made_worse
from tasks import TASKS
from tasks.context import Context, site_path
from tasks.mask import rows
from tasks.mask.annotators import machine_candidates
from tasks.mask.candidates import combine, numbered
from tasks.mask.features import features_of, vector
from tasks.mask.notes import notes_of
from tasks.mask.quality import Discriminator, quality_of, weight_of
from tasks.mask.targets import connected_boxes
from tasks.mask.views import view_of
from tasks.queries import take_apart
from tasks.sessions import ManualRow

NOWHERE = Place(Path(), 0, 0)  # such a row is in no file


FAILURES = ("elsewhere", "boxes", "half", "too much")


class Faults(NamedTuple):
    """Shares of the sessions that are scanned badly, and of the masks that a careless one gave."""

    bad_scans: float
    careless: float
    seed: int


class Damaged(NamedTuple):
    """A row by a machine, without a weight yet, the same row as the source has it, how far their
    masks overlap, and the quality that the machine's is said to have."""

    machine: Sample
    exact: Sample
    iou: float
    quality: float


def damaged_rows(
    work: Path, manual_ids: Sequence[str], machine: Sequence[str], faults: Faults,
    found: Rows, side: int,
) -> list[Damaged]:  # fmt: skip
    """The rows of the `machine` manuals, with faults; `found` takes their pictures. The other
    manuals teach the discriminator. Raises `UserError` without a work folder of drawn pictures."""
    taught = [one for one in manual_ids if one not in machine]
    samples = [
        Measured(one.good, one.features, manual_id)
        for manual_id in taught
        for one in notes_of(work / ROWS / manual_id).samples
    ]
    model = discriminator.fitted(samples)
    made, numbers = [], dict[str, int]()
    for manual_id in machine:
        made += list(_of_manual(work, manual_id, faults, model, (found, numbers, side)))
    if not made:
        raise UserError(
            f"--work {work}: nothing in it that a source drew; give the --work of a build of the "
            "demo or of CAD models"
        )
    return made


def weighted(rows_: Sequence[Damaged], exact: int) -> list[Sample]:
    """The machine's rows by their weights in a build that has so many exact ones besides."""
    mean = (exact + sum(one.quality for one in rows_)) / (exact + len(rows_))
    return [one.machine._replace(weight=weight_of(one.quality, mean)) for one in rows_]


def _of_manual(
    work: Path, manual_id: str, faults: Faults, model: Discriminator | None,
    pictures: tuple[Rows, dict[str, int], int],
) -> Iterator[Damaged]:  # fmt: skip
    exact = context_of(Context, work, manual_id)
    if exact.scene is None:
        return

    def scanned(context: Context, instruction: Instruction, picture: Picture) -> Picture:
        session = next(row.session_id for row in context.rows() if row.instruction is instruction)
        rng = np.random.default_rng(zlib.crc32(f"damage {faults.seed} {session}".encode()))
        if rng.random() >= faults.bad_scans:
            return picture
        drawn = drawn_faults(rng)
        noise = np.random.default_rng(
            zlib.crc32(f"{faults.seed} {instruction.VLM.img_path}".encode())
        )
        return Picture(made_worse(picture.rgb, drawn, noise), None, lossy=True)

    true = {_key(row): row for row in _rows_of(exact)}
    flat = flat_of(work, manual_id, scanned)
    made = _rows_of(flat)
    by_path = {site_path(one.instruction.img or ""): one for one in flat.rows()}
    found, numbers, side = pictures
    for row, note in zip(made, flat.mask_notes, strict=True):
        same = true.get(_key(row))
        if same is None or note.features is None:
            continue
        measures, mask = note.features, read_mask(row["mask"]["bytes"])
        rng = np.random.default_rng(zlib.crc32(f"careless {faults.seed} {row['id']}".encode()))
        if rng.random() < faults.careless:
            how = FAILURES[int(rng.integers(len(FAILURES)))]
            shown = by_path[row["provenance"]["source_images"][0]["path"]]
            told = _measured(flat, shown, how)
            if told is None:  # programs find nothing to hold it against: a build has no such row
                continue
            measures, mask = told, failed(mask, how)
        number = picture_number(found, numbers, same["image"]["bytes"], side)
        width, height = found.pictures[number].size_wh
        known = read_mask(same["mask"]["bytes"])
        mask = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=0) > 0
        samples = [
            Sample(
                one["id"], manual_id, number, small_target(pixels, found.pictures[number]),
                tuple(dict.fromkeys(v["text"] for v in one["instruction_variants"])),
                take_apart(one["query"], rows.CONFIG).instruction, source, 1.0, NOWHERE,
            )
            for one, pixels, source in ((row, mask, "machine"), (same, known, "exact"))
        ]  # fmt: skip
        quality = float(quality_of([measures], model)[0])
        yield Damaged(samples[0], samples[1], mask_iou(mask, known), quality)


def failed(mask: np.ndarray, how: str) -> np.ndarray:
    """A (H, W) bool mask as careless people give it."""
    width = mask.shape[1]
    if how == "elsewhere":  # in a collage, the next picture
        return np.roll(mask, width // 2, axis=1)
    if how == "too much":
        size = 2 * (width // 16) + 1
        return cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    found = np.zeros_like(mask)
    for x0, y0, x1, y1 in connected_boxes(mask):
        if how == "boxes":
            found[int(y0) : int(y1), int(x0) : int(x1)] = True
        else:
            middle = int(x0 + x1) // 2
            found[int(y0) : int(y1), int(x0) : middle] = mask[int(y0) : int(y1), int(x0) : middle]
    return found


def _measured(context: Context, row: ManualRow, how: str) -> list[float] | None:
    """Measures of the mask of a picture that a careless one gave, beside what programs say."""
    view = view_of(context, row)
    candidates = [] if isinstance(view, str) else machine_candidates(view)
    if isinstance(view, str) or not candidates:
        return None
    chosen = combine(candidates).chosen
    others = [one.numbers for one in candidates if one is not chosen]
    found = features_of(view, numbered(failed(chosen.mask, how)), others)
    return None if found is None else vector(found, chosen.annotator)


def _rows_of(context: Context) -> list[dict[str, Any]]:
    """The mask rows of a manual, after those of the tasks whose pictures they show."""
    for config in ("object", "state"):
        for _ in TASKS[config].rows.make(context):
            pass
    return list(rows.make(context))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a row is about, whoever found its pixels: task, pictures, and what the answer names. Of
    a step there is one row a task, whatever a machine takes for the anchor."""
    sources = tuple(one["path"] for one in row["provenance"]["source_images"])
    names = tuple(part.split("</p>")[0] for part in row["answer"].split("<p>")[1:])
    if rows.ORIGINS[row["origin"]] == "object":
        return row["origin"], sources, names
    return row["origin"], sources

"""Quality of a build against known truth: boxes, names, colours, and rows accounted for."""

import io
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import truth_masks, truth_restoration, truth_spatial
from core.build import every_shard, manifest_of, records, shards
from core.cli import no_build
from core.errors import UserError
from core.pictures.media import read_picture
from core.records import Annotation, Instruction, LabelBox, Manual, load
from core.store import ANNOTATE, CRAWL, ROWS
from synthesis.boxes import iou, union
from synthesis.pixels import difference
from tasks.context import site_path
from tasks.sessions import session_rows

# A label is right when its box is mostly on the truth of that very label.
RIGHT_LABEL_IOU_MIN = 0.5
# A pixel shows something else when a channel differs by this much from the manual's own picture ...
PIXEL_DIFFERENCE_MIN = 32
# ... and a picture is right when at most the first share of the true part does, wrong from the
# second on.
RIGHT_SHARE_MAX, WRONG_SHARE_MIN = 0.10, 0.15
# Boundary colours are equal within this channel distance: lossy pictures shift them a little.
COLOR_TOLERANCE = 40


def measure(work: Path, out: Path, truth: dict, truth_folder: Path) -> dict[str, float]:
    """All measures of a build against `truth`, whose masks lie in `truth_folder`.

    Raises `UserError` when build and truth don't belong together.
    """
    manifest = manifest_of(out)
    if manifest is None:
        raise no_build(out)
    by_page = {Path(m["manual_page"]).name: m for m in truth["manuals"]}
    inputs = {one["manual_id"] for one in records(out, manifest, "inputs")}
    known = sorted(inputs & set(by_page))
    if not known:
        raise UserError(f"--truth: it knows none of the manuals of {out}; give the build's own")
    boxes: list[dict] = []
    colors: Counter = Counter()
    rows: Counter = Counter()
    states: list[dict] = []
    drops = {(d["manual_id"], d["item"]) for d in records(out, manifest, "drops")}
    used = _used_rows(out)
    for manual_id in known:
        manual = load(work / ROWS / manual_id / "manual.json", Manual)
        boxes += box_rows(work, manual_id, by_page[manual_id])
        colors += color_counts(manual, by_page[manual_id])
        rows += _row_counts(manual_id, by_page[manual_id], drops, used)
        states += _states(work, out, manual, by_page[manual_id], truth_folder)
    return {
        "manuals": len(known),
        **box_measures(boxes),
        "sessions_with_outline": colors["outlined"],
        "color_right_share": _share(colors["right"], colors["outlined"]),
        "colors_invented": colors["invented"],
        **_state_measures(states),
        **truth_restoration.restoration_measures(
            work, [(m, by_page[m]) for m in known], truth_folder
        ),
        **truth_spatial.text_measures(by_page[manual_id] for manual_id in known),
        **truth_spatial.scene_measures(out),
        **truth_spatial.region_measures(work, [(m, by_page[m]) for m in known], truth_folder),
        **truth_masks.mask_measures(work, known),
        "rows": sum(rows.values()),
        "rows_used": rows["used"],
        "rows_dropped": rows["dropped"],
        "rows_unaccounted": rows["unaccounted"],
    }


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else float("nan")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def box_rows(work: Path, manual_id: str, truth: dict) -> list[dict]:
    """One entry a true label: IoU of its union box, whether its picture shows several."""
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    result = []
    for row in truth["rows"]:
        if not row.get("eop") or not row["image"] or row.get("duplicate_of_previous"):
            continue
        annotation = annotations.get(str(row["row"]))
        result += label_rows(annotation.labels if annotation else [], row["eop"])
    return result


def label_rows(labels: Sequence[LabelBox], eop: list[dict]) -> list[dict]:
    """One entry a true label of a picture: IoU of its union box, whether the count is right."""
    several = len(eop) > 1
    one_part = not several and eop[0]["drawn"] == 1
    result = []
    for index, part in enumerate(eop):
        found = labels[index].instances_px if index < len(labels) else []
        result.append(
            {
                "iou": iou(union(found), part["union"]) if found else 0.0,
                "several": several,
                "one_part": one_part,
                "count_right": len(found) == part["drawn"],
            }
        )
    return result


def box_measures(boxes: list[dict]) -> dict[str, float]:
    several = [box["iou"] > RIGHT_LABEL_IOU_MIN for box in boxes if box["several"]]
    return {
        "labels": len(boxes),
        "single_part_iou": _mean([box["iou"] for box in boxes if box["one_part"]]),
        "label_iou": _mean([box["iou"] for box in boxes]),
        "iou_over_0.5": _mean([float(box["iou"] >= 0.5) for box in boxes]),
        "iou_over_0.75": _mean([float(box["iou"] >= 0.75) for box in boxes]),
        "iou_over_0.9": _mean([float(box["iou"] >= 0.9) for box in boxes]),
        "right_label_share": _mean([float(right) for right in several]),
        "instance_count_right": _mean([float(box["count_right"]) for box in boxes]),
    }


def color_counts(manual: Manual, truth: dict) -> Counter:
    """Sessions with an outline, those found right, and colours found where there is none."""
    true_colors = {row["row"]: row["highlight"] for row in truth["rows"] if row.get("step")}
    counts: Counter = Counter()
    for rows in session_rows(manual).values():
        steps = [row.instruction for row in rows if not row.is_eop]
        wanted = {true_colors.get(step.instruction_id) for step in steps} - {None}
        found = {color for step in steps for color in step.VLM.bound_color}
        if wanted:
            counts["outlined"] += 1
            counts["right"] += len(found) == 1 and _near(found.pop(), next(iter(wanted)))
        else:
            counts["invented"] += bool(found)
    return counts


def _near(a: str, b: str | None) -> bool:
    if b is None:
        return False
    pairs = zip(bytes.fromhex(a[1:]), bytes.fromhex(b[1:]), strict=True)
    return max(abs(x - y) for x, y in pairs) <= COLOR_TOLERANCE


def _used_rows(out: Path) -> set[tuple[str, str]]:
    """(manual, source image) pairs that some row of the build was made from."""
    used = set()
    for path in every_shard(out):
        table = pq.read_table(path, columns=["manual_id", "provenance"])
        for row in table.to_pylist():
            # The row's own picture comes first in scene and state, all four count in a collage.
            for image in row["provenance"]["source_images"]:
                used.add((row["manual_id"], image["path"]))
    return used


def _row_counts(manual_id: str, truth: dict, drops: set, used: set) -> Counter:
    """Every row of the page is used, a listed drop, or unaccounted for."""
    counts: Counter = Counter()
    for row in truth["rows"]:
        if row["image"] and (manual_id, row["image"]) in used:
            counts["used"] += 1
        elif (manual_id, f"row {row['row']}") in drops:
            counts["dropped"] += 1
        else:
            counts["unaccounted"] += 1
    return counts


def _states(work: Path, out: Path, manual: Manual, truth: dict, truth_folder: Path) -> list[dict]:
    """One entry a state row: overlap of the segmented part with the truth, and how much of the
    true part the picture shows otherwise than the manual's own does."""
    true_rows = {row["image"]: row for row in truth["rows"] if row.get("step")}
    by_path = {site_path(i.img): i for i in manual.instructions if i.img}
    result = []
    for path in shards(out, "state"):
        columns = ["manual_id", "provenance", "image", "correct_box_px", "part_box_px", "label",
                   "negative_kind"]  # fmt: skip
        table = pq.read_table(path, columns=columns, filters=[("manual_id", "=", manual.manual_id)])
        for row in table.to_pylist():
            source = row["provenance"]["source_images"][0]["path"]
            true_row = true_rows.get(source)
            if true_row is None or not true_row["step"].get("mask"):
                continue
            mask = _mask(truth_folder / true_row["step"]["mask"])
            instruction = by_path[source]
            own = read_picture(work / CRAWL / manual.manual_id / str(instruction.VLM.img_path)).rgb
            shown = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB"))
            other = difference(shown, own) >= PIXEL_DIFFERENCE_MIN
            area = max(1, int(mask.sum()))
            result.append(
                {
                    "label": row["label"],
                    "box_iou": iou(row["correct_box_px"], true_row["step"]["new_box"]),
                    "mask_iou": _mask_iou(work, manual, instruction, row["correct_box_px"], mask),
                    # A part too many changes nothing at the right place, only elsewhere.
                    "changed": int(other.sum() if row["negative_kind"] == "extra"
                                   else (other & mask).sum()) / area,
                }
            )  # fmt: skip
    return result


def _mask(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")) > 127


def _mask_iou(
    work: Path, manual: Manual, instruction: Instruction, box_px: list[float], truth: np.ndarray
) -> float:
    """IoU of the cut-out that the stages kept (its alpha, at its box) with the true mask."""
    file = work / ROWS / manual.manual_id / str(instruction.VLM.parts_img_path)
    found = np.zeros(truth.shape, bool)
    x0, y0, x1, y1 = (round(v) for v in box_px)
    found[y0:y1, x0:x1] = np.asarray(Image.open(file))[..., 3] > 127
    return float((found & truth).sum() / max(1, (found | truth).sum()))


def _state_measures(rows: list[dict]) -> dict[str, float]:
    right, wrong = ([r for r in rows if r["label"] == label] for label in (1, 0))
    ious = [row["mask_iou"] for row in right]
    return {
        "state_groups": len(right),
        "state_part_box_iou": _mean([row["box_iou"] for row in right]),
        "state_mask_iou": _mean(ious),
        "state_mask_iou_p10": float(np.percentile(ious, 10)) if ious else float("nan"),
        "positives_right_share": _mean([float(r["changed"] <= RIGHT_SHARE_MAX) for r in right]),
        "negatives_wrong_share": _mean([float(r["changed"] >= WRONG_SHARE_MIN) for r in wrong]),
    }

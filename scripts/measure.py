"""Quality of a build against known truth: boxes, names, colours, and rows accounted for.

    python scripts/measure.py --work .work --out lego-arta --truth .work/0_demo/truth.json

The truth file's schema is the one the demo source writes. Prints one table; `--json` the numbers.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from builder.assemble import manifest_of
from builder.folders import ANNOTATE, TASKS
from builder.records import Annotation, Manual, UserError, load
from builder.tasks.sessions import session_rows
from synthesis.boxes import iou, union

# A label is right when its box is mostly on the truth of that very label.
RIGHT_LABEL_IOU_MIN = 0.5
# Boundary colours are equal within this channel distance: lossy pictures shift them a little.
COLOR_TOLERANCE = 40


def measure(work: Path, out: Path, truth: dict) -> dict[str, float]:
    """All measures of a build; raises `UserError` when build and truth don't belong together."""
    manifest = manifest_of(out)
    if manifest is None:
        raise UserError(f"--out {out}: not a build; make one with builder/make.py")
    by_page = {Path(m["manual_page"]).name: m for m in truth["manuals"]}
    known = sorted(set(manifest["inputs"]) & set(by_page))
    if not known:
        raise UserError(f"--truth: it knows none of the manuals of {out}; give the build's own")
    boxes: list[dict] = []
    colors: Counter = Counter()
    rows: Counter = Counter()
    part_ious: list[float] = []
    drops = {(d["manual_id"], d["item"]) for d in manifest["drops"]}
    used = _used_rows(out)
    for manual_id in known:
        manual = load(work / TASKS / manual_id / "manual.json", Manual)
        boxes += _box_rows(work, manual_id, by_page[manual_id])
        colors += _color_counts(manual, by_page[manual_id])
        rows += _row_counts(manual_id, by_page[manual_id], drops, used)
        part_ious += _part_ious(out, manual_id, by_page[manual_id])
    return {
        "manuals": len(known),
        **_box_measures(boxes),
        "sessions_with_outline": colors["outlined"],
        "color_right_share": _share(colors["right"], colors["outlined"]),
        "colors_invented": colors["invented"],
        "state_part_box_iou": _mean(part_ious),
        "rows": sum(rows.values()),
        "rows_used": rows["used"],
        "rows_dropped": rows["dropped"],
        "rows_unaccounted": rows["unaccounted"],
    }


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else float("nan")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _box_rows(work: Path, manual_id: str, truth: dict) -> list[dict]:
    """One entry a true label: IoU of its union box, whether its picture shows several."""
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    result = []
    for row in truth["rows"]:
        if not row.get("eop") or not row["image"] or row.get("duplicate_of_previous"):
            continue
        annotation = annotations.get(str(row["row"]))
        labels = annotation.labels if annotation else []
        several = len(row["eop"]) > 1
        one_part = not several and row["eop"][0]["drawn"] == 1
        for index, part in enumerate(row["eop"]):
            found = labels[index] if index < len(labels) else None
            overlap = iou(union(found.instances_px), part["union"]) if found else 0.0
            instances = found.instances_px if found else []
            result.append(
                {
                    "iou": overlap,
                    "several": several,
                    "one_part": one_part,
                    "count_right": len(instances) == part["drawn"],
                }
            )
    return result


def _box_measures(boxes: list[dict]) -> dict[str, float]:
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


def _color_counts(manual: Manual, truth: dict) -> Counter:
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
    for path in sorted(out.glob("data/*/*.parquet")):
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


def _part_ious(out: Path, manual_id: str, truth: dict) -> list[float]:
    """IoU of the segmented new part's box with its true box, one a state group."""
    true_boxes = {row["image"]: row["step"]["new_box"] for row in truth["rows"] if row.get("step")}
    result = []
    for path in sorted(out.glob("data/state/*.parquet")):
        columns = ["manual_id", "provenance", "correct_box_px", "label"]
        table = pq.read_table(path, columns=columns, filters=[("manual_id", "=", manual_id)])
        for row in table.to_pylist():
            box = true_boxes.get(row["provenance"]["source_images"][0]["path"])
            if row["label"] == 1 and box:
                result.append(iou(row["correct_box_px"], box))
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work", type=Path, default=Path(".work"), help="stages (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("lego-arta"), help="build (%(default)s)")
    parser.add_argument("--truth", type=Path, required=True, help="truth.json of the source")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    try:
        truth = json.loads(options.truth.read_bytes())
        numbers = measure(options.work, options.out, truth)
    except (UserError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(numbers, indent=2))
    else:
        for name, value in numbers.items():
            print(
                f"{name:<24} {value:>10.4f}"
                if isinstance(value, float)
                else f"{name:<24} {value:>10}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

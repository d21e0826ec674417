"""How well outlines are taken off pictures, against pictures that were drawn without them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from builder.sources.demo.manuals import steps_without_outline
from core.records import Manual, load
from core.store import CRAWL, PARSE
from synthesis.pixels import difference, grown
from tasks.context import Context, site_path
from tasks.options import TaskOptions
from tasks.state.rows import reason_against, take_apart

# A pixel shows something else when a channel differs by more than this.
OFF_MIN = 32
# A thin line is darker than both its sides by so much; a restored one may be half as dark, and a
# pixel beside.
LINE_PX, LINE_MIN = 5, 24


def restoration_measures(
    work: Path, manuals: Sequence[tuple[str, dict]], truth_folder: Path
) -> dict[str, float]:
    """Of all pixels that outlines hid in the pictures of the steps before: their mean difference
    (largest channel, 0-255) from the truth, the share of wrong ones, and the share of thin dark
    lines that are there again. Empty for sources that can't draw their pictures anew."""
    off, lines, pictures = [], [], 0
    for manual_id, truth in manuals:
        drawn = truth_folder / "truth" / f"{manual_id}.json"
        if not drawn.is_file():
            continue
        record = json.loads(drawn.read_bytes())
        for hidden, canvas, bare in _canvases(work, manual_id, truth, record):
            off.append(difference(canvas, bare)[hidden])
            there = hidden & (_darker(bare) >= LINE_MIN)
            lines.append(grown(_darker(canvas) >= LINE_MIN / 2, 1)[there])
            pictures += 1
    if not pictures:
        return {}
    every, again = np.concatenate(off), np.concatenate(lines)
    return {
        "restored_pictures": pictures,
        "restored_difference": float(every.mean()),
        "restored_off_share": float((every > OFF_MIN).mean()),
        **({"restored_line_share": float(again.mean())} if again.size else {}),
    }


def _canvases(
    work: Path, manual_id: str, truth: dict, record: dict
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(H, W) bool what an outline hid, the picture restored, and as it was drawn without it."""
    drawn = {
        (sign, number): rgb
        for sign, number, rgb in steps_without_outline(record["index"], record["seed"])
    }
    bare = {
        row["image"]: drawn[row["session"], row["number"]]
        for row in truth["rows"]
        if row.get("step")
    }
    manual = load(work / PARSE / manual_id / "manual.json", Manual)
    context = Context(manual, work / CRAWL / manual_id, {}, TaskOptions(negatives="paper"))
    for row in context.rows():
        color = context.colors[row.session_id]
        if row.is_eop or reason_against(row, color) or row.step_before is None:
            continue
        scene, before = take_apart(context, row, color), context.picture(row.step_before)
        if isinstance(scene, str) or before is None:
            continue
        there = bare[site_path(str(row.step_before.img))]
        hidden = difference(before.rgb, there) > 0
        if hidden.any():
            yield hidden, scene.canvas, there


def _darker(rgb: np.ndarray) -> np.ndarray:
    """(H, W) uint8: by how much a pixel is darker than what is on both sides of it."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found: np.ndarray = cv2.morphologyEx(
        grey, cv2.MORPH_BLACKHAT, np.ones((LINE_PX, LINE_PX), np.uint8)
    )
    return found

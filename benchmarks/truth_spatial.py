"""How well regions of steps and relations of parts are read, against known truth and scenes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from core.build import shards
from core.records import Annotation, Manual, load
from core.relations import WORDS
from core.store import ANNOTATE, CRAWL, PARSE
from synthesis.boxes import iou, union
from tasks.context import Context, site_path
from tasks.options import TaskOptions
from tasks.regions import step_regions
from tasks.spatial.reading import read_placing

# Facts of the truth as labels; a place may be told from an edge on or from beyond it.
_PLACED = {"left": "left", "right": "right", "front": "in front of", "back": "behind"}
_HELD = {name: name for name in WORDS} | {"table": "on"}


def text_measures(truth: Iterable[dict]) -> dict[str, float]:
    """Precision and recall of relations read from the lines of steps, by label."""
    right, said, true = (Counter[str]() for _ in range(3))
    for manual in truth:
        for line, names, facts in _lines(manual):
            found = read_placing(line, names)
            read = {*found.sides, *([found.relation] if found.relation else [])}
            wanted = set(_labels(facts))
            right.update(read & wanted)
            said.update(read)
            true.update(wanted)
    measures: dict[str, float] = {"relation_lines": sum(true.values())}
    for name in (name for name in WORDS if said[name] or true[name]):
        key = f"text_{name.replace(' ', '_')}"
        measures[f"{key}_precision"] = right[name] / max(1, said[name])
        measures[f"{key}_recall"] = right[name] / max(1, true[name])
    return measures


def _lines(manual: dict) -> Iterator[tuple[str, list[str], dict]]:
    """(line, names of the parts that it puts, facts) where a line puts one kind of part."""
    for row in manual["rows"]:
        parts = (row.get("step") or {}).get("new_parts") or []
        if len(parts) != len(row.get("lines") or []):
            continue
        for line, part in zip(row["lines"], parts, strict=True):
            names = [part["label"], part["label"].replace("x", "×")]
            yield line, names, part.get("facts") or {}


def _labels(facts: dict) -> Iterator[str]:
    if facts.get("relation") in _HELD:
        yield _HELD[facts["relation"]]
    for axis in ("x", "depth"):
        place = str(facts.get(axis) or "").rpartition("_")[2]
        if place in _PLACED:
            yield _PLACED[place]


def scene_measures(out: Path) -> dict[str, float]:
    """How often the text's and the picture's readings hold in space, where a scene tells."""
    right: dict[str, Counter[str]] = defaultdict(Counter)
    said: dict[str, Counter[str]] = defaultdict(Counter)
    names = ["pair_id", "relations_text", "relations_image", "relations_scene"]
    pairs: dict[str, dict] = {}
    for path in shards(out, "spatial"):
        for row in pq.read_table(path, columns=names).to_pylist():
            pairs.setdefault(row["pair_id"], row)
    for row in pairs.values():
        for reading in ("text", "image") if row["relations_scene"] else ():
            said[reading].update(row[f"relations_{reading}"])
            right[reading].update(set(row[f"relations_{reading}"]) & set(row["relations_scene"]))
    return {
        f"{reading}_holds_{name.replace(' ', '_')}": right[reading][name] / said[reading][name]
        for reading in ("text", "image")
        for name in WORDS
        if said[reading][name]
    }


def region_measures(
    work: Path, known: Iterable[tuple[str, dict]], folder: Path
) -> dict[str, float]:
    """IoU of the new parts' masks and of each kind's box with the truth, by how they were found.

    `known` are manual ids with their truth, whose masks lie in `folder`.
    """
    masks: dict[str, list[float]] = defaultdict(list)
    boxes: dict[str, list[float]] = defaultdict(list)
    unknown: Counter[str] = Counter()
    for manual_id, truth in known:
        context = _context(work, manual_id)
        steps = {row["image"]: row["step"] for row in truth["rows"] if row.get("step")}
        for row in context.rows():
            step = steps.get(site_path(row.instruction.img or ""))
            if row.is_eop or step is None or not step.get("mask"):
                continue
            found = step_regions(context, row)
            if isinstance(found, str):
                unknown[found] += 1
                continue
            mask = np.logical_or.reduce([one.mask for one in found.new])
            with Image.open(folder / step["mask"]) as image:
                true = np.asarray(image.convert("L")) > 127
            if mask.shape == true.shape:
                masks[found.source].append(float((mask & true).sum() / max(1, (mask | true).sum())))
            if len(found.new) == len(step["new_parts"]):
                boxes[found.source] += [
                    iou(one.box_px, union([i["box"] for i in part["instances"] if i["box"]]))
                    for one, part in zip(found.new, step["new_parts"], strict=True)
                ]
    measures: dict[str, float] = {}
    for source in sorted(masks):
        measures[f"regions_{source}"] = len(masks[source])
        measures[f"regions_{source}_mask_iou"] = float(np.mean(masks[source]))
        measures[f"regions_{source}_mask_iou_p10"] = float(np.percentile(masks[source], 10))
        measures[f"regions_{source}_box_iou"] = float(np.mean(boxes[source] or [np.nan]))
    return {**measures, **{f"regions_{reason}": n for reason, n in sorted(unknown.items())}}


def _context(work: Path, manual_id: str) -> Context:
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    return Context(
        load(work / PARSE / manual_id / "manual.json", Manual),
        work / CRAWL / manual_id,
        {int(number): one for number, one in annotations.items()},
        TaskOptions(),
    )

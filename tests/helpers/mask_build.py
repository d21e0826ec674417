"""A build of masks with small pictures: coloured blocks on a plain table, one of which is meant."""

import hashlib
import io
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from core.masks import encode_mask
from core.parquet import schema

SIZE_WH = (96, 64)
COLORS = {"red": (180, 0, 0), "bright blue": (30, 90, 168), "yellow": (250, 200, 10)}
TABLE = (236, 236, 236)


def write_mask_build(
    folder: Path, manuals: int = 4, pictures: int = 3, test_manuals: int = 2, machine: bool = False
) -> Path:
    """Write a build; the last manuals are test. With `machine` the masks of every second train
    manual are from a machine: boxes a quarter too wide, of half the weight."""
    by_split: dict[str, list[dict]] = {"train": [], "test": []}
    for manual in range(manuals):
        split = "test" if manual >= manuals - test_manuals else "train"
        wide = machine and split == "train" and manual % 2 == 1
        for number in range(pictures):
            by_split[split] += _rows(manual, number, wide)
    for split, rows in by_split.items():
        path = folder / f"data/mask/{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows, schema=schema("mask"))
        pq.write_table(table, path, row_group_size=5)
    return folder


def _rows(manual: int, number: int, wide: bool) -> list[dict]:
    rng = random.Random(f"{manual}:{number}")
    rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), TABLE, np.uint8)
    masks = {}
    for place, (name, color) in enumerate(rng.sample(sorted(COLORS.items()), 3)):
        x, y = 4 + 31 * place + rng.randint(0, 4), rng.randint(6, 30)
        width, height = rng.randint(14, 22), rng.randint(14, 26)
        rgb[y : y + height, x : x + width] = color
        masks[name] = np.zeros(rgb.shape[:2], bool)
        masks[name][y : y + height, x : x + width + (width // 4 if wide else 0)] = True
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return [
        _row(manual, number, name, mask, buffer.getvalue(), wide) for name, mask in masks.items()
    ]


def _row(manual: int, number: int, name: str, mask: np.ndarray, picture: bytes, wide: bool) -> dict:
    key = hashlib.sha256(f"{manual}:{number}:{name}".encode()).hexdigest()[:20]
    ys, xs = np.nonzero(mask)
    box = [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]
    manual_id = f"lego-{1000 + manual}-thing-readscr"
    level = ("simple", "complex")[number % 2]
    text = f"1 {name} brick." if level == "simple" else f"Which piece is {name}?"
    return {
        "id": key, "manual_id": manual_id, "session_id": f"{manual_id}/main", "step_num": number,
        "image": {"bytes": picture, "path": f"{key}.png"}, "query": text,
        "answer": f"<p>1 {name} brick</p>", "instruction": text, "entities": [],
        "confidence": 1.0, "sample_weight": 0.5 if wide else 1.0,
        "provenance": {"source_images": [{"path": key, "sha256": key}], "annotator": "exact"},
        "mask": {"bytes": encode_mask(mask), "path": f"{key}.mask.png"}, "boxes_px": [box],
        "area_ratio": float(mask.mean()),
        "instruction_variants": [{"level": level, "text": text}],
        "origin": number % 4, "source": 2 if wide else 0, "candidates": [], "n_annotators": 1,
        "quality": 0.5 if wide else 1.0, "uses_gold_mask": False, "diversified": False,
    }  # fmt: skip

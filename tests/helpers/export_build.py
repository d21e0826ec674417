"""A small build as exports meet it: hashed picture names, WebP, several shards, a manifest."""

import functools
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmark_build import write_build
from PIL import Image

from builder.sources.terms import UNSTATED
from core.build import MANIFEST
from core.masks import encode_mask
from core.parquet import schema
from lego_arta import CONFIGS, FEATURES, SPLITS

SHARD_ROWS, GROUP_ROWS = 25, 7


def export_build(
    folder: Path,
    change: Callable[[str, dict], dict] = lambda config, row: row,
    masks: bool = False,
    **sizes,
) -> Path:
    """Write a build; `change(config, row)` may alter rows. With `masks` every collage has a mask
    row of its own picture."""
    write_build(folder, **sizes)
    for config in CONFIGS:
        for split in SPLITS:
            paths = sorted((folder / "data" / config).glob(f"{split}-*.parquet"))
            rows = [change(config, _realistic(config, row)) for p in paths for row in _rows(p)]
            for path in paths:
                path.unlink()
            if config == "mask" and masks:
                (folder / "data" / config).mkdir(parents=True, exist_ok=True)
                rows = [change(config, _mask_row(row)) for row in rows_of(folder, "object", split)]
            _write(folder / "data" / config, config, split, rows)
    manifest = {
        "dataset": "lego-arta",
        "version": "0.1.0",
        "fingerprint": hashlib.sha256(str(sizes).encode()).hexdigest(),
        "options": {"positives": "matched", "source": "demo", "split": "manual"},
        "terms": msgspec.to_builtins(UNSTATED),
        "split_exceptions": {"moved": {}, "divided": {}},
        "rows": {c: {s: len(rows_of(folder, c, s)) for s in SPLITS} for c in CONFIGS},
        "files": {p.relative_to(folder).as_posix():
                  {"sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
                  for p in sorted(folder.rglob("*.parquet"))},
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def _write(folder: Path, config: str, split: str, rows: list[dict]) -> None:
    parts = [rows[at : at + SHARD_ROWS] for at in range(0, len(rows), SHARD_ROWS)]
    for number, part in enumerate(parts):
        table = pa.Table.from_pylist(part, schema=schema(config))
        name = f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
        pq.write_table(table, folder / name, row_group_size=GROUP_ROWS)


def _rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def rows_of(build: Path, config: str, split: str) -> list[dict]:
    """All rows of a split."""
    return [
        row
        for path in sorted((build / "data" / config).glob(f"{split}-*.parquet"))
        for row in _rows(path)
    ]


def all_rows(build: Path) -> dict[str, dict]:
    """Every row by id, with its `config` and `split`."""
    return {
        row["id"]: {**row, "config": config, "split": split}
        for config in CONFIGS
        for split in SPLITS
        for row in rows_of(build, config, split)
    }


def _realistic(config: str, row: dict) -> dict:
    """What the benchmark's tests don't need: telling source names, distractors."""
    manual, step = row["manual_id"], row["step_num"]
    kind = "eop" if config == "object" else "step"
    own = f"site/{manual}/Car-{2 * step + (kind == 'step')}_{kind}_Step ##A.png"
    data = _webp(row["image"]["bytes"])
    sources = [dict(source) for source in row["provenance"]["source_images"]]
    sources[row.get("cell") or 0]["path"] = own
    row = {
        **row,
        "step_num": 2 * step + (kind == "step"),
        "image": {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.webp"},
        "session_id": f"{manual}/Car",
        "provenance": {**row["provenance"], "source_images": sources},
        "confidence": [0.5, 0.7, 1.0][step % 3],
    }
    if config == "object":
        row["distractors"] = [
            {"cell": cell, **_part(cell)} for cell in range(4) if cell != row["cell"]
        ]
    return row


def _mask_row(row: dict) -> dict:
    """The pixels of the parts that a collage's row asks for: their whole boxes."""
    height, width = pixels(row["image"]["bytes"]).shape[:2]
    boxes = [box for target in row["targets"] for box in target["instances_px"]]
    mask = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in (map(round, box) for box in boxes):
        mask[y0:y1, x0:x1] = True
    sources = list(row["provenance"]["source_images"])
    sources.insert(0, sources.pop(row["cell"]))
    asked, data = f"The parts of {row['id']}.", encode_mask(mask)
    shared = {name: row[name] for name in FEATURES["scene"] if name in row}
    return {
        **shared,
        "id": hashlib.sha256(f"mask {row['id']}".encode()).hexdigest()[:20],
        "query": asked,
        "provenance": {**row["provenance"], "source_images": sources},
        "mask": {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.png"},
        "boxes_px": boxes,
        "area_ratio": float(mask.mean()),
        "instruction_variants": [{"level": "simple", "text": asked},
                                 {"level": "complex", "text": "What is asked for."}],
        "origin": FEATURES["mask"]["origin"].str2int("object"),
        "source": 0,
        "candidates": [],
        "agreement": None,
        "n_annotators": 1,
        "quality": 1.0,
        "uses_gold_mask": True,
        "failure": None,
        "diversified": False,
    }  # fmt: skip


def _part(cell: int) -> dict:
    x0, y0 = 50.0 * (cell % 2) + 10, 50.0 * (cell // 2) + 10
    norm = [x0, y0, x0 + 20, y0 + 20]
    px = [v * side / 100 for v, side in zip(norm, (80, 60, 80, 60), strict=True)]
    return {"label": "lime bricks 1x1", "count": 1, "box_norm100": norm, "box_px": px,
            "instances_px": [px]}  # fmt: skip


@functools.lru_cache(4096)
def _webp(png: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """(H, W, 3) of encoded bytes."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))

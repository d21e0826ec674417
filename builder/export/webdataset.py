"""WebDataset: tar shards with a picture and a JSON of all other columns for every row (B13).

The key of a sample is the row's opaque id. Shards hold no times and no owners, so the same rows
give the same bytes.

JSON has no types, and `datasets` takes those of the first rows for all: null or an empty list there
is an error later. So README.md carries the types for whoever loads the folder, and a JSON of merged
tasks, whose rows differ most, holds plain columns that are never null, and the others as one text.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Features, Image, Value

from builder.export.job import Dropped, Job, Part
from builder.export.shards import Shard, pack
from builder.export.tables import config_names
from builder.export.tables import front_matter as yaml_of
from builder.export.units import every_unit, features_of
from core import store
from core.features import picture_columns
from lego_arta import FEATURES

EXAMPLES = ("none",)
SETTING = None
FRAME = "as the columns say: `box_px` pixels, `box_norm100` percent; x0, y0, x1, y1"
PICTURES = "the build's own bytes"
SHARD_BYTES = 256 * 2**20
# Columns of every task that no row lacks; with --merge the JSON has these, and the rest as text.
PLAIN = ("id", "manual_id", "session_id", "query", "answer", "instruction", "confidence",
         "sample_weight")  # fmt: skip
REST = "columns"
README = """\
Each sample is `<id>.webp` (or `.png`), of mask rows `<id>.mask.png` as well, and `<id>.json`, which
holds every other column of the row with its own box frames (`box_px`, `box_norm100`). With
`--merge` it holds the columns that no row of any task lacks, and all others as a JSON text,
`columns`.

```python
import webdataset as wds

rows = wds.WebDataset("{name}/{glob}", shardshuffle=100).shuffle(1000).decode("pil")
```

`datasets` reads the folder with the right types: `load_dataset("{name}", "{config}")`.
"""


def write(job: Job) -> list[str]:
    """Write the shards; returns their names."""
    request = job.request
    shards = pack(request, every_unit(request), request.shard_bytes or SHARD_BYTES)
    job.each("shards", _write, shards, small=False)
    return [f"{shard.stem}.tar" for shard in shards]


def _write(part: Part, shard: Shard) -> None:
    with (
        store.writing(part.folder / f"{shard.stem}.tar") as path,
        tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for unit in shard.units:
            for row in part.rows(unit):
                if not row.item.id.isalnum():
                    dropped = Dropped("id_is_no_key", "letters and digits only")
                    part.drop(row.item.id, unit, dropped)
                    continue
                suffix = Path(row.picture_name).suffix
                record = {"config": unit.config, "split": unit.split, **row.columns}
                features = features_of(part.request.build, unit.config)
                others = [name for name in picture_columns(features) if name in record]
                for name in others:
                    data = record.pop(name)["bytes"]
                    _add(tar, f"{row.item.id}.{name}.png", data)
                if part.request.merge:
                    record = _flat(record)
                _add(tar, f"{row.item.id}{suffix}", row.picture)
                _add(tar, f"{row.item.id}.json", json.dumps(record).encode())
                part.counts[f"rows: {shard.stem}.tar"] += 1
                part.counts[f"pictures: {suffix.removeprefix('.')}"] += 1


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A row whose every value has one type in all tasks."""
    plain = {name: record[name] for name in ("config", "split", *PLAIN)}
    return {**plain, REST: json.dumps({k: v for k, v in record.items() if k not in plain})}


def _add(tar: tarfile.TarFile, name: str, data: bytes | memoryview) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def glob(names: list[str]) -> str:
    """Shell braces for the shards of the first kind: `state-train-{000000..000003}.tar`."""
    stem = names[0].rsplit("-", 1)[0]
    last = [name for name in names if name.rsplit("-", 1)[0] == stem][-1]
    return f"{stem}-{{000000..{last.rsplit('-', 1)[1][:6]}}}.tar"


def front_matter(job: Job, names: Sequence[str]) -> str:
    """YAML on top of README.md: which shards are of which task and split, and what types."""
    pictures = sorted(what.removeprefix("pictures: ") for what in job.counts
                      if what.startswith("pictures: "))  # fmt: skip
    features = {
        name: _features(job.request.build, name, pictures, job.request.configs)
        for name in config_names(job.request)
    }
    return yaml_of(job, names, features, ".tar")


def _features(build: Path, name: str, pictures: Sequence[str], configs: Sequence[str]) -> Features:
    text = Value("string")
    columns: dict[str, Any] = {"config": text, "split": text}
    own = configs if name == "default" else [name]
    others = {c: None for one in own for c in picture_columns(features_of(build, one))[1:]}
    if name == "default":
        columns |= {**{c: FEATURES["scene"][c] for c in PLAIN}, REST: text}
    else:
        left_out = ("image", "images", *others)
        columns |= {c: kind for c, kind in features_of(build, name).items() if c not in left_out}
    shown = {suffix: Image() for suffix in (*pictures, *(f"{other}.png" for other in others))}
    return Features({**shown, "json": columns, "__key__": text, "__url__": text})

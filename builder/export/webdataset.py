"""WebDataset: tar shards with a picture and a JSON of all other columns for every row (B13).

The key of a sample is the row's opaque id. Shards hold no times and no owners, so the same rows
give the same bytes.
"""

import io
import json
import tarfile
from pathlib import Path

from builder import folders
from builder.export.job import Dropped, Job, Part
from builder.export.shards import Shard, pack
from builder.export.units import every_unit

CONFIGS = ("scene", "object", "state")
EXAMPLES = ("none",)
SETTING = None
FRAME = "as the columns say: `box_px` pixels, `box_norm100` percent; x0, y0, x1, y1"
PICTURES = "the build's own bytes"
SHARD_BYTES = 256 * 2**20
README = """\
Each sample is `<id>.webp` (or `.png`) and `<id>.json`, which holds every other column of the row
with its own box frames (`box_px`, `box_norm100`).

```python
import webdataset as wds

rows = wds.WebDataset("{name}/{glob}", shardshuffle=100).shuffle(1000).decode("pil")
```
"""


def write(job: Job) -> list[str]:
    """Write the shards; returns their names."""
    request = job.request
    shards = pack(request, every_unit(request), request.shard_bytes or SHARD_BYTES)
    job.each("shards", _write, shards, small=False)
    return [f"{shard.stem}.tar" for shard in shards]


def _write(part: Part, shard: Shard) -> None:
    with (
        folders.writing(part.folder / f"{shard.stem}.tar") as path,
        tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for unit in shard.units:
            for row in part.rows(unit):
                if not row.item.id.isalnum():
                    dropped = Dropped("id_is_no_key", "letters and digits only")
                    part.drop(row.item.id, unit, dropped)
                    continue
                record = {"config": unit.config, "split": unit.split, **row.columns}
                _add(tar, row.item.id + Path(row.picture_name).suffix, row.picture)
                _add(tar, f"{row.item.id}.json", json.dumps(record).encode())
                part.counts[f"rows: {shard.stem}.tar"] += 1


def _add(tar: tarfile.TarFile, name: str, data: bytes | memoryview) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def glob(names: list[str]) -> str:
    """Shell braces for the shards of the first kind: `state-train-{000000..000003}.tar`."""
    stem = names[0].rsplit("-", 1)[0]
    last = [name for name in names if name.rsplit("-", 1)[0] == stem][-1]
    return f"{stem}-{{000000..{last.rsplit('-', 1)[1][:6]}}}.tar"

"""Rows of a build: everything but the pictures at once, a picture when it is asked for."""

import functools
import hashlib
import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from PIL import Image

from core.build import shards
from core.cli import no_build
from core.errors import UserError
from core.names import CONFIGS, SPLITS
from core.shards import missing_shards

MANIFEST, DATASET_NAME = "build.json", "lego-arta"
# Row groups kept in memory while pictures are read: one is at most about 32 MB.
ROW_GROUPS_KEPT = 4
WEBP_METHOD = 4


class Place(NamedTuple):
    """Where a row's picture is."""

    path: Path
    row_group: int
    row: int


class Entry(NamedTuple):
    """One row of a build without its picture."""

    config: str
    split: str
    row: dict[str, Any]
    place: Place

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row["id"]

    @property
    def group(self) -> str:
        """What the row shares its picture or its boxes with: a state group, or one object."""
        if self.config == "state":
            return self.row["group_id"]
        return f"{self.row['session_id']}\n{self.row['step_num']}\n{self.row['instruction']}"


def read_manifest(build: Path) -> dict[str, Any]:
    """`build.json` of a build with pictures; raises `UserError` for anything else."""
    try:
        manifest = json.loads((build / MANIFEST).read_bytes())
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("dataset") != DATASET_NAME:
        raise no_build(build)
    if manifest.get("kind") == "recipe":
        raise UserError(f"{build}: a recipe has no pictures; give the build it was made from")
    return manifest


def missing_rows(
    build: Path, manifest: dict[str, Any], configs: Collection[str] = CONFIGS
) -> list[str]:
    """What to tell about shards that are not there: a line a config and split."""
    found = missing_shards(build, manifest, lambda path: pq.read_metadata(path).num_rows)
    return [str(one) for one in found if one.config in configs]


def read_rows(build: Path, config: str) -> list[Entry]:
    """All rows of a config, train before test, in file order."""
    entries = []
    for split in SPLITS:
        for path in shards(build, config, split):
            try:
                with pq.ParquetFile(path) as file:
                    columns = [name for name in file.schema_arrow.names if name != "image"]
                    for group in range(file.num_row_groups):
                        rows = file.read_row_group(group, columns=columns).to_pylist()
                        entries += [
                            Entry(config, split, row, Place(path, group, index))
                            for index, row in enumerate(rows)
                        ]
            except (OSError, KeyError, ValueError) as error:
                raise UserError(f"{path}: not a shard of a build ({error}); make it anew") from None
    return entries


def rank(seed: object, name: str) -> str:
    """A hash to sort by: a random order that depends on nothing but seed and name."""
    return hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()


@functools.lru_cache(ROW_GROUPS_KEPT)
def _pictures(path: Path, row_group: int) -> list[bytes]:
    with pq.ParquetFile(path) as file:
        column = file.read_row_group(row_group, columns=["image"]).column("image")
        return [image["bytes"] for image in column.to_pylist()]


def picture_bytes(entry: Entry) -> bytes:
    """The picture's file bytes as they are in the build."""
    return _pictures(entry.place.path, entry.place.row_group)[entry.place.row]


def picture(entry: Entry) -> Image.Image:
    """The picture, RGB."""
    with Image.open(io.BytesIO(picture_bytes(entry))) as image:
        return image.convert("RGB")


def as_webp(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """Lossless WebP of a picture file, and its (width, height); what is WebP stays as it is."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "WEBP":
            return data, image.size
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", lossless=True, method=WEBP_METHOD)
        return buffer.getvalue(), image.size

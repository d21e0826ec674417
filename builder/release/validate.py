"""Every invariant of a build, checked on the files themselves (`lego-arta validate`)."""

import collections
import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from PIL import Image

from builder.release.formats import columns_of
from builder.release.formats import violations as format_violations
from builder.release.recipe import KIND, recipe_violations
from builder.release.validate_metadata import metadata_violations
from builder.sources.known import source_of
from core.build import MANIFEST, Manifest, Row, file_sha256, manifest_of, read_rows
from core.errors import UserError
from core.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS, SHARD_BYTES, item_of
from core.pictures.containers import ImageError
from core.pictures.media import check_shape
from core.records import split_slug
from lego_arta import FEATURES, SPLITS
from tasks import TASKS
from tasks.queries import take_apart

# What files say beside pixels: when, where and with what a picture was taken.
METADATA = {"exif", "icc_profile", "xmp"}
# As much as glibc can be brought to keep: its DEFAULT_MMAP_THRESHOLD_MAX is 32 MiB.
KEPT_BYTES = 31 * 2**20


def violations(out: Path) -> Iterator[str]:
    """Yield "where: rule, value found" for everything that is wrong; raises `UserError`
    when the folder is no build at all."""
    manifest = manifest_of(out)
    if manifest is None:
        raise UserError(f"{out}: no {MANIFEST} of lego-arta in it; give a build folder")
    if not {"terms", "split_exceptions"} <= manifest.keys():
        raise UserError(f"{out}: made by an earlier version of lego-arta; build it anew")
    _keep_freed_memory()
    yield from _files(out, manifest)
    if manifest.get("kind") == KIND:
        yield from recipe_violations(out, manifest)
        return
    yield from metadata_violations(out, manifest)
    yield from format_violations(out, manifest)
    words = manifest["options"].get("templates", "paper")
    imported = manifest.get("ready_made")
    if imported is None:
        imported = source_of(manifest["options"]["source"]).ready_made is not None
    pictures: dict[bytes, Picture] = {}
    ids: collections.Counter[Any] = collections.Counter()
    sets: dict[str, set[str]] = {split: set() for split in SPLITS}
    for config in TASKS:
        groups: dict[str, list[int]] = collections.defaultdict(list)
        group_splits: dict[str, set[str]] = collections.defaultdict(set)
        items: dict[str, set[str]] = {split: set() for split in SPLITS}
        for split in SPLITS:
            number = 0
            for each in read_rows(out, config, split, list(FEATURES[config])):
                row = each.columns
                number += 1
                ids[row["id"]] += 1
                sets[split].add(split_slug(row["manual_id"])[0])
                with contextlib.suppress(IndexError, TypeError):  # told as a fault of the row
                    items[split].add(item_of(row))
                if "group_id" in row:
                    groups[row["group_id"]].append(row["label"])
                    group_splits[row["group_id"]].add(split)
                yield from _row(config, row, imported, pictures)
                if not imported and take_apart(row["query"], config).template != words:
                    yield f"{row['id']}: a query in {words} words, found {row['query']!r}"
            if number != manifest["rows"][config][split]:
                yield f"{config}/{split}: {manifest['rows'][config][split]} rows, found {number}"
        yield from _both_splits(config, items)
        for group, labels in groups.items():
            if wrong := TASKS[config].check.group(labels):
                yield f"group {group}: {wrong}"
            if len(group_splits[group]) != 1:
                yield f"group {group}: all rows in one split, found it in both"
    for row_id, number in ids.items():
        if number > 1:
            yield f"{row_id}: ids are unique, found {number} of it"
    divided = {name for own in manifest["split_exceptions"]["divided"].values() for name in own}
    shared = (sets["train"] & sets["test"]) - divided
    if manifest["options"]["split"] == "manual" and shared:
        yield f"split: no set in both train and test, found {sorted(shared)[:3]}"


def _both_splits(config: str, items: dict[str, set[str]]) -> Iterator[str]:
    """A config with rows has train; one with two items or more has test as well."""
    number = len(set().union(*items.values()))
    lacking = [split for split in SPLITS[:number] if not items[split]]
    if lacking:
        yield f"{config}: {number} items give rows of {SPLITS[:number]}, found no {lacking[0]}"


def _keep_freed_memory() -> None:
    """Let malloc use the memory of one picture for the next.

    glibc gives large blocks back to the system until one of their size has been freed; the page
    faults of getting them anew took longer than decoding. Elsewhere this does nothing.
    """
    bytearray(KEPT_BYTES)


def _files(out: Path, manifest: Manifest) -> Iterator[str]:
    """Hashes, shard sizes, row groups and features of the files."""
    for name, entry in manifest["files"].items():
        path = out / name
        if not path.is_file():
            yield f"{name}: listed in {MANIFEST}, missing"
            continue
        if file_sha256(path) != entry["sha256"]:
            yield f"{name}: its sha256 is not the one in {MANIFEST}"
        if path.suffix == ".parquet" and manifest.get("kind") != KIND:
            yield from _parquet_file(path, name)
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {MANIFEST}
    for name in sorted(present - set(manifest["files"])):
        yield f"{name}: not part of the build"


def _parquet_file(path: Path, name: str) -> Iterator[str]:
    if path.stat().st_size > SHARD_BYTES:
        yield f"{name}: shards of at most {SHARD_BYTES} bytes, found {path.stat().st_size}"
    with pq.ParquetFile(path) as file:
        columns = columns_of(Path(name).parent.name)
        if columns is None or file.schema_arrow != columns.arrow_schema:
            yield f"{name}: its columns are not those of lego_arta.FEATURES"
        for index in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(index)
            too_large = group.num_rows > 1 and group.total_byte_size > 1.25 * ROW_GROUP_BYTES
            if group.num_rows > ROW_GROUP_ROWS or too_large:
                yield f"{name}: row group {index} has {group.num_rows} rows"


class Picture(NamedTuple):
    """What decoding a file tells: its size, the metadata in it, or why it can't be decoded."""

    size_wh: tuple[int, int] | None
    metadata: tuple[str, ...]
    error: str = ""


def _decoded(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            return Picture(picture.size, tuple(sorted(METADATA & set(picture.info))))
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        return Picture(None, (), " ".join(str(error).split()) or type(error).__name__)


def _row(config: str, row: Row, imported: bool, pictures: dict[bytes, Picture]) -> Iterator[str]:
    """Everything that must hold for one row by itself. Of imported ones less is known.

    `pictures` has those that were decoded, by the hash of their bytes: rows share some.
    """
    row_id, image = row["id"], row["image"] or {}
    data = image.get("bytes") or b""
    digest = hashlib.sha256(data)
    if Path(image.get("path") or "").stem != digest.hexdigest()[:32]:
        yield f"{row_id}: the image's name is the hash of its bytes, found {image.get('path')}"
    picture = pictures.get(digest.digest())
    if picture is None:
        picture = pictures[digest.digest()] = _decoded(data)
    if picture.metadata:
        yield f"{row_id}: images carry no metadata, found {list(picture.metadata)}"
    if picture.size_wh is None:
        yield f"{row_id}: the image can be decoded, found {picture.error}"
        return
    size_wh = picture.size_wh
    try:
        check_shape(size_wh)
    except ImageError as error:
        yield f"{row_id}: the image has a shape that models take, found {error.detail}"
    for name in ("query", "answer", "instruction", "manual_id", "session_id"):
        if not row[name]:
            yield f"{row_id}: {name} is not empty, found {row[name]!r}"
    if not 0 <= row["confidence"] <= 1:
        yield f"{row_id}: confidence is in [0, 1], found {row['confidence']}"
    yield from TASKS[config].check.row(row, size_wh, imported)

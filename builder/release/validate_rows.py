"""What must hold for the rows of one shard, and what all shards together need to know of it."""

import contextlib
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.build import Row, shard_rows, shards
from core.parquet import item_of
from core.pictures.containers import ImageError
from core.pictures.media import check_shape
from core.records import split_slug
from core.storage import column_names
from lego_arta import FEATURES
from tasks import EVERY_TASK
from tasks.queries import take_apart

# What files say beside pixels: when, where and with what a picture was taken.
METADATA = {"exif", "icc_profile", "xmp"}
# As much as glibc can be brought to keep: its DEFAULT_MMAP_THRESHOLD_MAX is 32 MiB.
KEPT_BYTES = 31 * 2**20


class Report(NamedTuple):
    """A shard that was checked: what is wrong, and of its rows what others may share.

    Of ids and of groups that are whole here only hashes leave the shard, 8 bytes each; `items` are
    two at most. `open_groups` have their labels: those at the ends, and those that are wrong alone.
    """

    found: list[str]
    rows: int
    sets: set[str]
    items: set[str]
    ids: np.ndarray
    groups: np.ndarray
    open_groups: dict[str, list[int]]


def check_shard(path: Path, config: str, words: str | None, decode: bool) -> Report:
    """Check the rows of a shard. `words` are those of the queries, None where rows were imported;
    without `decode` only the headers of pictures are read."""
    _keep_freed_memory()
    found: list[str] = []
    sets: set[str] = set()
    items: set[str] = set()
    ids: list[str] = []
    groups: dict[str, list[int]] = defaultdict(list)
    pictures: dict[bytes, Picture] = {}
    there = column_names(path)  # a set made from a build has more columns, or others
    columns = dict.fromkeys([*FEATURES.get(config, ()), *there])
    for each in shard_rows(path, config, list(columns)):
        row = each.columns
        ids.append(row["id"])
        sets.add(split_slug(row["manual_id"])[0])
        with contextlib.suppress(IndexError, TypeError):  # told as a fault of the row
            if len(items) < 2:
                items.add(item_of(row))
        if "group_id" in row:
            groups[row["group_id"]].append(row["label"])
        found += _row(config, row, words is None, pictures, decode)
        if words is not None and take_apart(row["query"], config).template != words:
            found.append(f"{row['id']}: a query in {words} words, found {row['query']!r}")
    ends = list(groups)[:1] + list(groups)[-1:]
    open_groups = {
        group: labels
        for group, labels in groups.items()
        if group in ends or EVERY_TASK[config].check.group(labels)
    }
    whole = hashes([group for group in groups if group not in open_groups])
    return Report(found, len(ids), sets, items, hashes(ids), whole, open_groups)


def hashes(names: Collection[str]) -> np.ndarray:
    """(n,) 64-bit hashes."""
    data = b"".join(hashlib.blake2b(str(n).encode(), digest_size=8).digest() for n in names)
    return np.frombuffer(data, np.uint64)


def repeated(
    out: Path, configs: Sequence[str], column: str, seen: Sequence[np.ndarray]
) -> dict[str, int]:
    """Names that more than one row, or of groups more than one shard, has, with their numbers.

    `seen` are hashes. Only where some are alike, which is where something is wrong, the names
    themselves are read.
    """
    every = np.sort(np.concatenate([np.empty(0, np.uint64), *seen]))
    twice = every[1:][every[1:] == every[:-1]]
    if not len(twice):
        return {}
    counts: Counter[str] = Counter()
    for config in configs:
        for path in shards(out, config):
            names = [row.columns[column] for row in shard_rows(path, config, [column])]
            alike = np.isin(hashes(names), twice)
            counts.update(n for n, is_alike in zip(names, alike, strict=True) if is_alike)
    return {name: number for name, number in counts.items() if number > 1}


def _keep_freed_memory() -> None:
    """Let malloc use the memory of one picture for the next.

    glibc gives large blocks back to the system until one of their size has been freed; the page
    faults of getting them anew took longer than decoding. Elsewhere this does nothing.
    """
    bytearray(KEPT_BYTES)


class Picture(NamedTuple):
    """What decoding a file tells: its size, the metadata in it, or why it can't be decoded."""

    size_wh: tuple[int, int] | None
    metadata: tuple[str, ...]
    error: str = ""


def _looked_at(data: bytes, decode: bool) -> Picture:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if decode:
                picture.load()
            return Picture(picture.size, tuple(sorted(METADATA & set(picture.info))))
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        return Picture(None, (), " ".join(str(error).split()) or type(error).__name__)


def _picture(
    row_id: str, image: Row, pictures: dict[bytes, Picture], decode: bool
) -> tuple[tuple[int, int] | None, list[str]]:
    """The size of a picture, None where it can't be decoded, and what is wrong with it."""
    data = image.get("bytes") or b""
    digest, found = hashlib.sha256(data), list[str]()
    if Path(image.get("path") or "").stem != digest.hexdigest()[:32]:
        found.append(
            f"{row_id}: the image's name is the hash of its bytes, found {image.get('path')}"
        )
    picture = pictures.get(digest.digest())
    if picture is None:
        picture = pictures[digest.digest()] = _looked_at(data, decode)
    if picture.metadata:
        found.append(f"{row_id}: images carry no metadata, found {list(picture.metadata)}")
    if picture.size_wh is None:
        return None, [*found, f"{row_id}: the image can be decoded, found {picture.error}"]
    try:
        check_shape(picture.size_wh)
    except ImageError as error:
        found.append(f"{row_id}: the image has a shape that models take, found {error.detail}")
    return picture.size_wh, found


def _row(
    config: str, row: Row, imported: bool, pictures: dict[bytes, Picture], decode: bool
) -> Iterator[str]:
    """Everything that must hold for one row by itself. Of imported ones less is known.

    `pictures` has those that were looked at, by the hash of their bytes: rows share some.
    """
    row_id = row["id"]
    for image in row.get("images") or ():  # a set made from a build may show several
        yield from _picture(row_id, image or {}, pictures, decode)[1]
    size_wh, found = _picture(row_id, row["image"] or {}, pictures, decode)
    yield from found
    if size_wh is None:
        return
    if "source_ids" in row and not row["source_ids"]:
        yield f"{row_id}: source_ids name what it was made from, found none"
    for name in ("query", "answer", "instruction", "manual_id", "session_id"):
        if not row[name]:
            yield f"{row_id}: {name} is not empty, found {row[name]!r}"
    if not 0 <= row["confidence"] <= 1:
        yield f"{row_id}: confidence is in [0, 1], found {row['confidence']}"
    yield from EVERY_TASK[config].check.row(row, size_wh, imported)

"""A build on disk: its manifest, and the one reader of its shards, rows and pictures.

Every command imports this, so what is heavy (Parquet) is imported where it is used.
`Path.glob` takes only what it is given for a pattern, never the folder it starts in; `datasets`
takes whole paths for patterns, so paths given to it go through `as_patterns`.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from core.cli import no_build
from core.errors import UserError
from core.names import SPLITS, Row
from core.storage import files_below, is_shared, parquet, sizes_below, told

MANIFEST = "build.json"
DATASET_NAME = "lego-arta"
RECIPE = "recipe"  # the `kind` of a build without pictures
DERIVED = "derived"  # the `kind` of a test set that was made from a build (`lego-arta derive`)
PICTURES = ("image", "images")  # columns that are left unread where no picture is asked for
RECORDS = "records"  # the folder of tables beside the rows: what was left out, what it is made of
# Row groups kept in memory while pictures are read one by one: one is at most about 32 MB.
ROW_GROUPS_KEPT = 4
ROWS_READ, ROWS_READ_BARE = 8, 1000  # at a time, with pictures and without
_SHARD = re.compile(r"data/(\w+)/(\w+)-[^/]*\.parquet")


class File(TypedDict):
    """A file of a build."""

    bytes: int
    sha256: str


class Manifest(TypedDict, total=False):
    """build.json. Optional are `kind`, `release` (of a recipe), `derived` (of a set made from a
    build: its kind, options, and the fingerprint of that build) and `formats` (of hosted ones).

    `relation_counts` are numbers of spatial rows by relation, source of truth and conversation,
    `mask_counts` of mask rows by what each is counted by: origin, source, level, area.
    `rows` are numbers by config and split, `files` by path in the build, `records` the lengths of
    its tables, counts by stage or kind and reason. `options` and `terms` are those of the command
    line. Older builds have `drops`, `disagreements` and `inputs` here instead of tables.
    """

    dataset: str
    version: str
    kind: str
    fingerprint: str
    code_sha256: str
    libraries: dict[str, str]
    options: dict[str, Any]
    terms: dict[str, Any]
    annotators: list[str]
    ready_made: bool  # rows that came with the manuals; older builds don't say
    statistics: dict[str, float]
    relation_counts: dict[str, dict[str, dict[str, int]]]
    mask_counts: dict[str, dict[str, int]]
    rows: dict[str, dict[str, int]]
    formats: dict[str, dict[str, Any]]
    derived: dict[str, Any]
    split_exceptions: dict[str, Any]
    drop_counts: dict[str, dict[str, int]]
    screened_counts: dict[str, int]
    review_counts: dict[str, int]
    rewritten: dict[str, Any]  # who put answers into other words, lines kept and refused
    probes: list[dict[str, Any]]
    records: dict[str, int]
    drops: list[dict[str, str]]
    disagreements: list[dict[str, Any]]
    inputs: dict[str, dict[str, Any]]
    files: dict[str, File]
    release: dict[str, Any]


def manifest_of(build: Path) -> Manifest | None:
    """The manifest of a build folder, None when it is not one."""
    try:
        manifest = json.loads((build / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        if is_shared(build) and not isinstance(error, FileNotFoundError | ValueError):
            with told(build):  # not allowed, or nobody answers
                raise
        return None
    named = isinstance(manifest, dict) and manifest.get("dataset") == DATASET_NAME
    return cast(Manifest, manifest) if named else None


def read_manifest(build: Path) -> Manifest:
    """The manifest of a build with pictures; raises `UserError` for anything else."""
    manifest = manifest_of(build)
    if manifest is None:
        raise no_build(build)
    if manifest.get("kind") == RECIPE:
        raise UserError(f"{build}: a recipe has no pictures; give the build it was made from")
    return manifest


def formatted(config: str, name: str) -> str:
    """What the rows of a config are called in a trainer's format: `state_messages`."""
    return f"{config}_{name}"


def rows_of(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Rows by config and split, those in formats among them."""
    told = manifest.get("formats", {}).values()
    return {**manifest["rows"], **{c: n for each in told for c, n in each["rows"].items()}}


def records(build: Path, manifest: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """What a build tells beside its rows, few in memory at a time: `drops`, `disagreements`, and by
    manual `inputs`, with the sha256 of `images` by address, and `manuals`, what each says of
    itself: title, introduction."""
    if name in manifest:  # of an older build
        told = manifest[name]
        named = isinstance(told, Mapping)  # inputs, by manual
        yield from [{"manual_id": m, **own} for m, own in told.items()] if named else told
        return
    path = build / records_file(name)
    with _named(path), parquet(path) as file:
        for batch in file.iter_batches(ROWS_READ_BARE):
            for one in batch.to_pylist():
                yield {**one, "images": dict(one["images"])} if "images" in one else one


def records_file(name: str) -> str:
    """Where a table of records lies in a build."""
    return f"{RECORDS}/{name}.parquet"


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


# Shards ------------------------------------------------------------------------------------------


def shards(build: Path, config: str, split: str | None = None) -> list[Path]:
    """The Parquet files of a config by name: of one split, or of both (test before train)."""
    if is_shared(build):
        begin = f"{split}-" if split else ""
        return [path for path in every_shard(build, config) if path.name.startswith(begin)]
    pattern = f"{split}-*.parquet" if split else "*.parquet"
    return sorted((build / "data" / config).glob(pattern))


def configs_of(build: Path) -> tuple[str, ...]:
    """The configs that a build has shards of, by name."""
    return tuple(sorted({path.parent.name for path in every_shard(build)}))


def every_shard(build: Path, config: str = "") -> list[Path]:
    """The Parquet files of all configs, or of one, by path."""
    if is_shared(build):
        top = build / "data" / config if config else build / "data"
        return [path for path in files_below(top) if path.suffix == ".parquet"]
    if config:
        return shards(build, config)
    return sorted(build.glob("data/*/*.parquet"))


def as_patterns(paths: Iterable[Path]) -> list[str]:
    """Paths as `datasets` wants them in `data_files`: patterns that match nothing else."""
    return [glob.escape(str(path)) for path in paths]


def loading_call(build: Path, config: str) -> str:
    """Python that loads a config of a build, from whatever folder it is run in.

    With the whole path `datasets` never looks for a repository of that name, nor in its cache.
    """
    path = str(build.resolve())
    named = json.dumps(path, ensure_ascii=False)
    if is_shared(build):
        files = [
            f'"{split}": "{path}/data/{config}/{split}-*.parquet"'
            for split in SPLITS
            if shards(build, config, split)
        ]
        return f'load_dataset("parquet", data_files={{{", ".join(files)}}})'
    if glob.has_magic(path) or "::" in path or os.path.expandvars(path) != path:
        # load_dataset would take the path for a pattern.
        return f'LegoArta(config_name="{config}", data_dir={named}).as_streaming_dataset()'
    return f'load_dataset({named}, "{config}")'


class Missing(NamedTuple):
    """Shards of a split that are not there, and how many of its rows they hold."""

    config: str
    split: str
    files: tuple[str, ...]
    rows: int
    of: int

    def __str__(self) -> str:
        some = ", ".join(self.files[:3])
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return (
            f"{self.config} {self.split}: {self.rows:,} of {self.of:,} rows are missing, "
            f"for {'these files are' if len(self.files) > 1 else 'this file is'} not there: "
            f"{some}{more}"
        )


def missing_shards(
    build: Path,
    manifest: Mapping[str, Any],
    configs: Collection[str] | None = None,
    splits: Collection[str] = SPLITS,
) -> list[Missing]:
    """Shards that the manifest names and the folder lacks: of some configs (all), some splits."""
    missing: dict[tuple[str, str], list[str]] = {}
    there = sizes_below(build)
    for name in sorted(manifest.get("files", {})):
        match = _SHARD.fullmatch(name)
        if match and name not in there:
            missing.setdefault((match[1], match[2]), []).append(name)
    found = []
    for (config, split), names in missing.items():
        if (configs is None or config in configs) and split in splits:
            of = manifest["rows"][config][split]
            here = sum(_length(path) for path in shards(build, config, split))
            found.append(Missing(config, split, tuple(names), of - here, of))
    return found


def _length(path: Path) -> int:
    with parquet(path) as file:
        rows: int = file.metadata.num_rows
    return rows


# Rows --------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a row lies."""

    path: Path
    row_group: int
    row: int


class BuildRow(NamedTuple):
    """A row of a build and where it lies; the picture is among the columns only if asked for."""

    config: str
    split: str
    columns: Row
    place: Place

    @property
    def id(self) -> str:
        """The row's id."""
        return str(self.columns["id"])


def read_rows(
    build: Path, config: str, split: str | None = None, columns: Sequence[str] | None = None
) -> Iterator[BuildRow]:
    """The rows of a config in file order, train before test, few in memory at a time.

    `columns` are those to read, all but the pictures if not given. Raises `UserError` for a file
    that is no shard of a build.
    """
    for name in SPLITS if split is None else (split,):
        for path in shards(build, config, name):
            yield from shard_rows(path, config, columns)


def shard_rows(path: Path, config: str, columns: Sequence[str] | None = None) -> Iterator[BuildRow]:
    """The rows of one shard, as `read_rows` gives them."""
    split = path.name.split("-")[0]
    with _named(path), parquet(path) as file:
        names = columns or [name for name in file.schema_arrow.names if name not in PICTURES]
        size = ROWS_READ if "image" in names else ROWS_READ_BARE
        for group in range(file.num_row_groups):
            start = 0
            for batch in file.iter_batches(size, row_groups=[group], columns=list(names)):
                for index, row in enumerate(batch.to_pylist(), start):
                    yield BuildRow(config, split, row, Place(path, group, index))
                start += batch.num_rows


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of reading say what was read; what storage refuses is no fault of the shard."""
    try:
        with told(path) if is_shared(path) else contextlib.nullcontext():
            yield
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: not a shard of a build ({error}); build it anew") from error


def picture_bytes(place: Place) -> bytes:
    """The encoded picture of a row, as it is in the build."""
    with _named(place.path):
        shard = version_of(place.path)
    return _pictures(shard, place.row_group)[place.row]


class Version(NamedTuple):
    """A file as it is now, for what is kept of it: a relative path may mean another build later,
    and a build may be made anew in its place."""

    path: Path
    changed_ns: int


def version_of(path: Path) -> Version:
    """The file that a path means now. Raises `OSError`."""
    whole = path.resolve()
    at = whole.stat()
    return Version(whole, int(at.st_mtime * 10**9) if is_shared(path) else at.st_mtime_ns)


@functools.lru_cache(ROW_GROUPS_KEPT)
def _pictures(shard: Version, row_group: int) -> list[bytes]:
    with _named(shard.path), parquet(shard.path) as file:
        column = file.read_row_group(row_group, columns=["image"]).column("image")
        return [image["bytes"] for image in column.to_pylist()]


def several_bytes(place: Place) -> list[bytes]:
    """The encoded pictures of a row that has several, in its order."""
    with _named(place.path), parquet(place.path) as file:
        column = file.read_row_group(place.row_group, columns=["images"]).column("images")
        return [image["bytes"] for image in column[place.row].as_py()]

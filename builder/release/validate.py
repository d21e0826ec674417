"""Every invariant of a build, checked on the files themselves (`lego-arta validate`)."""

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.engine import Engine
from builder.engine.local import workers_for
from builder.release.formats import columns_of
from builder.release.formats import violations as format_violations
from builder.release.recipe import KIND, recipe_violations
from builder.release.validate_metadata import metadata_violations
from builder.release.validate_rows import Report, check_shard, repeated
from builder.sources.known import source_of
from core.build import (
    DERIVED,
    MANIFEST,
    File,
    Manifest,
    file_sha256,
    manifest_of,
    shards,
)
from core.errors import UserError
from core.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS
from core.shards import FILES_A_FOLDER, SHARD_BYTES
from core.storage import column_names, files_below, parquet
from core.store import sha256
from lego_arta import SPLITS
from tasks import TASKS

# Of large builds the pictures of so many shards are decoded, of the others the headers are read.
SHARDS_DECODED = 64


def violations(out: Path, engine: Engine | None = None) -> Iterator[str]:
    """Yield "where: rule, value found" for everything that is wrong; raises `UserError`
    when the folder is no build at all."""
    manifest = manifest_of(out)
    if manifest is None:
        raise UserError(f"{out}: no {MANIFEST} of lego-arta in it; give a build folder")
    if not {"terms", "split_exceptions"} <= manifest.keys():
        raise UserError(f"{out}: made by an earlier version of lego-arta; build it anew")
    if engine is None:
        engine = workers_for(sum(entry.get("bytes", 0) for entry in manifest["files"].values()))
    yield from _files(out, manifest, engine)
    if manifest.get("kind") == KIND:
        yield from recipe_violations(out, manifest)
        return
    if manifest.get("kind") == DERIVED:
        yield from _derived(out, manifest, engine)
        return
    yield from metadata_violations(out, manifest)
    yield from format_violations(out, manifest)
    yield from _rows(out, manifest, engine)


def _rows(out: Path, manifest: Manifest, engine: Engine) -> Iterator[str]:
    """All that must hold for rows, shard by shard, and then for all of them together."""
    imported = manifest.get("ready_made")
    if imported is None:
        imported = source_of(manifest["options"]["source"]).ready_made is not None
    words = None if imported else manifest["options"].get("templates", "paper")
    paths = [(c, s, path) for c in TASKS for s in SPLITS for path in shards(out, c, s)]
    order = sorted((path for _, _, path in paths), key=lambda path: sha256(str(path).encode()))
    decoded = set(order[:SHARDS_DECODED])
    calls = [(path, config, words, path in decoded) for config, _, path in paths]
    reports = engine.map("checking rows", check_shard, calls)
    sets: dict[str, set[str]] = {split: set() for split in SPLITS}
    for config in TASKS:
        own = [(s, r) for (c, s, _), r in zip(paths, reports, strict=True) if c == config]
        for split in SPLITS:
            here = [report for side, report in own if side == split]
            yield from (line for report in here for line in report.found)
            sets[split].update(*(report.sets for report in here))
            number = sum(report.rows for report in here)
            if number != manifest["rows"][config][split]:
                yield f"{config}/{split}: {manifest['rows'][config][split]} rows, found {number}"
        items = {s: set().union(*(r.items for side, r in own if side == s)) for s in SPLITS}
        yield from _both_splits(config, items)
        yield from _groups(out, config, own)
    ids = [report.ids for report in reports]
    for row_id, number in repeated(out, tuple(TASKS), "id", ids).items():
        yield f"{row_id}: ids are unique, found {number} of it"
    divided = {name for own in manifest["split_exceptions"]["divided"].values() for name in own}
    shared = (sets["train"] & sets["test"]) - divided
    if manifest["options"]["split"] == "manual" and shared:
        yield f"split: no set in both train and test, found {sorted(shared)[:3]}"


def _derived(out: Path, manifest: Manifest, engine: Engine) -> Iterator[str]:
    """What must hold for rows that were made from those of a build: each by itself, numbers, ids,
    and that they say what they were made from. Their groups and queries are of their own kinds."""
    paths = [
        (config, split, path)
        for config in manifest["rows"]
        for split in SPLITS
        for path in shards(out, config, split)
    ]
    calls = [(path, config, None, True) for config, _, path in paths]
    reports = engine.map("checking rows", check_shard, calls)
    for (config, split, _), report in zip(paths, reports, strict=True):
        yield from report.found
        if report.rows != manifest["rows"][config][split]:
            yield f"{config}/{split}: {manifest['rows'][config][split]} rows, found {report.rows}"
    ids = [report.ids for report in reports]
    for row_id, number in repeated(out, tuple(manifest["rows"]), "id", ids).items():
        yield f"{row_id}: ids are unique, found {number} of it"
    for _, _, path in paths:
        if "source_ids" not in column_names(path):
            yield f"{path}: a column source_ids, which names what rows were made from, found none"


def _groups(out: Path, config: str, reports: Sequence[tuple[str, Report]]) -> Iterator[str]:
    """Groups that lie in several shards, or were wrong in theirs; and in both splits."""
    labels: dict[str, list[int]] = collections.defaultdict(list)
    sides: dict[str, set[str]] = collections.defaultdict(set)
    for split, report in reports:
        for group, own in report.open_groups.items():
            labels[group] += own
            sides[group].add(split)
    for group, own in labels.items():
        if wrong := TASKS[config].check.group(own):
            yield f"group {group}: {wrong}"
        if len(sides[group]) != 1:
            yield f"group {group}: all rows in one split, found it in both"
    again = repeated(out, (config,), "group_id", [report.groups for _, report in reports])
    for group in again.keys() - labels.keys():
        yield f"group {group}: all its rows together, found it in two places"


def _both_splits(config: str, items: dict[str, set[str]]) -> Iterator[str]:
    """A config with rows has train; one with two items or more has test as well."""
    number = len(set().union(*items.values()))
    lacking = [split for split in SPLITS[:number] if not items[split]]
    if lacking:
        yield f"{config}: {number} items give rows of {SPLITS[:number]}, found no {lacking[0]}"


def _files(out: Path, manifest: Manifest, engine: Engine) -> Iterator[str]:
    """Hashes, shard sizes, row groups and features of the files."""
    most = manifest["options"].get("shard_bytes", SHARD_BYTES)
    is_recipe, derived = (manifest.get("kind") == kind for kind in (KIND, DERIVED))
    calls = [
        (out, name, entry, most if name.startswith("data/") and not is_recipe else None, derived)
        for name, entry in manifest["files"].items()
    ]
    for found in engine.map("checking files", check_file, calls):
        yield from found
    present = {path.relative_to(out).as_posix() for path in files_below(out)} - {MANIFEST}
    for name in sorted(present - set(manifest["files"])):
        yield f"{name}: not part of the build"


def check_file(
    out: Path, name: str, entry: File, shard_bytes: int | None, derived: bool = False
) -> list[str]:
    """What is wrong with a file; it is a shard if `shard_bytes` are given, which is its limit.
    Those of `derived` sets have columns of their own, and one shard a split, whatever its size."""
    path = out / name
    if not path.is_file():
        return [f"{name}: listed in {MANIFEST}, missing"]
    found = []
    if file_sha256(path) != entry["sha256"]:
        found.append(f"{name}: its sha256 is not the one in {MANIFEST}")
    if shard_bytes is not None:
        found += _parquet_file(path, name, shard_bytes, derived)
    return found


def _parquet_file(path: Path, name: str, most: int, derived: bool) -> Iterator[str]:
    with parquet(path) as file:
        if (
            not derived
            and path.stat().st_size > most
            and file.metadata.num_rows > 1
            and not _is_full(path.parent)
        ):
            yield f"{name}: shards of at most {most} bytes, found {path.stat().st_size}"
        columns = columns_of(Path(name).parent.name)
        if not derived and (columns is None or file.schema_arrow != columns.arrow_schema):
            yield f"{name}: its columns are not those of lego_arta.FEATURES"
        for index in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(index)
            too_large = group.num_rows > 1 and group.total_byte_size > 1.25 * ROW_GROUP_BYTES
            if group.num_rows > ROW_GROUP_ROWS or too_large:
                yield f"{name}: row group {index} has {group.num_rows} rows"


def _is_full(folder: Path) -> bool:
    """Whether a folder holds so many files that its shards had to be larger than asked for."""
    return sum(1 for _ in folder.iterdir()) > FILES_A_FOLDER / 2

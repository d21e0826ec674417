"""Parquet files of rows with their pictures, for trainers that read tables."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from datasets import DatasetInfo, Features
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from builder.export.job import Job, Part
from builder.export.shards import Shard, pack
from builder.export.units import Request, Unit, every_unit
from core import store
from core.features import add_to_card
from core.parquet import close_writer, is_raw, open_writer
from core.shards import SHARD_IMAGE_BYTES

Records = Callable[[Part, Unit], Iterator[Mapping[str, Any]]]


def write_tables(job: Job, schema: pa.Schema, records: Records, folder: str = "") -> list[str]:
    """Write what `records`, a function of a module, makes of every unit, a row group a unit.

    Returns the names of the files, `state-train-000000.parquet`, in the order of the build; with
    `folder` "{split}/" they lie in one by split.
    """
    request = job.request
    shards = pack(request, every_unit(request), request.shard_bytes or SHARD_IMAGE_BYTES)
    job.each("shards", functools.partial(_write, schema, records, folder), shards, small=False)
    names = [_name(shard, folder) for shard in shards]
    return [name for name in names if job.counts[f"rows: {name}"]]


def _name(shard: Shard, folder: str) -> str:
    return f"{folder.format(split=shard.split)}{shard.stem}.parquet"


def _write(schema: pa.Schema, records: Records, folder: str, part: Part, shard: Shard) -> None:
    """A file of one shard; none when no row of it could be expressed."""
    number, name = 0, _name(shard, folder)
    (part.folder / name).parent.mkdir(exist_ok=True)
    with store.writing(part.folder / name) as path:
        writer, raw = None, False
        for unit in shard.units:
            rows = list(records(part, unit))
            if rows and writer is None:
                raw = _has_raw_pictures(rows[0])
                writer = open_writer(path, schema, raw)
            if rows and writer:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            number += len(rows)
        close_writer(writer or open_writer(path, schema), raw)
    if not number:
        (part.folder / name).unlink()
    part.counts[f"rows: {name}"] += number


def _has_raw_pictures(record: Mapping[str, Any]) -> bool:
    shown = record.get("images") or [record.get("image")]
    return is_raw((shown[0] or {}).get("bytes"))


def front_matter(
    job: Job, names: Sequence[str], features: Mapping[str, Features], suffix: str
) -> str:
    """YAML on top of README.md for `load_dataset`: files and columns by config and split.

    `features` are by config, that of a merged export is `default`. `datasets` keeps what it read by
    this YAML alone: without the fingerprint, it would take another export of this name for it.
    """
    request, data, infos, files = job.request, DatasetCardData(), {}, {}
    for config, columns in features.items():
        prefix = "" if request.merge else f"{config}-"
        splits = [s for s in request.splits if any(n.startswith(f"{prefix}{s}-") for n in names)]
        if splits:
            infos[config] = DatasetInfo(features=columns)
            paths = [{"split": split, "path": f"{prefix}{split}-*{suffix}"} for split in splits]
            files[config] = {"data_files": paths, "description": f"export {job.fingerprint}"}
    add_to_card(infos, data)
    MetadataConfigs(files).to_dataset_card_data(data)
    return f"---\n{str(data.to_yaml()).strip()}\n---\n\n"


def config_names(request: Request) -> list[str]:
    """What `load_dataset` calls the tasks of an export."""
    return ["default"] if request.merge else list(request.configs)

"""The shards of a build: cut by sizes, each a call of the engine, with what the card adds up."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from datasets import DatasetInfo, SplitDict, SplitInfo

from builder.engine import Engine
from builder.release import rewritten
from builder.release.split import Rule
from builder.release.survey import Manuals, Survey
from builder.release.tally import Tally, tally
from builder.release.weighing import Weighing, set_by_hand, working_out
from builder.sources.terms import Terms
from core.build import DATASET_NAME
from core.mirror import Mirror, small
from core.names import SPLITS
from core.shards import (
    FILES_A_FOLDER,
    IMAGE_SHARE,
    Piece,
    Plan,
    Shard,
    Written,
    image_bytes_for_a_folder,
    write_shard,
)
from core.storage import is_shared, uploading
from core.store import REWRITTEN, ROWS
from lego_arta import CONFIGS, FEATURES
from tasks import TASKS


class Made(NamedTuple):
    """A shard that is there."""

    config: str
    split: str
    name: str  # its path in the build
    file: Written
    tally: Tally


def make_shards(
    folder: Path,
    manuals: Manuals,
    rule: Rule,
    found: Survey,
    weighing: Weighing,
    shard_bytes: int,
    engine: Engine,
    shared: Mirror | None = None,
) -> list[Made]:
    """Write the shards of all configs and splits into a build; by config, split and number. Rows
    come from the manuals' folders, which may lie on shared storage."""
    limits = dict.fromkeys(TASKS, int(shard_bytes * IMAGE_SHARE))
    plans = _planned(manuals, rule, weighing, limits)
    crowded = [c for c in TASKS if sum(len(plans[c, s]) for s in SPLITS) > FILES_A_FOLDER]
    if crowded:
        limits |= {c: image_bytes_for_a_folder(*found.pictures[c], len(SPLITS)) for c in crowded}
        plans = _planned(manuals, rule, weighing, limits)
    calls = [
        (folder, split, shard, shared)
        for (config, split), plan in plans.items()
        for shard in plan.shards(folder / "data" / config, config, split)
    ]
    return engine.map("shards", make_shard, calls)


def make_shard(folder: Path, split: str, shard: Shard, shared: Mirror | None = None) -> Made:
    """Write a shard and look through it."""
    if shared:
        shard = _from_storage(shard, shared)
    name = shard.path.relative_to(folder).as_posix()
    with uploading(shard.path) if is_shared(folder) else nullcontext(shard.path) as path:
        written = write_shard(shard._replace(path=path))
        return Made(shard.config, split, name, written, tally(path, shard.config))


def _from_storage(shard: Shard, shared: Mirror) -> Shard:
    """The shard with its rows read from the storage; what values are worked out from is here."""
    parts = []
    for part in shard.parts:
        rows = Path(part.path)
        shared.pull(f"{ROWS}/{rows.parent.name}", small)
        shared.pull_if_there(f"{REWRITTEN}/{rows.parent.name}.json")
        place = shared.place / ROWS / rows.parent.name / rows.name
        parts.append(part._replace(path=str(place)))
    return shard._replace(parts=parts)


def _planned(
    manuals: Manuals, rule: Rule, weighing: Weighing, limits: dict[str, int]
) -> dict[tuple[str, str], Plan]:
    """The shards of every config and split. Of a manual it keeps a byte a row."""
    plans = {(config, split): Plan(limits[config]) for config in TASKS for split in SPLITS}
    for manual in manuals:
        for config in TASKS:
            rows, path = manual.rows[config], manuals.work / ROWS / manual.manual_id
            points = {
                row.id: manual.reviewed.weights[row.id]
                for row in rows
                if row.id in manual.reviewed.weights
            }
            failures = {i: how for i in points if (how := manuals.decided.failures.get(i))}
            verdicts = {i: manual.reviewed.verdicts[i] for i in points}
            values = set_by_hand(config, points, verdicts, failures)
            work_out = working_out(path, config, weighing, points)
            if manuals.rewritten and config in rewritten.CONFIGS:
                said = (manuals.work, manual.manual_id, config)
                work_out = partial(rewritten.other_words, *said, work_out)
            sides = [rule.in_test(config, manual.stats.set_number, row) for row in rows]
            for split in SPLITS:
                wanted = [
                    (side == (split == "test"))
                    and row.id not in manual.reviewed.left_out
                    and not (split == "test" and row.trains_only)
                    for row, side in zip(rows, sides, strict=True)
                ]
                piece = Piece(path / f"{config}.parquet", rows, wanted, values, work_out)
                plans[config, split].add(piece)
    return plans


def infos_of(made: Sequence[Made], terms: Terms) -> dict[str, DatasetInfo]:
    """What `datasets` wants to know of configs that have rows."""
    infos: dict[str, DatasetInfo] = {}
    for config in TASKS:
        parts: dict[str, SplitInfo] = {}
        for name in SPLITS:
            files = [one.file for one in made if (one.config, one.split) == (config, name)]
            if files:
                parts[name] = SplitInfo(
                    name=name,
                    num_bytes=sum(file.bytes for file in files),
                    num_examples=sum(file.rows for file in files),
                    dataset_name=DATASET_NAME,
                )
        if parts:
            infos[config] = _info(config, parts, terms)
    return infos


def _info(config: str, split_infos: dict[str, SplitInfo], terms: Terms) -> DatasetInfo:
    size = sum(info.num_bytes for info in split_infos.values())
    return DatasetInfo(
        description=CONFIGS[config],
        license=terms.name,
        features=FEATURES[config],
        splits=SplitDict.from_split_dict(split_infos, dataset_name=DATASET_NAME),
        download_size=size,
        dataset_size=size,
    )

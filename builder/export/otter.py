"""Otter's MIMIC-IT (T17): instructions as JSON, pictures as base64 in Parquet, in-context links.

The index of the pictures is their id, the one column is `base64`. A row is linked to examples of
its own manual, all from train; `image_ids` then begins with theirs, as the in-context loader wants.
Batches are stacked, so every linked row has the same number of examples; rows that find fewer stand
alone. Files of a run share one name space: ids are those of the rows.
"""

import base64
import contextlib
import datetime
import functools
import json
from collections.abc import Callable, Iterator
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from builder.export.chat import IMAGE, Sample, samples
from builder.export.job import Job, Part
from builder.export.shards import Shard, pack
from builder.export.units import Request, every_unit
from core import store
from core.build import MANIFEST
from evaluation.prompts import Setting

EXAMPLES = ("none", "dynamic")
EXAMPLES_SEEN = True
SETTING = Setting(examples="dynamic")
EXAMPLE_MANUALS = "any"  # links are to rows of the own manual
# Otter holds a whole file in memory; its own converter cuts at 1.5 GB.
PART_BYTES = 1_500_000_000
RESERVED = (IMAGE, "<answer>", "<|endofchunk|>")
NOTHING = "nothing.json"
PICTURES = "the build's own bytes, as base64"
TRAIN = "REPO=path/to/Otter bash {folder}/train.sh"
README = """\
The files by group: `{names}`. Rows with examples of their own manual are in
`IMAGE_TEXT_IN_CONTEXT`, the others in `IMAGE_TEXT`. Otter squeezes pictures into squares of 224
pixels, so shares of width and height hold; it learns the answers of the examples too.
"""
_SCRIPT = """\
#!/usr/bin/env bash
# Instruction tuning with Otter:  REPO=path/to/Otter bash train.sh
# REPORT_TO=wandb: it is logged there. DEEPSPEED=FILE: a file of Otter's accelerate_configs, as
# accelerate_config_zero2.yaml, in place of its FSDP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PYTHONPATH="${REPO:?give the folder of Otter}"
report=()
[ "${REPORT_TO:-none}" != wandb ] || report=(--report_to_wandb)
configs="$REPO/pipeline/accelerate_configs"
accelerate launch --config_file="${DEEPSPEED:-$configs/accelerate_config_fsdp.yaml}" \\
    "$REPO/pipeline/train/instruction_following.py" \\
    --pretrained_model_name_or_path="${MODEL:-luodian/OTTER-Image-MPT7B}" \\
    --training_data_yaml=otter_train.yaml --model_name=otter --instruction_format=simple \\
    --external_save_dir="${OUT:-tuned}" --run_name=lego-arta --batch_size=4 --num_epochs=3 \\
    --lr_scheduler=cosine --learning_rate=1e-5 --warmup_steps_ratio=0.01 --max_seq_len=2042 \\
    --workers=4 --save_hf_model "${report[@]}"
"""


def write(job: Job) -> list[str]:
    """Write parts of instructions, pictures and links, and the YAML; returns the YAML's names."""
    request = job.request
    # base64 makes three bytes four.
    shards = pack(request, every_unit(request), (request.shard_bytes or PART_BYTES) * 3 // 4)
    job.each("parts", functools.partial(_write, _meta(job)), shards, small=False)
    (job.folder / NOTHING).write_text("{}\n")
    names = {split: f"otter_{split}.yaml" for split in dict.fromkeys(s.split for s in shards)}
    for split, name in names.items():
        text = yaml.safe_dump(_sets(job, shards, split), sort_keys=False)
        (job.folder / name).write_text(text)
    if "train" in names:
        job.write_script("train.sh", _SCRIPT)
    return list(names.values())


def _write(meta: dict[str, str], part: Part, shard: Shard) -> None:
    with contextlib.ExitStack() as stack:

        def opened(name: str) -> IO[str]:
            path = stack.enter_context(store.writing(part.folder / f"{shard.stem}_{name}.json"))
            return stack.enter_context(path.open("w", encoding="utf-8"))

        instructions = stack.enter_context(_mapping(opened("instructions"), {"meta": meta}, "data"))
        linked = stack.enter_context(_mapping(opened("in_context")))
        alone = stack.enter_context(_mapping(opened("alone")))
        pictures = stack.enter_context(store.writing(part.folder / f"{shard.stem}_images.parquet"))
        writer = stack.enter_context(pq.ParquetWriter(pictures, _schema(), compression="zstd"))
        for unit in shard.units:
            encoded: dict[str, str] = {}
            for sample in samples(part, unit, RESERVED):
                own, links = sample.row.item.id, _links(part.request, sample)
                encoded[f"LA_IMG_{own}"] = base64.b64encode(sample.row.picture).decode()
                record = {
                    "instruction": sample.question,
                    "answer": sample.answer,
                    "image_ids": [f"LA_IMG_{i}" for i in (*links, own)],
                    "rel_ins_ids": [f"LA_INS_{i}" for i in links],
                }
                instructions(f"LA_INS_{own}", record)
                (linked if links else alone)(f"LA_INS_{own}", record["rel_ins_ids"])
                part.counts["with examples"] += bool(links)
                part.counts[f"rows: {shard.stem}"] += 1
                kind = "in_context" if links else "alone"
                part.counts[f"{kind}: {shard.stem}"] += 1
            columns = [list(encoded.values()), list(encoded)]
            writer.write_table(pa.table(columns, schema=_schema()))


def _links(request: Request, sample: Sample) -> list[str]:
    """Ids of the examples of the row's own manual; none unless there are as many as asked for."""
    manual = sample.row.item.manual_id
    own = [e.item.id for e in sample.examples if e.item and e.item.manual_id == manual]
    return own if len(own) == request.setting.shots else []


def _schema() -> pa.Schema:
    """Of a pandas frame with the column base64 and an index of names."""
    return pa.Schema.from_pandas(pd.DataFrame({"base64": ["text"]}, index=["name"]))


@contextlib.contextmanager
def _mapping(
    file: IO[str], before: dict[str, Any] | None = None, key: str | None = None
) -> Iterator[Callable[[str, Any], None]]:
    """A function that writes entries of one JSON object, `{..., key: {entries}}` or `{entries}`."""
    head = json.dumps(before)[:-1] + f', "{key}": ' if before else ""
    first = True

    def add(name: str, value: Any) -> None:
        nonlocal first
        file.write(("\n" if first else ",\n") + f"{json.dumps(name)}: {json.dumps(value)}")
        first = False

    file.write(head + "{")
    yield add
    file.write("\n}" + ("}" if before else "") + "\n")
    file.flush()


def _meta(job: Job) -> dict[str, str]:
    built = (job.request.build / MANIFEST).stat().st_mtime
    day = datetime.datetime.fromtimestamp(built, datetime.timezone.utc).date()
    return {"version": job.manifest["version"], "time": day.isoformat(), "author": "lego-arta"}


def _sets(job: Job, shards: list[Shard], split: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The training YAML of a split. Linked rows of test need the train files to be read, not
    trained on.
    """
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for shard in shards:
        for group, kind in (("IMAGE_TEXT_IN_CONTEXT", "in_context"), ("IMAGE_TEXT", "alone")):
            if shard.split == split and job.counts[f"{kind}: {shard.stem}"]:
                groups.setdefault(group, {})[_set_name(shard)] = _set(
                    shard, f"{shard.stem}_{kind}.json"
                )
    if split != "train" and "IMAGE_TEXT_IN_CONTEXT" in groups:
        for shard in shards:
            if shard.split == "train":
                groups["IMAGE_TEXT_IN_CONTEXT"][_set_name(shard)] = _set(shard, NOTHING)
    return groups


def _set_name(shard: Shard) -> str:
    return f"LA_{shard.stem}".replace("-", "_").upper()


def _set(shard: Shard, config: str) -> dict[str, Any]:
    return {
        "mimicit_path": f"{shard.stem}_instructions.json",
        "images_path": f"{shard.stem}_images.parquet",
        "train_config_path": config,
        "num_samples": -1,
    }

"""What must hold for a build's card, dataset_infos.json, croissant.json and pictures."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from datasets import Features
from datasets.info import DatasetInfosDict
from huggingface_hub.repocard import DatasetCard

from builder.release import croissant
from builder.release.assemble import INFOS
from builder.release.card import FILE as CARD
from builder.release.card import SIZES
from builder.release.formats import columns_of
from builder.sources.terms import OTHER
from core.build import Manifest, rows_of

# What a forgotten value looks like: $name, ${name}, {{name}}, [[name]], TODO.
_LEFT_OVER = re.compile(r"\$\{?[a-z_]+|\{\{|\[\[|\bTODO\b")
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


def metadata_violations(out: Path, manifest: Manifest) -> Iterator[str]:
    """Yield "where: rule, value found" for the files around the shards."""
    try:
        card = DatasetCard((out / CARD).read_text(encoding="utf-8"))
        infos = json.loads((out / INFOS).read_bytes())
        described = json.loads((out / croissant.FILE).read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        yield f"{out}: card and metadata can be read, found {' '.join(str(error).split())}"
        return
    yield from _card(card, manifest)
    yield from _licence(card.data, infos, described, manifest["terms"])
    counts = _counts(manifest)
    yield from _same_infos(CARD, DatasetInfosDict.from_dataset_card_data(card.data), counts)
    for config, info in infos.items():
        found = {name: part["num_examples"] for name, part in info["splits"].items()}
        if found != counts.get(config):
            yield f"{INFOS}: {config} has {counts.get(config)} rows, found {found}"
        if Features.from_dict(info["features"]) != columns_of(config):
            yield f"{INFOS}: the columns of {config} are not those of lego_arta.FEATURES"
    if infos.keys() != counts.keys():
        yield f"{INFOS}: configs {sorted(counts)}, found {sorted(infos)}"
    yield from _croissant(described, manifest)


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Rows by config and split, of those that have any."""
    every = rows_of(manifest)
    counts = {c: {s: n for s, n in splits.items() if n} for c, splits in every.items()}
    return {config: splits for config, splits in counts.items() if splits}


def _card(card: DatasetCard, manifest: Manifest) -> Iterator[str]:
    left = _LEFT_OVER.search(card.text)
    if left:
        yield f"{CARD}: every placeholder is filled, found {left[0]}"
    for path in _PICTURE.findall(card.text):
        if path not in manifest["files"]:
            yield f"{CARD}: its pictures are part of the build, found {path}"
    data: Any = card.data
    sizes = {name for _, name in SIZES} | {"1M<n<10M"}
    if not data.license or not data.language or not set(data.size_categories or ()) <= sizes:
        yield f"{CARD}: licence, language and size are told"
    patterns = {
        config["config_name"]: {f["split"]: f["path"] for f in config["data_files"]}
        for config in data.get("configs", [])
    }
    for config, splits in _counts(manifest).items():
        wanted = {split: f"data/{config}/{split}-*" for split in splits}
        if patterns.get(config) != wanted:
            yield f"{CARD}: the files of {config} are {wanted}, found {patterns.get(config)}"


def _licence(
    data: Any, infos: Mapping[str, Any], described: Mapping[str, Any], terms: Mapping[str, Any]
) -> Iterator[str]:
    """The files around the shards name the licence of the build's source."""
    name = terms["licence_name"] or terms["licence"]
    told = {
        CARD: data.license_name if data.license == OTHER else data.license,
        **{f"{INFOS}: {config}": info["license"] for config, info in infos.items()},
    }
    for where, found in told.items():
        if found != name:
            yield f"{where}: the licence is {name}, found {found}"
    url, found = terms["licence_url"], described.get("license")
    if found != url:
        yield f"{croissant.FILE}: the licence is {url}, found {found}"


def _same_infos(
    where: str, infos: DatasetInfosDict, counts: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    if infos.keys() != counts.keys():
        yield f"{where}: configs {sorted(counts)}, found {sorted(infos)}"
    for config, info in infos.items():
        found = {name: part.num_examples for name, part in (info.splits or {}).items()}
        if found != counts.get(config):
            yield f"{where}: {config} has {counts.get(config)} rows, found {found}"
        if info.features != columns_of(config):
            yield f"{where}: the columns of {config} are not those of lego_arta.FEATURES"


def _croissant(described: Mapping[str, Any], manifest: Manifest) -> Iterator[str]:
    told = {f["contentUrl"]: f["sha256"] for f in described["distribution"] if "sha256" in f}
    shards = {
        name: entry["sha256"]
        for name, entry in manifest["files"].items()
        if name.startswith("data/")
    }
    if told != shards:
        wrong = sorted(set(told.items()) ^ set(shards.items()))
        yield f"{croissant.FILE}: it names every shard and its sha256, found {wrong[0][0]}"

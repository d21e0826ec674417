"""Columns as files tell them to `datasets`: in words that every version since 2 reads as the same.

Version 4 calls a list `List`, which older ones, that trainers still pin, refuse. All of them read
the older words: a list of structs is a list of one, a list of numbers a `Sequence`.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from datasets import DatasetInfo, Features, Image
from datasets.info import DatasetInfosDict
from datasets.utils.py_utils import asdict
from huggingface_hub import DatasetCardData


def picture_columns(features: Features) -> list[str]:
    """The columns that hold pictures, `image` first."""
    return [name for name, feature in features.items() if isinstance(feature, Image)]


def arrow_schema(features: Features) -> pa.Schema:
    """The Arrow schema of columns; its metadata tells the features."""
    told = {"info": {"features": _portable(features.to_dict())}}
    return features.arrow_schema.with_metadata({"huggingface": json.dumps(told)})


def as_json(infos: Mapping[str, Any]) -> str:
    """The text of a dataset_infos.json: features and counts by config."""
    told = {
        name: asdict(info) if isinstance(info, DatasetInfo) else info
        for name, info in infos.items()
    }
    return json.dumps(_portable(told), indent=2) + "\n"


def add_to_card(infos: Mapping[str, DatasetInfo], data: DatasetCardData) -> None:
    """Put what a card's YAML says of features and counts into its data."""
    DatasetInfosDict(infos).to_dataset_card_data(data)
    data["dataset_info"] = _portable_yaml(data["dataset_info"])


def _portable(told: Any) -> Any:
    """Features as JSON, with lists in the older words."""
    if isinstance(told, Features):
        told = told.to_dict()
    if not isinstance(told, dict):
        return told
    if told.get("_type") != "List":
        return {name: _portable(part) for name, part in told.items()}
    inner, length = _portable(told["feature"]), told.get("length", -1)
    return [inner] if length < 0 else {"feature": inner, "length": length, "_type": "Sequence"}


def _portable_yaml(told: Any) -> Any:
    """The same of a card's YAML, where only a list of a known length has another word."""
    if isinstance(told, list):
        return [_portable_yaml(part) for part in told]
    if not isinstance(told, dict):
        return told
    word = {"list": "sequence"} if "length" in told else {}
    return {word.get(name, name): _portable_yaml(part) for name, part in told.items()}

"""What files say of their columns is read alike by every `datasets` from 2.21 on.

Versions before 4 are not installed here, so their rules are written out: the types they know, and
the Arrow types they make of them.
"""

import ast
import json
from typing import Any

import pyarrow as pa
import pytest
import yaml
from datasets import DatasetInfo, Features
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData
from outside import ROOT

from builder.release.recipe import recipe_features
from core.features import add_to_card, arrow_schema, as_json
from core.parquet import schema
from lego_arta import CONFIGS, FEATURES

# Of what 2.21 and 3.6 call by name, and what is in them.
KNOWN = {
    "Value": {"dtype"},
    "ClassLabel": {"names"},
    "Image": set(),
    "Sequence": {"feature", "length"},
}
EVERY = [*FEATURES.values(), *(recipe_features(config) for config in CONFIGS)]


def old_arrow_type(told: Any) -> pa.DataType:
    """The Arrow type that `datasets` before 4 takes the JSON of a feature for."""
    if isinstance(told, list):  # before dicts: a list of one feature
        (inner,) = told
        return pa.list_(old_arrow_type(inner))
    if "_type" not in told:
        return pa.struct({name: old_arrow_type(part) for name, part in told.items()})
    kind, content = told["_type"], {name: part for name, part in told.items() if name != "_type"}
    assert content.keys() <= KNOWN[kind], kind
    if kind == "Sequence":
        assert "_type" in content["feature"], "a Sequence of a struct is turned inside out"
        return pa.list_(old_arrow_type(content["feature"]), content.get("length", -1))
    if kind == "Image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.int64() if kind == "ClassLabel" else pa.type_for_alias(content["dtype"])


def old_yaml_as_json(told: Any) -> Any:
    """The JSON that `datasets` before 4 makes of the YAML of a card."""
    if isinstance(told, str):
        return {"dtype": told, "_type": "Value"}
    if isinstance(told, list):
        return {part["name"]: old_yaml_as_json({k: v for k, v in part.items() if k != "name"})
                for part in told}  # fmt: skip
    word = next(iter(told))
    if word == "list":
        assert set(told) == {"list"}, "a length would be forgotten"
        return [old_yaml_as_json(told["list"])]
    if word == "sequence":
        return {"feature": old_yaml_as_json(told["sequence"]), "_type": "Sequence",
                "length": told["length"]}  # fmt: skip
    if word == "struct":
        return old_yaml_as_json(told["struct"])
    assert word == "dtype", word
    if isinstance(told["dtype"], dict):
        names = told["dtype"]["class_label"]["names"]
        return {"names": [names[str(index)] for index in range(len(names))], "_type": "ClassLabel"}
    return {"_type": "Image"} if told["dtype"] == "image" else {**told, "_type": "Value"}


def _same_types(told: dict, features: Features) -> None:
    for field in features.arrow_schema:
        assert old_arrow_type(told[field.name]) == field.type, field.name


@pytest.mark.parametrize("features", EVERY)
def test_older_versions_read_the_metadata_of_shards(features):
    made = arrow_schema(features)
    told = json.loads(made.metadata[b"huggingface"])["info"]["features"]
    assert list(told) == made.names
    _same_types(told, features)
    assert made == features.arrow_schema and Features.from_arrow_schema(made) == features


@pytest.mark.parametrize("config", CONFIGS)
def test_shards_are_written_so(config):
    assert schema(config).metadata == arrow_schema(FEATURES[config]).metadata


@pytest.mark.parametrize("features", EVERY)
def test_older_versions_read_cards(features):
    data = DatasetCardData()
    infos = {name: DatasetInfo(features=features, config_name=name) for name in ("one", "two")}
    add_to_card(infos, data)
    told = yaml.safe_load(data.to_yaml())["dataset_info"]
    assert [info["config_name"] for info in told] == ["one", "two"]
    for info in told:
        _same_types(old_yaml_as_json(info["features"]), features)
    read = DatasetInfosDict.from_dataset_card_data(data)
    assert all(info.features == features for info in read.values())


@pytest.mark.parametrize("features", EVERY)
def test_older_versions_read_dataset_infos(features):
    for info in (DatasetInfo(features=features), {"features": features}):
        told = json.loads(as_json({"x": info}))["x"]["features"]
        _same_types(told, features)
        assert Features.from_dict(told) == features


def test_the_loader_imports_what_older_versions_have():
    tree = ast.parse((ROOT / "lego_arta.py").read_text())
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "datasets"
        for alias in node.names
    }
    assert taken and taken <= {"Features", *KNOWN}

"""Croissant metadata (mlcommons.org/croissant/1.0) of a build: files, hashes, columns.

Everything is named relative to the build, so the file says the same on disk and on the Hub.
"""

import json
from collections.abc import Mapping
from typing import Any

from datasets import ClassLabel, Features, Image, List

from builder.release.columns import meaning_of
from lego_arta import CONFIGS, FEATURES, SPLITS, __version__
from tasks import TASKS

FILE = "croissant.json"
PARQUET = "application/x-parquet"
_TERMS = ("citeAs", "column", "extract", "field", "fileObject", "fileSet", "includes", "jsonPath",
          "path", "recordSet", "regex", "repeated", "source", "subField", "transform",
          "fileProperty", "format", "key", "md5", "parentField", "references", "replace",
          "separator", "isLiveDataset", "equivalentProperty", "samplingRate")  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


def croissant_text(
    shards: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, Mapping[str, int]],
    licence_url: str | None,
    citation: str,
) -> str:
    """The content of croissant.json. `shards` is path -> {"sha256", "bytes"}, `rows` config ->
    split -> number. Of an unknown licence, which has no `licence_url`, nothing is said.
    """
    configs = [config for config in TASKS if any(rows[config].values())]
    metadata = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "lego-arta",
        "description": "Vision-language data for assistants that guide people through assembly in "
        "augmented reality, from manuals for blind builders.",
        **({"license": licence_url} if licence_url else {}),
        "url": "https://arxiv.org/abs/2507.05515",
        "version": __version__,
        "citeAs": citation,
        "distribution": [
            *(file_object(path, entry) for path, entry in sorted(shards.items())),
            *(_file_set(config) for config in configs),
        ],
        "recordSet": [_record_set(config, rows[config]) for config in configs],
    }
    return json.dumps(metadata, indent=1, ensure_ascii=False) + "\n"


def file_object(path: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A shard as croissant.json names it."""
    return {
        "@type": "cr:FileObject", "@id": path, "name": path, "contentUrl": path,
        "contentSize": f"{entry['bytes']} B", "encodingFormat": PARQUET, "sha256": entry["sha256"],
    }  # fmt: skip


def _file_set(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"{config}-shards", "name": f"{config}-shards",
        "encodingFormat": PARQUET, "includes": f"data/{config}/*.parquet",
    }  # fmt: skip


def _record_set(config: str, rows: Mapping[str, int]) -> dict[str, Any]:
    parts = ", ".join(f"{number:,} {split}" for split, number in rows.items() if number)
    columns = FEATURES[config]
    split = {
        "@type": "cr:Field", "@id": f"{config}/split", "name": "split", "dataType": "sc:Text",
        "description": "train or test",
        "source": {
            "fileSet": {"@id": f"{config}-shards"}, "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": rf".*/({'|'.join(SPLITS)})-\d+-of-\d+\.parquet$"},
        },
    }  # fmt: skip
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"{CONFIGS[config]} Rows: {parts}.",
        "field": [split, *(_field(config, name, columns) for name in columns)],
    }


def _field(config: str, name: str, columns: Features) -> dict[str, Any]:
    """A column, with its meaning, and its parts if it is nested."""
    unit, meaning = meaning_of(name)
    described = _described(f"{config}/{name}", f"{config}-shards", name, "", columns[name])
    told = [f"{meaning} ({unit})" if unit else meaning, described.get("description", "")]
    return {**described, "description": "; ".join(filter(None, told))}


def _described(
    identity: str, file_set: str, column: str, path: str, feature: Any
) -> dict[str, Any]:
    """A field: `path` is the JSON path of this part in a cell of the column, empty for all."""
    name = identity.rsplit("/", 1)[-1]
    field: dict[str, Any] = {"@type": "cr:Field", "@id": identity, "name": name}
    inner = feature.feature if isinstance(feature, List) else feature
    if isinstance(inner, dict):
        repeated = {"repeated": True} if isinstance(feature, List) else {}
        # One level of lists is all that readers of Croissant follow: what lies deeper is named.
        deep = [key for key, part in inner.items() if _is_list_of_parts(part)]
        parts = [
            _described(f"{identity}/{key}", file_set, column, f"{path}.{key}".lstrip("."), part)
            for key, part in inner.items()
            if key not in deep
        ]
        named = {"description": f"also holds lists of {', '.join(deep)}"} if deep else {}
        return {**field, **named, **repeated, "subField": parts}
    source: dict[str, Any] = {"fileSet": {"@id": file_set}, "extract": {"column": column}}
    path = "bytes" if isinstance(feature, Image) else path
    if path:
        source["transform"] = {"jsonPath": path}
    return {**field, "source": source, **_type(feature)}


def _is_list_of_parts(feature: Any) -> bool:
    return isinstance(feature, List) and isinstance(feature.feature, dict)


def _type(feature: Any) -> dict[str, Any]:
    """Data type of a value, or of every value of a list."""
    if isinstance(feature, Image):
        return {"dataType": "sc:ImageObject"}
    if isinstance(feature, ClassLabel):
        names = ", ".join(f"{index} {name}" for index, name in enumerate(feature.names))
        return {"dataType": "sc:Integer", "description": names}
    if isinstance(feature, List):
        text = f"{feature.length} numbers" if feature.length > 0 else "a list"
        return {**_type(feature.feature), "repeated": True, "description": text}
    kinds = {"string": "sc:Text", "float32": "sc:Float"}
    return {"dataType": kinds.get(feature.dtype, "sc:Integer")}

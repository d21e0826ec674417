"""The manifest of a build: what says that a folder is one, and which files it holds."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "build.json"
DATASET_NAME = "lego-arta"


def manifest_of(out: Path) -> dict | None:
    """The manifest of a build folder, None when it is not one."""
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    named = isinstance(manifest, dict) and manifest.get("dataset") == DATASET_NAME
    return manifest if named else None


def formatted(config: str, name: str) -> str:
    """What the rows of a config are called in a trainer's format: `state_messages`."""
    return f"{config}_{name}"


def rows_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Rows by config and split, those in formats among them."""
    told = manifest.get("formats", {}).values()
    return {**manifest["rows"], **{c: n for each in told for c, n in each["rows"].items()}}


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()

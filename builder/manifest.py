"""The manifest of a build: what says that a folder is one, and which files it holds."""

import hashlib
import json
from pathlib import Path

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


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()

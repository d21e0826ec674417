"""Parquet files that a build should have, by its manifest, against those that are there."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_SHARD = re.compile(r"data/(\w+)/(\w+)-[^/]*\.parquet")


class Missing(NamedTuple):
    """Shards of a split that are not there, and how many of its rows they hold."""

    config: str
    split: str
    files: tuple[str, ...]
    rows: int
    of: int

    def __str__(self) -> str:
        some = ", ".join(self.files[:3])
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return (
            f"{self.config} {self.split}: {self.rows:,} of {self.of:,} rows are missing, "
            f"for {'these files are' if len(self.files) > 1 else 'this file is'} not there: "
            f"{some}{more}"
        )


def missing_files(build: Path, manifest: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Shards that the manifest names and the folder lacks, by config and split."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(manifest.get("files", {})):
        match = _SHARD.fullmatch(name)
        if match and not (build / name).is_file():
            found.setdefault((match[1], match[2]), []).append(name)
    return found


def missing_shards(
    build: Path, manifest: Mapping[str, Any], rows_in: Callable[[Path], int]
) -> list[Missing]:
    """What is missing; `rows_in` says how many rows a shard that is there holds."""
    found = []
    for (config, split), names in missing_files(build, manifest).items():
        of = manifest["rows"][config][split]
        here = sum(map(rows_in, (build / "data" / config).glob(f"{split}-*.parquet")))
        found.append(Missing(config, split, tuple(names), of - here, of))
    return found

"""A build on disk: where its rows lie.

`Path.glob` takes only what it is given for a pattern, never the folder it starts in; `datasets`
takes whole paths for patterns, so paths given to it go through `as_patterns`.
"""

import glob
import json
import os
from collections.abc import Iterable
from pathlib import Path


def shards(build: Path, config: str, split: str | None = None) -> list[Path]:
    """The Parquet files of a config by name: of one split, or of both (test before train)."""
    pattern = f"{split}-*.parquet" if split else "*.parquet"
    return sorted((build / "data" / config).glob(pattern))


def every_shard(build: Path) -> list[Path]:
    """The Parquet files of all configs, by path."""
    return sorted(build.glob("data/*/*.parquet"))


def as_patterns(paths: Iterable[Path]) -> list[str]:
    """Paths as `datasets` wants them in `data_files`: patterns that match nothing else."""
    return [glob.escape(str(path)) for path in paths]


def loading_call(build: Path, config: str) -> str:
    """Python that loads a config of a build, from whatever folder it is run in.

    With the whole path `datasets` never looks for a repository of that name, nor in its cache.
    """
    path = str(build.resolve())
    told = json.dumps(path, ensure_ascii=False)
    if glob.has_magic(path) or "::" in path or os.path.expandvars(path) != path:
        # load_dataset would take the path for a pattern.
        return f'LegoArta(config_name="{config}", data_dir={told}).as_streaming_dataset()'
    return f'load_dataset({told}, "{config}")'

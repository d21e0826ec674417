"""One derived test set on disk: shards, a card that `load_dataset` reads, and the manifest.

It lies beside its name until it is whole. The same build and options give the same bytes.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from datasets import Features

from core import store
from core.build import DERIVED, MANIFEST, file_sha256, manifest_of
from core.errors import UserError
from core.features import arrow_schema
from core.names import SPLITS
from core.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS, close_writer, open_writer
from derived.source import Made, Source
from lego_arta import __version__

CARD = "README.md"


def check_out(out: Path) -> None:
    """Refuse to replace anything but an older derived set; raises `UserError`."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if (manifest_of(out) or {}).get("kind") != DERIVED:
        raise UserError(f"--out {out}: it is no derived set; choose a folder that is not there yet")


def write(
    out: Path,
    kind: str,
    options: Mapping[str, Any],
    source: Source,
    features: Mapping[str, Features],
    made: Iterable[Made],
) -> dict[str, dict[str, int]]:
    """Write the rows as they come; returns their numbers by config and split. Raises `UserError`
    where there are none."""
    check_out(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(
        tempfile.mkdtemp(prefix=f".{out.name}.", suffix=store.TEMPORARY, dir=out.parent)
    )
    temporary.chmod(0o755)
    try:
        counts = _write_shards(temporary, features, made)
        if not counts:
            raise UserError(
                f"{source.build}: not one row of {kind} can be made of its {source.splits} rows"
            )
        (temporary / CARD).write_text(_card(kind, source, counts), encoding="utf-8")
        manifest = _manifest(temporary, kind, options, source, counts)
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return counts


def _write_shards(
    folder: Path, features: Mapping[str, Features], made: Iterable[Made]
) -> dict[str, dict[str, int]]:
    """One shard a config and split. Rows are held a row group at a time."""
    shards: dict[tuple[str, str], _Shard] = {}
    for config, split, row in made:
        if (config, split) not in shards:
            path = folder / "data" / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            shards[config, split] = _Shard(path, arrow_schema(features[config]))
        shards[config, split].add(row)
    counts: dict[str, Counter[str]] = {}
    for (config, split), shard in shards.items():
        shard.close()
        counts.setdefault(config, Counter(dict.fromkeys(SPLITS, 0)))[split] = shard.rows
    return {config: dict(number) for config, number in counts.items()}


class _Shard:
    """A Parquet file that grows by row groups."""

    def __init__(self, path: Path, columns: pa.Schema):
        self._columns, self._writer = columns, open_writer(path, columns)
        self._pending: list[dict[str, Any]] = []
        self._bytes = self.rows = 0

    def add(self, row: dict[str, Any]) -> None:
        size = sum(len(one["bytes"]) for one in (row["image"], *row.get("images", ())))
        if self._pending and (
            len(self._pending) >= ROW_GROUP_ROWS or self._bytes + size > ROW_GROUP_BYTES
        ):
            self._flush()
        self._pending.append(row)
        self._bytes += size

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._pending, schema=self._columns)
        self._writer.write_table(table, row_group_size=len(self._pending))
        self.rows += len(self._pending)
        self._pending, self._bytes = [], 0

    def close(self) -> None:
        if self._pending:
            self._flush()
        close_writer(self._writer)


def _manifest(
    folder: Path,
    kind: str,
    options: Mapping[str, Any],
    source: Source,
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What other commands need of a build, and what it was made from."""
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    build = source.manifest
    told = {
        "kind": kind,
        "options": dict(options),
        "build": {name: build.get(name) for name in ("version", "fingerprint")},
    }
    names = "\n".join(f"{name} {entry['sha256']}" for name, entry in files.items())
    return {
        "dataset": "lego-arta",
        "version": __version__,
        "kind": DERIVED,
        "derived": told,
        "fingerprint": store.sha256(f"{json.dumps(told, sort_keys=True)}\n{names}".encode()),
        "options": build.get("options", {}),
        "terms": build.get("terms", {}),
        "annotators": build.get("annotators", []),
        "rows": counts,
        "drop_counts": _by_kind(source.dropped),
        "split_exceptions": build.get("split_exceptions", {"divided": {}, "moved": []}),
        "files": files,
    }


def _by_kind(dropped: Mapping[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, number in sorted(dropped.items()):
        what, _, reason = name.partition(": ")
        found.setdefault(what, {})[reason] = number
    return found


def _card(kind: str, source: Source, counts: Mapping[str, Mapping[str, int]]) -> str:
    """The card: the files of each config, for `load_dataset`, and where it comes from."""
    terms = source.manifest.get("terms", {})
    licence = terms.get("licence", "other")
    head: dict[str, Any] = {
        "license": licence,
        "configs": [
            {
                "config_name": config,
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*"}
                    for split, number in splits.items()
                    if number
                ],
            }
            for config, splits in counts.items()
        ],
    }
    if terms.get("licence_name"):
        head["license_name"] = terms["licence_name"]
    lines = [
        f"- `{config}`: " + ", ".join(f"{number:,} {split}" for split, number in splits.items())
        for config, splits in counts.items()
    ]
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# lego-arta, {kind}\n\n"
        f"Made from rows of a lego-arta build by `lego-arta derive`; `source_ids` name them.\n\n"
        + "\n".join(lines)
        + f"\n\n{terms.get('attribution', '')}\n"
    )

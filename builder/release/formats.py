"""A build with its rows once more in a trainer's format, as configs of the same dataset.

`OUT-messages` holds the files of the build (as hard links where the disk has them), the rows of
every config as `data/CONFIG_messages/`, and a card, dataset_infos.json, croissant.json and manifest
that know them all. It is a build like any other: it loads, it is checked, it is pushed in one
commit; a later push without the format takes the configs away again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasets import DatasetInfo, Features, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub.repocard import DatasetCard

from builder.export.messages import FEATURES as MESSAGES
from builder.export.run import export, format_of
from builder.export.units import Request
from builder.release import card, croissant
from builder.release.assemble import INFOS, check_out, hashes_of, swap
from builder.release.recipe import KIND as RECIPE
from builder.release.recipe import terms_of
from core import features, store
from core.build import DATASET_NAME, MANIFEST, Manifest, formatted, manifest_of, read_rows
from core.errors import UserError
from lego_arta import FEATURES as BUILD
from lego_arta import SPLITS
from tasks import TASKS

# By name, the columns of a format's rows.
FEATURES = {"messages": MESSAGES}
BEFORE = "\n## Statistics\n"  # where a card says more
SECTION = """
## For trainers

{configs} hold the same rows as chat messages, for TRL (SFT and GRPO), Unsloth and mlx-vlm: columns
`messages`, `images`, `prompt`, `solution`, `task`, `answer`, `labels`, `boxes`, `size_wh`. Boxes
are in pixels after Qwen2.5-VL's resize within {least:,} to {most:,} pixels. {dropped}

```python
from datasets import load_dataset

rows = load_dataset(name, "{first}", split="{split}")
print(rows[0]["messages"][-1], rows[0]["images"][0].size)
```
"""


def columns_of(config: str) -> Features | None:
    """The columns of a config of a build, also of one in a format; None for neither."""
    hosted = {formatted(c, n): columns for n, columns in FEATURES.items() for c in TASKS}
    return {**BUILD, **hosted}.get(config)


def with_format(build: Path, name: str) -> Path:
    """Write the build with its rows in a format beside it; returns its folder."""
    manifest, out = manifest_of(build), build.with_name(f"{build.name}-{name}")
    if manifest is None or manifest.get("kind") == RECIPE:
        raise UserError(f"--push-format {name}: {build} is no build with pictures; make one first")
    if manifest.get("formats"):
        raise UserError(f"--push-format {name}: {build} has such rows already; give the build")
    check_out(out)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp"))
    temporary.chmod(0o755)
    try:
        _fill(temporary, build, manifest, name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    swap(temporary, out)
    return out


def _fill(folder: Path, build: Path, manifest: Manifest, name: str) -> None:
    told = {card.FILE, INFOS, croissant.FILE}
    for file in sorted(set(manifest["files"]) - told):
        _link(build / file, folder / file)
    infos, record = _export(folder, build, manifest, name)
    counts = {config: {split: part.num_examples for split, part in info.splits.items()}
              for config, info in infos.items()}  # fmt: skip
    new = hashes_of(folder, manifest["files"])
    added = {file: new[file] for file in new if file not in manifest["files"]}
    every = {**json.loads((build / INFOS).read_bytes()), **infos}
    store.write_bytes(folder / INFOS, features.as_json(every).encode())
    store.write_bytes(folder / card.FILE, _card(build, manifest, infos, record).encode())
    store.write_bytes(folder / croissant.FILE, _croissant(build, added).encode())
    own = {
        **manifest,
        "formats": {name: {"rows": counts, "dropped": record["dropped"]}},
        "files": hashes_of(folder, {**added, **_kept(manifest, told)}),
    }
    (folder / MANIFEST).write_text(json.dumps(own, indent=1, ensure_ascii=False) + "\n")


def _kept(manifest: Manifest, told: set[str]) -> dict[str, Any]:
    return {file: entry for file, entry in manifest["files"].items() if file not in told}


def _link(source: Path, target: Path) -> None:
    """The file once more, without its bytes where the disk can do that."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def _export(
    folder: Path, build: Path, manifest: Manifest, name: str
) -> tuple[dict[str, DatasetInfo], dict[str, Any]]:
    """Write the rows as shards of `data/CONFIG_NAME`; what they are, and the export's record."""
    scratch = folder / name
    configs = tuple(c for c in TASKS if any(manifest["rows"].get(c, {}).values()))
    setting = format_of(name).SETTING
    record = export(Request(build, scratch, name, configs, tuple(SPLITS), setting=setting))
    infos, licence = {}, terms_of(manifest).name
    for config in configs:
        target, parts = folder / "data" / formatted(config, name), {}
        for split in SPLITS:
            paths = sorted(scratch.glob(f"{config}-{split}-*.parquet"))
            if paths:
                target.mkdir(parents=True, exist_ok=True)
                size = sum(path.stat().st_size for path in paths)
                rows = sum(pq.read_metadata(path).num_rows for path in paths)
                parts[split] = SplitInfo(split, size, rows, dataset_name=DATASET_NAME)
            for number, path in enumerate(paths):
                path.rename(target / f"{split}-{number:05d}-of-{len(paths):05d}.parquet")
        if parts:
            infos[formatted(config, name)] = _info(config, name, parts, licence)
    shutil.rmtree(scratch)
    return infos, record


def _info(config: str, name: str, parts: dict[str, SplitInfo], licence: str) -> DatasetInfo:
    size = sum(part.num_bytes for part in parts.values())
    return DatasetInfo(
        description=f"The rows of {config} as chat messages for trainers.",
        license=licence,
        features=FEATURES[name],
        splits=SplitDict.from_split_dict(parts, dataset_name=DATASET_NAME),
        download_size=size,
        dataset_size=size,
    )


def _card(
    build: Path,
    manifest: Manifest,
    infos: Mapping[str, DatasetInfo],
    record: Mapping[str, Any],
) -> str:
    """The build's card, which knows the new configs, too."""
    old = DatasetCard((build / card.FILE).read_text(encoding="utf-8"))
    every = {**DatasetInfosDict.from_dataset_card_data(old.data), **infos}
    rows = sum(sum(splits.values()) for splits in manifest["rows"].values())
    first, info = next(iter(infos.items()))
    number = sum(record["dropped"].values())
    told = SECTION.format(
        configs=", ".join(f"`{config}`" for config in infos),
        least=record["pixels"][0],
        most=record["pixels"][1],
        dropped=f"{number:,} rows could not be said in it." if number else "",
        first=first,
        split=next(iter(info.splits)),
    )
    text = old.text.lstrip("\n").replace(BEFORE, f"{told}{BEFORE}", 1)
    return f"---\n{card.front_matter(every, terms_of(manifest), rows)}\n---\n\n{text}"


def _croissant(build: Path, added: Mapping[str, Mapping[str, Any]]) -> str:
    """The build's croissant.json with the new files; its readers can't follow their columns."""
    described = json.loads((build / croissant.FILE).read_bytes())
    described["distribution"] += [
        croissant.file_object(path, entry) for path, entry in sorted(added.items())
    ]
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def violations(out: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the rows in formats: numbers, ids, pictures of their rows."""
    for name, told in manifest.get("formats", {}).items():
        for config, splits in told["rows"].items():
            source = config.removesuffix(f"_{name}")
            for split, number in splits.items():
                ours = dict(_pictures(out, source, split, "image"))
                found = list(_pictures(out, config, split, "images"))
                if len(found) != number:
                    yield f"{config}/{split}: {number} rows, found {len(found)}"
                strange = [row for row, seen in found if not seen or ours.get(row) != seen]
                if strange or len({row for row, _ in found}) != len(found):
                    yield f"{config}/{split}: rows and pictures of {source}, found {strange[:3]}"


def _pictures(out: Path, config: str, split: str, column: str) -> Iterator[tuple[str, bytes]]:
    """(id, hash of the picture's bytes) of every row; of no or several pictures an empty hash."""
    for row in read_rows(out, config, split, ["id", column]):
        shown = row.columns[column] if column == "images" else [row.columns[column]]
        data = (shown[0] or {}).get("bytes") if len(shown) == 1 else None
        yield row.id, hashlib.sha256(data).digest() if data else b""

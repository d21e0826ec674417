"""A release without pictures (features.md B15): rows with source addresses, sha256 and edits.

`lego-arta build --recipe` writes it beside the build, and `--from-recipe DIR --source ...` makes
the full dataset again from one's own crawl. The pipeline gives the same bytes for the same input,
options and versions, so the recipe holds exactly those, and the sha256 of everything to compare
with. What has changed is named, never guessed.
"""

import hashlib
import json
import shutil
import string
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import DatasetInfo, Features, List, SplitDict, SplitInfo, Value

from builder import stages
from builder.release import card, card_parts, stats
from builder.release.assemble import INFOS, check_out, hashes_of, only_writer, swap
from builder.release.records import write_table
from builder.sources.terms import Terms
from core.build import DATASET_NAME, MANIFEST, Manifest, every_shard, manifest_of, records, shards
from core.errors import UserError
from core.features import arrow_schema, as_json, picture_columns
from core.records import CrawledManual, Drop, load
from core.storage import parquet
from core.store import CRAWL
from lego_arta import CONFIGS, FEATURES
from tasks import TASKS
from tasks.context import site_path

KIND = "recipe"
TEMPLATE = Path(__file__).with_name("recipe.md")
LISTING = "https://legoaudioinstructions.com/instructions/"
_TEXT = Value("string")
_EDIT = {
    "op": _TEXT,
    "sources": List({"url": _TEXT, "sha256": _TEXT}),
    "shift_xy_px": List(Value("int32"), length=2),
}
_SHOWN = 3  # names in an error; the rest are counted


def recipe_features(config: str) -> Features:
    """Columns of a recipe's rows: those of the config without its pictures."""
    pictures = picture_columns(FEATURES[config])
    kept = {name: feature for name, feature in FEATURES[config].items() if name not in pictures}
    return Features({**kept, "image_name": _TEXT, "image_sha256": _TEXT, "edit": _EDIT})


def recipe_folder(build: Path) -> Path:
    """Where the recipe of a build lies: beside it."""
    return build.with_name(f"{build.name}-{KIND}")


def write_recipe(build: Path) -> Path:
    """Write the recipe of a finished build beside it; returns its folder."""
    manifest, out = manifest_of(build), recipe_folder(build)
    if manifest is None:
        raise UserError(f"{build}: not a build; make one first")
    check_out(out)
    with only_writer(out):
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp"))
        temporary.chmod(0o755)
        try:
            _fill(temporary, build, manifest, out.name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        swap(temporary, out)
    return out


def _fill(folder: Path, build: Path, manifest: Manifest, name: str) -> None:
    urls = _urls(build, manifest)
    for path in every_shard(build):
        target = folder / path.relative_to(build)
        target.parent.mkdir(parents=True, exist_ok=True)
        _strip(path, target, path.parent.name, urls)
    infos = _infos(folder, manifest["rows"], terms_of(manifest))
    (folder / INFOS).write_text(as_json(infos))
    (folder / card.FILE).write_text(_card(manifest, infos, name), encoding="utf-8")
    kept = ("dataset", "version", "code_sha256", "libraries", "options", "terms", "statistics",
            "rows", "split_exceptions", "drop_counts")  # fmt: skip
    lengths = {
        name: write_table(folder, name, map(_listed, records(build, manifest, name)))
        for name in ("drops", "inputs")
    }
    own = {
        **{key: value for key, value in manifest.items() if key in kept},
        "kind": KIND,
        "records": lengths,
        "release": {"fingerprint": manifest["fingerprint"], "files": manifest["files"]},
        "files": hashes_of(folder, {}),
    }
    (folder / MANIFEST).write_text(json.dumps(own, indent=1, ensure_ascii=False) + "\n")


def _listed(record: dict[str, Any]) -> dict[str, Any]:
    """A record as tables take it: a map as pairs."""
    return {**record, "images": list(record["images"].items())} if "images" in record else record


def _urls(build: Path, manifest: Manifest) -> dict[tuple[str, str], str]:
    """Address of a source picture by (path on its site, sha256)."""
    return {
        (site_path(url), sha256): url
        for inputs in records(build, manifest, "inputs")
        for url, sha256 in inputs["images"].items()
    }


def _strip(path: Path, target: Path, config: str, urls: Mapping[tuple[str, str], str]) -> None:
    """Write a shard without its pictures, a row group at a time."""
    schema = arrow_schema(recipe_features(config))
    with (
        parquet(path) as file,
        pq.ParquetWriter(target, schema, compression="zstd", write_page_index=True) as writer,
    ):
        for batch in file.iter_batches(batch_size=100):
            rows = [_stripped(row, config, urls) for row in batch.to_pylist()]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _stripped(
    row: dict[str, Any], config: str, urls: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    image, *_ = (row.pop(name) for name in picture_columns(FEATURES[config]))
    sources = [
        {"url": urls.get((s["path"], s["sha256"]), s["path"]), "sha256": s["sha256"]}
        for s in row["provenance"]["source_images"]
    ]
    return {
        **row,
        "image_name": image["path"],
        "image_sha256": hashlib.sha256(image["bytes"]).hexdigest(),
        "edit": {
            "op": TASKS[config].rows.edit(row),
            "sources": sources,
            "shift_xy_px": _shift(row),
        },
    }


def _shift(row: Mapping[str, Any]) -> list[int] | None:
    """How far a negative's part was moved, whole pixels."""
    is_box, was_box = row.get("part_box_px"), row.get("correct_box_px")
    if row.get("negative_kind") is None or not is_box or not was_box:
        return None
    return [round(is_box[axis] - was_box[axis]) for axis in (0, 1)]


def _infos(
    folder: Path, rows: Mapping[str, Mapping[str, int]], terms: Terms
) -> dict[str, DatasetInfo]:
    infos = {}
    for config in TASKS:
        parts = {}
        for split, number in rows[config].items():
            size = sum(p.stat().st_size for p in shards(folder, config, split))
            if number:
                parts[split] = SplitInfo(split, size, number, dataset_name=DATASET_NAME)
        if parts:
            size = sum(part.num_bytes for part in parts.values())
            infos[config] = DatasetInfo(
                description=CONFIGS[config],
                license=terms.name,
                features=recipe_features(config),
                splits=SplitDict.from_split_dict(parts, dataset_name=DATASET_NAME),
                download_size=size,
                dataset_size=size,
            )
    return infos


def _card(manifest: Manifest, infos: Mapping[str, DatasetInfo], name: str) -> str:
    options, rows = manifest["options"], sum(sum(s.values()) for s in manifest["rows"].values())
    terms = terms_of(manifest)
    body = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        rows=f"{rows:,}",
        manuals=f"{int(manifest['statistics']['manuals']):,}",
        folder=name,
        listing=options["source"] if "://" in options["source"] else LISTING,
        version=manifest["version"],
        code=manifest["code_sha256"][:16],
        libraries=card_parts.libraries_text(manifest["libraries"]),
        statistics=stats.markdown(
            ("Category", "Item", "Count"), stats.table_4_3(manifest["statistics"])
        ),
        splits=card.splits_table(manifest["rows"]),
        split_mode=options["split"],
        split_rule=card.split_text(options["split"], manifest["split_exceptions"]),
        seed=str(options["seed"]),
        annotator=options["annotator"],
        image_format=options["image_format"],
        licence=terms.attribution,
        citation=card_parts.CITATION,
    )
    return f"---\n{card.front_matter(infos, terms, rows)}\n---\n\n{body}"


def terms_of(manifest: Manifest) -> Terms:
    """What the source of a build or a recipe says of itself."""
    return msgspec.convert(manifest["terms"], Terms)


# Making the full dataset again -------------------------------------------------------------------


def read_recipe(folder: Path) -> Manifest:
    """The manifest of a recipe that this code and these libraries can carry out."""
    manifest = manifest_of(folder)
    if manifest is None or manifest.get("kind") != KIND:
        raise UserError(f"--from-recipe {folder}: not a recipe (its {MANIFEST} says so)")
    if manifest["code_sha256"] != stages.code_sha256():
        raise UserError(
            f"--from-recipe {folder}: made by the code of lego-arta {manifest['version']} "
            f"({manifest['code_sha256'][:12]}), this is {stages.code_sha256()[:12]} (libraries "
            f"count: {_differing(manifest['libraries'])}); check out that version, install its "
            "constraints.txt"
        )
    return manifest


def _differing(libraries: Mapping[str, str]) -> str:
    here = stages.library_versions()
    return ", ".join(
        f"{name} {version} there, {here.get(name)} here"
        for name, version in libraries.items()
        if here.get(name) != version
    ) or "all the same"  # fmt: skip


def check_sources(folder: Path, manifest: Manifest, work: Path, manual_ids: list[str]) -> list[str]:
    """The manuals of the recipe, after comparing what was crawled; raises `UserError` that names
    pages and pictures that are not what the recipe was made from.
    """
    wrong: list[str] = []
    wanted = list(records(folder, manifest, "inputs"))
    for inputs in wanted:
        manual_id = inputs["manual_id"]
        if manual_id not in manual_ids:
            wrong.append(f"{inputs['url']} (gone)")
            continue
        crawled = load(work / CRAWL / manual_id / "crawl.json", CrawledManual)
        if crawled.page_sha256 != inputs["page_sha256"]:
            wrong.append(f"{inputs['url']} (changed)")
        here = {site_path(image.url): image.sha256 for image in crawled.images if image.sha256}
        for url, sha256 in inputs["images"].items():
            found = here.get(site_path(url))
            if found != sha256:
                wrong.append(f"{url} ({'changed' if found else 'gone'})")
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise UserError(
            f"{len(wrong)} sources are not what the recipe was made from: "
            f"{', '.join(wrong[:_SHOWN])}{more}; find older copies of them and give a saved site"
        )
    return sorted(inputs["manual_id"] for inputs in wanted)


def crawl_drops(folder: Path, manifest: Manifest) -> list[Drop]:
    """The links that led the recipe's crawl nowhere: the card counts them."""
    return [
        msgspec.convert(drop, Drop)
        for drop in records(folder, manifest, "drops")
        if drop["task"] == "crawl"
    ]


def check_result(manifest: Manifest, out: Path) -> None:
    """Compare a rebuilt dataset with the release, file by file."""
    released = {name: entry["sha256"] for name, entry in manifest["release"]["files"].items()}
    built = {n: e["sha256"] for n, e in (manifest_of(out) or {"files": {}})["files"].items()}
    wrong = sorted(n for n in released.keys() | built.keys() if released.get(n) != built.get(n))
    if wrong:
        raise UserError(
            f"{out}: {len(wrong)} of {len(released)} files differ from the release, e.g. {wrong[0]}"
        )
    print(f"the same as the release: {len(released)} files, every sha256 right")


def recipe_violations(out: Path, manifest: Manifest) -> Iterator[str]:
    """What must hold for a recipe besides the hashes of its files: its rows, and no picture."""
    for config, splits in manifest["rows"].items():
        for split, number in splits.items():
            found = 0
            for path in shards(out, config, split):
                with parquet(path) as file:
                    found += file.metadata.num_rows
                    if file.schema_arrow != recipe_features(config).arrow_schema:
                        yield f"{path.name}: the columns of a recipe, found others"
            if found != number:
                yield f"{config}/{split}: {number} rows, found {found}"
    for name in manifest["files"]:
        if Path(name).suffix not in {".parquet", ".json", ".md"}:
            yield f"{name}: a recipe holds no pictures"

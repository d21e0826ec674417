"""The build folder: shards, card and manifest, swapped in as a whole.

Manuals are gone through one by one and shards are written by the engine, so that memory hardly
grows with the number of manuals.
"""

import contextlib
import glob
import hashlib
import json
import logging
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder import probes, stages
from builder.engine import Engine
from builder.engine.local import ALONE
from builder.probes.score import AUC_MAX
from builder.release import (
    areas,
    card,
    card_parts,
    croissant,
    mask_quality,
    relations,
    split,
    stats,
)
from builder.release.making import Made, infos_of, make_shards
from builder.release.reviews import NO_REVIEWS, Reviews
from builder.release.rewritten import Rewritten, card_text, diversified
from builder.release.samples import ASSETS, write_samples
from builder.release.survey import ForSplit, Manuals, Survey, survey
from builder.release.tally import added_up
from builder.release.weighing import Weighing, weigh
from builder.sources.terms import UNSTATED, Terms
from builder.stages import BuildOptions, identities, mask_models
from core import store
from core.build import DATASET_NAME, MANIFEST, RECORDS, File, Manifest, file_sha256, manifest_of
from core.errors import UserError
from core.features import as_json
from core.lease import tidying
from core.names import WEIGHTS
from core.records import Drop
from core.shards import SHARD_BYTES
from core.storage import (
    check,
    files_below,
    is_shared,
    make_folder,
    put_over,
    remove,
    sizes_below,
    told,
)
from core.store import CRAWL, DONE, ROWS
from lego_arta import SPLITS, __version__
from tasks import TASKS

log = logging.getLogger("lego_arta")

INFOS = "dataset_infos.json"
# What builds have besides their manifest.
_LEFT = re.compile(
    rf"data/({'|'.join(TASKS)})/({'|'.join(SPLITS)})-\d+-of-\d+\.parquet|{RECORDS}/[\w-]+\.parquet|"
    rf"{ASSETS}/[\w-]+\.webp|" + "|".join(map(re.escape, (INFOS, card.FILE, croissant.FILE)))
)


@dataclass(frozen=True)
class AssembleOptions:
    """How manuals' rows become a build."""

    out: Path
    source: str
    split: str = "manual"
    seed: int = 42
    probe: bool = True
    engine: Engine = ALONE
    shard_bytes: int = SHARD_BYTES
    reviews: Reviews = NO_REVIEWS
    crawl_drops: tuple[Drop, ...] = ()  # links that led to no manual
    terms: Terms = UNSTATED
    weights: str = WEIGHTS[0]
    rewritten: Rewritten | None = None


def check_out(out: Path) -> None:
    """Refuse to overwrite what is not a build of ours; raises `UserError`."""
    if out.name == "lego_arta":
        raise UserError(
            f"--out {out}: a folder called lego_arta would hide the module lego_arta.py; "
            "use lego-arta"
        )
    if not is_shared(out):
        if not out.exists():
            return
        if not out.is_dir():
            raise UserError(f"--out {out}: it is a file; choose a folder that does not exist yet")
    check(out, "--out")
    manifest = manifest_of(out)
    paths = files_below(out) if is_shared(out) else sorted(out.rglob("*"))
    names = [path.relative_to(out).as_posix() for path in paths]
    if is_shared(out) and manifest is None and all(map(_LEFT.fullmatch, names)):
        return  # nothing, or what a killed run left: its build.json goes first and comes last
    if names and manifest is None:
        raise UserError(
            f"--out {out}: it holds something that is not a build (no {MANIFEST} of lego-arta); "
            "choose another folder or empty this one"
        )
    ours = {MANIFEST, *(manifest or {}).get("files", {})}
    for path, name in zip(paths, names, strict=True):
        is_folder = not is_shared(out) and path.is_dir()  # ours by the files in it
        if name not in ours and not (is_folder and any(f.startswith(f"{name}/") for f in ours)):
            raise UserError(
                f"--out {out}: a new build would delete {name}, which is not part of the old one; "
                "move it away or choose another folder"
            )


def assemble(manual_ids: list[str], build: BuildOptions, options: AssembleOptions) -> Manifest:
    """Write the build folder from the manuals' pieces; returns the manifest.

    A build whose inputs, options and code are unchanged is left as it is. Raises `UserError` when
    another run is writing there.
    """
    check_out(options.out)
    make_folder(options.out.parent)
    with only_writer(options.out):
        return _assemble(manual_ids, build, options)


@contextlib.contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold a lock beside `out` while it is written; raises `UserError` when another run does."""
    lock = out.with_name(f".{out.name}.lock")
    with store.held(lock, f"--out {out}"):
        try:
            yield
        finally:
            if not is_shared(out):
                lock.unlink(missing_ok=True)  # while it is held; the user's folder stays tidy


def _assemble(manual_ids: list[str], build: BuildOptions, options: AssembleOptions) -> Manifest:
    manual_ids = sorted(manual_ids)
    print_ = _fingerprint(manual_ids, build, options)
    old = manifest_of(options.out)
    if old and old.get("fingerprint") == print_ and _is_whole(options.out, old):
        if not probes.to_check_again(old["probes"]):
            return old
        log.info("probing anew what was not checked: torch is there now")
    if is_shared(options.out):
        return _assemble_there(manual_ids, build, options, print_)
    temporary = Path(
        tempfile.mkdtemp(
            prefix=f".{options.out.name}.", suffix=store.TEMPORARY, dir=options.out.parent
        )
    )
    temporary.chmod(0o755)  # mkdtemp makes 0700; a dataset is for others to read
    try:
        manifest = _fill(temporary, manual_ids, build, options, print_)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    swap(temporary, options.out)
    name = glob.escape(options.out.name)
    for leftover in options.out.parent.glob(f".{name}.*{store.TEMPORARY}"):
        shutil.rmtree(leftover, ignore_errors=True)  # of runs that were killed here
    return manifest


def _assemble_there(
    manual_ids: list[str], build: BuildOptions, options: AssembleOptions, print_: str
) -> Manifest:
    """The same on shared storage, where no folder can be renamed: a build is made beside the old
    one and copied over by the storage itself. What is left of other runs goes first; one that lost
    its lease and does not know it yet writes under another name."""
    start = f".{options.out.name}."
    with told(options.out):
        killed = list(options.out.parent.glob(f"{glob.escape(start)}*{store.TEMPORARY}"))
    for left in killed:
        remove(left)
    temporary = options.out.with_name(f"{start}{secrets.token_hex(4)}{store.TEMPORARY}")
    with tidying(lambda: remove(temporary)):
        manifest = _fill(temporary, manual_ids, build, options, print_)
        put_over(temporary, options.out, MANIFEST)
    return manifest


def _fingerprint(manual_ids: list[str], build: BuildOptions, options: AssembleOptions) -> str:
    """The key of a build. The crawled records count too: the manifest names pages and pictures."""
    made = hashlib.sha256()
    for manual_id in manual_ids:
        made.update(f"{manual_id} {(build.work / ROWS / manual_id / DONE).read_text()} ".encode())
        made.update(file_sha256(build.work / CRAWL / manual_id / "crawl.json").encode())
        if options.rewritten:
            made.update(store.rewritten_file(build.work, manual_id).read_bytes())
    settings = (options.source, options.split, options.seed, options.probe, options.reviews)
    return stages.build_key(
        *settings,
        options.crawl_drops,
        options.terms,
        options.weights,
        options.rewritten,
        build.annotator,
        *identities(build),
        *mask_models(build),
        build.tasks,
        options.shard_bytes,
        made.hexdigest(),
    )


def _is_whole(out: Path, manifest: Manifest) -> bool:
    """Whether every file of the manifest is there in its size."""
    there = sizes_below(out)
    return all(there.get(name) == entry["bytes"] for name, entry in manifest["files"].items())


def swap(temporary: Path, out: Path) -> None:
    """Put the new build in the old one's place; a kill in between leaves one of them whole."""
    aside = out.with_name(f".{out.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if out.exists():
        out.rename(aside)
    temporary.rename(out)
    shutil.rmtree(aside, ignore_errors=True)


def _fill(
    folder: Path,
    manual_ids: list[str],
    build: BuildOptions,
    options: AssembleOptions,
    fingerprint: str,
) -> Manifest:
    rewritten = options.rewritten is not None
    manuals = Manuals(build.work, manual_ids, options.reviews.decided(), rewritten)
    found = survey(folder, manuals, options.crawl_drops)
    rule = split.rule_of(options.split, ForSplit(manuals), options.seed)
    weighing = weigh(manuals, options.seed, options.weights == "discriminator")
    made = make_shards(
        folder, manuals, rule, found, weighing, options.shard_bytes, options.engine, build.shared
    )
    exceptions = rule.split.exceptions()
    return _finish(folder, made, found, weighing, exceptions, build, options, fingerprint)


def _finish(
    folder: Path,
    made: Sequence[Made],
    found: Survey,
    weighing: Weighing,
    exceptions: Mapping[str, Any],
    build: BuildOptions,
    options: AssembleOptions,
    fingerprint: str,
) -> Manifest:
    """Card and metadata, and last the manifest with the hash of everything."""
    infos = infos_of(made, options.terms)
    splits = {config: dict.fromkeys(SPLITS, 0) for config in TASKS}
    for config, info in infos.items():
        splits[config] |= {name: part.num_examples for name, part in info.splits.items()}
    rows = {config: sum(by_split.values()) for config, by_split in splits.items()}
    drop_counts = found.totals.drop_counts()
    if not any(rows.values()):
        raise UserError(
            f"{options.source}: not one row came of {found.totals.manuals} manuals, so nothing is "
            f"written; reasons: {drop_counts}"
        )
    probed = _probe(folder, options) if options.probe else []
    numbers = stats.statistics(found.totals, rows)
    (folder / INFOS).write_text(as_json(infos))
    settings = {
        "source": options.source,
        "annotator": build.annotator,
        "split": options.split,
        "seed": options.seed,
        "image_format": build.tasks.image_format,
        "shard_bytes": options.shard_bytes,
        "negatives": build.tasks.negatives,
        "positives": build.tasks.positives,
        "templates": build.tasks.templates,
        "scenes": build.tasks.scenes,
        "diversify": diversified(build.tasks.diversify, options.rewritten),
        "boundary_colors": dict(build.tasks.boundary_colors),
        "weights": options.weights,
        "mask_model": build.tasks.mask_model,
        "reviews": options.reviews.as_json,
    }
    screened = found.totals.screened_counts()
    shards: dict[str, File] = {
        one.name: {"bytes": one.file.bytes, "sha256": one.file.sha256} for one in made
    }
    tallies = added_up((one.config, one.tally) for one in made)
    parts = card_parts.parts(folder, write_samples(folder), tallies) | card.state_parts(
        settings, probed, screened
    )
    parts["relations"] += card_text(options.rewritten, relations.CONFIG)
    parts["split_rule"] = card.split_text(options.split, exceptions)
    parts["mask_quality"] = mask_quality.card_text(folder, weighing)
    parts["mask_quality"] += card_text(options.rewritten, areas.CONFIG)
    text = card.render(infos, numbers, splits, drop_counts, settings, options.terms, parts)
    (folder / croissant.FILE).write_text(
        croissant.croissant_text(
            shards,
            splits,
            options.terms.licence_url,
            card_parts.CITATION,
        ),
        encoding="utf-8",
    )
    (folder / card.FILE).write_text(text, encoding="utf-8")
    manifest = {
        "dataset": DATASET_NAME,
        "version": __version__,
        "fingerprint": fingerprint,
        "code_sha256": stages.code_sha256(),
        "libraries": stages.library_versions(),
        "options": settings,
        "terms": msgspec.to_builtins(options.terms),
        "annotators": identities(build),
        "ready_made": build.ready_made is not None,
        "statistics": numbers,
        "relation_counts": relations.nested(tallies[relations.CONFIG].kinds),
        "mask_counts": areas.numbers(tallies[areas.CONFIG].kinds),
        "rows": splits,
        "split_exceptions": exceptions,
        "drop_counts": drop_counts,
        "screened_counts": screened,
        "review_counts": found.reviewed,
        "mask_quality": weighing.as_json,
        **({"rewritten": options.rewritten.as_json} if options.rewritten else {}),
        "probes": [result.describe() for result in probed],
        "records": found.records,
        "files": hashes_of(folder, shards),
    }
    if gone := shards.keys() - manifest["files"].keys():
        raise UserError(f"{options.out}: {min(gone)} was removed by somebody else; run again")
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST).write_bytes(data + b"\n")
    result: Manifest = json.loads(data)
    return result


def _probe(folder: Path, options: AssembleOptions) -> list[probes.Result]:
    """Look for shortcuts in the state rows; raises `UserError` for a leak."""
    results = probes.run(folder, probes.GATE_GROUPS, run_calls=options.engine.map)
    leaks = probes.leaks(results)
    if leaks:
        worst = max(leaks, key=lambda result: result.score.auc if result.score else 0)
        raise UserError(
            f"state: the answer can be read off {probes.PROBES[worst.probe]} (probe "
            f"{worst.probe}: {worst.text()}, at most {AUC_MAX:.2f} is let through); build with "
            "--positives matched, or with --no-probe if it is meant to leak"
        )
    return results


def hashes_of(folder: Path, known: Mapping[str, File]) -> dict[str, File]:
    """Size and sha256 of the files of a build by their path in it, sorted; `known` stay."""
    names = sorted(path.relative_to(folder).as_posix() for path in files_below(folder))
    return {
        name: known.get(name)
        or {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
        for name in names
    }

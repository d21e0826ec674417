"""What test rows share with train rows, and the test rows of parts that train never names.

lego-arta leakage lego-arta
lego-arta leakage lego-arta --out subsets
lego-arta evaluate score lego-arta predictions --ids subsets/unseen_parts.json

Counts test rows that share a manual, a set, a group, a picture, a picture they were made from, a
picture that looks the same, a query or an instruction with any train row, of whatever task. A set
apart shares neither manual nor group; the same part may still be drawn in two manuals, and the same
words stand in many.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.build import BuildRow, Manifest, configs_of, picture_bytes, read_manifest, read_rows
from core.cli import Parser, run, writable
from core.part_names import part_kind, part_labels
from core.records import Instruction, Vlm, split_slug
from core.selection import FORMAT
from core.storage import column_names, option_place

if TYPE_CHECKING:  # the help needs none of it
    import numpy as np

COLUMNS = ("id", "manual_id", "query", "instruction", "entities", "provenance", "image.path")
# By what it is, the values of a row that a train row may have too.
KEYS: Mapping[str, Callable[[BuildRow], Iterable[Any]]] = {
    "manual": lambda row: [row.columns["manual_id"]],
    "set": lambda row: [split_slug(row.columns["manual_id"])[0]],
    "group": lambda row: filter(None, [row.columns.get("group_id") or row.columns.get("pair_id")]),
    "picture": lambda row: filter(None, [row.columns["image"]["path"]]),
    "source picture": lambda row: [s["sha256"] for s in _own_sources(row) if s["sha256"]],
    "query": lambda row: [row.columns["query"]],
    "instruction": lambda row: [row.columns["instruction"]],
}
NEAR = "near-duplicate picture"
# Pictures look the same when their thumbnails differ by less, root mean square of 255. Saving as
# JPEG or resizing stays below 1; a part more in the next step of a manual is above 2.
THUMBNAIL_PX, NEAR_RMS = 16, 1.5
BLOCK = 1024  # pictures compared at a time
# Named subsets of test: what of a row train must never have named.
SUBSETS: Mapping[str, str] = {
    "unseen_parts": "a part, by colour and kind, that no train row of the task names",
    "unseen_themes": "a kind of part, whatever its colour, that no train row of the task names",
}


class Leakage(NamedTuple):
    """Of one task: test rows, how many share what with train, and the ids of each subset."""

    test_rows: int
    shared: dict[str, int]
    subsets: dict[str, list[str]]


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("leakage", __doc__)
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    subsets = "; ".join(f"{name}, rows that name {what}" for name, what in SUBSETS.items())
    add(
        "--out",
        type=writable,
        metavar="DIR",
        help=f"write leakage.json there, and a file of ids for each subset: {subsets}",
    )
    add("--no-pictures", action="store_true", help=f"do not look for {NEAR}s, which takes longest")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parser().parse_args(argv)
    return run(lambda: report(options), options.debug)


def report(options: argparse.Namespace) -> None:
    """Print what is shared, and write subsets; raises `UserError`."""
    manifest = read_manifest(options.build)
    found = leakage(options.build, not options.no_pictures)
    for config, one in found.items():
        print(f"{config}: {one.test_rows:,} test rows, of which share with train:")
        for what, number in one.shared.items():
            print(f"    {what:<24} {number:>7,}  {number / one.test_rows:>6.1%}")
        for name, ids in one.subsets.items():
            print(f"    {name:<24} {len(ids):>7,}  {len(ids) / one.test_rows:>6.1%}")
    if options.out:
        write(options.out, options.build, manifest, found)


def write(out: Path, build: Path, manifest: Manifest, found: Mapping[str, Leakage]) -> None:
    """leakage.json, and a selection of row ids for each subset."""
    from core.store import write_text

    named = {"name": build.resolve().name, "fingerprint": manifest["fingerprint"]}
    for name in SUBSETS:
        ids = [row_id for one in found.values() for row_id in one.subsets[name]]
        if ids:
            told = {"format": FORMAT, "build": named, "subset": name, "ids": ids}
            write_text(out / f"{name}.json", json.dumps(told, indent=1) + "\n")
    told = {"build": named, "configs": {config: one._asdict() for config, one in found.items()}}
    write_text(out / "leakage.json", json.dumps(told, indent=1) + "\n")


def leakage(build: Path, pictures: bool = True) -> dict[str, Leakage]:
    """What test shares with train, by task; raises `UserError`."""
    rows = {
        (config, split): list(_rows(build, config, split))
        for config in configs_of(build)
        for split in ("train", "test")
    }
    train = [row for (_, split), own in rows.items() if split == "train" for row in own]
    in_train = {what: {key for row in train for key in keys(row)} for what, keys in KEYS.items()}
    alike = _near_duplicates(rows) if pictures else frozenset()
    found = {}
    for (config, split), own in rows.items():
        if split == "train" or not own:
            continue
        shared = {
            what: sum(any(key in in_train[what] for key in keys(row)) for row in own)
            for what, keys in KEYS.items()
        }
        if pictures:
            shared[NEAR] = sum(row.columns["image"]["path"] in alike for row in own)
        found[config] = Leakage(len(own), shared, _subsets(own, rows[config, "train"]))
    return found


def _rows(build: Path, config: str, split: str) -> Iterable[BuildRow]:

    from core.build import shards

    for path in shards(build, config, split)[:1]:
        names = {"cell", "group_id", "pair_id"} & set(column_names(path))
        yield from read_rows(build, config, split, [*COLUMNS, *sorted(names)])


def _own_sources(row: BuildRow) -> list[dict[str, Any]]:
    """The picture that a row is about; a collage has three others in it, which any may share."""
    sources = row.columns["provenance"]["source_images"]
    return [sources[row.columns.get("cell") or 0]] if sources else []


# Subsets -----------------------------------------------------------------------------------------


def _subsets(test: Sequence[BuildRow], train: Sequence[BuildRow]) -> dict[str, list[str]]:
    found = {}
    for name, with_color in (("unseen_parts", True), ("unseen_themes", False)):
        seen = {kind for row in train for kind in kinds_of(row, with_color)}
        found[name] = [row.id for row in test if kinds_of(row, with_color) - seen]
    return found


def kinds_of(row: BuildRow, with_color: bool) -> set[str]:
    """The parts that a row's instruction names, whatever their number."""
    tags = [{entity["tag"]: entity["text"]} for entity in row.columns["entities"]]
    labels = part_labels(Instruction(0, [row.columns["instruction"]], Vlm(), None, tags))
    return {part_kind(label if with_color else label._replace(color="")) for label in labels}


# Pictures ----------------------------------------------------------------------------------------


def _near_duplicates(rows: Mapping[tuple[str, str], Sequence[BuildRow]]) -> frozenset[str]:
    """Names of test pictures that look like one of train's without being the same file."""
    import numpy as np

    by_split: dict[str, dict[str, BuildRow]] = {"train": {}, "test": {}}
    for (_, split), own in rows.items():
        for row in own:
            by_split[split].setdefault(row.columns["image"]["path"], row)
    train, test = (_thumbnails(list(by_split[split].values())) for split in ("train", "test"))
    names = list(by_split["test"])
    if not len(train) or not len(test):
        return frozenset()
    limit = THUMBNAIL_PX**2 * 3 * NEAR_RMS**2
    lengths = (train**2).sum(axis=1)
    near: set[str] = set()
    for start in range(0, len(test), BLOCK):
        block = test[start : start + BLOCK]
        squared = (block**2).sum(axis=1)[:, None] + lengths - 2 * block @ train.T
        found = np.flatnonzero(squared.min(axis=1) <= limit) + start
        near.update(names[index] for index in found)
    return frozenset(near - by_split["train"].keys())


def _thumbnails(rows: Sequence[BuildRow]) -> "np.ndarray":
    """(N, 768) float32: every picture at 16 x 16 pixels. Rows come in file order, as it is read."""
    import numpy as np

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_thumbnail, (picture_bytes(row.place) for row in rows)))
    return np.array(found, np.float32).reshape(len(rows), THUMBNAIL_PX**2 * 3)


def _thumbnail(data: bytes) -> "np.ndarray":
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(pixels, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()

"""What changed between two builds, and why where they tell.

lego-arta diff lego-arta-old lego-arta
lego-arta diff lego-arta-old lego-arta --json changes.json

Ends with status 0 when both hold the same rows, with 1 when they differ.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.build import Manifest, Row, read_manifest, read_rows, records, shards
from core.cli import EXIT_FAILED, EXIT_OK, Parser, run, writable
from core.names import SPLITS
from core.storage import column_names, option_place

# Columns by what they are, as the report says it; others under their own names.
TEXTS = ("query", "answer", "instruction", "previous_instruction", "entities", "correction",
         "false_facts", "template_id", "descriptions_v1", "descriptions_v2",
         "contrast", "instruction_variants")  # fmt: skip
BOXES = ("targets", "distractors", "part_box_px", "correct_box_px", "subject", "object",
         "boxes_px")  # fmt: skip
# Options of a build that a change of each kind can come from.
OPTIONS = {
    "picture": ("image_format", "negatives", "positives", "seed", "annotator"),
    "text": ("templates", "diversify", "negatives", "annotator"),
    "boxes": ("annotator", "negatives", "seed"),
    "split": ("split", "seed"),
    "sample_weight": ("reviews", "annotator", "weights"),
    "row": (
        "source",
        "annotator",
        "negatives",
        "positives",
        "seed",
        "reviews",
        "boundary_colors",
        "scenes",
    ),
}
SHOWN = 5  # rows of each kind of change that are named


class Change(NamedTuple):
    """One row that changed. `what`: added, removed, or the kinds of its columns that differ.

    Ids hash the picture: a row at the same place with another id is one whose picture changed.
    """

    config: str
    id: str
    new_id: str
    what: tuple[str, ...]
    columns: tuple[str, ...]
    why: tuple[str, ...]


class Sides(NamedTuple):
    """What the old build and the new one tell of themselves; `left_out`: reasons by row id,
    `inputs` by manual."""

    manifests: tuple[Manifest, Manifest]
    left_out: tuple[dict[str, str], dict[str, str]]
    inputs: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("diff", __doc__)
    add = result.add_argument
    add("old", type=option_place, metavar="OLD", help="a build folder")
    add("new", type=option_place, metavar="NEW", help="another")
    add("--json", type=writable, metavar="FILE", help="also every changed row, for machines")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line: 0 for the same rows, 1 for others or an error."""
    options = parser().parse_args(argv)
    found: list[Change] = []
    if run(lambda: found.extend(report(options)), options.debug):
        return EXIT_FAILED
    return EXIT_FAILED if found else EXIT_OK


def report(options: argparse.Namespace) -> list[Change]:
    """Print what changed; returns it."""
    from core.store import write_text

    old, new = read_manifest(options.old), read_manifest(options.new)
    found = list(changes(options.old, options.new))
    for line in lines(old, new, found):
        print(line)
    if options.json:
        told = {"old": str(options.old), "new": str(options.new), "settings": settings(old, new),
                "changes": [change._asdict() for change in found]}  # fmt: skip
        write_text(options.json, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return found


def changes(old: Path, new: Path) -> Iterator[Change]:
    """Rows that differ between two builds, by config; raises `UserError` for what is no build."""
    manifests = (read_manifest(old), read_manifest(new))
    both = tuple(zip((old, new), manifests, strict=True))
    reasons = [{d["item"].removeprefix("id "): d["reason"] for d in records(*side, "drops")}
               for side in both]  # fmt: skip
    inputs = [{one["manual_id"]: one for one in records(*side, "inputs")} for side in both]
    sides = Sides(manifests, (reasons[0], reasons[1]), (inputs[0], inputs[1]))
    configs = sorted({c for manifest in manifests for c in manifest["rows"]})
    for config in configs:
        ours, theirs = _rows(old, config), _rows(new, config)
        for before, after in _pairs(ours, theirs):
            change = _change(config, before, after, sides)
            if change:
                yield change


def _rows(build: Path, config: str) -> dict[str, Row]:
    """The rows of a config by id with `split` and, for the picture, its content-hash name."""

    from core.features import picture_columns
    from lego_arta import FEATURES

    found: dict[str, Row] = {}
    for split in SPLITS:
        for path in shards(build, config, split)[:1]:
            pictures = picture_columns(FEATURES[config]) if config in FEATURES else ["image"]
            names = [name for name in column_names(path) if name not in pictures]
            paths = [f"{name}.path" for name in pictures]
            for row in read_rows(build, config, split, [*names, *paths]):
                shown = {name: (row.columns.pop(name) or {}).get("path") for name in pictures}
                picture = shown.pop("image")
                found[row.id] = {**row.columns, **shown, "picture": picture, "split": split}
    return found


def _pairs(
    ours: Mapping[str, Row], theirs: Mapping[str, Row]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows that are one: by id, and what is left by its place, in the order of the files."""
    left: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row_id, row in theirs.items():
        if row_id not in ours:
            left[_place(row)].append(row)
    for row_id, row in ours.items():
        same = left[_place(row)]
        yield row, theirs.get(row_id) or (same.pop(0) if same else None)
    yield from ((None, row) for rows in left.values() for row in rows)


def _place(row: Row) -> tuple[Any, ...]:
    """Where a row stands, whatever it shows."""
    names = ("manual_id", "session_id", "step_num", "cell", "label", "negative_kind", "pair_id",
             "conversation_type")  # fmt: skip
    return tuple(row.get(name) for name in names)


def _change(config: str, before: Row | None, after: Row | None, sides: Sides) -> Change | None:
    if before is None or after is None:
        row = before or after
        assert row is not None
        what = "removed" if before else "added"
        why = _why_row(row, before is not None, sides)
        return Change(config, *_ids(before, after), (what,), (), tuple(why))
    # What hangs on the picture's hash alone has not changed by itself.
    columns = [name for name in {**before, **after} if before.get(name) != after.get(name)
               and name not in ("id", "group_id")]  # fmt: skip
    if not columns:
        return None
    kinds = dict.fromkeys(_kind(name) for name in columns if name != "provenance")
    reasons = dict.fromkeys(w for kind in kinds for w in _why(kind, before, after, sides))
    return Change(config, *_ids(before, after), tuple(kinds) or ("provenance",), tuple(columns),
                  tuple(reasons))  # fmt: skip


def _ids(before: Row | None, after: Row | None) -> tuple[str, str]:
    return (before or {}).get("id", ""), (after or {}).get("id", "")


def _kind(column: str) -> str:
    return "text" if column in TEXTS else "boxes" if column in BOXES else column


def _why_row(row: Row, removed: bool, sides: Sides) -> Iterator[str]:
    """Why a row is in one of the builds alone."""
    lacking = sides.inputs[removed]
    manual, dropped = row["manual_id"], sides.left_out[removed].get(row["id"])
    if manual not in lacking:
        yield f"manual {'gone' if removed else 'new'}: {manual}"
    elif dropped:
        yield f"left out: {dropped}"
    else:
        yield from _why("row", row, row, sides)


def _why(kind: str, before: Row, after: Row, sides: Sides) -> Iterator[str]:
    """What of the provenance, inputs and options differs that can have done it; else the code."""
    told = []
    ours, theirs = (row["provenance"] for row in (before, after))
    if kind in ("picture", "boxes") and ours["source_images"] != theirs["source_images"]:
        told.append("other source pictures")
    if (
        kind in ("boxes", "confidence", "sample_weight")
        and ours["annotator"] != theirs["annotator"]
    ):
        told.append(f"annotator {ours['annotator']} -> {theirs['annotator']}")
    manual = after["manual_id"]
    inputs = [side.get(manual, {}) for side in sides.inputs]
    if kind in ("text", "row") and inputs[0].get("page_sha256") != inputs[1].get("page_sha256"):
        told.append(f"page changed: {manual}")
    if kind in ("picture", "row") and inputs[0].get("images") != inputs[1].get("images"):
        told.append(f"pictures of the manual changed: {manual}")
    options = settings(*sides.manifests)
    told += [options[name] for name in OPTIONS.get(kind, ()) if name in options]
    if not told:
        told = [options[name] for name in ("code", "libraries") if name in options]
    yield from told or ["nothing that the builds tell"]


def settings(old: Manifest, new: Manifest) -> dict[str, str]:
    """Options, code and libraries that differ, each in words."""
    found = {}
    names = dict.fromkeys((*old["options"], *new["options"]))
    for name in names:
        values = [manifest["options"].get(name) for manifest in (old, new)]
        if values[0] != values[1]:
            short = all(isinstance(value, str | int | float | None) for value in values)
            shown = f" {values[0]} -> {values[1]}" if short else ""
            found[name] = f"option {name}{shown}"
    codes = [manifest.get("code_sha256", "")[:12] for manifest in (old, new)]
    if codes[0] != codes[1]:
        found["code"] = f"code {codes[0]} -> {codes[1]}"
    versions = [manifest.get("libraries", {}) for manifest in (old, new)]
    other = sorted(
        n for n in {**versions[0], **versions[1]} if versions[0].get(n) != versions[1].get(n)
    )
    if other:
        found["libraries"] = f"libraries {', '.join(other)}"
    return found


def lines(old: Manifest, new: Manifest, found: Sequence[Change]) -> Iterator[str]:
    """The report: what the builds were made with, then by config and kind how many, why, which."""
    yield from settings(old, new).values()
    if not found:
        yield "the same rows"
    groups: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in found:
        for what in change.what:
            groups[change.config, what].append(change)
    for (config, what), several in groups.items():
        number = "row" if len(several) == 1 else "rows"
        verb = "" if what in ("added", "removed") else " changed"
        yield f"{config}: {what}{verb}, {len(several):,} {number}"
        why = Counter(reason for change in several for reason in change.why)
        yield from (f"    {number:,} x {reason}" for reason, number in why.most_common(SHOWN))
        names = [" -> ".join(dict.fromkeys(filter(None, (c.id, c.new_id)))) for c in several]
        more = f", and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        yield f"    {', '.join(names[:SHOWN])}{more}"

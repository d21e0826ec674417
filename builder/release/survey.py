"""What all manuals together are, gone through one by one: counts, tables, sizes, the split."""

import collections
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from builder.release import split
from builder.release.records import Table, write_table
from builder.release.reviews import Applied, Decided, apply_reviews, counts_of
from builder.release.stats import Totals
from core.parquet import Index
from core.records import CrawledManual, Drop, ManualStats, load
from core.records import Manual as ParsedManual
from core.store import CRAWL, ROWS
from tasks import TASKS


class Manual(NamedTuple):
    """A manual's rows and counts, and what raters decided of them."""

    manual_id: str
    rows: Index
    stats: ManualStats
    reviewed: Applied

    @property
    def for_split(self) -> split.Manual:
        """What the split needs of it."""
        left_out = self.reviewed.left_out
        return split.Manual(self.manual_id, self.stats.set_number, self.rows, left_out)


@dataclass(frozen=True)
class Manuals:
    """The manuals of a build by id; read anew each time they are gone through."""

    work: Path
    manual_ids: list[str]
    decided: Decided
    rewritten: bool = False  # whether a model was asked for other words

    def __iter__(self) -> Iterator[Manual]:
        for manual_id in self.manual_ids:
            folder = self.work / ROWS / manual_id
            rows = load(folder / "index.json", Index)
            counts = load(folder / "stats.json", ManualStats)
            reviewed = apply_reviews(self.decided, manual_id, rows)
            yield Manual(manual_id, rows, counts, reviewed)


@dataclass(frozen=True)
class ForSplit:
    """The same, as the split goes through them."""

    manuals: Manuals

    def __iter__(self) -> Iterator[split.Manual]:
        return (manual.for_split for manual in self.manuals)


class Pictures(NamedTuple):
    """Bytes of a config's pictures in all, and of the largest."""

    total_bytes: int = 0
    largest_bytes: int = 0


@dataclass
class Survey:
    """Sums over all manuals."""

    totals: Totals = field(default_factory=Totals)
    reviewed: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, Pictures] = field(default_factory=lambda: dict.fromkeys(TASKS, Pictures()))
    records: dict[str, int] = field(default_factory=dict)  # lengths of the tables


def survey(folder: Path, manuals: Manuals, crawl_drops: Iterable[Drop]) -> Survey:
    """Go through the manuals once: add up, and write the tables of records into the build."""
    found, reviewed = Survey(), collections.Counter[str]()
    tables = {name: Table(folder, name) for name in ("drops", "disagreements")}
    for drop in crawl_drops:
        found.totals.add_drop(drop)
        tables["drops"].add([drop])
    for manual in manuals:
        found.totals.add(manual.stats)
        for drop in (*manual.stats.drops, *manual.reviewed.drops):
            found.totals.add_drop(drop)
            tables["drops"].add([drop])
        tables["disagreements"].add(manual.stats.review)
        _add_reviewed(reviewed, manual.reviewed)
        _add_pictures(found.pictures, manual)
    for name, table in tables.items():
        table.close()
        found.records[name] = table.rows
    for name, told in (("inputs", _inputs), ("manuals", _told)):
        of_each = (told(manuals.work, manual_id) for manual_id in manuals.manual_ids)
        found.records[name] = write_table(folder, name, of_each)
    found.reviewed = counts_of(manuals.decided, reviewed)
    return found


def _add_reviewed(counts: collections.Counter[str], applied: Applied) -> None:
    counts["in_this_build"] += applied.found
    counts["left_out"] += len(applied.left_out)
    counts["weighted"] += len(applied.weights)


def _add_pictures(pictures: dict[str, Pictures], manual: Manual) -> None:
    for config, (total, largest) in pictures.items():
        sizes = [row.size_bytes for row in manual.rows[config]]
        pictures[config] = Pictures(total + sum(sizes), max(largest, *sizes, 0))


def _inputs(work: Path, manual_id: str) -> dict[str, Any]:
    crawled = load(work / CRAWL / manual_id / "crawl.json", CrawledManual)
    return {
        "manual_id": manual_id,
        "url": crawled.url,
        "page_sha256": crawled.page_sha256,
        "images": [(image.url, image.sha256) for image in crawled.images if image.sha256],
    }


def _told(work: Path, manual_id: str) -> dict[str, Any]:
    """What a manual says of itself (thesis, Figure 4.1): its title, and its summary, the lines
    before its first picture. Of rows that came ready made nobody has the summary."""
    crawled = load(work / CRAWL / manual_id / "crawl.json", CrawledManual)
    made = work / ROWS / manual_id / "manual.json"
    rows = load(made, ParsedManual).instructions if made.is_file() else []
    summary = itertools.takewhile(lambda row: row.img is None, rows)
    return {
        "manual_id": manual_id,
        "set_number": crawled.set_number,
        "title": crawled.title,
        "introduction": [line for row in summary for line in row.text],
        "instructions": len(rows),
        "url": crawled.url,
    }

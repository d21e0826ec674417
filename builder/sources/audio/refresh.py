"""What a later crawl need not ask for again: copies that are held to be what their server has."""

import re
import time
from pathlib import Path

from builder.sources.audio.crawl_store import RECORD, Entry
from builder.sources.audio.fetch_session import DAY_S, CrawlOptions
from core.errors import UserError
from core.records import CrawledManual, load

# Of a picture whose server says nothing of how long it stays.
UNTOLD_AGE_S = 30 * DAY_S
NOT_FETCHED = "not_fetched"  # the error of what no earlier crawl has, where nothing may be asked


def max_age_of(cache_control: str | None) -> int | None:
    """Seconds for which a Cache-Control header says that nobody need ask; None if it doesn't."""
    text = (cache_control or "").lower()
    if re.search(r"\bno-(cache|store)\b", text):
        return 0
    found = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,10})", text)
    return int(found[1]) if found else None


def is_settled(folder: Path, page_sha256: str | None) -> bool:
    """Whether a manual was made whole from this very page, so that its pictures were asked for."""
    try:
        return load(folder / RECORD, CrawledManual).page_sha256 == page_sha256
    except UserError:  # there is none, or of older code
        return False


def is_fresh(entry: Entry, options: CrawlOptions) -> bool:
    """Whether a picture of a page that has not changed is held to be unchanged itself."""
    if options.refresh == "all" or entry.checked_at_s is None or entry.error or not entry.file:
        return False
    told = UNTOLD_AGE_S if entry.max_age_s is None else entry.max_age_s
    limit_s = told if options.max_age_s is None else options.max_age_s
    return 0 <= time.time() - entry.checked_at_s < limit_s

"""A build whose work folder lies on shared storage: what the command brings here and sends there.

Crawling, drawing and asking are done in scratch, where the command runs; the stages of a manual
wherever its worker runs (`stages.run`).
"""

import argparse
import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sequence

from builder.engine import Engine
from builder.engine.local import Workers
from builder.sources.source import Manuals, Source
from core import store
from core.lease import tidying
from core.mirror import ATTEMPTS, FETCHING, Mirror, scratch_of
from core.storage import check, is_shared
from core.store import ANSWERS, CRAWL, DEMO, LDRAW, PARSE, REWRITTEN, ROWS

# Of a crawl besides its manuals: what is known of every address, and the pages that led to manuals.
PAGES, REPORT = f"{CRAWL}/.pages", f"{CRAWL}/report.jsonl"
TREES = (DEMO, LDRAW, PAGES)
# In scratch: a source has begun, and what it brought was not sent to its end. It says what `SENT`
# on the storage said then, which is another with everybody who sends.
UNSENT, SENT = ".unsent", ".sent"


@contextlib.contextmanager
def work_of(options: argparse.Namespace) -> Iterator[Mirror | None]:
    """Hold --work for one run. On shared storage it gives the mirror, and `options.work` is the
    scratch folder from then on."""
    place = options.work
    if not is_shared(place):
        with store.working_in(place):
            yield None
        return
    check(place, "--work")
    options.work = (options.scratch or scratch_of(place)).absolute()
    with store.working_in(options.work), store.held(place / ".lease", f"--work {place}"):
        killed = options.work.glob(f"{FETCHING}*{store.TEMPORARY}")
        for left in (options.work / ATTEMPTS, *killed):  # of runs that were killed
            shutil.rmtree(left, ignore_errors=True)
        yield Mirror(place, options.work)


def engine_here(options: argparse.Namespace, engine: Engine, shared: Mirror | None) -> Engine:
    """What runs calls that read or write the work folder itself: on shared storage that is scratch
    of this machine, which others don't have."""
    return Workers(options.workers) if shared else engine


def bring(
    source: Source, options: argparse.Namespace, engine: Engine, shared: Mirror | None
) -> Manuals:
    """The manuals of a source, in the work folder and, if there is one, on the shared storage;
    `engine` runs here."""
    if shared is None:
        return source.bring(options, engine)
    unsent, sent = options.work / UNSENT, shared.read(SENT) or b""
    if not unsent.is_file() or sent not in unsent.read_bytes().split(b"\n"):
        # else what is here is newer
        for name in TREES:
            shared.bring(name)
        shared.pull_if_there(REPORT)
        shared.pull_all(CRAWL, shared.manuals(CRAWL), lambda name: True)
    store.write_bytes(unsent, sent)
    found = source.bring(options, engine)
    new = secrets.token_hex(8).encode()
    store.write_bytes(unsent, sent + b"\n" + new)  # killed here it is still the one, then the other
    store.write_bytes(shared.place / SENT, new)
    shared.push_all(CRAWL, found.manual_ids)
    for name in TREES:
        shared.send(name)
    shared.send_file(REPORT)
    unsent.unlink()
    return found


@contextlib.contextmanager
def asking(shared: Mirror | None, manual_ids: Sequence[str]) -> Iterator[None]:
    """While models are asked: the manuals and the answers are here, new answers are kept."""
    if shared is None:
        yield
        return
    shared.pull_all(PARSE, manual_ids)
    shared.bring(ANSWERS)
    with tidying(lambda: shared.send(ANSWERS, only_add=True)):
        yield


@contextlib.contextmanager
def rewriting(
    shared: Mirror | None, manual_ids: Sequence[str], configs: Sequence[str]
) -> Iterator[None]:
    """While an endpoint is asked for other words: rows of these configs are here, too."""
    if shared is None:
        yield
        return
    shared.bring(ANSWERS)
    for manual_id in manual_ids:
        shared.pull_files([f"{ROWS}/{manual_id}/{config}.parquet" for config in configs])
    with tidying(lambda: shared.send(ANSWERS, only_add=True)):
        yield
    shared.send(REWRITTEN)

"""Stage folders: whole or not there, however many attempts at one manual run at once."""

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faulty_server import manual_html, png

from builder.sources.audio import saved
from builder.sources.demo import manuals as demo
from builder.sources.released import importing as legacy
from core import store
from core.errors import UserError
from core.records import CrawledManual, load
from core.store import DONE, stage

ATTEMPTS = 6


def at_once(attempt: Callable[[int], object]) -> list:
    """The results of attempts that begin at one moment; what one of them raises is raised here."""
    barrier = threading.Barrier(ATTEMPTS)

    def run(number: int) -> object:
        barrier.wait(60)
        return attempt(number)

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return list(pool.map(run, range(ATTEMPTS)))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_second_attempt_takes_what_the_first_one_left(tmp_path):
    """One begins, another overtakes it: readers of the other's folder must not lose it again."""
    folder = tmp_path / "2_parse" / "m"
    inodes = []

    def overtaken(target: Path) -> None:
        stage(folder, "f", lambda other: (other / "rows").write_text("1") and None)
        inodes.append((folder / "rows").stat().st_ino)
        (target / "rows").write_text("1")

    assert stage(folder, "f", overtaken)
    assert (folder / "rows").stat().st_ino == inodes[0]
    assert names(folder.parent) == {"m"}
    assert not stage(folder, "f", overtaken)


@pytest.mark.parametrize("old", ["nothing", "of other code", "cut short", "same"])
def test_many_attempts_at_once_all_end_well(old, tmp_path):
    for trial in range(25):
        folder = tmp_path / str(trial) / "m"
        if old != "nothing":
            folder.mkdir(parents=True)
            (folder / "left").touch()
            if old != "cut short":
                (folder / DONE).write_text("f" if old == "same" else "e")
        ready = threading.Barrier(ATTEMPTS)

        def make(target: Path, ready: threading.Barrier = ready) -> None:
            (target / "rows").write_text("1")
            ready.wait(60)  # all want to put theirs in place now

        def attempt(_: int, folder: Path = folder, make: Callable = make) -> str:
            stage(folder, "f", make)
            return "".join((folder / "rows").read_text() for _ in range(3) if old != "same")

        assert set(at_once(attempt)) == {"" if old == "same" else "111"}
        assert names(folder.parent) == {"m"}
        assert names(folder) == ({"left", DONE} if old == "same" else {"rows", DONE})


def test_an_attempt_that_fails_leaves_what_was_there(tmp_path):
    folder = tmp_path / "2_parse" / "m"
    stage(folder, "f", lambda target: (target / "rows").touch())
    with pytest.raises(UserError, match="broken"):
        stage(folder, "g", lambda _: (_ for _ in ()).throw(UserError("broken")))
    assert names(folder) == {"rows", DONE} and names(folder.parent) == {"m"}


def test_a_saved_page_imported_several_times_at_once(tmp_path):
    page = tmp_path / "site" / "lego-7-a-thing-readscr" / "index.html"
    page.parent.mkdir(parents=True)
    for trial in range(10):
        shown = [f"{trial}-{number}.png" for number in range(4)]
        for number, name in enumerate(shown):
            (page.parent / name).write_bytes(png(10 * trial + number))
        page.write_bytes(manual_html(shown))

        def attempt(_: int) -> list[bool]:
            manual_id = saved.import_manual(tmp_path / "site", page, tmp_path / "1_crawl")
            folder = tmp_path / "1_crawl" / manual_id
            record = load(folder / "crawl.json", CrawledManual)
            return [(folder / str(image.file)).is_file() for image in record.images]

        assert at_once(attempt) == [[True] * 4] * ATTEMPTS
        (folder,) = (tmp_path / "1_crawl").iterdir()
        assert names(folder) == {"crawl.json", "page.html", "images", DONE}
        assert len(names(folder / "images")) == 4


def test_a_released_manual_imported_several_times_at_once(tmp_path):
    root = tmp_path / "ARTA_LEGO"
    images = "lego/lego-10001-hut-readscr/images"
    (root / images).mkdir(parents=True)
    for trial in range(10):
        (root / images / "Hut-1_step_A.png").write_bytes(png(trial))
        row = legacy.Told("scene", f"{images}/Hut-1_step_A.png", f"[grounding] {trial}", "Put it.")
        page = legacy.Page("lego-10001-hut-readscr", [], [row])

        def attempt(_: int, page: legacy.Page = page) -> bytes:
            manual_id = legacy.import_manual(root, page, tmp_path / "1_crawl")
            folder = tmp_path / "1_crawl" / manual_id
            load(folder / "crawl.json", CrawledManual)
            return (folder / legacy.PAGE).read_bytes()

        assert [json.loads(data)["rows"][0]["query"] for data in set(at_once(attempt))] == [
            f"[grounding] {trial}"
        ]


def test_a_drawing_begun_again_takes_nothing_away(tmp_path, monkeypatch):
    """One looks and finds nothing; another draws the manual; it must still be there for that one
    after the first has cleared the place for its own.
    """
    draw_rows, is_drawn, me = demo._draw_rows, demo._is_drawn, threading.get_ident()
    looked, ended, begun, seen = (threading.Event() for _ in range(4))

    def is_drawn_slowly(*arguments: object) -> bool:
        drawn = is_drawn(*arguments)
        if threading.get_ident() != me:
            looked.set()
            ended.wait(0.5)  # the other can't end, if the place is held meanwhile
        return drawn

    def one_row(*arguments: object) -> object:
        if threading.get_ident() != me:
            begun.set()
            seen.wait(60)
        return itertools.islice(draw_rows(*arguments), 1)

    monkeypatch.setattr(demo, "_draw_rows", one_row)
    monkeypatch.setattr(demo, "_is_drawn", is_drawn_slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(demo.draw_manual, tmp_path, 0, 42)
        assert looked.wait(60)
        truth = tmp_path / "truth" / f"{demo.draw_manual(tmp_path, 0, 42)}.json"
        ended.set()
        assert begun.wait(60)
        still_there = truth.is_file()
        seen.set()
        assert still_there and first.result() == truth.stem


def test_a_lock_of_one_run_is_one_line_for_the_other(tmp_path):
    lock = tmp_path / ".lego-arta.lock"
    with (
        store.held(lock, "--out lego-arta"),
        pytest.raises(UserError, match="--out lego-arta: another build is running there"),
        store.held(lock, "--out lego-arta"),
    ):
        pass
    with store.held(lock, "--out lego-arta"):
        pass

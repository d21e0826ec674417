"""How fast review pages are in a real browser; see `lego-arta bench review`."""

import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from core.build import read_manifest
from core.errors import UserError
from review import page, sampling
from review.criteria import RATINGS
from review.questions import NamedBox, Question

PRESSES, PAUSE_MS = 40, 400


def pages(build: Path | None, folder: Path) -> dict[str, Path]:
    """The object and the state page of a build, and one as large as a page may be."""
    made: dict[str, Path] = {}
    for task in (RATINGS["object"], RATINGS["state"]):
        if build is None:
            break
        drawn = sampling.sample(build, task, task.samples, 42, "mixed")
        made[task.name] = folder / f"{task.name}.html"
        page.write_page(
            made[task.name], *page.page_and_key(task, drawn.questions, read_manifest(build), True)
        )
    made["largest"] = folder / "largest.html"
    page.write_page(made["largest"], *page.page_and_key(RATINGS["object"], largest(), {}, True))
    return made


def largest() -> list[Question]:
    """100 pictures of 1600 x 1200 that fill 25 MB: smooth colours with a little noise."""
    rng = np.random.default_rng(42)
    questions = []
    for number in range(RATINGS["object"].samples):
        small = rng.integers(0, 255, (9, 12, 3), np.uint8)
        image = Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC)
        rgb = np.asarray(image).astype(int) // 16 * 16
        rgb[:40] += rng.integers(0, 2, (40, 1600, 1))
        buffer = io.BytesIO()
        Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(
            buffer, "WEBP", lossless=True, method=1, quality=50
        )
        boxes = (NamedBox("a part", (400.0, 300.0, 800.0, 700.0)),)
        questions.append(
            Question(f"r{number}", "m", "a text", (buffer.getvalue(),), ((1600, 1200),), boxes)
        )
    return questions


def measure(file: Path) -> dict[str, float]:
    """Size, seconds to the first screen, milliseconds to the next sample of one page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto("about:blank")
        started = time.perf_counter()
        tab.goto(file.as_uri())
        loaded = time.perf_counter() - started
        painted = tab.evaluate(
            "() => new Promise(done => new PerformanceObserver(list => done("
            "list.getEntriesByName('first-contentful-paint')[0].startTime))"
            ".observe({ type: 'paint', buffered: true }))"
        )
        tab.fill("#rater", "bench")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#sample:visible")
        # From the key to the next frame on the screen, by the browser's own clock.
        tab.evaluate(
            "() => { window.took = []; new PerformanceObserver(list => { for (const e of "
            "list.getEntries()) if (e.name === 'keydown') window.took.push(e.duration); })"
            ".observe({ type: 'event', durationThreshold: 16, buffered: false }); }"
        )
        for _ in range(PRESSES):
            tab.wait_for_timeout(PAUSE_MS)
            tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(1000)
        took = tab.evaluate("window.took")
        browser.close()
    # What took less than 16 ms is not told.
    all_ms = [*took, *[16.0] * (PRESSES - len(took))]
    return {
        "megabytes": file.stat().st_size / 1e6,
        "first_s": painted / 1000,
        "ready_s": loaded,
        "next_median_ms": statistics.median(all_ms),
        "next_max_ms": max(all_ms),
        "slow": sum(ms > 50 for ms in all_ms),
    }


def bench_review(options) -> None:
    """First screen and next sample of rating pages, in Chromium."""
    if not shutil.which("chromium"):
        raise UserError("no chromium here; apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        for what, file in pages(options.out if options.out.is_dir() else None, Path(name)).items():
            m = measure(file)
            print(
                f"{what:<8} {m['megabytes']:5.1f} MB; first screen {m['first_s']:.2f} s, ready "
                f"{m['ready_s']:.2f} s; next sample {m['next_median_ms']:.0f} ms in the median, "
                f"{m['next_max_ms']:.0f} at most, {m['slow']:.0f} of {PRESSES} above 50"
            )

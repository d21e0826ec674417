"""Tests import the checkout they stand in, from wherever pytest is started."""

import os
import runpy
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
from hypothesis import settings
from outside import (
    CAD_MODELS,
    MANUAL_SITE,
    NO_CAD_MODELS,
    NO_MANUAL_SITE,
    NO_SPICE_PARSER,
    NO_VSD_FILES,
    VSD_FILES,
    demo_build,
)

ROOT = Path(__file__).resolve().parent.parent
# For the processes that tests start; `pythonpath` in pyproject.toml is for pytest itself.
STARTED = ROOT / "tests" / "helpers" / "started"
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (STARTED, ROOT)))
runpy.run_path(str(STARTED / "sitecustomize.py"))  # and for this one
# Each of the many processes would compile all modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Workers share the cores; many threads on small tables spend their time waiting for each other.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")

# In CI the same examples every time; by hand, new ones. How long one takes says how busy we are.
IN_CI = bool(os.environ.get("CI"))
settings.register_profile("ours", derandomize=IN_CI, deadline=None)
settings.load_profile("ours")
# All else that tests may lack is installed there; what no machine of CI can be made to have:
MAY_BE_MISSING = (NO_MANUAL_SITE, NO_CAD_MODELS, NO_VSD_FILES, NO_SPICE_PARSER, "mounting")


def pytest_xdist_auto_num_workers() -> int:
    """More workers than cores: tests of servers and killed processes wait more than they work."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """The folder of `outside.demo_build`, one for all; nobody may change it."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder = place / "demo"
    with filelock.FileLock(place / "demo.lock"):
        return folder if (folder / "said").exists() else demo_build(folder)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """What `datasets` keeps of what it read goes to a folder of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium from the system; without one a skip, but in CI a failure."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        (pytest.fail if IN_CI else pytest.skip)("needs chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield running
        running.close()


def pytest_collection_modifyitems(items):
    """Skip tests of what stands beside the checkout where it is missing."""
    beside = {
        "manual_site": (MANUAL_SITE, NO_MANUAL_SITE),
        "cad_models": (CAD_MODELS, NO_CAD_MODELS),
        "vsd_files": (VSD_FILES, NO_VSD_FILES),
    }
    for marker, (folder, reason) in beside.items():
        for item in items if not folder.is_dir() else ():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """Say in CI which skips are none of those that may be; `pytest_sessionfinish` fails for them.

    A package that is not installed would otherwise take its tests away without a word.
    """
    for reason in _unexpected(terminalreporter):
        terminalreporter.write_line(f"skipped, but in CI it must run: {reason}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """In CI a skip that need not be is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and _unexpected(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unexpected(reporter) -> list[str]:
    skipped = reporter.stats.get("skipped", []) if IN_CI else []
    reasons = [(report.nodeid, report.longrepr[2]) for report in skipped]
    return [
        f"{nodeid}: {reason}"
        for nodeid, reason in reasons
        if not any(known in reason for known in MAY_BE_MISSING)
    ]

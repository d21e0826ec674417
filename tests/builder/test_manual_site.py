"""Quality on a manual site made from real LEGO models, crawled over real HTTP on loopback.

The site is kept outside the project; without it these tests skip. What is asked of boxes,
names and colours stands in the asserts; encoding is left out, so this takes seconds.
"""

import json
import runpy
import threading
from collections import Counter
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from outside import MANUAL_SITE

from benchmarks import compare, truth_spatial
from benchmarks import truth as quality
from builder.annotate.manual import write_annotations
from builder.annotate.models import ModelOptions
from builder.parse.manual import write_manual
from builder.sources.audio.crawl import CrawlOptions, crawl_site
from core.records import Annotation, CrawledManual, Manual, load
from core.store import ANNOTATE, CRAWL, PARSE
from tasks.context import Context, TaskOptions
from tasks.manual import with_findings

pytestmark = pytest.mark.manual_site


@pytest.fixture(scope="module")
def truth() -> dict[str, dict]:
    """Truth of every manual by manual id."""
    manuals = json.loads((MANUAL_SITE / "truth.json").read_text())["manuals"]
    return {Path(manual["manual_page"]).name: manual for manual in manuals}


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Stages 1 to 3 of the whole site."""
    folder = tmp_path_factory.mktemp("site")
    handler = partial(
        runpy.run_path(str(MANUAL_SITE / "serve.py"))["Handler"], directory=MANUAL_SITE / "site"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.RequestHandlerClass.func.log_message = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/instructions/"
        manual_ids = crawl_site(url, folder / CRAWL, CrawlOptions(delay_s=0)).manual_ids
        server.shutdown()
    for manual_id in manual_ids:
        for stage in (PARSE, ANNOTATE):
            (folder / stage / manual_id).mkdir(parents=True)
        crawled = folder / CRAWL / manual_id / "crawl.json"
        write_manual(crawled, folder / PARSE / manual_id)
        write_annotations(
            folder, manual_id, "foreground", ModelOptions(), folder / ANNOTATE / manual_id
        )
    return folder


def _manual(work: Path, manual_id: str) -> Manual:
    return load(work / PARSE / manual_id / "manual.json", Manual)


def test_all_manuals_are_found(work, truth):
    assert {path.parent.name for path in work.glob(f"{CRAWL}/*/crawl.json")} == set(truth)


def test_every_row_is_read_as_it_is_or_is_a_listed_drop(work, truth):
    for manual_id, true in truth.items():
        manual = _manual(work, manual_id)
        dropped = {drop.item: drop.reason for drop in manual.drops}
        rows = {instruction.instruction_id: instruction for instruction in manual.instructions}
        for row in true["rows"]:
            if row["row"] not in rows:
                assert dropped[f"row {row['row']}"] == "duplicate_row"
                assert row["duplicate_of_previous"]
                continue
            assert " ".join(rows[row["row"]].text) == row["text"]
            usable = row["class"] in ("eop", "fullscreeneop", "step") and row["image"]
            bad = row.get("image_missing") or row.get("image_truncated") or not row["text"]
            assert (f"row {row['row']}" in dropped) == (not usable or bool(bad))


def test_oddities_are_dropped_for_the_right_reason(work, truth):
    reasons = {
        (manual_id, drop.item): drop.reason
        for manual_id in truth
        for drop in _manual(work, manual_id).drops
    }
    expected = {
        "image_404": {"http_404"},
        "truncated_image": {"truncated_image"},
        "start_image": {"start_image"},
        "row_without_text": {"row_without_text"},
        "row_without_image": {"text_only_row", "no_image"},
        "duplicate_row": {"duplicate_row"},
    }
    seen = set()
    for manual_id, true in truth.items():
        for row in true["rows"]:
            for oddity in set(row["oddities"]) & set(expected):
                reason = reasons.get((manual_id, f"row {row['row']}"))
                if oddity == "duplicate_row" and reason is None:
                    continue  # the first of the two
                assert reason in expected[oddity], (manual_id, row["row"], oddity)
                seen.add(oddity)
    assert seen == set(expected)


def test_boxes_and_names(work, truth):
    boxes = [box for m, true in truth.items() for box in quality.box_rows(work, m, true)]
    numbers = quality.box_measures(boxes)
    assert numbers["labels"] > 300
    assert numbers["single_part_iou"] >= 0.99
    assert numbers["label_iou"] >= 0.97
    assert numbers["right_label_share"] >= 0.97
    assert numbers["instance_count_right"] >= 0.99


def test_boxes_and_names_in_pictures_made_worse(work, truth):
    """A sample of them; `lego-arta measure --compare foreground --degrade` takes all."""
    cases = compare.cases_of(work, {"manuals": list(truth.values())}, degraded=True)[::8]
    numbers = compare.compare(["foreground"], cases, ModelOptions())["foreground"]
    assert numbers["labels"] > 30
    assert numbers["single_part_iou"] >= 0.95
    assert numbers["label_iou"] >= 0.90
    assert numbers["right_label_share"] >= 0.97


def test_boundary_colors_are_right_and_none_is_invented(work, truth):
    counts = sum(
        (quality.color_counts(_with_colors(work, m), true) for m, true in truth.items()),
        start=Counter(),
    )
    assert counts["right"] >= 0.9 * counts["outlined"] > 10
    assert counts["invented"] == 0


def _with_colors(work: Path, manual_id: str) -> Manual:
    """The manual JSON with the sessions' colours filled in, as the tasks stage leaves it."""
    manual, folder = _manual(work, manual_id), work / CRAWL / manual_id
    assert load(folder / "crawl.json", CrawledManual).manual_id == manual_id
    context = Context(manual, folder, {}, TaskOptions())
    filled = with_findings(context)
    assert msgspec.json.decode(msgspec.json.encode(filled), type=Manual) == filled
    return filled


def test_the_same_picture_always_gets_the_same_boxes(work, truth):
    """Two rows of one picture and text may not differ: boxes depend on nothing else."""
    for manual_id in truth:
        path = work / ANNOTATE / manual_id / "annotations.json"
        seen: dict[tuple, Annotation] = {}
        for annotation in load(path, dict[str, Annotation]).values():
            key = (annotation.image_sha256, annotation.answer)
            assert seen.setdefault(key, annotation) == annotation


def test_relations_are_read_from_the_words_of_others(truth):
    measures = truth_spatial.text_measures(truth.values())
    assert measures.pop("relation_lines") > 500
    assert len(measures) == 12  # six labels
    assert all(v >= (0.99 if k.endswith("precision") else 0.95) for k, v in measures.items())


def test_new_parts_are_found_by_outline_and_without(work, truth):
    names = [name for name in truth if "-1180-" in name or "-6861-" in name]
    known = [(name, truth[name]) for name in names]
    measures = truth_spatial.region_measures(work, known, MANUAL_SITE)
    assert measures["regions_difference"] >= 4 and measures["regions_outline"] >= 4
    for source in ("difference", "outline"):
        assert measures[f"regions_{source}_mask_iou"] > 0.95
        assert measures[f"regions_{source}_box_iou"] > 0.85

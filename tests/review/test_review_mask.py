"""Raters on masks: what they see, the three ways in which a mask fails, and what is saved of it."""

import io
import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from builder.release.assemble import AssembleOptions, assemble
from builder.release.reviews import from_json, read_reviews
from builder.stages import BuildOptions
from core.build import picture_bytes, read_rows
from core.masks import read_mask
from core.store import ROWS
from review import command as review
from review import page, results, score
from review.criteria import RATINGS
from review.results import RESULT_FORMAT, Answer, Result

LABELS = ("misguided_target", "missing_target", "insufficient_reasoning", None)


@pytest.fixture(scope="module")
def made(demo, tmp_path_factory):
    """(rows by id, the page's data, its pictures, its key, where it lies)."""
    out = tmp_path_factory.mktemp("mask") / "m.html"
    command = ["make", str(demo / "lego-arta"), "--task", "mask", "--n", "9", "--out", str(out)]
    assert review.main(command) == 0
    data, pictures = page.read_page(out)
    rows = {row.id: row for row in read_rows(demo / "lego-arta", "mask")}
    return rows, data, pictures, results.read_key(page.key_path(out)), out


def _rgb(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), int)


def test_a_sample_shows_the_mask_in_colour_beside_the_picture(made):
    rows, data, pictures, key, _ = made
    assert data["titles"] == ["What is left in colour", "The picture"]
    asked = 0
    for item in data["items"]:
        known = key.items[item["id"]]
        if known.row is None:
            continue
        asked += 1
        row = rows[known.row]
        assert item["text"] == row.columns["query"] and item["boxes"] == []
        shown, whole = (_rgb(pictures[number]) for number in item["pictures"])
        assert (whole == _rgb(picture_bytes(row.place))).all()
        mask = read_mask(row.columns["mask"]["bytes"])
        assert (shown[mask] == whole[mask]).all()
        assert np.ptp(shown[~mask], axis=-1).max() == 0 and shown[~mask].min() >= 191
    assert asked == 9


def test_check_questions_are_a_right_a_misguided_and_a_missing_one(made):
    _, data, pictures, key, _ = made
    checks = {n: item.known["mask"] for n, item in key.items.items() if item.row is None}
    assert sorted(checks.values()) == [1, 2, 4]
    for item in data["items"]:
        if item["id"] in checks:
            shown, whole = (_rgb(pictures[number]) for number in item["pictures"])
            assert (shown != whole).any()


def _result(key, scores, number) -> Result:
    said = {name: Answer({"mask": score}, "", 9000.0, "2026-01-01T10:00:00Z")
            for name, score in scores.items()}  # fmt: skip
    return Result(
        RESULT_FORMAT, key.page_id, "mask", f"Rater {number}", f"{number:032x}", 0, len(said),
        "2026-01-01T09:00:00Z", said, "2026-01-01T20:00:00Z", len(said), True,
    )  # fmt: skip


def test_what_raters_say_is_saved_with_the_kind_of_failure(made, demo, tmp_path):
    _, _, _, key, page_file = made
    samples = [name for name, item in key.items.items() if item.row is not None]
    known = {n: item.known["mask"] for n, item in key.items.items() if item.row is None}
    files = []
    for number in (1, 2):
        scores = {name: place % 4 + 1 for place, name in enumerate(samples)} | known
        files.append(tmp_path / f"review-{number}.json")
        files[-1].write_bytes(msgspec.json.encode(_result(key, scores, number)))
    command = ["score", *map(str, files), "--key", str(page.key_path(page_file)),
               "--out", str(tmp_path / "scores")]  # fmt: skip
    assert review.main(command) == 0
    found = json.loads((tmp_path / "scores/review.json").read_text())
    assert len(found["judgements"]) == 2 * len(samples)
    by_row = {item.row: place % 4 for place, item in
              enumerate(key.items[name] for name in samples)}  # fmt: skip
    for one in found["judgements"]:
        label = LABELS[by_row[one["row"]]]
        assert one.get("failure") == label
        assert one["points"] == float(label is None) and not one["rejects"]
    assert found["criteria"]["mask"]["fleiss"]["value"] == pytest.approx(1)
    _check_build(demo, tmp_path, by_row)


def _check_build(demo, tmp_path, by_row):
    """What the next build makes of it: rows stay, say how they fail, and weigh what was said."""
    reviews, _ = read_reviews([tmp_path / "scores/review.json"])
    assert reviews.rejected == ()
    assert from_json(reviews.as_json) == reviews
    work, out = demo / "w", tmp_path / "lego-arta"
    names = sorted(path.name for path in (work / ROWS).iterdir() if path.is_dir())
    assemble(names, BuildOptions(work), AssembleOptions(out, "demo", probe=False, reviews=reviews))
    rows = {row.id: row.columns for row in read_rows(out, "mask")}
    assert len(rows) == sum(1 for _ in read_rows(demo / "lego-arta", "mask"))
    for row_id, row in rows.items():
        label = LABELS[by_row[row_id]] if row_id in by_row else None
        assert row["failure"] == label
        assert row["sample_weight"] == 0 if label else row["sample_weight"] > 0


def test_a_kind_of_failure_is_no_step_of_quality(made, tmp_path):
    """Everybody says that no mask is right, each time in the kind that comes last before it."""
    _, _, _, key, _ = made
    samples = [name for name, item in key.items.items() if item.row is not None]
    known = {n: item.known["mask"] for n, item in key.items.items() if item.row is None}
    task = RATINGS["mask"]
    read = [_result(key, dict.fromkeys(samples, 3) | known, number) for number in (1, 2)]
    found = score.summary(key, task, results.checked(read, key, task, 0, False))
    told = found["criteria"]["mask"]
    assert told["mean"]["value"] == 0 and told["scale"] == [0, 1]
    assert told["cohen_weighted"] is None and told["counts"] == [0, 0, 2 * len(samples), 0]
    quality = [rule for rule in found["acceptance"]["rules"] if "acceptable" in rule["rule"]]
    assert [rule["passed"] for rule in quality] == [False]
    # Two kinds of failure differ, but neither is better: no sample is disputed for that.
    other = _result(key, dict.fromkeys(samples, 1) | known, 3)
    both = score.summary(key, task, results.checked([read[0], other], key, task, 0, False))
    assert both["disputed"] == []


def test_every_failure_has_a_place_in_the_rows():
    from tasks.mask.check import FAILURES

    (criterion,) = RATINGS["mask"].criteria
    assert {criterion.failure(score) for score in (1, 2, 3)} == set(FAILURES)
    assert criterion.failure(4) is None and criterion.points(4) == 1

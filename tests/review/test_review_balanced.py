"""Raters on balanced states: a picture, what is told, Yes or No; who denies a row turns it down."""

import json

import msgspec
import pytest

from builder.release.reviews import read_reviews
from core.build import picture_bytes, read_rows
from review import command as review
from review import page, results
from review.results import RESULT_FORMAT, Answer, Result
from review.rows import as_webp


@pytest.fixture(scope="module")
def made(demo, tmp_path_factory):
    """(rows by id, the page's data, its pictures, its key, where it lies)."""
    out = tmp_path_factory.mktemp("balanced") / "b.html"
    command = ["make", str(demo / "lego-arta"), "--task", "balanced", "--n", "8", "--out", str(out)]
    assert review.main(command) == 0
    data, pictures = page.read_page(out)
    rows = {row.id: row for row in read_rows(demo / "lego-arta", "state_balanced")}
    return rows, data, pictures, results.read_key(page.key_path(out)), out


def test_a_sample_is_a_picture_and_what_is_told(made):
    rows, data, pictures, key, _ = made
    labels = []
    for item in data["items"]:
        known = key.items[item["id"]]
        if known.row is None:
            continue
        row = rows[known.row]
        assert item["text"].endswith(row.columns["instruction"]) and item["boxes"] == []
        (number,) = item["pictures"]
        assert pictures[number] == as_webp(picture_bytes(row.place))[0]
        assert known.known == {"fits": row.columns["label"] + 1}
        labels.append(row.columns["label"])
    assert len(labels) == 8 and set(labels) == {0, 1}
    # what a row says must not be on the page
    assert "known" not in json.dumps(data) and not {"Yes", "No"} & set(data["items"][0])


def test_check_questions_are_right_ones_and_pictures_of_another_manual(made):
    rows, data, pictures, key, _ = made
    manual_of = {as_webp(picture_bytes(row.place))[0]: row.columns["manual_id"]
                 for row in rows.values()}  # fmt: skip
    checks = [(i, key.items[i["id"]]) for i in data["items"] if key.items[i["id"]].row is None]
    assert sorted(known.known["fits"] for _, known in checks) == [1, 1, 2, 2]
    for item, known in checks:
        (number,) = item["pictures"]
        assert (manual_of[pictures[number]] == known.manual_id) == (known.known["fits"] == 2)


def test_who_denies_a_row_turns_it_down(made, tmp_path):
    _, _, _, key, file = made
    samples = [name for name, item in key.items.items() if item.row is not None]
    files = []
    for number in (1, 2, 3):
        scores = {name: item.known["fits"] for name, item in key.items.items()}
        wrong = samples[:1] if number < 3 else samples[1:2]  # two deny the first, one the second
        scores |= {name: 3 - scores[name] for name in wrong}
        said = {name: Answer({"fits": score}, "", 9000.0, "2026-01-01T10:00:00Z")
                for name, score in scores.items()}  # fmt: skip
        result = Result(
            RESULT_FORMAT, key.page_id, "balanced", f"Rater {number}", f"{number:032x}", 0,
            len(said), "2026-01-01T09:00:00Z", said, "2026-01-01T20:00:00Z", len(said), True,
        )  # fmt: skip
        files.append(tmp_path / f"review-{number}.json")
        files[-1].write_bytes(msgspec.json.encode(result))
    command = ["score", *map(str, files), "--key", str(page.key_path(file)), "--out",
               str(tmp_path / "scores")]  # fmt: skip
    assert review.main(command) == 0
    found = json.loads((tmp_path / "scores/review.json").read_text())
    assert found["confirmed"]["value"] == pytest.approx(21 / 24)
    assert [rule["passed"] for rule in found["acceptance"]["rules"]][1]
    reviews, _ = read_reviews([tmp_path / "scores/review.json"])
    assert reviews.rejected == (key.items[samples[0]].row,)
    assert dict(reviews.weights)[key.items[samples[1]].row] == pytest.approx(2 / 3)

"""Sequences: steps in order, letters dealt evenly, sizes tell nothing, chance without looking."""

import io
import shutil
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image
from scored import gold, row, score, write
from test_derive import derive

from builder.release.validate import violations
from core.build import read_rows
from core.items import load_items, picture_bytes
from derived.sequence import Question as Asked
from derived.sequence import _dealt, questions_of, without_numbers
from derived.source import Source, pixels_of
from evaluation.prompts import Setting, build_prompt
from evaluation.runners import RunnerOptions
from evaluation.runners.manners import body_of
from review.gallery import write_gallery
from tasks.sequence.score import letters_said


@pytest.fixture(scope="module")
def sequences(demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("sequence") / "set"
    return derive(demo / "lego-arta", out, "sequence", "--split", "train", "test")


def rows_of(build):
    return pq.read_table(build / "data" / "sequence").to_pylist()


def test_a_set_is_valid_loads_and_has_all_forms(sequences, own_cache):
    assert list(violations(sequences)) == []
    loaded = load_dataset(str(sequences), "sequence", split="test")
    assert set(loaded["form"]) >= {"next", "previous", "order", "outlier"}
    assert len(loaded[0]["images"]) == len(loaded[0]["labels"])
    assert loaded[0]["images"][0].size[0] == 480


def test_broken_pictures_beside_the_sheet_and_rows_of_nothing_are_found(sequences, tmp_path):
    built = shutil.copytree(sequences, tmp_path / "set")
    (path,) = (built / "data" / "sequence").glob("test-*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["images"][1]["bytes"] = rows[0]["images"][1]["bytes"][:200]
    rows[1]["source_ids"] = []
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    found = [one for one in violations(built) if one.startswith((rows[0]["id"], rows[1]["id"]))]
    assert any("the image can be decoded" in one for one in found)
    assert any("the image's name is the hash of its bytes" in one for one in found)
    assert any("source_ids name what it was made from" in one for one in found)


def test_right_letters_are_those_of_the_steps(demo, sequences):
    at = {}
    for split in ("train", "test"):
        sessions = {}
        for one in read_rows(demo / "lego-arta", "scene", split):
            sessions.setdefault(one.columns["session_id"], []).append(one)
        for steps in sessions.values():
            steps.sort(key=lambda one: one.columns["step_num"])
            at |= {one.id: place for place, one in enumerate(steps)}
    for told in rows_of(sequences):
        places = [at[name] for name in told["source_ids"]]
        by_letter = dict(zip(told["labels"], places, strict=True))
        said = [by_letter[letter] for letter in told["answer"].split(", ")]
        others = sorted(by_letter[x] for x in "ABCD" if x not in told["answer"])
        match told["form"]:
            case "next":
                assert said == [by_letter["1"] + 1]
            case "previous":
                assert said == [by_letter["1"] - 1]
            case "order":
                assert said == list(range(said[0], said[0] + 4))
            case "outlier":
                assert np.diff(others).tolist() == [1, 1]
                assert min(abs(said[0] - other) for other in others) >= 2


def test_sizes_tell_nothing_and_numbers_of_steps_are_gone(demo, sequences):
    for told in rows_of(sequences):
        files = [one["bytes"] for one in told["images"]]
        assert len({len(data) for data in files}) == 1
        assert len({Image.open(io.BytesIO(data)).size for data in files}) == 1
    for one in list(read_rows(demo / "lego-arta", "scene", "test"))[:3]:
        before = pixels_of(one)
        after = without_numbers(before)
        gone = (before != after).any(axis=2)
        ys, xs = gone.nonzero()
        assert gone.any() and gone.mean() < 0.01
        assert ys.max() < 90 and xs.max() < 120  # the demo prints them in the corner
        assert (after[gone].min(axis=1) > 230).all()


def test_places_are_dealt_evenly(tmp_path):
    deal = Source(tmp_path).rng("deal")
    left: list = []
    places = [_dealt(Asked("next", 1, (2, 0, 3, 4), 1, ""), left, deal) for _ in range(24)]
    assert Counter(one[0] for one in places) == dict.fromkeys(range(4), 6)
    assert len(set(places)) == 24
    assert all(len({one[0] for one in places[k : k + 4]}) == 4 for k in range(0, 24, 4))


def test_short_sessions_have_no_questions():
    assert list(questions_of([])) == []


def test_gold_is_right_and_who_does_not_look_is_at_chance(sequences, tmp_path):
    file = write(tmp_path / "gold.sequence.jsonl", gold(sequences, "sequence"))
    scores = score(sequences, tmp_path / "out", file, "--no-report", "--workers", "1")
    assert row(scores, "gold", "sequence")["values"]["acc"] == 100
    for blind in ("first-letter", "majority", "no-image", "copy-query"):
        values = row(scores, blind, "sequence")["values"]
        assert values["next_acc"] <= 35 and values["previous_acc"] <= 35, blind
    # The likest picture is the one before as often as the one after, or another.
    alike = row(scores, "similarity", "sequence")["values"]
    assert alike["next_acc"] + alike["previous_acc"] <= 100


def test_a_set_is_shown(sequences, tmp_path):
    assert write_gallery(sequences, tmp_path / "gallery", None)["rows"] == len(rows_of(sequences))


@pytest.mark.parametrize(
    ("text", "number", "letters"),
    [
        ("B.", 1, "B"), ("(C) is next", 1, "C"), ("A", 1, "A"), ("A is next", 1, "A"),
        ("A or B", 1, None), ("A picture of a brick", 1, None), ("A step later: C", 1, "C"),
        ("Picture A shows the next step.", 1, "A"), ("The answer is A because of it", 1, "A"),
        ("Picture 1 is a step; A comes next.", 1, "A"), ("It is B. A brick is new.", 1, "B"),
        ("C, A, D, B", 4, "CADB"), ("CADB", 4, "CADB"), ("A, B", 4, None), ("A, A, B, C", 4, None),
        ("", 1, None),
    ],
)  # fmt: skip
def test_letters_are_read(text, number, letters):
    assert letters_said(text, number) == letters


def test_pictures_are_asked_about_one_by_one_or_on_a_sheet(sequences):
    (item, *_) = load_items(sequences, "sequence", "test")
    sheet = build_prompt(item, Setting(examples="none")).turns[-1]
    assert [picture_bytes(one) for one in sheet.images] == [picture_bytes(item)]
    single = build_prompt(item, Setting(examples="none", pictures="single"))
    told = next(r for r in rows_of(sequences) if r["id"] == item.id)
    assert [picture_bytes(one) for one in single.turns[-1].images] == [
        one["bytes"] for one in told["images"]
    ]
    assert "in this order: 1, A, B, C, D." in single.turns[-1].text
    (message,) = body_of(single, RunnerOptions("m"))["messages"]
    assert [part["type"] for part in message["content"]] == ["image_url"] * 5 + ["text"]

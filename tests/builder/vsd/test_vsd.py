"""Files of visual spatial description: read, made into conversations, bad entries told."""

import json
import os

import pytest
from datasets import load_dataset
from outside import VSD_FILES
from PIL import Image

from builder.vsd import command
from builder.vsd.reading import read_vsd
from core.relations import RELATIONS
from tasks.spatial.check import violations
from tasks.spatial.text import LINE_BREAK

GOOD = {"s": "yellow ball", "p": "in", "o": "water", "s_bbox": [10, 30, 5, 45],
        "o_bbox": [0, 60, 0, 80]}  # fmt: skip
V1 = [
    # Keys in another order, a caption twice, two spaces.
    {"captions": ["yellow ball in water", "a yellow ball is floating in the  water",
                  "yellow ball in water"], "triple_list": [GOOD], "img_id": "7"},
    {"img_id": "8.jpg", "triple_list": [GOOD, {**GOOD, "p": "to the left of"},
                                        {**GOOD, "s": "dog", "p": "next to"}],
     "captions": ["a ball and a dog"]},
    {"img_id": "9", "triple_list": [{**GOOD, "s_bbox": [30, 10, 5, 45]}], "captions": ["x"]},
    {"img_id": "10", "triple_list": [{**GOOD, "p": "inside"}], "captions": ["x"]},
    {"img_id": "11", "triple_list": [{"s": "a", "o": "b"}], "captions": ["x"]},
    {"img_id": "12", "triple_list": [GOOD], "captions": []},
]  # fmt: skip
V2 = [{"img_id": "7", "triple_list": [GOOD], "captions": ["There is a ball on the water."]}]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (80, 60), (9, 90, 160)).save(tmp_path / "pictures" / "7.jpg")
    for name, entries in (("v1", V1), ("v2", V2)):
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
    return tmp_path


def _make(files, *words):
    out = files / "out"
    status = command.main(
        [str(files / "v1.json"), "--v2", str(files / "v2.json"), "--out", str(out), *words]
    )
    return status, out


def test_rows_and_samples(files, capsys):
    status, out = _make(files, "--images", str(files / "pictures"))
    assert status == 0
    rows = load_dataset(
        "parquet", data_files=str(out / "spatial.parquet"), split="train",
        cache_dir=str(files / "cache"),
    )  # fmt: skip
    ball = [row for row in rows.select_columns([c for c in rows.column_names if c != "image"])
            if row["provenance"]["source_images"][0]["path"] == "7"]  # fmt: skip
    assert [row["conversation_type"] for row in ball] == [0, 1, 1, 2]
    assert [row["answer"] for row in ball[:3]] == [
        "in", "yellow ball in water", "a yellow ball is floating in the water",
    ]  # fmt: skip
    three = ball[3]["answer"].split(LINE_BREAK)
    assert three[0] == "Yellow ball in water." and three[2] == "There is a ball on the water."
    assert "'The yellow ball is [BLANK] the water'" in ball[0]["query"]
    assert ball[0]["subject"]["box_px"] == [5, 10, 45, 30]  # x0, y0, x1, y1 of y0, y1, x0, x1
    assert ball[0]["subject"]["box_norm100"] == pytest.approx([6.25, 100 / 6, 56.25, 50])
    assert rows[0]["image"].size == (80, 60)
    for row in ball:
        assert list(violations(row, (80, 60), True)) == []
    assert rows[4]["relations"] == ["in", "left"]  # both told of one pair
    assert "classification 2" in capsys.readouterr().out.replace("  ", " ").replace("  ", " ")


def test_what_can_not_be_used_is_listed(files):
    _, out = _make(files)
    left = json.loads((out / "left_out.json").read_text())
    assert [(one["item"], one["reason"]) for one in left["items"]] == [
        ("item 2", "box_without_area"), ("item 2", "no_usable_triple"),
        ("item 3", "relation_not_known"), ("item 3", "no_usable_triple"),
        ("item 4", "key_missing"), ("item 5", "no_caption"),
    ]  # fmt: skip
    assert left["pictures"] == ["7", "8.jpg"]


def test_turns_can_be_closed_as_published(files):
    _, out = _make(files, "--single-round")
    assert "llava.json" in (out / "train.sh").read_text() and os.access(out / "train.sh", os.X_OK)
    first = json.loads((out / "llava.json").read_text())[0]["conversations"]
    assert first[0]["value"].startswith("<image>\n") and first[0]["value"].endswith(" <STOP>\n")
    assert first[1]["value"] == "in <STOP>\n"


@pytest.mark.parametrize("text", ["{}", "[1]", "not json"])
def test_a_file_of_another_form_is_one_line(files, capsys, text):
    (files / "v1.json").write_text(text)
    assert _make(files)[0] == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "v1.json" in said


@pytest.mark.vsd_files
def test_the_released_files_are_read_whole():
    """A slice of the released test files, beside the checkout."""
    items, drops = read_vsd(VSD_FILES / "VSDv1_slice.json", VSD_FILES / "VSDv2_slice.json")
    assert len(items) == 189 and drops == []
    assert {t.relation for one in items for t in one.triples} == set(RELATIONS)
    assert sum(len(one.triples) > 1 for one in items) == 30
    assert all(one.richer for one in items)

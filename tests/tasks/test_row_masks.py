"""Whose mask a row has: its own picture's, of its own region; and what a crop does to its boxes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.answers import parse_boxes
from core.build import read_rows
from core.masks import mask_iou, read_mask
from lego_arta import FEATURES
from synthesis import boxes
from synthesis.deploy import Frame
from tasks import TASKS
from tasks.deployed import Outside, follow, follow_text, seen
from tasks.looks import Look
from tasks.row_masks import Gold, _in_collage, gold_masks, map_of, mask_bytes

GOLD = Look("overlay-crop")


@pytest.fixture(scope="module")
def build(demo) -> Path:
    return demo / "lego-arta"


def rows_of(build: Path, config: str) -> dict[str, dict]:
    return {row.id: row.columns for row in read_rows(build, config, None, list(FEATURES[config]))}


def size_of(row: dict) -> tuple[int, int]:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return image.size


def golds(build: Path, config: str) -> dict[str, Gold]:
    return {**gold_masks(build, config, "train"), **gold_masks(build, config, "test")}


def mask_for(build: Path, config: str, row_id: str, row: dict) -> np.ndarray:
    split = next(s for s in ("train", "test") if row_id in gold_masks(build, config, s))
    return map_of(GOLD, build, config, split, row_id, size_of(row)) > 0


def test_most_rows_of_every_task_have_the_mask_of_their_own_picture(build):
    for config in ("scene", "object", "state", "mask"):
        every, found = rows_of(build, config), golds(build, config)
        assert found.keys() <= every.keys()
        assert len(found) >= 0.9 * len(every) > 0, config
    assert golds(build, "spatial")


def test_a_mask_row_has_its_own(build):
    rows = rows_of(build, "mask")
    for row_id, gold in golds(build, "mask").items():
        assert mask_bytes(gold.places[0]) == rows[row_id]["mask"]["bytes"]


def test_collages_have_the_pixels_of_the_parts_that_are_asked_for(build):
    rows, found = rows_of(build, "object"), golds(build, "object")
    placed = [row_id for row_id in found if found[row_id].cell is not None]
    own = [row_id for row_id in found if found[row_id].cell is None]
    assert placed and own
    for row_id in [*placed[:12], *own[:6]]:
        row = rows[row_id]
        mask = mask_for(build, "object", row_id, row)
        there = boxes.union([target["box_px"] for target in row["targets"]])
        assert np.abs(np.subtract(boxes.of_mask(mask), there)).max() <= 1.5


def test_masks_put_into_a_collage_are_those_that_were_made_there(build):
    """A find picture's mask, placed, against the mask row of the very collage."""
    rows, masks, compared = rows_of(build, "object"), rows_of(build, "mask"), 0
    alone: dict[str, list[dict]] = {}
    for row in masks.values():
        sources = row["provenance"]["source_images"]
        if row["origin"] == 1 and len(sources) == 1:
            alone.setdefault(sources[0]["sha256"], []).append(row)
    for row_id, gold in golds(build, "object").items():
        row = rows[row_id]
        same = alone.get(row["provenance"]["source_images"][row["cell"]]["sha256"], [])
        if gold.cell is None and len(same) == len(row["targets"]):
            parts = [read_mask(one["mask"]["bytes"]) for one in same]
            placed = _in_collage(np.logical_or.reduce(parts), row["cell"], size_of(row))
            assert mask_iou(placed, mask_for(build, "object", row_id, row)) >= 0.99
            compared += 1
    assert compared >= 3


def test_a_state_s_mask_holds_where_the_part_belongs_also_for_wrong_pictures(build):
    rows = rows_of(build, "state")
    labels = set()
    for row_id in list(golds(build, "state"))[:24]:
        row = rows[row_id]
        labels.add(row["label"])
        x0, y0, x1, y1 = (round(value) for value in row["correct_box_px"] or row["part_box_px"])
        inside = mask_for(build, "state", row_id, row)[y0:y1, x0:x1]
        assert inside.mean() > 0.2
    assert labels == {0, 1}


def test_a_pair_s_mask_is_that_of_both_things(build):
    rows = rows_of(build, "spatial")
    for row_id in list(golds(build, "spatial"))[:12]:
        row = rows[row_id]
        both = boxes.union([row["subject"]["box_px"], row["object"]["box_px"]])
        found = boxes.of_mask(mask_for(build, "spatial", row_id, row))
        assert boxes.iou(found, both) >= 0.9


def test_everything_of_a_mask_row_follows_a_crop(build):
    """Answers, boxes, mask and share lie on the same pixels as before."""
    cut = 0
    for row in list(rows_of(build, "mask").values())[:40]:
        mask = read_mask(row["mask"]["bytes"])
        shown = seen(GOLD, row["image"]["bytes"], mask.astype(np.float32))
        moved = follow(row, "mask", shown.frame)
        x0, y0, x1, y1 = shown.frame.crop_xyxy_px
        there = read_mask(moved["mask"]["bytes"], shown.frame.size_wh)
        assert (there == mask[y0:y1, x0:x1]).all() and there.sum() == mask.sum()
        assert moved["area_ratio"] == pytest.approx(there.mean())
        for before, after in zip(row["boxes_px"], moved["boxes_px"], strict=True):
            assert shown.frame.to_source(after) == pytest.approx(before, abs=1e-3)
        said = [box.box for box in parse_boxes(moved["answer"]).boxes]
        assert len(said) == len(parse_boxes(row["answer"]).boxes)
        percent = boxes.px_to_norm100(boxes.union(moved["boxes_px"]), shown.frame.size_wh)
        assert np.abs(np.subtract(boxes.union(said), percent)).max() <= 1.0
        cut += not shown.frame.is_whole
    assert cut >= 20


def test_texts_follow_in_percent_and_in_pixels():
    half = Frame((200, 100), (100, 0, 200, 100))
    text = 'from <60><0><70><10> and {<50><20><80><40>} to {"bbox_2d": [110, 20.5, 150, 40]}'
    assert follow_text(text, half) == (
        'from <20><0><40><10> and {<0><20><60><40>} to {"bbox_2d": [10, 20.5, 50, 40]}'
    )
    assert follow_text(text, Frame((200, 100), (0, 0, 200, 100))) == text
    assert follow_text("Put <p>it</p> 3 < 4 to [1, 2, 3]", half) == (
        "Put <p>it</p> 3 < 4 to [1, 2, 3]"
    )
    with pytest.raises(Outside):
        follow_text("{<0><0><10><10>}", half)


@pytest.mark.parametrize("config", sorted(TASKS))
def test_whole_pictures_change_no_column(build, config):
    row = next(iter(rows_of(build, config).values()))
    width, height = size_of(row)
    assert follow(row, config, Frame((width, height), (0, 0, width, height))) == row


def test_a_row_whose_thing_is_cut_off_is_refused(build):
    for config in ("object", "spatial", "mask"):
        row = next(iter(rows_of(build, config).values()))
        width, height = size_of(row)
        with pytest.raises(Outside) as error:
            follow(row, config, Frame((width, height), (width - 2, height - 2, width, height)))
        assert error.value.args[0] == "target_outside_crop"


def test_a_state_may_lack_its_part(build):
    """Of a state picture the part may be cut off: that is known, and its box is none."""
    row = next(r for r in rows_of(build, "state").values() if r["part_box_px"])
    width, height = size_of(row)
    moved = follow(row, "state", Frame((width, height), (width - 2, height - 2, width, height)))
    assert moved["part_box_px"] is None and moved["answer"] == row["answer"]

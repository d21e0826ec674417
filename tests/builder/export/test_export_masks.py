"""Masks in `--format ivm` and `coco`: what their readers make of them."""

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import load_dataset
from export_build import all_rows, export_build, pixels
from exported import records, run
from hypothesis import given
from hypothesis import strategies as st
from painted_build import painted_build
from PIL import Image

from builder.export.ivm import padded
from core.masks import encode_mask, mask_iou, read_mask

# pycocotools' own notice.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta", masks=True)


# The released reader of Instruction-Guided Visual Masking, from its facts -------------------------


def heat_map(path: Path) -> np.ndarray:
    """A mask as it is read for training: grey, times 1.5, stretched to 0..1."""
    grey = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_RGB2GRAY)
    bright = cv2.convertScaleAbs(grey, alpha=1.5, beta=0).astype(float)
    low, high = bright.min(), bright.max()
    return (bright - low) / (high - low) if high - low >= 1e-4 else bright / high


def unpadded(box: list[float], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box of the padded square in whole pixels of the picture: half of what the shorter side
    lacks is taken off."""
    (width, height), side = size_wh, max(size_wh)
    x0, y0, x1, y1 = (value * side for value in box)
    off = (width - height) // 2 if width > height else (height - width) // 2
    if width > height:
        y0, y1 = max(0, y0 - off), max(0, y1 - off)
    else:
        x0, x1 = max(0, x0 - off), max(0, x1 - off)
    return (int(x0), int(y0), int(x1), int(y1))


def test_ivm_s_reader_finds_pictures_instructions_masks_and_boxes(build, tmp_path):
    rows = {i: row for i, row in all_rows(build).items() if row["config"] == "mask"}
    out = run(build, tmp_path / "x", "ivm")
    lines = [line for split in ("train", "test") for line in records(out / f"mask_{split}.jsonl")]
    assert {line["uuid"] for line in lines} == rows.keys()
    for line in lines:
        row = rows[line["uuid"]]
        with Image.open(out / line["image"]) as image:
            assert (np.asarray(image.convert("RGB")) == pixels(row["image"]["bytes"])).all()
            size_wh = image.size
        assert row["query"] in line["instruction"] and len(line["instruction"]) == 2
        mask = read_mask(row["mask"]["bytes"])
        found = heat_map(out / "masks" / f"mask_{line['uuid']}.jpg")
        assert found.shape == mask.shape and (found.min(), found.max()) == (0, 1)
        assert mask_iou(found > 0.5, mask) == 1
        assert (found[mask] == 1).mean() > 0.99  # times 1.5 leaves no JPEG noise on it
        exact = (out / "masks" / f"mask_{line['uuid']}.png").read_bytes()
        assert (read_mask(exact) == mask).all()
        ys, xs = np.nonzero(mask)
        assert unpadded(line["boxes"], size_wh) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@given(st.tuples(st.integers(16, 2000), st.integers(16, 2000)), st.data())
def test_whole_boxes_come_back_from_the_padded_square(size_wh, data):
    width, height = size_wh
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = [x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))]
    shares = padded(list(map(float, box)), size_wh)
    assert all(0 <= share <= 1 for share in shares)
    assert unpadded(shares, size_wh) == tuple(box)


def test_a_mask_of_everything_is_read_as_everything(tmp_path):
    def change(config, row):
        if config != "mask":
            return row
        height, width = pixels(row["image"]["bytes"]).shape[:2]
        return {**row, "mask": {"bytes": encode_mask(np.ones((height, width), bool)), "path": "x"}}

    build = export_build(tmp_path / "b", change, masks=True, manuals=2, test_manuals=1, steps=1)
    out = run(build, tmp_path / "x", "ivm")
    paths = list((out / "masks").glob("*.jpg"))
    assert paths and all((heat_map(path) == 1).all() for path in paths)


def test_empty_masks_are_drops(tmp_path):
    victims = []

    def change(config, row):
        if config == "mask" and len(victims) < 2:
            victims.append(row["id"])
            empty = np.zeros(pixels(row["image"]["bytes"]).shape[:2], bool)
            return {**row, "mask": {"bytes": encode_mask(empty), "path": "x"}}
        return row

    build = export_build(tmp_path / "b", change, masks=True, manuals=2, test_manuals=1)
    for name in ("ivm", "coco"):
        out = run(build, tmp_path / name, name, "--config", "mask")
        dropped = {line["id"]: line["reason"] for line in records(out / "dropped.jsonl")}
        assert dropped == dict.fromkeys(victims, "empty_mask")


@pytest.mark.parametrize("method", ["overlay", "overlay-crop"])
def test_masks_of_a_crop_are_cut_as_it_is(build, tmp_path, method):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "ivm", "--deploy", method)
    told = {line["id"]: line for line in records(out / "masks.jsonl")}
    cut = 0
    for line in records(out / "mask_train.jsonl"):
        with Image.open(out / line["image"]) as image:
            size_wh = image.size
        mask = read_mask((out / "masks" / f"mask_{line['uuid']}.png").read_bytes(), size_wh)
        crop = told[line["uuid"]]["crop_xyxy_px"]
        cut += crop is not None
        whole = read_mask(rows[line["uuid"]]["mask"]["bytes"])
        x0, y0, x1, y1 = crop or (0, 0, *size_wh)
        assert (mask == whole[y0:y1, x0:x1]).all()
        ys, xs = np.nonzero(mask)
        assert unpadded(line["boxes"], size_wh) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert (cut > 0) == (method == "overlay-crop")


# COCO --------------------------------------------------------------------------------------------


def test_pycocotools_decodes_the_masks_of_mask_rows(build, tmp_path, capsys):
    pycocotools = pytest.importorskip("pycocotools.coco")
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco", "--config", "mask")
    for file in out.glob("mask_t*.json"):
        coco = pycocotools.COCO(str(file))
        assert coco.imgs
        for image in coco.imgs.values():
            row = rows[image["lego_arta_id"]]
            (one,) = coco.imgToAnns[image["id"]]
            mask = read_mask(row["mask"]["bytes"])
            assert (coco.annToMask(one).astype(bool) == mask).all()
            assert one["area"] == mask.sum() and image["instruction"] == row["query"]
            x, y, w, h = one["bbox"]
            ys, xs = np.nonzero(mask)
            assert (x, y, x + w, y + h) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert coco.cats[one["category_id"]]["supercategory"] == "region"
    capsys.readouterr()


@pytest.mark.parametrize("more", [(), ("--deploy", "crop")])
def test_parts_that_are_asked_for_have_their_pixels(build, tmp_path, capsys, more):
    pycocotools = pytest.importorskip("pycocotools.coco")
    rows, known = all_rows(build), 0
    out = run(build, tmp_path / "x", "coco", "--config", "object", "--split", "test", *more)
    coco = pycocotools.COCO(str(out / "object_test.json"))
    for image in coco.imgs.values():
        picture = pixels((out / image["file_name"]).read_bytes())
        targets = rows[image["lego_arta_id"]]["targets"]
        annotations = coco.imgToAnns[image["id"]]
        boxes = [box for target in targets for box in target["instances_px"]]
        apart = len(boxes) < 2 or boxes[0][2] <= boxes[1][0]
        for part, one in enumerate(annotations):
            if not one["segmentation"]:
                assert not apart
                continue
            mask = coco.annToMask(one).astype(bool)
            assert mask.shape == picture.shape[:2] and one["area"] == mask.sum()
            assert picture[mask][:, part].max() < 40  # what is painted in its colour
            _, _, w, h = one["bbox"]
            assert mask.sum() == pytest.approx(w * h, rel=0.02)
            known += 1
    assert known
    capsys.readouterr()


def test_where_no_mask_row_tells_there_is_no_segmentation(tmp_path):
    build = painted_build(tmp_path / "b")
    out = run(build, tmp_path / "x", "coco", "--config", "object", "--split", "test")
    found = json.loads((out / "object_test.json").read_text())["annotations"]
    assert found and all(one["segmentation"] == [] for one in found)


def test_numbers_of_categories_are_those_without_masks(build, tmp_path):
    numbers = []
    for name, configs in (("a", ["object", "state"]), ("b", ["object", "state", "mask"])):
        out = run(build, tmp_path / name, "coco", "--config", *configs)
        found = json.loads((out / "object_test.json").read_text())["categories"]
        numbers.append({one["id"]: one["name"] for one in found})
    assert numbers[0].items() < numbers[1].items()
    assert numbers[1][max(numbers[1])] == "what the instruction is about"


@pytest.mark.parametrize("merge", [False, True])
def test_webdataset_gives_masks_back(build, tmp_path, monkeypatch, merge):
    """From the tar itself and through `datasets`, beside rows of tasks that have none."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "webdataset", *(["--merge"] if merge else []))
    wanted = {i: row["mask"]["bytes"] for i, row in rows.items() if row["config"] == "mask"}
    in_tars: dict[str, bytes] = {}
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            in_tars |= {
                member.name.removesuffix(".mask.png"): tar.extractfile(member).read()
                for member in tar if member.name.endswith(".mask.png")
            }  # fmt: skip
    assert in_tars == wanted
    seen = {}
    for loaded in load_dataset(str(out), "default" if merge else "mask").values():
        for sample in loaded:
            seen[sample["__key__"]] = sample["mask.png"]
    assert seen.keys() == (rows if merge else wanted).keys()
    for i, picture in seen.items():
        if i in wanted:
            assert (np.asarray(picture) > 0).tolist() == read_mask(wanted[i]).tolist()
        else:
            assert picture is None

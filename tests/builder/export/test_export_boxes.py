"""`--format yolo`, `voc`, `coco`: readers find what was written, boxes lie on the parts."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from export_build import all_rows, export_build, pixels
from exported import error_of, records, run
from outside import READER_TEST
from painted_build import iou, measured, painted_build

from builder.export import command as export
from core import cli

pytestmark = READER_TEST


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


def read_back(out: Path, name: str, config: str) -> dict[str, tuple[list[str], np.ndarray, Path]]:
    """(classes, boxes, picture) by row of what supervision finds in a dataset."""
    import supervision as sv

    folder, found = out / config, {}
    if name == "yolo":
        sets = [
            sv.DetectionDataset.from_yolo(
                f"{folder}/images/{split}", f"{folder}/labels/{split}", f"{folder}/data.yaml"
            )
            for split in ("train", "test")
        ]
    else:
        sets = [
            sv.DetectionDataset.from_pascal_voc(f"{folder}/JPEGImages", f"{folder}/Annotations")
        ]
    for one in sets:
        for path, detections in one.annotations.items():
            names = [one.classes[number] for number in detections.class_id]
            found[Path(path).stem] = (names, detections.xyxy, Path(path))
    return found


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_supervision_finds_the_parts_where_they_are_painted(build, tmp_path, name):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", name)
    for config in ("object", "state"):
        found = read_back(out, name, config)
        assert set(found) == {i for i, row in rows.items() if row["config"] == config}
        for row_id, (names, boxes, path) in found.items():
            row = rows[row_id]
            assert path.read_bytes() == row["image"]["bytes"]
            entries = row.get("targets") or []
            px = [box for entry in entries for box in entry["instances_px"]] or [row["part_box_px"]]
            assert len(boxes) == len(px)
            for part, (box, source) in enumerate(zip(boxes, px, strict=True)):
                assert iou(tuple(box), tuple(source)) >= 0.98
                assert iou(tuple(box), measured(pixels(path.read_bytes()), part)) >= 0.98
            labels = [entry["label"] for entry in entries for _ in entry["instances_px"]]
            wanted = labels or ["new part"]
            assert [one.rstrip("s") for one in names] == [one.rstrip("s") for one in wanted]


def test_yolo_s_yaml_is_what_ultralytics_asks_for(build, tmp_path):
    out = run(build, tmp_path / "x", "yolo")
    for config in ("object", "state"):
        described = yaml.safe_load((out / config / "data.yaml").read_text())
        assert list(described["names"]) == list(range(len(described["names"])))
        for key, split in (("train", "train"), ("val", "test")):
            folder = out / config / described[key]
            assert folder.name == split
            pictures = {path.stem for path in folder.iterdir()}
            assert pictures == {p.stem for p in (out / config / "labels" / split).iterdir()}
    merged = run(build, tmp_path / "y", "yolo", "--merge", "--split", "train")
    described = yaml.safe_load((merged / "data.yaml").read_text())
    assert described["train"] == described["val"] == "images/train"
    assert not (merged / "images" / "test").exists()


def test_voc_s_lists_name_the_pictures_of_a_split(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "voc", "--merge")
    for split in ("train", "test"):
        listed = (out / "ImageSets/Main" / f"{split}.txt").read_text().splitlines()
        assert set(listed) == {i for i, row in rows.items()
                               if row["split"] == split and row["config"] != "scene"}  # fmt: skip
        assert all((out / "Annotations" / f"{name}.xml").is_file() for name in listed)
    assert "lego-arta" in next((out / "Annotations").iterdir()).read_text()


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_the_readme_s_code_reads_it(build, tmp_path, monkeypatch, name):
    out = run(build, tmp_path / "x", name)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)[1], names)
    assert len(names["data"])


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_a_part_that_is_missing_is_a_picture_without_boxes(tmp_path, name):
    lacking: set[str] = set()

    def change(config, row):
        if config != "state" or row["label"] or len(lacking) >= 2:
            return row
        lacking.add(row["id"])
        return {**row, "negative_kind": "missing", "part_box_px": None}

    build = export_build(tmp_path / "b", change, manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", name, "--config", "state")
    found = read_back(out, name, "state")
    assert lacking == {row_id for row_id, (_, boxes, _) in found.items() if not len(boxes)}


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_boxes_outside_their_picture_are_drops(tmp_path, name):
    victims: list[str] = []

    def change(config, row):
        if config == "state" and not victims:
            victims.append(row["id"])
            return {**row, "part_box_px": [0.0, 0.0, 9000.0, 5.0]}
        return row

    build = export_build(tmp_path / "b", change, manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", name, "--config", "state")
    dropped = {line["id"]: line["reason"] for line in records(out / "dropped.jsonl")}
    assert dropped == {victims[0]: "box_outside_picture"}
    assert not list(out.rglob(f"{victims[0]}.*"))


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_without_supervision_the_line_that_installs_it_is_told(
    build, tmp_path, monkeypatch, capsys, name
):
    monkeypatch.setitem(cli.EXTRAS, "export", ("supervision_that_nobody_has",))
    assert export.main([str(build), "--format", name, "--out", str(tmp_path / "x")]) == 1
    line = error_of(capsys)
    assert f"--format {name}" in line and "pip install" in line and "[export]" in line
    assert not (tmp_path / "x").exists()


# What a detection of FiftyOne has itself; other keys of an annotation become its attributes.
FIFTYONE_S_OWN = {"label", "bounding_box", "mask", "mask_path", "confidence", "index", "instance",
                  "tags"}  # fmt: skip
COCO_S_OWN = {"id", "image_id", "category_id", "bbox", "segmentation", "keypoints", "score", "area",
              "iscrowd"}  # fmt: skip


def fiftyone_s_samples(data_path: Path, labels_path: Path) -> Iterator[tuple[Path, str, list]]:
    """(picture, row id, [(label, box as shares x, y, width, height)]) by the rules of FiftyOne's
    COCO importer (1.22), written out: files are found by their path below `data_path`."""
    files = {str(p.relative_to(data_path)): p for p in data_path.rglob("*") if p.is_file()}
    labels = json.loads(labels_path.read_text())
    names = {c["id"]: c.get("name", str(c["id"])) for c in labels["categories"]}
    images = {image["id"]: image for image in labels["images"]}
    of_image: dict[int, list[dict]] = {number: [] for number in images}
    for one in labels["annotations"]:
        more = {**one, **one.pop("attributes", {})}.keys() - COCO_S_OWN
        assert not more & FIFTYONE_S_OWN
        of_image[one["image_id"]].append(one)
    by_name = {os.path.normpath(image["file_name"]): image for image in images.values()}
    assert len(by_name) == len(images)  # else an image would get another's boxes
    for name, image in by_name.items():
        frame = np.array([image["width"], image["height"]] * 2)
        boxes = [(names[one["category_id"]], np.array(one["bbox"]) / frame)
                 for one in of_image[image["id"]]]  # fmt: skip
        yield files[name], image["lego_arta_id"], boxes


def test_fiftyone_finds_the_parts_where_they_are_painted(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco")
    found = set()
    for labels_path in out.glob("*_t*.json"):
        for path, row_id, boxes in fiftyone_s_samples(out, labels_path):
            found.add(row_id)
            entries = rows[row_id].get("targets") or []
            labels = [entry["label"] for entry in entries for _ in entry["instances_px"]]
            assert len(boxes) >= len(labels or [1])
            picture = pixels(path.read_bytes())
            height, width = picture.shape[:2]
            for part, (label, (x, y, w, h)) in enumerate(boxes):
                if part < len(labels):
                    assert label.rstrip("s") == labels[part].rstrip("s")
                box = (x * width, y * height, (x + w) * width, (y + h) * height)
                if part < len(labels or [1]):
                    assert iou(box, measured(picture, part)) >= 0.98
    assert found == {i for i, row in rows.items() if row["config"] != "scene"}

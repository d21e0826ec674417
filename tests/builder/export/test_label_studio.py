"""Label Studio: tasks that fit their labeling configuration, boxes where the rows have them."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from export_build import all_rows, export_build
from exported import run

from builder.export.label_studio import LOCAL_FILE

TAGS = {"rectanglelabels": ("RectangleLabels", "Label"), "choices": ("Choices", "Choice")}


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=2, test_manuals=1)


def box_px(region: dict) -> list[float]:
    """x0, y0, x1, y1 in pixels of a region in percent."""
    value, wide, high = region["value"], region["original_width"], region["original_height"]
    x0, y0 = value["x"] * wide / 100, value["y"] * high / 100
    return [x0, y0, x0 + value["width"] * wide / 100, y0 + value["height"] * high / 100]


def expected(row: dict) -> list[tuple[str, list[float]]]:
    """Control and box of everything that a row knows."""
    if row["config"] == "object":
        parts = [b for e in (*row["targets"], *row["distractors"]) for b in e["instances_px"]]
        return [
            *(("answer", one["box_px"]) for one in row["targets"]),
            *(("parts", b) for b in parts),
        ]
    boxes = [row.get("part_box_px"), row.get("correct_box_px")]
    return [("part", box) for box in boxes if box is not None]


@pytest.mark.parametrize("config", ["scene", "object", "state"])
def test_tasks_fit_their_configuration_and_their_rows(build, tmp_path, config):
    out = run(build, tmp_path / "x", "label-studio", "--config", config)
    view = ET.parse(out / f"{config}.xml").getroot()
    assert [path.name for path in out.glob("*.xml")] == [f"{config}.xml"]
    assert f"configuration: `{config}.xml`." in (out / "README.md").read_text()
    tasks = [t for split in ("train", "test")
             for t in json.loads((out / f"{config}_{split}.json").read_text())]  # fmt: skip
    rows = {i: row for i, row in all_rows(build).items() if row["config"] == config}
    assert [task["data"]["id"] for task in tasks] == list(rows)
    fields = {node.get("value")[1:] for node in view if (node.get("value") or "").startswith("$")}
    for task in tasks:
        row, data, (prediction,) = rows[task["data"]["id"]], task["data"], task["predictions"]
        assert fields == {"query", "image"} <= set(data)
        picture = out / data["image"].removeprefix(LOCAL_FILE)
        assert picture.read_bytes() == row["image"]["bytes"] and data["image"] != str(picture)
        assert prediction["score"] == row["confidence"]
        results = prediction["result"]
        assert len({one["id"] for one in results}) == len(results)
        for one in results:
            (control,) = (node for node in view if node.get("name") == one["from_name"])
            assert control.get("toName") == one["to_name"] == "image"
            if one["type"] in TAGS:
                tag, choice = TAGS[one["type"]]
                assert control.tag == tag
                known = {node.get("value") for node in control.findall(choice)}
                assert len(known) == len(control) and set(one["value"][one["type"]]) <= known
            else:
                assert (control.tag, one["value"]) == ("TextArea", {"text": [row["answer"]]})
        found = [(r["from_name"], box_px(r)) for r in results if r["type"] == "rectanglelabels"]
        assert [name for name, _ in found] == [name for name, _ in expected(row)]
        for (_, got), (_, wanted) in zip(found, expected(row), strict=True):
            assert got == pytest.approx(wanted, abs=1e-4)
        if config == "state":
            assert results[0]["value"]["choices"] == [row["answer"].rstrip(".")]
    assert config == "scene" or any(expected(row) for row in rows.values())


def test_labels_are_escaped_in_the_configuration(tmp_path):
    strange = 'plates "1x2" <&>'

    def renamed(config, row):
        if config == "object":
            row["targets"] = [{**one, "label": f"2 {strange}"} for one in row["targets"]]
        return row

    build = export_build(tmp_path / "b", renamed, manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", "label-studio", "--config", "object")
    labels = {node.get("value") for node in ET.parse(out / "object.xml").getroot().iter("Label")}
    assert any("<&>" in label for label in labels)

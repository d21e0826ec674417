"""`--deploy`: pictures seen through masks in every format, boxes that follow, what has no mask."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from export_build import all_rows, pixels
from exported import error_of, records, run
from outside import READER_TEST
from painted_build import iou, measured, painted_build
from PIL import Image

from builder.export import command as export
from builder.export.run import FORMATS, configs_of, format_of
from core import cli
from core.answers import parse_boxes
from synthesis.deploy import METHODS, deploy
from tasks import looks

pytestmark = READER_TEST


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta", masks=True)


def boxes_of(row: dict) -> list[list[float]]:
    """Where the painted parts of a row are, in pixels."""
    if row.get("mask"):
        return row["boxes_px"]
    entries = row.get("targets") or []
    px = [box for entry in entries for box in entry["instances_px"]]
    return px or ([row["part_box_px"]] if row.get("part_box_px") else [[20, 20, 90, 90]])


def map_for(row: dict) -> np.ndarray:
    """1 on the painted parts."""
    height, width = pixels(row["image"]["bytes"]).shape[:2]
    found = np.zeros((height, width), np.float32)
    for x0, y0, x1, y1 in (map(int, box) for box in boxes_of(row)):
        found[y0:y1, x0:x1] = 1
    return found


def save(path: Path, found: np.ndarray) -> None:
    Image.fromarray(np.rint(found * 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def maps(build, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    for number, (row_id, row) in enumerate(all_rows(build).items()):
        if number % 2:
            np.save(folder / f"{row_id}.npy", map_for(row))
        else:
            save(folder / f"{row_id}.png", map_for(row))
    return folder


def told(out: Path) -> dict[str, dict]:
    return {line["id"]: line for line in records(out / "masks.jsonl")}


def test_the_methods_of_the_command_are_those_there_are():
    assert looks.METHODS == tuple(METHODS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_exports_what_is_seen_through_masks(build, maps, tmp_path, name):
    rows = all_rows(build)
    wanted = {i for i, row in rows.items() if row["config"] in configs_of(format_of(name))}
    out = run(build, tmp_path / "x", name, "--deploy", "overlay-crop", "--masks",
              f"predicted:{maps}", "--workers", "1")  # fmt: skip
    record = json.loads((out / "export.json").read_text())
    assert record["rows"] == len(wanted) and record["dropped"] == {}
    assert record["deploy"] == "overlay-crop" and record["masks"] == f"predicted:{maps}"
    assert record["uses_gold_mask"] is False
    lines = told(out)
    assert set(lines) == wanted
    for row_id, line in lines.items():
        assert line["uses_gold_mask"] is False and line["kept_whole"] is False
        height, width = pixels(rows[row_id]["image"]["bytes"]).shape[:2]
        assert line["source_wh"] == [width, height]
    assert "seen through predicted masks (overlay-crop" in (out / "README.md").read_text()


def test_the_pictures_are_those_of_the_method(build, maps, tmp_path):
    rows = all_rows(build)
    for method in METHODS:
        out = run(build, tmp_path / method, "coco", "--deploy", method, "--masks",
                  f"predicted:{maps}")  # fmt: skip
        shown = {p.stem: p.read_bytes() for p in (out / "images").rglob("*.webp")}
        assert shown
        for row_id, data in shown.items():
            row = rows[row_id]
            expected = deploy(pixels(row["image"]["bytes"]), map_for(row), method).picture
            assert (pixels(data) == expected).all()


@pytest.mark.parametrize("method", ["overlay", "crop", "overlay-crop"])
def test_boxes_and_answers_lie_on_the_parts_after_a_crop(build, maps, tmp_path, method):
    """What is painted is found where the answer says, in percent and in pixels."""
    rows, cut = all_rows(build), 0
    out = run(build, tmp_path / "x", "llava", "--deploy", method, "--masks", f"predicted:{maps}",
              "--frame", "norm100", "--config", "object")  # fmt: skip
    lines = told(out)
    for split in ("train", "test"):
        for record in records(out / f"object_{split}.json"):
            picture = pixels((out / record["image"]).read_bytes())
            height, width = picture.shape[:2]
            cut += lines[record["id"]]["crop_xyxy_px"] is not None
            said = parse_boxes(record["conversations"][1]["value"]).boxes
            assert len(said) == len(rows[record["id"]]["targets"])
            for part, one in enumerate(said):
                box = [v * side / 100 for v, side in zip(one.box, (width, height) * 2, strict=True)]
                there = measured(picture, part)
                assert np.abs(np.subtract(box, there)).max() <= 0.5 + max(width, height) / 200
                assert iou(tuple(box), there) >= 0.95
    assert (cut > 0) == ("crop" in method)


def test_columns_follow_a_crop_to_the_pixel(build, maps, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco", "--deploy", "crop", "--masks", f"predicted:{maps}")
    for config in ("object", "state"):
        found = json.loads((out / f"{config}_train.json").read_text())
        images = {image["id"]: image for image in found["images"]}
        assert found["annotations"]
        for annotation in found["annotations"]:
            image = images[annotation["image_id"]]
            picture = pixels((out / image["file_name"]).read_bytes())
            assert picture.shape[:2] == (image["height"], image["width"])
            x, y, w, h = annotation["bbox"]
            row = rows[image["lego_arta_id"]]
            parts = [measured(picture, part) for part in range(len(boxes_of(row)))]
            assert max(iou((x, y, x + w, y + h), part) for part in parts) >= 0.98


def test_a_threshold_above_every_map_keeps_every_picture(build, tmp_path):
    rows = all_rows(build)
    folder = tmp_path / "maps"
    folder.mkdir()
    for row_id, row in rows.items():
        np.save(folder / f"{row_id}.npy", 0.5 * map_for(row))
    out = run(build, tmp_path / "x", "coco", "--deploy", "overlay-crop", "--mask-threshold", "0.6",
              "--masks", f"predicted:{folder}")  # fmt: skip
    assert all(line["kept_whole"] for line in told(out).values())
    shown = {p.stem: p.read_bytes() for p in (out / "images").rglob("*.webp")}
    assert shown and all(data == rows[i]["image"]["bytes"] for i, data in shown.items())


def test_maps_that_are_none_are_drops_with_a_reason(build, maps, tmp_path):
    rows = [i for i, row in all_rows(build).items() if row["config"] == "object"][:8]
    wrong = {}
    folder = tmp_path / "maps"
    folder.mkdir()
    for path in maps.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for row_id in rows:
        for suffix in (".png", ".npy"):
            (folder / f"{row_id}{suffix}").unlink(missing_ok=True)
    found = [map_for(all_rows(build)[row_id]) for row_id in rows]
    wrong[rows[0]] = "no_map"
    save(folder / f"{rows[1]}.png", found[1].T.copy() if found[1].shape[0] != found[1].shape[1]
         else found[1][:-1])  # fmt: skip
    wrong[rows[1]] = "map_of_other_size"
    np.save(folder / f"{rows[2]}.npy", np.where(found[2] > 0, np.nan, 0).astype(np.float32))
    wrong[rows[2]] = "map_not_finite"
    Image.fromarray(np.dstack([found[3].astype(np.uint8)] * 3)).save(folder / f"{rows[3]}.png")
    wrong[rows[3]] = "map_not_grey"
    (folder / f"{rows[4]}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    wrong[rows[4]] = "broken_map"
    np.save(folder / f"{rows[5]}.npy", 2 * found[5])
    wrong[rows[5]] = "map_out_of_range"
    save(folder / f"{rows[6]}.png", found[6])
    np.save(folder / f"{rows[6]}.npy", found[6])
    wrong[rows[6]] = "two_maps"
    Image.fromarray((found[7] * 65535).astype(np.uint16)).save(folder / f"{rows[7]}.png")
    out = run(build, tmp_path / "x", "llava", "--config", "object", "--deploy", "blur",
              "--masks", f"predicted:{folder}")  # fmt: skip
    dropped = {line["id"]: line["reason"] for line in records(out / "dropped.jsonl")}
    assert dropped == wrong
    assert rows[7] in told(out)


def test_a_crop_without_the_parts_drops_the_row_and_says_so(build, tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    rows = {i: row for i, row in all_rows(build).items() if row["config"] == "object"}
    for row_id, row in rows.items():
        found = 0 * map_for(row)
        found[-20:, :20] = 1  # nothing is painted there
        np.save(folder / f"{row_id}.npy", found)
    command = [str(build), "--format", "llava", "--config", "object", "--out", str(tmp_path / "x"),
               "--masks", f"predicted:{folder}", "--deploy"]  # fmt: skip
    assert export.main([*command, "overlay"]) == 0  # hidden, but where it was
    command[6] = str(tmp_path / "y")
    assert export.main([*command, "crop"]) == 1


def test_workers_and_a_second_run_change_nothing(build, maps, tmp_path):
    more = ("--deploy", "overlay-crop", "--masks", f"predicted:{maps}")
    one = run(build, tmp_path / "a", "llamafactory", *more, "--workers", "1")
    two = run(build, tmp_path / "b", "llamafactory", *more, "--workers", "2")
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert files
    for path in files:
        if path.name not in ("README.md", "train.sh", "sft.yaml", "dataset_info.json"):
            assert (one / path).read_bytes() == (two / path).read_bytes(), path
    before = (one / "masks.jsonl").stat().st_mtime_ns
    run(build, tmp_path / "a", "llamafactory", *more)
    assert (one / "masks.jsonl").stat().st_mtime_ns == before


def test_other_maps_are_another_export(build, maps, tmp_path, capsys):
    folder = tmp_path / "maps"
    folder.mkdir()
    for path in maps.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    command = [str(build), "--format", "llava", "--out", str(tmp_path / "x"), "--config", "scene",
               "--deploy", "overlay", "--masks", f"predicted:{folder}"]  # fmt: skip
    assert export.main(command) == 0
    row_id = next(i for i, row in all_rows(build).items() if row["config"] == "scene")
    for suffix in (".png", ".npy"):
        (folder / f"{row_id}{suffix}").unlink(missing_ok=True)
    capsys.readouterr()
    assert export.main(command) == 1
    assert "not this export" in error_of(capsys)
    assert export.main([*command[:-4]]) == 1
    assert "--deploy overlay there, not given here" in error_of(capsys)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--masks", "gold"], "--masks gold: it belongs to --deploy"),
        (["--mask-threshold", "0.2"], "it belongs to --deploy"),
        (["--deploy", "blur", "--masks", "silver"], "give gold, or predicted:DIR"),
        (["--deploy", "blur", "--masks", "predicted:"], "give gold, or predicted:DIR"),
        (["--deploy", "blur", "--masks", "predicted:nowhere"], "no such folder"),
        (["--deploy", "blur", "--masks", "predicted:."], "no *.png and no *.npy"),
    ],
)
def test_options_that_mean_nothing_are_told_before_any_work(
    build, tmp_path, capsys, monkeypatch, more, said
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        export.main([str(build), "--format", "llava", "--out", str(tmp_path / "x"), *more])
    assert ended.value.code == cli.EXIT_USAGE
    assert said in capsys.readouterr().err and not (tmp_path / "x").exists()


# The build's own masks ---------------------------------------------------------------------------


def test_gold_masks_are_marked_and_rows_without_are_drops(demo, tmp_path):
    build = demo / "lego-arta"
    out = run(build, tmp_path / "x", "llava", "--deploy", "overlay-crop", "--limit", "6",
              "--config", "scene", "object", "state", "spatial", "mask")  # fmt: skip
    record = json.loads((out / "export.json").read_text())
    assert record["uses_gold_mask"] is True and record["masks"] == "gold"
    lines, rows = told(out), all_rows(build)
    assert all(line["uses_gold_mask"] for line in lines.values())
    assert set(record["dropped"]) <= {"no_gold_mask"}
    assert len(lines) + sum(record["dropped"].values()) == 5 * 2 * 6
    for config in ("scene", "object", "state", "mask"):
        assert sum(line["config"] == config for line in lines.values()) >= 10
    for record in records(out / "mask_train.json"):
        row, line = rows[record["id"]], lines[record["id"]]
        with Image.open(io.BytesIO(row["mask"]["bytes"])) as opened:
            mask = np.asarray(opened) > 0
        shown = deploy(pixels(row["image"]["bytes"]), mask.astype(np.float32), "overlay-crop")
        assert (pixels((out / record["image"]).read_bytes()) == shown.picture).all()
        assert line["crop_xyxy_px"] == list(shown.frame.crop_xyxy_px)
    assert "not for scores" in (out / "README.md").read_text()


def test_a_build_without_masks_says_what_is_missing(tmp_path, capsys):
    build = painted_build(tmp_path / "b")
    command = [str(build), "--format", "llava", "--out", str(tmp_path / "x"), "--deploy", "blur"]
    assert export.main(command) == 1
    assert "no_gold_mask" in error_of(capsys).replace(" ", "_")

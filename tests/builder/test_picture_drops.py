"""One bad picture costs its own rows, wherever it turns out to be bad; every other row is built."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from built import Built, build, read
from export_build import all_rows, export_build
from makers import GREEN, PageRow, div_row, find_line, page, png_bytes, put_line, tiny_manual
from picture_files import RGB, chunk, png, saved, with_segment

from builder.annotate import asking
from builder.annotate.answers import answer_file
from builder.annotate.models import Answer, Model, ModelOptions, Question
from builder.export import command as export
from builder.release import samples, validate_rows
from builder.sources.audio import saved as saved_site
from builder.sources.released.importing import Page, Told
from builder.sources.released.source import RELEASED
from builder.stages import BuildOptions, build_manual
from core.pictures import media
from core.pictures.containers import ImageError
from core.pictures.images import FAULTS
from core.records import CrawledImage, CrawledManual, dump, load
from core.store import CRAWL

MANUAL = tiny_manual()


def cut(data: bytes) -> bytes:
    """A file damaged since it was crawled; how files are damaged is tested with their reader."""
    return data[: len(data) // 2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Built:
    return build(tmp_path_factory.mktemp("whole"), MANUAL.rows)


def _ids(built: Built, config: str) -> set[str]:
    return {row["id"] for row in built.rows[config]}


def _with_row(number: int, damage) -> list[PageRow]:
    rows = list(MANUAL.rows)
    rows[number] = replace(rows[number], data=damage(rows[number].data or b""))
    return rows


def _drops(built: Built) -> dict[tuple[str, str], tuple[str, str]]:
    return {(drop.task, drop.item): (drop.reason, drop.detail) for drop in built.stats.drops}


def test_a_damaged_step_picture_is_a_drop_of_its_rows(tmp_path, whole):
    """Row 5 is a step; the state rows of the next step stand on its picture too."""
    built = build(tmp_path, _with_row(5, cut))
    drops = _drops(built)
    for key in (("scene", "row 5"), ("state", "row 5"), ("state", "row 7")):
        reason, detail = drops[key]
        assert reason == "truncated_image" and "Car-5_step_" in detail
    assert _ids(built, "object") == _ids(whole, "object")
    assert len(built.rows["scene"]) == len(whole.rows["scene"]) - 1
    assert _ids(built, "scene") < _ids(whole, "scene")
    assert len(built.rows["state"]) == len(whole.rows["state"]) - 8
    assert {drop.manual_id for drop in built.stats.drops} == {built.manual.manual_id}


def test_a_damaged_picture_of_parts_is_a_drop_and_in_no_collage(tmp_path, whole):
    built = build(tmp_path, _with_row(4, cut))
    reason, _ = _drops(built)["object", "row 4"]
    assert reason == "truncated_image"
    assert len(built.rows["object"]) == len(whole.rows["object"]) - 4
    assert _ids(built, "scene") == _ids(whole, "scene")
    assert _ids(built, "state") == _ids(whole, "state")


def test_a_picture_of_parts_that_goes_bad_once_it_was_annotated(tmp_path, whole, monkeypatch):
    """The collages that it should stand in are drops, which name it."""
    read = media.read_picture
    bad = MANUAL.rows[4].data

    def gone_bad(path: Path) -> media.Picture:
        if path.read_bytes() == bad:
            raise ImageError("broken_image", "png: gone bad")
        return read(path)

    monkeypatch.setattr("tasks.context.read_picture", gone_bad)
    built = build(tmp_path, MANUAL.rows)
    reason, detail = _drops(built)["object", "row 4"]
    assert reason == "broken_image" and "Car-4_eop_" in detail and "gone bad" in detail
    assert _ids(built, "scene") == _ids(whole, "scene")
    assert _ids(built, "state") == _ids(whole, "state")


def test_what_can_not_be_written_is_a_drop(tmp_path, whole, monkeypatch):
    """Any row's picture, and the cut-out part that is kept beside the rows."""

    def full(pixels, name, **how):
        raise ImageError("not_encodable", f"{name}: no")

    monkeypatch.setattr("core.pictures.media._saved", full)
    built = build(tmp_path, MANUAL.rows)
    assert not any(built.rows.values())
    found = {(drop.task, drop.reason) for drop in built.stats.drops}
    assert found == {
        ("scene", "not_encodable"), ("object", "not_encodable"), ("state", "not_encodable"),
        ("state", "first_step_of_session"),
        ("spatial", "not_encodable"), ("spatial", "no_relation_known"),
        ("mask", "not_encodable"),
    }  # fmt: skip


def _thin(size_wh: tuple[int, int]) -> bytes:
    rgb = np.full((size_wh[1], size_wh[0], 3), 240, np.uint8)
    rgb[4:-4, size_wh[0] // 2 - 40 : size_wh[0] // 2 + 40] = GREEN
    return png_bytes(rgb)


def test_a_collage_that_would_be_too_thin_is_a_drop(tmp_path, whole):
    """2000 x 20 may be a row's picture; its collage would be 960 x 10."""
    rows = list(MANUAL.rows)
    rows[6] = replace(rows[6], data=_thin((2000, 20)))
    built = build(tmp_path, rows)
    reason, detail = _drops(built)["object", "row 6"]
    assert (reason, "960x10" in detail) == ("too_small", True)
    shapes = {media.decode(media.take_apart(row["image"]["bytes"])).size_wh
              for row in built.rows["object"]}  # fmt: skip
    assert shapes == {(960, 720)}  # it stands among the others, small
    assert len(built.rows["object"]) == len(whole.rows["object"]) - 4


@pytest.mark.parametrize("size_wh", [(16, 16), (16, 3200), (3200, 16), (40, 17)])
@pytest.mark.parametrize("content", ["one colour", "noise", "see-through"])
def test_no_shape_or_content_that_is_let_in_stops_a_manual(tmp_path, size_wh, content):
    shape = (size_wh[1], size_wh[0], 4)
    rgba = np.full(shape, 255, np.uint8)
    if content == "noise":
        rgba = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    rgba[..., 3] = 0 if content == "see-through" else 255
    rows = [replace(row, data=png_bytes(rgba)) for row in MANUAL.rows]
    assert len(build(tmp_path, rows).rows["scene"]) == len(rows) // 2


def test_a_model_is_not_asked_about_a_picture_that_can_not_be_read(tmp_path, monkeypatch):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(MANUAL.rows[0].data or b"")
    bad.write_bytes(b"nothing")
    question = Question("0" * 64, ("Find 1 brick.",), ())
    items = [asking.Item(str(n), path, question) for n, path in enumerate([good, bad, good])]
    model = Model(
        lambda picture, _: picture.size_wh, lambda sizes: [Answer(size) for size in sizes]
    )
    monkeypatch.setattr(asking, "opened", lambda *_: model)
    asker = asking.Asker(tmp_path, "some", ModelOptions(), "cpu")
    assert asker.finish(asker.prepare(items)) == 3
    files = [answer_file(tmp_path, "some", item.key) for item in items]
    assert [file.exists() for file in files] == [True, False, True]
    assert load(files[2], Answer).size_wh == (480, 360)


# From a saved site and from a released dataset -----------------------------------------------

PICTURE = np.full((60, 80, 3), 200, np.uint8)
SITE = {
    "Car-1_step_A.png": (png(PICTURE, RGB, 8, [chunk(b"eXIf", b"\xa8" * 9)]), None),
    "Car-3_step_B.png": (png_bytes(np.zeros((1, 1, 3), np.uint8)), "too_small"),
    "Car-5_step_C.png": (png_bytes(np.zeros((20, 6000, 3), np.uint8)), "too_thin"),
    "Car-7_step_D.png": (png_bytes(np.zeros((90, 16400, 3), np.uint8)), "too_long"),
    "Car-9_step_E.jpg": (
        with_segment(saved(PICTURE, "JPEG"), 0xE1, b"Exif\0\0II*\0") + bytes(5000), None,
    ),
    "Car-11_step_F.png": (saved(PICTURE, "AVIF"), "unsupported_format"),
    "Car-13_step_G.webp": (saved(PICTURE, "WEBP")[:-20], "truncated_image"),
}  # fmt: skip


def test_pictures_of_a_saved_site(tmp_path):
    """Every row is built or a drop that names its file."""
    folder = tmp_path / "site" / "lego-60001-car-readscr"
    folder.mkdir(parents=True)
    html = div_row("Car-0_eop_A.png", find_line(1, "grey", "plate 1x2"))
    (folder / "Car-0_eop_A.png").write_bytes(png_bytes(PICTURE))
    for name, (data, _) in SITE.items():
        (folder / name).write_bytes(data)
        html += div_row(name, put_line("plate 1x2", name))
    (folder / "index.html").write_text(page(html))
    crawl = tmp_path / "work" / CRAWL
    manual_id = saved_site.import_manual(folder.parent, folder / "index.html", crawl)
    build_manual(manual_id, BuildOptions(tmp_path / "work"))
    built = read(tmp_path / "work", manual_id)
    wanted = {
        ("parse", f"row {number}", reason, name)
        for number, (name, (_, reason)) in enumerate(SITE.items(), 1)
        if reason
    }
    parsed = {(d.task, d.item, d.reason, d.detail) for d in built.stats.drops if d.task == "parse"}
    assert parsed == wanted
    assert {row["step_num"] for row in built.rows["scene"]} == {1, 9}


def test_pictures_let_in_by_an_earlier_version_are_held_to_the_shapes_of_this_one(tmp_path):
    folder = tmp_path / "site" / "m"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(png_bytes(PICTURE))
    (folder / "index.html").write_text(page(div_row("a.png", "<p>Text.</p>")))
    crawl = tmp_path / CRAWL
    saved_site.import_manual(folder.parent, folder / "index.html", crawl)
    record = crawl / "m" / "crawl.json"
    record.write_text(record.read_text().replace("[\n        80,\n        60\n      ]", "[80, 6]"))
    assert "[80, 6]" in record.read_text()
    saved_site.import_manual(folder.parent, folder / "index.html", crawl)
    assert [image.error for image in load(record, CrawledManual).images] == ["too_small"]


def test_a_damaged_picture_of_a_released_dataset_is_a_drop(tmp_path):
    folder = tmp_path / CRAWL / "lego-1-x"
    (folder / "images").mkdir(parents=True)
    images = []
    for name, data in (("a", png_bytes(PICTURE)), ("b", b"\x89PNG\r\n\x1a\n cut")):
        (folder / "images" / f"{name}.png").write_bytes(data)
        src = f"/lego/lego-1-x/images/{name}_step_1.png"
        images.append(CrawledImage(src, src, f"images/{name}.png", "0" * 64, 9, (80, 60)))
    told = [Told("scene", image.src.lstrip("/"), "[grounding] x", "Put it.") for image in images]
    (folder / "legacy.json").write_bytes(dump(Page("lego-1-x", [], told)))
    record = CrawledManual("lego-1-x", "1", "", "", "legacy.json", "0" * 64, images)
    (folder / "crawl.json").write_bytes(dump(record))
    build_manual("lego-1-x", BuildOptions(tmp_path, ready_made=RELEASED.ready_made))
    built = read(tmp_path, "lego-1-x")
    assert len(built.rows["scene"]) == 1
    (drop,) = built.stats.drops
    assert (drop.reason, drop.item) == ("truncated_image", "lego/lego-1-x/images/b_step_1.png")


# In builds that were damaged -----------------------------------------------------------------


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Path:
    """A build with one picture of each config that can't be read any more."""
    met: set[str] = set()

    def change(config: str, row: dict) -> dict:
        if config in met:
            return row
        met.add(config)
        image = {"bytes": b"RIFF" + bytes(60), "path": row["image"]["path"]}
        return {**row, "image": image, "instruction": f"damaged {config}"}

    return export_build(tmp_path_factory.mktemp("damaged") / "b", change, manuals=3)


def _damaged_ids(build: Path) -> dict[str, str]:
    rows = all_rows(build).values()
    return {r["config"]: r["id"] for r in rows if r["instruction"].startswith("damaged")}


@pytest.mark.parametrize(("name", "config"), [("legacy", "scene"), ("coco", "state")])
def test_exports_that_open_pictures_drop_those_they_can_not_read(damaged, tmp_path, name, config):
    out = tmp_path / "out"
    assert export.main([str(damaged), "--format", name, "--config", config, "--out", str(out)]) == 0
    drops = [json.loads(line) for line in (out / "dropped.jsonl").read_text().splitlines()]
    found = [drop for drop in drops if drop["id"] == _damaged_ids(damaged)[config]]
    assert len(found) == 1 and found[0]["reason"] in FAULTS


def test_validation_goes_on_behind_a_picture_that_can_not_be_read(damaged):
    broken = _damaged_ids(damaged)["state"]
    rows = [row for row in all_rows(damaged).values() if row["config"] == "state"]
    said = [line for row in rows for line in validate_rows._row("state", row, True, {}, True)]
    assert any(line.startswith(f"{broken}: the image can be decoded, found") for line in said)


def test_a_card_shows_pictures_of_the_largest_size_side_by_side():
    wide = samples._shrunk(np.zeros((100, 2 * media.MAX_SIDE_PX + 12, 3), np.uint8))
    assert media.encode(wide, "webp")
    small = np.zeros((60, 80, 3), np.uint8)
    assert samples._shrunk(small) is small

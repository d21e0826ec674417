"""Manuals drawn from tiny models: what is in them is true, the same every time, and bad input is
told of."""

import time
import zipfile

import numpy as np
import pytest
from tiny_ldraw import HEAD, SQUARE, library, put, tower

from builder.command import parser
from builder.engine.local import Workers
from builder.sources.ldraw.colours import colour_of
from builder.sources.ldraw.library import open_library
from builder.sources.ldraw.making import Wanted, make_manual
from builder.sources.ldraw.mesh import Meshes
from builder.sources.ldraw.models import ModelFile, find_models, terms_of, titles_of
from builder.sources.ldraw.names import name_of
from builder.sources.ldraw.pieces import Piece, Unit
from builder.sources.ldraw.source import LDRAW
from builder.sources.ldraw.steps import ordered
from core import scenes
from core.errors import UserError
from core.records import load

MM = 0.4  # of an LDU


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    return library(tmp_path_factory.mktemp("lib"))


def made(tmp_path, lib, text, name="123-1 - A Tower.mpd", **other):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ((manual_id, number, title),) = titles_of([ModelFile(path)])
    options = {"max_steps": None, "without_missing": False, "allow_unlicensed": False} | other
    root = tmp_path / "root"
    record = make_manual(
        Wanted(root, ModelFile(path), manual_id, f"{number} {title}", lib, 42, **options)
    )
    return record, root / "site" / manual_id


def reasons(record):
    return [(drop.reason, drop.detail) for drop in record.drops]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, lib):
    """The tower's manual, its folder and its scene."""
    record, folder = made(tmp_path_factory.mktemp("tower"), lib, tower())
    return record, folder, load(folder / scenes.FOLDER / scenes.FILE, scenes.ManualScene)


def test_a_step_and_a_picture_of_its_parts_each(drawn):
    record, folder, scene = drawn
    assert (record.steps, record.pictures, record.drops) == (5, 10, [])
    page = (folder / "index.html").read_text()
    assert "Ann [ann]" in page and "CC BY 4.0" in page
    assert len(scene.pictures) == 10 and len(scene.steps) == 5
    assert [len(step.new_ids) for step in scene.steps] == [1, 1, 2, 2, 1]


def test_the_words_are_those_of_manuals(drawn):
    _, _, scene = drawn
    said = [" / ".join("".join(f" {w}" if t != "suffix" else w for t, w in line).strip()
                       for line in [*s.says.find_lines, *s.says.put_lines])
            for s in scene.steps]  # fmt: skip
    assert said[0].startswith(("Find 1 bright red plate 2x4. /", "Collect 1 bright red plate 2x4."))
    assert "horizontally on the table" in said[0]
    assert "on top" in said[1] and "2 white plates 1x1" in said[2]
    assert "one on the left and one on the right, two studs between them, at its left" in said[2]
    assert "1 transparent red plate 2x2" in said[3] and "slope to the front" in said[3]


# Half sides along x and z, height below the origin: as the tiny library has them.
SOLIDS = {
    "3020.dat": (40, 20, 8), "3001.dat": (40, 20, 24), "3024.dat": (10, 10, 8),
    "3022.dat": (20, 20, 8), "3005.dat": (10, 10, 24),
}  # fmt: skip


def corners_mm(kind):
    if kind == "54200.dat":
        return MM * np.array(
            [[x, y, z] for x in (-10, 10) for y, z in ((0, 10), (16, 10), (16, -10))]
        )
    x, z, height = SOLIDS[kind]
    points = [[sx * x, y, sz * z] for sx in (-1, 1) for sz in (-1, 1) for y in (0, height)]
    for i in range(-x + 10, x, 20):
        for j in range(-z + 10, z, 20):  # studs: 12 wide, 4 high
            points += [[i + a, -4, j + b] for a in (-6, 6) for b in (-6, 6)]
    return MM * np.array(points, float)


def projected(part, camera):
    pose = np.array(part.pose_mm)
    world = corners_mm(part.kind) @ pose[:, :3].T + pose[:, 3]
    xy = world @ np.array(camera.matrix_px_per_mm).T + camera.offset_px
    return np.concatenate([xy.min(0), xy.max(0)]), world


def test_boxes_are_where_the_parts_are_without_asking_the_renderer(drawn):
    _, folder, scene = drawn
    check_boxes(folder, scene)


def check_boxes(folder, scene):
    """The parts projected again, from what the library's text says of them."""
    for picture in scene.pictures:
        masks = scenes.read_masks(folder, picture)
        for i, shown in enumerate(picture.shown, 1):
            part = scene.parts[shown.part_id]
            box, world = projected(part, picture.camera)
            assert np.count_nonzero(masks == i) == shown.visible_px > 0
            rows, columns = np.nonzero(masks == i)
            assert shown.box_xyxy_px == (
                columns.min(),
                rows.min(),
                columns.max() + 1,
                rows.max() + 1,
            )
            off = np.array(shown.box_xyxy_px) - box
            assert off[:2].min() >= -1 and off[2:].max() <= 1  # what is seen is within it
            alone = part.step is None or len(picture.shown) == 1
            assert not alone or np.abs(off).max() <= 1, (part.label, off)
            whole = np.concatenate([world.min(0), world.max(0)])
            assert np.abs(whole - part.box_mm)[[0, 1, 2, 3, 4]].max() < 0.01


def test_nearer_parts_hide_farther_ones(drawn):
    """Of two parts on one pixel the nearer is seen: a line of sight through each seen stud."""
    _, folder, scene = drawn
    picture = scene.pictures[-1]
    masks = scenes.read_masks(folder, picture)
    matrix, sight = np.array(picture.camera.matrix_px_per_mm), np.array(picture.camera.depth_xyz)
    checked = 0
    for shown in picture.shown:
        part = scene.parts[shown.part_id]
        x0, y0, _, x1, y1, z1 = part.box_mm
        if part.kind == "54200.dat":
            continue
        for x in np.arange(x0 + 0.8, x1, 1.6):
            for y in np.arange(y0 + 0.8, y1, 1.6):
                column, row = (matrix @ (x, y, z1) + picture.camera.offset_px).astype(int)
                seen = masks[row, column]
                other = scene.parts[picture.shown[seen - 1].part_id] if seen else None
                if other is None or other.id == part.id:
                    continue
                # the nearest point of the part that is seen must not be farther than this point
                near = min(
                    sight @ np.array(c)
                    for c in np.array(
                        np.meshgrid(*zip(other.box_mm[:3], other.box_mm[3:], strict=True))
                    ).T.reshape(-1, 3)
                )
                assert near <= sight @ (x, y, z1) + 1e-6
                checked += 1
    assert checked > 5


def test_the_same_bytes_on_every_run_and_for_any_number_of_workers(tmp_path, lib):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("101-1 - One.ldr", "102-1 - Two.ldr"):
        (folder / name).write_text(tower(name))
    found = []
    for work, workers in (("a", 1), ("b", 2)):
        options = parser().parse_args(
            ["--source", f"ldraw:{folder}", "--ldraw-library", str(lib), "--work",
             str(tmp_path / work), "--max-steps", "3"]
        )  # fmt: skip
        manuals = LDRAW.bring(options, Workers(workers))
        assert manuals.manual_ids == ["lego-101-one-readscr", "lego-102-two-readscr"]
        assert [drop.reason for drop in manuals.drops] == ["beyond_max_steps"] * 2
        assert manuals.terms.licence == "cc-by-4.0" and "Ann [ann]" in manuals.terms.attribution
        root = tmp_path / work / "0_ldraw"
        found.append({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()})
    assert found[0] == found[1] and len(found[0]) > 20


def test_a_manual_that_is_there_is_not_drawn_again_and_what_left_the_source_goes(tmp_path, lib):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "one.ldr").write_text(tower())
    (folder / "two.ldr").write_text(tower())
    options = parser().parse_args(["--source", f"ldraw:{folder}", "--ldraw-library", str(lib),
                                   "--work", str(tmp_path / "w"), "--max-steps", "2"])  # fmt: skip
    LDRAW.bring(options, Workers(1))
    page = tmp_path / "w" / "0_ldraw" / "site" / "lego-one-readscr" / "index.html"
    before = page.stat().st_mtime_ns
    (folder / "two.ldr").unlink()
    assert LDRAW.bring(options, Workers(1)).manual_ids == ["lego-one-readscr"]
    assert page.stat().st_mtime_ns == before
    (folder / "one.ldr").write_text(tower("Other"))
    LDRAW.bring(options, Workers(1))
    assert page.stat().st_mtime_ns != before
    assert not list(page.parent.parent.glob("lego-two*"))


MAIN = f"0 FILE m.ldr\n0 M\n{HEAD}\n"


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        (tower(head="0 Author: Ann\n"), "no_licence", "--allow-unlicensed"),
        (MAIN, "no_parts", "no parts in it"),
        (b"\0\1\2", "no_parts", "nothing in it"),
        (MAIN + put("3001", 0, 0, 0) + "\n" + put("gone", 0, 0, 0), "parts_missing", "gone.dat"),
        (MAIN + put("loop", 0, 0, 0), "parts_missing", "loop.dat"),
        (MAIN + f"1 4 0 0 0 {SQUARE} a.ldr\n0 FILE a.ldr\n0 A\n1 4 0 0 0 {SQUARE} b.ldr\n"
         f"0 FILE b.ldr\n0 B\n1 4 0 0 0 {SQUARE} a.ldr\n", "cyclic_references",
         "a.ldr -> b.ldr -> a.ldr"),
        (MAIN + "\n".join([put("3024", 0, 0, 0)] * 5001), "too_many_parts", "5,001 parts"),
    ],
)  # fmt: skip
def test_models_that_give_no_manual(tmp_path, lib, text, reason, told):
    record, folder = made(tmp_path, lib, text)
    assert record.steps == 0 and not folder.exists()
    found = reasons(record)[-1]
    assert found[0] == reason and told in found[1]


def test_missing_nameless_refused_and_unreadable_are_drops(tmp_path, lib):
    lines = [put("3020", 0, 0, 0), "0 STEP", put("gone", 0, 0, 0), put("9999", 0, -8, 0),
             put("../x", 0, 0, 0), "9 what", put("3001", 0, -24, 0)]  # fmt: skip
    record, _ = made(tmp_path, lib, MAIN + "\n".join(lines), without_missing=True)
    assert record.steps == 2
    assert {(drop.reason, drop.detail) for drop in record.drops} == {
        ("missing_part", "gone.dat"), ("nameless_part", "9999.dat"),
        ("refused_path", "../x.dat"), ("unreadable_lines", "1 lines can't be read: 11"),
    }  # fmt: skip
    assert {drop.item for drop in record.drops} == {"m.ldr, step 2", "m.ldr"}


def test_what_cannot_be_seen_is_left_out(tmp_path, lib):
    """A plate that is put inside of a brick."""
    lines = [
        put("3001", 0, 0, 0),
        "0 STEP",
        put("3024", 0, 8, 0),
        "0 STEP",
        put("3024", 10, -8, 10),
    ]
    record, _ = made(tmp_path, lib, MAIN + "\n".join(lines))
    assert record.steps == 2
    assert reasons(record) == [("new_parts_hidden", "bright red plate 1x1")]


def test_a_model_is_turned_around_where_that_shows_the_new_part(tmp_path, lib):
    """A wall with a plate in front of it, and one behind it."""
    wall = [put("3001", x, -24 * i, 0) for i in range(1, 4) for x in (-40, 40)]
    lines = [put("3020", 0, 0, z) for z in (-40, 0, 40)] + [put("3020", -40, 0, 0)]
    lines += [
        "0 STEP",
        *wall,
        "0 STEP",
        put("3024", 10, -8, -50),
        "0 STEP",
        put("3024", -10, -8, 50),
    ]
    record, folder = made(tmp_path, lib, MAIN + "\n".join(lines))
    assert record.steps == 4 and record.drops == []
    page = (folder / "index.html").read_text()
    assert page.count("the model around") == 1
    scene = load(folder / scenes.FOLDER / scenes.FILE, scenes.ManualScene)
    front, behind = scene.steps[2].says.groups[0], scene.steps[3].says.groups[0]
    # each is at the front of whoever looks at it
    assert front.facts["from_front"] == behind.facts["from_front"] == 0
    check_boxes(folder, scene)
    sights = [p.camera.depth_xyz[1] > 0 for p in scene.pictures if p.outline_rgb]
    assert sights == [True, True, True, False] or sights == [False, False, False, True]


def test_sub_models_are_built_before_they_are_used(tmp_path, lib):
    text = MAIN + "\n".join([
        put("3020", 0, 0, 0), "0 STEP", f"1 4 0 -8 0 {SQUARE} 12 - the chimney.ldr",
        f"1 1 20 -8 0 {SQUARE} 12 - the chimney.ldr", "0 FILE 12 - The Chimney.ldr",
        "0 12 - The Chimney", put("3024", 0, 0, 0, 16), "0 STEP", put("3024", 0, -8, 0, 16),
    ])  # fmt: skip
    record, folder = made(tmp_path, lib, text)
    page = (folder / "index.html").read_text()
    assert record.steps == 4
    assert page.index("Now you build the chimney") < page.index("At last you build the")
    assert "You need it 2 times" in page and "copies of the the chimney" not in page


def test_no_steps_of_its_own_gives_an_order_from_below(tmp_path, lib):
    lines = [put("3001", 0, -24 * i, 0) for i in (3, 1, 0, 2)]
    record, folder = made(tmp_path, lib, MAIN + "\n".join(lines))
    scene = load(folder / scenes.FOLDER / scenes.FILE, scenes.ManualScene)
    heights = [scene.parts[step.new_ids[0]].box_mm[2] for step in scene.steps]
    assert record.steps == 4 and heights == sorted(heights)


def test_an_order_for_five_thousand_parts_takes_no_minute(lib):
    meshes = Meshes(open_library(lib))
    mesh = meshes.mesh("3024.dat")
    name, colour = name_of("Plate  1 x  1"), colour_of(4, {})
    grid = np.mgrid[0:20, 0:10, 0:25].reshape(3, -1).T * (20.0, -8.0, 20.0)
    units = [Unit((Piece("3024.dat", name, mesh, colour, np.eye(3), shift),)) for shift in grid]
    begun = time.process_time()
    steps = ordered(units)
    assert time.process_time() - begun < 30
    assert sum(map(len, steps)) == 5000
    heights = [float(step[0].pieces[0].shift[1]) for step in steps]
    assert heights == sorted(heights, reverse=True)


def test_models_are_found_in_files_folders_patterns_and_archives(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ('it\'s "one".ldr', "two.MPD", "notes.txt"):
        (tmp_path / "a" / name).write_text(tower())
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("in/three.ldr", tower())
    names = [m.name for m in find_models(f"ldraw:{tmp_path / 'a'}")]
    assert names == ['it\'s "one".ldr', "two.MPD"]
    assert [m.name for m in find_models(f"ldraw:{tmp_path}/*/two*")] == ["two.MPD"]
    (member,) = find_models(f"ldraw:{tmp_path / 'some.zip'}")
    assert (member.name, member.read().decode()) == ("three.ldr", tower())
    for bad in ("", str(tmp_path / "none"), f"{tmp_path}/a/n*", f"{tmp_path}/a/notes.txt"):
        with pytest.raises(UserError, match="--source ldraw:"):
            find_models(f"ldraw:{bad}")


def test_ids_are_those_of_the_site_and_differ(tmp_path):
    names = ["10156-1 - LEGO Truck.mpd", "x/6712-1 - Sheriff's Showdown.mpd", "a tower.ldr",
             "b/a tower.ldr"]  # fmt: skip
    ids = [one[0] for one in titles_of([ModelFile(tmp_path / name) for name in names])]
    assert ids[:3] == ["lego-10156-lego-truck-readscr", "lego-6712-sheriffs-showdown-readscr",
                       "lego-model-a-tower-readscr"]  # fmt: skip
    assert len(set(ids)) == 4


def test_terms_say_what_the_models_say(tmp_path):
    for name, head in (("a", HEAD), ("b", HEAD.replace("4.0", "2.0")), ("c", "")):
        (tmp_path / f"{name}.ldr").write_text(tower(head=head))
    a, b, c = (ModelFile(tmp_path / f"{name}.ldr") for name in "abc")
    assert (terms_of([a]).licence, terms_of([b]).licence) == ("cc-by-4.0", "cc-by-2.0")
    assert (terms_of([a, b]).licence, terms_of([a, b]).licence_name) == ("other", "cc-by")
    assert terms_of([a, c]).licence == "cc-by-4.0"
    assert terms_of([a, c], True).licence == "unknown"
    assert "1 of the models have no licence line" in terms_of([a, c], True).attribution


def test_a_slice_is_the_first_steps_in_building_order(tmp_path, lib, drawn):
    _, _, whole = drawn
    for most in (1, 3):
        record, folder = made(tmp_path, lib, tower(), max_steps=most)
        scene = load(folder / scenes.FOLDER / scenes.FILE, scenes.ManualScene)
        assert [one.step for one in scene.steps] == list(range(most))
        boxes = [[s.parts[i].box_mm for step in s.steps[:most] for i in step.new_ids]
                 for s in (scene, whole)]  # fmt: skip
        assert boxes[0] == boxes[1]
        assert reasons(record) == [("beyond_max_steps", f"{5 - most} steps more in the model")]


def test_a_slice_of_sub_models_does_not_say_at_last(tmp_path, lib):
    text = MAIN + "\n".join([
        put("3020", 0, 0, 0), "0 STEP", f"1 4 0 -8 0 {SQUARE} a.ldr", f"1 4 0 -32 0 {SQUARE} b.ldr",
        *(line for name in "ab" for line in (
            f"0 FILE {name}.ldr", f"0 the thing {name}{name}{name}", put("3024", 0, 0, 0, 16),
            "0 STEP", put("3024", 0, -8, 0, 16))),
    ])  # fmt: skip
    _, folder = made(tmp_path, lib, text, max_steps=4)
    page = (folder / "index.html").read_text()
    assert page.count("Now you build") == 2 and "At last" not in page


def test_odd_names_and_numbers_are_read_or_told(tmp_path, lib):
    name = 'my "odd" it\'s part.ldr'
    text = MAIN + "\n".join([
        put("3001", 0, 0, 0), "0 STEP", f"1 4 0 -24 0 {SQUARE} {name}",
        f"1 4 1e300 0 0 {SQUARE} 3001.dat", f"1 4 nan 0 0 {SQUARE} 3001.dat",
        f"0 FILE {name}", "0 odd", put("3001", 0, 0, 0),
    ])  # fmt: skip
    record, folder = made(tmp_path, lib, text, 'it\'s "my" model &<b>.ldr')
    assert record.steps == 2 and (folder / "index.html").is_file()
    assert reasons(record) == [("unreadable_lines", "2 lines can't be read: 9, 10")]


def test_a_damaged_model_in_an_archive_is_a_drop_and_the_others_are_drawn(tmp_path, lib):
    file = tmp_path / "some.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("101-1 - One.ldr", "102-1 - Two.ldr"):
            archive.writestr(name, tower(name))
    data = bytearray(file.read_bytes())
    data[data.index(b"3001.dat")] ^= 1  # its checksum does not fit any more
    file.write_bytes(data)
    options = parser().parse_args(
        ["--source", f"ldraw:{file}", "--ldraw-library", str(lib), "--work", str(tmp_path / "w"),
         "--max-steps", "1"]
    )  # fmt: skip
    manuals = LDRAW.bring(options, Workers(1))
    assert manuals.manual_ids == ["lego-102-two-readscr"]
    told = {(drop.manual_id, drop.reason) for drop in manuals.drops}
    assert ("lego-101-one-readscr", "unreadable_model") in told
    assert LDRAW.terms(f"ldraw:{file}").licence == "cc-by-4.0"

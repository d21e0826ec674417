"""Parts of a library: where it is, meshes, colours and names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import CAD_MODELS
from tiny_ldraw import SQUARE, library

from builder.sources.ldraw import library as libraries
from builder.sources.ldraw.colours import colour_of, read_config
from builder.sources.ldraw.library import find_library, open_library
from builder.sources.ldraw.mesh import BrokenPart, Meshes
from builder.sources.ldraw.names import name_of
from builder.sources.ldraw.reader import read_model
from core.colors import COLORS
from core.errors import UserError


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return open_library(library(tmp_path_factory.mktemp("lib")))


def test_the_library_is_found_as_given_by_environment_and_in_usual_places(tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "USUAL", (str(tmp_path / "usual"),))
    monkeypatch.delenv("LDRAWDIR", raising=False)
    with pytest.raises(UserError, match=r"no parts library.*library\.ldraw\.org.*80 MB"):
        find_library(None)
    (tmp_path / "usual").mkdir()
    usual = library(tmp_path / "usual" / "ldraw")  # as an archive unpacks
    assert find_library(None) == usual
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("LDRAWDIR", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"LDRAWDIR=.*no parts library"):
        find_library(None)
    assert find_library(usual) == usual
    with pytest.raises(UserError, match=r"--ldraw-library .*no such folder"):
        find_library(tmp_path / "nowhere")


def test_names_of_files_are_found_in_any_case(tiny):
    (tiny.folder / "parts" / "S").mkdir()
    (tiny.folder / "parts" / "S" / "ABCs01.DAT").write_text("0 A")
    found = open_library.__wrapped__(tiny.folder)
    assert found.find("s\\abcS01.dat") == tiny.folder / "parts" / "S" / "ABCs01.DAT"
    assert found.find("../parts/3001.dat") is None and found.find("none.dat") is None


def test_a_mesh_has_faces_edges_and_studs(tiny):
    mesh = Meshes(tiny).mesh("3020.dat")
    assert len(mesh.triangles) == 12 * 9 and len(mesh.lines) == 12 * 9
    assert len(mesh.studs) == 8
    assert mesh.body.min(0).tolist() == [-40, 0, -20] and mesh.body.max(0).tolist() == [40, 8, 20]
    assert mesh.corners.min(0).tolist() == [-40, -4, -20]


def test_mirrored_and_scaled_references(tiny):
    text = f"""0 FILE m.ldr
0 M
1 4 0 0 0 {SQUARE} own.dat
0 FILE own.dat
0 Own
1 4 10 0 0 -2 0 0 0 1 0 0 0 1 3024.dat
1 16 0 0 0 {SQUARE} stud4.dat
"""
    files = read_model(text.encode(), "m.mpd")
    meshes = Meshes(tiny, {name: file for name, file in files.items() if file.is_part})
    mesh = meshes.mesh("own.dat")
    assert mesh.body.min(0).tolist() == [-10, 0, -10] and mesh.body.max(0).tolist() == [30, 8, 10]
    assert len(mesh.studs) == 1  # a tube is none
    assert set(mesh.colours.tolist()) == {4, 16}


@pytest.mark.parametrize(
    ("part", "reason"),
    [("none", "missing"), ("half", "missing"), ("loop", "cyclic"), ("hollow", "empty")],
)
def test_broken_parts_say_why(tiny, part, reason):
    with pytest.raises(BrokenPart) as caught:
        Meshes(tiny).mesh(f"{part}.dat")
    assert caught.value.reason == reason


def test_what_was_moved_is_called_by_its_new_name(tiny):
    meshes = Meshes(tiny)
    assert meshes.title("old.dat") == "Plate  2 x  2"
    assert len(meshes.mesh("old.dat").studs) == 4


def test_colours_by_code_direct_and_dithered(tiny):
    config = read_config(tiny.config)
    assert config[4].name == "bright red" and config[4].rgb == (180, 0, 0)
    assert (config[36].name, config[36].is_clear) == ("transparent red", True)
    assert colour_of(0x2FF8000, config).rgb == (255, 128, 0)
    assert colour_of(0x3FF8000, config).is_clear
    assert colour_of(256 + 16 * 4 + 15, config).rgb == (212, 122, 122)
    assert colour_of(12345, config).rgb == colour_of(16, config).rgb == (127, 127, 127)


@given(st.integers(0, 0x3FFFFFF))
def test_every_code_has_a_colour_with_a_name_that_is_known(code):
    colour = colour_of(code, {})
    assert colour.name.removeprefix("transparent ") in COLORS


@pytest.mark.parametrize(
    ("title", "one", "several"),
    [
        ("Brick  2 x  4", "brick 2x4", "bricks 2x4"),
        ("Slope Brick 45  2 x  1", "roof tile 1x2", "roof tiles 1x2"),
        ("Slope Brick 31  1 x  1 x  0.667", "roof tile 1x1x⅔", "roof tiles 1x1x⅔"),
        ("Plate  1 x  2 with Handle", "plate 1x2 with handle", "plates 1x2 with handle"),
        ("Tile  1 x  2 with Groove", "flat tile 1x2", "flat tiles 1x2"),
        ("Plate  1 x  1 Round", "round plate 1x1", "round plates 1x1"),
        ("~_Brick 12 x 24 (Obsolete)", "brick 12x24", "bricks 12x24"),
        ("Bracket  1 x  2 -  1 x  4 with Square Corners", "bracket 1x2/1x4 with square corners",
         "brackets 1x2/1x4 with square corners"),
        ("Minifig Leg Left", "left minifigure leg", "left minifigure legs"),
        ("Minifig Hat Cowboy", "cowboy hat", "cowboy hats"),
        ("Minifig Hips", "minifigure hips", "minifigure hips"),
        ("Technic Axle  7", "technic axle 7", "technic axles 7"),
        ("Wedge  3 x  2 Left", "left wedge 2x3", "left wedges 2x3"),
        ('Tile  1 x  2 with "Wanted - Joe" Pattern', "flat tile 1x2 with wanted - joe pattern",
         "flat tiles 1x2 with wanted - joe pattern"),
        ("The Model - Shock absorber", "shock absorber", "shock absorbers"),
    ],
)  # fmt: skip
def test_descriptions_as_manuals_word_them(title, one, several):
    name = name_of(title)
    assert name is not None and (name.label(), name.label(2)) == (one, several)


@pytest.mark.parametrize("title", ["", "2551", "~", "4 x 4", "x-1"])
def test_a_description_that_gives_no_name(title):
    assert name_of(title) is None


@given(st.text(max_size=120))
def test_any_description_gives_a_short_name_or_none(title):
    name = name_of(title)
    assert name is None or (name.family and len(name.rest) <= 64)


@pytest.mark.cad_models
def test_all_real_parts_have_meshes_and_most_a_name():
    found = open_library(CAD_MODELS / "library")
    meshes, nameless = Meshes(found), 0
    parts = [name for name in found.files if found.files[name].parent.name == "parts"]
    for name in parts:
        nameless += name_of(meshes.title(name)) is None
    assert nameless == 0 and len(parts) > 300
    for name in parts[:40]:
        assert np.isfinite(meshes.mesh(name).triangles).all()

"""Real models with real parts, where they lie beside the checkout."""

import numpy as np
import pytest
from outside import CAD_MODELS as REAL
from scipy.spatial import Delaunay

from builder.sources.ldraw.colours import read_config
from builder.sources.ldraw.library import open_library
from builder.sources.ldraw.making import Wanted, make_manual
from builder.sources.ldraw.mesh import Meshes
from builder.sources.ldraw.models import ModelFile, find_models, terms_of, titles_of
from builder.sources.ldraw.openings import opening_of
from builder.sources.ldraw.pieces import take_apart
from builder.sources.ldraw.reader import read_model
from builder.sources.ldraw.solids import bodies_of
from builder.sources.ldraw.steps import MOST_KINDS, sessions_of
from core import scenes
from core.records import load

pytestmark = pytest.mark.cad_models


def test_every_model_comes_apart_into_steps():
    models = find_models(f"ldraw:{REAL / 'models'}")
    ids = [one[0] for one in titles_of(models)]
    assert len(models) == len(set(ids)) == 21
    assert terms_of(models).licence == "cc-by-2.0"
    library = open_library(REAL / "library")
    config = read_config(library.config)
    for model in models:
        files = read_model(model.read(), model.name)
        meshes = Meshes(library, {name: f for name, f in files.items() if f.is_part})
        raw, lost = take_apart(files, meshes, config)
        assert not [one for one in lost if one.reason != "nameless_part"], model.name
        for session in sessions_of(raw):
            assert all(len({u.kind for u in step}) <= MOST_KINDS for step in session.steps)


@pytest.mark.parametrize(
    ("number", "inner", "outer"),
    [
        ("5920", "wheel rim 8x18 with 12 spokes and peghole", "tyre 58x14 offset tread"),
        ("6232", "coin with 20 sans-serif type", "barrel 2x2x1⅔"),
        ("6755", "glass for window 1x4x5", "window 1x4x5"),
    ],
)
def test_rims_are_in_tyres_and_panes_in_windows(number, inner, outer):
    """Read again from the corners of faces: what is in a part is mostly in its convex hull."""
    (path,) = (REAL / "models").glob(f"{number}-*")
    library = open_library(REAL / "library")
    files = read_model(path.read_bytes(), path.name)
    meshes = Meshes(library, {name: f for name, f in files.items() if f.is_part})
    raw, _ = take_apart(files, meshes, read_config(library.config))
    found = set()
    for session in sessions_of(raw):
        solids = [s for b in bodies_of([u for step in session.steps for u in step], 0)
                  for s in b.solids]  # fmt: skip
        boxes = np.array([solid.box for solid in solids])
        for solid in solids:
            place = opening_of(solid, solids, boxes)
            if place is None:
                continue
            other = solids[place]
            found.add((solid.piece.name.label(), other.piece.name.label()))
            points, hull = (
                one.piece.mesh.triangles.reshape(-1, 3) @ one.turn.T + one.shift
                for one in (solid, other)
            )
            inside = Delaunay(np.unique(hull.round(2), axis=0)).find_simplex(points) >= 0
            assert inside.mean() > 0.5, found
    assert (inner, outer) in found


def test_a_real_model_is_where_its_scene_says(tmp_path):
    (path,) = (REAL / "models").glob("1180*")
    wanted = Wanted(tmp_path, ModelFile(path), "lego-1180-x-readscr", "x", REAL / "library", 1, 5,
                    False, False)  # fmt: skip
    made = make_manual(wanted)
    assert made.steps == 5
    folder = tmp_path / "site" / "lego-1180-x-readscr"
    scene = load(folder / scenes.FOLDER / scenes.FILE, scenes.ManualScene)
    meshes = Meshes(open_library(REAL / "library"))
    for picture in scene.pictures:
        masks = scenes.read_masks(folder, picture)
        matrix = np.array(picture.camera.matrix_px_per_mm)
        for i, shown in enumerate(picture.shown, 1):
            part = scene.parts[shown.part_id]
            pose = np.array(part.pose_mm)
            # corners of faces, without the project's own list of corners
            points = meshes.mesh(part.kind).triangles.reshape(-1, 3) * 0.4
            xy = (points @ pose[:, :3].T + pose[:, 3]) @ matrix.T + picture.camera.offset_px
            rows, columns = np.nonzero(masks == i)
            if not len(rows):
                continue
            off = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            off = off - np.concatenate([xy.min(0), xy.max(0)])
            assert off[:2].min() >= -1 and off[2:].max() <= 1, part.label
            assert part.step is not None or np.abs(off).max() <= 1, part.label

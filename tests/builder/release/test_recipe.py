"""A release without pictures: what it holds, and the same dataset again from one's own copy."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow.parquet as pq
import pytest
from command import make, one_line_error, tiny_build
from hub_server import serving
from hub_store import User
from PIL import Image
from pusher import pushing
from snippets import run_snippets

from builder.release import validate
from builder.release.recipe import recipe_features
from core import store
from core.build import MANIFEST, records
from lego_arta import CONFIGS
from tasks.context import site_path


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    """A folder with a build, its recipe, and the site they were made from."""
    folder = tmp_path_factory.mktemp("recipe")
    tiny_build(folder, "--recipe", manuals=1)
    return folder


def again(recipe: Path, site: Path, folder: Path, *more: object) -> CompletedProcess:
    """What the command says that builds `folder`/lego-arta from a recipe and a site."""
    return make("--from-recipe", recipe, "--source", site, "--work", folder / "w",
                "--out", folder / "lego-arta", "--workers", 1, *more)  # fmt: skip


def rows_of(out: Path, config: str) -> list[dict]:
    return [row for path in sorted(out.glob(f"data/{config}/*")) for row in
            pq.read_table(path).to_pylist()]  # fmt: skip


def test_a_recipe_holds_everything_but_pictures(released):
    """Column by column equal to the build; no picture's bytes anywhere in it."""
    recipe = released / "lego-arta-recipe"
    assert list(validate.violations(recipe)) == []
    pictures = []
    for config in CONFIGS:
        full, bare = rows_of(released / "lego-arta", config), rows_of(recipe, config)
        assert len(full) == len(bare) and (full or config == "state_balanced")
        for row, other in zip(full, bare, strict=True):
            image = row.pop("image")
            pictures += [image["bytes"], row.pop("mask", image)["bytes"]]
            assert other.pop("image_name") == image["path"]
            assert other.pop("image_sha256") == store.sha256(image["bytes"])
            edit = other.pop("edit")
            assert other == row
            assert [s["sha256"] for s in edit["sources"]] == [
                s["sha256"] for s in row["provenance"]["source_images"]
            ]
    data = b"".join(path.read_bytes() for path in recipe.rglob("*") if path.is_file())
    assert not any(picture[40:90] in data for picture in pictures)
    assert b"WEBPVP8" not in data


def test_edits_say_what_was_done_to_which_picture(released):
    """Carried out by hand on the source pictures: copies are equal, cells and shifts are right."""
    site, recipe = released / "site", released / "lego-arta-recipe"
    images = {row["id"]: row["image"]["bytes"] for config in CONFIGS
              for row in rows_of(released / "lego-arta", config)}  # fmt: skip

    def source(entry: dict) -> np.ndarray:
        file = site / site_path(entry["url"])
        assert store.sha256(file.read_bytes()) == entry["sha256"]
        return np.array(Image.open(file).convert("RGB"))

    def made(row: dict) -> np.ndarray:
        path = released / "made.webp"
        path.write_bytes(images[row["id"]])
        return np.array(Image.open(path).convert("RGB"))

    for row in rows_of(recipe, "scene"):
        assert row["edit"]["op"] == "copy"
        assert np.array_equal(made(row), source(row["edit"]["sources"][0]))
    for row in rows_of(recipe, "object")[:4]:
        assert row["edit"]["op"] == "collage" and len(row["edit"]["sources"]) == 4
    for row in rows_of(recipe, "state"):
        edit = row["edit"]
        if row["label"]:
            assert edit["op"] == "right" and edit["shift_xy_px"] is None
            x0, y0, x1, y1 = (int(v) for v in row["correct_box_px"])
            same = (made(row) == source(edit["sources"][0])).all(axis=2)[y0:y1, x0:x1]
            assert same.mean() > 0.9  # all but the old outline's traces and soft edges
        else:
            assert edit["op"] == row["negative_kind"]
            assert not np.array_equal(made(row), source(edit["sources"][0]))
            if edit["op"] == "shift":
                dx, dy = edit["shift_xy_px"]
                x0, y0 = row["correct_box_px"][:2]
                assert (x0 + dx, y0 + dy) == tuple(row["part_box_px"][:2])


def test_the_full_dataset_again_from_ones_own_copy(released, tmp_path):
    """Byte for byte, whatever options are given and whatever else lies in the copy."""
    shutil.copytree(released / "site", tmp_path / "site")
    page = next((tmp_path / "site").rglob("index.html"))
    shutil.copytree(page.parent, page.parent.with_name("lego-99999-newer-readscr"))
    run = again(released / "lego-arta-recipe", tmp_path / "site", tmp_path,
                "--split", "paper", "--image-format", "png", "--seed", 7)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "the same as the release" in run.stdout
    for path in (released / "lego-arta").rglob("*"):
        if path.is_file():
            other = tmp_path / "lego-arta" / path.relative_to(released / "lego-arta")
            assert other.read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("what", ["changed", "gone", "page", "manual"])
def test_a_source_that_has_changed_is_named(what, released, tmp_path):
    shutil.copytree(released / "site", tmp_path / "site")
    recipe = json.loads((released / "lego-arta-recipe" / MANIFEST).read_text())
    inputs = next(records(released / "lego-arta-recipe", recipe, "inputs"))
    url = sorted(inputs["images"])[0]
    file = tmp_path / "site" / url
    if what == "changed":
        picture = Image.open(file).convert("RGB")
        picture.putpixel((0, 0), (1, 2, 3))
        picture.save(file)
        word = f"{url} (changed)"
    elif what == "gone":
        file.unlink()
        word = f"{url} (gone)"
    elif what == "page":
        page = tmp_path / "site" / inputs["url"]
        page.write_text(page.read_text() + "<!-- new -->")
        word = f"{inputs['url']} (changed)"
    else:
        page = tmp_path / "site" / inputs["url"]
        page.parent.rename(page.parent.with_name("lego-1-other-readscr"))
        word = f"{inputs['url']} (gone)"
    run = again(released / "lego-arta-recipe", tmp_path / "site", tmp_path)
    one_line_error(run, word)
    assert not (tmp_path / "lego-arta").exists()


@pytest.mark.parametrize("what", ["build", "other code", "nothing"])
def test_what_is_no_recipe_of_this_code_is_one_line(what, released, tmp_path):
    folder, word = tmp_path / "r", "not a recipe"
    if what == "build":
        folder = released / "lego-arta"
    elif what == "other code":
        shutil.copytree(released / "lego-arta-recipe", folder)
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["code_sha256"], manifest["libraries"]["pillow"] = "0" * 64, "1.0"
        (folder / MANIFEST).write_text(json.dumps(manifest))
        word = "pillow 1.0 there"
    run = again(folder, released / "site", tmp_path)
    one_line_error(run, "--from-recipe", word)


def test_a_recipe_with_a_picture_or_a_lost_row_is_found(released, tmp_path):
    out = Path(shutil.copytree(released / "lego-arta-recipe", tmp_path / "r"))
    path = next(out.glob("data/scene/*"))
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    (out / "picture.webp").write_bytes(b"x")
    found = list(validate.violations(out))
    assert any("rows, found" in line for line in found)
    assert any("picture.webp: not part" in line for line in found)


def test_a_recipe_is_pushed_instead_of_the_build(released, tmp_path):
    with serving(tmp_path / "hub") as hub, pushing(hub, tmp_path / "home") as pusher:
        hub.store.users["hf_ann_secret"] = User("ann")
        result = pusher.push(released / "lego-arta-recipe", "--repo-id", "ann/lego-arta-recipe")
        assert result.code == 0, result.stderr
        files = hub.store.repos["ann/lego-arta-recipe"].commit("main").files
        assert not [name for name in files if name.endswith((".webp", ".png"))]
        assert "one row of every config loads" in result.stdout


def test_columns_of_a_recipe_follow_the_code():
    for config in CONFIGS:
        names = list(recipe_features(config))
        assert "image" not in names and names[-3:] == ["image_name", "image_sha256", "edit"]


def test_the_snippet_of_the_recipes_card_runs(released, tmp_path):
    text = (released / "lego-arta-recipe/README.md").read_text()
    assert "'op':" in run_snippets(text, released, tmp_path)
    assert "--from-recipe lego-arta-recipe" in text and "$" not in text.split("---\n", 2)[2]
    assert make("--help").stdout.count("--from-recipe")

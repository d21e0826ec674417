"""Maps scored by the command: known overlaps, baselines, groups, and everything that is no map."""

import json

import numpy as np
import pytest
from mask_build import SIZE_WH, write_mask_build
from PIL import Image

from core.masks import read_mask
from evaluation import command as evaluate
from evaluation.masks import counts_of, wanted_rows


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_mask_build(tmp_path_factory.mktemp("b"), manuals=5, test_manuals=4)


def write_maps(build, folder, change=lambda mask: mask):
    """A map a row of the test split, half of them .npy; returns the rows' ids."""
    folder.mkdir(parents=True)
    ids = []
    for number, row in enumerate(wanted_rows(build, "test")):
        found = change(row.mask).astype(np.float32)
        if number % 2:
            np.save(folder / f"{row.id}.npy", found)
        else:
            Image.fromarray((found * 255).astype(np.uint8)).save(folder / f"{row.id}.png")
        ids.append(row.id)
    return ids


def score(build, tmp_path, *more):
    words = ["masks", str(build), "--out", str(tmp_path / "s"), *map(str, more)]
    assert evaluate.main(words) == 0
    return json.loads((tmp_path / "s/masks.json").read_text())


def named(told, name):
    (found,) = [one for one in told["scores"] if one["name"] == name]
    return found


def test_the_true_masks_score_100_and_beat_every_baseline(build, tmp_path, capsys):
    write_maps(build, tmp_path / "true")
    told = score(build, tmp_path, "--masks", tmp_path / "true")
    values = named(told, "true")["values"]
    assert values == {"giou": 100, "ciou": 100, "miou": 100, "iou_at_50": 100, "pointing": 100,
                      "area_error": 0}  # fmt: skip
    assert [one["name"] for one in told["scores"]] == [
        "true", "everything", "all-foreground", "centre",
    ]  # fmt: skip
    areas = [row.mask.mean() for row in wanted_rows(build, "test")]
    everything = named(told, "everything")["values"]
    assert everything["giou"] == pytest.approx(100 * np.mean(areas))
    assert everything["ciou"] == pytest.approx(100 * np.mean(areas))  # pictures of one size
    assert everything["pointing"] == pytest.approx(100 * np.mean(areas))
    # Three blocks, one of which is meant; the table is left out.
    assert 20 < named(told, "all-foreground")["values"]["giou"] < 60
    between = [d for d in told["differences"] if d["metric"] == "giou"]
    assert [d["b"] for d in between] == ["everything", "all-foreground", "centre"]
    assert all(d["interval"][0] > 0 for d in between)
    out = capsys.readouterr().out
    assert "gIoU by origin" in out and "only 4 manuals" in out
    assert "all-foreground" in (tmp_path / "s/masks.md").read_text()


def test_groups_hold_their_own_rows(build, tmp_path):
    """Maps that are right only where the picture is of a scene."""
    rows = {row.id: row for row in wanted_rows(build, "test")}
    (tmp_path / "maps").mkdir()
    for name, row in rows.items():
        found = row.mask if row.groups["origin"] == "scene" else np.zeros_like(row.mask)
        np.save(tmp_path / f"maps/{name}.npy", found)
    told = named(score(build, tmp_path, "--masks", tmp_path / "maps"), "maps")
    groups = told["groups"]["origin"]
    assert groups["scene"]["values"]["giou"] == 100
    assert {groups[name]["values"]["giou"] for name in groups if name != "scene"} == {0}
    assert sum(one["n"] for one in groups.values()) == len(rows)
    assert set(told["groups"]["level"]) == {"simple", "complex"}
    assert set(told["groups"]["source"]) == {"exact"}


def test_counts_by_hand():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True  # 6 pixels
    found = np.zeros((4, 5), np.float32)
    found[1, 1:5] = 0.6  # 3 of them and another
    found[1, 1] = 0.9
    counts = counts_of(found, mask, 0.5)
    assert (counts["shared"], counts["joined"]) == (3, 7)
    assert (counts["rest_shared"], counts["rest_joined"]) == (13, 17)
    assert counts["iou"] == pytest.approx(3 / 7) and counts["hit_50"] == 0
    assert counts["pointed"] == 1
    assert counts["area_error"] == pytest.approx(2 / 20)
    assert counts_of(found, mask, 0.95)["shared"] == 0  # nothing is above
    assert counts_of(found, mask, 0.95)["pointed"] == 1  # its maximum is where it was
    assert counts_of(None, mask, 0.5)["pointed"] == 0  # a map of nothing points nowhere


def test_ciou_weighs_pixels_and_giou_samples(build, tmp_path):
    """Half of every mask, from the left: the means differ from the share of summed pixels."""

    def half(mask):
        columns = np.flatnonzero(mask.any(0))
        cut = mask.copy()
        cut[:, columns[len(columns) // 2] :] = False
        return cut

    write_maps(build, tmp_path / "half", half)
    values = named(score(build, tmp_path, "--masks", tmp_path / "half"), "half")["values"]
    rows = list(wanted_rows(build, "test"))
    shared = [half(row.mask).sum() for row in rows]
    whole = [row.mask.sum() for row in rows]
    assert values["ciou"] == pytest.approx(100 * sum(shared) / sum(whole))
    assert values["giou"] == pytest.approx(100 * np.mean(np.divide(shared, whole)))
    size = sum(row.mask.size for row in rows)
    rest = (size - sum(whole)) / (size - sum(shared))  # what neither has, of what one lacks
    assert values["miou"] == pytest.approx(50 * (sum(shared) / sum(whole) + rest))


WIDTH, HEIGHT = SIZE_WH
GREY = np.zeros((HEIGHT, WIDTH), np.uint8)
BAD = {
    "of another size": (np.zeros((HEIGHT, WIDTH + 1), np.float32), "pixels, its picture has"),
    "three channels": (np.zeros((HEIGHT, WIDTH, 3), np.float32), "one channel is needed"),
    "not a number": (np.full((HEIGHT, WIDTH), np.nan, np.float32), "NaN or infinity"),
    "above one": (np.full((HEIGHT, WIDTH), 3.0, np.float32), "not from 0 to 1"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_map_that_cannot_be_used_is_named_in_one_line(build, tmp_path, capsys, kind):
    ids = write_maps(build, tmp_path / "maps")
    for suffix in (".png", ".npy"):
        (tmp_path / f"maps/{ids[0]}{suffix}").unlink(missing_ok=True)
    pixels, words = BAD[kind]
    np.save(tmp_path / f"maps/{ids[0]}.npy", pixels)
    assert evaluate.main(["masks", str(build), "--masks", str(tmp_path / "maps")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2 and f"{ids[0]}.npy" in lines[0] and words in lines[0]
    assert lines[1].startswith("error: 1 map can't be used") and "--holes empty" in lines[1]


def test_pictures_that_are_no_maps(build, tmp_path, capsys):
    ids = write_maps(build, tmp_path / "maps")
    Image.new("RGB", SIZE_WH).save(tmp_path / f"maps/{ids[0]}.png")
    (tmp_path / f"maps/{ids[2]}.png").write_bytes(b"no picture")
    assert evaluate.main(["masks", str(build), "--masks", str(tmp_path / "maps")]) == 1
    said = capsys.readouterr().err
    assert "one channel is needed, found RGB" in said and f"{ids[2]}.png" in said
    assert "error: 2 maps can't be used" in said and "Traceback" not in said


def test_sixteen_bit_maps_are_read(build, tmp_path):
    (tmp_path / "deep").mkdir()
    for row in wanted_rows(build, "test"):
        deep = Image.fromarray(row.mask.astype(np.uint16) * 65535)
        deep.save(tmp_path / f"deep/{row.id}.png")
    told = score(build, tmp_path, "--masks", tmp_path / "deep", "--no-baselines")
    assert named(told, "deep")["values"]["giou"] == 100


def test_holes_are_refused_or_counted_as_empty(build, tmp_path, capsys):
    ids = write_maps(build, tmp_path / "maps")
    (tmp_path / f"maps/{ids[0]}.png").unlink()
    Image.fromarray(GREY).save(tmp_path / "maps/of-no-row.png")
    words = ["masks", str(build), "--masks", str(tmp_path / "maps"), "--no-baselines"]
    assert evaluate.main(words) == 1
    said = capsys.readouterr().err
    assert f"1 of {len(ids)} rows have no map, the first is {ids[0]}" in said
    told = score(build, tmp_path, *words[2:], "--holes", "empty")
    (found,) = told["scores"]
    assert found["holes"] == 1
    assert found["values"]["giou"] == pytest.approx(100 * (1 - 1 / len(ids)))
    assert any("of no test row" in line for line in told["warnings"])


def test_folders_that_fit_nothing(build, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder, words in ((tmp_path / "none", "no such folder"), (tmp_path / "empty", "no map of")):
        assert evaluate.main(["masks", str(build), "--masks", str(folder)]) == 1
        assert words in capsys.readouterr().err
    ids = write_maps(build, tmp_path / "maps")
    np.save(tmp_path / f"maps/{ids[0]}.npy", GREY)
    assert evaluate.main(["masks", str(build), "--masks", str(tmp_path / "maps")]) == 1
    assert "has a .png and a .npy" in capsys.readouterr().err
    assert evaluate.main(["masks", str(tmp_path), "--masks", str(tmp_path / "maps")]) == 1
    assert "not a build" in capsys.readouterr().err


def test_the_toy_build_holds_masks(build):
    rows = list(wanted_rows(build, "test"))
    assert len(rows) == 4 * 3 * 3
    assert all(read_mask(row.row.columns["mask"]["bytes"], SIZE_WH).any() for row in rows)

"""State rows of a tiny manual: typed negatives, their words, the bare part, colours by hand."""

import re
from collections import Counter

import numpy as np
import pytest
from built import Built, build, pixels_of
from makers import (
    MAGENTA,
    SESSION_BRICKS,
    YELLOW,
    Brick,
    PageRow,
    crawl_folder,
    png_bytes,
    step_pictures,
    tiny_manual,
)
from PIL import Image

from builder.stages import BuildOptions, build_manual
from core.records import SessionColors, load
from core.store import COLORS_FILE, ROWS
from synthesis.boundary import color_mask
from synthesis.negatives import KINDS
from tasks.context import TaskOptions

STEPS = len(SESSION_BRICKS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Built:
    return build(tmp_path_factory.mktemp("tiny"), tiny_manual().rows)


# Wrong states and their words ----------------------------------------------------------------


@pytest.fixture(scope="module")
def typed(tmp_path_factory) -> Built:
    """The same manual with negatives of all kinds."""
    work = tmp_path_factory.mktemp("typed")
    return build(work, tiny_manual().rows, TaskOptions(negatives="typed"))


def test_typed_negatives_have_kinds_boxes_and_sentences(typed):
    assert len(typed.rows["state"]) == 4 * (STEPS - 1)
    kinds = Counter(row["negative_kind"] for row in typed.rows["state"] if not row["label"])
    assert len(kinds) >= 4 and set(kinds) <= set(KINDS)
    for row in typed.rows["state"]:
        if row["label"]:
            assert (row["correction"], row["negative_kind"]) == (None, None)
            continue
        kind = row["negative_kind"]
        assert row["correction"].strip().endswith(".")
        assert (row["part_box_px"] is None) == (kind == "missing")
        assert (row["shift_fraction"] >= 0.05) == (kind in ("shift", "extra"))
        if kind in ("rotate", "mirror", "wrong_color", "missing"):
            assert row["shift_fraction"] == 0
        if kind in ("wrong_color", "wrong_part", "missing"):
            asked = row["previous_instruction"].removeprefix("Find ").rstrip(".")
            assert asked in row["correction"]


def test_what_screening_turned_down_is_counted(typed):
    """Drawn bricks are alike left and right, so none can be mirrored."""
    assert all(re.fullmatch(r"[a-z_]+: [a-z_]+", key) for key in typed.stats.screened)
    assert "mirror" not in {row["negative_kind"] for row in typed.rows["state"]}
    assert typed.stats.screened["mirror: looks_the_same"] > 0


@pytest.mark.parametrize("which", ["tiny", "typed"])
def test_the_words_of_a_shift_lead_back_to_the_right_place(which, request):
    shifts = 0
    for row in request.getfixturevalue(which).rows["state"]:
        if row["negative_kind"] != "shift":
            continue
        shifts += 1
        height, width = pixels_of(row).shape[:2]
        way = [row["correct_box_px"][axis] - row["part_box_px"][axis] for axis in (0, 1)]
        told = [0.0, 0.0]
        words = re.findall(r"(\d+) % (to the left|to the right|up|down)", row["correction"])
        assert words
        for percent, word in words:
            axis, size = (0, width) if word.startswith("to") else (1, height)
            sign = 1 if word in ("to the right", "down") else -1
            told[axis] = sign * int(percent) * size / 100
        for axis, size in ((0, width), (1, height)):
            if told[axis]:
                assert abs(told[axis] - way[axis]) <= size / 100
            else:
                assert abs(way[axis]) < 0.2 * max(map(abs, way))
    assert shifts


# The part by itself, and a colour set by hand -------------------------------------------------

SESSION = "lego-60001-test-readscr/Car"


def test_every_state_has_a_picture_of_its_bare_part(tmp_path):
    rows = tiny_manual().rows[:8]
    built = build(tmp_path, rows)
    folder = tmp_path / ROWS / built.manual.manual_id
    states = {row["step_num"]: row for row in built.rows["state"]}
    kept = [i for i in built.manual.instructions if i.VLM.parts_img_path]
    assert {i.VLM.step_num for i in kept} > set(states)  # first steps have no state
    for instruction in kept:
        with Image.open(folder / instruction.VLM.parts_img_path) as image:
            assert (image.format, image.mode) == ("PNG", "RGBA")
            pixels = np.asarray(image)
        shown = pixels[pixels[..., 3] > 0][:, :3]
        brick = SESSION_BRICKS[(instruction.VLM.step_num - 1) // 2]
        assert not color_mask(shown[None], MAGENTA, 100).any()
        assert (np.abs(shown.astype(int) - brick.color).max(axis=1) < 12).mean() > 0.4
        if instruction.VLM.step_num not in states:
            continue
        box = states[instruction.VLM.step_num]["correct_box_px"]
        assert pixels.shape[:2] == (box[3] - box[1], box[2] - box[0])


def test_a_part_of_which_hardly_anything_shows_is_a_drop(tmp_path):
    rows = tiny_manual().rows[:6]
    bricks = [*SESSION_BRICKS[:2], Brick((300, 224, 306, 229), YELLOW)]
    tiny_part = step_pictures(bricks)[2].rgb
    rows[5] = PageRow(rows[5].name, png_bytes(tiny_part), rows[5].lines)
    built = build(tmp_path, rows)
    assert ("state", "row 5", "part_hardly_visible") in built.drops
    assert {row["step_num"] for row in built.rows["state"]} == {3}


def test_a_colour_set_by_hand_goes_before_the_vote(tmp_path):
    rows = tiny_manual(outline=(0, 200, 255)).rows[:8]
    tasks = TaskOptions(boundary_colors=((SESSION, "#00C8FF"), ("lego-2-other/Car", "#000000")))
    built = build(tmp_path, rows, tasks)
    assert len(built.rows["state"]) == 12
    assert {row["boundary_color"] for row in built.rows["state"]} == {"#00C8FF"}
    assert {r["provenance"]["annotator"] for r in built.rows["state"]} == {"boundary-override"}
    assert {row["confidence"] for row in built.rows["state"]} == {1.0}
    colors = load(tmp_path / ROWS / built.manual.manual_id / COLORS_FILE, dict[str, SessionColors])
    assert (colors[SESSION].color, colors[SESSION].by_hand) == ("#00C8FF", True)


def test_none_set_by_hand_means_no_outline(tmp_path):
    built = build(tmp_path, tiny_manual().rows[:6], TaskOptions(boundary_colors=((SESSION, None),)))
    assert built.rows["state"] == []
    assert built.stats.colored_sessions == 0
    assert {reason for task, _, reason in built.drops if task == "state"} == {"no_boundary_color"}
    assert all(i.VLM.bound_color == [] for i in built.manual.instructions)


def test_colours_of_other_manuals_rebuild_nothing(tmp_path):
    manual_id = crawl_folder(tmp_path, tiny_manual().rows[:4])
    build_manual(manual_id, BuildOptions(tmp_path))
    other = TaskOptions(boundary_colors=(("lego-2-other/Car", "#000000"),))
    assert build_manual(manual_id, BuildOptions(tmp_path, tasks=other)) == (manual_id, False)
    own = TaskOptions(boundary_colors=((SESSION, "#FF00FF"),))
    assert build_manual(manual_id, BuildOptions(tmp_path, tasks=own)) == (manual_id, True)

"""Balanced groups of manuals that nobody drew here: a picture and its mirror image, by sides."""

import collections
from types import SimpleNamespace

import numpy as np
import pytest
from built import build, pixels_of
from makers import instruction, put_line, tiny_manual

from core.places import seen_in_a_mirror
from tasks.options import TaskOptions
from tasks.state_balanced.sides import is_seen, side_told


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each step says a side; whether the part is seen there is up to the picture."""
    rows = tiny_manual().rows
    for number, row in enumerate(rows):
        if number % 2:
            row.lines[:] = [put_line("brick", "on the right")]
    return build(tmp_path_factory.mktemp("sides"), rows, TaskOptions(negatives="balanced"))


def test_a_group_is_a_picture_and_its_mirror_image_by_two_sides(made):
    groups = collections.defaultdict(list)
    for row in made.rows["state_balanced"]:
        if any("on the right" in other["instruction"] and other["negative_kind"] == "mirror"
               for other in made.rows["state_balanced"]
               if other["group_id"] == row["group_id"]):  # fmt: skip
            groups[row["group_id"]].append(row)
    assert groups
    for group in groups.values():
        told = {row["instruction"] for row in group}
        assert {seen_in_a_mirror(one) for one in told} == told and len(told) == 2
        for row in group:
            pixels, (x0, _, x1, _) = pixels_of(row), row["part_box_px"]
            seen_right = x0 + x1 > pixels.shape[1]
            assert row["label"] == (seen_right == ("right" in row["instruction"]))
            wanted = "right" if "right" in row["instruction"] else "left"
            assert row["label"] or row["correction"].endswith(f"it belongs on the {wanted}.")
            assert row["false_facts"] == ([] if row["label"] else ["x"])
        one, other = {row["image"]["path"]: pixels_of(row) for row in group}.values()
        assert (one == other[:, ::-1]).all() and (one != other).any()


def test_left_and_right_are_exchanged_as_words():
    assert seen_in_a_mirror("on the left, left of it") == "on the right, right of it"
    assert seen_in_a_mirror("the leftmost upright one") == "the rightmost upright one"


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Put it on the right.", "right"), ("Put it on the leftmost stud, on the left.", "left"),
        ("Put it on the right, beside the leftmost stud.", None),
        ("Put it right next to the red plate.", None), ("Put it right on top.", None),
        ("Turn it clockwise and put it on the left.", None), ("Put it on top.", None),
    ],
)  # fmt: skip
def test_a_side_is_told_where_the_words_name_one(text, side):
    row = SimpleNamespace(instruction=instruction([text]), eop=instruction(["Find 1 plate 1x2."]))
    assert side_told(row) == side


@pytest.mark.parametrize(
    ("part", "side", "seen"),
    [((0, 0, 20, 10), "left", True), ((0, 0, 20, 10), "right", False),
     ((45, 0, 65, 10), "right", False), ((60, 0, 90, 10), "right", True)],
)  # fmt: skip
def test_a_side_must_be_seen(part, side, seen):
    assert is_seen(part, (0, 0, 100, 50), side) is seen


def test_what_is_printed_is_not_mirrored():
    from tasks.state_balanced.sides import without_marks

    rgb = np.full((60, 80, 3), 240, np.uint8)
    marks = np.zeros((60, 80), bool)
    marks[5:15, 5:12] = True
    rgb[marks] = 30
    assert (without_marks(rgb, marks) == 240).all()

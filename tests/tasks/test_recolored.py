"""Balanced groups of manuals that nobody drew here: a part in two colours, by two colour words."""

import collections

import numpy as np
import pytest
from built import build, pixels_of
from makers import tiny_manual

from core.colors import COLORS
from tasks.options import TaskOptions


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    work = tmp_path_factory.mktemp("flat")
    return build(work, tiny_manual().rows, TaskOptions(negatives="balanced"))


def test_a_group_is_two_colours_by_two_words(rows):
    groups = collections.defaultdict(list)
    for row in rows.rows["state_balanced"]:
        groups[row["group_id"]].append(row)
    assert groups
    for group in groups.values():
        assert sorted(row["label"] for row in group) == [0, 0, 1, 1]
        for column in ("query", "previous_instruction"):
            by_words = collections.defaultdict(list)
            for row in group:
                by_words[row[column]].append(row["label"])
            assert [sorted(labels) for labels in by_words.values()] == [[0, 1], [0, 1]]
        first, second = {row["image"]["path"]: row for row in group}.values()
        x0, y0, x1, y1 = map(int, first["part_box_px"])
        change = np.abs(pixels_of(first).astype(int) - pixels_of(second)).max(-1)
        inside = change[y0:y1, x0:x1]
        assert (inside > 20).sum() > 200 and change.sum() - inside.sum() < 0.02 * inside.sum()
        for row in group:
            assert row["negative_kind"] == (None if row["label"] else "wrong_color")
            assert any(name in row["query"].lower() for name in COLORS)
            if row["correction"]:
                found = row["previous_instruction"].split(" ", 1)[1].rstrip(".")
                assert row["correction"] == f"The colour is wrong: use {found}."


def test_what_gives_none_is_a_drop(rows):
    reasons = {reason for task, _, reason in rows.drops if task == "state_balanced"}
    assert reasons and "no_scene" not in reasons

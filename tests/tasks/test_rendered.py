"""State examples of a source that drew what else could have been built."""

import collections
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from built import context_of, pixels_of, read

from builder.stages import STAGES, BuildOptions, run
from core import scenes
from core.records import Annotation, load
from core.store import ANNOTATE, CRAWL, ROWS
from synthesis.boxes import of_mask
from tasks import TASKS
from tasks.options import TaskOptions
from tasks.state.score import from_place

CONFIGS = ("state", "state_balanced")


@pytest.fixture(scope="module")
def work(demo):
    """Work folder of two manuals of the demo, through all stages."""
    return demo / "w"


@pytest.fixture(scope="module")
def rows(work):
    return {
        config: [
            row
            for folder in sorted((work / ROWS).iterdir())
            for row in pq.read_table(folder / f"{config}.parquet").to_pylist()
        ]
        for config in CONFIGS
    }


def _groups(rows):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["group_id"]].append(row)
    return groups.values()


@pytest.mark.parametrize("config", CONFIGS)
def test_rows_hold_what_must_hold(rows, config):
    check = TASKS[config].check
    assert len(rows[config]) > 40
    assert len({row["id"] for row in rows[config]}) == len(rows[config])
    for row in rows[config]:
        assert list(check.row(row, (960, 720), False)) == []
        assert row["provenance"]["annotator"] == "exact" and row["confidence"] == 1.0
    for group in _groups(rows[config]):
        assert check.group([row["label"] for row in group]) == ""


def test_the_papers_group_is_the_manuals_picture_and_three_other_ends(work, rows):
    kinds = collections.Counter()
    for group in _groups(rows["state"]):
        right = next(row for row in group if row["label"])
        assert len({row["query"] for row in group}) == 1
        assert len({row["image"]["path"] for row in group}) == 4
        assert right["part_box_px"] == right["correct_box_px"] and right["false_facts"] == []
        for row in group:
            assert row["correct_box_px"] == right["correct_box_px"]
            kinds[row["negative_kind"]] += 1
    assert kinds[None] * 3 == kinds.total() - kinds[None] and len(kinds) > 6


def test_boxes_are_those_of_the_outlined_parts(work, rows):
    """The outline runs around the part's box, a little farther out than in."""
    for row in rows["state"][:24]:
        red, green, blue = bytes.fromhex(row["boundary_color"][1:])
        near = np.abs(pixels_of(row).astype(int) - (red, green, blue)).max(-1) < 12
        x0, y0, x1, y1 = of_mask(near)
        part = row["part_box_px"]
        assert np.allclose((x0 + 3, y0 + 3, x1 - 3, y1 - 3), part, atol=3), row["id"]


def test_neither_picture_nor_text_alone_knows_the_answer(rows):
    for group in _groups(rows["state_balanced"]):
        for column in ("query", "instruction"):
            said = collections.defaultdict(list)
            for row in group:
                said[row[column]].append(row["label"])
            # A colour or a part is another in what was to be found; the rest may read the same.
            assert all(sorted(labels) in ([0, 1], [0, 0, 1, 1]) for labels in said.values())
            assert column == "instruction" or len(said) == 2
        shown = collections.defaultdict(list)
        for row in group:
            shown[row["image"]["path"]].append((row["label"], tuple(row["part_box_px"])))
        assert len(shown) == 2
        for seen in shown.values():
            assert sorted(label for label, _ in seen) == [0, 1]
            assert len({box for _, box in seen}) == 1


def test_where_the_part_lies_tells_nothing_of_balanced_rows(rows):
    """Every place stands once with each answer, so no rule from places can be right more often."""
    by_place = collections.defaultdict(collections.Counter)
    for row in rows["state_balanced"]:
        by_place[tuple(row["part_box_px"])][row["label"]] += 1
    assert all(count[0] == count[1] for count in by_place.values())
    assert from_place([], []) == []


def test_exchanged_picture_and_words_exchange_kind_and_cure(rows):
    for group in _groups(rows["state_balanced"]):
        first, second = (row for row in group if not row["label"])
        kinds = {first["negative_kind"], second["negative_kind"]}
        assert len(kinds) == 1 or kinds == {"missing", "extra"}
        assert first["part_box_px"] == second["correct_box_px"]
        assert first["correction"] != second["correction"]
        assert first["false_facts"] == second["false_facts"] != []


def test_exact_boxes_are_those_of_the_maps(work):
    for folder in sorted((work / CRAWL).iterdir()):
        annotations = load(work / ANNOTATE / folder.name / "annotations.json",
                           dict[str, Annotation])  # fmt: skip
        pictures = {one.sha256: one for one in scenes.load_scene(folder).pictures}
        for annotation in annotations.values():
            assert (annotation.annotator, annotation.error) == ("exact", None)
            picture = pictures[annotation.image_sha256]
            numbers = scenes.read_masks(folder, picture)
            boxes = {tuple(map(int, b)) for one in annotation.labels for b in one.instances_px}
            assert boxes == {
                tuple(map(int, of_mask(numbers == place)))
                for place in range(1, len(picture.shown) + 1)
            }


def test_parts_are_kept_bare_for_the_manuals_own_file(work):
    for folder in sorted((work / ROWS).iterdir()):
        manual = read(work, folder.name).manual
        steps = [one.VLM for one in manual.instructions if one.VLM.step_class == "step"]
        kept = [vlm for vlm in steps if vlm.parts_img_path]
        assert kept and all((folder / vlm.parts_img_path).is_file() for vlm in kept)
        assert len(kept) == sum(vlm.task_label is not None for vlm in steps)
        first = [vlm for vlm in kept if not vlm.background_rect]
        assert len(first) == len({vlm.id_sign for vlm in kept})  # nothing stood there before


def test_pasted_states_can_be_had_still(work, tmp_path):
    """`paper` looks at pictures alone, though there is a scene."""
    manual_id = sorted((work / ROWS).iterdir())[0].name
    shutil.copytree(work / CRAWL / manual_id, tmp_path / CRAWL / manual_id)
    for stage in STAGES[:-1]:
        run(stage, manual_id, BuildOptions(tmp_path, "foreground"))
    context = context_of(tmp_path, manual_id, TaskOptions(negatives="paper"))
    found = list(TASKS["state"].rows.make(context))
    assert found and {row["provenance"]["annotator"] for row in found} == {"boundary"}
    assert {row["negative_kind"] for row in found} == {None, "shift"}

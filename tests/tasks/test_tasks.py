"""A tiny manual on disk through all stages: the rows that people train and test on."""

import dataclasses
import hashlib
import io
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from built import Built, build, pixels_of, read
from makers import (
    BLUE,
    GREEN,
    GREY,
    RED,
    SESSION_BRICKS,
    YELLOW,
    Brick,
    PageRow,
    crawl_folder,
    find_line,
    jpeg_bytes,
    parts_picture,
    png_bytes,
    put_line,
    step_pictures,
    tiny_manual,
)
from PIL import Image

from builder.stages import BuildOptions, build_manual
from core.names import opaque_id
from core.part_names import PartLabel, part_kind
from core.pictures.media import pixel_hash
from core.store import CRAWL, ROWS
from synthesis import boxes
from synthesis.boundary import color_mask
from synthesis.foreground import foreground_mask
from synthesis.pixels import difference
from synthesis.placement import shift_fraction
from tasks.context import TaskOptions, site_path
from tasks.prompts import OBJECT_DIRECTIVE

STEPS = len(SESSION_BRICKS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Built:
    return build(tmp_path_factory.mktemp("tiny"), tiny_manual().rows)


# Numbers ------------------------------------------------------------------------------------


def test_one_scene_four_objects_and_one_right_with_three_wrong_a_step(tiny):
    assert len(tiny.rows["scene"]) == STEPS
    assert len(tiny.rows["object"]) == 4 * STEPS
    # The first step has no step before it to make a wrong state from (A18).
    assert len(tiny.rows["state"]) == 4 * (STEPS - 1)
    assert tiny.drops == {
        ("state", "row 1", "first_step_of_session"),
        ("spatial", "row 1", "no_relation_known"),  # its text says "in place number 0"
    }
    stats = tiny.stats
    assert (stats.object_finding_steps, stats.assembly_steps) == (STEPS, STEPS)
    assert (stats.sessions, stats.colored_sessions) == (1, 1)
    assert len(stats.parts) == STEPS and "grei plat 6x16" in stats.parts
    assert stats.boundary_colors == ["#FF00FF"] and stats.steps_after_eop == STEPS


def test_each_object_stands_once_in_each_cell(tiny):
    cells = defaultdict(list)
    for row in tiny.rows["object"]:
        cells[row["instruction"]].append(row["cell"])
    assert sorted(map(sorted, cells.values())) == [[0, 1, 2, 3]] * STEPS


def test_each_state_group_has_one_right_and_three_different_wrong_pictures(tiny):
    for group in _groups(tiny).values():
        assert sorted(row["label"] for row in group) == [0, 0, 0, 1]
        assert {(row["label"], row["answer"]) for row in group} == {(0, "No."), (1, "Yes.")}
        assert len({row["image"]["path"] for row in group}) == 4


def _groups(built: Built) -> dict[str, list[dict]]:
    groups = defaultdict(list)
    for row in built.rows["state"]:
        groups[row["group_id"]].append(row)
    return groups


# Texts --------------------------------------------------------------------------------------


def test_readable_templates_change_queries_and_nothing_else(tiny, tmp_path):
    plain = build(tmp_path, tiny_manual().rows, TaskOptions(templates="readable"))
    for config, rows in tiny.rows.items():
        by_id = {row["id"]: row for row in plain.rows[config]}
        assert len(by_id) == len(rows)
        for row in rows:
            other = by_id[row["id"]]
            assert other["query"] != row["query"]
            own = {name: row[name] for name in ("query", "template_id") if name in row}
            assert {**other, **own} == row
    assert {row["query"] for row in plain.rows["state"] if row["step_num"] == 3} == {
        'Was this step done correctly? "Put the brick 2x3 in place number 1." Before it I did '
        'this: "Find 1 blue brick 2x3." Answer with Yes or No.'
    }


def test_a_correction_speaks_of_as_many_parts_as_the_step_places(tmp_path):
    """The third find is of two, and its step places both."""
    rows = list(tiny_manual().rows[:6])
    several = "bricks 2x4"
    rows[4] = dataclasses.replace(rows[4], lines=[find_line(2, "red", several)])
    rows[5] = dataclasses.replace(rows[5], lines=[put_line(several, "in place number 2")])
    told = {
        row["correction"].split(":")[0]
        for row in build(tmp_path, rows).rows["state"]
        if row["correction"] and row["previous_instruction"] == "Find 2 red bricks 2x4."
    }
    assert told == {"The parts are in the wrong place"}


def test_the_texts_of_the_three_tasks(tiny):
    scene = tiny.rows["scene"][1]
    assert scene["query"] == (
        "[grounding] After I find 1 blue brick 2x3.\nTell me what to do for the current situation. "
    )
    assert scene["answer"] == scene["instruction"] == "Put the brick 2x3 in place number 1."
    assert scene["previous_instruction"] == "Find 1 blue brick 2x3."
    assert scene["entities"] == [
        {"tag": "verb", "text": "Put"},
        {"tag": "det", "text": "the"},
        {"tag": "theme", "text": "brick 2x3"},
        {"tag": "suffix", "text": "."},
    ]
    found = [r for r in tiny.rows["object"] if r["instruction"] == "Find 1 blue brick 2x3."]
    assert {row["query"] for row in found} == {
        f"[object] Please identify and highlight the positions of 1 blue brick 2x3. "
        f"{OBJECT_DIRECTIVE}"
    }
    # I_{t-1} of an object-finding row is the step before it.
    assert {row["previous_instruction"] for row in found} == {
        "Put the plate 6x16 in place number 0."
    }
    assert {row["query"] for row in tiny.rows["state"] if row["step_num"] == 3} == {
        "[state] After I find 1 blue brick 2x3. Did I do it correctly for put the brick 2x3 in "
        "place number 1. Just tell me Yes or No."
    }


# Boxes --------------------------------------------------------------------------------------


def test_object_boxes_lie_on_the_pixels_of_their_part(tiny):
    """Checked in the finished collage, in every cell, for targets and distractors."""
    colors = {"grey": GREY, "blue": BLUE, "yellow": YELLOW, "green": GREEN, "red": RED}
    for row in tiny.rows["object"]:
        pixels = pixels_of(row)
        height, width = pixels.shape[:2]
        entries = [{"cell": row["cell"], **entry} for entry in row["targets"]]
        entries += row["distractors"]
        assert sorted(entry["cell"] for entry in entries) == [0, 1, 2, 3]
        for entry in entries:
            x0, y0 = entry["cell"] % 2 * width // 2, entry["cell"] // 2 * height // 2
            cell = pixels[y0 : y0 + height // 2, x0 : x0 + width // 2]
            found = boxes.of_mask(np.abs(cell.astype(int) - cell[0, 0]).max(axis=2) > 8)
            found = boxes.transform(found, (1, 1), (x0, y0))
            assert entry["box_px"] == pytest.approx(found, abs=1)
            assert entry["box_norm100"] == pytest.approx(
                boxes.px_to_norm100(entry["box_px"], (width, height)), abs=1e-3
            )
            assert entry["instances_px"] == [entry["box_px"]]
            name = entry["label"].split(" ")[0]
            if name in colors:
                assert color_mask(cell, colors[name], 12).any(), entry["label"]


def test_the_answer_names_the_targets_box(tiny):
    for row in tiny.rows["object"]:
        numbers = [int(n) for n in re.findall(r"<(\d+)>", row["answer"])]
        assert numbers == pytest.approx(row["targets"][0]["box_norm100"], abs=0.5001)
        assert row["answer"].startswith("<p>1 ")


def test_state_boxes_say_where_the_part_is_and_where_it_belongs(tiny):
    truth = [boxes.of_mask(step.part) for step in tiny_manual().steps]
    for group in _groups(tiny).values():
        right = next(row for row in group if row["label"])
        assert right["part_box_px"] == right["correct_box_px"]
        assert (right["shift_fraction"], right["negative_kind"]) == (0.0, None)
        assert boxes.iou(right["part_box_px"], truth[(right["step_num"] - 1) // 2]) > 0.9
        for row in group:
            assert row["correct_box_px"] == right["part_box_px"]
            if not row["label"]:
                assert row["negative_kind"] == "shift"
                assert row["shift_fraction"] >= 0.05
                assert row["difficulty"] in ("easy", "medium", "hard")
                assert row["part_box_px"] != row["correct_box_px"]
                x0, y0, x1, y1 = (int(v) for v in row["part_box_px"])
                a, b, c, d = (int(v) for v in right["part_box_px"])
                moved, original = pixels_of(row)[y0:y1, x0:x1], pixels_of(right)[b:d, a:c]
                # All but what lies outside the part in its box is the same.
                assert (moved == original).all(axis=2).mean() > 0.8


def test_the_boundary_colour_is_the_drawn_one(tiny):
    assert {row["boundary_color"] for row in tiny.rows["state"]} == {"#FF00FF"}
    steps = [i for i in tiny.manual.instructions if i.VLM.step_class == "step"]
    assert all(i.VLM.bound_color == ["#FF00FF"] for i in steps)
    assert all("#FF00FF" in i.VLM.color_list for i in steps)
    eops = [i for i in tiny.manual.instructions if i.VLM.step_class == "eop"]
    assert all(i.VLM.bound_color == [] for i in eops)
    assert all(re.match(r"<p>1 .+</p> \{(<\d+>){4}\}$", i.VLM.MiniGPTv2_output) for i in eops)


# Leaks: nothing but pixels and the label's own columns may differ within a group --------------

TELLING = {
    "id", "image", "answer", "label", "negative_kind", "correction", "shift_fraction",
    "difficulty", "part_box_px",
}  # fmt: skip


def test_within_a_group_all_but_the_label_is_the_same(tiny):
    """Provenance, weights or texts that differ would answer the question without looking."""
    for group in _groups(tiny).values():
        for key in group[0].keys() - TELLING:
            assert len({json.dumps(row[key]) for row in group}) == 1, key


def test_ids_are_unique_opaque_and_no_function_of_the_label(tiny):
    everything = [row for rows in tiny.rows.values() for row in rows]
    ids = [row["id"] for row in everything]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{20}", one) for one in ids)
    for row in tiny.rows["state"]:
        pixels = pixels_of(row)
        digest = pixel_hash(pixels)
        number = int(row["step_num"])
        # Made from the manual, the row and the pixels: the label can't be in it.
        assert row["id"] == opaque_id("state", row["manual_id"], number, digest)


def test_the_right_picture_has_no_fixed_place_in_its_group(tiny):
    places = [[row["label"] for row in group].index(1) for group in _groups(tiny).values()]
    assert len(set(places)) > 1
    assert all([r["id"] for r in g] == sorted(r["id"] for r in g) for g in _groups(tiny).values())


@pytest.mark.parametrize("image_format", ["webp", "png"])
def test_picture_files_hold_pixels_and_nothing_else(tmp_path, tiny, image_format):
    """File names and metadata gave the thesis' models the answers (100 % on state)."""
    built = tiny
    if image_format != TaskOptions().image_format:
        built = build(tmp_path, tiny_manual().rows[:8], TaskOptions(image_format=image_format))
    for rows in built.rows.values():
        for row in rows:
            data, name = row["image"]["bytes"], row["image"]["path"]
            assert name == f"{hashlib.sha256(data).hexdigest()[:32]}.{image_format}"
            with Image.open(io.BytesIO(data)) as image:
                assert (image.format.lower(), image.mode) == (image_format, "RGB")
                image.load()
                assert not image.getexif()
                assert not {"icc_profile", "xmp", "exif", "comment", "dpi"} & set(image.info)
            assert not re.search(rb"EXIF|XMP |ICCP|iCCP|eXIf|tEXt|iTXt|zTXt|tIME|pHYs", data[:200])


def test_scenes_are_the_sources_pixels_and_right_states_all_but_them(tiny):
    """A right state goes through the same steps as the wrong ones; its rims are mixed anew."""
    steps = tiny_manual().steps
    for row in tiny.rows["scene"]:
        assert (pixels_of(row) == steps[(row["step_num"] - 1) // 2].rgb).all()
    for row in tiny.rows["state"]:
        if row["label"]:
            error = difference(pixels_of(row), steps[(row["step_num"] - 1) // 2].rgb)
            assert (error > 40).mean() < 0.005


def test_original_is_the_papers_way_sources_pixels_and_plain_pasting(tmp_path):
    built = build(tmp_path, tiny_manual().rows, TaskOptions(positives="original"))
    steps = tiny_manual().steps
    wrong = 0
    for row in built.rows["state"]:
        number = (row["step_num"] - 1) // 2
        now, before = steps[number].rgb, steps[number - 1].rgb
        if row["label"]:
            assert (pixels_of(row) == now).all()
            continue
        wrong += 1
        # Every pixel is one of the step before, or of the part, moved, outline and all.
        shift = [
            round(v - w) for v, w in zip(row["part_box_px"], row["correct_box_px"], strict=True)
        ]
        moved = np.roll(now, (shift[1], shift[0]), (0, 1))
        assert ((pixels_of(row) == before) | (pixels_of(row) == moved)).all(axis=2).all()
        assert (pixels_of(row) != before).any()
    assert wrong


def test_provenance_names_the_source_pictures(tiny):
    by_name = {Path(i.img).name: i.img_sha256 for i in tiny.manual.instructions}
    for row in tiny.rows["object"]:
        sources = row["provenance"]["source_images"]
        assert len(sources) == 4
        assert all(by_name[Path(source["path"]).name] == source["sha256"] for source in sources)
        assert row["provenance"]["annotator"] == "foreground"
    for row in tiny.rows["state"]:
        assert [Path(s["path"]).name.split("_")[1] for s in row["provenance"]["source_images"]] == [
            "step", "step",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://site.example/a/Step%20%23%23E.png", "a/Step ##E.png"),  # crawled
        ("https://site.example/a/Step ##E.png?v=1", "a/Step ##E.png"),  # raw
        ("a/Step ##E.png", "a/Step ##E.png"),  # saved
    ],
)
def test_a_crawled_and_a_saved_site_give_one_provenance(url, expected):
    assert site_path(url) == expected


# Distractors --------------------------------------------------------------------------------


def _kind(label: str) -> str:
    return part_kind(PartLabel(1, "", label))


def test_no_distractor_shows_a_part_of_the_target(tmp_path):
    """Two of six rows show the same part, once in the plural and with another sign."""
    themes = ["plate 2x4", "brick 2x3", "brick 2x4", "brick 2x2", "tile 1x2", "wall 1x2x2"]
    rows = tiny_manual(themes=themes).rows
    rows[10] = PageRow(rows[10].name, rows[10].data, [find_line(3, "Grey", "plates 2×4")])
    built = build(tmp_path, rows)
    for row in built.rows["object"]:
        targets = {_kind(entry["label"]) for entry in row["targets"]}
        others = [_kind(entry["label"]) for entry in row["distractors"]]
        assert not targets & set(others)
        assert len(set(others)) == 3  # and none twice, as there are enough


def test_too_few_other_parts_are_a_drop_and_no_collage(tmp_path):
    themes = ["plate 1x1"] * 3 + ["tile 1x1"] * 3
    rows = tiny_manual(themes=themes).rows
    for index in range(0, 12, 2):
        rows[index] = PageRow(
            rows[index].name, rows[index].data, [find_line(1, "grey", themes[index // 2])]
        )
    built = build(tmp_path, rows[:4])
    assert built.rows["object"] == []
    assert ("object", "row 0", "too_few_other_parts") in built.drops
    assert len(built.rows["scene"]) == 2


def test_a_step_says_how_far_before_it_parts_were_asked_for_and_may_have_to_be_next(tmp_path):
    """Of two steps in a row the second counts from the find row before the first."""
    rows = list(tiny_manual().rows)
    del rows[4]  # the find row of the third step
    latest = build(tmp_path / "latest", rows)
    distances = {row["step_num"]: row["eop_distance"] for row in latest.rows["scene"]}
    assert sorted(distances.values()) == [1] * (STEPS - 1) + [2]
    direct = build(tmp_path / "direct", rows, TaskOptions(scenes="direct"))
    assert {row["eop_distance"] for row in direct.rows["scene"]} == {1}
    assert len(direct.rows["scene"]) == STEPS - 1
    assert ("scene", "row 4", "row_before_is_no_eop") in direct.drops - latest.drops


# Rows that can't be used --------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Built:
    """The tiny manual with one of every trouble the site has."""
    rows = tiny_manual().rows
    steps = tiny_manual().steps
    rows[2] = PageRow(None, None, [find_line(1, "blue", "brick 2x3", "Collect")])
    rows[5] = PageRow(rows[5].name, None, rows[5].lines)  # a step whose picture is missing
    rows[8] = PageRow(rows[8].name, rows[8].data, ["<p>Find it.</p>"])  # names no part
    rows[11] = PageRow(rows[11].name, rows[11].data, [])  # a step without text
    rows += [
        PageRow(None, None, ["<p>Now the wagon.</p>"]),
        PageRow("Start.png", png_bytes(steps[0].rgb), ["<p>This is it.</p>"]),
        PageRow("wagon-0_step_A.png", png_bytes(steps[1].rgb), [put_line("axle", "here")]),
        PageRow("logo.png", png_bytes(steps[2].rgb), ["<p>Fine.</p>"]),
    ]
    return build(tmp_path_factory.mktemp("odd"), rows)


def test_every_unusable_row_is_listed_with_its_reason(odd):
    assert odd.drops == {
        ("parse", "row 2", "no_image"),
        ("parse", "row 5", "http_404"),
        ("parse", "row 11", "row_without_text"),
        ("parse", "row 12", "text_only_row"),
        ("parse", "row 13", "start_image"),
        ("parse", "row 15", "unrecognised_image_name"),
        ("object", "row 8", "no_label_in_text"),
        ("scene", "row 14", "no_eop_before"),
        ("state", "row 1", "first_step_of_session"),
        ("state", "row 7", "no_picture_of_step_before"),
        ("state", "row 14", "no_eop_before"),
        ("spatial", "row 1", "no_relation_known"),
        ("spatial", "row 7", "no_picture_of_step_before"),
        ("spatial", "row 9", "parts_not_named"),
        ("spatial", "row 14", "no_relation_known"),
        ("mask", "row 7", "no_picture_of_step_before"),
        ("mask", "row 8", "no_label_in_text"),
        ("mask", "row 9", "parts_not_named"),
    }


def test_the_step_after_a_collect_row_without_a_picture_uses_its_text(odd):
    """Else the step would be paired with the part found before that."""
    (row,) = (r for r in odd.rows["scene"] if r["step_num"] == 3)
    assert row["previous_instruction"] == "Collect 1 blue brick 2x3."
    assert {r["previous_instruction"] for r in odd.rows["state"] if r["step_num"] == 3} == {
        "Collect 1 blue brick 2x3."
    }


def test_a_step_whose_previous_picture_is_missing_gives_a_scene_but_no_state(odd):
    assert 7 in {row["step_num"] for row in odd.rows["scene"]}
    assert 7 not in {row["step_num"] for row in odd.rows["state"]}
    assert 5 not in {row["step_num"] for row in odd.rows["scene"]}


def test_every_instruction_is_a_row_or_a_drop(odd):
    """No silent skip."""
    dropped = {int(item.split()[1]) for _, item, _ in odd.drops}
    used = {int(r["step_num"]) for rows in odd.rows.values() for r in rows}
    for instruction in odd.manual.instructions:
        known = instruction.instruction_id in dropped or instruction.VLM.step_num in used
        assert known, instruction.instruction_id


def test_steps_of_one_session_in_other_capitals_belong_together(tmp_path):
    rows = tiny_manual().rows
    rows[5] = PageRow(rows[5].name.replace("Car", "CAR"), rows[5].data, rows[5].lines)
    built = build(tmp_path, rows[:6])
    assert built.stats.sessions == 1
    assert len(built.rows["state"]) == 4 * 2


def test_two_steps_after_one_find_ask_about_it_but_only_the_first_is_a_state(tmp_path):
    """A4: the second step's part was not found just before it."""
    rows = tiny_manual().rows
    del rows[6]
    built = build(tmp_path, rows[:7])
    (second,) = (r for r in built.rows["scene"] if r["step_num"] == 7)
    assert second["previous_instruction"] == "Find 1 yellow brick 2x4."
    assert ("state", "row 6", "row_before_is_no_eop") in built.drops
    assert 7 not in {row["step_num"] for row in built.rows["state"]}


def test_a_manual_without_outlines_gives_no_state_rows(tmp_path):
    built = build(tmp_path, tiny_manual(outline=None).rows[:6])
    assert built.rows["state"] == []
    assert built.stats.colored_sessions == 0
    assert {reason for task, _, reason in built.drops if task == "state"} == {"no_boundary_color"}
    assert len(built.rows["scene"]) == 3


def test_a_picture_of_another_size_is_no_state(tmp_path):
    rows = tiny_manual().rows
    small = step_pictures(SESSION_BRICKS, size_wh=(440, 320))[3].rgb
    rows[7] = PageRow(rows[7].name, png_bytes(small), rows[7].lines)
    built = build(tmp_path, rows[2:10])
    changed = {item for task, item, reason in built.drops if reason == "picture_size_changed"}
    assert changed == {"row 5", "row 7"}


@pytest.mark.parametrize("form", ["rgba", "jpeg"])
def test_transparent_and_jpeg_manuals_give_the_same_rows(tmp_path, form):
    rows = []
    for row in tiny_manual().rows[:8]:
        with Image.open(io.BytesIO(row.data)) as image:
            rgb = np.asarray(image.convert("RGB"))
        if form == "jpeg":
            rows.append(PageRow(row.name, jpeg_bytes(rgb, 90), row.lines))
            continue
        alpha = np.where((rgb == rgb[0, 0]).all(axis=2), 0, 255).astype(np.uint8)
        rows.append(PageRow(row.name, png_bytes(np.dstack([rgb, alpha])), row.lines))
    built = build(tmp_path, rows)
    assert {config: len(found) for config, found in built.rows.items() if found} == {
        "scene": 4, "object": 16, "state": 12, "spatial": 12, "mask": 15,
    }  # fmt: skip
    # The stored shift is of the box that the assembly has, not of one that JPEG noise widened.
    steps = tiny_manual().steps
    for row in built.rows["state"]:
        before = steps[(row["step_num"] - 1) // 2 - 1].rgb
        shift = [row["part_box_px"][axis] - row["correct_box_px"][axis] for axis in (0, 1)]
        expected = shift_fraction(shift, boxes.of_mask(foreground_mask(before)))
        assert row["shift_fraction"] == pytest.approx(expected, rel=0.03)
    if form == "rgba":
        assert (pixels_of(built.rows["scene"][0])[0, 0] == 255).all()


def test_several_parts_in_one_picture_are_several_targets(tmp_path):
    rows = tiny_manual().rows
    two = parts_picture([Brick((50, 50, 150, 120), RED), Brick((250, 180, 400, 260), GREEN)])
    heading = "<p>Collect the following 2 pieces:</p>"
    lines = [heading, find_line(1, "red", "brick 2x8", ""), find_line(1, "green", "arch 1x8", "")]
    rows[2] = PageRow(rows[2].name, png_bytes(two), lines)
    built = build(tmp_path, rows[:8])
    found = [row for row in built.rows["object"] if "arch" in row["instruction"]]
    assert len(found) == 4
    for row in found:
        assert [entry["label"] for entry in row["targets"]] == ["red brick 2x8", "green arch 1x8"]
        assert re.fullmatch(
            r"<p>1 red brick</p> \{(<\d+>){4}\} and <p>1 green arch</p> \{(<\d+>){4}\}",
            row["answer"],
        )


# Running again ------------------------------------------------------------------------------


def _files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_second_run_does_nothing_and_a_changed_option_rebuilds(tmp_path):
    manual_id = crawl_folder(tmp_path, tiny_manual().rows[:4])
    options = BuildOptions(tmp_path)
    assert build_manual(manual_id, options) == (manual_id, True)
    first = _files(tmp_path / ROWS)
    assert build_manual(manual_id, options) == (manual_id, False)
    assert _files(tmp_path / ROWS) == first
    other = BuildOptions(tmp_path, tasks=TaskOptions(seed=7))
    assert build_manual(manual_id, other) == (manual_id, True)
    assert _files(tmp_path / ROWS) != first
    # Back to the first options: the same bytes as the first time.
    assert build_manual(manual_id, options) == (manual_id, True)
    assert _files(tmp_path / ROWS) == first


def test_a_changed_page_rebuilds_and_a_lost_folder_comes_back(tmp_path):
    rows = tiny_manual().rows[:6]
    manual_id = crawl_folder(tmp_path, rows)
    options = BuildOptions(tmp_path)
    build_manual(manual_id, options)
    crawl_folder(tmp_path, rows[:4])
    crawled = tmp_path / CRAWL / manual_id / "crawl.json"
    assert crawled.is_file()
    assert build_manual(manual_id, options) == (manual_id, True)
    assert len(read(tmp_path, manual_id).rows["scene"]) == 2
    (tmp_path / ROWS / manual_id / "done").unlink()
    assert build_manual(manual_id, options) == (manual_id, True)


def test_another_manual_with_the_same_pictures_has_its_own_ids(tmp_path, tiny):
    manual_id = crawl_folder(tmp_path, tiny_manual().rows[:4], "lego-60002-test-readscr")
    build_manual(manual_id, BuildOptions(tmp_path))
    other = read(tmp_path, manual_id)
    for config, rows in other.rows.items():
        assert not {row["id"] for row in rows} & {row["id"] for row in tiny.rows[config]}

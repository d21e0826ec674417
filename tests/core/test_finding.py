"""Object rows ask to find parts (T5): by their words, not by the picture's name alone."""

import dataclasses

import pytest
from built import build
from makers import PageRow, crawled_image, crawled_manual, div_row, page, tagged, tiny_manual

from builder.parse.manual import parse_manual
from tasks.prompts import object_query, scene_query
from tasks.sessions import session_rows

EOP, STEP = "/pics/Car-1_eop_A.png", "/pics/Car-2_step_B.png"


def parsed(*rows: tuple[str | None, str]):
    html = page("".join(div_row(src, lines) for src, lines in rows))
    return parse_manual(html, crawled_manual([crawled_image(src) for src, _ in rows if src]))


def line(*words: tuple[str | None, str]) -> str:
    return tagged(words)


FOUND = [
    ("<p>Find 2 red bricks.</p>", "2 red bricks."),
    ("<p>COLLECT 2 red bricks.</p>", "2 red bricks."),
    ("<p>Now find 2 red bricks.</p>", "2 red bricks."),
    ("<p>Then, please find 2 red bricks.</p>", "2 red bricks."),
    (line((None, "For the roof,"), ("verb", "find"), ("det", "2"), ("theme", "bricks.")),
     "2 bricks."),
    (line(("verb", "Find"), ("det", "2"), ("theme", "bricks.")), "2 bricks."),
    ("<p>Collect the following 2 pieces:</p><p>1 tile 1x2,</p><p>1 brick.</p>",
     "the following 2 pieces: 1 tile 1x2, and 1 brick."),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "wanted"), FOUND)
def test_an_eop_row_that_asks_to_find_is_an_object_row(lines, wanted):
    manual = parsed((EOP, lines))
    (instruction,) = manual.instructions
    assert instruction.VLM.task_label == "object" and manual.drops == []
    asked = object_query(instruction.text)
    assert asked.startswith(f"[object] Please identify and highlight the positions of {wanted} ")


@pytest.mark.parametrize(
    "lines",
    [
        "<p>Turn the model around.</p>",
        "<p>Well done! You can find more at the website.</p>",
        "<p>Collectable bricks 2x4.</p>",
        "<p>2 red bricks.</p>",
        line(("verb", "Turn"), ("target", "the model"), (None, "and"), ("verb", "find"),
             (None, "the hole.")),
    ],
)  # fmt: skip
def test_another_text_at_an_eop_picture_is_no_object_row_and_says_why(lines):
    manual = parsed(
        (EOP, "<p>Find 1 red brick.</p>"),
        (EOP.replace("1", "3"), lines),
        (STEP, "<p>Put it on.</p>"),
    )
    assert [i.VLM.task_label for i in manual.instructions] == ["object", None, "scene"]
    ((item, reason, detail),) = [(d.item, d.reason, d.detail) for d in manual.drops]
    assert (item, reason) == ("row 1", "eop_without_find") and detail
    (rows,) = session_rows(manual).values()
    assert [row.is_eop for row in rows] == [True, False], "the row takes part in no session"


def test_after_a_row_that_only_turns_the_model_the_last_find_counts():
    manual = parsed(
        (EOP, "<p>Find 1 red brick.</p>"),
        (EOP.replace("1", "3"), "<p>Turn the model around.</p>"),
        (STEP, "<p>Put it on.</p>"),
    )
    (rows,) = session_rows(manual).values()
    assert rows[-1].eop is not None and rows[-1].eop.text == ["Find 1 red brick."]


@pytest.mark.parametrize(
    "other", [line((None, "Get"), ("det", "2"), ("theme", "plates.")), "<p>2 blue plates.</p>"]
)
def test_parts_that_no_words_ask_to_find_hide_the_ones_before_them(other):
    """The step puts the plates, so "After I find 1 red brick" would be wrong."""
    manual = parsed(
        (EOP, "<p>Find 1 red brick.</p>"),
        (EOP.replace("1", "3"), other),
        (STEP, "<p>Put the plates on.</p>"),
    )
    (rows,) = session_rows(manual).values()
    assert rows[-1].eop is None


def test_what_stands_before_the_find_is_cut_off_and_recorded():
    manual = parsed(
        (EOP, "<p>We now build the roof.</p><p>Turn the model.</p><p>Find 1 red brick.</p>"),
        (None, "<p>For the door:</p><p>Collect 2 hinges.</p>"),
    )
    first, second = manual.instructions
    assert first.text == ["Find 1 red brick."] and first.VLM.task_label == "object"
    assert first.entities == [{"this_line": "Find 1 red brick."}]
    assert first.VLM.query == "Find 1 red brick."
    assert second.text == ["Collect 2 hinges."] and second.VLM.step_class == "eop"
    assert [(d.item, d.reason, d.detail) for d in manual.drops] == [
        ("row 0", "text_before_find", "We now build the roof. Turn the model."),
        ("row 1", "no_image", "Collect 2 hinges."),
        ("row 1", "text_before_find", "For the door:"),
    ]


@pytest.mark.parametrize(
    ("lines", "finds"),
    [
        ("<p>Find 2 red bricks.</p>", True),
        (line(("verb", "Find"), ("det", "2"), ("theme", "bricks"), (None, "to build on.")), True),
        ("<p>Find 2 red bricks and put them on top.</p>", False),
        ("<p>Find the wheels.</p><p>Attach them.</p>", False),
        (line(("verb", "Find"), ("theme", "the hole"), ("verb", "and mount"), (None, "it")), False),
    ],
)
def test_a_step_picture_whose_text_only_asks_to_find_is_no_step(lines, finds):
    """A "step" that is answered with "Find ..." tells nobody what to do with the model."""
    manual = parsed((EOP, "<p>Find 1 tile.</p>"), (STEP, lines), (STEP, "<p>Put them on.</p>"))
    labels = ["object", None if finds else "scene", "scene"]
    assert [i.VLM.task_label for i in manual.instructions] == labels
    assert [d.reason for d in manual.drops] == (["find_text_at_step"] if finds else [])
    (rows,) = session_rows(manual).values()
    assert rows[2].eop is manual.instructions[1 if finds else 0]


def test_no_query_is_made_of_a_text_that_does_not_ask_to_find(tmp_path):
    """Through all stages: neither an object row nor "After I turn the model around"."""
    tiny = tiny_manual().rows
    turn = dataclasses.replace(
        tiny[2], name="Car-2_eop_CC.png", lines=["<p>Turn the model around.</p>"]
    )
    rows: list[PageRow] = [*tiny[:3], turn, *tiny[3:]]
    built = build(tmp_path, rows)
    texts = [row["query"].lower() for rows in built.rows.values() for row in rows]
    assert len(texts) > 20 and not any("turn the model" in text for text in texts)
    plain = [scene_query(["Find 1 blue brick 2x3."])]
    assert [r["query"] for r in built.rows["scene"]][1:2] == plain
    assert ("parse", "row 3", "eop_without_find") in built.drops

"""The exact texts of queries and answers: models trained elsewhere were given these (T6, T7, T11,
T15; thesis Tables 4.2 and 11.3).
"""

import doctest

import pytest

from tasks import prompts, queries
from tasks.prompts import (
    OBJECT_DIRECTIVE,
    found_text,
    instruction_text,
    object_query,
    scene_query,
    state_query,
)
from tasks.state.text import NO, YES

CLASP = [
    "Collect the following 2 pieces:",
    "1 black plate 1x2 with the vertical clasp on the short side,",
    "1 bright orange smooth roof tile 1x2x⅔.",
]
TILES = [
    "Collect the following 2 pieces:",
    "1 dark stone grey flat tile 1x8,",
    "1 dark stone grey flat tile 1x4.",
]
PILLARS = [
    "They will form two pillars at the back.",
    "First, locate the two plates 2x2 in the left and right corners at the back.",
    "Put 2 horizontally on the plate 2x2 at the left back.",
    "Put the other 2 horizontally on the plate 2x2 at the right back.",
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Table 4.2, to the final space
        (
            ["Find 1 reddish brown chest bottom 2x4."],
            "[grounding] After I find 1 reddish brown chest bottom 2x4.\n"
            "Tell me what to do for the current situation. ",
        ),
        # Table 11.3, rows 1 and 2 (its line break is the one of Table 4.2)
        (
            CLASP,
            "[grounding] After I collect the following 2 pieces: 1 black plate 1x2 with the "
            "vertical clasp on the short side, and 1 bright orange smooth roof tile 1x2x⅔.\n"
            "Tell me what to do for the current situation. ",
        ),
        (
            TILES,
            "[grounding] After I collect the following 2 pieces: 1 dark stone grey flat tile "
            "1x8, and 1 dark stone grey flat tile 1x4.\n"
            "Tell me what to do for the current situation. ",
        ),
    ],
)
def test_scene_query(lines, expected):
    assert scene_query(lines) == expected


def test_the_answer_of_a_scene_is_its_lines_in_one():
    """Table 11.3, row 1."""
    lines = [
        "Put the plate 1x2 vertically on the table, clasp to the back.",
        "Put the roof tile 1x2x⅔ vertically on top, slope to the left.",
    ]
    assert instruction_text(lines) == " ".join(lines)


def test_the_object_directive_to_the_letter():
    assert OBJECT_DIRECTIVE == (
        "Providing the positions in the format: <p>object</p> {<Xleft><Ytop><Xright><Ybottom>}, "
        "with X and Y coordinates normalized to [0,100]. Xleft and Ytop for the top-left corner. "
        "Xright and Ybottom for the bottom-right corner."
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Table 11.3, row 3
        (
            [
                "Collect the following 2 pieces:",
                "1 black plate 2x6,",
                "1 bright yellow plate 1x2 with vertical clasp on long side.",
            ],
            "the following 2 pieces: 1 black plate 2x6, and 1 bright yellow plate 1x2 with "
            "vertical clasp on long side.",
        ),
        # Table 11.3, row 4
        (
            ["Find 2 transparent fluorescent green round bricks 1x1."],
            "2 transparent fluorescent green round bricks 1x1.",
        ),
        # Collect with a single piece
        (["Collect 1 grey plate 1×4."], "1 grey plate 1×4."),
        # a word that only begins like the verb stays
        (["Findings: 1 brick."], "Findings: 1 brick."),
    ],
)
def test_object_query(lines, expected):
    assert object_query(lines) == (
        f"[object] Please identify and highlight the positions of {expected} {OBJECT_DIRECTIVE}"
    )


def test_state_query():
    """Table 11.3, rows 5 and 6, and T15's directive."""
    assert state_query(["Find 4 white bricks 1x2x5."], PILLARS) == (
        "[state] After I find 4 white bricks 1x2x5. Did I do it correctly for they will form two "
        "pillars at the back. First, locate the two plates 2x2 in the left and right corners at "
        "the back. Put 2 horizontally on the plate 2x2 at the left back. Put the other 2 "
        "horizontally on the plate 2x2 at the right back. Just tell me Yes or No."
    )
    assert (YES, NO) == ("Yes.", "No.")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # the manual writes "and" itself
        (["Collect:", "1 brick, and", "1 tile."], "Collect: 1 brick, and 1 tile."),
        (["Collect:", "1 brick,", "and 1 tile."], "Collect: 1 brick, and 1 tile."),
        # three pieces
        (["Collect:", "1 a,", "1 b,", "1 c."], "Collect: 1 a, and 1 b, and 1 c."),
        # one piece
        (["Collect:", "1 a."], "Collect: 1 a."),
        # a piece that ends like "and"
        (["Collect:", "1 brick in sand,", "1 tile."], "Collect: 1 brick in sand, and 1 tile."),
        # empty pieces vanish
        (["Collect:", ",", "1 a."], "Collect: 1 a."),
        # sentences that are no list are only joined
        (["Find 1 brick.", "It is red."], "Find 1 brick. It is red."),
        # a heading alone
        (["Collect the following pieces:"], "Collect the following pieces:"),
    ],
)
def test_found_text(lines, expected):
    assert found_text(lines) == expected


def test_only_the_first_letter_is_lowered():
    assert queries.lower_first("Put the LEGO Plate") == "put the LEGO Plate"
    assert queries.lower_first("") == ""


def test_the_examples_in_the_docstrings_are_true():
    for module in (prompts, queries):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed

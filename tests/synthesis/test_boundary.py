"""The boundary colour of a session: a wrong vote cuts out bricks instead of the new part (T12)."""

import numpy as np
import pytest
from makers import (
    BLUE,
    GREEN,
    GREY,
    MAGENTA,
    RED,
    SESSION_BRICKS,
    YELLOW,
    Brick,
    as_jpeg,
    parts_picture,
    step_pictures,
)

from synthesis import boundary

OUTLINES = {
    "magenta": MAGENTA,
    "lime": (160, 255, 0),
    "cyan": (0, 229, 255),
    "orange": (255, 120, 0),
}


def _vote(bricks=SESSION_BRICKS, outline=MAGENTA, tolerance=boundary.TOLERANCE, change=None):
    pictures = [boundary.thumbnail(step.rgb) for step in step_pictures(bricks, outline)]
    return boundary.vote(change(pictures) if change else pictures, tolerance)


def _near(color, expected, distance=10) -> bool:
    return color is not None and max(abs(a - b) for a, b in zip(color, expected, strict=True)) <= (
        distance
    )


@pytest.mark.parametrize("outline", OUTLINES.values(), ids=OUTLINES)
def test_the_outline_is_found(outline):
    vote = _vote(outline=outline)
    assert _near(vote.color, outline)
    assert vote.score >= 0.6
    assert vote.color in vote.candidates


@pytest.mark.parametrize(
    ("outline", "brick"),
    [
        ((255, 0, 0), RED),  # bright red round dark red bricks
        ((0, 90, 255), BLUE),  # bright blue round blue bricks
        ((0, 230, 60), GREEN),  # bright green round green bricks
        ((255, 160, 0), YELLOW),  # orange beside yellow
    ],
    ids=["red", "blue", "green", "yellow"],
)
def test_an_outline_with_a_bricks_hue_is_found(outline, brick):
    """The mean of a cluster of that hue is neither; the outline is its flat mode."""
    bricks = [SESSION_BRICKS[0], *(b._replace(color=brick) for b in SESSION_BRICKS[1:])]
    assert _near(_vote(bricks, outline).color, outline)


@pytest.mark.parametrize(
    "colors",
    [
        [(255, 0, 255)] * 6,  # all bricks in the vivid colour that outlines like
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)],
        [GREY, (255, 0, 0), GREY, (255, 0, 0), GREY, (255, 0, 0)],  # every second brick is vivid
        [RED, BLUE, YELLOW, GREEN, RED, BLUE],  # everyday colours
        [GREY] * 6,  # nothing vivid at all
    ],
    ids=["one vivid colour", "six vivid colours", "in turn", "everyday", "grey"],
)
def test_no_outline_is_invented_where_only_bricks_are_vivid(colors):
    """Such a session must give no state rows: its "negatives" would be nonsense."""
    bricks = [b._replace(color=c) for b, c in zip(SESSION_BRICKS, colors, strict=True)]
    vote = _vote(bricks, outline=None)
    assert vote.color is None


def test_thin_vivid_parts_are_no_outline():
    """Antennas and bars are thin too, but they enclose nothing and stay."""
    bars = [Brick((60 + 50 * k, 60, 64 + 50 * k, 230), (255, 0, 0)) for k in range(6)]
    assert _vote([SESSION_BRICKS[0], *bars], outline=None).color is None


@pytest.mark.parametrize(
    "change",
    [
        lambda p: [None, *p[1:]],  # the first picture is missing
        lambda p: [*p[:2], None, *p[3:]],  # one in the middle
        lambda p: [*p[:-1], None],  # the last
        lambda p: [p[0], None, p[2], None, p[4], p[5]],  # every second
        lambda p: [*p[:3], np.ascontiguousarray(p[3][:-20]), *p[4:]],  # one has another size
    ],
    ids=["first", "middle", "last", "every second", "other size"],
)
def test_missing_pictures_do_not_hide_the_outline(change):
    assert _near(_vote(change=change).color, MAGENTA)


@pytest.mark.parametrize(
    "pictures",
    [
        [],  # a session of eop rows only
        [None, None],  # no picture could be had
        [np.full((90, 120, 3), 255, np.uint8)] * 3,  # white pictures
    ],
    ids=["none", "missing", "white"],
)
def test_sessions_with_nothing_to_see_get_no_colour_and_no_error(pictures):
    vote = boundary.vote(pictures)
    assert (vote.color, vote.score, vote.candidates) == (None, 0.0, ())


def test_the_same_pictures_give_the_same_vote():
    """Builds are compared by hash: K-means must not draw from global state."""
    np.random.seed(1)
    first = _vote()
    np.random.seed(2)
    assert _vote() == first


def test_jpeg_pictures_need_the_wider_tolerance_and_get_the_colour():
    vote = _vote(
        tolerance=boundary.LOSSY_TOLERANCE, change=lambda p: [as_jpeg(one, 90) for one in p]
    )
    assert _near(vote.color, MAGENTA, 40)


def test_a_thumbnail_keeps_the_flat_colour_of_a_line():
    """Averaging would blend a line with what it runs over."""
    picture = parts_picture([Brick((10, 10, 470, 350), GREY)])
    large = np.repeat(np.repeat(picture, 4, axis=0), 4, axis=1)
    large[200:206] = MAGENTA
    small = boundary.thumbnail(large)
    assert small.shape[1] == boundary.THUMBNAIL_WIDTH_PX
    assert int(boundary.color_mask(small, MAGENTA, 0).any(axis=1).sum()) in (1, 2)


def test_one_step_sessions_can_be_voted_on():
    """Many sub-assemblies have a single step: it has no neighbour to compare with."""
    assert _near(_vote(SESSION_BRICKS[:1]).color, MAGENTA)

"""A part lifted off one ground and put on another, against a drawing whose truth is known."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn import Drawn, covered, random_drawn, random_ground
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from makers import BLUE, GREY, MAGENTA, PAPER, RED, SESSION_BRICKS, as_jpeg, plain, step_pictures

from synthesis import boxes
from synthesis.boundary import TOLERANCE, color_mask
from synthesis.cutout import Cutout, bare_part, lift, mirrored, over, put_down, recolored, turned
from synthesis.pixels import difference
from synthesis.restoration import without_outline
from synthesis.segmentation import Segment, segment

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=12)


def _lifted(drawn: Drawn) -> Cutout:
    return lift(drawn.picture(), drawn.ground, drawn.segment)


# Lifting and putting down -------------------------------------------------------------------


@few
@given(SEEDS)
def test_put_back_on_the_true_ground_the_picture_comes_back(seed):
    drawn = random_drawn(seed)
    picture = drawn.picture()
    error = difference(put_down(drawn.ground, _lifted(drawn), (0, 0)), picture)
    assert error.max() <= 2
    # Pixels that show nothing but the part or nothing but the ground are the very same.
    grown = cv2.dilate(drawn.segment.outline.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert not error[~grown].any()


@few
@given(SEEDS, st.tuples(st.integers(-24, 24), st.integers(-16, 16)))
def test_on_any_other_ground_it_looks_as_if_drawn_there(seed, shift):
    """The rim holds none of the old ground: nothing tells that the part ever lay elsewhere."""
    drawn = random_drawn(seed)
    assume(_lifted(drawn).through is None)  # one in 700 has the shades of its ground by chance
    other = random_ground(np.random.default_rng(seed + 1), drawn.ground.shape[1::-1])
    for ground in (drawn.ground, other):
        error = difference(put_down(ground, _lifted(drawn), shift), drawn.picture(shift, ground))
        assert error.max() <= 2


def test_the_rim_of_a_plain_paste_would_show_the_old_ground():
    """What the test above is able to see."""
    drawn = random_drawn(3)
    lifted, shift = _lifted(drawn), (20, 0)
    hard = Cutout(
        drawn.picture()[_window(lifted)], (lifted.alpha > 0).astype(np.float32),
        lifted.part, lifted.outline, lifted.xy_px,
    )  # fmt: skip
    error = difference(put_down(drawn.ground, hard, shift), drawn.picture(shift))
    assert error.max() > 60


def _window(cutout: Cutout):
    (x, y), (height, width) = cutout.xy_px, cutout.alpha.shape
    return np.s_[y : y + height, x : x + width]


@few
@given(SEEDS)
def test_the_masks_that_segmentation_finds_are_good_enough(seed):
    """The whole way: outline found by its colour in the picture, not taken from the drawing."""
    drawn = random_drawn(seed)
    # Widths of outlines go by the picture's: as a piece of one 960 px wide.
    picture, ground = (
        np.pad(p, ((0, 0), (0, 800), (0, 0)), mode="edge") for p in (drawn.picture(), drawn.ground)
    )
    found = segment(picture, ground, MAGENTA, TOLERANCE)
    assert found is not None
    lifted = lift(picture, ground, found)
    for shift in ((0, 0), (18, -6)):
        error = difference(put_down(ground, lifted, shift)[:, :160], drawn.picture(shift))
        assert (error > 24).sum() <= 12
        assert error.mean() < 0.1


def test_outside_the_cutout_the_canvas_is_untouched_and_inputs_are_left_alone():
    drawn = random_drawn(5)
    lifted, canvas = _lifted(drawn), plain((160, 120), BLUE)
    kept = lifted.rgb.copy()
    result = put_down(canvas, lifted, (9, 4))
    x, y = lifted.xy_px[0] + 9, lifted.xy_px[1] + 4
    height, width = lifted.alpha.shape
    there = np.zeros(canvas.shape[:2], bool)
    there[y : y + height, x : x + width] = lifted.alpha > 0
    assert (result[~there] == canvas[~there]).all()
    assert (canvas == BLUE).all()
    assert (lifted.rgb == kept).all()


@pytest.mark.parametrize(
    "shift",
    [
        (-200, 0),  # off the left
        (0, -200),  # off the top
        (200, 0),  # off the right
        (0, 200),  # off the bottom
    ],
)
def test_a_cutout_that_would_be_clipped_is_refused(shift):
    drawn = random_drawn(7)
    with pytest.raises(ValueError, match="moves the part off"):
        put_down(drawn.ground, _lifted(drawn), shift)


def test_a_part_at_the_very_edge_can_be_lifted_and_put_back():
    ground = plain((120, 90))
    part, outline = np.zeros((90, 120), bool), np.zeros((90, 120), bool)
    outline[0:40, 0:50] = part[0:40, 0:50] = True
    outline[5:35, 5:45] = False
    picture = ground.copy()
    picture[part], picture[outline] = RED, MAGENTA
    lifted = lift(picture, ground, Segment(part, outline, (0, 0, 50, 40)))
    assert lifted.xy_px == (0, 0)
    assert (put_down(ground, lifted, (0, 0)) == picture).all()
    with pytest.raises(ValueError, match="off"):
        put_down(ground, lifted, (-1, 0))


def test_nothing_to_lift_is_refused():
    nothing = np.zeros((60, 80), bool)
    with pytest.raises(ValueError, match="empty"):
        lift(plain((80, 60)), plain((80, 60)), Segment(nothing, nothing, (0, 0, 1, 1)))


def test_a_lossy_rim_is_mixed_further_out():
    """JPEG blurs the outline by some pixels; a halo of the old ground would be carried along."""
    drawn = random_drawn(11)
    picture, canvas = as_jpeg(drawn.picture(), 85), as_jpeg(drawn.ground, 85)
    other = plain((160, 120), GREY)
    truth = as_jpeg(drawn.picture(ground=other), 85)
    ring = cv2.dilate(drawn.segment.outline.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    ring &= ~(drawn.segment.part | drawn.segment.outline)
    lifted = lift(picture, canvas, drawn.segment, lossy=True)
    assert lifted.alpha.shape > lift(picture, canvas, drawn.segment).alpha.shape
    error = difference(put_down(other, lifted, (0, 0)), truth)
    assert error[ring].mean() < 15
    assert np.percentile(error, 99.5) < 40


# See-through parts --------------------------------------------------------------------------


def _see_through(seed: int, share: float) -> Drawn:
    """A round part of one colour over stripes."""
    rng = np.random.default_rng(seed)
    part = np.zeros((480, 640), np.uint8)
    cv2.circle(part, rng.integers((280, 220), (360, 260)).tolist(), 80, 1, -1)
    ground = np.where(np.arange(160)[:, None] % 6 < 3, (20, 20, 20), (230, 235, 240))
    ground = np.broadcast_to(ground, (120, 160, 3)).astype(np.uint8)
    face = np.full((480, 640, 3), (220, 140, 60), np.uint8)
    return Drawn(ground, part, face, through=share)


@few
@given(SEEDS, st.sampled_from([0.3, 0.5, 0.7]))
def test_a_see_through_part_shows_the_new_ground(seed, share):
    drawn = _see_through(seed, share)
    lifted = _lifted(drawn)
    assert lifted.through is not None
    assert lifted.through == pytest.approx(np.full(3, share), abs=0.03)
    other = random_ground(np.random.default_rng(seed + 1), (160, 120), 30)
    inner = cv2.erode(drawn.part, np.ones((33, 33), np.uint8))
    for shift, ground in (((0, 0), drawn.ground), ((13, 5), drawn.ground), ((8, -4), other)):
        error = difference(put_down(ground, lifted, shift), drawn.picture(shift, ground))
        moved = np.roll(covered(inner), shift[::-1], axis=(0, 1))
        assert moved.any()
        assert error[moved].max() <= 255 * 0.03 + 2


@few
@given(SEEDS)
def test_an_opaque_part_is_opaque_whatever_lies_behind(seed):
    """Stripes: a ground of two halves could be the part's own two shades by chance."""
    drawn = random_drawn(seed)
    striped = _see_through(seed, 0.5).ground
    assert lift(drawn.picture(ground=striped), striped, drawn.segment).through is None


def test_nothing_can_be_seen_through_before_a_plain_ground():
    drawn = _see_through(4, 0.5)
    plain_ground = plain((160, 120), PAPER)
    picture = drawn.picture(ground=plain_ground)
    assert lift(picture, plain_ground, drawn.segment).through is None


# The bare part ------------------------------------------------------------------------------


@few
@given(SEEDS)
def test_no_pixel_of_the_bare_part_is_near_the_outlines_colour(seed):
    drawn = random_drawn(seed)
    bare = bare_part(_lifted(drawn))
    x0, y0, x1, y1 = (int(v) for v in boxes.of_mask(drawn.segment.part))
    assert bare.shape == (y1 - y0, x1 - x0, 4)
    assert bare.dtype == np.uint8
    assert ((bare[..., 3] == 255) == drawn.segment.part[y0:y1, x0:x1]).all()
    assert set(np.unique(bare[..., 3])) <= {0, 255}
    shown = bare[bare[..., 3] > 0][:, :3].astype(int)
    # The two colours that it was drawn with, and the mixes of these two at their border.
    low, high = np.array((200, 120, 40)), np.array((240, 160, 80))
    assert (shown >= low - 1).all() and (shown <= high + 1).all()


def test_a_part_in_the_outlines_colour_stays_so():
    drawn = random_drawn(2)
    face = np.empty_like(drawn.face)
    face[:] = (250, 10, 240)  # all but magenta
    bare = bare_part(_lifted(Drawn(drawn.ground, drawn.part, face)))
    assert (abs(bare[bare[..., 3] > 0][:, :3].astype(int) - (250, 10, 240)) <= 1).all()


# Changed cut-outs ---------------------------------------------------------------------------


@few
@given(SEEDS)
def test_mirrored_twice_is_the_same_and_once_is_the_mirror_image(seed):
    lifted = _lifted(random_drawn(seed))
    once = mirrored(lifted)
    assert once.xy_px == lifted.xy_px
    assert (once.rgb == lifted.rgb[:, ::-1]).all()
    assert (once.part == lifted.part[:, ::-1]).all()
    _assert_same(mirrored(once), lifted)


@few
@given(SEEDS, st.sampled_from([1, 2, 3]))
def test_turned_about_its_middle_counterclockwise(seed, quarters):
    lifted = _lifted(random_drawn(seed))
    result = turned(lifted, quarters)
    # Counterclockwise: what was at the top right comes to the top left.
    assert (result.rgb == np.rot90(lifted.rgb, quarters)).all()
    if quarters == 1:
        assert (result.rgb[0, 0] == lifted.rgb[0, -1]).all()
    for axis in (0, 1):
        old, new = (c.xy_px[axis] + c.alpha.shape[1 - axis] / 2 for c in (lifted, result))
        assert abs(old - new) <= 0.5
    _assert_same(turned(result, 4 - quarters), lifted)


def _assert_same(one: Cutout, other: Cutout) -> None:
    assert (one.rgb == other.rgb).all()
    assert (one.alpha == other.alpha).all()
    assert (one.part == other.part).all()
    assert (one.outline == other.outline).all()


@few
@given(SEEDS)
def test_a_turned_part_looks_as_if_its_drawing_had_been_turned(seed):
    """Its rim is mixed with what lies there now, not with what lay at its old rim."""
    drawn = random_drawn(seed)
    half = turned(_lifted(drawn), 2)
    x, y = half.xy_px
    height, width = half.alpha.shape
    # The drawing turned about the same middle, on the same ground.
    about = (2 * x + width - 160, 2 * y + height - 120)
    part = np.roll(np.rot90(drawn.part, 2), (4 * about[1], 4 * about[0]), axis=(0, 1))
    face = np.roll(np.rot90(drawn.face, 2), (4 * about[1], 4 * about[0]), axis=(0, 1))
    truth = Drawn(drawn.ground, np.ascontiguousarray(part), face).picture()
    assert difference(put_down(drawn.ground, half, (0, 0)), truth).max() <= 2


COLORS = st.sampled_from([(0, 133, 43), (30, 90, 168), (250, 200, 10)])


@few
@given(SEEDS, COLORS)
def test_recolored_keeps_the_shading_and_the_outline(seed, color):
    lifted = _lifted(random_drawn(seed))
    result = recolored(lifted, color)
    inner = lifted.part & ~lifted.outline
    beside = cv2.dilate(inner.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert (result.rgb[~beside] == lifted.rgb[~beside]).all()
    assert (result.alpha == lifted.alpha).all()
    inner &= ~cv2.dilate(lifted.outline.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    new, old = result.rgb[inner].astype(float), lifted.rgb[inner].max(axis=1).astype(float)
    # Lighter stays lighter, and the lit face has the colour asked for.
    order = np.argsort(old, kind="stable")
    assert (np.diff(new.sum(axis=1)[order]) >= -2).all()
    assert np.abs(new - color).max(axis=1).min() <= 45


@few
@given(SEEDS, COLORS)
def test_recolored_looks_as_if_it_had_been_drawn_in_that_colour(seed, color):
    """The soft edge of the outline too: repainted as it is, it would shine."""
    drawn = random_drawn(seed)
    flat = dataclasses.replace(drawn, face=np.full_like(drawn.face, 90))
    truth = dataclasses.replace(drawn, face=np.full_like(drawn.face, color)).picture()
    seen = put_down(drawn.ground, recolored(_lifted(flat), color), (0, 0))
    assert difference(seen, truth).max() <= 2


# Restoration --------------------------------------------------------------------------------


def test_an_outline_on_two_flat_colours_goes_without_a_trace():
    picture = plain((120, 90), GREY)
    picture[:, 60:] = BLUE
    truth, outline = picture.copy(), np.zeros((90, 120), np.uint8)
    cv2.rectangle(outline, (30, 20), (90, 70), 1, 5)
    picture[outline > 0] = MAGENTA
    restored = without_outline(picture, outline > 0)
    assert (restored == truth).all()
    assert (picture[outline > 0] == MAGENTA).all()  # a copy


@few
@given(SEEDS)
def test_restoration_changes_nothing_but_the_outline_and_its_rim(seed):
    drawn = random_drawn(seed)
    picture, outline = drawn.picture(), drawn.segment.outline
    restored = without_outline(picture, outline)
    rim = cv2.dilate(outline.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (restored[~rim] == picture[~rim]).all()
    assert not color_mask(restored, MAGENTA, TOLERANCE).any()
    # No value of its own making: a blend would tell that something was taken away.
    for channel in range(3):
        values = set(restored[rim][:, channel].tolist())
        assert values <= set(picture[~rim][:, channel].tolist())


def test_no_outline_is_nothing_to_do_and_all_outline_is_left():
    picture = random_ground(np.random.default_rng(0), (60, 50))
    assert (without_outline(picture, np.zeros((50, 60), bool)) == picture).all()
    assert (without_outline(picture, np.ones((50, 60), bool)) == picture).all()


def test_over_leaves_a_ground_without_part_as_it_is():
    steps = step_pictures(SESSION_BRICKS[:2])
    found = segment(steps[1].rgb, steps[0].rgb, MAGENTA, TOLERANCE)
    lifted = lift(steps[1].rgb, steps[0].rgb, found)
    ground = plain(lifted.alpha.shape[::-1], GREY)
    result = over(ground, lifted)
    assert (result[lifted.alpha == 0] == GREY).all()
    assert (result[lifted.alpha == 1] == lifted.rgb[lifted.alpha == 1]).all()
